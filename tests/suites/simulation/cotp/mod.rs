//! COTP: messages of any size over TPDUs of any size and a network that breaks.
//!
//! - Each message comes whole, in order and once, or the connection ends with an error; none is
//!   missing behind an orderly end.
//! - Both ends agree on what they agreed on; who is refused or disconnected sees the reason.
//! - A handshake is given up exactly when its time is over.
//! - After one side has ended its half, what the other says still comes.

mod configs;
mod ends;
mod sides;

use std::collections::BTreeMap;
use std::time::Duration;

use hat_core::cotp::{Connection, Incoming, Reason, Response, TpduSize};
use hat_tests::simulation::{
    ClockId, EndId, Fate, Limits, Network, Occurrence, Seed, Shape, Tally, simulate,
};

use sides::Side;

/// Octets of a message, at most, and of a queue.
const MAX_MESSAGE: usize = 20_000;
const MAX_QUEUED: usize = 50_000;

const HANDSHAKE: Duration = Duration::from_secs(10);
const TOO_LONG: Duration = Duration::from_secs(24 * 3600);

type Net = Network<Connection, Timer>;

/// What the scenario plans.
enum Timer {
    Say(EndId),
    /// The application answers a request.
    Answer(EndId),
    /// A side ends its half of the stream, and still listens.
    ShutDown(EndId),
    Fault(EndId),
    Close(EndId),
}

#[test]
fn cotp() {
    let expected = [
        "connected",
        "raw",
        "messages",
        "expedited",
        "half closed",
        "said to a half closed side",
        "disconnected",
        "refused by the application",
        "refused for its address",
        "handshake timeouts",
        "incomplete",
        "too large",
        "full queues",
        "failed",
        "orderly ends",
        "refused by the network",
    ];
    simulate("cotp", &expected, |seed| Run::new(seed).run());
}

struct Run {
    net: Net,
    sides: BTreeMap<EndId, Side>,
    clocks: Vec<ClockId>,
    tally: Tally,
}

impl Run {
    fn new(seed: Seed) -> Self {
        let limits = Limits { queued: 2 * MAX_QUEUED, wanted: 65535, is_close_answered: false };
        let net = Net::new(seed, limits);
        let mut run = Self { net, sides: BTreeMap::new(), clocks: Vec::new(), tally: Tally::new() };
        for _ in 0..run.net.random.within(1..=3) {
            run.connect();
        }
        run
    }

    fn connect(&mut self) {
        let random = &mut self.net.random;
        let ahead = [(); 2].map(|()| random.duration(Duration::from_secs(1_000_000)));
        let mut shapes = [(); 2].map(|()| Shape::any(random));
        // messages of 20 000 octets get through in minutes
        shapes.iter_mut().for_each(|shape| shape.window = shape.window.max(256));
        let late = random.pick(&[1, 1, 1, 15]);
        let fate = Fate::any(random, 5, Duration::from_secs(late));
        let configs = configs::any(random);
        let clocks = ahead.map(|ahead| self.net.clock(ahead));
        self.clocks.extend(clocks);
        let ends = self.net.connect(clocks, shapes, fate);
        self.net.trace.note(self.net.now(), || format!("{shapes:?} {fate:?}"));
        self.sides.extend(ends.into_iter().zip(configs.map(Side::new)));
    }

    fn run(mut self) -> Tally {
        while let Some(happened) = self.net.step() {
            assert!(self.net.now().since_origin() < TOO_LONG, "the run does not end");
            match happened {
                Occurrence::Up(end) => self.start(end),
                Occurrence::Refused(_) => self.count("refused by the network"),
                Occurrence::Polled(..) => {}
                Occurrence::Incoming(end, incoming) => self.incoming(end, incoming),
                Occurrence::Ended(end, ending) => self.ended(end, ending),
                Occurrence::Timer(Timer::Say(end)) => self.say(end),
                Occurrence::Timer(Timer::Answer(end)) => self.answer(end),
                Occurrence::Timer(Timer::ShutDown(end)) => self.shut_down(end),
                Occurrence::Timer(Timer::Fault(end)) => self.fault(end),
                Occurrence::Timer(Timer::Close(end)) => self.close(end),
            }
        }
        assert_eq!(self.net.running(), 0, "an end has not come to its end");
        self.tally
    }

    fn side(&mut self, end: EndId) -> &mut Side {
        self.sides.get_mut(&end).expect("it was made with the connection")
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    fn start(&mut self, end: EndId) {
        let now = self.net.time_of(end);
        let config = self.side(end).config.clone();
        self.side(end).started = now;
        self.net.trace.note(self.net.now(), || format!("{end} is up: {config:?}"));
        let machine = match self.side(end).is_caller {
            true => Connection::connect(config, now),
            false => Connection::accept(config, now),
        };
        self.net.start(end, machine.expect("a configuration that fits"));
        let random = &mut self.net.random;
        let life = random.pick(&[5, 60, 600]);
        let close = random.duration(Duration::from_secs(life));
        let fault = random.chance(30).then(|| random.duration(close));
        let shut_down = random.chance(30).then(|| random.duration(close));
        self.net.timer(close, Timer::Close(end));
        if let Some(at) = fault {
            self.net.timer(at, Timer::Fault(end));
        }
        if let Some(at) = shut_down {
            self.net.timer(at, Timer::ShutDown(end));
        }
    }

    fn incoming(&mut self, end: EndId, incoming: Incoming) {
        let random = &mut self.net.random;
        let soon = random.duration(Duration::from_secs(12));
        match incoming {
            Incoming::Connect(_) => {
                let after = if random.chance(20) { soon } else { soon / 100 };
                self.net.timer(after, Timer::Answer(end));
            }
            Incoming::Connected(info) => {
                self.count("connected");
                let peer = self.net.peer(end);
                if let (true, Some(theirs)) =
                    (self.net.is_open(peer), self.net.machine(peer).info())
                {
                    assert_eq!(info.tpdu_size, theirs.tpdu_size);
                    assert_eq!(info.expedited, theirs.expedited);
                    assert_eq!(info.local_reference, theirs.remote_reference);
                }
                let peer = &self.side(peer).config;
                if let Some(raw) = &peer.raw_variable_part {
                    assert_eq!(info.variable, raw);
                    self.count("raw");
                }
                self.net.timer(soon / 10, Timer::Say(end));
            }
            Incoming::Data { data, end: is_end } => {
                if self.side(end).got(&data, is_end) {
                    self.count("messages");
                }
            }
            Incoming::Expedited(data) => {
                self.side(end).got_expedited(&data);
                self.count("expedited");
            }
            Incoming::HalfClosed => {
                self.count("half closed");
                let peer = &self.sides[&self.net.peer(end)];
                if (peer.has_left || peer.is_shut) && !peer.is_killed {
                    self.side(end).check_all_came();
                }
                self.net.timer(soon, Timer::Close(end));
            }
            Incoming::Diagnostic(_) => {}
        }
    }

    /// A side says something, and plans when it does again.
    fn say(&mut self, end: EndId) {
        let peer = self.net.peer(end);
        if !self.net.is_open(end) || self.side(end).is_shut {
            return;
        }
        let mut random = self.net.random.clone();
        let side = self.sides.get_mut(&end).expect("it was made with the connection");
        let (said, what) = self.net.call(end, |machine| side.say(machine, &mut random));
        let goes_on = side.said < 25;
        let pause =
            random.pick(&[Duration::ZERO, Duration::from_millis(20), Duration::from_secs(30)]);
        let pause = random.duration(pause);
        self.net.random = random;
        if let Some(said) = said {
            self.net.trace.note(self.net.now(), || format!("{end} says {} octets", said.len()));
            if self.side(peer).is_shut {
                self.count("said to a half closed side");
            }
            self.side(peer).expect(said);
        }
        self.count(what);
        if goes_on {
            self.net.timer(pause, Timer::Say(end));
        }
    }

    fn answer(&mut self, end: EndId) {
        if !self.net.is_open(end) {
            return;
        }
        if self.net.random.chance(30) {
            let reasons = [Reason::NotSpecified, Reason::Congestion, Reason::SessionNotAttached];
            let reason = self.net.random.pick(&reasons);
            self.net.call(end, |machine| machine.refuse(reason, None)).expect("it waits");
            self.side(end).refused = Some(reason);
        } else {
            let max_size = TpduSize::new(self.net.random.within(128..=8192) as u16);
            let response = Response { max_size, ..Response::default() };
            self.net.call(end, |it| it.confirm(&response).map(drop)).expect("it waits");
            self.count("connected");
            self.net.timer(Duration::ZERO, Timer::Say(end));
        }
    }

    /// A side that is between two messages says no more, and listens.
    fn shut_down(&mut self, end: EndId) {
        let may = self.net.is_open(end)
            && self.net.machine(end).info().is_some()
            && !self.side(end).is_in_message()
            && !self.side(end).config.disconnect_on_close;
        if may {
            self.side(end).is_shut = true;
            self.net.shut_down(end);
        }
    }

    fn close(&mut self, end: EndId) {
        if self.net.is_open(end) {
            self.side(end).was_established = self.net.machine(end).info().is_some();
            self.net.close(end);
        }
    }

    fn fault(&mut self, end: EndId) {
        if !self.net.is_running(end) {
            return;
        }
        let random = &mut self.net.random;
        let most = random.pick(&[1, 15, 100]);
        let time = random.duration(Duration::from_secs(most));
        let kind = random.below(7);
        let clock = self.clocks[random.below(self.clocks.len())];
        match kind {
            0 => self.net.freeze(end, time),
            1 => self.net.hold(end, time),
            2 => self.net.cut_off(end, time),
            3 => self.net.jump(clock, Duration::ZERO, time),
            4 => {
                self.side(end).is_killed = true;
                self.net.kill(end);
            }
            _ => self.net.reset(end),
        }
        if matches!(kind, 0 | 1 | 3) {
            self.sides.values_mut().for_each(|side| side.is_exact = false);
        }
    }
}
