//! What is the same for every client that comes back.

/// What a request does while there is no connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhileDisconnected {
    /// It fails at once, as one that is not connected.
    #[default]
    Fail,
    /// It waits until there is one. A request that was on its way when a connection ended fails all
    /// the same: nobody knows whether the server did it.
    Wait,
}

/// Why a client that comes back is over.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopReason<E> {
    /// We closed it.
    #[error("the client is closed")]
    Closed,
    /// No other try is made, by [`RetryConfig`](hat_core::retry::RetryConfig). This was the last
    /// failure.
    #[error("{0}; no further attempt is made")]
    GaveUp(E),
    /// The runtime ended before the client did.
    #[error("the runtime was shut down")]
    Runtime,
}
