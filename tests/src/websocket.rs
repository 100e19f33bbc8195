//! WebSocket frames as bytes, what a machine makes of them, and what tungstenite does.

pub mod oracle;

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{Connection, Error, Incoming, Role};

/// The mask of the frames.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The last frame of a message.
pub const FIN: u8 = 0x80;
/// The first frame of a compressed message.
pub const RSV1: u8 = 0x40;
/// An opcode.
pub const CONTINUATION: u8 = 0;
/// An opcode.
pub const TEXT: u8 = 1;
/// An opcode.
pub const BINARY: u8 = 2;
/// An opcode.
pub const CLOSE: u8 = 8;
/// An opcode.
pub const PING: u8 = 9;
/// An opcode.
pub const PONG: u8 = 10;

/// A frame as a `role` sends it: `first` is its first byte.
#[must_use]
pub fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
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

/// The other side.
#[must_use]
pub fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// What a connection made of a stream.
#[derive(Debug, PartialEq)]
pub struct Read {
    /// What it gave.
    pub incoming: Vec<Incoming>,
    /// Why it is over, at the end of the stream at the latest.
    pub error: Error,
    /// What it wrote.
    pub written: Vec<u8>,
    /// Bytes of the stream that it had when it was over.
    pub taken: usize,
}

/// Gives `connection` a stream in pieces of `grain` bytes, when it asks for them, and then the end.
/// What it writes goes out at once.
///
/// # Panics
///
/// If it waits for nothing.
pub fn read(connection: &mut Connection, stream: &[u8], grain: usize) -> Read {
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
            Ok(Polled::Incoming(message)) => incoming.push(message),
            Err(error) => {
                assert_eq!(connection.poll(&mut rx, Instant::ORIGIN), Err(error.clone()));
                return Read { incoming, error, written, taken: stream.len() - left.len() };
            }
            Ok(Polled::Needs(_)) if left.is_empty() => rx.eof = true,
            Ok(Polled::Needs(_)) => {
                let (next, rest) = left.split_at(grain.min(left.len()));
                rx.feed(next);
                left = rest;
            }
            // it waited for its own bytes to be written
            Ok(Polled::HeldUp) => assert!(queued > 0, "it waits for nothing"),
        }
    }
}
