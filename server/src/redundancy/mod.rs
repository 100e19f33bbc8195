//! A server in a redundant installation: one server of a group is active, the others stand by with
//! copies of its events.
//!
//! ```text
//! hat-monitor <── component ── Redundancy ──> who is there ──> a Mirror for each other server
//!                                  │                                └──> Log::mirror
//!                                  │ blessed, and no other server is active
//!                                  └──> Engine::start, Engine::stop
//! ```
//!
//! | file | what |
//! |---|---|
//! | `task` | the monitor, the blessing, and what is done about it |
//! | `rule` | when this server works |
//! | `ready` | when it would be blessed: not while its disk fails and another is ready |
//! | `others` | which other servers there are, by what the monitor shows |
//! | `mirrors` | a task for each of them, and whether one of them is active |
//! | `once` | a copy of a server's events without a monitor, until it is whole |
//! | `report` | how the copies are |
//! | `mirror` | one connection to another server: first what is missing, then what is told |
//! | `waiting` | what was told and is not written yet |
//!
//! The rules are those of `hat-event-server` 0.9, so that both kinds of servers make a pair: a
//! server that is blessed waits until no other server that it sees is starting, operational or
//! stopping; what is mirrored is what the other has stored.
//!
//! Nodes of a cluster have the same events, and mirror nothing: they only look whether another one
//! is active. To start is to claim the stream there, which fences whoever else is active; a server
//! that was fenced stands by until the monitor changes its blessing.

mod mirror;
mod mirrors;
mod once;
mod others;
mod ready;
mod report;
mod rule;
mod task;
mod waiting;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hat_aio::tls::Connector;
use hat_aio::{Address, Runtime};
use smol::channel::{Receiver, Sender, bounded};

use crate::engine::Engine;
use crate::engine_handle::EngineHandle;
use crate::server::EndReason;

pub use once::{CopySummary, MirrorOnce, MirrorOnceError, mirror_once};
pub use report::MirrorReport;
pub(crate) use report::MirrorReports;
pub use waiting::WaitingLimits;

/// What a server does when its monitor is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MonitorLost {
    /// It stays and connects again. An active server goes on only where the monitor last showed no
    /// other server of its group; else it stands by: the other may be blessed by a monitor that
    /// still sees it. A server that is new to the group, and blessed by a monitor that has just
    /// come back, works beside one that went on until that one is back, too, for one and a half
    /// seconds at the most, unless there is a [`grace`](MonitorOptions::grace).
    #[default]
    Stay,
    /// It ends, as the deployed server does, and leaves the rest to who started it.
    Exit,
}

/// The monitor of a server, and its place among others.
#[derive(Clone, Debug)]
pub struct MonitorOptions {
    /// Where the monitor listens.
    pub address: Address,
    /// The group of servers of which one is active.
    pub group: String,
    /// What happens when the monitor is gone.
    pub lost: MonitorLost,
    /// TLS towards other servers, where they are to be asked over that: a connector. The monitor
    /// itself has none.
    pub tls: Option<Connector>,
    /// Time between two attempts to connect to another server, 1 s. The deployed server waits 5 s.
    pub retry: Duration,
    /// Time from the connection to the monitor until this server may start to work. A server of the
    /// group that went on without a monitor tries it again every half second, and gives an attempt
    /// up after one; until it is back, nobody else knows of it: with 2 s, no two work at once.
    /// Default: none, because a server that starts alone stands by for as long, and deployed
    /// clients that register in that time are refused and do not try again.
    pub grace: Duration,
    /// How long the disk of an active server fails, with a server of its group ready, until it
    /// gives the blessing back, so that the monitor blesses that one: 3 s, so that a disk that is
    /// full for a moment changes nothing. It is ready again once the disk has worked for half a
    /// minute, or no other server is ready. The deployed server ends at once.
    ///
    /// A standby whose disk fails is not ready from the first failure on, as long as another one
    /// is. Nodes of a cluster are ready while they serve. `None`: a server is always ready.
    pub withdraw_after: Option<Duration>,
    /// What may wait to be written of each copy.
    pub waiting: WaitingLimits,
}

impl MonitorOptions {
    /// The defaults.
    #[must_use]
    pub fn new(address: impl Into<Address>, group: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            group: group.into(),
            lost: MonitorLost::default(),
            tls: None,
            retry: Duration::from_secs(1),
            grace: Duration::ZERO,
            withdraw_after: Some(Duration::from_secs(3)),
            waiting: WaitingLimits::default(),
        }
    }
}

/// What others know of this server.
#[derive(Clone, Debug)]
pub(crate) struct ServerIdentity {
    pub(crate) name: String,
    pub(crate) server_id: i64,
    pub(crate) token: Option<String>,
    pub(crate) address: (String, u16),
    /// It is a node of a cluster: the others of the group have the same id, and the same events.
    pub(crate) is_node: bool,
}

/// The part of a server that makes it redundant.
pub(crate) struct Redundancy {
    stop: Sender<()>,
    stopped: Receiver<()>,
    ended: Receiver<EndReason>,
    why: Arc<Mutex<Option<EndReason>>>,
}

impl Redundancy {
    /// `cluster` is told whenever a node of one may serve again or not, or was fenced.
    pub(crate) fn start<R: Runtime>(
        options: MonitorOptions,
        who: ServerIdentity,
        engine: Arc<Engine>,
        handle: EngineHandle,
        cluster: Option<Receiver<()>>,
    ) -> Self {
        let (stop, stopping) = bounded(1);
        let (done, stopped) = bounded(1);
        let (end, ended) = bounded(1);
        R::spawn(async move {
            if let Some(why) = task::run::<R>(options, who, engine, handle, cluster, stopping).await
            {
                // there is room for one
                let _ = end.try_send(why);
            }
            drop(done);
        });
        Self { stop, stopped, ended, why: Arc::default() }
    }

    /// Gives the blessing back, and ends copies.
    pub(crate) async fn stop(&self) {
        self.stop.close();
        // ends when the task does
        let _ = self.stopped.recv().await;
    }

    /// Waits until the server must end, and says why.
    pub(crate) async fn ended(&self) -> EndReason {
        let known = || self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(why) = known() {
            return why;
        }
        match self.ended.recv().await {
            Ok(why) => {
                *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.clone());
                why
            }
            Err(_) => match known() {
                Some(why) => why,
                // stopped, and nobody waits any more
                None if self.stop.is_closed() => std::future::pending().await,
                // without a word: nobody would ever bless this server, or take the blessing away
                None => EndReason::MonitorLost(
                    "the task that mirrors it has ended because of a bug in this program".into(),
                ),
            },
        }
    }
}
