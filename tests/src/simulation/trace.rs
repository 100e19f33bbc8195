//! What happened last, for the reader of a failure.

use std::collections::VecDeque;
use std::fmt::Display;
use std::thread;

use hat_core::time::Instant;

use super::seeds::variable;

/// Lines that are kept, unless `HAT_SIMULATION_LINES` says another number.
const LAST: usize = 80;

/// The last lines of a run, printed when the run fails. A run that is not traced writes none, which
/// is what makes it fast: the run of a failing seed is repeated with its trace.
#[derive(Debug)]
pub struct Trace {
    lines: Option<VecDeque<String>>,
    most: usize,
    left_out: usize,
}

impl Trace {
    pub(crate) fn new(is_on: bool) -> Self {
        let most = variable("HAT_SIMULATION_LINES").map_or(LAST, |most| most as usize);
        Self { lines: is_on.then(VecDeque::new), most, left_out: 0 }
    }

    /// Adds a line, which is made only if anyone will see it.
    pub fn note<D: Display>(&mut self, now: Instant, line: impl FnOnce() -> D) {
        let Some(lines) = &mut self.lines else { return };
        if lines.len() >= self.most {
            lines.pop_front();
            self.left_out += 1;
        }
        let time = now.since_origin();
        lines.push_back(format!("{:>8}.{:06} {}", time.as_secs(), time.subsec_micros(), line()));
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        if let Some(lines) = &self.lines
            && thread::panicking()
        {
            eprintln!("\nthe end of the run ({} lines before it are left out):", self.left_out);
            lines.iter().for_each(|line| eprintln!("{line}"));
        }
    }
}
