//! When a server of a group works: what follows from the blessing, from the other servers, and from
//! the loss of the monitor. It has no clock and no socket.
//!
//! ```text
//!           blessed, no other server active, and the grace is over
//! standby ──────────────────────────────────────────────────────────> working
//!    ^                                                                   │
//!    └─ no longer blessed; another server blessed meanwhile; no monitor, and not alone ─┘
//! ```

use std::time::{Duration, Instant};

use super::MonitorLost;

/// What there is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The engine is to be started.
    Start,
    /// It is to be asked again after this time, even if nothing happens.
    In(Duration),
    /// Something has to happen first.
    Nothing,
}

/// The rule, and what it goes by.
#[derive(Debug)]
pub(super) struct Rule {
    lost: MonitorLost,
    grace: Duration,
    /// Since when there is a connection to the monitor.
    connected: Option<Instant>,
    /// This server is blessed.
    blessed: bool,
    /// The engine was started, or is being, and not stopped since.
    running: bool,
    /// The monitor last showed another component of the group.
    has_others: bool,
    /// The engine could not be started: not again before then.
    not_before: Option<Instant>,
}

/// Time between two attempts to start the engine.
const RETRY: Duration = Duration::from_secs(1);

impl Rule {
    pub(super) fn new(lost: MonitorLost, grace: Duration) -> Self {
        let (blessed, running, has_others) = (false, false, false);
        Self { lost, grace, connected: None, blessed, running, has_others, not_before: None }
    }

    #[cfg(test)]
    fn is_running(&self) -> bool {
        self.running
    }

    /// There is a new connection to the monitor.
    pub(super) fn connected(&mut self, now: Instant) {
        self.connected = Some(now);
        self.blessed = false;
    }

    pub(super) fn blessed(&mut self) {
        self.blessed = true;
    }

    /// What there is to do, where another server `is_active` or not.
    ///
    /// One that went on without a monitor is not there at once when the monitor is: who is blessed
    /// first would work beside it. So nobody starts before the others had the time to come back.
    pub(super) fn step(&self, now: Instant, other_is_active: bool) -> Step {
        let Some(connected) = self.connected else { return Step::Nothing };
        if !self.blessed || self.running || other_is_active {
            return Step::Nothing;
        }
        let grace = self.grace.saturating_sub(now.saturating_duration_since(connected));
        let retry = self.not_before.map(|at| at.saturating_duration_since(now));
        match grace.max(retry.unwrap_or_default()) {
            Duration::ZERO => Step::Start,
            rest => Step::In(rest),
        }
    }

    /// The engine could not be started: another server was faster, say. It is tried again, as long
    /// as this server is blessed and no other is active.
    pub(super) fn failed(&mut self, now: Instant) {
        self.running = false;
        self.not_before = Some(now + RETRY);
    }

    /// The engine is being started.
    pub(super) fn started(&mut self) {
        self.running = true;
    }

    /// The monitor shows whether there are others in the group and whether one of them works under
    /// a blessing; this server is under one or not. Whether the engine is to be stopped: it went on
    /// without a monitor, while another server was blessed.
    pub(super) fn shown(&mut self, has_others: bool, other_works: bool, is_active: bool) -> bool {
        self.has_others = has_others;
        self.running && !is_active && other_works && self.stand_by()
    }

    /// The monitor is gone. Whether the engine is to be stopped: see [`MonitorLost`].
    pub(super) fn monitor_lost(&mut self) -> bool {
        self.blessed = false;
        self.connected = None;
        (self.has_others || self.lost == MonitorLost::Exit) && self.stand_by()
    }

    /// This server works no more. Whether the engine is to be stopped.
    pub(super) fn stand_by(&mut self) -> bool {
        self.blessed = false;
        std::mem::take(&mut self.running)
    }
}

#[cfg(test)]
mod tests;
