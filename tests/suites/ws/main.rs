//! WebSocket, machine against machine, against the bytes of RFC 6455, and against tungstenite.

mod closing;
mod handshake;
mod limits;
mod messages;
mod oracle;
mod properties;
mod refusals;
mod rfc;
mod tungstenite_peers;

use bytes::Buf;
use bytestring::ByteString;
use hat_core::buffer::RecvBuf;
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_core::ws::{Config, Connection, Error, Incoming, Role};
use hat_tests::pair::Pair;

/// The mask of frames that the tests write.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

fn connection(role: Role, config: &Config) -> Connection {
    Connection::established(role, config.clone(), Instant::ORIGIN)
}

/// A client and a server behind their handshake.
fn pair(grain: usize) -> Pair<Connection, Connection> {
    let of = |role| connection(role, &Config::default());
    Pair::new(of(Role::Client), of(Role::Server), grain)
}

/// A frame as a `role` sends it: `first` is its first byte.
fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let masked = if role == Role::Client { 0x80 } else { 0 };
    match payload.len() {
        short @ ..=125 => bytes.push(masked | short as u8),
        middle @ 126..=0xffff => {
            bytes.push(masked | 126);
            bytes.extend((middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(masked | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    if role == Role::Client {
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        bytes.extend(payload);
    }
    bytes
}

fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// What a connection made of a stream.
#[derive(Debug, PartialEq)]
struct Read {
    incoming: Vec<Incoming>,
    /// Why it is over, at the end of the stream at the latest.
    error: Error,
    /// What it wrote.
    written: Vec<u8>,
    /// Bytes of the stream that it had when it was over.
    taken: usize,
}

/// Gives `connection` a stream in pieces of `grain` bytes, when it asks for them, and then the end. What it writes goes out at once.
fn read(connection: &mut Connection, stream: &[u8], grain: usize) -> Read {
    let mut rx = RecvBuf::new();
    let mut left = stream;
    let mut incoming = Vec::new();
    let mut written = Vec::new();
    loop {
        let polled = connection.poll(&mut rx, Instant::ORIGIN);
        let tx = connection.tx();
        let queued = tx.remaining();
        written.extend_from_slice(&tx.copy_to_bytes(queued));
        match polled {
            Ok(Some(message)) => incoming.push(message),
            Err(error) => {
                assert_eq!(connection.poll(&mut rx, Instant::ORIGIN), Err(error.clone()));
                return Read { incoming, error, written, taken: stream.len() - left.len() };
            }
            Ok(None) if rx.missing() > 0 && left.is_empty() => rx.eof = true,
            Ok(None) if rx.missing() > 0 => {
                let (next, rest) = left.split_at(grain.min(left.len()));
                rx.feed(next);
                left = rest;
            }
            // it waited for its own bytes to be written
            Ok(None) => assert!(queued > 0, "it waits for nothing"),
        }
    }
}

/// What a new connection behind its handshake makes of a stream.
fn read_as(role: Role, stream: &[u8], grain: usize) -> Read {
    read(&mut connection(role, &Config::default()), stream, grain)
}

fn text(text: &'static str) -> Incoming {
    Incoming::Text(ByteString::from_static(text))
}

fn binary(data: &[u8]) -> Incoming {
    Incoming::Binary(data.to_vec().into())
}

fn closed(code: impl Into<Option<u16>>, reason: &'static str) -> Incoming {
    Incoming::Closed { code: code.into(), reason: reason.into() }
}
