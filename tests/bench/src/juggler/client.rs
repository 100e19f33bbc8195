//! A client that knows WebSocket and segments, reads no JSON, and costs every server the same.

use std::net::TcpStream;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

use super::Drive;
use crate::side;

/// What a client did.
pub(super) struct Done {
    pub(super) messages: usize,
    pub(super) seconds: f64,
    pub(super) bytes: usize,
}

/// The most characters of a segment, as the deployed peers have it.
const SEGMENT: usize = 64 * 1024;

struct Client(WebSocket<TcpStream>);

impl Client {
    fn connect(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let url = format!("ws://127.0.0.1:{port}/ws");
        let config = WebSocketConfig::default();
        let (socket, _) = tungstenite::client::client_with_config(url, stream, Some(config))?;
        Ok(Self(socket))
    }

    /// Sends a request with an ASCII `data`.
    fn ask(&mut self, id: usize, name: &str, data: &str) -> anyhow::Result<()> {
        let text = format!(r#"{{"type":"request","id":{id},"name":"{name}","data":{data}}}"#);
        let mut rest = &*text;
        while rest.len() > SEGMENT {
            let (segment, more) = rest.split_at(SEGMENT);
            self.0.write(Message::text(format!("1{segment}")))?;
            rest = more;
        }
        self.0.send(Message::text(format!("0{rest}")))?;
        Ok(())
    }

    /// The kind of the next message, which stands at its beginning or, in Python, wherever it has a
    /// place; and the bytes of it.
    fn next(&mut self) -> anyhow::Result<(Kind, usize)> {
        let (mut kind, mut bytes) = (None, 0);
        loop {
            let Message::Text(text) = self.0.read()? else { continue };
            // also between two segments; a server that asks so waits with what has changed since
            if let Some(payload) = text.strip_prefix('2') {
                self.0.send(Message::text(format!("3{payload}")))?;
                continue;
            }
            bytes += text.len();
            if kind.is_none() {
                let front = text.get(..40).unwrap_or(&text);
                let is = |name: &str| front.contains(name);
                kind = match () {
                    () if is(r#""state""#) => Some(Kind::State),
                    () if is(r#""notify""#) => Some(Kind::Notify),
                    () => Some(Kind::Response),
                };
            }
            match text.as_bytes().first() {
                Some(b'0') => return Ok((kind.context("a kind")?, bytes)),
                Some(b'1') => {}
                other => anyhow::bail!("a text of an unknown kind: {other:?}"),
            }
        }
    }

    fn response(&mut self) -> anyhow::Result<usize> {
        loop {
            if let (Kind::Response, bytes) = self.next()? {
                return Ok(bytes);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    State,
    Notify,
    Response,
}

/// Follows the state until the server says that it is done: every client in a thread of its own.
pub(super) fn state(drive: &Drive) -> anyhow::Result<Done> {
    // and this thread, which waits for the word to begin
    let connected = Arc::new(Barrier::new(drive.count + 1));
    let begin = Arc::new(Barrier::new(drive.count + 1));
    let clients: Vec<_> = (0..drive.count)
        .map(|number| {
            let (drive, barriers) = (drive.clone(), [connected.clone(), begin.clone()]);
            thread::spawn(move || follow(&drive, number == 0, &barriers))
        })
        .collect();
    connected.wait();
    side::ready();
    begin.wait();
    let mut all = Done { messages: 0, seconds: 0.0, bytes: 0 };
    for client in clients {
        let done = client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
        all.messages += done.messages;
        all.bytes += done.bytes;
        all.seconds = all.seconds.max(done.seconds);
    }
    Ok(all)
}

fn follow(drive: &Drive, starts: bool, barriers: &[Arc<Barrier>]) -> anyhow::Result<Done> {
    let mut client = Client::connect(drive.port)?;
    // the whole state
    while client.next()?.0 != Kind::State {}
    for barrier in barriers {
        barrier.wait();
    }
    let start = Instant::now();
    if starts {
        client.ask(1, "run", &drive.milliseconds.to_string())?;
    }
    let (mut messages, mut all) = (0, 0);
    loop {
        match client.next()? {
            (Kind::State, bytes) => (messages, all) = (messages + 1, all + bytes),
            (Kind::Notify, _) => break,
            (Kind::Response, _) => {}
        }
    }
    Ok(Done { messages, seconds: start.elapsed().as_secs_f64(), bytes: all })
}

pub(super) fn request(drive: &Drive) -> anyhow::Result<Done> {
    let mut client = Client::connect(drive.port)?;
    echoes(&mut client, drive, drive.count, r#"{"point":"p7","value":12.5}"#)
}

pub(super) fn large(drive: &Drive) -> anyhow::Result<Done> {
    let mut client = Client::connect(drive.port)?;
    let data = format!(r#""{}""#, "a".repeat(drive.count));
    echoes(&mut client, drive, 1, &data)
}

fn echoes(client: &mut Client, drive: &Drive, window: usize, data: &str) -> anyhow::Result<Done> {
    let time = Duration::from_millis(drive.milliseconds);
    side::ready();
    let (start, mut sent, mut received, mut bytes) = (Instant::now(), 0, 0, 0);
    loop {
        while sent - received < window && (sent == 0 || start.elapsed() < time) {
            client.ask(sent + 1, "echo", data)?;
            sent += 1;
        }
        if received == sent {
            return Ok(Done { messages: received, seconds: start.elapsed().as_secs_f64(), bytes });
        }
        bytes += client.response()?;
        received += 1;
    }
}
