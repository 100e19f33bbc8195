//! The examples of a runtime crate, run against each other: a module of that crate's own test,
//! which says by `PREFIX` what their names begin with. `cargo test` builds the examples, but not
//! where it is told which test to run: `cargo build --examples` comes first then.

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::PREFIX;

/// An example that runs, until this is dropped.
struct RunningExample {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for RunningExample {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl RunningExample {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut path: PathBuf = std::env::current_exe().expect("this test");
        path.pop();
        path.pop();
        path.push("examples");
        path.push(format!("{PREFIX}{name}{}", std::env::consts::EXE_SUFFIX));
        let child = Command::new(&path).args(arguments).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| {
            panic!("{error}: {}: run `cargo build --examples`", path.display())
        });
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    /// A server, and where it listens.
    fn server(name: &str, address: &str) -> (Self, String) {
        let mut server = Self::start(name, &[address]);
        let line = server.line();
        let address = line.strip_prefix("listening on ").expect("where it listens");
        (server, address.to_owned())
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        self.lines.next().expect("a line").expect("text")
    }

    /// The next line that begins with `start`.
    fn line_of(&mut self, start: &str) -> String {
        loop {
            let line = self.line();
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// Waits until it ends, as it should.
    fn ends(mut self) {
        assert_eq!(self.lines.by_ref().map_while(Result::ok).next(), None);
        assert!(self.child.wait().expect("its exit").success());
    }
}

#[test]
fn an_event_client_is_told_what_it_registers() {
    let (_server, address) = RunningExample::server("event_server", "127.0.0.1:0");
    let mut client = RunningExample::start("event_client", &[&address]);
    let told = client.line_of("plant/boiler/celsius: ");
    assert!(told.contains("81.5"), "{told}");
}

#[test]
fn an_event_client_comes_back() {
    let (server, address) = RunningExample::server("event_server", "127.0.0.1:0");
    let mut client = RunningExample::start("event_reconnect", &[&address]);
    assert_eq!(client.line_of("connected"), "connected: the server is operational");
    drop(server);
    client.line_of("disconnected: ");
    let (_server, _) = RunningExample::server("event_server", &address);
    client.line_of("connected");
    let _other = RunningExample::start("event_client", &[&address]);
    let told = client.line_of("plant/boiler/celsius: ");
    assert!(told.contains("81.5"), "{told}");
}

#[test]
fn a_chatter_question_is_answered() {
    let (mut server, address) = RunningExample::server("chatter_server", "127.0.0.1:0");
    let mut client = RunningExample::start("chatter_client", &[&address]);
    assert_eq!(client.line(), "Example.Answer: IS IT WARM?");
    client.ends();
    assert!(server.line().starts_with("127.0.0.1:"));
}

#[cfg(feature = "web")]
#[test]
fn a_juggler_client_follows_the_state() {
    let (_server, address) = RunningExample::server("juggler_server", "127.0.0.1:0");
    let mut client = RunningExample::start("juggler_client", &[&address]);
    assert_eq!(client.line(), r#"the state is {"temperature":20.5}"#);
    assert_eq!(client.line(), r#"the answer is "set for 127.0.0.1""#);
    assert_eq!(client.line(), r#"the state is {"temperature":21}"#);
    client.ends();
}

#[cfg(feature = "web")]
#[test]
fn a_juggler_client_comes_back() {
    let (server, address) = RunningExample::server("juggler_server", "127.0.0.1:0");
    let mut client = RunningExample::start("juggler_reconnect", &[&address]);
    assert_eq!(client.line(), r#"the answer is "set for 127.0.0.1""#);
    client.line_of(r#"the state is {"temperature":21}"#);
    drop(server);
    client.line_of("disconnected: ");
    assert_eq!(client.line(), r#"the state was {"temperature":21}"#);
    let (_server, _) = RunningExample::server("juggler_server", &address);
    client.line_of("connected");
    assert_eq!(client.line(), r#"the state is {"temperature":20.5}"#);
}

#[cfg(feature = "web")]
#[test]
fn websocket_messages_come_over() {
    let (mut server, _) = RunningExample::server("websocket", "127.0.0.1:0");
    assert_eq!(server.line(), r#"over WebSocket came Text("a text")"#);
    assert_eq!(server.line(), r#"over WebSocket came Binary(b"\x01\x02\x03")"#);
    let told = server.line();
    assert_eq!(
        told,
        r#"the server closed: Some(PeerClose { code: Some(4000), reason: "that is all" })"#
    );
    server.ends();
}

#[test]
fn a_cotp_message_comes_back() {
    let (mut server, address) = RunningExample::server("cotp_echo", "127.0.0.1:0");
    let mut client = RunningExample::start("cotp_client", &[&address]);
    let told = client.line();
    assert!(told.starts_with("hello, in TPDUs of up to "), "{told}");
    client.ends();
    assert!(server.line().starts_with("127.0.0.1:"));
}

#[cfg(feature = "tls")]
#[test]
fn tls_goes_both_ways() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (server, roots) =
        (folder.join(format!("{PREFIX}server.pem")), folder.join(format!("{PREFIX}roots.pem")));
    let certificate = made.cert.pem();
    let both = format!("{certificate}{}", made.signing_key.serialize_pem());
    std::fs::write(&server, both).expect("a file");
    std::fs::write(&roots, certificate).expect("a file");
    let files = [&server, &roots].map(|path| path.to_str().expect("text"));
    let mut example = RunningExample::start("tls", &files);
    assert_eq!(example.line(), "over TLS came hello");
    example.ends();
}
