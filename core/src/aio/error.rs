use std::io;
use std::sync::Arc;

use super::Address;

/// Why a connection is over: for a reason of its protocol, or because the system said so.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E> {
    /// The protocol ended it: an orderly close, or a rule that the peer broke.
    #[error(transparent)]
    Protocol(E),
    /// The socket failed.
    #[error("the connection is lost: {0}")]
    Io(Arc<io::Error>),
    /// We closed it, and for five seconds the peer took nothing of what was left to write.
    #[error("the connection was closed with data that the peer did not read")]
    Stalled,
    /// The runtime ended before the connection did.
    #[error("the runtime was shut down")]
    Runtime,
}

impl<E> Error<E> {
    /// The reason of the protocol, if it was one.
    pub fn protocol(&self) -> Option<&E> {
        match self {
            Error::Protocol(error) => Some(error),
            _ => None,
        }
    }
}

impl<E> From<E> for Error<E> {
    fn from(error: E) -> Self {
        Error::Protocol(error)
    }
}

/// Why there is no connection, or no server.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The host name stands for no address.
    #[error("cannot find the address of `{address}`: {error}")]
    Resolve {
        /// What was asked for.
        address: Address,
        /// What the system said.
        error: Arc<io::Error>,
    },
    /// No address of the host took the connection. The error is of the last one tried.
    #[error("cannot connect to {address}: {error}")]
    Connect {
        /// What was asked for.
        address: Address,
        /// What the system said.
        error: Arc<io::Error>,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// What was asked for.
        address: Address,
        /// What the system said.
        error: Arc<io::Error>,
    },
}

impl ConnectError {
    /// What the system said.
    #[must_use]
    pub fn io(&self) -> &io::Error {
        match self {
            Self::Resolve { error, .. }
            | Self::Connect { error, .. }
            | Self::Listen { error, .. } => error,
        }
    }
}
