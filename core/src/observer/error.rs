use bytestring::ByteString;

use crate::chatter;
use crate::sbs::DecodeError;

pub use crate::chatter::SendFault;

/// Why the connection to a monitor is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The Chatter connection is over; [`chatter::Error::Closed`] is the orderly end.
    #[error(transparent)]
    Chatter(#[from] chatter::Error),
    /// A message that no monitor sends to a component.
    #[error("unexpected message `{message}` from a monitor")]
    Unexpected {
        /// Its type, as received; the start of it, if it is longer than any that there is.
        message: ByteString,
    },
    /// A message whose data is not a value of its type.
    #[error("the data of `{message}` cannot be decoded: {error}")]
    Malformed {
        /// Its type.
        message: &'static str,
        /// What is wrong.
        error: DecodeError,
    },
}

impl Error {
    /// Whether this is an orderly end: the monitor closed, or we did.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Chatter(chatter::Error::Closed))
    }
}
