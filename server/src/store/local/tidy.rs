//! The thread for what the store does beside the work: nobody who registers waits for it.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use hat_core::eventer::Timestamp;
use tracing::warn;

use super::Shared;
use crate::store::Store;

/// Time between two steps, while nothing happens, and after one that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How far a clock may be ahead of where it should be by what is known, 1 h.
const AHEAD: Duration = Duration::from_secs(3_600);

/// How long it has to be ahead before it is believed, 1 h: clocks that are wrong after a start are
/// set right within minutes.
const BELIEVED: Duration = Duration::from_secs(3_600);

/// Until the log is closed. Nothing that the store has is later than `last`.
pub(super) fn run(
    store: &dyn Store,
    shared: &Shared,
    clock: fn() -> Timestamp,
    last: Option<Timestamp>,
) {
    let (mut at, mut failed) = (Instant::now() + PAUSE, false);
    let mut calendar = Calendar::new(last.unwrap_or_else(clock), Instant::now());
    while wait(shared, at, failed) {
        let tidied = store.tidy(calendar.now(clock(), Instant::now()));
        // what is left is done at once, and what is registered meanwhile comes beside it
        let more = matches!(tidied, Ok(true));
        at = Instant::now() + if more { Duration::ZERO } else { PAUSE };
        let tidied = tidied.map(|_| ());
        if tidied.is_err() || failed {
            failed = tidied.is_err();
            shared.lock().tidied = Some(tidied);
            shared.arrived.notify_one();
        }
    }
}

/// Until it is time, or due unless the last step failed. False at the end.
fn wait(shared: &Shared, at: Instant, failed: bool) -> bool {
    let mut queue = shared.lock();
    loop {
        let left = at.saturating_duration_since(Instant::now());
        if queue.closing {
            return false;
        }
        if left.is_zero() || (queue.tidy_is_due && !failed) {
            queue.tidy_is_due = false;
            return true;
        }
        let waited = shared.due.wait_timeout(queue, left);
        queue = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// What time it is for rules that remove what is old. The system's clock says it, but where that is
/// years ahead, for a moment or after a start, what has been kept for years must not go.
#[derive(Debug)]
struct Calendar {
    /// What it was, and when that was said.
    at: Timestamp,
    since: Instant,
    /// Since when the clock is ahead.
    ahead: Option<Instant>,
}

impl Calendar {
    fn new(at: Timestamp, since: Instant) -> Self {
        Self { at, since, ahead: None }
    }

    fn now(&mut self, clock: Timestamp, instant: Instant) -> Timestamp {
        let passed = instant.saturating_duration_since(self.since);
        let expected = self.at.s().saturating_add_unsigned(passed.as_secs());
        if clock.s() <= expected.saturating_add_unsigned(AHEAD.as_secs()) {
            self.ahead = None;
        } else {
            if self.ahead.is_none() {
                warn!(
                    %clock, last = %self.at,
                    "the clock is far ahead of the last event: for an hour, no event is removed because of its age"
                );
            }
            let ahead = *self.ahead.get_or_insert(instant);
            if instant.saturating_duration_since(ahead) < BELIEVED {
                return Timestamp::from_secs(expected).max(self.at);
            }
            self.ahead = None;
        }
        (self.at, self.since) = (clock, instant);
        clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_far_ahead_is_believed_after_an_hour() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let at = Timestamp::from_secs;
        let mut calendar = Calendar::new(at(1_000), start);
        assert_eq!(calendar.now(at(1_010), after(10)), at(1_010));
        // a little ahead, or back: as it says
        assert_eq!(calendar.now(at(4_000), after(20)), at(4_000));
        assert_eq!(calendar.now(at(2_000), after(30)), at(2_000));
        // years ahead for a while: time passes as it does
        assert_eq!(calendar.now(at(900_000_000), after(40)), at(2_010));
        assert_eq!(calendar.now(at(900_000_600), after(640)), at(2_610));
        assert_eq!(calendar.now(at(2_620), after(650)), at(2_620));
        // years ahead for good: after a start that comes late, or where the store stood still
        assert_eq!(calendar.now(at(900_000_000), after(660)), at(2_630));
        assert_eq!(calendar.now(at(900_003_599), after(4_259)), at(6_229));
        assert_eq!(calendar.now(at(900_003_600), after(4_260)), at(900_003_600));
        assert_eq!(calendar.now(at(900_003_601), after(4_261)), at(900_003_601));
    }
}
