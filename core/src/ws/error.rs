use bytestring::ByteString;

use super::code;
use super::handshake::{HandshakeFault, RequestFault};

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Both sides sent their Close, or the peer ended the stream after ours.
    #[error("the connection is closed")]
    Closed,
    /// The end took longer than [`Config::close_timeout`](super::Config::close_timeout): no Close
    /// came, or what was queued was not read.
    #[error("the peer did not end the connection in time")]
    CloseTimeout,
    /// The peer ended the stream between two frames, without a Close: it crashed, or something on
    /// the way gave the connection up. Other libraries call this 1006.
    #[error("the peer ended the connection without a Close frame")]
    Lost,
    /// The peer ended the stream inside a frame.
    #[error("the connection ended inside a frame: {have} of at least {need} bytes arrived")]
    Truncated {
        /// Bytes of the header, or of the payload behind it, that arrived.
        have: usize,
        /// Bytes that it takes, as far as known.
        need: usize,
    },
    /// The peer ended the stream inside the handshake.
    #[error("the peer closed the connection during the handshake")]
    ClosedDuringHandshake,
    /// The handshake took longer than
    /// [`Config::handshake_timeout`](super::Config::handshake_timeout).
    #[error("the handshake was not completed in time")]
    HandshakeTimeout,
    /// A message took longer than [`Config::message_timeout`](super::Config::message_timeout). The
    /// peer was told 1008.
    #[error("the peer began a message and did not finish it in time")]
    MessageTimeout,
    /// The peer was silent for longer than [`Config::ping`](super::Config::ping) allows. It was
    /// told 1001, for what that is worth.
    #[error("the peer did not answer a ping in time")]
    PingTimeout,
    /// Client: the server answered with another status than 101. With 401 it wants an
    /// `Authorization` header, with 403 it does not take this user or `Origin`, with 404 the path
    /// is another one, with 3xx it is at `location`.
    #[error("the server refused the WebSocket: {status}{}{reason}{}", separator(reason, " "), at(location.as_ref()))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The text that came with it, often empty.
        reason: ByteString,
        /// Where the server says that it is instead.
        location: Option<ByteString>,
    },
    /// Client: the server's answer is not an answer to our request.
    #[error("the server's handshake is invalid: {0}")]
    Handshake(HandshakeFault),
    /// Server: the peer's request is not a request for a WebSocket. It was told the status of the
    /// fault.
    #[error("the peer's request is invalid: {0}")]
    Request(RequestFault),
    /// Server: the application refused the peer's request.
    #[error("the peer's request was refused with status {status}")]
    RequestRefused {
        /// What the peer was told.
        status: u16,
    },
    /// The peer broke the protocol or a limit. It was told the [`code`](Violation::code) of the
    /// violation.
    #[error("protocol error: {0}")]
    Protocol(#[from] Violation),
}

fn separator(text: &ByteString, separator: &'static str) -> &'static str {
    if text.is_empty() { "" } else { separator }
}

/// The end of [`Error::Refused`]'s text.
fn at(location: Option<&ByteString>) -> impl core::fmt::Display + '_ {
    core::fmt::from_fn(move |f| match location {
        Some(location) => write!(f, ", see {location}"),
        None => Ok(()),
    })
}

/// How the peer broke the protocol or a limit, once the connection was open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Bits that belong to extensions, none of which was agreed on. The bits are RSV1 = 4, RSV2 =
    /// 2, RSV3 = 1.
    #[error("a frame with reserved bits {0:#05b}, but no extension was negotiated")]
    ReservedBits(u8),
    /// Opcodes 3 to 7 and 11 to 15 are none.
    #[error("a frame with the unknown opcode {0}")]
    Opcode(u8),
    /// A client must mask each frame.
    #[error("a frame without a mask from a client")]
    Unmasked,
    /// A server must not mask.
    #[error("a masked frame from a server")]
    Masked,
    /// Close, Ping and Pong are one frame each.
    #[error("a control frame that is a fragment")]
    FragmentedControl,
    /// Close, Ping and Pong have at most 125 bytes of payload.
    #[error("a control frame with more than 125 bytes of payload")]
    ControlTooLong,
    /// A length with its highest bit set, against RFC 6455 section 5.2.
    #[error("a frame with a length of 2^63 bytes or more")]
    Length,
    /// A continuation, but no message has begun.
    #[error("a continuation frame outside a message")]
    NothingToContinue,
    /// A text or binary frame before the message that has begun is complete.
    #[error("a new message inside a fragmented one")]
    InMessage,
    /// A Close with one byte of payload: half a code.
    #[error("a Close with one byte of payload")]
    CloseLength,
    /// A Close with a code that must not be sent.
    #[error("a Close with code {0}, which must not be sent")]
    CloseCode(u16),
    /// A Close whose reason is not UTF-8.
    #[error("a Close whose reason is not UTF-8")]
    CloseReason,
    /// A text message that is not UTF-8.
    #[error("a text message that is not UTF-8")]
    Text,
    /// A compressed message that is not a DEFLATE stream.
    #[error("a compressed message that cannot be decompressed")]
    Deflate,
    /// Compressed messages of more blocks than what they inflate to explains, the last one of so
    /// many: each costs as much as some thousand bytes, also an empty one of ten bits.
    #[error("compressed messages of blocks that inflate to next to nothing, the last one of {0}")]
    DeflateBlocks(usize),
    /// A frame over [`Config::max_frame`](super::Config::max_frame).
    #[error("a frame of {size} bytes, but the limit is {limit}")]
    FrameTooLarge {
        /// What it claims, bytes.
        size: u64,
        /// The limit, bytes.
        limit: usize,
    },
    /// A message over [`Config::max_message`](super::Config::max_message).
    #[error("a message of at least {size} bytes, but the limit is {limit}")]
    MessageTooLarge {
        /// Its bytes so far, with those that the latest frame claims.
        size: u64,
        /// The limit, bytes.
        limit: usize,
    },
}

impl Violation {
    /// The code of the Close that answers it.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Text | Self::CloseReason | Self::Deflate => code::INVALID_DATA,
            Self::FrameTooLarge { .. } | Self::MessageTooLarge { .. } => code::TOO_BIG,
            Self::DeflateBlocks(_) => code::POLICY,
            _ => code::PROTOCOL_ERROR,
        }
    }

    /// The size and the limit, if it is about those.
    pub(super) fn too_large(self) -> Option<(u64, usize)> {
        match self {
            Self::FrameTooLarge { size, limit } | Self::MessageTooLarge { size, limit } => {
                Some((size, limit))
            }
            _ => None,
        }
    }
}

/// Why a send was refused. Nothing of it is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The handshake is not done.
    #[error("the connection is not established")]
    NotOpen,
    /// The connection is closed or closing.
    #[error("the connection is closed")]
    Closed,
    /// [`Config::max_queued`](super::Config::max_queued): write some of the queue out first.
    #[error("the send queue is full (limit: {limit} bytes)")]
    QueueFull {
        /// The limit, bytes.
        limit: usize,
    },
    /// The payload of a Ping has at most 125 bytes, the reason of a Close 123.
    #[error("{size} bytes do not fit in a control frame: the limit is {limit}")]
    ControlTooLong {
        /// What was to be sent, bytes.
        size: usize,
        /// The limit, bytes.
        limit: usize,
    },
    /// A code that a Close must not carry, see [`code::is_valid`].
    #[error("close code {0} must not be sent: use 1000, or one of 3000 to 4999")]
    CloseCode(u16),
}

crate::send::fault!(
    SendError,
    closed: Self::Closed,
    Self::Closed,
    queue_full: Self::QueueFull { .. }
);

/// Why a request cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The host is empty, or has a character that the `Host` header cannot carry.
    #[error(
        "{0:?} is not a host: give a name or an address, with `:port` unless it is the default"
    )]
    Host(ByteString),
    /// The path does not start with `/`, or has a character that must be percent-encoded.
    #[error("{0:?} is not a path: start it with `/`, and percent-encode all but visible ASCII")]
    Path(ByteString),
    /// A header field that HTTP cannot carry, or one that the handshake itself writes.
    #[error("the header field {name:?} cannot be sent: {}", field_fault(*reserved))]
    Header {
        /// The name as given.
        name: ByteString,
        /// The handshake writes this field.
        reserved: bool,
    },
    /// A subprotocol that is not an HTTP token, or given twice.
    #[error("{0:?} is not a valid subprotocol: give distinct HTTP tokens")]
    Subprotocol(ByteString),
}

/// Why a request could not be answered this way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// No request waits for an answer.
    #[error("no request is waiting for an answer")]
    NotWaiting,
    /// A subprotocol that the client did not offer. The request still waits.
    #[error("the client did not offer the subprotocol {0:?}")]
    Subprotocol(ByteString),
    /// A header field that HTTP cannot carry, or one that the handshake itself writes. The request
    /// still waits.
    #[error("the header field {name:?} cannot be sent: {}", field_fault(*reserved))]
    Header {
        /// The name as given.
        name: ByteString,
        /// The handshake writes this field.
        reserved: bool,
    },
    /// A refusal is a status of 300 to 599. The request still waits.
    #[error("status {0} does not refuse a request: give one of 300 to 599")]
    Status(u16),
}

fn field_fault(reserved: bool) -> &'static str {
    if reserved {
        "the handshake writes it"
    } else {
        "its name or value has a character that HTTP does not allow"
    }
}
