use alloc::format;
use alloc::string::{String, ToString};

use bytestring::ByteString;

use crate::json::{MalformedPatch, ParseError, PatchError};
use crate::ws::{self, code};

/// Bytes of a text from the peer that an error shows.
const MAX_SHOWN: usize = 64;

/// The most bytes of a Close's reason (RFC 6455 section 5.5).
const MAX_REASON: usize = 123;

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The WebSocket is over; [`ws::Error::Closed`] is the orderly end.
    #[error(transparent)]
    Ws(#[from] ws::Error),
    /// The peer closed the connection first, and not because it was done (1000) or went away
    /// (1001): it cut us off, or found a fault in what we sent. One that gives no code is taken for
    /// an orderly end.
    #[error("the peer closed the connection with code {code}{}", said(reason))]
    ClosedByPeer {
        /// The code of its Close (RFC 6455 section 7.4).
        code: u16,
        /// Its reason, for people; often empty.
        reason: ByteString,
    },
    /// A binary message. Juggler speaks text.
    #[error("a binary message of {size} bytes, but Juggler speaks text")]
    Binary {
        /// Its bytes.
        size: usize,
    },
    /// 0.7: a text message that does not start with `0`, `1`, `2` or `3`.
    #[error("{}, but Juggler 0.7 starts each with 0, 1, 2 or 3{}", start(*found), hint(*found))]
    Segment {
        /// Its first character; `None` if it is empty.
        found: Option<char>,
    },
    /// 0.7: a message whose segments are more than
    /// [`Config::max_message`](super::Config::max_message) together.
    #[error("a message of more than {limit} bytes, which is the limit")]
    MessageTooLarge {
        /// The limit, bytes.
        limit: usize,
    },
    /// A message that is not JSON, or larger or deeper than [`Limits`](crate::json::Limits) allow.
    #[error("a message was not accepted as JSON: {0}")]
    Json(#[from] ParseError),
    /// A message without a member that its type has, or with one that cannot be meant.
    #[error("malformed {message}: {fault}")]
    Malformed {
        /// What message.
        message: &'static str,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A message of a type that has no place here.
    #[error("a message of the unknown type `{0}`")]
    UnknownType(ByteString),
    /// The peer's changes of its state are not a JSON Patch.
    #[error("the changes of a state are not a JSON Patch: {0}")]
    MalformedPatch(#[from] MalformedPatch),
    /// The peer's changes of its state do not fit what we have of it, or go over
    /// [`Limits`](crate::json::Limits).
    #[error("the changes of a state cannot be applied: {0}")]
    Patch(#[from] PatchError),
    /// 0.7: a message in segments that took longer than the WebSocket's
    /// [`message_timeout`](ws::Config::message_timeout), from the first of them to the last. The
    /// peer was told 1008.
    #[error("the peer began a message and did not finish it in time")]
    MessageTimeout,
    /// 0.7: nothing came in time after a ping.
    #[error("the peer did not answer a ping in time")]
    PingTimeout,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A member is not there.
    #[error("no `{0}`")]
    Missing(&'static str),
    /// A member is of a kind that it cannot be.
    #[error("a `{member}` that is not a {expected}")]
    Kind {
        /// Its name.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// It is not an object, and so has no type.
    #[error("no members: it is not an object")]
    NotAnObject,
    /// An id that we would have to repeat is longer than any peer's.
    #[error("an `id` of {size} bytes (limit: {limit})")]
    Id {
        /// Its bytes as JSON.
        size: usize,
        /// The limit, bytes.
        limit: usize,
    },
}

impl Error {
    /// Whether this is an orderly end: the other side closed because it was done, or we did.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Ws(ws::Error::Closed))
    }

    pub(super) fn unknown_type(name: &str) -> Self {
        Self::UnknownType(name[..name.floor_char_boundary(MAX_SHOWN)].into())
    }

    /// The code of the Close that tells the peer.
    fn code(&self) -> u16 {
        match self {
            Self::Binary { .. } => code::UNSUPPORTED,
            Self::MessageTooLarge { .. } => code::TOO_BIG,
            Self::Json(_) => code::INVALID_DATA,
            Self::PingTimeout => code::GOING_AWAY,
            Self::MessageTimeout => code::POLICY,
            _ => code::PROTOCOL_ERROR,
        }
    }

    /// Tells the peer, if it is the one that is told by us and not by the WebSocket.
    pub(super) fn tell(&self, ws: &mut ws::Connection) {
        if matches!(self, Self::Ws(_) | Self::ClosedByPeer { .. }) {
            return;
        }
        let text = self.to_string();
        let reason = &text[..text.floor_char_boundary(MAX_REASON)];
        // one that is closing already cannot be told, and need not
        let _ = ws.close_with(self.code(), reason);
    }
}

/// The peer's reason, quoted and escaped: its text must not control a terminal.
fn said(reason: &ByteString) -> String {
    if reason.is_empty() { String::new() } else { format!(", and says {reason:?}") }
}

/// How a message starts, in words.
fn start(found: Option<char>) -> String {
    match found {
        // as it would stand in a program: it may be a control character, or a sign without a width
        Some(first) => format!("a text message that starts with {first:?}"),
        None => "an empty text message".into(),
    }
}

/// Who starts a message with a brace speaks the older protocol.
fn hint(found: Option<char>) -> &'static str {
    if found == Some('{') { ": does the peer speak 0.5?" } else { "" }
}

/// Why a call was refused. Nothing of it is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendFault {
    /// The handshake of the WebSocket is not done.
    #[error("the connection is not established yet")]
    NotOpen,
    /// The connection is closed or closing.
    #[error("the connection is closed")]
    Closed,
    /// [`ws::Config::max_queued`]: write some of the queue out first.
    #[error("the send queue is full (limit: {limit} bytes)")]
    QueueFull {
        /// The limit, bytes.
        limit: usize,
    },
    /// As many requests as allowed are open.
    #[error("{limit} requests are open, which is the limit: wait for an answer first")]
    TooManyRequests {
        /// The limit.
        limit: usize,
    },
    /// The request was answered before, or it is none of this connection.
    #[error("the request is not waiting for an answer")]
    NotAsked,
}

crate::send::fault!(
    SendFault,
    closed: Self::Closed,
    Self::Closed,
    queue_full: Self::QueueFull { .. }
);

impl From<ws::SendError> for SendFault {
    fn from(error: ws::SendError) -> Self {
        match error {
            ws::SendError::NotOpen => Self::NotOpen,
            ws::SendError::QueueFull { limit } => Self::QueueFull { limit },
            _ => Self::Closed,
        }
    }
}
