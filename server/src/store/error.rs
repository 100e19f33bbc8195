//! The errors of stores.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hat_core::eventer::SubscriptionError;

/// Why a store does not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no room left on the disk, or no more than the quota allows. Nothing was changed; it
    /// works again once there is room.
    #[error("the disk is full: {0}; free some space, or let the retention rules keep less")]
    Full(Arc<io::Error>),
    /// The disk failed while it was written or synced. What was being written is uncertain, and
    /// nothing more is written before [`Store::recover`](super::Store::recover) has succeeded.
    #[error("the disk failed: {0}; see the system's log")]
    Failed(Arc<io::Error>),
    /// What is on the disk is not what was written.
    #[error(
        "the store is damaged: {0}; restore a backup, or save what can be read with `hat store export`"
    )]
    Damaged(Arc<str>),
    /// Another process has the store open.
    #[error("{0} is open in another process; only one server at a time can use a store")]
    Locked(PathBuf),
    /// The file is not a store, or one of a version that this program does not know.
    #[error("{0}")]
    Unknown(Arc<str>),
    /// The path cannot be used.
    #[error("{0}: {1}")]
    Path(PathBuf, Arc<io::Error>),
    /// It was closed.
    #[error("the store is closed")]
    Closed,
    /// The events are those of a cluster, and it does not take them, or this node does not.
    #[error("the cluster: {0}")]
    Cluster(Arc<str>),
}

/// Why events were not registered. They are nowhere, but for what [`StoreError::Failed`] says.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The store could not take them.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// So many registrations wait already.
    #[error("{0} registrations are already waiting for the disk; register more slowly")]
    Busy(usize),
    /// The store has an event with the last number that a session can have: none is given twice.
    #[error("no session number is left above those in the store; give the server a new id")]
    NumbersUsedUp,
    /// They waited for longer than they may: see [`Append::until`](super::Append::until).
    #[error("the events waited for too long, so they were not registered")]
    Late,
    /// The log was closed, or its thread is gone.
    #[error("the log is closed")]
    Closed,
}

/// A query that has no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The event types asked for are not valid query types. The deployed server ends the connection
    /// that asks this.
    #[error("the event types of the query: {0}")]
    EventTypes(#[from] SubscriptionError),
    /// A server query that goes on after an event of another server. The deployed server ends the
    /// connection that asks this.
    #[error(
        "the query asks for events of server {server_id} after an event of server {last}; name an event of server {server_id} instead"
    )]
    OtherServer {
        /// The server asked for.
        server_id: i64,
        /// The server of `last_event_id`.
        last: i64,
    },
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
