use bytestring::ByteString;

use crate::chatter;
use crate::sbs::DecodeError;

/// Why an Eventer connection is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The Chatter connection is over; [`chatter::Error::Closed`] is the orderly end.
    #[error(transparent)]
    Chatter(#[from] chatter::Error),
    /// The server does not take the client: its text, by `HatEventer.MsgInitRes`.
    #[error("the server refused the client: {0}")]
    Rejected(ByteString),
    /// The other side did not say its part of the initialization in time.
    #[error("the peer did not initialize the connection in time")]
    InitTimeout,
    /// A message that has no place here.
    #[error("unexpected message `{message}` {place}")]
    Unexpected {
        /// Its type, as received; the start of it, if it is longer than any that there is.
        message: ByteString,
        /// Where in the conversation of the two sides.
        place: &'static str,
    },
    /// A message whose data is not a value of its type.
    #[error("the data of `{message}` cannot be decoded: {error}")]
    Malformed {
        /// Its type.
        message: ByteString,
        /// What is wrong.
        error: DecodeError,
    },
}

impl Error {
    /// Whether this is an orderly end: the other side closed, or we did.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Chatter(chatter::Error::Closed))
    }

    /// The size and the limit, in bytes, of a message that was larger than we take: what a query
    /// asks for fewer events by, see [`Pages::failed`](super::Pages::failed).
    #[must_use]
    pub fn too_large(&self) -> Option<(u64, usize)> {
        match self {
            Self::Chatter(chatter::Error::TooLarge { size, limit }) => Some((*size, *limit)),
            _ => None,
        }
    }
}

/// Why a call was refused. Nothing of it is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendFault {
    /// Chatter refused it: closed, queue full, too large, no such conversation.
    #[error(transparent)]
    Chatter(#[from] chatter::SendFault),
    /// An event that others could not take: the text of its JSON payload is not JSON.
    #[error(
        "the payload of event {index} is not JSON that every peer accepts: correct it, or register it as binary"
    )]
    NotJson {
        /// Which of the events, from 0 on.
        index: usize,
    },
    /// More events for one session than servers take.
    #[error("a session holds at most {limit} events: register them in several sessions")]
    TooManyEvents {
        /// [`MAX_REGISTERED`](super::client::MAX_REGISTERED).
        limit: usize,
    },
    /// The initialization is not done.
    #[error("the connection is not initialized yet")]
    NotReady,
    /// As many requests as allowed are open.
    #[error("{limit} requests are open, which is the limit: wait for an answer first")]
    TooManyRequests {
        /// The limit.
        limit: usize,
    },
}

crate::send::fault!(
    SendFault,
    closed: Self::Chatter(chatter::SendFault::Closed),
    Self::Chatter(chatter::SendFault::Closed),
    queue_full: Self::Chatter(chatter::SendFault::QueueFull { .. })
);
