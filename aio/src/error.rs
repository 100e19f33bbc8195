use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::address::AddressError;
use crate::{Address, tls};

/// Why a connection ended: for a reason of its protocol, or because of the system.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E> {
    /// The protocol ended it: an orderly close, or a rule that the peer broke.
    #[error(transparent)]
    Protocol(E),
    /// The socket failed, or [TLS](Error::tls) over it.
    #[error("the connection is lost: {0}")]
    Io(Arc<io::Error>),
    /// It was closed by either side, and for five seconds the peer read nothing of what was left to
    /// write. If an option keeps the connection open for sending after the peer's end, the peer may
    /// read nothing for a minute.
    #[error("the connection was closed with data that the peer did not read")]
    Stalled,
    /// Nothing was received for as long as
    /// [`SocketOptions::idle_timeout`](crate::SocketOptions::idle_timeout) allows.
    #[error("nothing was received from the peer for {time:?}")]
    Idle {
        /// The limit.
        time: Duration,
    },
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

    /// What was wrong with TLS, if it was that.
    pub fn tls(&self) -> Option<&tls::Error> {
        match self {
            Error::Io(error) => tls::Error::of(error),
            _ => None,
        }
    }
}

impl<E> From<E> for Error<E> {
    fn from(error: E) -> Self {
        Error::Protocol(error)
    }
}

/// Why a connection could not be established.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The given value is not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The host name has no address.
    #[error("cannot find the address of `{address}`: {error}")]
    Resolve {
        /// The requested address.
        address: Address,
        /// The system's error.
        error: Arc<io::Error>,
    },
    /// No address of the host accepted the connection. The error is that of the last attempt.
    #[error("cannot connect to {address}: {error}")]
    Connect {
        /// The requested address.
        address: Address,
        /// The system's error.
        error: Arc<io::Error>,
    },
    /// TLS could not be established over the connection, or the options do not allow it.
    #[error("cannot establish TLS with {address}: {error}")]
    Tls {
        /// The requested address.
        address: Address,
        /// Which check failed.
        error: tls::Error,
    },
}

/// Why a server could not be started.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The given value is not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The host name has no address.
    #[error("cannot find the address of `{address}`: {error}")]
    Resolve {
        /// The requested address.
        address: Address,
        /// The system's error.
        error: Arc<io::Error>,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The requested address.
        address: Address,
        /// The system's error.
        error: Arc<io::Error>,
    },
    /// The address asks for TLS, and the options have none.
    #[error("cannot serve TLS at {address}: {error}")]
    Tls {
        /// The requested address.
        address: Address,
        /// What is missing.
        error: tls::Error,
    },
}

impl ConnectError {
    /// The system's error, if it was the cause.
    #[must_use]
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Resolve { error, .. }
            | Self::Connect { error, .. }
            | Self::Tls { error: tls::Error::Io(error), .. } => Some(error),
            Self::Address(_) | Self::Tls { .. } => None,
        }
    }
}

impl ListenError {
    /// The system's error, if it was the cause.
    #[must_use]
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Resolve { error, .. } | Self::Listen { error, .. } => Some(error),
            Self::Address(_) | Self::Tls { .. } => None,
        }
    }
}
