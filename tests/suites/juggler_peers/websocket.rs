//! WebSocket without a protocol on it, against the libraries that others use: `websockets` of
//! Python and `ws` of Node, each as a client and as a server, with compression and without.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hat_aio::Runtime;
use hat_aio::runtime::within;
use hat_aio::websocket::{
    ConnectOptions, Connection, ListenOptions, Message, PeerClose, connect, listen,
};
use hat_core::ws::Deflate;
use hat_tests::on_threaded_runtimes;
use hat_tests::peers::{Lines, SetupError, node, python_with, skip, skipped};
use serde_json::{Value as Json, json};

use super::local;

/// A peer that gives back what comes, in a process of its own.
struct Echo {
    process: Child,
    stdout: Lines,
}

impl Echo {
    fn start(mut command: Command, args: &[&str]) -> Self {
        command.args(args).stdout(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let stdout = Lines::of(process.stdout.take().expect("a pipe"));
        Self { process, stdout }
    }

    /// A server, and where it listens.
    fn server(command: Command) -> (Self, String) {
        let server = Self::start(command, &["server"]);
        let port = server.hear("the port of the server");
        (server, format!("ws://127.0.0.1:{port}"))
    }

    fn hear(&self, what: &str) -> Json {
        serde_json::from_str(&self.stdout.next(what)).expect("JSON")
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn installed() -> Result<PathBuf, SetupError> {
    python_with("websockets", "tests/peers/requirements-websockets.txt")
}

fn python() -> Command {
    let python = installed().expect("Python with websockets");
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/websocket_echo.py"));
    command
}

/// What must come within a minute: where it does not, the test says what it waited for.
async fn soon<R: Runtime, T>(what: &str, coming: impl Future<Output = T>) -> T {
    let came = within::<R, _>(Duration::from_secs(60), coming).await;
    came.unwrap_or_else(|| panic!("{what} did not come"))
}

/// All messages come back as they were.
async fn come_back<R: Runtime>(connection: &Connection) {
    let random: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    for message in [
        Message::from("ž😀"),
        Message::from(""),
        Message::from(Vec::new()),
        Message::from("long ".repeat(20_000)),
        Message::from(random),
    ] {
        connection.send(message.clone()).await.expect("sent");
        let echo = soon::<R, _>("an echo", connection.receive()).await;
        assert!(echo.expect("an echo") == message);
    }
    // many on their way at once
    for number in 0..100_u32 {
        connection.send(number.to_string()).await.expect("sent");
    }
    for number in 0..100_u32 {
        let echo = soon::<R, _>("one of many echoes", connection.receive()).await;
        let message = echo.expect("an echo");
        assert_eq!(message, number.to_string().into());
    }
    soon::<R, _>("a pong", connection.ping()).await.expect("a sign of life");
}

/// The peer closes, and says how.
async fn is_closed<R: Runtime>(connection: &Connection) {
    connection.send("close 4001 that is all").await.expect("sent");
    let end = soon::<R, _>("their close", connection.receive()).await.expect_err("the end");
    assert!(matches!(end.protocol(), Some(hat_core::ws::Error::Closed)), "{end}");
    let close = PeerClose { code: Some(4001), reason: "that is all".into() };
    assert_eq!(connection.peer_close(), Some(close));
}

async fn against<R: hat_tests::runtimes::TestRuntime>(command: fn() -> Command) {
    for deflate in [None, Some(Deflate::default())] {
        let (theirs, url) = Echo::server(command());
        let mut options = ConnectOptions::default();
        options.ws.config.deflate = deflate;
        for closes_first in [true, false] {
            let connecting = connect::<R>(url.as_str(), options.clone());
            let connected = soon::<R, _>("their server to take us", connecting).await;
            let connection = connected.expect("it takes us");
            come_back::<R>(&connection).await;
            if closes_first {
                is_closed::<R>(&connection).await;
                theirs.hear("how their server saw its own close");
            } else {
                let closed = connection.close_with(4002, "ours");
                soon::<R, _>("the end of a client", closed).await.expect("a code");
                let heard = theirs.hear("how their server saw our close");
                assert_eq!(heard, json!({"code": 4002, "reason": "ours"}));
            }
        }

        let mut options = ListenOptions::default();
        options.config.deflate = deflate;
        let server = listen::<R>(local(), options).await.expect("a free port");
        let url = format!("ws://{}/ws", server.addresses()[0]);
        for closes_first in [true, false] {
            let theirs = Echo::start(command(), &["client", &url]);
            let accepted = soon::<R, _>("their client", server.accept()).await;
            let connection = accepted.expect("it comes");
            come_back::<R>(&connection).await;
            if closes_first {
                is_closed::<R>(&connection).await;
            } else {
                let closed = connection.close_with(4003, "ours");
                soon::<R, _>("the end of a server's end", closed).await.expect("a code");
                let heard = theirs.hear("how their client saw our close");
                assert_eq!(heard, json!({"code": 4003, "reason": "ours"}));
            }
        }
        soon::<R, _>("the end of our server", server.close()).await;
    }
}

on_threaded_runtimes! {
    async fn websockets_of_python<R>() {
        let test = "juggler_peers::websocket::websockets_of_python";
        if skipped(test) {
            return;
        }
        if let Err(error @ SetupError::NoPython { .. }) = installed() {
            skip(test, &error.to_string());
            return;
        }
        against::<R>(python).await;
    }

    async fn ws_of_node<R>() {
        let test = "juggler_peers::websocket::ws_of_node";
        if skipped(test) {
            return;
        }
        if !node::installed() {
            skip(test, "Node or npm is not installed; on Debian: apt-get install nodejs npm");
            return;
        }
        against::<R>(|| node::command("juggler", "echo.js")).await;
    }
}
