//! Catching up against several servers that restart, lose events, give ids again, forget the
//! oldest, store later than they tell, have clocks that differ, send more than the client takes,
//! and fail at any message.

mod site;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use hat_core::eventer::reconnect::{CatchUp, CatchUpConfig, Gap, Interest, Position};
use hat_core::eventer::{Event, Subscription};
use proptest::prelude::*;

use crate::event_type;
use site::{Site, weight};

/// What a client takes, or a server sends, in one message.
const MOST: usize = 20;

/// Events that are not stored yet, at the most, before one more session.
const UNSTORED: usize = 8;

/// Seconds by which the clocks of servers differ at the most, and what that comes to together with
/// events that are told once they are stored.
const AHEAD: i64 = 10;
const LOOK_BACK: Duration = Duration::from_secs(20);

/// What happens next between a site and its client.
#[derive(Clone, Debug)]
enum Step {
    /// A server registers events of these types as one session.
    Register(i64, Vec<&'static str>),
    /// What was registered is stored.
    Flush,
    /// What was not stored is lost, the connection ends.
    Crash,
    /// All is lost, the connection ends.
    Wipe,
    /// The series keeps so many events.
    Trim(usize),
    /// The client takes what it was told next.
    Take,
    /// The client's question is answered, and the answer is taken before what was told.
    Answer,
    /// The connection ends instead of an answer.
    Fail,
    /// An answer does not come in time.
    GiveUp,
    /// The client is another one, which knows the positions.
    Restart,
    Disconnect,
    Connect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let types = prop::collection::vec(
        prop_oneof![
            8 => Just("a/1"),
            4 => Just("a/2"),
            4 => Just("other"),
            1 => Just("a/fat"),
            1 => Just("other/fat"),
            1 => Just("a/huge"),
            1 => Just("other/huge"),
        ],
        1..4,
    );
    let step = prop_oneof![
        8 => (prop_oneof![8 => Just(1_i64), 2 => Just(2), 1 => Just(3)], types)
            .prop_map(|(server, types)| Step::Register(server, types)),
        3 => Just(Step::Flush),
        1 => Just(Step::Crash),
        1 => prop_oneof![3 => Just(Step::Crash), 1 => Just(Step::Wipe)],
        1 => (1_usize..8).prop_map(Step::Trim),
        8 => Just(Step::Take),
        12 => Just(Step::Answer),
        1 => prop_oneof![2 => Just(Step::Fail), 1 => Just(Step::GiveUp), 1 => Just(Step::Restart)],
        2 => Just(Step::Disconnect),
        6 => Just(Step::Connect),
    ];
    prop::collection::vec(step, 0..150)
}

/// How servers and clients are.
#[derive(Clone, Debug)]
struct Setup {
    /// The most events of an answer.
    page: usize,
    server_id: Option<i64>,
    persisted: bool,
    max_servers: usize,
    max_results: Option<i64>,
    ahead: [i64; 3],
    limit: Limit,
}

/// Whether events have a size, and whom it is too large for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    None,
    OfClient,
    OfServer,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            page: 3,
            server_id: None,
            persisted: false,
            max_servers: 256,
            max_results: None,
            ahead: [0; 3],
            limit: Limit::None,
        }
    }
}

fn setups() -> impl Strategy<Value = Setup> {
    let server_id = prop_oneof![2 => Just(None), 1 => Just(Some(1)), 1 => Just(Some(2))];
    let max_servers = prop_oneof![4 => Just(256_usize), 1 => Just(1), 1 => Just(2)];
    let max_results = prop_oneof![2 => Just(None), 1 => Just(Some(4))];
    let ahead = prop_oneof![1 => Just([0; 3]), 2 => prop::array::uniform3(0..=AHEAD)];
    let limit =
        prop_oneof![2 => Just(Limit::None), 1 => Just(Limit::OfClient), 1 => Just(Limit::OfServer)];
    let all = (1_usize..6, server_id, any::<bool>(), max_servers, max_results, ahead, limit);
    all.prop_map(|(page, server_id, persisted, max_servers, max_results, ahead, limit)| Setup {
        page,
        server_id,
        persisted,
        max_servers,
        max_results,
        ahead,
        limit,
    })
}

/// A client, and what must come of it.
struct Model {
    setup: Setup,
    site: Site,
    catch_up: CatchUp<()>,
    subscription: Subscription,
    link: Link,
    told: VecDeque<Vec<Event>>,
    given: BTreeSet<Position>,
    received: BTreeSet<Position>,
    /// Places in the log from here on concern the client: since there was a position.
    from: Option<usize>,
    /// Those before here do not: the position was asked for first then.
    earliest: Option<usize>,
    /// Of those, the ones that may be missing: a gap was told.
    excused: BTreeSet<usize>,
    /// Servers that were known when the last catching up ended.
    known: BTreeSet<i64>,
    /// Questions went unanswered since then.
    unanswered: bool,
    /// What was told at the end of each catching up.
    gaps: Vec<Option<Gap>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Link {
    Down,
    /// A connection that subscribes to nothing.
    Positioning,
    /// One that subscribes; whether catching up has ended.
    Up {
        caught_up: bool,
    },
}

impl Model {
    fn new(setup: Setup) -> Self {
        let mut site = Site::default();
        site.ahead = setup.ahead;
        site.most = (setup.limit == Limit::OfServer).then_some(MOST);
        Self {
            site,
            catch_up: client(&setup, []),
            setup,
            subscription: subscription(),
            link: Link::Down,
            told: VecDeque::new(),
            given: BTreeSet::new(),
            received: BTreeSet::new(),
            from: None,
            earliest: None,
            excused: BTreeSet::new(),
            known: BTreeSet::new(),
            unanswered: false,
            gaps: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Register(server, names) => {
                if self.setup.persisted && self.site.unstored() >= UNSTORED {
                    self.step(&Step::Flush);
                }
                let events = self.site.register(*server, names);
                if !self.setup.persisted {
                    self.tell(events);
                }
            }
            Step::Flush => {
                for events in self.site.flush() {
                    if self.setup.persisted {
                        self.tell(events);
                    }
                }
            }
            Step::Crash => {
                self.site.crash();
                self.disconnect();
            }
            Step::Wipe => {
                self.site.wipe();
                self.disconnect();
            }
            Step::Trim(count) => self.site.trim(*count),
            Step::Take => {
                if let Some(events) = self.told.pop_front() {
                    if self.is_too_large(&events) {
                        self.fail(&events);
                        return;
                    }
                    self.received.extend(events.iter().map(Position::from));
                    if let Some((events, ())) = self.catch_up.told(events, ()) {
                        self.give(events);
                    }
                    self.go_on();
                }
            }
            Step::Answer if self.link != Link::Down => {
                if let Some(params) = self.catch_up.query() {
                    let before = self.site.log.len();
                    let answer = self.site.query(&params, self.setup.page);
                    if self.is_too_large(&answer.events) {
                        self.fail(&answer.events);
                        return;
                    }
                    if self.link == Link::Positioning {
                        self.from = Some(before);
                    }
                    let events = self.catch_up.answered(answer);
                    self.give(events);
                    self.go_on();
                }
            }
            Step::Answer => {}
            Step::Fail => {
                if self.link != Link::Down && self.catch_up.query().is_some() {
                    self.fail(&[]);
                }
            }
            Step::GiveUp => {
                if self.link != Link::Down && self.catch_up.query().is_some() {
                    self.unanswered = true;
                    self.catch_up.give_up();
                    self.go_on();
                }
            }
            Step::Restart => {
                let positions: Vec<_> = self.catch_up.positions().collect();
                if self.link == (Link::Up { caught_up: true }) && !positions.is_empty() {
                    self.catch_up = client(&self.setup, positions);
                    self.disconnect();
                }
            }
            Step::Disconnect => self.disconnect(),
            Step::Connect if self.link == Link::Down => {
                if self.catch_up.needs_position() {
                    self.link = Link::Positioning;
                    self.earliest.get_or_insert(self.site.log.len());
                    self.catch_up.position();
                } else {
                    self.connect();
                }
                self.go_on();
            }
            Step::Connect => {}
        }
    }

    fn wants(&self, event: &Event) -> bool {
        self.setup.server_id.is_none_or(|server| server == event.id.server)
            && self.subscription.matches(&event.event_type)
    }

    fn tell(&mut self, mut events: Vec<Event>) {
        events.retain(|event| self.wants(event));
        if matches!(self.link, Link::Up { .. }) && !events.is_empty() {
            self.told.push_back(events);
        }
    }

    fn is_too_large(&self, events: &[Event]) -> bool {
        self.setup.limit == Limit::OfClient && events.iter().map(weight).sum::<usize>() > MOST
    }

    /// The connection ends because of a message with these events; it is not always known why.
    fn fail(&mut self, events: &[Event]) {
        let bytes = events.iter().map(weight).sum::<usize>() as u64;
        self.unanswered = true;
        self.catch_up.failed((bytes % 2 == 1).then_some((bytes, MOST)));
        self.disconnect();
    }

    fn connect(&mut self) {
        self.link = Link::Up { caught_up: false };
        self.catch_up.connected();
    }

    fn disconnect(&mut self) {
        self.link = Link::Down;
        self.told.clear();
    }

    /// What the driver does where nothing is to be asked any more.
    fn go_on(&mut self) {
        if self.link == Link::Down || self.catch_up.query().is_some() {
            return;
        }
        if self.link == Link::Positioning {
            self.connect();
            return self.go_on();
        }
        while let Some((events, ())) = self.catch_up.release() {
            self.give(events);
        }
        if self.link == (Link::Up { caught_up: false }) {
            self.link = Link::Up { caught_up: true };
            self.caught_up();
        }
    }

    fn give(&mut self, events: Vec<Event>) {
        let before = &self.site.log[..self.earliest.unwrap_or(0)];
        let before: BTreeSet<Position> = before.iter().map(|it| (&it.event).into()).collect();
        for event in events {
            assert!(self.wants(&event), "not asked for: {event:?}");
            let position = Position::from(&event);
            // what is stored later is new; and where there was a gap, it is not certain what is
            let is_certain = !self.setup.persisted
                && !self.unanswered
                && self.setup.limit == Limit::None
                && self.gaps.iter().all(Option::is_none);
            let is_old = is_certain && before.contains(&position);
            assert!(!is_old, "before the position: {event:?}");
            assert!(self.given.insert(position), "given twice: {event:?}");
        }
    }

    /// Nothing is missing, or the client says so.
    fn caught_up(&mut self) {
        let gap = self.catch_up.finish();
        self.gaps.push(gap);
        let pending: BTreeSet<Position> = self.told.iter().flatten().map(Position::from).collect();
        let from = self.from.unwrap_or(usize::MAX).min(self.site.log.len());
        let held: BTreeSet<usize> = self.site.held().map(|(at, _)| at).collect();
        let asked_all =
            !self.unanswered && self.setup.limit == Limit::None && self.setup.max_servers > 3;
        let held_events = self.site.held().map(|(_, event)| event);
        let holds: BTreeSet<i64> =
            held_events.filter(|event| self.wants(event)).map(|event| event.id.server).collect();
        for (at, registered) in self.site.log.iter().enumerate().skip(from) {
            let position = Position::from(&registered.event);
            // two of the limits: nobody can know of it
            let is_unknowable = from == 0
                && self.setup.server_id.is_none()
                && !holds.contains(&registered.event.id.server)
                || self.setup.ahead != [0; 3] && !held.contains(&at);
            if !self.wants(&registered.event)
                || is_unknowable
                || self.given.contains(&position)
                || self.excused.contains(&at)
                // it is told once it is stored, unless it is removed before
                || self.setup.persisted
                    && !self.site.is_stored(at)
                    && (held.contains(&at) || gap.is_none())
            {
                continue;
            }
            match gap {
                // it is on its way; if the connection ends before it is here, it is asked for
                None if pending.contains(&position) => continue,
                None => assert!(registered.lost, "{:?} is missing, silently", registered.event),
                // what is held still must come, of every server that is known
                Some(Gap::Lost { .. } | Gap::Trimmed)
                    if asked_all
                        && held.contains(&at)
                        && !pending.contains(&position)
                        && self.known.contains(&registered.event.id.server) =>
                {
                    panic!("{:?} is held and did not come; told: {gap:?}", registered.event)
                }
                Some(_) => {}
            }
            self.excused.insert(at);
        }
        self.unanswered = false;
        self.known = self.catch_up.positions().map(|at| at.id.server).collect();
    }

    /// A good end: what was received was given.
    fn end(&mut self) {
        self.step(&Step::Flush);
        for _ in 0..3 {
            self.step(&Step::Disconnect);
            let mut connections = 0;
            while self.link != (Link::Up { caught_up: true }) {
                connections += 1;
                assert!(connections < 300, "it connects for ever");
                self.step(&Step::Connect);
                let mut answers = 0;
                while self.link != Link::Down && self.catch_up.query().is_some() {
                    answers += 1;
                    assert!(answers < 20 * self.site.log.len() + 1000, "it asks for ever");
                    self.step(&Step::Answer);
                }
            }
            while !self.told.is_empty() {
                self.step(&Step::Take);
            }
        }
        let received = &self.received - &self.given;
        assert!(received.is_empty(), "told, and not given: {received:?}");
    }
}

fn subscription() -> Subscription {
    Subscription::new([&event_type("a/*")]).expect("a query type")
}

fn client(setup: &Setup, seen: impl IntoIterator<Item = Position>) -> CatchUp<()> {
    let (server_id, persisted) = (setup.server_id, setup.persisted);
    let config = CatchUpConfig {
        max_servers: setup.max_servers,
        max_results: setup.max_results,
        look_back: LOOK_BACK,
        ..CatchUpConfig::default()
    };
    let wanted = Interest { subscription: subscription(), server_id, persisted };
    CatchUp::new(config, wanted, seen)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 700, ..ProptestConfig::default() })]

    /// The contract of [`CatchUp`]: every event that the servers tell or hold is given, once, or a
    /// gap is told.
    #[test]
    fn given_once_or_a_gap_is_told(steps in steps(), setup in setups(), one in any::<bool>()) {
        let mut model = Model::new(setup);
        for step in &steps {
            // also with a single server, where there are no others to be found
            match step {
                Step::Register(_, names) if one => model.step(&Step::Register(1, names.clone())),
                step => model.step(step),
            }
        }
        model.end();
    }
}

/// Runs steps one after the other, with catching up in between.
fn run(steps: &[Step]) -> Model {
    let mut model = Model::new(Setup::default());
    for step in steps {
        model.step(step);
        if matches!(step, Step::Connect) {
            for _ in 0..100 {
                model.step(&Step::Answer);
            }
        }
        if matches!(step, Step::Register(..)) {
            model.step(&Step::Take);
        }
    }
    model
}

fn register(name: &'static str) -> Step {
    Step::Register(1, vec![name])
}

fn sessions(model: &Model) -> Vec<(i64, i64)> {
    model.given.iter().map(|at| (at.id.session, at.timestamp.s())).collect()
}

#[test]
fn ids_that_are_given_again_are_other_events() {
    let mut steps = vec![Step::Connect];
    steps.extend((0..5).map(|_| register("a/1")));
    steps.push(Step::Crash);
    steps.extend((0..8).map(|_| register("a/1")));
    steps.push(Step::Connect);
    let model = run(&steps);
    assert_eq!(model.given.len(), 13, "{:?}", sessions(&model));
    assert!(matches!(model.gaps[..], [None, Some(Gap::Lost { .. })]));
}

#[test]
fn what_happens_before_a_first_event_was_seen_is_not_missed() {
    let steps =
        [Step::Connect, register("other"), Step::Disconnect, register("a/1"), Step::Connect];
    for before in [vec![], vec![register("other")], vec![register("a/2")]] {
        let model = run(&[&before[..], &steps].concat());
        assert_eq!(model.given.len(), 1, "{:?}", sessions(&model));
        assert_eq!(model.gaps, [None, None]);
    }
}

#[test]
fn a_server_that_has_less_is_asked_from_its_beginning() {
    let mut steps = vec![Step::Connect];
    steps.extend((0..5).map(|_| register("a/1")));
    steps.push(Step::Wipe);
    steps.extend((0..3).map(|_| register("a/1")));
    steps.push(Step::Connect);
    let model = run(&steps);
    assert_eq!(model.given.len(), 8, "{:?}", sessions(&model));
    assert!(matches!(model.gaps[..], [None, Some(Gap::Lost { .. })]));
}

#[test]
fn a_position_that_is_kept_as_the_latest_of_its_type_hides_no_gap() {
    let mut steps = vec![Step::Connect, register("a/2"), Step::Disconnect];
    steps.extend((0..9).map(|_| register("a/1")));
    steps.extend([Step::Trim(4), Step::Connect]);
    let model = run(&steps);
    assert_eq!(model.given.len(), 5, "{:?}", sessions(&model));
    assert_eq!(model.gaps, [None, Some(Gap::Trimmed)]);
}

#[test]
fn a_long_history_is_not_asked_for_again() {
    let mut steps = vec![Step::Connect];
    steps.extend((0..500).map(|_| register("a/1")));
    steps.extend([Step::Flush, register("a/1"), Step::Crash, register("a/1")]);
    let mut model = run(&steps);
    model.step(&Step::Connect);
    let mut answers = 0;
    while model.catch_up.query().is_some() {
        model.step(&Step::Answer);
        answers += 1;
    }
    assert!(answers < 10, "{answers} answers");
    assert_eq!(model.given.len(), 502);
}

#[test]
fn a_question_that_ends_every_connection_is_left_out() {
    let mut model = run(&[Step::Connect, register("a/1"), Step::Disconnect, register("a/1")]);
    for _ in 0..20 {
        model.step(&Step::Connect);
        if model.catch_up.query().is_none() {
            break;
        }
        model.step(&Step::Fail);
    }
    assert_eq!(model.link, Link::Up { caught_up: true });
    assert_eq!(model.gaps, [None, Some(Gap::TooLarge)]);
}
