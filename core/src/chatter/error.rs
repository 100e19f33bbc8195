use alloc::boxed::Box;

use super::{Conversation, Data};
use crate::sbs::DecodeError;

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer ended the connection between two messages, or we closed it.
    #[error("the connection is closed")]
    Closed,
    /// The peer ended the connection inside a message.
    #[error("the connection ended inside a message: {have} of at least {need} bytes arrived")]
    Truncated {
        /// Bytes of the block that arrived.
        have: usize,
        /// Bytes that it takes, as far as known.
        need: usize,
    },
    /// A block that claims more than [`Config::max_message`](super::Config::max_message).
    #[error("the peer announced a message of {size} bytes; the limit is {limit}")]
    TooLarge {
        /// Bytes claimed; `u64::MAX` stands for that many and more.
        size: u64,
        /// The limit.
        limit: usize,
    },
    /// A block that is not a message.
    #[error("a message cannot be decoded: {0}")]
    Malformed(#[from] DecodeError),
    /// Nothing came in time after a ping.
    #[error("the peer did not answer a ping in time")]
    PingTimeout,
    /// A message did not arrive in whole within
    /// [`Config::message_timeout`](super::Config::message_timeout).
    #[error("the peer took too long to send one message")]
    MessageTimeout,
    /// The peer opened more than [`Config::max_conversations`](super::Config::max_conversations).
    #[error("the peer opened more than {limit} conversations")]
    TooManyConversations {
        /// The limit.
        limit: usize,
    },
    /// A rule broken under [`Config::strict`](super::Config::strict).
    #[error("the peer broke a rule in {conversation:?}: {violation}")]
    Violation {
        /// Where.
        conversation: Conversation,
        /// Which rule.
        violation: Violation,
    },
}

/// Rules that the deployed software does not police on receipt: a violation is let pass unless
/// [`Config::strict`](super::Config::strict) is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A message of a conversation that is over, or that was never started.
    #[error("a message of a conversation that is not open")]
    NotOpen,
    /// A message of a side that does not have the token.
    #[error("a message without the token")]
    NoToken,
    /// Bytes behind the message in its block.
    #[error("{left} bytes left over after a message")]
    TrailingBytes {
        /// How many.
        left: usize,
    },
}

/// A refused [`send`](super::Connection::send), with its data.
pub type SendError = crate::send::SendError<SendFault, Box<Data>>;

/// Why a send was refused. Nothing of it is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendFault {
    /// The connection is closed or closing.
    #[error("the connection is closed")]
    Closed,
    /// [`Config::max_queued`](super::Config::max_queued): write some of the queue out first.
    #[error("the send queue is full (limit: {limit} bytes)")]
    QueueFull {
        /// The limit, bytes.
        limit: usize,
    },
    /// [`Config::max_message`](super::Config::max_message).
    #[error("the message takes {size} bytes; the limit is {limit}")]
    TooLarge {
        /// What it takes, bytes.
        size: usize,
        /// The limit, bytes.
        limit: usize,
    },
    /// [`Config::max_conversations`](super::Config::max_conversations).
    #[error("{limit} conversations are open, which is the limit: end some first")]
    TooManyConversations {
        /// The limit.
        limit: usize,
    },
    /// The conversation has ended, or was never started on this connection.
    #[error("the conversation is not open")]
    NotOpen,
    /// The other side has the token: wait for its message.
    #[error("the peer has the token of the conversation")]
    NoToken,
    /// A module name in the dialect `HatChatter`, which has no place for it.
    #[error("this dialect has no module names: write the type as Module.Type")]
    ModuleNotSupported,
}

crate::send::fault!(
    SendFault,
    closed: Self::Closed,
    Self::Closed,
    queue_full: Self::QueueFull { .. }
);
