//! How a client comes back, what it tells of that, and why it stops.

use std::time::Duration;

use crate::address::AddressError;
use crate::eventer::{ConnectError, ConnectOptions, Events};
use crate::reconnect::WhileDisconnected;
use hat_core::eventer::reconnect::{CatchUpConfig, Gap, Position};
use hat_core::eventer::{Status, SubscriptionError};
use hat_core::options::More;
use hat_core::retry::RetryConfig;

/// What a client says of itself, and how it comes back.
#[derive(Clone, Debug, Default)]
pub struct ReconnectOptions {
    /// Each connection. The subscriptions are made again every time.
    pub client: ConnectOptions,
    /// When to try again, and when to give up.
    pub retry: RetryConfig,
    /// Requests for the events that were missed. Default: `None`, as `hat.event.component`; what
    /// happens during an outage is not told.
    ///
    /// What was missed is what came after the position. Where none is known, a short connection
    /// that subscribes to nothing asks for it before the first one that does.
    pub catch_up: Option<CatchUpConfig>,
    /// With [`catch_up`](Self::catch_up): the last events that are known from an earlier run, one a
    /// server. What came after them is asked for at the first connection already.
    pub seen: Vec<Position>,
    /// With [`catch_up`](Self::catch_up), and nothing in [`seen`](Self::seen): an earlier run found
    /// a server without events, so that all that there are are new. Default: `false`, only what
    /// comes from now on is told.
    pub from_nothing: bool,
    /// What requests do while there is no connection.
    pub while_disconnected: WhileDisconnected,
    #[doc(hidden)]
    pub more: More,
}

/// What a [`ReconnectingClient`](super::ReconnectingClient) is told.
#[derive(Debug)]
#[non_exhaustive]
pub enum Update {
    /// There is a connection, and this is the server's status.
    Connected(Status),
    /// The server's new status.
    Status(Status),
    /// Events that the client subscribed to: told by the server, or asked for because they were
    /// missed.
    Events(Events),
    /// What was missed has been handed on: all of it, for certain, where `complete` is true.
    /// Otherwise some may be missing, and `gap` says why. Comes once for every connection on which
    /// the server was asked to the end, where [`catch_up`](ReconnectOptions::catch_up) is set: see
    /// [`CatchUp`](hat_core::eventer::reconnect::CatchUp) for what is promised.
    CaughtUp {
        /// There is no gap.
        complete: bool,
        /// Why events may be missing.
        gap: Option<Gap>,
    },
    /// There is no connection: it ended, or could not be made.
    Disconnected {
        /// Why.
        reason: ConnectError,
        /// When the next try is made; `None` if there will be none.
        retry_in: Option<Duration>,
    },
}

/// Why a [`ReconnectingClient`](super::ReconnectingClient) cannot even begin.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// What was given is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The subscriptions are none: no server would take them.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
}

/// Why a [`ReconnectingClient`](super::ReconnectingClient) is over.
pub type StopReason = crate::reconnect::StopReason<ConnectError>;
