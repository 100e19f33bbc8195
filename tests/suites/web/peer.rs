//! A client that sends what it is told and reads answers.

use std::net::SocketAddr;

use hat_aio::tcp::{ConnectOptions, Connection, connect};
use hat_tests::runtimes::TestRuntime;

pub(crate) struct Peer {
    connection: Connection,
    rx: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

impl Peer {
    pub(crate) async fn new<R: TestRuntime>(address: SocketAddr) -> Self {
        let connection = connect::<R>(address, ConnectOptions::default()).await.expect("connected");
        Self { connection, rx: Vec::new() }
    }

    /// Writes; that the server is gone already is told by what is read.
    pub(crate) async fn send(&self, bytes: impl AsRef<[u8]>) {
        let _ = self.connection.write(bytes.as_ref().to_vec()).await;
        let _ = self.connection.drain().await;
    }

    pub(crate) fn end(&self) {
        self.connection.end();
    }

    /// Reads more; false at the end.
    async fn read(&mut self) -> bool {
        match self.connection.read(64 * 1024).await {
            Ok(bytes) => {
                self.rx.extend_from_slice(&bytes);
                true
            }
            Err(_) => false,
        }
    }

    /// The head of the next answer; `None` if the connection ends before one.
    pub(crate) async fn head(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.rx.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            if !self.read().await {
                assert!(self.rx.is_empty(), "half an answer: {:?}", self.rx.escape_ascii());
                return None;
            }
        };
        let head = self.rx.drain(..end + 4).collect::<Vec<_>>();
        let head = String::from_utf8(head).expect("text");
        let mut lines = head.trim_end().lines();
        let status = lines.next().expect("a first line");
        assert!(status.starts_with("HTTP/1."), "{status}");
        let headers = lines.map(|line| line.split_once(": ").expect("a header"));
        Some(Answer {
            status: status[9..12].parse().expect("a status"),
            headers: headers.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            body: Vec::new(),
        })
    }

    /// The next answer; `None` if the connection ends before it is whole.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let mut answer = self.head().await?;
        let length = answer.header("content-length").parse().unwrap_or(0);
        answer.body = self.exactly(length).await?;
        Some(answer)
    }

    /// So many bytes; `None` if the connection ends before they are there.
    pub(crate) async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.rx.len() < count {
            if !self.read().await {
                return None;
            }
        }
        Some(self.rx.drain(..count).collect())
    }

    /// Everything until the connection ends.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        while self.read().await {}
        self.rx
    }

    /// The next frame of a WebSocket, from a server, which masks none: its opcode and its payload.
    pub(crate) async fn frame(&mut self) -> (u8, Vec<u8>) {
        loop {
            let (front, len) = match self.rx[..] {
                [_, len @ 0..126, ..] => (2, usize::from(len)),
                [_, 126, one, two, ..] => (4, usize::from(u16::from_be_bytes([one, two]))),
                [_, 127, _, _, _, _, one, two, three, four, ..] => {
                    (10, u32::from_be_bytes([one, two, three, four]) as usize)
                }
                _ => (2, usize::MAX - 2),
            };
            if self.rx.len() >= front + len {
                let opcode = self.rx[0] & 0x0f;
                let payload = self.rx[front..front + len].to_vec();
                self.rx.drain(..front + len);
                return (opcode, payload);
            }
            assert!(self.read().await, "the connection ends inside of a frame");
        }
    }

    /// The answer to one request.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await;
        self.answer().await.expect("an answer")
    }
}

/// The answer to one request on a connection of its own. `headers` have their line ends.
pub(crate) async fn get<R: TestRuntime>(address: SocketAddr, path: &str, headers: &str) -> Answer {
    let mut peer = Peer::new::<R>(address).await;
    peer.ask(format!("GET {path} HTTP/1.1\r\nHost: plant\r\n{headers}\r\n")).await
}

/// A client whose WebSocket is open, written by hand so that it can also stop to read, and answer
/// nothing.
pub(crate) async fn upgraded<R: TestRuntime>(address: SocketAddr) -> Peer {
    let mut peer = Peer::new::<R>(address).await;
    peer.send(
        "GET /ws HTTP/1.1\r\nHost: plant\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    assert_eq!(peer.head().await.expect("an answer").status, 101);
    peer
}
