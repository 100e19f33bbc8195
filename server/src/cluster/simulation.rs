//! Nodes over a stream that loses, doubles and delays what is published, elects leaders, and whose
//! acknowledgements get lost; nodes that crash and go on from what they had on their disks. Under a
//! monitor that blesses one, two or none of them, late, and nodes that stand still for a while, and
//! do not know that others went on. By seeds: `HAT_CLUSTER_SEEDS` says how many, `HAT_CLUSTER_SEED`
//! which one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hat_core::eventer::{RegisterEvent, Timestamp};
use hat_core::sbs;
use hat_core::time::Instant;

use super::message::{Body, Message};
use super::outbox::{Key, Outbox, OutboxOptions, Publish};
use super::replica::{Fault, Outcome, Replica, State};
use super::role::{Role, RoleChange};
use crate::store::Session;

const NODES: usize = 3;

/// Numbers by xorshift64*: the same for a seed, everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    /// One time in so many.
    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// What one registration is, to whoever made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket {
    /// The life of the node that it was made at.
    life: u64,
    /// Its place among those of that life.
    count: u64,
}

struct Node {
    outbox: Outbox<Ticket>,
    replica: Replica,
    /// What is applied; what crashes leave of it is on the disk.
    sessions: Vec<Arc<Session>>,
    disk: (State, usize),
    life: u64,
    count: u64,
    /// Seconds that its clock is off.
    clock: i64,
    role: Role,
    /// What a monitor has said last, where one decides.
    blessed: bool,
    /// It is to claim once it has read so much, which is asked then.
    claim: Option<u64>,
    /// It stands still until then.
    paused: u64,
}

/// A message on its way, and what its sender will think of it.
struct MessageInFlight {
    at: u64,
    node: usize,
    life: u64,
    publish: Publish,
    acknowledged: bool,
    /// Comes twice.
    again: bool,
    lost: bool,
}

struct World {
    random: Random,
    tick: u64,
    stream: Vec<Bytes>,
    /// What JetStream knows of ids: it forgets them, here soon.
    ids: BTreeMap<String, (u64, u64)>,
    on_their_way: Vec<MessageInFlight>,
    nodes: Vec<Node>,
    lives: u64,
    answered: BTreeMap<Ticket, (i64, Timestamp)>,
    certainly_not: BTreeSet<Ticket>,
    /// Nobody leads the stream until then.
    election: u64,
    mode: Mode,
    /// How often a node that was active has learnt that it is no more.
    fenced: usize,
}

/// Who decides which nodes register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Nobody,
    Monitor,
    /// And the last node knows nothing of it.
    MonitorOfSome,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            tick: 0,
            stream: Vec::new(),
            ids: BTreeMap::new(),
            on_their_way: Vec::new(),
            nodes: Vec::new(),
            lives: 0,
            answered: BTreeMap::new(),
            certainly_not: BTreeSet::new(),
            election: 0,
            mode: [Mode::Nobody, Mode::Monitor, Mode::MonitorOfSome][(seed % 3) as usize],
            fenced: 0,
        };
        for at in 0..NODES {
            let clock = world.random.below(20) as i64 - 10;
            let node = world.born(at, clock, (State::default(), 0), Vec::new());
            world.nodes.push(node);
        }
        world
    }

    fn is_monitored(&self, at: usize) -> bool {
        match self.mode {
            Mode::Nobody => false,
            Mode::Monitor => true,
            Mode::MonitorOfSome => at + 1 < NODES,
        }
    }

    fn born(
        &mut self,
        at: usize,
        clock: i64,
        disk: (State, usize),
        sessions: Vec<Arc<Session>>,
    ) -> Node {
        self.lives += 1;
        let role = if self.is_monitored(at) { Role::Standby } else { Role::Free };
        let options = OutboxOptions { max_sent: 4, ..OutboxOptions::default() };
        let replica = Replica::new(1, disk.0.clone());
        let outbox = Outbox::new(self.lives, options);
        let (life, count, blessed, claim, paused) = (self.lives, 0, false, None, 0);
        Node { outbox, replica, sessions, disk, life, count, clock, role, blessed, claim, paused }
    }

    /// A tick is 100 ms.
    fn now(&self) -> Instant {
        Instant::ORIGIN + Duration::from_millis(self.tick * 100)
    }

    fn step(&mut self, faults: bool) {
        self.tick += 1;
        if faults && self.random.one_in(200) {
            // sometimes for longer than anybody waits
            self.election = self.tick + self.random.below(150);
        }
        self.arrive();
        if faults && self.mode != Mode::Nobody && self.random.one_in(25) {
            self.bless();
        }
        for node in 0..NODES {
            if faults && self.random.one_in(400) {
                self.crash(node);
            }
            if faults && self.random.one_in(150) {
                self.nodes[node].paused = self.tick + self.random.below(60);
            }
            if self.tick < self.nodes[node].paused {
                continue;
            }
            self.obey(node);
            self.register(node, faults);
            self.publish(node, faults);
            self.read(node, faults);
            if self.random.one_in(30) {
                let node = &mut self.nodes[node];
                node.disk = (node.replica.state().clone(), node.sessions.len());
            }
        }
    }

    /// It goes on from its disk; who waited for an answer learns nothing.
    fn crash(&mut self, at: usize) {
        let (state, len) = self.nodes[at].disk.clone();
        let mut sessions = std::mem::take(&mut self.nodes[at].sessions);
        sessions.truncate(len);
        let clock = self.nodes[at].clock;
        self.nodes[at] = self.born(at, clock, (state, len), sessions);
    }

    /// The monitor, or one of two that do not see each other, says something else to a node. One
    /// that stands still learns it later, and may go on before it does.
    fn bless(&mut self) {
        let at = self.random.below(NODES as u64) as usize;
        let alone = self.random.one_in(2);
        for (number, node) in self.nodes.iter_mut().enumerate() {
            node.blessed = match number == at {
                true => !node.blessed || alone,
                false => node.blessed && !alone,
            };
        }
    }

    /// A node does what its monitor says, as `Fence::claim` and `Fence::release` have it: it asks
    /// how far the stream goes, then claims. One that was fenced claims again only once its
    /// blessing was taken from it.
    fn obey(&mut self, at: usize) {
        if !self.is_monitored(at) || self.random.one_in(3) {
            return;
        }
        let (last, node) = (self.stream.len() as u64, &mut self.nodes[at]);
        match node.blessed {
            true if node.role == Role::Standby && node.claim.is_none() => {
                node.role.claim();
                node.claim = Some(last);
            }
            true => {}
            false => {
                node.role.release(&mut node.outbox);
                node.claim = None;
            }
        }
    }

    fn register(&mut self, at: usize, faults: bool) {
        if !faults || self.random.one_in(3) {
            return;
        }
        let now = self.now();
        let hurries = faults && self.random.one_in(4);
        let until = hurries.then(|| now + Duration::from_millis(100 * self.random.below(30)));
        let node = &mut self.nodes[at];
        if !node.role.may_register(node.replica.state().fence()) {
            return;
        }
        let ticket = Ticket { life: node.life, count: node.count };
        node.count += 1;
        let name = format!("{}/{}", ticket.life, ticket.count);
        let events = vec![RegisterEvent::new(name.as_str()), RegisterEvent::new("second")];
        node.outbox.push(ticket, sbs::encode(&events), until, now);
    }

    fn publish(&mut self, at: usize, faults: bool) {
        let now = self.now();
        self.certainly_not.extend(self.nodes[at].outbox.late(now));
        for given_up in self.nodes[at].outbox.expire(now) {
            if !given_up.uncertain {
                self.certainly_not.insert(given_up.ticket);
            }
        }
        let node = &mut self.nodes[at];
        let caught_up = node.claim.is_some_and(|target| node.replica.taken() >= target);
        let fence = node.replica.state().fence();
        let change = node.role.step(fence, caught_up, &mut node.outbox);
        self.changed(at, change);
        let seconds = (self.tick / 10) as i64 + self.nodes[at].clock;
        while let Some(publish) = self.nodes[at].outbox.next(now, || Timestamp::from_secs(seconds))
        {
            let mut roll = |times| faults && self.random.one_in(times);
            let (lost, deaf, again, late) = (roll(8), roll(8), roll(10), roll(10));
            let delay = if late { self.random.below(200) } else { self.random.below(3) };
            let life = self.nodes[at].life;
            // who waits in vain learns it sooner than a message that is late comes
            let acknowledged = !lost && !deaf && !late;
            self.on_their_way.push(MessageInFlight {
                at: self.tick + delay,
                node: at,
                life,
                publish,
                acknowledged,
                again,
                lost,
            });
        }
    }

    /// What reaches the leader of the stream, in no certain order.
    fn arrive(&mut self) {
        let mut at = 0;
        while at < self.on_their_way.len() {
            if self.on_their_way[at].at > self.tick {
                at += 1;
                continue;
            }
            let mut one = self.on_their_way.swap_remove(at);
            let leaderless = self.tick < self.election;
            if !one.lost && !leaderless {
                self.store(&one.publish);
            }
            let node = &mut self.nodes[one.node];
            if node.life == one.life {
                match one.acknowledged && !leaderless {
                    true => node.outbox.stored(one.publish.key),
                    false => self.fail(one.node, one.publish.key),
                }
            }
            if one.again {
                one.again = false;
                // nobody waits for this one
                one.life = 0;
                one.at = self.tick + 1 + self.random.below(100);
                self.on_their_way.push(one);
            }
        }
    }

    fn changed(&mut self, at: usize, change: Option<RoleChange>) {
        let node = &mut self.nodes[at];
        match change {
            Some(RoleChange::Fenced) => {
                self.fenced += 1;
                // it stands by until its blessing changes
                node.blessed = false;
            }
            Some(RoleChange::Refused) => node.claim = None,
            Some(RoleChange::Claimed) | None => {}
        }
    }

    fn fail(&mut self, node: usize, key: Key) {
        let now = self.now();
        self.nodes[node].outbox.failed(key, now);
    }

    fn store(&mut self, publish: &Publish) {
        if let Some((_, until)) = self.ids.get(&publish.id)
            && self.tick < *until
        {
            return;
        }
        let message = match &publish.message.body {
            Body::Session(bytes) if self.random.one_in(5) => {
                // larger than a message may be
                let (one, two) = (bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..));
                let part = |body| Message { body, ..publish.message.clone() }.encode();
                self.stream.push(part(Body::Part(one)));
                let first = self.stream.len() as u64;
                if self.random.one_in(2) {
                    self.stream.push(Bytes::from_static(b"somebody else"));
                }
                self.stream.push(part(Body::Part(two)));
                let parts = vec![first, self.stream.len() as u64];
                let body = Body::Parted(crc32c::crc32c(bytes), parts);
                Message { body, ..publish.message.clone() }
            }
            _ => publish.message.clone(),
        };
        self.stream.push(message.encode());
        let known = (self.stream.len() as u64, self.tick + 50);
        self.ids.insert(publish.id.clone(), known);
    }

    fn read(&mut self, at: usize, faults: bool) {
        for _ in 0..self.random.below(12) {
            let node = &mut self.nodes[at];
            let taken = node.replica.taken();
            let wrong = faults && self.random.one_in(20);
            // again, or one too far
            let sequence = match wrong {
                true => taken + [0, 2][self.random.below(2) as usize],
                false => taken + 1,
            };
            let Some(bytes) = sequence.checked_sub(1).and_then(|it| self.stream.get(it as usize))
            else {
                return;
            };
            let taken = node.replica.take(sequence, bytes);
            if let Ok(outcome) = &taken {
                let (change, lost) = node.role.saw(outcome, &mut node.outbox);
                self.certainly_not.extend(lost);
                self.changed(at, change);
            }
            let node = &mut self.nodes[at];
            match taken {
                Ok(Outcome::Session { place, session }) => {
                    node.sessions.push(session.clone());
                    if let Some(ticket) = node.outbox.applied(place) {
                        let answer = (session.number(), session.timestamp());
                        assert_eq!(self.answered.insert(ticket, answer), None, "answered twice");
                    }
                }
                Ok(Outcome::Void(place)) => node.outbox.void(place),
                Ok(Outcome::Again) => assert!(wrong),
                Ok(
                    Outcome::Opened { .. }
                    | Outcome::TakenOver { .. }
                    | Outcome::Refused { .. }
                    | Outcome::Known
                    | Outcome::Part
                    | Outcome::Foreign,
                ) => {}
                Err(Fault::Gap { .. }) => assert!(wrong),
                Err(Fault::Needs(_, part)) => {
                    node.replica.fetched(part, &self.stream[part as usize - 1]);
                }
                Err(fault) => panic!("{fault}"),
            }
        }
    }

    /// What nobody may ever see otherwise.
    fn check(&self) {
        let sessions = &self.nodes[0].sessions;
        for node in &self.nodes {
            assert_eq!(node.replica.taken(), self.stream.len() as u64, "all is read");
            assert!(node.outbox.is_empty(), "all is settled");
            assert_eq!(&node.sessions, sessions, "two orders, or two histories");
        }
        let mut found: BTreeMap<Ticket, (i64, Timestamp)> = BTreeMap::new();
        let mut last_of_life: BTreeMap<u64, u64> = BTreeMap::new();
        let mut last = (0, Timestamp::MIN);
        for session in sessions {
            assert_eq!(session.events().len(), 2, "half of a session");
            let name = session.events()[0].event_type.to_string();
            let (life, count) = name.split_once('/').expect("written here");
            let ticket = Ticket {
                life: life.parse().expect("a number"),
                count: count.parse().expect("a number"),
            };
            let answer = (session.number(), session.timestamp());
            assert!(last.0 < answer.0, "an id twice");
            assert!(last.1 <= answer.1, "time went back");
            last = answer;
            assert_eq!(found.insert(ticket, answer), None, "{ticket:?} is registered twice");
            let before = last_of_life.insert(ticket.life, ticket.count);
            assert!(before < Some(ticket.count), "{ticket:?} came after {before:?}");
        }
        self.check_fences(&found);
        for (ticket, answer) in &self.answered {
            assert_eq!(found.get(ticket), Some(answer), "{ticket:?} was answered");
        }
        for ticket in &self.certainly_not {
            assert!(!found.contains_key(ticket), "{ticket:?} was said to be nowhere");
        }
    }
}

impl World {
    /// Behind the first fence, whose sessions come changes only where there is a fence of that one
    /// between: no two that are active have their sessions interleaved. By the bytes of the stream
    /// alone, not by the rules.
    fn check_fences(&self, found: &BTreeMap<Ticket, (i64, Timestamp)>) {
        let mut by_number: Vec<_> = found.iter().map(|(of, at)| (at.0 as u64, of.life)).collect();
        by_number.sort_unstable();
        let fences: Vec<(u64, u64)> = self.stream.iter().zip(1..).filter_map(fence_of).collect();
        let Some((first, _)) = fences.first().copied() else { return };
        assert_ne!(self.mode, Mode::Nobody);
        for two in by_number.windows(2) {
            let [(one, before), (other, behind)] = two else { continue };
            let between = |at: u64| *one < at && at < *other;
            if *other < first || before == behind {
                continue;
            }
            let is_fenced = fences.iter().any(|(at, writer)| between(*at) && writer == behind);
            assert!(is_fenced, "{behind} came in behind {before}: {one}, {other}, {fences:?}");
        }
    }
}

/// The place of a fence, and whose it is.
fn fence_of((bytes, sequence): (&Bytes, u64)) -> Option<(u64, u64)> {
    let message = Message::decode(bytes).ok()?;
    matches!(message.body, Body::Fence(_)).then_some((sequence, message.place.writer))
}

/// How many registrations were answered, and how often an active node was fenced.
fn run(seed: u64) -> (usize, usize) {
    let mut world = World::new(seed);
    for _ in 0..400 {
        world.step(true);
    }
    // everything works again: what is left is settled
    world.election = 0;
    for node in &mut world.nodes {
        (node.paused, node.blessed) = (0, false);
    }
    for _ in 0..1_500 {
        world.step(false);
    }
    world.check();
    if world.mode != Mode::Nobody {
        world.goes_on();
    }
    (world.answered.len(), world.fenced)
}

impl World {
    /// Whatever was before: one that is blessed alone becomes active, and registers.
    fn goes_on(&mut self) {
        let at = self.random.below(NODES as u64 - 1) as usize;
        self.nodes[at].blessed = true;
        for _ in 0..300 {
            self.step(false);
        }
        let roles: Vec<_> = self.nodes.iter().map(|node| node.role).collect();
        assert_eq!(self.nodes[at].role, Role::Active, "{roles:?}");
        let (now, answered, node) = (self.now(), self.answered.len(), &mut self.nodes[at]);
        let ticket = Ticket { life: node.life, count: node.count };
        node.count += 1;
        let name = format!("{}/{}", ticket.life, ticket.count);
        let events = vec![RegisterEvent::new(name.as_str()), RegisterEvent::new("second")];
        node.outbox.push(ticket, sbs::encode(&events), None, now);
        for _ in 0..300 {
            self.step(false);
        }
        assert_eq!(self.answered.len(), answered + 1);
        self.check();
    }
}

fn of_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_node_has_the_same_events_in_the_same_order_whatever_happens() {
    let alone = of_environment("HAT_CLUSTER_SEED");
    let seeds = match alone {
        Some(seed) => seed..seed + 1,
        None => 0..of_environment("HAT_CLUSTER_SEEDS").unwrap_or(300),
    };
    let (mut answered, mut fenced) = (0, 0);
    for seed in seeds {
        let ran = std::panic::catch_unwind(|| run(seed));
        let ran = ran.unwrap_or_else(|_| panic!("HAT_CLUSTER_SEED={seed} shows it again"));
        (answered, fenced) = (answered + ran.0, fenced + ran.1);
    }
    assert!(answered > 0);
    // of one seed, it need not happen
    assert!(alone.is_some() || fenced > 0);
}
