//! Events in memory, for a server on the command line: registers them and answers all three kinds of queries.
//!
//! ```text
//! events   id ─> event                 all that are kept: those of the series, and the latest of each type
//! series   id, id, id …                in the order of registration: the oldest are dropped at the front
//! index    (timestamp, id) …           of the whole series, once by each timestamp
//! types    type ─> index, latest id    the same for one type
//! ```
//!
//! The semantics are those of the deployed server: `hat.event.server.engine` for sessions, and `hat.event.backends.lmdb` (`latestdb`,
//! `timeseriesdb` and `refdb`) for queries. What they do by accident, and this does not, is said where it is.

mod index;
mod query;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use hat_core::eventer::{Event, EventId, EventType, RegisterEvent, Timestamp};

use index::Index;

/// What a [`Store`] is allowed to take, and whose events it holds.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The server that the events are registered by.
    pub server_id: i64,
    /// Events in the series. Beyond that the oldest are dropped, but for the latest of each type. 100 000, which is some 90 MB
    /// with both timestamps and payloads of 100 bytes.
    pub max_events: usize,
    /// Types whose latest event is kept. Beyond that those are forgotten that were registered last the longest ago. 100 000.
    pub max_types: usize,
    /// Events in one answer, also where more are asked for: 4 096, as with the deployed server.
    pub max_results: usize,
}

impl Config {
    /// The defaults, for the events of `server_id`.
    pub fn new(server_id: i64) -> Self {
        Self { server_id, max_events: 100_000, max_types: 100_000, max_results: 4_096 }
    }
}

/// The events of one server.
#[derive(Debug)]
pub struct Store {
    config: Config,
    /// The number of the last session; 0 before the first.
    session: i64,
    /// Events since the start.
    registered: u64,
    events: BTreeMap<EventId, Event>,
    series: VecDeque<EventId>,
    index: Index,
    types: BTreeMap<EventType, TypeEntry>,
    /// The latest event of every type, by age.
    latest: BTreeSet<EventId>,
}

/// What is known of one type.
#[derive(Debug, Default)]
struct TypeEntry {
    index: Index,
    latest: Option<EventId>,
}

impl Store {
    /// Without events; sessions count from 1.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            session: 0,
            registered: 0,
            events: BTreeMap::new(),
            series: VecDeque::new(),
            index: Index::default(),
            types: BTreeMap::new(),
            latest: BTreeSet::new(),
        }
    }

    /// Registers `events` as one session at `now`, and returns them in their order, with ids and timestamps.
    ///
    /// Nothing at all is no session. What is kept is copied: no frame is kept alive. Takes `log n` time an event.
    pub fn register(&mut self, events: Vec<RegisterEvent>, now: Timestamp) -> Vec<Event> {
        if events.is_empty() {
            return Vec::new();
        }
        self.session += 1;
        let session = EventId::new(self.config.server_id, self.session, 0);
        let number = |(event, instance): (RegisterEvent, i64)| Event {
            id: EventId { instance, ..session },
            event_type: event.event_type,
            timestamp: now,
            source_timestamp: event.source_timestamp,
            payload: event.payload,
        };
        let registered: Vec<Event> = events.into_iter().zip(1..).map(number).collect();
        self.registered += registered.len() as u64;
        for event in &registered {
            self.add(event.detached());
        }
        self.shrink();
        registered
    }

    /// How many events are kept.
    pub fn kept(&self) -> usize {
        self.events.len()
    }

    /// How many were registered since the start.
    pub fn registered(&self) -> u64 {
        self.registered
    }

    /// How many types have a latest event.
    pub fn types(&self) -> usize {
        self.latest.len()
    }

    /// The latest event of a type.
    pub fn latest_of(&self, event_type: &EventType) -> Option<&Event> {
        self.events.get(&self.types.get(event_type)?.latest?)
    }

    /// The latest events of types that were registered after `id`, oldest first, at most so many.
    pub fn latest_after(&self, id: EventId, most: usize) -> Vec<Event> {
        let after = self.latest.range((Bound::Excluded(id), Bound::Unbounded)).take(most);
        after.map(|id| self.events[id].clone()).collect()
    }

    /// The oldest of the events that are the latest of their types. Types that were registered before it are forgotten.
    pub fn oldest_latest(&self) -> Option<EventId> {
        self.latest.first().copied()
    }

    fn add(&mut self, event: Event) {
        let id = event.id;
        self.index.insert(&event);
        let entry = self.types.entry(event.event_type.clone()).or_default();
        entry.index.insert(&event);
        let previous = entry.latest.replace(id);
        self.series.push_back(id);
        self.latest.insert(id);
        self.events.insert(id, event);
        if let Some(previous) = previous {
            self.latest.remove(&previous);
            self.forget_unless_kept(previous);
        }
    }

    /// Back to the limits.
    fn shrink(&mut self) {
        while self.series.len() > self.config.max_events
            && let Some(id) = self.series.pop_front()
        {
            let event = &self.events[&id];
            self.index.remove(event);
            if let Some(entry) = self.types.get_mut(&event.event_type) {
                entry.index.remove(event);
            }
            self.forget_unless_kept(id);
        }
        while self.latest.len() > self.config.max_types
            && let Some(id) = self.latest.pop_first()
        {
            if let Some(entry) = self.types.get_mut(&self.events[&id].event_type) {
                entry.latest = None;
            }
            self.forget_unless_kept(id);
        }
    }

    /// Lets an event go that neither the series nor the latest of a type holds any more, and its type with the last of it.
    fn forget_unless_kept(&mut self, id: EventId) {
        // ids only grow, so the series is all from its front on
        let in_series = self.series.front().is_some_and(|front| *front <= id);
        if in_series || self.latest.contains(&id) {
            return;
        }
        let Some(event) = self.events.remove(&id) else { return };
        if let Some(entry) = self.types.get(&event.event_type)
            && entry.latest.is_none()
            && entry.index.is_empty()
        {
            self.types.remove(&event.event_type);
        }
    }
}

#[cfg(test)]
mod tests;
