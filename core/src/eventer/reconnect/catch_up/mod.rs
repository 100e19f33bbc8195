//! Catching up after an outage, so that no event is missed.

mod ask;
mod gap;
mod given;
mod position;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::eventer::page::Page;
use crate::eventer::{
    Event, LatestParams, Order, QueryParams, QueryResult, ServerParams, Subscription,
    TimeseriesParams, Timestamp,
};
use crate::options::More;
use crate::sbs::Encode;
use ask::{Ask, At, Kind, Since, Walk};
pub use gap::Gap;
use given::GivenEvents;
pub use position::Position;
use position::Trail;

/// Limits of catching up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatchUpConfig {
    /// Servers whose last event is remembered, 256: a plant has a handful. Events of any more are
    /// handed on, but not asked for.
    pub max_servers: usize,
    /// Bytes of events that may wait until the server has answered, 16 MiB: as much as a server of
    /// this library queues to one client. With more, catching up is given up.
    pub max_held: usize,
    /// Events of answers that are remembered, 262 144: some twenty megabytes, until the server has
    /// told what came after them. An answer may give what the server tells at the same time; beyond
    /// this many it would be handed on twice.
    pub max_given: usize,
    /// Events to ask for at a time. Default: `None`, the server's own limit. Fewer are asked for
    /// where an answer is too large.
    pub max_results: Option<i64>,
    /// How long the server may take for one answer, 30 s; then catching up is given up.
    pub timeout: Duration,
    #[doc(hidden)]
    pub more: More,
}

impl Default for CatchUpConfig {
    fn default() -> Self {
        Self {
            max_servers: 256,
            max_held: 16 * 1024 * 1024,
            max_given: 262_144,
            max_results: None,
            timeout: Duration::from_secs(30),
            more: More::default(),
        }
    }
}

/// Which events a client wants: as it says it to the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Interest {
    /// The types.
    pub subscription: Subscription,
    /// Only of this server. `None`: of any.
    pub server_id: Option<i64>,
    /// Once they are stored for good, instead of as soon as they are registered.
    pub persisted: bool,
}

/// The events that a client missed: which to ask for, and which of those that come are new.
///
/// ```text
/// told before the outage   … 7 8 9
/// asked: after 8                  9 10 11 12 13        9 is known: so nothing between is missing
/// told meanwhile, held                     12 13 14    12 and 13 came in the answer
/// handed on                         10 11 12 13 14
/// ```
///
/// # The contract
///
/// **Every event that a server tells, or holds when it is asked, and that comes after the position,
/// is handed on, once; or a [`Gap`] is told.** It holds for servers that restart, lose what they
/// had not stored, give ids again, forget their oldest events, and fail at any message. An event is
/// told apart by id *and* timestamp. "Told" means that it arrived; what a server lost before it
/// told it to us, nobody can know of.
///
/// - **The position** is the last event known of each server. Before anything was seen it is taken
///   from the server: [`needs_position`](Self::needs_position).
/// - Each server is asked for what it registered after its position, page by page, oldest first.
///   The answer must begin with the event of the position, id and timestamp; where it does not,
///   that is a gap, and what the server has is asked for from an older position, or from its
///   beginning: then what is later than the position, by id or by time, is new.
/// - What the server tells meanwhile is held until then, and handed on without what came in an
///   answer already. That holds for what it tells later too, since it may answer with an event that
///   it has still to tell.
/// - Before that, servers that are not known yet are looked for among the events since the
///   position, in the order of time, where events of any server are wanted.
/// - At the end the oldest event of the series is asked for: it must not be after the position, or
///   events may have been forgotten in between, which an answer does not show (a server keeps the
///   latest event of each type for longer than others).
///
/// `hat-event` answers a query in the order of time from one of its partitions only, the first with
/// that order. Where it has several, what they keep is taken to be alike; where it has none, or
/// stores none of the types, that is a gap.
///
/// Two limits: beyond [`max_given`](CatchUpConfig::max_given) an event may be handed on twice, and
/// events that a server registers with its clock set back, under ids that it gave before, are taken
/// for known ones (in which case there is a gap anyway).
///
/// `T` goes with the events of one notification: what acknowledges them, say.
#[derive(Debug)]
pub struct CatchUp<T> {
    config: CatchUpConfig,
    wanted: Interest,
    /// The last event handed on, of each server.
    trails: BTreeMap<i64, Trail>,
    /// There was no event at all when the position was taken: all that comes is new.
    from_nothing: bool,
    /// Up to when all servers that registered events are known.
    servers_until: Option<Timestamp>,
    /// A server could not be remembered.
    overflowed: bool,
    /// What is to be asked, what is being asked first.
    asks: VecDeque<Ask>,
    page: Page,
    /// Questions that ended the connection: how often, since one was answered.
    failures: BTreeMap<Kind, u32>,
    /// Questions that are left out until the rest has been asked.
    unanswerable: BTreeSet<Kind>,
    /// Positions after which events came: the server must keep everything since.
    since: Vec<Position>,
    /// From when on servers that are not known were looked for: it must keep everything since then,
    /// too. `None` within is from the first event on.
    looked_from: Option<Option<Timestamp>>,
    /// Not told yet.
    gap: Option<Gap>,
    held: VecDeque<Held<T>>,
    held_bytes: usize,
    given: GivenEvents,
    /// Counts connections.
    connection: u64,
}

/// What was told while the server was asked.
#[derive(Debug)]
struct Held<T> {
    events: Vec<Event>,
    with: T,
    connection: u64,
}

/// Asking for the position. These are for the driver of a client, as is the rest.
impl<T> CatchUp<T> {
    /// For a client that wants these events. `seen` are the last events that it knows, one a
    /// server, from an earlier run; [`connected`](Self::connected) asks for what came after them.
    #[must_use]
    pub fn new(
        config: CatchUpConfig,
        wanted: Interest,
        seen: impl IntoIterator<Item = Position>,
    ) -> Self {
        let mut catch_up = Self {
            page: Page::new(config.max_results),
            config,
            wanted,
            trails: BTreeMap::new(),
            from_nothing: false,
            servers_until: None,
            overflowed: false,
            asks: VecDeque::new(),
            failures: BTreeMap::new(),
            unanswerable: BTreeSet::new(),
            since: Vec::new(),
            looked_from: None,
            gap: None,
            held: VecDeque::new(),
            held_bytes: 0,
            given: GivenEvents::default(),
            connection: 0,
        };
        for position in seen {
            let server = position.id.server;
            if catch_up.wants(server) {
                catch_up.servers_known(position.timestamp);
                catch_up.start_from(server, Trail::at(position));
            }
        }
        catch_up
    }

    /// The position is before the first event of all: none was there when an earlier run ended, so
    /// all that servers have is new. Only where no event was seen.
    #[must_use]
    pub fn from_nothing(mut self) -> Self {
        self.start_from_nothing();
        self
    }

    fn start_from_nothing(&mut self) {
        self.from_nothing = self.trails.is_empty();
        // of any server, they are looked for
        if let Some(server) = self.wanted.server_id.filter(|_| self.from_nothing) {
            self.start_from(server, Trail::at(Position::start(server)));
        }
    }

    /// Whether there is no position yet. Then make a connection that subscribes to nothing, call
    /// [`position`](Self::position), ask and answer until [`query`](Self::query) gives nothing
    /// more, and only then make the connection that subscribes.
    ///
    /// On one that subscribes it would be too late: an event that is registered at the same time
    /// may be in the answer, and so before the position, and the connection may end before it is
    /// told.
    #[must_use]
    pub fn needs_position(&self) -> bool {
        self.trails.is_empty() && !self.from_nothing
    }

    /// There is a connection that subscribes to nothing: the position is to be asked for.
    pub fn position(&mut self) {
        self.asks = [Ask::Newest].into();
        self.leave_out_unanswerable();
        if self.asks.is_empty() {
            self.asks = [Ask::Latest].into();
            self.leave_out_unanswerable();
        }
    }

    fn take_position(&mut self, result: &QueryResult) {
        let ask = self.asks.pop_front();
        if result.events.is_empty() {
            match ask {
                Some(Ask::Newest) => self.asks.push_back(Ask::Latest),
                _ => self.start_from_nothing(),
            }
            return;
        }
        for event in &result.events {
            let (server, position) = (event.id.server, Position::from(event));
            self.servers_known(position.timestamp);
            let newer = |trail: &Trail| trail.newest().id < position.id;
            if self.wants(server) && self.trails.get(&server).is_none_or(newer) {
                self.start_from(server, Trail::at(position));
            }
        }
    }
}

impl<T> CatchUp<T> {
    /// There is a new connection that subscribes: what came since the position is to be asked for.
    /// What is held from a connection that ended before its answers came is held on, behind what is
    /// still missing.
    pub fn connected(&mut self) {
        self.connection += 1;
        if self.held.is_empty() {
            self.given.clear();
        }
        if self.overflowed {
            self.note(Gap::TooManyServers { limit: self.config.max_servers });
        }
        if self.needs_position() && self.held.is_empty() {
            self.note(Gap::NoPosition);
        }
        let looks = self.wanted.server_id.is_none() && !self.needs_position();
        let since = Ask::Since(Since { from: self.servers_until, after: None });
        if looks {
            self.looked_from.get_or_insert(self.servers_until);
        }
        let known = self.trails.iter().map(|(&id, trail)| Ask::Server(Walk::from(id, trail)));
        self.asks = looks.then_some(since).into_iter().chain(known).collect();
        self.leave_out_unanswerable();
        if !matches!(self.asks.front(), Some(Ask::Since(_))) {
            self.note_held_servers();
        }
    }

    /// Servers whose first events are held, and that are not known otherwise, are to be asked too.
    fn note_held_servers(&mut self) {
        let mut first = BTreeMap::new();
        for event in self.held.iter().flat_map(|held| &held.events) {
            if !self.trails.contains_key(&event.id.server) {
                first.entry(event.id.server).or_insert(Position::from(event));
            }
        }
        first.into_iter().for_each(|(server, position)| self.meet(server, position));
    }

    /// A server that was not known, of which this event is the first that is known of.
    fn meet(&mut self, server: i64, first: Position) {
        if self.from_nothing {
            self.start_from(server, Trail::owing(Position::start(server)));
        } else {
            self.note(Gap::NewServer { server });
            self.start_from(server, Trail::owing(first));
        }
        let trail = self.trails.get(&server);
        self.asks.extend(trail.map(|trail| Ask::Server(Walk::from(server, trail))));
    }

    fn leave_out_unanswerable(&mut self) {
        let all = self.asks.len();
        self.asks.retain(|ask| !self.unanswerable.contains(&ask.kind()));
        if self.asks.len() < all {
            self.note(Gap::TooLarge);
        }
    }

    fn wants(&self, server: i64) -> bool {
        self.wanted.server_id.is_none_or(|wanted| wanted == server)
    }

    /// What to ask next; `None` where there is nothing to ask, or no more.
    #[must_use]
    pub fn query(&self) -> Option<QueryParams> {
        let (persisted, max_results) = (self.wanted.persisted, self.page.size());
        let types = || Some(self.wanted.subscription.query_types());
        Some(match *self.asks.front()? {
            Ask::Newest => {
                TimeseriesParams { max_results: Some(1), ..TimeseriesParams::default() }.into()
            }
            Ask::Latest => LatestParams { event_types: types() }.into(),
            Ask::Server(walk) => {
                let server_id = walk.server;
                let last_event_id = walk.after(self.trails.get(&server_id)?);
                ServerParams { server_id, persisted, max_results, last_event_id }.into()
            }
            Ask::Since(Since { from, after }) => TimeseriesParams {
                event_types: types(),
                t_from: from,
                order: Order::Ascending,
                max_results,
                last_event_id: after,
                ..TimeseriesParams::default()
            }
            .into(),
            Ask::Oldest => TimeseriesParams {
                order: Order::Ascending,
                max_results: Some(1),
                ..TimeseriesParams::default()
            }
            .into(),
        })
    }

    /// The answer to [`query`](Self::query): gives what of it is to be handed on.
    pub fn answered(&mut self, result: QueryResult) -> Vec<Event> {
        self.failures.clear();
        self.page.grow();
        match self.asks.front().copied() {
            None => Vec::new(),
            Some(Ask::Latest) if self.from_nothing => {
                self.asks.pop_front();
                self.meet_all(&result);
                self.check_at_the_end();
                Vec::new()
            }
            Some(Ask::Newest | Ask::Latest) => {
                self.take_position(&result);
                Vec::new()
            }
            Some(Ask::Server(walk)) => {
                let new = self.go_on(walk, result);
                self.check_at_the_end();
                new
            }
            Some(Ask::Since(since)) => {
                self.look_for_servers(since, &result);
                self.check_at_the_end();
                Vec::new()
            }
            Some(Ask::Oldest) => {
                self.asks.pop_front();
                self.check(result.events.first());
                Vec::new()
            }
        }
    }

    /// One page of the events of one server.
    fn go_on(&mut self, mut walk: Walk, result: QueryResult) -> Vec<Event> {
        let Some(trail) = self.trails.get_mut(&walk.server) else { return Vec::new() };
        let asked_after = walk.after(trail);
        match walk.at {
            At::Step(back) => {
                let place = trail.step(back).unwrap_or(walk.known.0);
                let is_it = |event: &Event| Position::from(event) == place;
                if !place.is_start() && !result.events.iter().any(is_it) {
                    // what came is asked for again, from where it is certain
                    let older = trail.step(back + 1).is_some();
                    walk.at = if older { At::Step(back + 1) } else { At::Start };
                    walk.exact = false;
                    let last = trail.newest();
                    self.note(Gap::Lost { last });
                    self.asks[0] = Ask::Server(walk);
                    return Vec::new();
                }
                if place.is_start() && trail.owed && result.events.is_empty() {
                    // it had one
                    self.gap.get_or_insert(Gap::Trimmed);
                }
                if back > 0 {
                    trail.step_back(Some(back));
                    walk.goes_by_time(trail);
                }
            }
            At::Start => {
                trail.step_back(None);
                walk.goes_by_time(trail);
            }
            At::After(_) => {}
        }
        let mut newest = asked_after;
        let (mut came, mut stray) = (None, false);
        let mut events = result.events;
        events.retain(|event| {
            // each goes further, so they end
            if event.id.server != walk.server || newest.is_some_and(|newest| event.id <= newest) {
                // a server may give again what we asked to go on after
                stray |= newest != Some(event.id);
                return false;
            }
            newest = Some(event.id);
            let position = Position::from(event);
            if position != trail.newest() || trail.owed {
                trail.push(position);
            }
            let new = walk.is_new(position);
            if new {
                came.get_or_insert(position);
                self.given.insert(event, self.config.max_given);
            }
            new && self.wanted.subscription.matches(&event.event_type)
        });
        let (mut since, _) = walk.known;
        if let Some(first) = came.filter(|_| since.is_start() && matches!(walk.at, At::Step(_))) {
            // is it the first that there ever was?
            since = first;
            if (first.id.session, first.id.instance) != (1, 1) {
                self.note(Gap::Trimmed);
            }
        }
        if came.is_some() && !since.is_start() && !self.since.contains(&since) {
            self.since.push(since);
        }
        match newest {
            Some(last) if result.more_follows && newest > asked_after => {
                walk.at = At::After(last);
                self.asks[0] = Ask::Server(walk);
            }
            _ => {
                self.asks.pop_front();
                if result.more_follows || stray {
                    self.note(Gap::Unanswered);
                }
            }
        }
        events
    }

    /// One page of the events of all servers: those that are not known are to be asked too.
    fn look_for_servers(&mut self, since: Since, result: &QueryResult) {
        self.asks.pop_front();
        self.meet_all(result);
        if let Some(last) = result.events.last() {
            self.servers_known(last.timestamp);
        }
        let goes_on = |event: &&Event| {
            since.after != Some(event.id) && since.from.is_none_or(|from| from <= event.timestamp)
        };
        match result.events.last().filter(goes_on) {
            Some(last) if result.more_follows => {
                let (from, after) = (Some(last.timestamp), Some(last.id));
                self.asks.push_front(Ask::Since(Since { from, after }));
            }
            None if result.more_follows => self.note(Gap::Unanswered),
            // the place where it was to go on has been forgotten
            None if since.after.is_some() => self.note(Gap::Trimmed),
            _ => {}
        }
        if !matches!(self.asks.front(), Some(Ask::Since(_))) {
            self.note_held_servers();
            if self.trails.is_empty() {
                // what has left the series may be there as the latest of its type
                self.asks.push_back(Ask::Latest);
                self.leave_out_unanswerable();
            }
        }
    }

    fn meet_all(&mut self, result: &QueryResult) {
        for event in &result.events {
            if !self.trails.contains_key(&event.id.server) {
                self.meet(event.id.server, event.into());
            }
        }
    }

    /// Once all was asked: did the server keep everything from the positions on?
    fn check_at_the_end(&mut self) {
        let checks = !self.since.is_empty() || self.looked_from.is_some();
        if checks && self.asks.is_empty() && self.gap.is_none() {
            self.asks.push_back(Ask::Oldest);
            self.leave_out_unanswerable();
        }
    }

    fn check(&mut self, oldest: Option<&Event>) {
        let oldest = oldest.map(Position::from);
        let keeps = |since: &Position| {
            oldest.is_some_and(|at| (at.timestamp, at.id) <= (since.timestamp, since.id))
        };
        let kept = core::mem::take(&mut self.since).iter().all(keeps);
        let looked = self.looked_from.take().is_none_or(|from| match from {
            Some(from) => oldest.is_some_and(|at| at.timestamp <= from),
            None if self.trails.is_empty() => oldest.is_none(),
            None => oldest.is_some_and(|at| (at.id.session, at.id.instance) == (1, 1)),
        });
        if !(kept && looked) {
            self.note(Gap::Trimmed);
        }
    }

    /// There will be no answer, or not in time: no more is asked for, and that is a gap.
    pub fn give_up(&mut self) {
        self.asks.clear();
        self.note(Gap::Unanswered);
    }

    /// The connection ended while [`query`](Self::query) waited for its answer: because the message
    /// was too large, of so many bytes where so many are the limit, or for a reason that is not
    /// known. Fewer events are asked for next time; where it is one already, that question is left
    /// out at the next connection, which is a gap.
    pub fn failed(&mut self, too_large: Option<(u64, usize)>) {
        let Some(kind) = self.asks.front().map(Ask::kind) else { return };
        let failures = self.failures.entry(kind).or_default();
        *failures += 1;
        let paged = matches!(kind, Kind::Server(_) | Kind::Since);
        let again = if paged { self.page.shrink(too_large) } else { *failures < 2 };
        if !again {
            self.unanswerable.insert(kind);
        }
    }

    /// Events that the server told. Gives those back that are to be handed on now, which may be
    /// none of them; `None` if they are held.
    pub fn told(&mut self, mut events: Vec<Event>, with: T) -> Option<(Vec<Event>, T)> {
        if self.asks.is_empty() && self.held.is_empty() {
            self.keep_new(&mut events, self.connection);
            return Some((events, with));
        }
        // counted as what they are, so they must not keep the blocks that they were read to
        let events: Vec<_> = events.iter().map(Event::detached).collect();
        self.held_bytes += events.encoded_len() + events.len() * size_of::<Event>();
        self.held.push_back(Held { events, with, connection: self.connection });
        if self.held_bytes > self.config.max_held {
            self.asks.clear();
            self.note(Gap::TooMuchHeld { limit: self.config.max_held });
        }
        None
    }

    /// Once nothing is to be asked any more: the next events that were held, without those that
    /// were handed on already; none may be left. While there is no connection, call it only for
    /// what was to be released before.
    pub fn release(&mut self) -> Option<(Vec<Event>, T)> {
        if !self.asks.is_empty() {
            return None;
        }
        let Some(Held { mut events, with, connection }) = self.held.pop_front() else {
            self.held_bytes = 0;
            return None;
        };
        self.keep_new(&mut events, connection);
        Some((events, with))
    }

    /// Leaves out what an answer gave already, and notes the rest as seen.
    fn keep_new(&mut self, events: &mut Vec<Event>, connection: u64) {
        self.given.leave_out(events, connection == self.connection);
        for event in events {
            let (server, position) = (event.id.server, Position::from(&*event));
            self.servers_known(position.timestamp);
            match self.trails.get_mut(&server) {
                Some(trail) => {
                    let newest = trail.newest();
                    let later_id = position.id > newest.id;
                    let later = position.timestamp > newest.timestamp;
                    // ids go back where a server starts over, but not together with the time; what
                    // an earlier connection told may be lost since
                    if later_id && later || connection == self.connection && (later_id || later) {
                        trail.push(position);
                    }
                }
                None => self.start_from(server, Trail::at(position)),
            }
        }
    }

    /// To be called once [`query`](Self::query) gives nothing more on a connection that subscribes:
    /// why it is not certain that nothing is missing, to be told to who must know. `None` where it
    /// is certain: every server still has the last event that was known, gave all that came after
    /// it, and keeps it all.
    pub fn finish(&mut self) -> Option<Gap> {
        self.since.clear();
        self.looked_from = None;
        // with the next outage there are other answers
        self.unanswerable.clear();
        // it is told once; one of a connection that ended before is told now
        self.gap.take()
    }

    fn servers_known(&mut self, until: Timestamp) {
        if until > Timestamp::MIN {
            self.servers_until = self.servers_until.max(Some(until));
        }
    }

    fn note(&mut self, gap: Gap) {
        self.gap.get_or_insert(gap);
    }

    fn start_from(&mut self, server: i64, trail: Trail) {
        if self.trails.len() < self.config.max_servers || self.trails.contains_key(&server) {
            self.trails.insert(server, trail);
        } else {
            self.overflowed = true;
        }
    }

    /// Up to where everything was handed on, of each server: what a later run is made with, to go
    /// on from here. Meaningful once nothing is asked and nothing held.
    pub fn positions(&self) -> impl Iterator<Item = Position> {
        let known = self.trails.values().filter(|trail| !trail.owed).map(Trail::newest);
        known.filter(|position| !position.is_start())
    }
}
