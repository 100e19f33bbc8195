//! Timing of pings: when to send one, and when to give up a silent peer. Two rules are in use.
//!
//! ```text
//! WhenIdle   received ──delay──> ping ──timeout──> given up        anything received starts over
//! Every      ──interval──> ping ──interval──> ping ──interval──>   a ping without an answer when
//!                                                                  the next is due: given up
//! ```
//!
//! The machine says what happened ([`Keepalive::received`], [`Keepalive::answered`]) and asks what
//! is due ([`Keepalive::poll`]). [`Liveness`] says it out of what a connection reads and writes.

use core::time::Duration;

use crate::buffer::{RecvBuf, SendQueue};
use crate::time::Instant;

/// How a connection finds out that its peer is gone. A peer that takes a large message slowly is
/// not: as long as what waits for it becomes less, it is given the time of its ping again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PingRule {
    /// No pings are sent, and a silent peer is never given up. Pings of the peer are answered all
    /// the same.
    Off,
    /// A ping when nothing was received for `delay`; the peer is given up when then nothing at all
    /// arrives within `timeout`. The rule of `hat-drivers` and of Juggler 0.7.
    WhenIdle {
        /// Silence before a ping.
        delay: Duration,
        /// Silence after it.
        timeout: Duration,
    },
    /// A ping every `interval`; the peer is given up when one of them is not answered within the
    /// same time. The rule of `hat-chatter` 0.5.
    Every {
        /// From one ping to the next, and from a ping to its answer at the latest.
        interval: Duration,
    },
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    GiveUp,
}

/// One connection's pings.
#[derive(Debug)]
pub(crate) struct Keepalive {
    rule: PingRule,
    /// When something is due, by the rule; `None` with pings off.
    at: Option<Instant>,
    /// A ping was sent, and what would answer it has not come.
    waiting: bool,
    /// Nothing has been read since then, for a reason that is ours.
    deaf: bool,
}

impl Keepalive {
    pub(crate) fn new(rule: PingRule, now: Instant) -> Self {
        let at = match rule {
            PingRule::Off => None,
            PingRule::WhenIdle { delay, .. } => Some(now + delay),
            PingRule::Every { interval } => Some(now + interval),
        };
        Self { rule, at, waiting: false, deaf: false }
    }

    /// Something arrived.
    pub(crate) fn received(&mut self, now: Instant) {
        if let PingRule::WhenIdle { delay, .. } = self.rule {
            self.at = Some(now + delay);
            self.waiting = false;
        }
    }

    /// The ping's own conversation was answered.
    pub(crate) fn answered(&mut self) {
        self.waiting = false;
    }

    /// The ping has left: until now it waited behind what else is sent, and its time begins.
    pub(crate) fn left(&mut self, now: Instant) {
        if let PingRule::WhenIdle { timeout, .. } = self.rule
            && self.waiting
        {
            self.at = Some(now + timeout);
        }
    }

    /// The ping's time begins anew.
    pub(crate) fn again(&mut self, now: Instant) {
        self.at = match self.rule {
            PingRule::Off => None,
            PingRule::WhenIdle { timeout, .. } => Some(now + timeout),
            PingRule::Every { interval } => Some(now + interval),
        };
    }

    /// The machine does not read for now: nothing is due before it does, and the time of silence
    /// starts anew with the next [`poll`](Self::poll).
    pub(crate) fn not_reading(&mut self) {
        self.deaf = true;
    }

    /// The driver's time has stood still for `time`.
    pub(crate) fn stood_still(&mut self, time: Duration) {
        if let Some(at) = &mut self.at {
            *at += time;
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.at.filter(|_| !self.deaf)
    }

    /// What is due at `now`, where all that came has been read. `Ping` is said once: it is taken as
    /// sent.
    pub(crate) fn poll(&mut self, now: Instant) -> Due {
        if core::mem::take(&mut self.deaf) {
            self.received(now);
            self.answered();
        }
        if self.at.is_none_or(|at| now < at) {
            return Due::Nothing;
        }
        if self.waiting {
            return Due::GiveUp;
        }
        self.waiting = true;
        self.again(now);
        Due::Ping
    }
}

/// Whether a peer that has not answered takes what it is sent: asked when it would be given up, so
/// that it costs nothing before. As long as more waits behind what was written, the system's
/// buffers are full, and room in them is made by a peer that reads: slowly, but it lives. And a
/// ping that waits behind it is one that no peer can answer yet.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// Where the queue was written up to when it was looked at last.
    sent: u64,
    /// Where the ping ends that had not left then.
    ping_end: Option<u64>,
}

impl Backlog {
    /// The ping is in `tx`, behind `before` bytes. One with nothing before it leaves at once.
    pub(crate) fn ping(&mut self, before: usize, tx: &SendQueue) {
        self.sent = tx.sent();
        self.ping_end = (before > 0).then(|| tx.end());
    }

    /// Whether something was written since the last look, from before what still waits or waited
    /// until then.
    pub(crate) fn moves(&mut self, tx: &SendQueue) -> bool {
        let is_written = tx.sent() > self.sent;
        let waited = !tx.is_empty() || self.ping_end.is_some();
        self.sent = tx.sent();
        self.ping_end.take_if(|end| tx.sent() >= *end);
        is_written && waited
    }
}

/// The pings of a connection whose peer shows that it lives by whatever it sends, and by taking
/// what it is sent. Its machine calls, in this order, [`look`](Self::look) before it reads,
/// [`seen`](Self::seen) behind that, and where nothing came [`poll`](Self::poll), or
/// [`not_reading`](Self::not_reading) where it is held up.
#[derive(Debug)]
pub(crate) struct Liveness {
    rule: PingRule,
    /// From the first look at an open connection on.
    keepalive: Option<Keepalive>,
    /// Bytes that were in the receive buffer when the last poll ended: more means that something
    /// came.
    seen: usize,
    /// Where the queue was written up to when the last poll ended.
    sent: u64,
    /// Where the ping ends that has not left yet.
    ping_end: Option<u64>,
}

impl Liveness {
    pub(crate) fn new(rule: PingRule) -> Self {
        Self { rule, keepalive: None, seen: 0, sent: 0, ping_end: None }
    }

    /// Takes note of what came and of what was written.
    #[inline]
    pub(crate) fn look(&mut self, rx: &RecvBuf, tx: &SendQueue, now: Instant) {
        if rx.bytes.len() > self.seen {
            self.silence_ended(now);
        }
        self.wrote(tx, now);
    }

    /// Takes note of what is left in `rx`.
    #[inline]
    pub(crate) fn seen(&mut self, rx: &RecvBuf) {
        self.seen = rx.bytes.len();
    }

    /// As long as more waits behind what was written, the system's buffers are full, and room in
    /// them is made by a peer that reads: slowly, but it lives. A ping's time counts from when it
    /// left: before, no peer can answer it.
    #[inline]
    fn wrote(&mut self, tx: &SendQueue, now: Instant) {
        let (sent, end) = (tx.sent(), tx.end());
        if sent == self.sent {
            return;
        }
        self.sent = sent;
        let left = self.ping_end.take_if(|end| sent >= *end).is_some();
        if sent < end {
            self.silence_ended(now);
        } else if left && let Some(keepalive) = &mut self.keepalive {
            keepalive.left(now);
        }
    }

    /// As [`Keepalive::not_reading`].
    pub(crate) fn not_reading(&mut self) {
        self.keepalive.iter_mut().for_each(Keepalive::not_reading);
    }

    /// As [`Keepalive::stood_still`].
    pub(crate) fn stood_still(&mut self, time: Duration) {
        self.keepalive.iter_mut().for_each(|it| it.stood_still(time));
    }

    /// Something came: the time of silence starts anew.
    fn silence_ended(&mut self, now: Instant) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.received(now);
            keepalive.answered();
        }
    }

    /// What is due on an open connection. A `Ping` is queued over a full queue too, since there is
    /// one at a time; then [`queued`](Self::queued) is called.
    #[inline]
    pub(crate) fn poll(&mut self, now: Instant) -> Due {
        let rule = self.rule;
        self.keepalive.get_or_insert_with(|| Keepalive::new(rule, now)).poll(now)
    }

    /// The ping is in `tx`, behind `before` bytes. One with nothing before it leaves at once.
    pub(crate) fn queued(&mut self, before: usize, tx: &SendQueue) {
        self.ping_end = (before > 0).then(|| tx.end());
    }

    /// The connection is not open any more.
    pub(crate) fn stop(&mut self) {
        self.keepalive = None;
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.keepalive.as_ref().and_then(Keepalive::deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn when_idle() {
        let rule =
            PingRule::WhenIdle { delay: Duration::from_secs(20), timeout: Duration::from_secs(5) };
        let mut pings = Keepalive::new(rule, at(0));
        assert_eq!(pings.poll(at(19)), Due::Nothing);
        pings.received(at(19));
        assert_eq!(pings.deadline(), Some(at(39)));
        assert_eq!(pings.poll(at(39)), Due::Ping);
        assert_eq!(pings.poll(at(43)), Due::Nothing);
        pings.received(at(43));
        assert_eq!(pings.poll(at(63)), Due::Ping);
        assert_eq!(pings.poll(at(68)), Due::GiveUp);
        assert_eq!(pings.poll(at(69)), Due::GiveUp);
    }

    #[test]
    fn every() {
        let rule = PingRule::Every { interval: Duration::from_secs(20) };
        let mut pings = Keepalive::new(rule, at(0));
        pings.received(at(10));
        assert_eq!(pings.poll(at(20)), Due::Ping);
        pings.answered();
        assert_eq!(pings.poll(at(39)), Due::Nothing);
        assert_eq!(pings.poll(at(40)), Due::Ping);
        pings.received(at(41));
        assert_eq!(pings.poll(at(60)), Due::GiveUp);
    }

    #[test]
    fn off() {
        let pings = &mut Keepalive::new(PingRule::Off, at(0));
        assert_eq!(pings.deadline(), None);
        assert_eq!(pings.poll(at(1_000_000)), Due::Nothing);
    }
}
