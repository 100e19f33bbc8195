use std::fmt;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hat_aio::runtime::{Timer, coarse};

use crate::clock::{Clock, Waiting};

/// A timer of the ring that it is polled on first, or of a thread for all those that are polled
/// outside of one. It goes to any thread.
pub struct CompioTimer {
    at: Instant,
    fired: bool,
    waiting: Option<Waiting>,
}

impl CompioTimer {
    pub(crate) fn new(at: Instant) -> Self {
        Self { at: coarse(at, Instant::now()), fired: false, waiting: None }
    }
}

impl Timer for CompioTimer {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.fired {
            if let Some(waiting) = &self.waiting {
                self.fired = ready!(waiting.poll(cx));
                self.waiting = None;
            } else if self.at <= Instant::now() {
                self.fired = true;
            } else {
                self.waiting = Clock::here().wait(self.at);
            }
        }
        Poll::Ready(())
    }

    fn reset(&mut self, at: Instant) {
        *self = Self::new(at);
    }
}

impl fmt::Debug for CompioTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompioTimer").field("at", &self.at).finish_non_exhaustive()
    }
}
