//! The examples on event loops of their own are run, as a reader would.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use hat_core::buffer::RecvBuf;
use hat_core::chatter::{Config, Connection, Data, Incoming, SendOptions};
use hat_core::protocol::{Polled, Protocol};
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
        let mut process =
            example(name).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().expect("it runs");
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
fn a_chatter_server_on_calloop() {
    let mut server = Server::start("chatter_calloop");
    let socket = std::net::TcpStream::connect(&server.address).expect("it listens");
    let (mut machine, mut rx) =
        (Connection::new(Config::default(), Instant::ORIGIN), RecvBuf::new());
    for size in [0, 1, 5000, 1_000_000] {
        let sent = Data::new("T", vec![7; size]);
        machine.send(sent.clone(), SendOptions::default()).expect("open");
        let tx = machine.tx();
        let bytes = bytes::Buf::copy_to_bytes(tx, tx.len());
        std::thread::scope(|scope| {
            // both at once: it may send before it has read all
            scope.spawn(|| std::io::Write::write_all(&mut &socket, &bytes).expect("it reads"));
            let came = loop {
                match machine.poll(&mut rx, Instant::ORIGIN).expect("open") {
                    Polled::Incoming(Incoming::Message(message)) => break message.data,
                    Polled::Incoming(other) => panic!("{other:?}"),
                    Polled::Needs(_) | Polled::HeldUp => {
                        let mut bytes = [0; 4096];
                        let count = (&socket).read(&mut bytes).expect("it sends");
                        assert!(count > 0, "it closed");
                        rx.feed(&bytes[..count]);
                    }
                }
            };
            assert!(came == sent);
        });
    }
    drop(socket);
    let mut line = String::new();
    server.output.read_line(&mut line).expect("a line");
    assert_eq!(line.trim(), "the connection is closed");
}
