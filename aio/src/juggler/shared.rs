//! A state that all connections of a server follow.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::connection::ServerHandle;
use crate::runtime::{Runtime, sleep};
use crate::server::{Core, unless_deserted};
use crate::wakers::WakerSet;
use hat_core::json::Value;
use hat_core::juggler::{Autoflush, State};

/// A state that many connections follow. Each flush is one patch, which is made and written once,
/// whoever many follow. Cheap to clone.
///
/// A server flushes it a while after the first change; without any server, changes only gather.
///
/// A client that does not read holds up nobody: what is queued for it stays within
/// [`max_queued`](hat_core::ws::Config::max_queued), and then it is told nothing until it reads.
/// What it has missed by then it gets as one patch. Pings end its connection before long.
#[derive(Clone)]
pub struct SharedState(Arc<Inner>);

struct Inner {
    delay: Option<Duration>,
    core: Mutex<Following>,
}

struct Following {
    state: State,
    followers: BTreeMap<u64, ServerHandle>,
    next_follower: u64,
    /// The tasks that flush, while there is nothing to flush.
    waiting: WakerSet,
}

/// A connection's place among the followers; dropped, it follows no more.
pub(super) struct Follower {
    state: SharedState,
    number: u64,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let handle = self.state.lock().followers.remove(&self.number);
        // outside of the lock: dropping a handle may close its connection
        drop(handle);
    }
}

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedState").field("followers", &self.followers()).finish_non_exhaustive()
    }
}

impl Default for SharedState {
    fn default() -> Self {
        Self::new(State::default(), Autoflush::DEFAULT_DELAY)
    }
}

impl SharedState {
    /// `state`, whose changes are sent `autoflush_delay` after the first of them: 0.2 s by default,
    /// zero at once, and `None` only when [`flush`](Self::flush) is called.
    #[must_use]
    pub fn new(state: State, autoflush_delay: Option<Duration>) -> Self {
        let (followers, waiting) = (BTreeMap::new(), WakerSet::default());
        let core = Following { state, followers, next_follower: 0, waiting };
        Self(Arc::new(Inner { delay: autoflush_delay, core: Mutex::new(core) }))
    }

    /// What it is now, changes that were not flushed included. A clone of it stays what it is.
    #[must_use]
    pub fn value(&self) -> Value {
        self.lock().state.value().clone()
    }

    /// Changes it. Nothing else can be done with the state meanwhile: `change` must not come back
    /// to it.
    pub fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let (mut wake, delay) = (Vec::new(), self.0.delay);
        let mut core = self.lock();
        let result = change(&mut core.state);
        if core.state.is_changed() {
            match delay {
                Some(Duration::ZERO) => core.flush(),
                Some(_) => core.waiting.wake(&mut wake),
                None => {}
            }
        }
        drop(core);
        wake.into_iter().for_each(Waker::wake);
        result
    }

    /// Queues what has changed to all connections now.
    pub fn flush(&self) {
        self.lock().flush();
    }

    /// Connections that follow.
    #[must_use]
    pub fn followers(&self) -> usize {
        self.lock().followers.len()
    }

    fn lock(&self) -> MutexGuard<'_, Following> {
        self.0.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `handle` follows from now on, and is told what there is.
    pub(super) fn follow(&self, handle: &ServerHandle) -> Follower {
        let mut core = self.lock();
        core.flush();
        let number = core.next_follower;
        core.next_follower += 1;
        core.followers.insert(number, handle.clone());
        let state = &mut core.state;
        // one that is over is told nothing
        let _ = handle.call(|session| session.machine.follow(state, None));
        Follower { state: self.clone(), number }
    }

    /// Flushes whenever it is time, until the server is closed and none of its connections is left:
    /// those that are not bound to it live on.
    pub(super) async fn flush_loop<R: Runtime, C: Send + 'static>(self, server: Arc<Core<C>>) {
        let Some(delay) = self.0.delay.filter(|delay| !delay.is_zero()) else {
            return;
        };
        let changed = async || {
            poll_fn(|cx| {
                let mut core = self.lock();
                if core.state.is_changed() {
                    return Poll::Ready(());
                }
                core.waiting.add_task(cx);
                Poll::Pending
            })
            .await;
            sleep::<R>(delay).await;
        };
        while unless_deserted(&server, changed()).await.is_some() {
            self.flush();
        }
    }
}

impl Following {
    fn flush(&mut self) {
        let Some(flushed) = self.state.flush() else {
            return;
        };
        for handle in self.followers.values() {
            let state = &mut self.state;
            // one that is over is told nothing; one that reads slowly is told once it has room
            let _ = handle.call(|session| session.machine.follow(state, Some(&flushed)));
        }
    }
}
