//! The network: who is connected with whom, what time it is, and what happens next.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use hat_core::protocol::Protocol;
use hat_core::time::Instant;

use super::agenda::{Agenda, Plan};
use super::contract::Limits;
use super::end::{End, EndId, Ending, Phase};
use super::seeds::Seed;
use super::stream::{Shape, Stream};
use super::trace::Trace;
use super::{Random, drive};

/// Names a clock: each machine has one, and machines of one process share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockId(usize);

impl ClockId {
    pub(super) fn index(self) -> usize {
        self.0
    }
}

/// What becomes of an attempt to connect.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It fails after this time.
    Refused(Duration),
    /// It is up at the caller after `up`, and taken by the called side `taken` later: until then
    /// what is sent lies in the system.
    Up {
        /// From the attempt on.
        up: Duration,
        /// From `up` on.
        taken: Duration,
    },
}

impl Fate {
    /// Refused in so many of a hundred cases. It takes up to a second to be up or refused, and up
    /// to `late` to be taken.
    pub fn any(random: &mut Random, refused: usize, late: Duration) -> Self {
        let second = Duration::from_secs(1);
        match random.chance(refused) {
            true => Self::Refused(random.duration(second)),
            false => Self::Up { up: random.duration(second), taken: random.duration(late) },
        }
    }
}

/// What a scenario is told: it decides what comes of it.
pub enum Occurrence<M: Protocol, T> {
    /// The connection is up: [`start`](Network::start) a machine.
    Up(EndId),
    /// It was refused, at the caller.
    Refused(EndId),
    /// What a poll did, in a network that is [`watched`](Network::watched): comes in front of what
    /// it gave.
    Polled(EndId, PollReport),
    /// A machine gave something.
    Incoming(EndId, M::Incoming),
    /// The connection is over for this side.
    Ended(EndId, Ending<M::Error>),
    /// A timer of the scenario.
    Timer(T),
}

/// What a poll did, seen from outside.
#[derive(Debug)]
pub struct PollReport {
    /// The time that the machine was told.
    pub now: Instant,
    /// Bytes had come since the poll before.
    pub arrived: bool,
    /// What it took from the receive buffer.
    pub consumed: Vec<u8>,
    /// What it queued.
    pub queued: Vec<u8>,
    /// What it gave.
    pub outcome: Outcome,
    /// It gave nothing because something of its own holds it up, and read nothing.
    pub held_up: bool,
    /// Its deadline after it.
    pub deadline: Option<Instant>,
    /// Bytes of what it ever queued that are with the network.
    pub sent: u64,
    /// Bytes that wait for it, before the poll and after it.
    pub waits: [usize; 2],
}

/// What a poll gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something, which follows.
    Incoming,
    /// Nothing.
    Nothing,
    /// An error, which follows.
    Error,
}

/// Machines of type `M` (see [`Either`](super::Either) for two types), connections between them,
/// and timers `T` of the scenario.
pub struct Network<M: Protocol, T> {
    /// Where all that is random in a run comes from.
    pub random: Random,
    /// What is printed if the run fails.
    pub trace: Trace,
    pub(super) now: Instant,
    /// How far each clock is ahead of virtual time.
    pub(super) clocks: Vec<Duration>,
    pub(super) ends: Vec<End<M>>,
    pub(super) agenda: Agenda<T>,
    pub(super) runnable: VecDeque<EndId>,
    pub(super) happened: VecDeque<Occurrence<M, T>>,
    pub(super) limits: Limits,
    pub(super) is_watched: bool,
}

impl<M: Protocol<Incoming: fmt::Debug>, T> Network<M, T> {
    /// An empty network at the origin of time. All that is random in it comes from `seed`.
    #[must_use]
    pub fn new(seed: Seed, limits: Limits) -> Self {
        Self {
            random: Random::new(seed.number),
            trace: Trace::new(seed.is_traced),
            now: Instant::ORIGIN,
            clocks: Vec::new(),
            ends: Vec::new(),
            agenda: Agenda::new(),
            runnable: VecDeque::new(),
            happened: VecDeque::new(),
            limits,
            is_watched: false,
        }
    }

    /// Each poll is reported too.
    #[must_use]
    pub fn watched(self) -> Self {
        Self { is_watched: true, ..self }
    }

    /// What happens next. `None`: nothing ever will.
    pub fn step(&mut self) -> Option<Occurrence<M, T>> {
        loop {
            if let Some(happened) = self.happened.pop_front() {
                return Some(happened);
            }
            if let Some(&end) = self.runnable.front() {
                drive::run(self, end);
                continue;
            }
            let (at, plan) = self.agenda.next()?;
            self.now = self.now.max(at);
            self.carry_out(plan);
        }
    }

    fn carry_out(&mut self, plan: Plan<T>) {
        match plan {
            Plan::Arrive(end) => drive::arrive(self, end),
            Plan::Wake(end) => drive::wake(self, end),
            Plan::Fail(end) => drive::fail(self, end),
            Plan::Up(end) => self.happened.push_back(Occurrence::Up(end)),
            Plan::Refused(end) => self.happened.push_back(Occurrence::Refused(end)),
            Plan::Timer(timer) => self.happened.push_back(Occurrence::Timer(timer)),
            Plan::Jump(clock, by) => {
                self.clocks[clock.0] += by;
                self.trace.note(self.now, || format!("clock {} jumps by {by:?}", clock.0));
                for index in 0..self.ends.len() {
                    if self.ends[index].clock == clock {
                        drive::jumped(self, EndId(index));
                    }
                }
            }
        }
    }

    /// Virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The time that the machine of this end is told.
    #[must_use]
    pub fn time_of(&self, end: EndId) -> Instant {
        self.now + self.clocks[self.ends[end.0].clock.0]
    }

    /// A clock that is `ahead` of virtual time.
    pub fn clock(&mut self, ahead: Duration) -> ClockId {
        self.clocks.push(ahead);
        ClockId(self.clocks.len() - 1)
    }

    /// A timer of the scenario.
    pub fn timer(&mut self, after: Duration, timer: T) {
        self.agenda.plan(self.now + after, Plan::Timer(timer));
    }

    /// Somebody connects: gives the caller's end and the called one. `shapes`: how what travels
    /// towards each behaves.
    pub fn connect(&mut self, clocks: [ClockId; 2], shapes: [Shape; 2], fate: Fate) -> [EndId; 2] {
        let first = self.ends.len();
        let [caller, called] = [EndId(first), EndId(first + 1)];
        for (clock, shape) in clocks.into_iter().zip(shapes) {
            self.ends.push(End::new(clock, Stream::new(shape)));
        }
        match fate {
            Fate::Refused(after) => self.agenda.plan(self.now + after, Plan::Refused(caller)),
            Fate::Up { up, taken } => {
                self.agenda.plan(self.now + up, Plan::Up(caller));
                self.agenda.plan(self.now + up + taken, Plan::Up(called));
            }
        }
        [caller, called]
    }

    /// Starts the machine of an end that is up.
    pub fn start(&mut self, end: EndId, machine: M) {
        let it = &mut self.ends[end.0];
        assert_eq!(it.phase, Phase::Waiting);
        (it.machine, it.phase) = (Some(machine), Phase::Running);
        self.runs(end);
    }

    /// The machine of an end, which was started.
    pub fn machine(&mut self, end: EndId) -> &mut M {
        self.ends[end.0].machine()
    }

    /// A call of the application.
    pub fn call<R>(&mut self, end: EndId, call: impl FnOnce(&mut M) -> R) -> R {
        self.runs(end);
        call(self.ends[end.0].machine())
    }

    /// The application starts the end.
    pub fn close(&mut self, end: EndId) {
        self.trace.note(self.now, || format!("{end} closes"));
        self.ends[end.0].closing = true;
        self.call(end, M::close);
    }

    /// The machine runs: it was started, and is not over.
    #[must_use]
    pub fn is_running(&self, end: EndId) -> bool {
        self.ends[end.0].phase == Phase::Running
    }

    /// The machine runs, and the application did not close it.
    #[must_use]
    pub fn is_open(&self, end: EndId) -> bool {
        self.is_running(end) && !self.ends[end.0].closing
    }

    /// The application closed it.
    #[must_use]
    pub fn is_closing(&self, end: EndId) -> bool {
        self.ends[end.0].closing
    }

    /// The other end of the connection.
    #[must_use]
    pub fn peer(&self, end: EndId) -> EndId {
        EndId(end.0 ^ 1)
    }

    /// Ends that have a driver still.
    #[must_use]
    pub fn running(&self) -> usize {
        let is_over = |end: &&End<M>| !matches!(end.phase, Phase::Waiting | Phase::Gone { .. });
        self.ends.iter().filter(is_over).count()
    }

    pub(super) fn runs(&mut self, end: EndId) {
        let it = &mut self.ends[end.0];
        if !it.runnable {
            it.runnable = true;
            self.runnable.push_back(end);
        }
    }
}

impl fmt::Display for EndId {
    /// Two ends of one connection have one number: `3a` called `3b`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0 / 2, if self.0.is_multiple_of(2) { 'a' } else { 'b' })
    }
}
