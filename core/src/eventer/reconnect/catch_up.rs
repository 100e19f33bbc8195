//! How to miss nothing.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use crate::eventer::{Event, EventId, QueryParams, QueryResult, ServerParams, Subscription};
use crate::sbs::Encode;

/// Limits of catching up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatchUpConfig {
    /// Servers whose last event is remembered, 256: a plant has a handful. Events of any more are handed on, but not asked for.
    pub max_servers: usize,
    /// Bytes of events that may wait until the server has answered, 16 MiB: as much as a server of this library queues to one client. With more,
    /// catching up is given up.
    pub max_held: usize,
    /// Events of answers that are remembered, 262 144: at most six megabytes, until the server has told what came after them. An answer may give what the
    /// server tells at the same time; beyond this many it would be handed on twice.
    pub max_given: usize,
    /// Events to ask for at a time. Default: `None`, the server's own limit.
    pub max_results: Option<i64>,
    /// How long the server may take for one answer, 30 s; then catching up is given up.
    pub timeout: Duration,
}

impl Default for CatchUpConfig {
    fn default() -> Self {
        Self {
            max_servers: 256,
            max_held: 16 * 1024 * 1024,
            max_given: 262_144,
            max_results: None,
            timeout: Duration::from_secs(30),
        }
    }
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
/// Each server that events came from is asked for what it registered after the last of them, page by page, oldest first. What the server
/// tells meanwhile is held until then, and handed on without what came in an answer already: by id, which is unique. That holds for what it tells
/// later too, since it may answer with an event that it has still to tell.
///
/// `T` goes with the events of one notification: what acknowledges them, say.
#[derive(Debug)]
pub struct CatchUp<T> {
    config: CatchUpConfig,
    subscription: Subscription,
    persisted: bool,
    /// The last event handed on, of each server.
    last: BTreeMap<i64, EventId>,
    /// A server could not be remembered.
    overflowed: bool,
    /// Servers to ask, the one that is being asked first.
    asking: VecDeque<i64>,
    page: Page,
    /// Every answer told what came after the last event.
    complete: bool,
    held: VecDeque<(Vec<Event>, T)>,
    held_bytes: usize,
    /// In answers, and not yet told: in ascending order, of each server.
    given: BTreeMap<i64, VecDeque<EventId>>,
    /// How many of all servers.
    given_len: usize,
}

/// Where in the answers of one server we are.
#[derive(Clone, Copy, Debug)]
enum Page {
    /// The first is to begin with the last event seen.
    First,
    /// What follows this event.
    After(EventId),
}

impl<T> CatchUp<T> {
    /// For a client with this subscription, that wants events that are `persisted`, or not. `seen` are the last events that it knows, one
    /// a server, from an earlier run; [`connected`](Self::connected) asks for what came after them.
    #[must_use]
    pub fn new(
        config: CatchUpConfig,
        subscription: Subscription,
        persisted: bool,
        seen: impl IntoIterator<Item = EventId>,
    ) -> Self {
        let mut catch_up = Self {
            config,
            subscription,
            persisted,
            last: BTreeMap::new(),
            overflowed: false,
            asking: VecDeque::new(),
            page: Page::First,
            complete: true,
            held: VecDeque::new(),
            held_bytes: 0,
            given: BTreeMap::new(),
            given_len: 0,
        };
        seen.into_iter().for_each(|id| catch_up.saw(id));
        catch_up
    }

    /// There is a new connection: what came since the last event is to be asked for. What is held from a connection that ended before its
    /// answers came is held on, behind what is still missing.
    pub fn connected(&mut self) {
        self.asking = self.last.keys().copied().collect();
        self.page = Page::First;
        self.complete = !self.overflowed;
        if self.held.is_empty() {
            self.given.clear();
            self.given_len = 0;
        }
    }

    /// What to ask next; `None` where there is nothing to ask, or no more.
    #[must_use]
    pub fn query(&self) -> Option<QueryParams> {
        let server_id = *self.asking.front()?;
        let last_event_id = match self.page {
            Page::First => before(*self.last.get(&server_id)?),
            Page::After(id) => id,
        };
        let (persisted, max_results) = (self.persisted, self.config.max_results);
        let last_event_id = Some(last_event_id);
        Some(ServerParams { server_id, persisted, max_results, last_event_id }.into())
    }

    /// The answer to [`query`](Self::query): gives what of it is to be handed on.
    pub fn answered(&mut self, result: QueryResult) -> Vec<Event> {
        let Some(&server) = self.asking.front() else { return Vec::new() };
        let seen = self.last.get(&server).copied().unwrap_or_default();
        if let Page::First = self.page {
            // before the first event there is none to find again
            let known = result.events.iter().any(|event| event.id == seen);
            self.complete &= known || seen.instance < 1;
        }
        let asked_after = match self.page {
            Page::First => before(seen),
            Page::After(id) => id,
        };
        match result.events.last() {
            // each page goes further, so they end
            Some(last) if result.more_follows && last.id > asked_after => {
                self.page = Page::After(last.id);
            }
            _ => {
                self.complete &= !result.more_follows;
                self.asking.pop_front();
                self.page = Page::First;
            }
        }
        let mut events = result.events;
        let (mut newest, max_given) = (seen, self.config.max_given);
        let given = self.given.entry(server).or_default();
        events.retain(|event| {
            // a server may give again what we asked to go on after
            let new = event.id.server == server && event.id > newest;
            if !new {
                return false;
            }
            newest = event.id;
            // the first are the least likely to be told again
            if self.given_len < max_given || given.pop_front().is_some() {
                given.push_back(newest);
                self.given_len = max_given.min(self.given_len + 1);
            }
            self.subscription.matches(&event.event_type)
        });
        // also of events that nobody subscribed to: they need not be asked for again
        self.saw(newest);
        events
    }

    /// There will be no answer, or not in time: no more is asked for, and catching up is not complete.
    pub fn give_up(&mut self) {
        self.asking.clear();
        self.complete = false;
    }

    /// Events that the server told. Gives those back that are to be handed on now, which may be none of them; `None` if they are held.
    pub fn told(&mut self, mut events: Vec<Event>, with: T) -> Option<(Vec<Event>, T)> {
        if self.asking.is_empty() && self.held.is_empty() {
            self.keep_new(&mut events);
            return Some((events, with));
        }
        self.held_bytes += events.encoded_len() + events.len() * size_of::<Event>();
        self.held.push_back((events, with));
        if self.held_bytes > self.config.max_held {
            self.give_up();
        }
        None
    }

    /// Once nothing is to be asked any more: the next events that were held, without those that were handed on already; none may be left. While there
    /// is no connection, call it only for what was to be released before.
    pub fn release(&mut self) -> Option<(Vec<Event>, T)> {
        if !self.asking.is_empty() {
            return None;
        }
        let Some((mut events, with)) = self.held.pop_front() else {
            self.held_bytes = 0;
            return None;
        };
        self.keep_new(&mut events);
        Some((events, with))
    }

    /// Leaves out what an answer gave already. A server tells its events in order: what it gave before one that it tells now will not be
    /// told any more.
    fn keep_new(&mut self, events: &mut Vec<Event>) {
        events.retain(|event| {
            let mut twice = false;
            if let Some(given) = self.given.get_mut(&event.id.server) {
                while let Some(id) = given.pop_front_if(|id| *id <= event.id) {
                    self.given_len -= 1;
                    twice |= id == event.id;
                }
            }
            !twice
        });
        // what came twice was seen with the answer
        events.iter().for_each(|event| self.saw(event.id));
    }

    /// Whether every server still knew the last event seen, and gave all that it keeps after it. If not, some may be missing: the
    /// server started over or keeps less, did not answer, or too much came meanwhile.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    fn saw(&mut self, id: EventId) {
        // in the order of arrival, not the greatest: a server without a disk counts from 1 again
        let room = self.last.len() < self.config.max_servers;
        match self.last.get_mut(&id.server) {
            Some(last) => *last = id,
            None if room => {
                self.last.insert(id.server, id);
            }
            None => self.overflowed = true,
        }
    }
}

/// What to ask after, so that `id` itself is found again.
fn before(id: EventId) -> EventId {
    if id.instance < 1 { id } else { EventId { instance: id.instance - 1, ..id } }
}
