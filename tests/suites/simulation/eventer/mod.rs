//! Eventer: a server and 50 clients that come and go, subscribe, register, query, read slowly, and
//! break off.
//!
//! - A client sees the events of its subscription in order, once, and none is missing while it is
//!   connected.
//! - Every request ends in its answer or with the connection.
//! - Acks complete exactly when every client that got the events has acknowledged them or is gone.
//! - When all have gone nothing is left.
//!
//! [`line`] knows what must come on each connection, [`server`] is the application over the
//! machines.

mod client_side;
mod ends;
mod line;
mod plant;
mod server;
mod server_side;

use std::collections::BTreeMap;
use std::time::Duration;

use hat_core::chatter;
use hat_core::eventer::Event;
use hat_core::eventer::client::{self, AckId, Client};
use hat_core::eventer::server::{Connection, RequestId};
use hat_tests::simulation::{
    ClockId, Either, EndId, Fate, Limits, Network, Occurrence, Seed, Shape, Tally, simulate,
};

use line::Line;
use server::{PendingAnswer, Server};

/// Clients of one run: now and then as many as the rule says, mostly a few, where a fault weighs
/// more.
const CLIENTS: usize = 50;
const FEW: usize = 8;

/// Bytes that may wait for one client, at most.
const MAX_QUEUED: usize = 100_000;

const MAX_MESSAGE: usize = 50_000;

/// More requests than any client of a run has open.
const MANY_REQUESTS: usize = 1024;

/// Virtual time in which the clients come, and after which what was said must have come.
const COMING: Duration = Duration::from_secs(200);
const SETTLED: Duration = Duration::from_secs(1_500);
const TOO_LONG: Duration = Duration::from_secs(48 * 3600);

type Net = Network<Either<Client, Connection>, Timer>;

/// What the scenario plans.
enum Timer {
    /// A client connects.
    Come,
    /// A client does something.
    Act(EndId),
    Ack(EndId, AckId),
    Fault(EndId),
    Close(EndId),
    /// The server decides about a client.
    Decide(EndId),
    Answer(EndId, RequestId, PendingAnswer),
    /// Events are stored for good.
    Persist(Vec<Event>),
    Status,
    /// All that was said must have come.
    Settle,
}

#[test]
fn eventer() {
    let expected = [
        "events",
        "acks",
        "complete",
        "registered",
        "queried",
        "statuses",
        "rejected",
        "forgotten",
        "too slow",
        "refused",
        "failed",
        "given up",
        "init timeouts",
        "as many requests as allowed",
        "clock jumps",
        "settled",
        "orderly ends",
    ];
    simulate("eventer", &expected, |seed| Run::new(seed).run());
}

struct Run {
    net: Net,
    server: Server,
    clock: ClockId,
    clocks: Vec<ClockId>,
    /// By the client's end.
    lines: BTreeMap<EndId, Line>,
    /// Nothing new is said: what is on its way comes.
    is_settling: bool,
    tally: Tally,
}

impl Run {
    fn new(seed: Seed) -> Self {
        let limits = Limits {
            queued: MAX_QUEUED + MAX_MESSAGE,
            wanted: MAX_MESSAGE + 4,
            is_close_answered: false,
        };
        let mut net = Net::new(seed, limits);
        let ahead = net.random.duration(Duration::from_secs(1_000_000));
        let clock = net.clock(ahead);
        let clients = if net.random.chance(5) { CLIENTS } else { net.random.within(1..=FEW) };
        let coming = COMING * clients as u32 / CLIENTS as u32;
        for _ in 0..clients {
            let at = net.random.duration(coming);
            net.timer(at, Timer::Come);
        }
        net.timer(coming / 3, Timer::Status);
        net.timer(coming / 2, Timer::Status);
        net.timer(SETTLED, Timer::Settle);
        Self {
            net,
            server: Server::default(),
            clock,
            clocks: vec![clock],
            lines: BTreeMap::new(),
            is_settling: false,
            tally: Tally::new(),
        }
    }

    fn run(mut self) -> Tally {
        while let Some(happened) = self.net.step() {
            assert!(self.net.now().since_origin() < TOO_LONG, "the run does not end");
            match happened {
                Occurrence::Up(end) if self.lines.contains_key(&end) => self.start_client(end),
                Occurrence::Up(end) => self.start_server(end),
                Occurrence::Refused(_) => self.count("refused"),
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
        assert!(self.server.registry.is_empty(), "a client is still in the registry");
        assert!(self.server.notifications.is_empty(), "acks that did not complete");
        self.tally
    }

    fn time(&mut self, timer: Timer) {
        match timer {
            Timer::Come => self.come(),
            Timer::Act(end) => self.act(end),
            Timer::Ack(end, ack) => self.ack(end, ack),
            Timer::Fault(end) => self.fault(end),
            Timer::Close(end) => self.close(end),
            Timer::Decide(end) => self.decide(end),
            Timer::Answer(end, request, answered) => self.answer(end, request, answered),
            Timer::Persist(events) => self.notify(&events, true, None),
            Timer::Status => self.change_status(),
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
        // an event of 3000 bytes must get through in seconds
        for shape in &mut shapes {
            shape.window = shape.window.max(1024);
            shape.piece = shape.piece.max(40);
        }
        let late = random.pick(&[1, 1, 1, 1, 1, 1, 1, 50]);
        let fate = Fate::any(random, 4, Duration::from_secs(late));
        let (init, max_requests) = (plant::init(random), random.pick(&[1, 3, MANY_REQUESTS]));
        let clock = self.net.clock(ahead);
        self.clocks.push(clock);
        let [client, _] = self.net.connect([clock, self.clock], shapes, fate);
        self.lines.insert(client, Line::new(init, max_requests));
    }

    fn close(&mut self, end: EndId) {
        if self.net.is_open(end) {
            self.net.close(end);
            self.gone(end);
        }
    }

    /// The server closed a connection, or it is over for it: the client is no longer among the
    /// others.
    fn gone(&mut self, end: EndId) {
        if !self.lines.contains_key(&end) {
            let complete = self.server.gone(end);
            self.complete(complete);
        }
    }

    fn fault(&mut self, end: EndId) {
        if self.net.any_fault(end, &self.clocks) {
            self.count("clock jumps");
        }
    }
}

/// The limits of either side's Chatter.
fn chatter_config(max_queued: usize) -> chatter::Config {
    chatter::Config { max_queued, max_message: MAX_MESSAGE, strict: true, ..Default::default() }
}

fn client_config(max_requests: usize) -> client::Config {
    let chatter = chatter_config(MAX_QUEUED);
    client::Config { chatter, max_requests, ..client::Config::default() }
}
