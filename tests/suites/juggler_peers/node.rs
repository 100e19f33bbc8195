//! Our server, and `@hat-open/juggler` 0.7, the client that browsers run, in Node.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use hat_aio::juggler::{Connection, Handler, ListenOptions, SharedState, listen};
use hat_core::json::Value;
use hat_core::juggler::State;
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::{Lines, node, skip, skipped};
use serde_json::{Value as Json, json};

use super::{local, path, ten_megabytes};

/// A client in a process of its own; see `tests/peers/juggler/client.js`.
struct Client {
    process: Child,
    stdin: ChildStdin,
    stdout: Lines,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let mut command = node::command("juggler", "client.js");
        command.arg(format!("ws://{address}/ws"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("node starts");
        let stdin = process.stdin.take().expect("a pipe");
        let stdout = Lines::of(process.stdout.take().expect("a pipe"));
        Self { process, stdin, stdout }
    }

    fn say(&mut self, step: Json) {
        writeln!(self.stdin, "{step}").expect("node reads");
    }

    fn hear(&mut self) -> Json {
        serde_json::from_str(&self.stdout.next("the client in Node")).expect("JSON")
    }

    /// The next line that is no `state`.
    fn hear_other(&mut self) -> Json {
        loop {
            let line = self.hear();
            if line["event"] != "state" {
                return line;
            }
        }
    }

    fn until(&mut self, expected: &Json) {
        while self.hear() != *expected {}
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Whether the test has to be left out; says so.
fn left_out(test: &str) -> bool {
    if skipped(test) {
        return true;
    }
    let missing = !node::installed();
    if missing {
        skip(test, "Node or npm is not installed; on Debian: apt-get install nodejs npm");
    }
    missing
}

struct Double;

impl Handler for Double {
    async fn request(&self, _: &Connection, name: &str, data: Value) -> Result<Value, Value> {
        match name {
            "twice" => Ok([data.clone(), data].into_iter().collect::<Vec<_>>().into()),
            _ => Err(format!("`{name}` is unknown").into()),
        }
    }
}

on_threaded_runtimes! {
    async fn states_requests_and_notifications<R>() {
        if left_out("juggler_peers::node::states_requests_and_notifications") {
            return;
        }
        let state = SharedState::new(State::default(), Some(Duration::ZERO));
        let options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
        let server = listen::<R>(local(), Double, options).await.expect("a free port");
        let mut client = Client::connect(server.addresses()[0]);
        client.until(&json!({"event": "open"}));

        client.say(json!({"send": ["twice", {"a": [1.5, "ž😀", null]}], "id": 1}));
        let data = json!({"a": [1.5, "ž😀", null]});
        assert_eq!(client.hear_other(), json!({"id": 1, "result": [data, data]}));
        client.say(json!({"send": ["fly", null], "id": 2}));
        assert_eq!(client.hear_other(), json!({"id": 2, "error": "`fly` is unknown"}));
        client.say(json!({"send": ["", data], "id": 3}));
        assert_eq!(client.hear_other(), json!({"id": 3, "result": data}));

        let list = Value::from(json!({"list": [{"n": 1}, {"n": 2}, {"n": 3}], "a/~b": null}));
        state.change(|state| state.replace(list)).expect("set");
        client.until(&json!({"event": "state", "state": {"list": [{"n": 1}, {"n": 2}, {"n": 3}], "a/~b": null}}));
        state.change(|state| state.remove(&path("/list/0"))).expect("it was there");
        state.change(|state| state.set(&path("/a~1~0b"), "ž")).expect("set");
        client.until(&json!({"event": "state", "state": {"list": [{"n": 2}, {"n": 3}], "a/~b": "ž"}}));

        server.notify_all("alarm", &Value::from(json!([3])));
        assert_eq!(client.hear_other(), json!({"event": "notify", "name": "alarm", "data": [3]}));

        // it pings after a second of silence
        std::thread::sleep(Duration::from_millis(2500));
        client.say(json!({"send": ["", 1], "id": 4}));
        assert_eq!(client.hear_other(), json!({"id": 4, "result": 1}));

        client.say(json!({"close": true}));
        assert_eq!(client.hear_other(), json!({"event": "close"}));
        server.close().await;
    }

    async fn a_state_of_10_megabytes<R>() {
        if left_out("juggler_peers::node::a_state_of_10_megabytes") {
            return;
        }
        let state = SharedState::new(State::default(), Some(Duration::ZERO));
        let text = ten_megabytes();
        let units = text.encode_utf16().count();
        state.change(|state| state.set(&path("/text"), text)).expect("set");
        let options = ListenOptions { state: Some(state.clone()), ..ListenOptions::default() };
        let server = listen::<R>(local(), Double, options).await.expect("a free port");
        let mut client = Client::connect(server.addresses()[0]);
        client.until(&json!({"event": "state", "size": units + r#"{"text":""}"#.len()}));
        client.say(json!({"digest": ["text"]}));
        assert_eq!(client.hear(), json!({"digest": [units, "až€😀až€", "€😀až€😀"]}));
        // a request of some hundred segments
        client.say(json!({"send": ["twice", "😀".repeat(1_000_000)], "id": 1}));
        let answer = client.hear_other();
        assert!(answer["result"][1] == *"😀".repeat(1_000_000), "it came back changed");
    }
}
