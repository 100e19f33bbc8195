//! The log: orders sessions and makes them durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hat_core::eventer::{Event, RegisterEvent};
use smol::channel::Receiver;

use super::{Pending, Session, StoreError};
use crate::cluster::ClusterReport;

/// Orders sessions, makes them durable, and applies them to a store.
///
/// Nothing here blocks: it may be called by any task of any runtime. What is appended is ordered in
/// the order of the calls, unless the log is many machines'.
pub trait Log: Send + Sync + 'static {
    /// Registers events as one session: gives them ids and a timestamp, and makes them durable.
    /// [`Pending`] is settled once they are, or, where the log promises less, once they are
    /// ordered; then they can be found.
    ///
    /// Without events there is no session, and the answer is `None`.
    fn append(&self, append: Append) -> Pending;

    /// Takes sessions of other servers as they are, with their ids and timestamps. Events that are
    /// not above the last one of their server are passed over.
    ///
    /// [`Pending`] is settled, with `None`, once all are durable.
    fn mirror(&self, sessions: Vec<Session>) -> Pending;

    /// Whether the last attempt to write went well. What fails is tried again by itself.
    fn health(&self) -> Health;

    /// What it has done so far, and what waits.
    fn counts(&self) -> LogCounts {
        LogCounts::default()
    }

    /// Tells one listener whether what is appended can be registered, whenever that changes, and
    /// at first where it can; `None` where a log takes what it is given from its start to its end.
    fn serves(&self) -> Option<Receiver<bool>> {
        None
    }

    /// How the cluster is that orders sessions; `None` where it is this process alone.
    fn cluster(&self) -> Option<ClusterReport> {
        None
    }

    /// Makes this log the only one that registers, where several servers share its order and a
    /// monitor decides which of them does; `None` where nothing does.
    fn fence(&self) -> Option<&dyn Fence> {
        None
    }

    /// Makes durable what is not yet, settles everything that waits, and ends. What is appended
    /// after that is refused. Settled, with `None`, when it is done; with the reason, where events
    /// that were answered could not be made durable. Called again, it is the same.
    fn close(&self) -> Pending;
}

/// Of a log whose order several servers share: one of them at a time registers. Nothing here
/// blocks.
pub trait Fence: Send + Sync {
    /// Makes this log the one that registers: all other logs of the same order register nothing
    /// that comes behind it, whether they know of it or not. Settled, with `None`, once it is, and
    /// all that was registered before is in the store; with the reason, where another one was
    /// first, or it takes too long. It may be tried again.
    fn claim(&self) -> Pending;

    /// Whether it is the one, as far as it knows. What is appended else is refused.
    fn holds(&self) -> bool;

    /// Told when another log has taken over from this one, and it has seen that: it holds no more,
    /// and what was appended and is not settled by then was refused. Told again once that is
    /// settled by a claim or a release. It has one listener.
    fn lost(&self) -> Receiver<()>;

    /// Registers nothing more. Settled, with `None`, once all that was appended before is.
    fn release(&self) -> Pending;
}

/// What a log has done since it began, and what waits: for people, metrics, and a watchdog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogCounts {
    /// Registrations and copies that wait for their turn.
    pub waiting: usize,
    /// Syncs of the store to the disk.
    pub syncs: u64,
    /// Syncs of the store to the disk that failed.
    pub failed_syncs: u64,
    /// How long all of them took.
    pub sync_time: Duration,
    /// Rounds of its work. While this stands still for longer than a sync may take, so does the
    /// log: also where nothing is to do, there is a round a second.
    pub rounds: u64,
}

/// Events to register.
pub struct Append {
    /// The events, in their order.
    pub events: Vec<RegisterEvent>,
    /// What else belongs to the session: see [`Complete`].
    pub complete: Option<Complete>,
    /// They are on their way to the disk or to the cluster by then, or are not registered at all:
    /// [`AppendError::Late`](super::AppendError::Late). What is on its way then may still come.
    /// Default: `None`.
    pub until: Option<Instant>,
}

/// Adds to a session what follows from its events, once they have their ids and timestamp and
/// before they are durable: what modules of an event server answer. Gets the events so far, and
/// returns further ones for the same session, until there are none.
///
/// It runs on the log's thread, and everybody waits for it: it must not block.
pub type Complete = Box<dyn FnMut(&[Event]) -> Vec<RegisterEvent> + Send>;

impl From<Vec<RegisterEvent>> for Append {
    fn from(events: Vec<RegisterEvent>) -> Self {
        Self { events, complete: None, until: None }
    }
}

impl std::fmt::Debug for Append {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let complete = self.complete.is_some();
        f.debug_struct("Append").field("events", &self.events).field("complete", &complete).finish()
    }
}

/// What becomes of sessions, each told once, in the order of sessions of each server.
#[derive(Clone, Debug)]
pub enum SessionUpdate {
    /// Its place is fixed: ids and timestamp are given. It is not certain yet that it stays.
    Ordered(Arc<Session>),
    /// It is durable. Comes after `Ordered` of the same session; a session that failed is never
    /// told.
    Durable(Arc<Session>),
}

/// What is told to whoever notifies clients. The log waits for who takes from it, so that what is
/// not told yet stays bounded: take without waiting for clients, or drop it.
pub type Feed = Receiver<SessionUpdate>;

/// How a log fares.
#[derive(Clone, Debug, Default)]
pub enum Health {
    /// What is appended becomes durable.
    #[default]
    Good,
    /// Appends fail for this reason, until an attempt goes well again. Where there was no room, it
    /// is looked for once a second: until there is some for what was refused, or for 1 MiB of it,
    /// appends of that size fail, though smaller ones may be taken.
    Failing(StoreError),
    /// It was closed.
    Closed,
}
