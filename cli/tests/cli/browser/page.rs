//! `tests/browser/page.mjs`, which asks for what happens to the server.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hat_tests::peers::browser::{Script, skipped};
use serde_json::json;
use serde_json::value::RawValue;

use crate::process::{Hat, Server, hat_with};

/// Batches of a load, a second.
const BATCHES: u32 = 50;

/// What the script asks for, as it stands.
type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

/// What the script drives.
pub(super) struct World {
    runtime: &'static str,
    server: Option<Server>,
    /// Where it is started again.
    page: String,
    address: String,
    load: Option<Child>,
}

impl World {
    /// `more` are arguments of the server, until it is started again.
    pub(super) fn new(runtime: &'static str, more: &str) -> Self {
        let server = Server::start(runtime, &format!("--web 127.0.0.1:0 {more}"));
        let page = page(&server.hat);
        let address = server.address.clone();
        Self { runtime, server: Some(server), page, address, load: None }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.page)
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("the script starts it before it goes on")
    }

    pub(super) fn does(&mut self, want: &str, line: &str) -> &'static str {
        let asked: Fields = serde_json::from_str(line).expect("an object");
        match want {
            "register" => self.register(&lines(asked["events"])),
            "many" => {
                let number =
                    |name| asked.get(name).map_or(0, |it| it.get().parse().expect("a number"));
                let kind: String = serde_json::from_str(asked["type"].get()).expect("a text");
                let from: usize = number("from");
                let events = (from..from + number("count")).map(|n| {
                    let kind = kind.replace('#', &n.to_string());
                    let payload = json!({"kind": "json", "data": n});
                    format!("{}\n", json!({"type": kind, "payload": payload}))
                });
                self.register(&events.collect::<String>());
            }
            "load" => self.load(&asked),
            "freeze" => self.server().hat.signal("STOP"),
            "thaw" => self.server().hat.signal("CONT"),
            "stop" => {
                self.end_load();
                let server = self.server.take().expect("it runs");
                server.hat.signal("INT");
                assert_eq!(server.hat.end().code, Some(0));
            }
            "start" => {
                let args = format!(
                    "serve --no-own-events --runtime {} --listen {} --web {}",
                    self.runtime, self.address, self.page
                );
                let hat = Hat::start(&args);
                let expected = format!("listening on {} (events are in memory only)", self.address);
                assert_eq!(hat.error_line(), expected);
                assert_eq!(page(&hat), self.page);
                self.server = Some(Server { hat, address: self.address.clone() });
            }
            _ => panic!("the script asks for something new: {line}"),
        }
        "done"
    }

    fn register(&self, lines: &str) {
        let args = format!("register --runtime {} --connect {}", self.runtime, self.address);
        assert_eq!(hat_with(&args, lines).code, Some(0));
    }

    /// Another process registers the events again and again, in a mixed order, at the rate asked
    /// for.
    fn load(&mut self, asked: &Fields) {
        let events: Vec<String> = lines(asked["events"]).lines().map(str::to_owned).collect();
        let number = |name: &str| asked[name].get().parse::<u32>().expect("a number");
        let (batch, batches) = ((number("rate") / BATCHES) as usize, number("seconds") * BATCHES);
        let mut command = Command::new(env!("CARGO_BIN_EXE_hat"));
        command.args(["register", "--connect", &self.address]).stdin(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut input = child.stdin.take().expect("a pipe");
        self.load = Some(child);
        thread::spawn(move || {
            // a step that meets each of them before it meets one again
            let mut order = (0..).map(|n: usize| &events[n.wrapping_mul(7919) % events.len()]);
            let start = Instant::now();
            for n in 0..batches {
                let text: String =
                    order.by_ref().take(batch).map(|line| format!("{line}\n")).collect();
                // the test is over before the load
                if input.write_all(text.as_bytes()).is_err() {
                    return;
                }
                let next = start + (n + 1) * Duration::from_secs(1) / BATCHES;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
    }

    fn end_load(&mut self) {
        if let Some(mut load) = self.load.take() {
            let _ = load.kill();
            let _ = load.wait();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.end_load();
    }
}

/// Where the page is, as an address.
#[track_caller]
fn page(hat: &Hat) -> String {
    let line = hat.error_line();
    let page = line.strip_prefix("page on http://").and_then(|rest| rest.strip_suffix('/'));
    page.unwrap_or_else(|| panic!("{line}")).to_owned()
}

/// Events, each as a line for `hat register`, with their members in the order of the script.
fn lines(events: &RawValue) -> String {
    let events: Vec<&RawValue> = serde_json::from_str(events.get()).expect("events");
    events.iter().map(|event| format!("{event}\n")).collect()
}

fn test(runtime: &'static str) {
    if skipped(&format!("browser::page::{runtime}")) {
        return;
    }
    let mut world = World::new(runtime, "");
    let script = Script::start("page.mjs", &world.url(), runtime);
    let checks = script.run(|want, line| world.does(want, line));
    assert!(checks >= 20, "{checks} checks");
}

#[test]
fn tokio() {
    test("tokio");
}

#[test]
fn smol() {
    test("smol");
}
