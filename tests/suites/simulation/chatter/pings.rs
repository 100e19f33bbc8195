//! When a ping is due, and when a peer is to be given up, by the rules alone and what is seen on
//! the wire.

use hat_core::chatter::{Config, Dialect, PingRule};
use hat_core::time::Instant;
use hat_tests::simulation::{Outcome, PollReport};

use super::wire::{Kind, SeenMessage, messages};

/// The pings of one side.
#[derive(Debug)]
pub(super) struct Pings {
    rule: PingRule,
    has_modules: bool,
    /// When a ping goes out, or the peer is given up.
    due: Option<Instant>,
    /// Our own replies held up the last poll: the peer is not read, so nothing is due of it.
    deaf: bool,
    /// Our ping that was not answered: the first id of its conversation.
    waiting: Option<i64>,
    /// What was sent when the peer was last looked at, and where the ping ends that waited behind
    /// something then.
    looked: u64,
    ping_end: Option<u64>,
    /// The last poll found the peer silent for too long.
    pub(super) gave_up: bool,
    pub(super) pings: u64,
    pub(super) pongs: u64,
}

impl Pings {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let due = match config.ping {
            PingRule::Off => None,
            PingRule::WhenIdle { delay, .. } => Some(now + delay),
            PingRule::Every { interval } => Some(now + interval),
        };
        Self {
            rule: config.ping,
            has_modules: config.dialect == Dialect::Hat,
            due,
            deaf: false,
            waiting: None,
            looked: 0,
            ping_end: None,
            gave_up: false,
            pings: 0,
            pongs: 0,
        }
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.filter(|_| !self.deaf)
    }

    /// A poll of an open connection: what it queued is what is due, no more and no less. With
    /// `is_exact`, also at the very microsecond: nothing kept the machine from being polled. Only
    /// what became due while its own replies held it up goes out when they do no more.
    pub(super) fn polled(&mut self, polled: &PollReport, is_exact: bool) {
        let was_deaf = self.deaf;
        let taken = messages(&polled.consumed, self.has_modules);
        let mut queued = messages(&polled.queued, self.has_modules);
        if let PingRule::WhenIdle { delay, .. } = self.rule
            && polled.arrived
        {
            (self.due, self.waiting) = (Some(polled.now + delay), None);
        }
        if taken.iter().any(|seen| !seen.owner && Some(seen.first) == self.waiting) {
            self.waiting = None;
        }
        let gives_message = taken.iter().any(|seen| seen.kind == Kind::Other);
        // of a poll that gives a timeout only the deadline shows that it was held up, too
        let is_timeout = polled.outcome == Outcome::Incoming && !gives_message;
        let pings = queued.iter().any(|seen| seen.kind == Kind::Ping);
        let hides = is_timeout && !pings && polled.deadline.is_none_or(|at| at > polled.now);
        if polled.held_up || (hides && self.due.is_some_and(|due| polled.now >= due)) {
            self.deaf = true;
        } else if self.deaf && !gives_message && polled.outcome == Outcome::Nothing {
            // it reads again: the time of silence starts anew
            (self.deaf, self.waiting) = (false, None);
            if let PingRule::WhenIdle { delay, .. } = self.rule {
                self.due = Some(polled.now + delay);
            }
        }
        let due = self.deadline().filter(|due| polled.now >= *due);
        let is_due = !gives_message && due.is_some();
        if is_due {
            let late = self.due.map(|due| polled.now - due);
            let is_in_time = was_deaf || late.is_some_and(|late| late.is_zero());
            assert!(!is_exact || is_in_time, "{late:?} late");
        }
        let is_silent = is_due && self.waiting.is_some();
        self.gave_up = is_silent && !self.takes(polled);
        if self.gave_up {
            assert_eq!(polled.outcome, Outcome::Error, "a silent peer is not given up");
        } else if is_silent {
            self.expect(polled.now);
        } else if is_due && polled.outcome != Outcome::Error {
            let is_behind = polled.waits[0] > 0 || queued.len() > 1;
            self.sent(queued.pop(), polled.now);
            self.looked = polled.sent;
            self.ping_end = is_behind.then_some(polled.sent + polled.waits[1] as u64);
        }
        // what is left are the answers to the pings that came
        let answers = queued.into_iter().map(|seen| {
            assert_eq!((seen.kind, seen.owner), (Kind::Pong, false), "queued without a reason");
            seen.first
        });
        let asked = taken.iter().filter(|seen| seen.kind == Kind::Ping).map(|seen| seen.first);
        let (answers, asked): (Vec<_>, Vec<_>) = (answers.collect(), asked.collect());
        assert_eq!(answers, asked, "each ping is answered at once, and once");
        self.pongs += answers.len() as u64;
    }

    /// Whether a peer that has not answered has taken something of what waits for it since the last
    /// look: it lives.
    fn takes(&mut self, polled: &PollReport) -> bool {
        let takes = polled.sent > self.looked && (polled.waits[1] > 0 || self.ping_end.is_some());
        self.looked = polled.sent;
        self.ping_end = self.ping_end.filter(|end| polled.sent < *end);
        takes
    }

    /// A ping was due, and this was queued.
    fn sent(&mut self, queued: Option<SeenMessage>, now: Instant) {
        let ping = queued.expect("a ping is due");
        assert_eq!((ping.kind, ping.owner), (Kind::Ping, true), "a ping is due");
        self.pings += 1;
        self.waiting = Some(ping.first);
        self.expect(now);
    }

    /// From now on its answer, or another sign of life, has its time.
    fn expect(&mut self, now: Instant) {
        self.due = match self.rule {
            PingRule::Off => None,
            PingRule::WhenIdle { timeout, .. } => Some(now + timeout),
            PingRule::Every { interval } => Some(now + interval),
        };
    }
}
