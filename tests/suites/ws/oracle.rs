//! tungstenite is fed the same bytes: the same messages, the same answers, the same verdict.
//!
//! It reads a frame whole before it looks at it, we fail at the first byte that is wrong. So the rule is exact: up to the byte at which
//! we fail it has found nothing, at that byte it says the same or is still waiting, and once the frame is complete
//! it fails too. Where it differs beyond that, on purpose or not, stands in [`Verdict::of_theirs`] and [`same`].

use std::io::{self, Read, Write};

use hat_core::ws::{self, Config, Error, Incoming, Role};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::properties::{messages, role, stream};
use crate::{CLOSE, FIN, closed, connection, frame, other, read, read_as};

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

/// What we make of a stream, and after how many of its bytes.
fn ours(role: Role, stream: &[u8]) -> (Outcome, usize) {
    let config = Config { max_frame: MAX_FRAME, max_message: MAX_MESSAGE, ..Config::default() };
    let got = read(&mut connection(role, &config), stream, 1);
    let verdict = match got.error {
        Error::Closed => Verdict::Closed,
        Error::Lost | Error::Truncated { .. } => Verdict::Ended,
        Error::Protocol(violation) => Verdict::Failed(violation.code()),
        other => panic!("{other}"),
    };
    (Outcome { incoming: got.incoming, pongs: pongs(role, &got.written), verdict }, got.taken)
}

/// What tungstenite makes of it.
fn theirs(role: Role, stream: &[u8]) -> Outcome {
    let memory = Memory { input: stream.to_vec().into(), output: Vec::new() };
    let config = WebSocketConfig::default()
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
            // a Close with half a code or a broken reason
            tungstenite::Error::Protocol(_) => Self::Failed(1002),
            tungstenite::Error::Utf8(_) => Self::Failed(1007),
            tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                Self::Failed(1009)
            }
            other => panic!("{other}"),
        }
    }

    /// It gives the application a code that must not be sent as an own one with this text, and answers with 1002; we fail with 1002.
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
    let mut read = read_as(other(role), written, usize::MAX).incoming;
    read.retain(|incoming| matches!(incoming, Incoming::Pong(_)));
    read
}

/// Whether both say the same. A length of 2^63 and more is to us a broken header (1002, RFC 6455 section 5.2), to tungstenite a large
/// frame.
fn same(ours: Verdict, theirs: Verdict, error: &Error) -> bool {
    let length = *error == Error::Protocol(ws::Violation::Length);
    ours == theirs || length && theirs == Verdict::Failed(1009)
}

/// Compares both ends of a stream.
fn compare(role: Role, bytes: &[u8]) -> Result<(), TestCaseError> {
    let (ours, taken) = ours(role, bytes);
    let Verdict::Failed(_) = ours.verdict else {
        prop_assert_eq!(&ours, &theirs(role, bytes));
        return Ok(());
    };
    // it finds nothing before we do …
    let before = theirs(role, &bytes[..taken - 1]);
    prop_assert_eq!(before.verdict, Verdict::Ended);
    prop_assert_eq!(&before.incoming, &ours.incoming);
    prop_assert_eq!(&before.pongs, &ours.pongs);
    // … then says the same, or waits for the rest of the frame …
    let config = Config { max_frame: MAX_FRAME, max_message: MAX_MESSAGE, ..Config::default() };
    let error = read(&mut connection(role, &config), bytes, usize::MAX).error;
    let at = theirs(role, &bytes[..taken]);
    prop_assert!(
        at.verdict == Verdict::Ended || same(ours.verdict, at.verdict, &error),
        "{:?} and {:?}",
        ours.verdict,
        at.verdict
    );
    // … and fails once the frame is complete
    let complete = [bytes, &[0; MAX_FRAME + 14]].concat();
    let end = theirs(role, &complete);
    prop_assert!(matches!(end.verdict, Verdict::Failed(_)), "{:?} and {:?}", ours.verdict, end);
    prop_assert_eq!(&end.incoming, &ours.incoming);
    Ok(())
}

proptest! {
    #[test]
    fn valid_streams_cut_anywhere(role in role(), messages in messages(), cut in any::<Index>(), whole: bool) {
        let stream = stream(other(role), &messages);
        let cut = if whole { stream.len() } else { cut.index(stream.len() + 1) };
        compare(role, &stream[..cut])?;
    }

    #[test]
    fn mutated_streams(
        role in role(),
        messages in messages(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut stream = stream(other(role), &messages);
        for (index, byte) in changes {
            if !stream.is_empty() {
                let at = index.index(stream.len());
                stream[at] = byte;
            }
        }
        compare(role, &stream)?;
    }

    /// Frames with any first byte, a plausible length and any payload: most of what can be wrong is wrong here.
    #[test]
    fn any_frames(
        role in role(),
        frames in vec((any::<u8>(), prop_oneof![vec(any::<u8>(), 0..8), vec(Just(b'a'), 120..130)], any::<bool>()), 0..6),
    ) {
        let mut bytes = Vec::new();
        for (first, payload, plain) in frames {
            let first = if plain { first & 0x8b } else { first };
            bytes.extend(frame(other(role), first, &payload));
        }
        compare(role, &bytes)?;
    }

    #[test]
    fn any_close(role in role(), code in prop_oneof![900..1100_u16, 2900..5100_u16, any::<u16>()], reason in vec(any::<u8>(), 0..4)) {
        let bytes = frame(other(role), FIN | CLOSE, &[&code.to_be_bytes()[..], &reason].concat());
        compare_close(role, code, &bytes)?;
    }
}

/// As [`compare`], where tungstenite gives a broken reason the verdict of text: 1007, as we do; and takes 1014 for unassigned, though IANA has it
/// (bad gateway).
fn compare_close(role: Role, code: u16, bytes: &[u8]) -> Result<(), TestCaseError> {
    if code == 1014 && ours(role, bytes).0.verdict == Verdict::Closed {
        prop_assert_eq!(theirs(role, bytes).verdict, Verdict::Failed(1002));
        return Ok(());
    }
    compare(role, bytes)
}

#[test]
fn the_oracle_is_asked() {
    let stream = frame(Role::Client, FIN | CLOSE, b"\x03\xe8bye");
    let (ours, taken) = ours(Role::Server, &stream);
    assert_eq!(ours, theirs(Role::Server, &stream));
    assert_eq!((ours.incoming, taken), (vec![closed(1000, "bye")], stream.len()));
}

/// A socket whose input is here already.
struct Memory {
    input: std::collections::VecDeque<u8>,
    output: Vec<u8>,
}

impl Read for Memory {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.input.read(into)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
