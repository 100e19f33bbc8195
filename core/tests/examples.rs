//! The examples on event loops of their own are run, as a reader would.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use hat_core::chatter::{Config, Connection, Data, Incoming, SendOptions};
use hat_core::driver::Driver;
use hat_core::time::Instant;

/// `cargo test` builds the examples, and puts them beside its own folder.
fn example(name: &str) -> Command {
    let mut path: PathBuf = std::env::current_exe().expect("this test");
    path.pop();
    path.pop();
    path.extend(["examples", &format!("{name}{}", std::env::consts::EXE_SUFFIX)]);
    assert!(path.exists(), "{} is missing: cargo build --examples", path.display());
    Command::new(path)
}

/// A server on a port of the system's choice. It ends with the test.
struct Server {
    process: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    fn start_with(name: &str, arguments: &[&str]) -> Self {
        let mut process = example(name)
            .args(arguments)
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on ").expect("its address").into();
        Self { process, output, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may be gone already, which the test has seen
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_event_server_on_mio_and_a_client_on_a_blocking_socket() {
    let server = Server::start("eventer_mio");
    for _ in 0..3 {
        let client = example("eventer_blocking").args([&server.address, "plant/1/level"]).output();
        let output = client.expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("the server is operational"));
        assert!(lines.next().is_some_and(|line| line.starts_with("plant/1/level at ")), "{text}");
    }
}

#[test]
fn cotp_on_blocking_sockets() {
    let server = Server::start_with("cotp_blocking", &["server"]);
    for text in ["hello", "", &"long ".repeat(10_000)] {
        let client = example("cotp_blocking").args(["client", &server.address, text]).output();
        let output = client.expect("it runs");
        let came = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(came.strip_suffix('\n') == Some(text), "{} octets came", came.len());
    }
}

#[test]
fn a_chatter_server_on_calloop() {
    let mut server = Server::start("chatter_calloop");
    let socket = std::net::TcpStream::connect(&server.address).expect("it listens");
    socket.set_nonblocking(true).expect("a socket");
    let mut driver = Driver::new(Connection::new(Config::default(), Instant::ORIGIN), socket);
    for size in [0, 1, 5000, 1_000_000] {
        let sent = Data::new("T", vec![7; size]);
        driver.machine().send(sent.clone(), SendOptions::default()).expect("open");
        // it sends before it has read all: reading and writing go on at once
        let came = loop {
            driver.ready();
            match driver.next(Instant::ORIGIN).expect("open") {
                Some(Incoming::Message(message)) => break message.data,
                Some(other) => panic!("{other:?}"),
                None => std::thread::yield_now(),
            }
        };
        assert!(came == sent);
    }
    drop(driver);
    let mut line = String::new();
    server.output.read_line(&mut line).expect("a line");
    assert_eq!(line.trim(), "the connection is closed");
}
