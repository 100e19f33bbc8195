//! The driver: the rules of this module's parent over NATS JetStream, as a [`Log`].
//!
//! ```text
//! append ─> Driver (the Outbox) ─> publisher ═══> JetStream ═══> reader (the Replica)
//!              ^                                      ^                │ sessions, and a mark
//!              │                                      │ "who leads?"   v
//!              │ applied: who waits is answered     watch           applier ─> Store, feed
//!              └───────────────────────────────────────────────────────┘
//! ```
//!
//! | file | what |
//! |---|---|
//! | `options` | what a node is told about its cluster |
//! | `driver` | the task with the outbox: what is published, who is answered, who registers |
//! | `publisher` | publishes, many at a time; chops what is too large for one message |
//! | `reader` | reads the stream in order, from what the store has applied |
//! | `applier` | the threads that bring sessions into the store and tell the feed |
//! | `watch` | joins the stream, and asks its leader once a second whether it is still there |
//! | `mark` | what the store keeps of it all |
//! | `nodes` | how all nodes are, for who asks |
//!
//! NATS says nothing by itself when a majority is lost: a publisher waits, and a consumer is
//! silent. So the leader is asked, and a leader without a majority steps down within ten seconds
//! or so; from then on nobody answers.

mod applier;
mod driver;
mod mark;
mod nodes;
mod options;
mod publisher;
mod reader;
mod shared;
mod watch;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use hat_core::sbs;
use smol::channel::{Receiver, bounded};
use tokio::sync::mpsc;

use super::message;
use super::report::ClusterReport;
use crate::store::{
    Append, AppendError, Feed, Fence, Health, Log, LogCounts, LogOptions, Pending, Promise,
    Session, Store, StoreError, pending,
};
pub use options::{ClusterOptions, ShardOptions};
use shared::Shared;

/// Why a node cannot take part in a cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// There is no Tokio here.
    #[error("a cluster needs Tokio: the NATS client runs on no other runtime")]
    Runtime,
    /// A file cannot be used.
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    /// The addresses make no sense.
    #[error("the addresses of the cluster: {0}")]
    Servers(String),
    /// Modules would have to see ids that nobody knows before the cluster has given them.
    #[error(
        "a server in a cluster cannot have modules: events have no ids before they are registered"
    )]
    Modules,
    /// Two of its streams would be one.
    #[error(
        "server id {0} is given to two shards, or is that of the server: each has an id of its own"
    )]
    Shard(i64),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Orders sessions by a stream of NATS JetStream, and applies them to a store. Dropping it ends it
/// without waiting for anything.
#[derive(Debug)]
pub struct ClusterLog {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Request>,
    max_waiting: usize,
}

/// What the driver is asked for.
#[derive(Debug)]
enum Request {
    Append(bytes::Bytes, Option<Instant>, Promise),
    Claim(Promise),
    Release(Promise),
    Close,
}

impl ClusterLog {
    /// Begins to take part, on the Tokio runtime that this is called on. It returns at once, and
    /// connects, joins and catches up by itself, for as long as that takes:
    /// [`serves`](Log::serves) says when it does.
    ///
    /// # Errors
    ///
    /// [`ClusterError`], where it could never take part.
    pub fn start(
        store: Arc<dyn Store>,
        log: LogOptions,
        options: ClusterOptions,
    ) -> Result<(Self, Feed), ClusterError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| ClusterError::Runtime)?;
        let servers = options.servers()?;
        let known = mark::StoredPosition::of(&*store, log.server_id)?;
        let (tell, feed) = bounded(log.max_told.max(1));
        let (requests, asked) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(&options, log.server_id, &known.state));
        let telling = shared.clone();
        let connect = options.connect(move |said| telling.nats(said))?;
        let max_waiting = log.max_waiting;
        let start = driver::Start {
            shared: shared.clone(),
            store,
            log,
            options,
            connect,
            servers,
            known,
            tell,
            asked,
        };
        driver::start(&runtime, start)?;
        Ok((Self { shared, requests, max_waiting }, feed))
    }

    /// Where the node has ended, the promise says that the log is closed.
    fn ask(&self, request: fn(Promise) -> Request) -> Pending {
        let (promise, pending) = pending();
        let _ = self.requests.send(request(promise));
        pending
    }

    fn refused(reason: &str) -> Pending {
        Pending::settled(Err(AppendError::Store(StoreError::Cluster(reason.into()))))
    }
}

impl Log for ClusterLog {
    fn append(&self, append: Append) -> Pending {
        if append.events.is_empty() {
            return Pending::settled(Ok(None));
        }
        if append.complete.is_some() {
            return Self::refused("modules do not run in a cluster");
        }
        // not only where the engine has heard of it
        if self.shared.is_monitored() && !self.shared.may_register() {
            return Pending::settled(Err(driver::not_active()));
        }
        let events = sbs::encode(&append.events);
        if let Err(error) = message::check(&events, append.events.len()) {
            return Self::refused(&format!("{error}; register fewer events at once"));
        }
        if !self.shared.take_place(self.max_waiting) {
            return Pending::settled(Err(AppendError::Busy(self.max_waiting)));
        }
        let (promise, pending) = pending();
        // dropped with the request where nobody takes it, it says that the log is closed
        if self.requests.send(Request::Append(events, append.until, promise)).is_err() {
            self.shared.give_place();
        }
        pending
    }

    fn mirror(&self, sessions: Vec<Session>) -> Pending {
        match sessions.is_empty() {
            true => Pending::settled(Ok(None)),
            false => Self::refused("a server in a cluster mirrors no others"),
        }
    }

    fn health(&self) -> Health {
        self.shared.health()
    }

    fn counts(&self) -> LogCounts {
        self.shared.counts()
    }

    fn close(&self) -> Pending {
        let (promise, pending) = pending();
        self.shared.wait_for_the_end(promise);
        // nobody is there any more where it ended already
        let _ = self.requests.send(Request::Close);
        pending
    }

    fn serves(&self) -> Option<Receiver<bool>> {
        Some(self.shared.serves())
    }

    fn cluster(&self) -> Option<ClusterReport> {
        Some(self.shared.report())
    }

    fn fence(&self) -> Option<&dyn Fence> {
        self.shared.is_monitored().then_some(self as &dyn Fence)
    }
}

impl Fence for ClusterLog {
    fn claim(&self) -> Pending {
        self.ask(Request::Claim)
    }

    fn holds(&self) -> bool {
        self.shared.may_register()
    }

    fn lost(&self) -> Receiver<()> {
        self.shared.lost()
    }

    fn release(&self) -> Pending {
        self.shared.set_may_register(false);
        self.ask(Request::Release)
    }
}
