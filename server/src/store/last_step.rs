//! The end of a thread that looks after a store beside the work.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The longest that the end of a log waits for such a step, 2 s: few take as long, but one that
/// looks for events among millions of others may take minutes. It is done again after a start.
const LAST_STEP: Duration = Duration::from_secs(2);

/// Time between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until the thread has ended, or for so long: nothing is lost where it has not.
pub(crate) fn wait_for_step(thread: &JoinHandle<()>) {
    let start = Instant::now();
    while !thread.is_finished() && start.elapsed() < LAST_STEP {
        thread::sleep(LOOK);
    }
}
