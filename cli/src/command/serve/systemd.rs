//! What systemd is told of a server of `Type=notify`. Without it, nobody is told anything.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use hat_aio::Runtime;
use hat_aio::runtime::sleep;
use hat_server::EngineHandle;
use hat_server::store::{Health, StoreError};
use sd_notify::{NotifyState, notify, watchdog_enabled};

/// Time between two words about the progress of a long start.
const PROGRESS: Duration = Duration::from_secs(5);

/// How much longer than that a start may go on without a further word, in microseconds.
const FURTHER: u32 = 60_000_000;

/// Time between two looks at the status.
const LOOK: Duration = Duration::from_secs(1);

/// The longest that the log may take for a round, where systemd's own limit is shorter: it has one
/// a second, and some disks take seconds for a sync.
const ROUND: Duration = Duration::from_secs(5);

/// A word that does not arrive has nobody to be told to.
fn say(states: &[NotifyState<'_>]) {
    let _ = notify(states);
}

/// A start that takes long goes on: not blindly, but because something has moved.
pub(crate) fn progress(what: &str) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_none_or(|last| last.elapsed() >= PROGRESS) {
        *last = Some(Instant::now());
        say(&[NotifyState::ExtendTimeoutUsec(FURTHER), NotifyState::Status(what)]);
    }
}

/// Clients can connect.
pub(super) fn ready() {
    say(&[NotifyState::Ready]);
}

/// The server ends.
pub(super) fn stopping() {
    say(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Tells what changes, and the watchdog that the server is alive, until it is dropped.
pub(super) async fn follow<R: Runtime>(handle: EngineHandle) {
    let watchdog = watchdog_enabled();
    let mut said = String::new();
    let mut pulse = Pulse::new(watchdog.unwrap_or(Duration::MAX));
    loop {
        let status = status(&handle).await;
        if status != said {
            say(&[NotifyState::Status(&status)]);
            said = status;
        }
        if watchdog.is_some() && pulse.beats(handle.log_counts().rounds, Instant::now()) {
            say(&[NotifyState::Watchdog]);
        }
        // three words within the time that systemd waits for one
        let time = watchdog.map_or(LOOK, |watchdog| LOOK.min(watchdog / 3));
        sleep::<R>(time).await;
    }
}

async fn status(handle: &EngineHandle) -> String {
    let report = handle.report().await;
    let mut status = format!("{}, {} clients", report.status, report.clients);
    match report.health {
        Health::Failing(error @ StoreError::Cluster(_)) => status = format!("{status}; {error}"),
        Health::Failing(error) => status = format!("{status}; the store fails: {error}"),
        Health::Good | Health::Closed => {}
    }
    status
}

/// Whether the log goes on. This task runs, so the runtime does; the log has a thread of its own.
struct Pulse {
    rounds: u64,
    at: Option<Instant>,
    limit: Duration,
}

impl Pulse {
    fn new(watchdog: Duration) -> Self {
        Self { rounds: 0, at: None, limit: (watchdog / 2).max(ROUND) }
    }

    fn beats(&mut self, rounds: u64, now: Instant) -> bool {
        if self.at.is_none() || rounds != self.rounds {
            (self.rounds, self.at) = (rounds, Some(now));
        }
        self.at.is_some_and(|at| now.saturating_duration_since(at) < self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_stands_still_has_no_pulse() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pulse = Pulse::new(Duration::from_secs(30));
        assert!(pulse.beats(7, at(0)));
        assert!(pulse.beats(7, at(14)));
        assert!(!pulse.beats(7, at(15)));
        assert!(pulse.beats(8, at(16)), "it goes on");
        let mut short = Pulse::new(Duration::from_secs(2));
        assert!(short.beats(7, at(0)) && short.beats(7, at(4)) && !short.beats(7, at(5)));
    }
}
