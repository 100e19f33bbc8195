//! How a client reconnects, how it reports that, and why it stops.

use std::time::Duration;

use crate::address::{Address, AddressError};
use crate::eventer::{ConnectError, ConnectOptions, Events};
use crate::reconnect::WhileDisconnected;
use hat_core::eventer::reconnect::{CatchUpConfig, Gap, Position};
use hat_core::eventer::{Status, SubscriptionError};
use hat_core::options::More;
use hat_core::retry::RetryConfig;

/// Options of a client that reconnects.
#[derive(Clone, Debug, Default)]
pub struct ReconnectOptions {
    /// Options of each connection. The subscriptions are the same every time.
    pub client: ConnectOptions,
    /// Where the same events are, too: the other nodes of a cluster, say. Each attempt is made at
    /// the next address, in turn, the first one included. Ids are the same at all nodes, so that
    /// [`catch_up`](Self::catch_up) continues at any of them; a node that is behind the previous
    /// one notifies events again, which are reported again. Default: none.
    pub alternatives: Vec<Address>,
    /// When to try again, and when to give up: each address that fails is a failure.
    pub retry: RetryConfig,
    /// Whether and how to query the events that were missed. Default: `None`, as
    /// `hat.event.component`: events during an outage are missed.
    ///
    /// Missed events are those after the position. If none is known, a short connection without
    /// subscriptions queries it before the first connection with them.
    pub catch_up: Option<CatchUpConfig>,
    /// With [`catch_up`](Self::catch_up): the last events that are known from an earlier run, one
    /// for each server. The first connection already queries the events after them.
    pub seen: Vec<Position>,
    /// With [`catch_up`](Self::catch_up), and nothing in [`seen`](Self::seen): an earlier run found
    /// a server without events, so all of its events are new. Default: `false`: only events from
    /// now on are reported.
    pub from_nothing: bool,
    /// What happens to requests while there is no connection.
    pub while_disconnected: WhileDisconnected,
    #[doc(hidden)]
    pub more: More,
}

/// What a [`ReconnectingClient`](super::ReconnectingClient) reports.
#[derive(Debug)]
#[non_exhaustive]
pub enum Update {
    /// A connection has been established; the server has this status.
    Connected(Status),
    /// The server's new status.
    Status(Status),
    /// Events that the client subscribed to: notified by the server, or queried because they were
    /// missed.
    Events(Events),
    /// All missed events have been reported, for certain, if `complete` is true. Otherwise some may
    /// be missing, and `gap` says why. Reported once for every connection on which the queries were
    /// completed, where [`catch_up`](ReconnectOptions::catch_up) is set: see
    /// [`CatchUp`](hat_core::eventer::reconnect::CatchUp) for what is promised.
    CaughtUp {
        /// There is no gap.
        complete: bool,
        /// Why events may be missing.
        gap: Option<Gap>,
    },
    /// There is no connection: it ended, or could not be established.
    Disconnected {
        /// Why.
        reason: ConnectError,
        /// The delay before the next attempt; `None` if there will be none.
        retry_in: Option<Duration>,
    },
}

/// Why a [`ReconnectingClient`](super::ReconnectingClient) cannot start.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The given value is not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The subscriptions are invalid: no server would accept them.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
}

/// Why a [`ReconnectingClient`](super::ReconnectingClient) has stopped.
pub type StopReason = crate::reconnect::StopReason<ConnectError>;
