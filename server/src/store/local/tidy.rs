//! The thread for what the store does beside the work: nobody who registers waits for it.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use hat_core::eventer::Timestamp;

use super::Shared;
use crate::store::Store;
use crate::store::calendar::Calendar;

/// Time between two steps, while nothing happens, and after one that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Until the log is closed. `calendar` knows what the store had before anything was registered.
pub(super) fn run(
    store: &dyn Store,
    shared: &Shared,
    clock: fn() -> Timestamp,
    mut calendar: Calendar,
) {
    let (mut at, mut failed) = (Instant::now() + PAUSE, false);
    while wait(shared, at, failed) {
        calendar.look_at(store, Instant::now());
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
