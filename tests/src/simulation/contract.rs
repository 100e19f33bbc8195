//! What every machine promises to whoever drives it, checked at every poll of every run.

use hat_core::protocol::Protocol;
use hat_core::time::Instant;

use super::end::End;

/// What no machine of a network may pass.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in a send queue.
    pub queued: usize,
    /// Bytes that a machine asks for.
    pub wanted: usize,
    /// A machine that closes waits for its peer to do the same, for a bounded time, as WebSocket
    /// does. Otherwise it is closed once all is written.
    pub is_close_answered: bool,
}

/// Polls between two reads: each takes a message of at least one byte, so no machine comes near it.
const MOST_POLLS: usize = 100_000;

impl<M: Protocol> End<M> {
    /// After any poll.
    pub(super) fn check_poll(&mut self, limits: Limits) {
        self.polls += 1;
        let (polls, missing) = (self.polls, self.missing);
        let wanted = if missing == 0 { 0 } else { self.rx.bytes.len() + missing };
        assert!(polls < MOST_POLLS, "{polls} polls, and still the machine has more to give");
        assert!(wanted <= limits.wanted, "the machine asks for {wanted} bytes");
        let queued = self.machine().tx().len();
        assert!(queued <= limits.queued, "{queued} bytes are queued");
    }

    /// After a poll that gave nothing, with all written that the network takes.
    pub(super) fn check_idle(&mut self, limits: Limits, now: Instant) {
        let deadline = self.machine().deadline();
        assert!(
            deadline.is_none_or(|at| at > now),
            "a deadline that has passed after a poll at {now:?}: {deadline:?}"
        );
        assert!(self.missing == 0 || !self.rx.eof, "the machine asks for what cannot come");
        if self.closing && limits.is_close_answered {
            let is_bounded = deadline.is_some() || self.machine().is_closed();
            assert!(is_bounded, "a machine that closes would wait for ever");
        } else if self.closing {
            let machine = self.machine();
            assert!(deadline.is_none(), "a machine that closes waits for {deadline:?}");
            assert_eq!(machine.tx().is_empty(), machine.is_closed(), "closed is: all is written");
        }
    }

    /// After an error: it is final.
    pub(super) fn check_over(&mut self, error: &M::Error, now: Instant) {
        let queued = self.machine().tx().len();
        let again = self.poll(now);
        let Err(again) = again else { panic!("a poll after the error gave something") };
        assert_eq!(format!("{error:?}"), format!("{again:?}"), "another error than before");
        let machine = self.machine();
        assert!(machine.is_closed(), "an error, and not closed");
        assert_eq!(machine.deadline(), None, "a deadline after an error");
        assert_eq!(machine.tx().len(), queued, "a poll after an error queued something");
    }
}
