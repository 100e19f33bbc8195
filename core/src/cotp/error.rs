use core::fmt;

use bytes::Bytes;

use super::tpdu::{Kind, TooLong};
use super::{Cause, Diagnostic, Reason};
use crate::tpkt;

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer ended the connection between two messages, or we closed it.
    #[error("the connection is closed")]
    Closed,
    /// The peer ended the connection before it was established.
    #[error("the peer closed the connection during the handshake")]
    ClosedDuringHandshake,
    /// The handshake took longer than
    /// [`Config::handshake_timeout`](super::Config::handshake_timeout).
    #[error("the handshake was not completed in time")]
    HandshakeTimeout,
    /// The peer refused our request with a DR.
    #[error("the peer refused the connection: {reason}{}", Said(information))]
    Refused {
        /// Its reason.
        reason: Reason,
        /// What it added.
        information: Option<Bytes>,
    },
    /// We refused the peer's request with a DR: the application did, or nothing fitted the
    /// configuration.
    #[error("the peer's request was refused: {reason}")]
    RequestRefused {
        /// What the peer was told.
        reason: Reason,
    },
    /// The peer ended an established connection with a DR, or withdrew a request that the
    /// application had not answered yet.
    #[error("the peer disconnected: {reason}{}", Said(information))]
    Disconnected {
        /// Its reason.
        reason: Reason,
        /// What it added.
        information: Option<Bytes>,
    },
    /// The peer rejected a TPDU of ours with an ER.
    #[error("the peer rejected a TPDU: {cause}{}", Octets(rejected))]
    Rejected {
        /// Its cause.
        cause: Cause,
        /// The start of the TPDU, up to the octet that was wrong.
        rejected: Option<Bytes>,
    },
    /// The framing is wrong, or the stream ended inside a packet. Never [`tpkt::Error::Closed`].
    #[error(transparent)]
    Tpkt(tpkt::Error),
    /// The stream ended inside a message.
    #[error("the connection ended inside a message, of which {received} octets had arrived")]
    Incomplete {
        /// Octets of the message that arrived.
        received: u64,
    },
    /// A message over [`Config::max_tsdu`](super::Config::max_tsdu).
    #[error("the peer sent a message of more than {limit} octets, which is the limit")]
    TsduTooLarge {
        /// The limit, octets.
        limit: usize,
    },
    /// A message took longer than [`Config::message_timeout`](super::Config::message_timeout).
    #[error("the peer began a message and did not finish it in time")]
    MessageTimeout,
    /// The application took no expedited data, and more came than is kept for it.
    #[error(
        "the peer sent more than {limit} pieces of expedited data that the application had not taken"
    )]
    ExpeditedOverflow {
        /// How many are kept.
        limit: usize,
    },
    /// More DTs without data in a row than [`Config::max_empty`](super::Config::max_empty).
    #[error("the peer sent more than {limit} DTs without data in a row")]
    EmptyDataFlood {
        /// The limit.
        limit: u32,
    },
    /// The peer broke the protocol.
    #[error("protocol error: {0}")]
    Protocol(#[from] Violation),
}

/// The additional information of a DR, for a person: text where it is text, octets where not.
struct Said<'a>(&'a Option<Bytes>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(said) = self.0.as_ref().filter(|said| !said.is_empty()) else { return Ok(()) };
        match core::str::from_utf8(said) {
            // quoted and escaped: a peer's text must not control a terminal
            Ok(text) if !text.chars().any(|char| char.is_control() && char != '\n') => {
                write!(f, ", and says {text:?}")
            }
            _ => {
                f.write_str(", and says the octets ")?;
                hexadecimal(said, f)
            }
        }
    }
}

/// The rejected octets of an ER.
struct Octets<'a>(&'a Option<Bytes>);

impl fmt::Display for Octets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(octets) = self.0.as_ref().filter(|octets| !octets.is_empty()) else {
            return Ok(());
        };
        f.write_str(", up to and including the invalid octet: ")?;
        hexadecimal(octets, f)
    }
}

fn hexadecimal(octets: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
}

/// How the peer broke the protocol. Offsets are counted in the TPDU, from its LI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// LI is 0 or 255, or larger than the TPDU (RFC 905 clause 13.2.1).
    #[error("length indicator {li} in a TPDU with {have} octets after it")]
    LengthIndicator {
        /// What it says.
        li: u8,
        /// Octets behind it.
        have: usize,
    },
    /// A header too short for its fixed part, or of a DT or ED not of 2 octets (RFC 905 clause
    /// 13.2.2.1).
    #[error("{kind} with a header of {li} octets")]
    HeaderLength {
        /// Which TPDU.
        kind: Kind,
        /// The length indicator.
        li: u8,
    },
    /// A parameter that ends behind the header.
    #[error("parameter {code:#04x} extends past the header (octet {at})")]
    ParameterOverrun {
        /// Its code.
        code: u8,
        /// Its length, or its code where there is no length.
        at: usize,
    },
    /// A parameter with an invalid value that must not be ignored (RFC 905 clause 13.2.3).
    #[error("parameter {code:#04x} has an invalid value (octet {at})")]
    ParameterValue {
        /// Its code.
        code: u8,
        /// The octet that is wrong.
        at: usize,
    },
    /// A class that does not exist in a CR, or another than 0 in a CC.
    #[error("class {0}, which was not offered or does not exist")]
    Class(u8),
    /// A TPDU that class 0 does not have (RFC 905 table 8).
    #[error("{0}, which class 0 does not have")]
    TpduType(Kind),
    /// A TPDU that has no place where the connection is.
    #[error("{kind} {during}")]
    Unexpected {
        /// Which TPDU.
        kind: Kind,
        /// Where the connection is.
        during: Stage,
    },
    /// An ED with no data, or with more than 16 octets (RFC 905 clause 13.8.4).
    #[error("expedited data of {octets} octets, but 1 to 16 are allowed")]
    ExpeditedLength {
        /// How many.
        octets: usize,
    },
    /// A confirmed selector that differs under
    /// [`Config::selectors_must_match`](super::Config::selectors_must_match), or, under
    /// [`Policy::Strict`](super::Policy::Strict), something that
    /// [`Policy::Interop`](super::Policy::Interop) lets pass.
    #[error("{0}")]
    Strict(Diagnostic),
}

/// Where a connection is, in the words of its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stage {
    /// The accepting side has no CR yet.
    #[error("instead of a CR")]
    AwaitingRequest,
    /// The application decides about a CR.
    #[error("before the CR is answered")]
    Deciding,
    /// The connecting side has no CC yet.
    #[error("instead of a CC")]
    AwaitingConfirm,
    /// The connection is established.
    #[error("on an established connection")]
    Open,
}

/// A refused [`send`](super::Connection::send), with its data.
pub type SendError = crate::send::SendError<SendFault, Bytes>;

/// Why a send was refused. Nothing of it is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendFault {
    /// The connection is not established yet.
    #[error("the connection is not established yet")]
    NotConnected,
    /// The connection is closed or closing.
    #[error("the connection is closed")]
    Closed,
    /// [`Config::max_queued`](super::Config::max_queued): write some of the queue out first.
    #[error("the send queue is full (limit: {limit} octets)")]
    QueueFull {
        /// The limit, octets.
        limit: usize,
    },
    /// A message is sent in parts and has not ended: see
    /// [`send_part`](super::Connection::send_part).
    #[error("a message is being sent in parts: send its last part first")]
    InMessage,
    /// Expedited data was not negotiated: see [`Config::expedited`](super::Config::expedited).
    #[error("expedited data was not negotiated")]
    NoExpedited,
    /// Expedited data of no octets or more than 16.
    #[error("expedited data of {octets} octets: send 1 to 16")]
    ExpeditedLength {
        /// How many.
        octets: usize,
    },
}

crate::send::fault!(
    SendFault,
    closed: Self::Closed,
    Self::Closed,
    queue_full: Self::QueueFull { .. }
);

/// Why a connection cannot be made of a [`Config`](super::Config), or an answer not of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Selectors or other parameters that the header has no room for.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// More than 32 octets of connect data.
    #[error("connect data of {octets} octets: the limit is 32")]
    ConnectData {
        /// How many.
        octets: usize,
    },
    /// A CR of more than 128 octets (RFC 905 clause 13.3), under
    /// [`Policy::Strict`](super::Policy::Strict).
    #[error("a CR of {octets} octets; the limit is 128: shorten the selectors or the connect data")]
    LongRequest {
        /// Its length.
        octets: usize,
    },
    /// A source reference of 0 outside raw mode.
    #[error("the source reference must not be 0 (except with a raw variable part)")]
    ZeroReference,
}

/// Why [`confirm`](super::Connection::confirm) or [`refuse`](super::Connection::refuse) was not
/// possible. Nothing was sent, and the request still waits unless it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// No request waits for an answer: it was answered, or withdrawn, or the connection is over.
    #[error("no request is waiting for an answer")]
    NotWaiting,
    /// A part of the answer is too long.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A reason that class 0 does not have.
    #[error("{0} is not a reason of class 0")]
    Reason(Reason),
}
