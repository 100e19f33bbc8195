//! A task for each other server, and whether one of them is active.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hat_aio::Runtime;
use hat_aio::runtime::sleep;
use hat_core::eventer::Status;
use smol::channel::{Receiver, Sender, bounded};
use smol::future::FutureExt as _;
use tracing::error;

use super::mirror::{LONGEST_PAUSE, Mirror};
use super::others::Other;

/// The copies of other servers' events.
pub(super) struct Mirrors {
    shared: Arc<Shared>,
    mirror: Mirror,
    stop: Sender<()>,
    stopping: Receiver<()>,
}

/// What the tasks and their owner share.
pub(super) struct Shared {
    servers: Mutex<BTreeMap<Other, Server>>,
    changed: (Sender<()>, Receiver<()>),
}

/// Another server that there is a task for.
struct Server {
    /// The monitor shows it. One that is shown no more is asked no more once its connection ends.
    wanted: bool,
    /// What it last said; `None` without a connection.
    status: Option<Status>,
    /// It was tried to connect to it. Until then it may be active for all that is known.
    tried: bool,
}

impl Mirrors {
    pub(super) fn new(mirror: Mirror) -> Self {
        let (stop, stopping) = bounded(1);
        let shared = Shared { servers: Mutex::default(), changed: bounded(1) };
        Self { shared: Arc::new(shared), mirror, stop, stopping }
    }

    /// From now on these servers are mirrored.
    pub(super) fn update<R: Runtime>(&self, others: &BTreeSet<Other>) {
        let mut servers = self.shared.lock();
        for (other, server) in &mut *servers {
            server.wanted = others.contains(other);
        }
        for other in others {
            if servers.contains_key(other) {
                continue;
            }
            servers.insert(other.clone(), Server { wanted: true, status: None, tried: false });
            let (mirror, shared) = (self.mirror.clone(), self.shared.clone());
            let (other, stopping) = (other.clone(), self.stopping.clone());
            R::spawn(async move {
                let run = || mirror.clone().run::<R>(other.clone(), &shared, stopping.clone());
                let panicked = || {
                    let server_id = other.server_id;
                    error!(server_id, "a bug in this program ended a copy: it is begun again");
                    shared.forget(&other);
                    mirror.is_gone(&other);
                };
                supervised::<R, _>(run, panicked, LONGEST_PAUSE).await;
            });
        }
    }

    /// Whether another server is starting, operational or stopping, or was not asked yet.
    pub(super) fn other_is_active(&self) -> bool {
        let is_active = |server: &Server| {
            !server.tried || !matches!(server.status, None | Some(Status::Standby))
        };
        self.shared.lock().values().any(is_active)
    }

    /// Waits until another server's status may have changed. Cancel safe.
    pub(super) async fn changed(&self) {
        // the sender lives as long as this
        let _ = self.shared.changed.1.recv().await;
    }

    /// Ends all tasks.
    pub(super) fn stop(&self) {
        self.stop.close();
    }
}

/// Runs a task until it ends, and again where a panic ended it: nobody else would see that a copy
/// does not go on, or that another server is active.
async fn supervised<R: Runtime, F: Future<Output = ()>>(
    run: impl Fn() -> F,
    panicked: impl Fn(),
    pause: Duration,
) {
    while AssertUnwindSafe(run()).catch_unwind().await.is_err() {
        panicked();
        sleep::<R>(pause).await;
    }
}

impl Shared {
    /// Nothing is known of `other`, as before it was asked.
    fn forget(&self, other: &Other) {
        if let Some(server) = self.lock().get_mut(other) {
            (server.status, server.tried) = (None, false);
        }
    }

    pub(super) fn set_status(&self, other: &Other, status: Option<Status>) {
        if let Some(server) = self.lock().get_mut(other) {
            server.status = status;
            server.tried = true;
        }
        // full if it is to be looked at already
        let _ = self.changed.0.try_send(());
    }

    /// Whether the task of `other` may end; then there is none any more.
    pub(super) fn leave(&self, other: &Other) -> bool {
        let mut servers = self.lock();
        if servers.get(other).is_some_and(|server| server.wanted) {
            return false;
        }
        servers.remove(other);
        drop(servers);
        let _ = self.changed.0.try_send(());
        true
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Other, Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hat_tokio::Tokio;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_run_again() {
        let (runs, panics) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let run = || async {
            assert!(runs.fetch_add(1, Ordering::SeqCst) > 0, "a task with a fault");
        };
        let panicked = || {
            panics.fetch_add(1, Ordering::SeqCst);
        };
        supervised::<Tokio, _>(run, panicked, Duration::ZERO).await;
        assert_eq!((runs.into_inner(), panics.into_inner()), (2, 1));
    }
}
