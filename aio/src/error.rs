use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::address::AddressError;
use crate::{Address, tls};

/// Why a connection is over: for a reason of its protocol, or because the system said so.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E> {
    /// The protocol ended it: an orderly close, or a rule that the peer broke.
    #[error(transparent)]
    Protocol(E),
    /// The socket failed, or [TLS](Error::tls) over it.
    #[error("the connection is lost: {0}")]
    Io(Arc<io::Error>),
    /// It was closed, by us or by the peer's end, and for five seconds the peer took nothing of
    /// what was left to write. Where a connection stays open for sending after the peer's end,
    /// because that is asked for, it may take nothing for a minute.
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

/// Why there is no connection.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// What was given is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
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
    /// There is a connection, but no TLS over it; or the options make none.
    #[error("no TLS with {address}: {error}")]
    Tls {
        /// What was asked for.
        address: Address,
        /// Which check failed.
        error: tls::Error,
    },
}

/// Why there is no server.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// What was given is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The host name stands for no address.
    #[error("cannot find the address of `{address}`: {error}")]
    Resolve {
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
    /// The address asks for TLS, and the options have none.
    #[error("no TLS at {address}: {error}")]
    Tls {
        /// What was asked for.
        address: Address,
        /// What is missing.
        error: tls::Error,
    },
}

impl ConnectError {
    /// What the system said, if it was the system.
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
    /// What the system said, if it was the system.
    #[must_use]
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            Self::Resolve { error, .. } | Self::Listen { error, .. } => Some(error),
            Self::Address(_) | Self::Tls { .. } => None,
        }
    }
}
