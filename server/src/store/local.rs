//! The log of one server by itself: a thread that orders what is appended, and hands it to the
//! store.
//!
//! ```text
//! append ─┐                    ┌ number, timestamp ┐
//! append ─┼─> waiting ─ all ──>│ Store::apply      │─> every Pending, then the feed
//! append ─┘    at once         └ one sync for all  ┘
//!                                  due ─> Store::tidy, on another thread
//! ```

mod tidy;
mod work;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hat_core::eventer::Timestamp;
use smol::channel::bounded;
use tracing::error;

use super::pending::{Promise, pending};
use super::{
    Append, AppendError, Feed, Health, Log, LogCounts, Pending, Session, Store, StoreError,
};
use work::Work;

/// What an answer to a registration promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The events are on the disk. What waits together shares one sync.
    #[default]
    Commit,
    /// The events are on the disk so long after the answer at the latest. A crash of the process or
    /// the machine loses what was answered since the last sync.
    Flush(Duration),
}

/// Where session numbers go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbering {
    /// Above what the store knows of, and above the clock in microseconds: also where the disk is
    /// new, or an old copy of one, no number is given twice, unless the clock was wrong by as much.
    #[default]
    Clock,
    /// After what the store knows of; from 1 in an empty store. Whoever loses the store then needs
    /// a new server id: what mirrors it passes over numbers that it has seen.
    Stored,
}

/// How a [`LocalLog`] works.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The server whose events are registered here.
    pub server_id: i64,
    /// What an answer promises. [`Durability::Commit`].
    pub durability: Durability,
    /// Where session numbers go on. [`Numbering::Clock`].
    pub numbering: Numbering,
    /// Registrations that may wait: 65 536. Each has somebody that waits for it, so they are as
    /// many as clients ask at once.
    pub max_waiting: usize,
    /// Events that share one sync, 16 384: more wait for the next one. With more, those who
    /// register much would all wait while one works, and then work while it waits.
    pub max_batch: usize,
    /// Events that may be answered and not be on the disk yet, with [`Durability::Flush`]: 262 144.
    /// With more it does not wait for the time.
    pub max_unsynced: usize,
    /// What is told and not taken yet, in sessions: 1 024. With more the log waits.
    pub max_told: usize,
    /// Session numbers that are reserved ahead, 1 048 576. After an unclean end so many may be left
    /// out.
    pub lease: i64,
    /// The clock. The system's.
    pub clock: fn() -> Timestamp,
}

impl LogOptions {
    /// The defaults, for the events of `server_id`.
    #[must_use]
    pub fn new(server_id: i64) -> Self {
        Self {
            server_id,
            durability: Durability::default(),
            numbering: Numbering::default(),
            max_waiting: 65_536,
            max_batch: 16_384,
            max_unsynced: 262_144,
            max_told: 1_024,
            lease: 1 << 20,
            clock: Timestamp::now,
        }
    }
}

/// Orders sessions in this process, on a thread of its own and one for what the store does beside
/// that, and keeps them in a store. Dropping it closes it.
#[derive(Debug)]
pub struct LocalLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Something for the thread that registers.
    arrived: Condvar,
    /// Something for the thread that tidies.
    due: Condvar,
    max_waiting: usize,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Request>,
    closers: Vec<Promise>,
    closing: bool,
    closed: bool,
    /// Something was answered and is not durable yet.
    unsynced: bool,
    /// Why what was answered last is not durable, once it is closed.
    lost: Option<StoreError>,
    health: Health,
    tidy_is_due: bool,
    /// What came of a step beside the work, where it failed, or the one before it did.
    tidied: Option<Result<(), StoreError>>,
    /// What was done; what waits is counted when somebody asks.
    counts: LogCounts,
}

/// Something that waits for the thread.
#[derive(Debug)]
enum Request {
    Append(Append, Promise),
    Mirror(Vec<Session>, Promise),
}

impl LocalLog {
    /// Starts the thread. What becomes of sessions is told in the feed; drop it where nobody wants
    /// to know.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store cannot be read, or the system gives no thread.
    pub fn start(store: Arc<dyn Store>, options: LogOptions) -> Result<(Self, Feed), StoreError> {
        let (tell, feed) = bounded(options.max_told.max(1));
        let max_waiting = options.max_waiting;
        let (queue, arrived, due) = (Mutex::default(), Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { queue, arrived, due, max_waiting });
        let mut work = Work::new(store, options, shared.clone(), tell)?;
        let failed = |error| StoreError::Failed(Arc::new(error));
        work.start_tidying().map_err(failed)?;
        let thread = std::thread::Builder::new().name("hat-store".into());
        let log = Self { shared: shared.clone() };
        let end = EndOfThread(shared);
        // dropped, it ends the other thread
        thread.spawn(move || (work.run(), drop(end))).map_err(failed)?;
        Ok((log, feed))
    }

    fn push(&self, request: impl FnOnce(Promise) -> Request) -> Pending {
        let mut queue = self.shared.lock();
        if queue.closing {
            return Pending::settled(Err(AppendError::Closed));
        }
        if queue.waiting.len() >= self.shared.max_waiting {
            return Pending::settled(Err(AppendError::Busy(self.shared.max_waiting)));
        }
        let (promise, pending) = pending();
        queue.waiting.push_back(request(promise));
        drop(queue);
        self.shared.arrived.notify_one();
        pending
    }
}

impl Log for LocalLog {
    fn append(&self, append: Append) -> Pending {
        if append.events.is_empty() {
            return Pending::settled(Ok(None));
        }
        self.push(|promise| Request::Append(append, promise))
    }

    fn mirror(&self, sessions: Vec<Session>) -> Pending {
        if sessions.is_empty() {
            return Pending::settled(Ok(None));
        }
        self.push(|promise| Request::Mirror(sessions, promise))
    }

    fn health(&self) -> Health {
        self.shared.lock().health.clone()
    }

    fn counts(&self) -> LogCounts {
        let queue = self.shared.lock();
        LogCounts { waiting: queue.waiting.len(), ..queue.counts }
    }

    fn close(&self) -> Pending {
        let mut queue = self.shared.lock();
        if queue.closed {
            return Pending::settled(queue.outcome());
        }
        let (promise, pending) = pending();
        queue.closing = true;
        queue.closers.push(promise);
        drop(queue);
        self.shared.arrived.notify_one();
        pending
    }
}

impl Drop for LocalLog {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.arrived.notify_one();
        self.shared.due.notify_one();
    }
}

/// The thread that registers: whatever ends it, nobody waits for it in vain.
#[derive(Debug)]
struct EndOfThread(Arc<Shared>);

impl Drop for EndOfThread {
    fn drop(&mut self) {
        let queue = self.0.lock();
        let (closed, unsynced) = (queue.closed, queue.unsynced);
        drop(queue);
        if !closed {
            error!(
                "the log has ended because of a bug in this program: nothing more can be registered"
            );
            self.0.end(unsynced.then(|| {
                let what = "a bug in this program ended the log before the last acknowledged \
                            events were synced";
                StoreError::Failed(Arc::new(std::io::Error::other(what)))
            }));
            self.0.due.notify_one();
        }
    }
}

impl Queue {
    /// How it was closed.
    fn outcome(&self) -> Result<Option<Arc<Session>>, AppendError> {
        self.lost.clone().map_or(Ok(None), |error| Err(AppendError::Store(error)))
    }
}

impl Shared {
    /// Nothing is done any more.
    fn end(&self, lost: Option<StoreError>) {
        let mut queue = self.lock();
        (queue.closing, queue.closed) = (true, true);
        (queue.health, queue.lost) = (Health::Closed, lost);
        let closers = std::mem::take(&mut queue.closers);
        // dropped, they say that it is closed
        let waiting = std::mem::take(&mut queue.waiting);
        let outcome = queue.outcome();
        drop(queue);
        drop(waiting);
        for promise in closers {
            promise.settle(outcome.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
