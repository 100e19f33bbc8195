//! Catching up against servers that restart, lose events, give ids again, forget the oldest, and
//! fail at any message.

mod site;

use std::collections::{BTreeSet, VecDeque};

use hat_core::eventer::reconnect::{CatchUp, CatchUpConfig, Gap, Interest, Position};
use hat_core::eventer::{Event, Subscription};
use proptest::prelude::*;

use crate::event_type;
use site::Site;

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
    Disconnect,
    Connect,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let types = prop::collection::vec(
        prop_oneof![4 => Just("a/1"), 2 => Just("a/2"), 2 => Just("other")],
        1..4,
    );
    let step = prop_oneof![
        8 => (prop_oneof![4 => Just(1_i64), 1 => Just(2)], types)
            .prop_map(|(server, types)| Step::Register(server, types)),
        3 => Just(Step::Flush),
        1 => Just(Step::Crash),
        1 => prop_oneof![3 => Just(Step::Crash), 1 => Just(Step::Wipe)],
        1 => (1_usize..8).prop_map(Step::Trim),
        8 => Just(Step::Take),
        12 => Just(Step::Answer),
        1 => Just(Step::Fail),
        2 => Just(Step::Disconnect),
        6 => Just(Step::Connect),
    ];
    prop::collection::vec(step, 0..150)
}

/// A client, and what must come of it.
struct Model {
    site: Site,
    catch_up: CatchUp<()>,
    subscription: Subscription,
    page: usize,
    link: Link,
    told: VecDeque<Vec<Event>>,
    given: BTreeSet<Position>,
    received: BTreeSet<Position>,
    /// Places in the log from here on concern the client: since there was a position.
    from: Option<usize>,
    /// Of those, the ones that may be missing: a gap was told.
    excused: BTreeSet<usize>,
    /// Servers that were known when the last catching up ended.
    known: BTreeSet<i64>,
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
    fn new(page: usize, server_id: Option<i64>) -> Self {
        let subscription = Subscription::new([&event_type("a/*")]).expect("a query type");
        let wanted = Interest { subscription: subscription.clone(), server_id, persisted: false };
        Self {
            site: Site::default(),
            catch_up: CatchUp::new(CatchUpConfig::default(), wanted, []),
            subscription,
            page,
            link: Link::Down,
            told: VecDeque::new(),
            given: BTreeSet::new(),
            received: BTreeSet::new(),
            from: None,
            excused: BTreeSet::new(),
            known: BTreeSet::new(),
            gaps: Vec::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Register(server, names) => {
                let mut events = self.site.register(*server, names);
                events.retain(|event| self.subscription.matches(&event.event_type));
                if matches!(self.link, Link::Up { .. }) && !events.is_empty() {
                    self.told.push_back(events);
                }
            }
            Step::Flush => self.site.flush(),
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
                    let answer = self.site.query(&params, self.page);
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
                    self.catch_up.failed(None);
                    self.disconnect();
                }
            }
            Step::Disconnect => self.disconnect(),
            Step::Connect if self.link == Link::Down => {
                if self.catch_up.needs_position() {
                    self.link = Link::Positioning;
                    self.catch_up.position();
                } else {
                    self.connect();
                }
                self.go_on();
            }
            Step::Connect => {}
        }
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
        for event in events {
            assert!(self.subscription.matches(&event.event_type), "not asked for: {event:?}");
            assert!(self.given.insert((&event).into()), "given twice: {event:?}");
        }
    }

    /// Nothing is missing, or the client says so.
    fn caught_up(&mut self) {
        let gap = self.catch_up.finish();
        self.gaps.push(gap);
        let pending: BTreeSet<Position> = self.told.iter().flatten().map(Position::from).collect();
        let from = self.from.unwrap_or(usize::MAX).min(self.site.log.len());
        let held: BTreeSet<usize> = self.site.held().map(|(at, _)| at).collect();
        for (at, registered) in self.site.log.iter().enumerate().skip(from) {
            let position = Position::from(&registered.event);
            if !self.subscription.matches(&registered.event.event_type)
                || self.given.contains(&position)
                || self.excused.contains(&at)
            {
                continue;
            }
            match gap {
                // it is on its way; if the connection ends before it is here, it is asked for
                None if pending.contains(&position) => continue,
                None => assert!(registered.lost, "{:?} is missing, silently", registered.event),
                // what is held still must come, of every server that is known
                Some(Gap::Lost { .. } | Gap::Trimmed)
                    if held.contains(&at)
                        && !pending.contains(&position)
                        && self.known.contains(&registered.event.id.server) =>
                {
                    panic!("{:?} is held and did not come; told: {gap:?}", registered.event)
                }
                Some(_) => {}
            }
            self.excused.insert(at);
        }
        self.known = self.catch_up.positions().map(|at| at.id.server).collect();
    }

    /// A good end: what was received was given.
    fn end(&mut self) {
        self.step(&Step::Disconnect);
        for _ in 0..10 {
            self.step(&Step::Connect);
            for _ in 0..3 * self.site.log.len() + 100 {
                self.step(&Step::Answer);
            }
            while !self.told.is_empty() {
                self.step(&Step::Take);
            }
        }
        assert_eq!(self.link, Link::Up { caught_up: true }, "catching up ends");
        let received = &self.received - &self.given;
        assert!(received.is_empty(), "told, and not given: {received:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// The contract of [`CatchUp`]: every event that the servers tell or hold is given, once, or a
    /// gap is told.
    #[test]
    fn given_once_or_a_gap_is_told(steps in steps(), page in 1_usize..6, one in any::<bool>()) {
        let mut model = Model::new(page, None);
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
    let mut model = Model::new(3, None);
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
