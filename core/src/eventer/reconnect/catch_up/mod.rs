//! Catching up after an outage, so that no event is missed.

mod ask;
mod gap;
mod given;
mod position;
mod questions;
mod search;
mod start;
mod told;
mod walk;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::eventer::{
    Event, LatestParams, Order, QueryParams, QueryResult, ServerParams, Subscription,
    TimeseriesParams, Timestamp,
};
use crate::options::More;
use ask::{Ask, At, Recent, Since, Walk};
pub use gap::Gap;
use given::GivenEvents;
pub use position::Position;
use position::Trail;
use questions::{Place, Questions};
use told::Held;

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
    /// How long before the last event servers are looked for that are not known, 60 s: by so much
    /// the clocks of servers may differ, together with how much later the events of one of them may
    /// be stored or copied than those of another. So much of what it has already a client that
    /// wants events of any server asks for again after each outage.
    pub look_back: Duration,
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
            look_back: Duration::from_secs(60),
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
///   from the server: [`needs_position`](Self::needs_position). Where events are wanted once they
///   are stored, it is the last one that is.
/// - Each server is asked for what it registered after its position, page by page, oldest first.
///   The answer must begin with the event of the position, id and timestamp; where it does not,
///   that is a gap, and what the server has is asked for from an older position, or from its
///   beginning: then what is later than the position, by id or by time, is new. What a server has
///   registered and not stored is not lost, where only stored events are wanted: it will tell it.
/// - What the server tells meanwhile is held until then, and handed on without what came in an
///   answer already. That holds for what it tells later too, since it may answer with an event that
///   it has still to tell.
/// - Before that, servers that are not known yet are looked for among the events since the
///   position, in the order of time, where events of any server are wanted: from
///   [`look_back`](CatchUpConfig::look_back) before it on, as clocks differ. What such a server
///   registered before the first of its events that is found is not asked for, which is a gap.
/// - At the end the oldest event of the series is asked for: it must not be after the position, nor
///   after where servers were looked for, or events may have been forgotten in between, which an
///   answer does not show (a server keeps the latest event of each type for longer than others). It
///   need not be that old where it is the oldest still that it was before the outage, or, after a
///   start with positions, the first that its server ever registered (session 1, instance 1).
/// - A question that ends the connection is asked again for fewer events. One that ends it for a
///   single event, or twice where it has no pages, is left out until the rest has been asked, which
///   is a gap: so catching up ends whatever servers send. Each kind of question, and each server,
///   counts for itself.
///
/// `hat-event` answers a query in the order of time from one of its partitions only, the first with
/// that order. Where it has several, what they keep is taken to be alike; where it has none, or
/// stores none of the types, that is a gap.
///
/// Four limits:
///
/// - Beyond [`max_given`](CatchUpConfig::max_given) an event may be handed on twice.
/// - Events that a server registers with its clock set back, under ids that it gave before, are
///   taken for known ones (in which case there is a gap anyway).
/// - Events of a server that was not known are missed, without a gap, where its clock is behind
///   those of others by more than [`look_back`](CatchUpConfig::look_back) (or one of theirs ahead,
///   for the last event that was told). Where an event that is told shows that clocks differ so
///   much, each server that turns up later is a gap, which is told with the next catching up, and
///   others are looked for from that event on. Whether events were removed is judged by time, too,
///   and so is not certain within what clocks differ by.
/// - Where nothing was registered at all before the outage, the first event of any server counts as
///   the first of all: of another one, all of whose events of these types were removed meanwhile,
///   nothing is known.
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
    /// The position is being asked for: what is known of it is not all.
    positioning: bool,
    /// A connection ended meanwhile.
    found_in_part: bool,
    /// Up to when all servers that registered events are known.
    servers_until: Option<Timestamp>,
    /// An event was told that was too early for it to be found by looking back.
    clocks_differ: bool,
    /// A server could not be remembered.
    overflowed: bool,
    /// What is to be asked, what is being asked first.
    asks: VecDeque<Ask>,
    questions: Questions,
    /// Positions after which events came: the server must keep everything since.
    since: Vec<Position>,
    /// A server was asked from before its first event on, and it is not certain that it gave its
    /// first.
    unproven: bool,
    /// Up to when all servers were known when others were looked for: it must keep everything since
    /// then, too. `None` within is from the first event on.
    looked_from: Option<Option<Timestamp>>,
    /// The oldest event of the series when that was last asked, `None` within where there was none.
    /// Where it is that still, nothing was removed.
    oldest: Option<Option<Position>>,
    /// Not told yet.
    gap: Option<Gap>,
    held: VecDeque<Held<T>>,
    held_bytes: usize,
    given: GivenEvents,
    /// Counts connections.
    connection: u64,
}

/// For the driver of a client, as is the rest.
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
            questions: Questions::new(config.max_results),
            config,
            wanted,
            trails: BTreeMap::new(),
            from_nothing: false,
            positioning: false,
            found_in_part: false,
            servers_until: None,
            clocks_differ: false,
            overflowed: false,
            asks: VecDeque::new(),
            since: Vec::new(),
            unproven: false,
            looked_from: None,
            oldest: None,
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
}

impl<T> CatchUp<T> {
    /// There is a new connection that subscribes: what came since the position is to be asked for.
    /// What is held from a connection that ended before its answers came is held on, behind what is
    /// still missing.
    pub fn connected(&mut self) {
        self.connection += 1;
        self.positioning = false;
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
        let from = self.servers_until.map(|until| until - self.config.look_back);
        let since = Ask::Since(Since { from, after: None });
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
            self.note_new(first);
            self.start_from(server, Trail::owing(first));
        }
        match self.trails.get(&server) {
            Some(trail) => self.asks.push_back(Ask::Server(Walk::from(server, trail))),
            None => self.note(Gap::TooManyServers { limit: self.config.max_servers }),
        }
        self.leave_out_unanswerable();
    }

    /// Of a server nothing was known before this event: unless it is its first, there may have been
    /// others.
    fn note_new(&mut self, first: Position) {
        if !first.is_first() {
            self.note(Gap::NewServer { server: first.id.server });
        }
    }

    fn leave_out_unanswerable(&mut self) {
        let all = self.asks.len();
        self.asks.retain(|ask| !self.questions.is_left_out(ask.kind()));
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
        let ask = *self.asks.front()?;
        let (persisted, max_results) = (self.wanted.persisted, self.questions.size(ask.kind()));
        let types = || Some(self.wanted.subscription.query_types());
        Some(match ask {
            Ask::Newest => {
                TimeseriesParams { max_results: Some(1), ..TimeseriesParams::default() }.into()
            }
            Ask::Recent(Recent { from, after }) => TimeseriesParams {
                t_from: from,
                t_to: after.map(|(timestamp, _)| timestamp),
                max_results,
                last_event_id: after.map(|(_, id)| id),
                ..TimeseriesParams::default()
            }
            .into(),
            // any event shows that there was something
            Ask::Latest if !self.positioning => LatestParams { event_types: None }.into(),
            Ask::Latest => LatestParams { event_types: types() }.into(),
            Ask::Last(search) => ServerParams {
                server_id: search.server,
                persisted,
                max_results: if search.is_paged() { max_results } else { Some(1) },
                last_event_id: Some(search.after()),
            }
            .into(),
            Ask::Server(walk) => {
                let server_id = walk.server;
                let last_event_id = walk.after(self.trails.get(&server_id)?);
                let (persisted, max_results) = match walk.at {
                    At::Unstored => (false, Some(1)),
                    _ => (persisted, max_results),
                };
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
        let Some(&ask) = self.asks.front() else { return Vec::new() };
        self.questions.answered(ask.kind(), self.place(&ask), &result);
        let mut new = Vec::new();
        match ask {
            _ if self.positioning => {
                self.take_position(ask, &result);
                return new;
            }
            Ask::Newest | Ask::Recent(_) | Ask::Last(_) => self.asks.clear(),
            Ask::Latest => {
                self.asks.pop_front();
                let is_wanted = |event: &Event| {
                    self.wants(event.id.server)
                        && self.wanted.subscription.matches(&event.event_type)
                };
                let (wanted, others): (Vec<_>, Vec<_>) =
                    result.events.into_iter().partition(is_wanted);
                if self.wanted.server_id.is_none() {
                    self.meet_all(&wanted);
                }
                // there are events, and no series: who knows what was there
                let has_some = !wanted.is_empty();
                let is_met = has_some && self.wanted.server_id.is_none();
                if !is_met && (has_some || !others.is_empty()) {
                    self.note(Gap::Trimmed);
                }
                if result.more_follows {
                    self.note(Gap::TooLarge);
                }
            }
            Ask::Server(walk) => new = self.go_on(walk, result),
            Ask::Since(since) => self.look_for_servers(since, &result),
            Ask::Oldest => {
                self.asks.pop_front();
                self.check(result.events.first());
            }
        }
        self.check_at_the_end();
        new
    }

    /// Where a question begins.
    fn place(&self, ask: &Ask) -> Place {
        match ask {
            Ask::Server(walk) => {
                (None, self.trails.get(&walk.server).and_then(|trail| walk.after(trail)))
            }
            Ask::Last(search) => (None, Some(search.after())),
            Ask::Recent(recent) => {
                recent.after.map_or((None, None), |(at, id)| (Some(at), Some(id)))
            }
            Ask::Since(since) => (since.from, since.after),
            Ask::Newest | Ask::Latest | Ask::Oldest => (None, None),
        }
    }

    /// One page of the events of all servers: those that are not known are to be asked too.
    fn look_for_servers(&mut self, since: Since, result: &QueryResult) {
        self.asks.pop_front();
        let is_new = |event: &&Event| {
            let trail = self.trails.get(&event.id.server);
            trail.is_none_or(|trail| trail.newest().id < event.id)
        };
        // one that was known may have come from a clock that was wrong
        let last_new = result.events.iter().rfind(is_new).map(|event| event.timestamp);
        self.meet_all(&result.events);
        if let Some(timestamp) = last_new {
            self.servers_known(timestamp);
        }
        let goes_on = |event: &&Event| {
            // each goes further, so they end
            let at = (event.timestamp, event.id);
            since.from.is_none_or(|from| since.after.map_or(from <= at.0, |id| (from, id) < at))
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
            if self.trails.is_empty() || self.looked_from == Some(None) {
                // what has left the series may be there as the latest of its type
                self.asks.push_back(Ask::Latest);
                self.leave_out_unanswerable();
            }
        }
    }

    fn meet_all(&mut self, events: &[Event]) {
        for event in events {
            if !self.trails.contains_key(&event.id.server) {
                self.meet(event.id.server, event.into());
            }
        }
    }

    /// Once all was asked: did the server keep everything from the positions on?
    fn check_at_the_end(&mut self) {
        let checks = !self.since.is_empty() || self.looked_from.is_some() || self.unproven;
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
        let mut certain = core::mem::take(&mut self.since).iter().all(keeps);
        let is_first = oldest.is_some_and(|at| at.is_first());
        let unproven = core::mem::take(&mut self.unproven);
        match self.looked_from.take() {
            None => certain &= !unproven,
            Some(Some(until)) => {
                let known = self.oldest.flatten();
                // what is removed goes oldest first: from there on, also where another one's clock
                // was behind. Where nothing is known of before, there may have been nothing
                let from = known.map_or(until, |_| until - self.config.look_back);
                let reaches = oldest.is_some_and(|at| at.timestamp <= from);
                certain &= reaches || !unproven && known.is_none() && is_first;
            }
            Some(None) if self.trails.is_empty() => certain &= oldest.is_none(),
            Some(None) => certain &= is_first && !unproven,
        }
        if oldest.is_none() && unproven && self.wanted.server_id.is_some() {
            // there is nothing at all, or there are no series
            self.asks.push_back(Ask::Latest);
            self.leave_out_unanswerable();
        } else if !certain && (oldest.is_none() || Some(oldest) != self.oldest) {
            self.note(Gap::Trimmed);
        }
        self.oldest = Some(oldest);
    }

    /// There will be no answer, or not in time: no more is asked for, and that is a gap.
    pub fn give_up(&mut self) {
        self.asks.clear();
        self.positioning = false;
        self.note(Gap::Unanswered);
    }

    /// The connection ended while [`query`](Self::query) waited for its answer: because the message
    /// was too large, of so many bytes where so many are the limit, or for a reason that is not
    /// known. Fewer events are asked for next time; where it is one already, that question is left
    /// out at the next connection, which is a gap.
    pub fn failed(&mut self, too_large: Option<(u64, usize)>) {
        if let Some(&ask) = self.asks.front() {
            self.questions.failed(ask.kind(), self.place(&ask), too_large);
        }
    }

    /// To be called once [`query`](Self::query) gives nothing more on a connection that subscribes:
    /// why it is not certain that nothing is missing, to be told to who must know. `None` where it
    /// is certain: every server still has the last event that was known, gave all that came after
    /// it, and keeps it all.
    pub fn finish(&mut self) -> Option<Gap> {
        self.since.clear();
        self.unproven = false;
        self.looked_from = None;
        self.questions.forget();
        if self.gap.is_some() {
            // of a server that has started over since, say
            self.oldest = None;
        }
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
