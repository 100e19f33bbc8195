//! Juggler 0.7: a server and clients that come and go, follow its states, ask, are notified, read
//! slowly, and break off.
//!
//! - What a client sees is at every moment a state that the server had, never an older one than
//!   before, and in the end the last one.
//! - Every request ends in its answer or with the connection; notifications come in order, and none
//!   is missing behind an orderly end.
//! - Where nothing goes wrong, no connection ends but by a side that closes.
//! - When all have gone nothing is left.
//!
//! [`line`] knows what must come on each connection, [`plant`] what is random about it.

mod client_side;
mod ends;
mod line;
mod plant;
mod server_side;

use std::collections::BTreeMap;
use std::time::Duration;

use hat_core::json::Value;
use hat_core::juggler::State;
use hat_core::juggler::client::Client;
use hat_core::juggler::server::{Connection, RequestId};
use hat_tests::simulation::{
    ClockId, Either, EndId, Fate, Limits, Network, Occurrence, Seed, Shape, Tally, simulate,
};

use line::Line;

/// Clients of one run.
const CLIENTS: usize = 6;

/// Bytes that may wait for one client, at most, and of a message.
const MAX_QUEUED: usize = 100_000;
const MAX_MESSAGE: usize = 50_000;

/// Virtual time in which the clients come and the states change, and after which what was said must
/// have come.
const COMING: Duration = Duration::from_secs(100);
const SETTLED: Duration = Duration::from_secs(1_500);
const TOO_LONG: Duration = Duration::from_secs(48 * 3600);

type Net = Network<Either<Client, Connection>, Timer>;

/// What the scenario plans.
enum Timer {
    /// A client connects.
    Come,
    /// A client does something.
    Act(EndId),
    Fault(EndId),
    Close(EndId),
    /// The server decides about a client.
    Decide(EndId),
    Answer(EndId, RequestId, Result<Value, Value>),
    /// The shared state changes; is flushed.
    Change,
    Flush,
    /// A connection's own state changes; is flushed.
    ChangeOwn(EndId),
    FlushOwn(EndId),
    Notify,
    /// All that was said must have come.
    Settle,
}

#[test]
fn juggler() {
    let expected = [
        "open",
        "states",
        "own states",
        "answers",
        "echoes",
        "notifications",
        "rejected",
        "forgotten",
        "too many requests",
        "full queues",
        "too slow",
        "fell behind",
        "refused by the network",
        "failed",
        "given up",
        "handshake timeouts",
        "close timeouts",
        "lost",
        "truncated",
        "settled",
        "orderly ends",
    ];
    simulate("juggler", &expected, |seed| Run::new(seed).run());
}

struct Run {
    net: Net,
    /// The server's clock.
    clock: ClockId,
    clocks: Vec<ClockId>,
    /// The state that most connections follow, and all that it ever was.
    shared: State,
    history: Vec<Value>,
    /// By the client's end.
    lines: BTreeMap<EndId, Line>,
    /// Nothing goes wrong: every connection stays up until it is closed.
    is_calm: bool,
    tally: Tally,
}

impl Run {
    fn new(seed: Seed) -> Self {
        let queued = MAX_QUEUED + 2 * MAX_MESSAGE;
        let limits = Limits { queued, wanted: MAX_MESSAGE + 14, is_close_answered: true };
        let mut net = Net::new(seed, limits);
        let is_calm = net.random.chance(25);
        let ahead = net.random.duration(Duration::from_secs(1_000_000));
        let clock = net.clock(ahead);
        for _ in 0..net.random.within(1..=CLIENTS) {
            let at = net.random.duration(COMING);
            net.timer(at, Timer::Come);
        }
        for _ in 0..net.random.below(40) {
            let at = net.random.duration(COMING * 2);
            net.timer(at, Timer::Change);
        }
        for _ in 0..net.random.below(30) {
            let at = net.random.duration(COMING * 2);
            net.timer(at, Timer::Notify);
        }
        net.timer(SETTLED, Timer::Settle);
        Self {
            net,
            clock,
            clocks: vec![clock],
            shared: State::default(),
            history: vec![Value::Null],
            lines: BTreeMap::new(),
            is_calm,
            tally: Tally::new(),
        }
    }

    fn run(mut self) -> Tally {
        while let Some(happened) = self.net.step() {
            assert!(self.net.now().since_origin() < TOO_LONG, "the run does not end");
            match happened {
                Occurrence::Up(end) if self.lines.contains_key(&end) => self.start_client(end),
                Occurrence::Up(end) => self.start_server(end),
                Occurrence::Refused(_) => self.count("refused by the network"),
                Occurrence::Polled(..) => {}
                Occurrence::Incoming(end, Either::Client(incoming)) => {
                    self.client_got(end, incoming);
                }
                Occurrence::Incoming(end, Either::Server(incoming)) => {
                    self.server_got(end, incoming);
                }
                Occurrence::Ended(end, ending) => self.ended(end, ending),
                Occurrence::Timer(timer) => self.time(timer),
            }
        }
        assert_eq!(self.net.running(), 0, "an end has not come to its end");
        self.tally
    }

    fn time(&mut self, timer: Timer) {
        match timer {
            Timer::Come => self.come(),
            Timer::Act(end) => self.act(end),
            Timer::Fault(end) => self.fault(end),
            Timer::Close(end) => self.close(end),
            Timer::Decide(end) => self.decide(end),
            Timer::Answer(end, request, result) => self.answer(end, request, result),
            Timer::Change => self.change(),
            Timer::Flush => self.flush(),
            Timer::ChangeOwn(end) => self.change_own(end),
            Timer::FlushOwn(end) => self.flush_own(end),
            Timer::Notify => self.notify(),
            Timer::Settle => self.settle(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// The connection that an end belongs to.
    fn line(&mut self, end: EndId) -> &mut Line {
        let client = if self.lines.contains_key(&end) { end } else { self.net.peer(end) };
        self.lines.get_mut(&client).expect("every connection has a line")
    }

    /// A client connects, over a network of its own kind.
    fn come(&mut self) {
        let random = &mut self.net.random;
        let ahead = random.duration(Duration::from_secs(1_000_000));
        let mut shapes = [(); 2].map(|()| Shape::any(random));
        // a state of 3000 bytes must get through in seconds
        for shape in &mut shapes {
            shape.window = shape.window.max(if self.is_calm { 1 << 20 } else { 1024 });
            shape.piece = shape.piece.max(40);
        }
        let late = if self.is_calm { 1 } else { random.pick(&[1, 1, 1, 1, 1, 1, 1, 50]) };
        let fate = Fate::any(random, 4, Duration::from_secs(late));
        let line = Line::new(random);
        let clock = self.net.clock(ahead);
        self.clocks.push(clock);
        let [client, _] = self.net.connect([clock, self.clock], shapes, fate);
        self.net.trace.note(self.net.now(), || format!("{client}: {shapes:?} {fate:?}"));
        self.lines.insert(client, line);
    }

    fn close(&mut self, end: EndId) {
        if self.net.is_open(end) {
            self.net.close(end);
        }
    }

    fn fault(&mut self, end: EndId) {
        if self.net.any_fault(end, &self.clocks) {
            self.count("clock jumps");
        }
    }
}
