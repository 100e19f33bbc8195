//! The engine: whether events can be registered, and how they are.
//!
//! ```text
//!            start             STARTED is registered        stop
//! standby ──────────> starting ─────────────> operational ──────────> stopping ──────> standby
//!    ^ registrations fail in all of them but one                       STOPPED is registered
//! ```
//!
//! In a cluster nothing is registered for that: the server is operational while its node serves.
//! Under a monitor that holds for the active server only, and starting is to claim the stream.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hat_aio::eventer::Notifier;
use hat_core::eventer::{Event, RegisterEvent, Status};
use tracing::{info, warn};

use crate::builtin;
use crate::check::{self, Limits, Refusal};
use crate::logs::{Appending, Logs, Registered, Route};
use crate::module::{Modules, Source};
use crate::page::Live;
use crate::store::{AppendError, Health, StoreError};
use crate::teller::Progress;

/// Why events are not registered.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The server registers nothing in this status.
    #[error("the server is not operational: its status is {0}")]
    NotOperational(Status),
    /// A deployed peer could not take them.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// They could not be made durable.
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// What was registered, by counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) events: AtomicU64,
    pub(crate) sessions: AtomicU64,
    /// Registrations that failed for a reason of the server.
    pub(crate) failed: AtomicU64,
    /// Registrations that were refused for a reason of theirs.
    pub(crate) refused: AtomicU64,
}

/// What the status of a node of a cluster follows.
struct Gate {
    /// Its logs can take something.
    serves: bool,
    /// It is the one that registers, or every node is.
    active: bool,
}

/// Registers events, while it runs.
pub(crate) struct Engine {
    server_id: i64,
    logs: Arc<Logs>,
    modules: Modules,
    limits: Limits,
    own_events: bool,
    notifier: Notifier,
    live: Option<Live>,
    told: Arc<Progress>,
    /// Held while the status changes, and while something is appended: nothing gets behind
    /// `STOPPED`.
    gate: Mutex<Gate>,
    pub(crate) counts: Counts,
}

impl Engine {
    #[expect(clippy::too_many_arguments, reason = "its parts, each made by who starts the server")]
    pub(crate) fn new(
        server_id: i64,
        logs: Arc<Logs>,
        modules: Modules,
        limits: Limits,
        own_events: bool,
        notifier: Notifier,
        live: Option<Live>,
        told: Arc<Progress>,
    ) -> Self {
        let gate = Gate { serves: false, active: !logs.are_fenced() };
        let (gate, counts) = (Mutex::new(gate), Counts::default());
        Self { server_id, logs, modules, limits, own_events, notifier, live, told, gate, counts }
    }

    pub(crate) fn server_id(&self) -> i64 {
        self.server_id
    }

    pub(crate) fn status(&self) -> Status {
        self.notifier.status()
    }

    /// Registers `events` as one session, or one of each log that they belong to, and returns them.
    /// Ready once they are as durable as the log promises. What is not on its way `until` then is
    /// not registered.
    pub(crate) async fn register(
        &self,
        source: Source,
        events: Vec<RegisterEvent>,
        route: Route,
        until: Option<Instant>,
    ) -> Result<Vec<Event>, RegisterError> {
        let registered = self.try_register(source, events, route, until).await;
        match &registered {
            Ok(registered) => {
                let (sessions, events) = (registered.sessions.len(), registered.all());
                self.counts.sessions.fetch_add(sessions as u64, Ordering::Relaxed);
                self.counts.events.fetch_add(events as u64, Ordering::Relaxed);
            }
            Err(RegisterError::Refused(_)) => {
                self.counts.refused.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(registered?.events)
    }

    async fn try_register(
        &self,
        source: Source,
        events: Vec<RegisterEvent>,
        route: Route,
        until: Option<Instant>,
    ) -> Result<Registered, RegisterError> {
        check::check(&events, &self.limits)?;
        let appending = {
            let _gate = self.lock();
            match self.status() {
                Status::Operational => self.append(source, events, route, until),
                status => return Err(RegisterError::NotOperational(status)),
            }
        };
        Ok(appending.registered().await?)
    }

    /// Registers an event of the server itself, if the engine runs, and waits until clients were
    /// told. What fails is told in the log.
    pub(crate) async fn register_own(&self, source: Source, event: RegisterEvent) {
        if !self.own_events || self.status() != Status::Operational {
            return;
        }
        match self.try_register(source, vec![event], Route::Own, None).await {
            Ok(registered) => self.wait_for_clients(&registered).await,
            Err(RegisterError::NotOperational(_)) => {}
            Err(error) => warn!(%error, "cannot register an event of the server itself"),
        }
    }

    async fn wait_for_clients(&self, registered: &Registered) {
        // what is the server's own is of its own id
        for session in &registered.sessions {
            self.told.wait(session.number()).await;
        }
    }

    /// From standby to operational. False where another server has been faster, or the cluster does
    /// not answer: then it stands by, and may be started again. Dropped before it is ready, the
    /// engine is to be stopped.
    pub(crate) async fn start(&self) -> bool {
        self.set_status(Status::Starting);
        if self.logs.are_fenced() {
            return self.claim().await;
        }
        let started = {
            let _gate = self.lock();
            self.append_own(true)
        };
        if let Err(error) = started.registered().await {
            // it may get better, and then registrations work: until then each fails
            warn!(%error, "cannot register the start of the engine");
        }
        self.set_status(Status::Operational);
        true
    }

    async fn claim(&self) -> bool {
        let claimed = self.logs.claim().await;
        let mut gate = self.lock();
        gate.active = claimed.is_ok();
        if let Err(error) = claimed {
            warn!(%error, "cannot become the active node");
        }
        self.show(if gate.active && gate.serves { Status::Operational } else { Status::Standby });
        gate.active
    }

    /// Whether another server has taken over from this one.
    pub(crate) fn is_fenced(&self) -> bool {
        self.lock().active && !self.logs.hold()
    }

    /// To standby, because another server has taken over. That is not forgotten before the engine
    /// is stopped or started.
    pub(crate) fn fenced(&self) {
        let mut gate = self.lock();
        gate.active = false;
        if !matches!(self.status(), Status::Standby) {
            self.show(Status::Standby);
        }
    }

    /// To standby, in a cluster under a monitor.
    async fn release(&self) {
        let (released, serves) = {
            let mut gate = self.lock();
            gate.active = false;
            if matches!(self.status(), Status::Starting | Status::Operational) {
                self.show(Status::Stopping);
            }
            (self.logs.release(), gate.serves)
        };
        if serves {
            // what fails has told who waited for it
            for one in released {
                let _ = one.await;
            }
        }
        if self.status() != Status::Standby {
            self.set_status(Status::Standby);
        }
    }

    /// To standby, from whatever status. What was appended before is still registered; what comes
    /// from now on fails.
    pub(crate) async fn stop(&self) {
        if self.logs.are_fenced() {
            return self.release().await;
        }
        let stopped = {
            let _gate = self.lock();
            match self.status() {
                Status::Standby => return,
                Status::Operational | Status::Starting | Status::Stopping => {
                    self.show(Status::Stopping);
                    self.append_own(false)
                }
            }
        };
        match stopped.registered().await {
            Ok(registered) => self.wait_for_clients(&registered).await,
            Err(error) => warn!(%error, "cannot register the end of the engine"),
        }
        self.set_status(Status::Standby);
    }

    fn append_own(&self, running: bool) -> Appending {
        // without events it is settled at once
        let event = self.own_events.then(|| builtin::engine(self.server_id, running));
        self.append(Source::Engine, event.into_iter().collect(), Route::Own, None)
    }

    fn append(
        &self,
        source: Source,
        events: Vec<RegisterEvent>,
        route: Route,
        until: Option<Instant>,
    ) -> Appending {
        self.logs.append(source, &self.modules, events, route, until)
    }

    /// The status of a node of a cluster that serves, or does not. One that stops stays so.
    pub(crate) fn follow(&self, serves: bool) {
        let mut gate = self.lock();
        gate.serves = serves;
        match self.status() {
            // whoever starts or stops it shows what follows
            Status::Starting | Status::Stopping => {}
            Status::Standby if !(serves && gate.active) => {}
            _ if serves && gate.active => self.show(Status::Operational),
            _ => self.show(Status::Standby),
        }
    }

    /// Why nothing can be stored, where the last attempt failed.
    pub(crate) fn disk_fault(&self) -> Option<StoreError> {
        match self.logs.health() {
            Health::Failing(error) => Some(error),
            Health::Good | Health::Closed => None,
        }
    }

    /// Whether the logs of a node can take something.
    pub(crate) fn serves(&self) -> bool {
        self.lock().serves
    }

    /// Shows another status, and registers nothing for it.
    pub(crate) fn set_status(&self, status: Status) {
        let _gate = self.lock();
        self.show(status);
    }

    fn show(&self, status: Status) {
        info!(%status, "status");
        self.notifier.set_status(status);
        if let Some(live) = &self.live {
            live.set_status(status);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
