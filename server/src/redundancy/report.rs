//! How the copies of other servers' events are, for people and metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hat_core::eventer::Timestamp;

/// A copy of another server's events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MirrorReport {
    /// Whose events they are.
    pub server_id: i64,
    /// There is a connection to it.
    pub connected: bool,
    /// All that it had stored when the connection began is here, and what it tells follows.
    pub synced: bool,
    /// Events that were copied since the start.
    pub events: u64,
    /// How long the last event that was copied took from its timestamp until it was stored here, by
    /// both servers' clocks. `None` where none was copied since the start.
    pub lag: Option<Duration>,
    /// Events since the start that were not copied, because the other server gave them ids that
    /// other events have here: it has lost its store, and counts anew.
    pub given_again: u64,
}

/// Those of all. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct MirrorReports(Arc<Mutex<BTreeMap<i64, MirrorReport>>>);

impl MirrorReports {
    pub(crate) fn all(&self) -> Vec<MirrorReport> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn change(&self, server_id: i64, change: impl FnOnce(&mut MirrorReport)) {
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || MirrorReport {
            server_id,
            connected: false,
            synced: false,
            events: 0,
            lag: None,
            given_again: 0,
        };
        change(reports.entry(server_id).or_insert_with(new));
    }

    /// All that the other has is not here. Whether it was taken to be.
    pub(super) fn unsynced(&self, server_id: i64) -> bool {
        let mut was = false;
        self.change(server_id, |report| was = std::mem::take(&mut report.synced));
        was
    }
}

/// Events that are being written.
#[derive(Clone, Copy)]
pub(super) struct PendingWrite {
    pub(super) events: u64,
    /// The timestamp of the last.
    pub(super) last: Timestamp,
}

impl PendingWrite {
    /// They are stored.
    pub(super) fn stored(self, report: &mut MirrorReport) {
        let lag = Timestamp::now().as_secs_f64() - self.last.as_secs_f64();
        report.events += self.events;
        report.lag = Duration::try_from_secs_f64(lag.max(0.0)).ok();
    }
}
