//! Notifies clients of sessions, in order, and reports its progress to those who wait for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hat_aio::Runtime;
use hat_aio::eventer::Notifier;
use hat_aio::runtime::within;
use smol::channel::{Sender, bounded};

use crate::page::Live;
use crate::store::{Feed, Session, SessionUpdate};

/// The longest that anybody waits for others to be told: clients that do not read would stop
/// everybody else.
const PATIENCE: Duration = Duration::from_millis(500);

/// When ordinary subscribers are told. Those that asked for `persisted` events are told when these
/// are durable, in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notify {
    /// When events are durable: nothing is told that can vanish.
    #[default]
    Durable,
    /// As soon as the order of sessions is fixed, before they are on the disk. A crash then, or a
    /// disk that fails, makes events vanish that were told.
    Early,
}

/// Takes what the log says, and tells clients and pages.
pub(crate) struct Teller {
    pub(crate) feed: Feed,
    pub(crate) notifier: Notifier,
    pub(crate) notify: Notify,
    pub(crate) live: Option<Live>,
    pub(crate) server_id: i64,
    pub(crate) told: Arc<Progress>,
}

impl Teller {
    /// Runs until the log ends.
    pub(crate) async fn run(self) {
        while let Ok(became) = self.feed.recv().await {
            match (became, self.notify) {
                (SessionUpdate::Ordered(session), Notify::Early) => self.tell(&session).await,
                (SessionUpdate::Ordered(_), Notify::Durable) => {}
                (SessionUpdate::Durable(session), notify) => {
                    if notify == Notify::Durable {
                        self.tell(&session).await;
                    }
                    if let Some(live) = &self.live {
                        live.applied(&session);
                    }
                    self.notifier.notify_events(session.events(), true, false).await;
                }
            }
        }
    }

    async fn tell(&self, session: &Session) {
        self.notifier.notify_events(session.events(), false, false).await;
        if session.server_id() == self.server_id {
            self.told.reach(session.number());
        }
    }
}

/// Up to which session of this server clients were told.
pub(crate) struct Progress {
    state: Mutex<State>,
    patience: fn(Duration, smol::channel::Receiver<()>) -> Waiting,
}

type Waiting = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct State {
    session: i64,
    /// Dropped when their session was told.
    waiting: BTreeMap<i64, Vec<Sender<()>>>,
}

impl Progress {
    pub(crate) fn new<R: Runtime>() -> Self {
        let patience = |time, told: smol::channel::Receiver<()>| -> Waiting {
            Box::pin(async move {
                // nothing is ever sent: it ends when the other end is dropped
                let _ = within::<R, _>(time, told.recv()).await;
            })
        };
        Self { state: Mutex::default(), patience }
    }

    /// Waits until `session` was told, for half a second at the most.
    pub(crate) async fn wait(&self, session: i64) {
        let told = {
            let mut state = self.lock();
            if state.session >= session {
                return;
            }
            let (waiting, told) = bounded(1);
            state.waiting.entry(session).or_default().push(waiting);
            told
        };
        (self.patience)(PATIENCE, told).await;
    }

    fn reach(&self, session: i64) {
        let mut state = self.lock();
        state.session = state.session.max(session);
        let still = state.waiting.split_off(&session.saturating_add(1));
        let reached = std::mem::replace(&mut state.waiting, still);
        drop(state);
        drop(reached);
    }

    /// Nobody is told any more.
    pub(crate) fn end(&self) {
        self.reach(i64::MAX - 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
