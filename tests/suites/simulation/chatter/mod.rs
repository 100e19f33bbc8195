//! Chatter: two sides that say anything that the rules allow, at any time, for hours.
//!
//! - Pings go out exactly when they are due, a peer is given up exactly when it is, neither while
//!   bytes come: [`pings`].
//! - Messages arrive in order, once, and none is missing behind an orderly close; timeouts fire
//!   once and when due: [`books`].
//! - In a calm network no connection is ever lost.

mod books;
mod pings;
mod sides;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use hat_core::chatter::{Config, Connection, Dialect, Error, PingRule};
use hat_tests::simulation::{
    ClockId, EndId, Ending, Fate, Limits, Network, Occurrence, Random, Seed, Shape, Tally, simulate,
};

use sides::Side;

/// A message, at most.
const MAX_MESSAGE: usize = 10_000;

/// How long a message may take. Pings know sooner of every fault here; that rule has tests of its
/// own.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(1_000_000_000);

/// What a queue holds at most beyond messages: pongs and a ping.
const REPLIES: usize = 20 * 32;

/// Virtual time in which every run must have come to its end: two days.
const TOO_LONG: Duration = Duration::from_secs(48 * 3600);

type Net = Network<Connection, Timer>;

/// What the scenario plans.
enum Timer {
    /// A side says something.
    Say(EndId),
    /// Something goes wrong.
    Fault(EndId),
    /// A side closes.
    Close(EndId),
}

#[test]
fn chatter() {
    let expected = [
        "pings",
        "given up",
        "pongs",
        "messages",
        "timeouts",
        "refused sends",
        "full queues",
        "orderly ends",
        "truncated",
        "failed",
        "refused",
    ];
    simulate("chatter", &expected, |seed| Run::new(seed).run());
}

struct Run {
    net: Net,
    sides: BTreeMap<EndId, Side>,
    configs: BTreeMap<EndId, Config>,
    clocks: Vec<ClockId>,
    /// Nothing goes wrong: every connection stays up until it is closed.
    is_calm: bool,
    tally: Tally,
}

impl Run {
    fn new(seed: Seed) -> Self {
        let queued = 2 * MAX_MESSAGE + REPLIES;
        let limits = Limits { queued, wanted: MAX_MESSAGE + 3, is_close_answered: false };
        let mut net = Net::new(seed, limits).watched();
        let is_calm = net.random.chance(25);
        let mut run = Self {
            net,
            sides: BTreeMap::new(),
            configs: BTreeMap::new(),
            clocks: Vec::new(),
            is_calm,
            tally: Tally::new(),
        };
        for _ in 0..run.net.random.within(1..=2) {
            run.connect();
        }
        run
    }

    /// A caller and a called side of one dialect, each with its own clock and its own rule for
    /// pings.
    fn connect(&mut self) {
        let random = &mut self.net.random;
        let ahead = [(); 2].map(|()| random.duration(Duration::from_secs(1_000_000)));
        let mut shapes = [(); 2].map(|()| Shape::any(random));
        if self.is_calm {
            shapes.iter_mut().for_each(|shape| shape.window = 1 << 20);
        }
        let fate = Fate::any(random, 5, Duration::from_secs(1));
        let dialect = random.pick(&[Dialect::Hat, Dialect::HatChatter]);
        let configs = [(); 2].map(|()| config(dialect, random));
        let clocks = ahead.map(|ahead| self.net.clock(ahead));
        self.clocks.extend(clocks);
        let ends = self.net.connect(clocks, shapes, fate);
        self.configs.extend(ends.into_iter().zip(configs));
        self.net.trace.note(self.net.now(), || format!("{shapes:?} {fate:?}"));
    }

    fn run(mut self) -> Tally {
        while let Some(happened) = self.net.step() {
            assert!(self.net.now().since_origin() < TOO_LONG, "the run does not end");
            match happened {
                Occurrence::Up(end) => self.start(end),
                Occurrence::Refused(_) => self.count("refused"),
                Occurrence::Polled(end, polled) => {
                    self.side(end).polled(&polled);
                }
                Occurrence::Incoming(end, incoming) => {
                    let now = self.net.time_of(end);
                    let what = self.side(end).incoming(incoming, now);
                    self.count(what);
                    self.check_open(end);
                }
                Occurrence::Ended(end, ending) => self.ended(end, ending),
                Occurrence::Timer(Timer::Say(end)) => self.say(end),
                Occurrence::Timer(Timer::Fault(end)) => self.fault(end),
                Occurrence::Timer(Timer::Close(end)) => self.close(end),
            }
        }
        assert_eq!(self.net.running(), 0, "an end has not come to its end");
        for (end, side) in &self.sides {
            assert_eq!(self.net.machine(*end).open_conversations(), 0);
            side.count(&mut self.tally);
        }
        self.tally
    }

    fn side(&mut self, end: EndId) -> &mut Side {
        self.sides.get_mut(&end).expect("it was started")
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    fn start(&mut self, end: EndId) {
        let now = self.net.time_of(end);
        let config = self.configs[&end].clone();
        self.net.trace.note(self.net.now(), || format!("{end} is up: {:?}", config.ping));
        self.net.start(end, Connection::new(config.clone(), now));
        self.sides.insert(end, Side::new(&config, now));
        self.hand_over(self.net.peer(end));
        let random = &mut self.net.random;
        let first = random.duration(Duration::from_secs(5));
        let life = random.pick(&[20_000, 1_000, 200, 200]);
        let close = random.duration(Duration::from_secs(life));
        let faults = if self.is_calm { 0 } else { random.size(4) };
        let faults: Vec<_> = (0..faults).map(|_| random.duration(close)).collect();
        self.net.timer(first, Timer::Say(end));
        self.net.timer(close, Timer::Close(end));
        for at in faults {
            self.net.timer(at, Timer::Fault(end));
        }
    }

    /// A side says something, and plans when it does again.
    fn say(&mut self, end: EndId) {
        let now = self.net.time_of(end);
        let Self { net, sides, .. } = self;
        if !net.is_running(end) {
            return;
        }
        let mut random = net.random.clone();
        let side = sides.get_mut(&end).expect("it was started");
        let (sent, what) = net.call(end, |machine| side.say(machine, now, &mut random));
        if let Some(message) = &sent {
            net.trace.note(net.now(), || format!("{end} says {message:?}"));
        }
        let pause =
            random.pick(&[Duration::ZERO, Duration::from_secs(3), Duration::from_secs(300)]);
        let pause = random.duration(pause);
        let goes_on = side.said < 40;
        net.random = random;
        if goes_on {
            net.timer(pause, Timer::Say(end));
        }
        if let Some(message) = sent {
            side.to_peer.push_back(message);
            self.hand_over(end);
        }
        self.count(what);
        self.check_open(end);
    }

    /// What a side said is what its peer must get, once both are up.
    fn hand_over(&mut self, end: EndId) {
        let peer = self.net.peer(end);
        if let (true, Some(side)) = (self.sides.contains_key(&peer), self.sides.get_mut(&end)) {
            let mut said = std::mem::take(&mut side.to_peer);
            self.side(peer).books.expected.append(&mut said);
        }
    }

    fn check_open(&mut self, end: EndId) {
        let is_open = self.net.is_open(end);
        let open = self.net.machine(end).open_conversations();
        let known = self.side(end).books.open();
        assert_eq!(open, if is_open { known } else { 0 }, "open conversations of {end}");
    }

    fn close(&mut self, end: EndId) {
        if self.net.is_running(end) {
            self.net.close(end);
            self.side(end).close();
        }
    }

    fn fault(&mut self, end: EndId) {
        if !self.net.is_running(end) {
            return;
        }
        let random = &mut self.net.random;
        let most = random.pick(&[1, 30, 200]);
        let time = random.duration(Duration::from_secs(most));
        let kind = random.below(6);
        let clock = self.clocks[random.below(self.clocks.len())];
        match kind {
            0 => self.net.freeze(end, time),
            1 => self.net.hold(end, time),
            2 => self.net.cut_off(end, time),
            3 => self.net.jump(clock, Duration::ZERO, time * 20),
            4 => self.net.kill(end),
            _ => self.net.reset(end),
        }
        if matches!(kind, 0 | 1 | 3) {
            // from here on polls may be late, on one machine and so on its clock
            self.sides.values_mut().for_each(|side| side.is_exact = false);
        }
    }

    fn ended(&mut self, end: EndId, ending: Ending<Error>) {
        let peer = self.net.peer(end);
        let peer_is_orderly = self.sides.get(&peer).is_some_and(|side| side.is_orderly);
        let side = self.side(end);
        let what = match &ending {
            Ending::Error(Error::Closed) if side.is_closing => {
                side.is_orderly = true;
                "closed"
            }
            Ending::Error(Error::Closed) if peer_is_orderly => {
                let missing = side.books.expected.len();
                assert_eq!(missing, 0, "the peer closed, and messages of it never came");
                "orderly ends"
            }
            Ending::Error(Error::Closed) => "closed at a message",
            Ending::Error(Error::PingTimeout) => {
                assert!(side.pings.gave_up, "a peer was given up that was not due");
                "given up"
            }
            Ending::Error(Error::Truncated { .. }) | Ending::Cut(Error::Truncated { .. }) => {
                "truncated"
            }
            Ending::Cut(Error::Closed | Error::PingTimeout) | Ending::Failed => "failed",
            Ending::Stalled => "stalled",
            other => panic!("{end} ended with {other:?}"),
        };
        let in_order = matches!(what, "closed" | "orderly ends");
        assert!(in_order || !self.is_calm, "a connection was lost in a calm network: {what}");
        self.count(what);
        self.side(end).close();
    }
}

/// The limits that a side of one dialect works with.
fn config(dialect: Dialect, random: &mut Random) -> Config {
    let mut time = || Duration::from_millis(random.within(2_000..=40_000) as u64);
    let (one, other) = (time(), time());
    let rules = [
        PingRule::Off,
        PingRule::WhenIdle { delay: one, timeout: other },
        PingRule::WhenIdle { delay: one, timeout: other },
        PingRule::Every { interval: one },
    ];
    Config {
        ping: random.pick(&rules),
        max_message: MAX_MESSAGE,
        max_queued: random.pick(&[100, 2_000, 2 * MAX_MESSAGE]),
        max_unsent_replies: random.within(1..=16),
        strict: random.chance(50),
        message_timeout: MESSAGE_TIMEOUT,
        ..Config::new(dialect)
    }
}
