//! Requests by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// A header, by its name in lower case; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(it, _)| it == name).map_or("", |(_, value)| value)
    }
}

/// The answer to `GET`; `headers` are lines with their ends.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    answer(ask(address, &address.to_string(), path, &format!("{headers}Connection: close\r\n")))
}

/// The same, of a server that is thought to be called `host`.
pub(crate) fn get_as(address: SocketAddr, host: &str, path: &str) -> Answer {
    answer(ask(address, host, path, "Connection: close\r\n"))
}

fn answer(mut stream: TcpStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer in UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.split("\r\n");
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").expect("a header");
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let status = status(lines.next().expect("a line"));
    Answer { status, headers: lines.map(header).collect(), body: body.to_owned() }
}

/// The status of the answer to a request for the WebSocket.
pub(crate) fn upgrade(address: SocketAddr, headers: &str) -> u16 {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let mut stream = ask(address, &address.to_string(), "/ws", &format!("{upgrade}{headers}"));
    let mut line = [0; 12];
    stream.read_exact(&mut line).expect("a line");
    status(std::str::from_utf8(&line).expect("text"))
}

/// The extensions that the answer to a request for the WebSocket agrees on.
pub(crate) fn extensions(address: SocketAddr, headers: &str) -> Option<String> {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let stream = ask(address, &address.to_string(), "/ws", &format!("{upgrade}{headers}"));
    let lines = BufReader::new(stream).lines().map(|line| line.expect("a line of the head"));
    let mut head = lines.take_while(|line| !line.is_empty());
    assert_eq!(status(&head.next().expect("a line")), 101);
    head.find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("sec-websocket-extensions").then(|| value.to_owned())
    })
}

fn ask(address: SocketAddr, host: &str, path: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("a server that reads");
    stream
}

/// `HTTP/1.1 200`
fn status(line: &str) -> u16 {
    line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}
