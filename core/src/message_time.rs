//! The time that a message may take to come in, in every protocol that puts messages together.
//!
//! A peer that sends one byte by byte, or in parts without an end, lives by all that the pings see,
//! and what it has sent is kept. So from the look at which only the start of a message is here, the
//! rest has a time; it counts anew where the machine did not read meanwhile.

use core::time::Duration;

use crate::time::Instant;

/// Until when the message that has begun has to be complete.
#[derive(Debug, Default)]
pub(crate) struct MessageTime(Option<Instant>);

impl MessageTime {
    /// Only the start of a message is here. Whether that has been so for `timeout`.
    #[inline]
    pub(crate) fn is_over(&mut self, now: Instant, timeout: Duration) -> bool {
        now >= *self.0.get_or_insert(now + timeout)
    }

    /// No message has begun, or its time counts anew with the next look.
    #[inline]
    pub(crate) fn stop(&mut self) {
        self.0 = None;
    }

    /// The driver's time has stood still for `time`.
    pub(crate) fn stood_still(&mut self, time: Duration) {
        self.0.iter_mut().for_each(|due| *due += time);
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0
    }
}
