//! The stores of events.
//!
//! ```text
//! register ─> Log: orders sessions, makes them durable ─> answers, a feed in the order of sessions
//!              │
//!              └─ apply ─> Store: applies sessions in order, answers queries
//! ```
//!
//! | part | what |
//! |---|---|
//! | [`Session`] | the events of one registration, with their ids and their one timestamp |
//! | [`Log`] | who orders sessions and makes them durable: [`LocalLog`], on a thread of its own |
//! | [`Store`] | who applies sessions and answers queries: [`DiskStore`], or in memory |
//! | [`lmdb`] | the file of the deployed event server, to be taken over |
//!
//! Whoever registers talks to the log alone, and whoever asks to the store alone. So another log, a
//! replicated one say, changes neither the store nor who uses them.

mod answer;
pub(crate) mod calendar;
mod cut;
pub mod disk;
mod error;
#[cfg(test)]
pub(crate) mod fragile;
mod index;
pub(crate) mod last_step;
pub mod lmdb;
mod local;
mod log;
pub mod memory;
pub(crate) mod on_panic;
mod pending;
mod session;
mod shared_memory;
mod type_selection;

use std::sync::Arc;

use bytes::Bytes;
use hat_core::eventer::{Event, EventId, EventType, LatestParams, Payload, QueryParams, Timestamp};

pub use answer::Answer;
pub use disk::{DiskOptions, DiskStore};
pub use error::{AppendError, QueryError, StoreError};
pub use local::{Durability, LocalLog, LogOptions, Numbering};
pub use log::{Append, Complete, Feed, Fence, Health, Log, LogCounts, SessionUpdate};
pub use pending::Pending;
#[cfg(feature = "cluster")]
pub(crate) use pending::{Promise, pending};
pub use session::{Session, SessionError};
pub use shared_memory::MemoryStore;

/// When what is applied has to be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before it can be found and before [`Store::apply`] returns: what anybody was shown cannot
    /// vanish.
    Now,
    /// At the next [`Store::sync`], or the next [`Sync::Now`]. It can be found at once.
    Later,
}

/// The last that a store knows of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Last {
    /// The id of its last event. Session 0 where there is none.
    pub id: EventId,
    /// That of the last event, or a later one that new events may not be below. `None` where
    /// nothing is known.
    pub timestamp: Option<Timestamp>,
    /// No session up to this number may be given to other events: it may have been told to
    /// somebody, also where no event of it is kept.
    pub reserved: i64,
}

/// What there is in a store, for people and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events that are kept.
    pub events: u64,
    /// Types that have a latest event.
    pub types: u64,
    /// Bytes that the store takes on the disk; 0 in memory.
    pub disk_bytes: u64,
    /// Events that are not in the indexes on the disk yet, but in memory.
    pub tail_events: u64,
}

/// What a [search](Store::search) found.
#[derive(Clone, Debug, Default)]
pub struct FoundTypes {
    /// The latest events of types that were found, as many as there was room for, in the order of
    /// types or, where it is not known yet, behind them.
    pub events: Vec<Event>,
    /// How many types were found.
    pub found: usize,
    /// Among how many.
    pub searched: usize,
    bytes: usize,
}

impl FoundTypes {
    /// Counts one type, and keeps its `event` where there is room.
    fn take<E>(
        &mut self,
        most: usize,
        bytes: usize,
        event: impl FnOnce() -> Result<Event, E>,
    ) -> Result<(), E> {
        self.found += 1;
        if self.events.len() < most && self.bytes <= bytes {
            let event = event()?;
            self.bytes += match &event.payload {
                None => 0,
                Some(Payload::Json(json)) => json.text().len(),
                Some(Payload::Binary(binary)) => binary.data.len(),
            };
            self.events.push(event);
        }
        Ok(())
    }
}

/// Applies sessions in order, and answers queries over what it was given.
///
/// All methods may block: they read and write a disk. On a runtime, call them by
/// [`Runtime::unblock`](hat_aio::Runtime::unblock), or directly where
/// [`is_in_memory`](Self::is_in_memory). Queries run beside each other and beside `apply`; they
/// never wait for a sync.
pub trait Store: Send + std::marker::Sync + 'static {
    /// Applies `sessions` in their order.
    ///
    /// Idempotent: an event whose id is not above the last one of its server is passed over, so
    /// whoever does not know whether a session was applied applies it again. Sessions of different
    /// servers may alternate as they like.
    ///
    /// `reserve` says up to which session numbers of [`Last::reserved`] are to be taken for given,
    /// by server; they become durable with the sessions. A lower number than what is reserved
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. With [`Sync::Now`] nothing of `sessions` can be found then. Whether they are
    /// on the disk is uncertain after [`StoreError::Failed`], and certainly not after
    /// [`StoreError::Full`].
    fn apply(
        &self,
        sessions: &[Arc<Session>],
        reserve: &[(i64, i64)],
        sync: Sync,
    ) -> Result<(), StoreError>;

    /// Applies sessions, and keeps `mark` for the server `server_id` in place of the one before:
    /// after any crash both are there, or neither. It says what was applied, in words of whoever
    /// applies, and so what to apply again: with [`Sync::Later`] the sessions count as durable at
    /// once, because they are elsewhere.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply); the mark is as before then.
    fn apply_marked(
        &self,
        sessions: &[Arc<Session>],
        server_id: i64,
        mark: Bytes,
        sync: Sync,
    ) -> Result<(), StoreError>;

    /// The mark of a server; `None` where none was ever kept.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn mark(&self, server_id: i64) -> Result<Option<Bytes>, StoreError>;

    /// Returns once everything that was applied is durable.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. What was applied with [`Sync::Later`] stays in memory, can be found, and is
    /// part of the next `sync`.
    fn sync(&self) -> Result<(), StoreError>;

    /// Makes ready for use again after [`StoreError::Failed`], if the disk allows it; else does
    /// nothing.
    ///
    /// A sync that failed may not simply be tried again: the system may have dropped what it could
    /// not write, and would report success. So this opens the store anew from what is on the disk,
    /// and writes and syncs once before it counts on it.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: it is as it was.
    fn recover(&self) -> Result<(), StoreError>;

    /// Whether there is room for one more [`apply`](Self::apply) of about so many `bytes`, now. It
    /// applies nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: there is none, or the disk fails.
    fn probe(&self, bytes: usize) -> Result<(), StoreError> {
        let _ = bytes;
        self.apply(&[], &[], Sync::Now)
    }

    /// Answers a query. By the semantics of the deployed server, where it is not said otherwise.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    fn query(&self, params: &QueryParams) -> Result<Answer, QueryError>;

    /// Looks through all types that have a latest event, and gives those of the types that `finds`
    /// says, at most `most` and of about `bytes` bytes of payloads; the others are counted. It
    /// takes time in proportion to the types that there are.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    fn search(
        &self,
        finds: &dyn Fn(&EventType) -> bool,
        most: usize,
        bytes: usize,
    ) -> Result<FoundTypes, QueryError> {
        let everything = QueryParams::Latest(LatestParams::default());
        let mut found = FoundTypes::default();
        for event in self.query(&everything)?.into_result().events {
            found.searched += 1;
            if finds(&event.event_type) {
                found.take(most, bytes, || Ok::<_, QueryError>(event))?;
            }
        }
        Ok(found)
    }

    /// The last that is known of a server.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn last(&self, server_id: i64) -> Result<Last, StoreError>;

    /// What there is.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn stats(&self) -> Result<Stats, StoreError>;

    /// A step of what the store does beside the work: retention, say. Returns whether there is more
    /// to do at once.
    ///
    /// Called once a second, and when [`is_due`](Self::is_due) says so, beside `apply` and by one
    /// thread at a time. `now` is what ages are counted to.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    fn tidy(&self, now: Timestamp) -> Result<bool, StoreError>;

    /// Whether [`tidy`](Self::tidy) is to be called now. Where nobody does, `apply` may wait, so
    /// that what it does beside the work stays bounded.
    fn is_due(&self) -> bool {
        false
    }

    /// No call waits for a disk.
    fn is_in_memory(&self) -> bool;
}

/// Whether an event takes the place of `latest` as the latest one of their type: by id within a
/// server, by timestamp between servers, as with the deployed server. It leaves equal timestamps to
/// the order of arrival, which a start changes; here the id decides.
pub(crate) fn is_later(latest: index::Key, event: index::Key) -> bool {
    match latest.1.server == event.1.server {
        true => latest.1 <= event.1,
        false => latest <= event,
    }
}
