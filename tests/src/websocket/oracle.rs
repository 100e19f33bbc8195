//! tungstenite is fed the same bytes: the same messages, the same answers, the same verdict.
//!
//! It reads a frame whole before it looks at it, we fail at the first byte that is wrong. So the
//! rule is exact: up to the byte at which we fail it has found nothing, at that byte it says the
//! same or is still waiting, and once the frame is complete it fails too. What it does otherwise
//! beyond that:
//!
//! - It takes close code 1014 (bad gateway, of the IANA registry) for one that must not be sent.
//! - It gives a Close with a wrong code to the application, as one with 1002, instead of failing.
//! - A length of 2^63 and more is a large frame to it (1009), a broken header to us (1002, RFC 6455
//!   section 5.2). And where a header is both wrong and too large, it says the latter.
//! - It takes a control frame whose length is written in a longer form than it needs; RFC 6455,
//!   section 5.5 has no such form.
//! - It answers no Ping behind a Close of its own. No stream here has one.

use std::io::{self, Read, Write};

use hat_core::time::Instant;
use hat_core::ws::{Config, Connection, Error, Incoming, Role};
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::{other, read};

const MAX_FRAME: usize = 70_000;
const MAX_MESSAGE: usize = 100_000;

/// What a stream came to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    /// It ended without a Close.
    Ended,
    /// The peer closed.
    Closed,
    /// It is wrong, with this close code.
    Failed(u16),
}

/// What was given to the application, which Pings were answered, and the verdict.
#[derive(Debug, PartialEq)]
struct Outcome {
    incoming: Vec<Incoming>,
    pongs: Vec<Incoming>,
    verdict: Verdict,
}

fn machine(role: Role) -> Connection {
    let config = Config { max_frame: MAX_FRAME, max_message: MAX_MESSAGE, ..Config::default() };
    Connection::established(role, config, Instant::ORIGIN)
}

/// What we make of a stream.
fn ours(role: Role, stream: &[u8]) -> Outcome {
    let got = read(&mut machine(role), stream, usize::MAX);
    let verdict = match &got.error {
        Error::Closed => Verdict::Closed,
        Error::Lost | Error::Truncated { .. } => Verdict::Ended,
        Error::Protocol(violation) => Verdict::Failed(violation.code()),
        other => panic!("{other}"),
    };
    Outcome { incoming: got.incoming, pongs: pongs(role, &got.written), verdict }
}

/// What tungstenite makes of it.
fn theirs(role: Role, stream: &[u8]) -> Outcome {
    let memory = Memory { input: stream, output: Vec::new() };
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .max_frame_size(Some(MAX_FRAME))
        .max_message_size(Some(MAX_MESSAGE));
    let as_role = match role {
        Role::Client => tungstenite::protocol::Role::Client,
        Role::Server => tungstenite::protocol::Role::Server,
    };
    let mut socket = WebSocket::from_raw_socket(memory, as_role, Some(config));
    let mut incoming = Vec::new();
    let verdict = loop {
        match socket.read() {
            Ok(Message::Text(text)) => incoming.push(Incoming::Text(text.as_str().into())),
            Ok(Message::Binary(data)) => incoming.push(Incoming::Binary(data)),
            Ok(Message::Pong(payload)) => incoming.push(Incoming::Pong(payload)),
            // it tells the application, and answers with the next read
            Ok(Message::Ping(_)) => {}
            Ok(Message::Close(frame)) => match Verdict::of_close(frame.as_ref()) {
                Verdict::Closed => {
                    incoming.push(Incoming::Closed {
                        code: frame.as_ref().map(|frame| frame.code.into()),
                        reason: frame.map(|frame| frame.reason.as_str().into()).unwrap_or_default(),
                    });
                    break Verdict::Closed;
                }
                failed => break failed,
            },
            Ok(Message::Frame(_)) => unreachable!("only for writing"),
            Err(error) => break Verdict::of_theirs(&error),
        }
    };
    let pongs = pongs(role, &socket.get_ref().output);
    Outcome { incoming, pongs, verdict }
}

impl Verdict {
    fn of_theirs(error: &tungstenite::Error) -> Self {
        match error {
            tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Ended
            }
            tungstenite::Error::Protocol(_) => Self::Failed(1002),
            tungstenite::Error::Utf8(_) => Self::Failed(1007),
            tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                Self::Failed(1009)
            }
            other => panic!("{other}"),
        }
    }

    /// A wrong code is given as 1002 with a text of its own.
    fn of_close(frame: Option<&CloseFrame>) -> Self {
        match frame {
            Some(frame)
                if frame.code == CloseCode::Protocol && frame.reason == "Protocol violation" =>
            {
                Self::Failed(1002)
            }
            _ => Self::Closed,
        }
    }
}

/// The Pongs in what a `role` wrote.
fn pongs(role: Role, written: &[u8]) -> Vec<Incoming> {
    let mut reader = Connection::established(other(role), Config::default(), Instant::ORIGIN);
    let mut read = read(&mut reader, written, usize::MAX).incoming;
    read.retain(|incoming| matches!(incoming, Incoming::Pong(_)));
    read
}

/// Whether both say the same.
fn same(ours: Verdict, theirs: Verdict) -> bool {
    ours == theirs || (ours, theirs) == (Verdict::Failed(1002), Verdict::Failed(1009))
}

/// Has both read `bytes` as `role`, and compares.
///
/// # Panics
///
/// Where they differ.
pub fn compare(role: Role, bytes: &[u8]) {
    let ours = ours(role, bytes);
    let Verdict::Failed(_) = ours.verdict else {
        if let Some(Incoming::Closed { code: Some(1014), .. }) = ours.incoming.last() {
            return assert_eq!(theirs(role, bytes).verdict, Verdict::Failed(1002));
        }
        assert_eq!(&ours, &theirs(role, bytes));
        return;
    };
    let taken = read(&mut machine(role), bytes, 1).taken;
    // it finds nothing before we do …
    let before = theirs(role, &bytes[..taken - 1]);
    assert_eq!(before.verdict, Verdict::Ended);
    assert_eq!(&before.incoming, &ours.incoming);
    assert_eq!(&before.pongs, &ours.pongs);
    // … then says the same, or waits for the rest of the frame …
    let at = theirs(role, &bytes[..taken]);
    assert!(
        at.verdict == Verdict::Ended || same(ours.verdict, at.verdict),
        "{:?} and {:?}",
        ours.verdict,
        at.verdict
    );
    // … and fails once the frame is complete, but where a short control frame has a long form of
    // its length
    if let [.., first, length] = bytes[..taken]
        && first & 0x08 != 0
        && length & 0x7f >= 126
    {
        return;
    }
    let complete = [bytes, &[0; MAX_FRAME + 14]].concat();
    let end = theirs(role, &complete);
    assert!(matches!(end.verdict, Verdict::Failed(_)), "{:?} and {:?}", ours.verdict, end);
    assert_eq!(&end.incoming, &ours.incoming);
}

/// A socket whose input is here already.
struct Memory<'a> {
    input: &'a [u8],
    output: Vec<u8>,
}

impl Read for Memory<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.input.read(into)
    }
}

impl Write for Memory<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
