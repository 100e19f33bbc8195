//! Events in memory, for a server without a disk: registers them and answers all three kinds of
//! queries.
//!
//! ```text
//! events   id ─> event               all that are kept: of the series, and the latest of each type
//! series   id, id, id …              in the order of registration: the oldest are dropped first
//! index    (timestamp, id) …         of the whole series, once by each timestamp
//! types    type ─> index, latest id  the same for one type
//! ```
//!
//! Events of several servers may be in it: a standby applies what it mirrors.
//!
//! The semantics are those of the deployed server: `hat.event.server.engine` for sessions, and
//! `hat.event.backends.lmdb` (`latestdb`, `timeseriesdb` and `refdb`) for queries. What they do by
//! accident, and this does not, is said where it is.

pub(super) mod query;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
#[cfg(test)]
use std::ops::Bound;

use bytes::Bytes;
use hat_core::eventer::{Event, EventId, EventType, RegisterEvent, Timestamp};

use super::index::Index;
use super::{Last, Session, is_later};

/// What a [`Store`] is allowed to take, and whose events it holds.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The server that the events are registered by.
    pub server_id: i64,
    /// Events in the series. Beyond that the oldest are dropped, but for the latest of each type.
    /// 100 000, which is some 90 MB with both timestamps and payloads of 100 bytes.
    pub max_events: usize,
    /// Types whose latest event is kept. Beyond that those are forgotten that were registered last
    /// the longest ago. 100 000.
    pub max_types: usize,
    /// Events in one answer, also where more are asked for: 4 096, as with the deployed server.
    pub max_results: usize,
    /// Bytes of events in one answer, 16 MiB, but for the latest of each type; one event is always
    /// answered. What was cut off follows.
    pub max_answer: usize,
}

impl Config {
    /// The defaults, for the events of `server_id`.
    pub fn new(server_id: i64) -> Self {
        Self {
            server_id,
            max_events: 100_000,
            max_types: 100_000,
            max_results: 4_096,
            max_answer: 16 << 20,
        }
    }
}

/// The events.
#[derive(Debug)]
pub struct Store {
    config: Config,
    /// The last of each server.
    last: BTreeMap<i64, Last>,
    marks: BTreeMap<i64, Bytes>,
    /// Events since the start.
    registered: u64,
    events: BTreeMap<EventId, Event>,
    series: VecDeque<EventId>,
    index: Index,
    types: HashMap<EventType, TypeEntry>,
    /// The types that there are, in their order.
    names: BTreeSet<EventType>,
    /// The latest event of every type, by age: the number of its change.
    latest: BTreeMap<u64, EventId>,
    /// How often the latest event of a type has changed.
    changes: u64,
}

/// What is known of one type.
#[derive(Debug, Default)]
struct TypeEntry {
    index: Index,
    /// The latest event, and the number of the change that made it that.
    latest: Option<(EventId, u64)>,
}

impl Store {
    /// Without events; sessions count from 1.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            last: BTreeMap::new(),
            marks: BTreeMap::new(),
            registered: 0,
            events: BTreeMap::new(),
            series: VecDeque::new(),
            index: Index::default(),
            types: HashMap::new(),
            names: BTreeSet::new(),
            latest: BTreeMap::new(),
            changes: 0,
        }
    }

    /// Registers `events` as one session at `now`, and returns them in their order, with ids and
    /// timestamps.
    ///
    /// Nothing at all is not a session. What is kept is copied: no frame is kept alive. Takes `log
    /// n` time an event.
    pub fn register(&mut self, events: Vec<RegisterEvent>, now: Timestamp) -> Vec<Event> {
        if events.is_empty() {
            return Vec::new();
        }
        let number = self.last(self.config.server_id).reserved + 1;
        let session = EventId::new(self.config.server_id, number, 0);
        let number = |(event, instance): (RegisterEvent, i64)| Event {
            id: EventId { instance, ..session },
            event_type: event.event_type,
            timestamp: now,
            source_timestamp: event.source_timestamp,
            payload: event.payload,
        };
        let registered: Vec<Event> = events.into_iter().zip(1..).map(number).collect();
        self.add_all(&registered);
        registered
    }

    /// Takes a session as it is. Events that are not above the last one of their server are passed
    /// over.
    pub fn apply(&mut self, session: &Session) {
        let last = self.last(session.server_id()).id;
        let events = session.events();
        let known = events.partition_point(|event| event.id <= last);
        self.add_all(&events[known..]);
    }

    /// Takes the latest event of each type, as another store has them: of many servers, in any
    /// order. They do not count as registered since the start.
    pub fn load(&mut self, mut latest: Vec<Event>) {
        // the oldest is forgotten first. By time, and not as events of one server follow each
        // other: that is no order among many servers
        latest.sort_by_key(|event| (event.timestamp, event.id));
        for event in latest {
            let mut last = self.last(event.id.server);
            last.id = last.id.max(event.id);
            last.timestamp = last.timestamp.max(Some(event.timestamp));
            last.reserved = last.reserved.max(event.id.session);
            self.last.insert(event.id.server, last);
            self.add(event.detached());
            self.shrink();
        }
    }

    /// Counts sessions of a server up to `session` as given.
    pub fn reserve(&mut self, server_id: i64, session: i64) {
        let last = self.last.entry(server_id).or_default();
        last.reserved = last.reserved.max(session);
    }

    /// The last that is known of a server.
    pub fn last(&self, server_id: i64) -> Last {
        let none = || Last { id: EventId::new(server_id, 0, 0), ..Last::default() };
        self.last.get(&server_id).copied().unwrap_or_else(none)
    }

    /// Keeps a mark for a server: see [`Store::mark`](crate::store::Store::mark).
    pub fn set_mark(&mut self, server_id: i64, mark: Bytes) {
        self.marks.insert(server_id, mark);
    }

    /// The mark of a server.
    pub fn mark(&self, server_id: i64) -> Option<Bytes> {
        self.marks.get(&server_id).cloned()
    }

    fn add_all(&mut self, events: &[Event]) {
        let Some(event) = events.last() else { return };
        let last = self.last.entry(event.id.server).or_default();
        last.id = event.id;
        last.timestamp = last.timestamp.max(Some(event.timestamp));
        last.reserved = last.reserved.max(event.id.session);
        self.registered += events.len() as u64;
        for event in events {
            self.add(event.detached());
            // at once: a session may be larger than all that is kept
            self.shrink();
        }
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
        self.events.get(&self.types.get(event_type)?.latest?.0)
    }

    /// The latest events of types that changed after the change `after`, oldest first, at most so
    /// many, each with the number of its change.
    #[cfg(test)]
    pub(crate) fn latest_after(&self, after: u64, most: usize) -> Vec<(u64, Event)> {
        let changed = self.latest.range((Bound::Excluded(after), Bound::Unbounded)).take(most);
        changed.map(|(change, id)| (*change, self.events[id].clone())).collect()
    }

    fn add(&mut self, event: Event) {
        let id = event.id;
        // where nothing but the latest is kept, the rest costs nothing
        let has_series = self.config.max_events > 0;
        let entry = match self.types.get_mut(&event.event_type) {
            Some(entry) => entry,
            None => {
                self.names.insert(event.event_type.clone());
                self.types.entry(event.event_type.clone()).or_default()
            }
        };
        if has_series {
            let (key, source) = ((event.timestamp, id), event.source_timestamp);
            self.index.insert(key, source);
            entry.index.insert(key, source);
            self.series.push_back(id);
        }
        let previous = entry.latest;
        // another server's may be older than what is there
        let is_latest = previous.is_none_or(|(previous, _)| {
            is_later((self.events[&previous].timestamp, previous), (event.timestamp, id))
        });
        if !is_latest && !has_series {
            return;
        }
        self.events.insert(id, event);
        if !is_latest {
            return;
        }
        self.changes += 1;
        entry.latest = Some((id, self.changes));
        self.latest.insert(self.changes, id);
        if let Some((previous, change)) = previous {
            self.latest.remove(&change);
            if has_series {
                self.forget_unless_kept(previous);
            } else if previous != id {
                self.events.remove(&previous);
            }
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
            && let Some((_, id)) = self.latest.pop_first()
        {
            if let Some(entry) = self.types.get_mut(&self.events[&id].event_type) {
                entry.latest = None;
            }
            self.forget_unless_kept(id);
        }
    }

    /// Lets an event go that neither the series nor the latest of a type holds any more, and its
    /// type with the last of it.
    fn forget_unless_kept(&mut self, id: EventId) {
        let Some(event) = self.events.get(&id) else { return };
        let latest = self.types.get(&event.event_type).and_then(|entry| entry.latest);
        if self.index.has(event) || latest.is_some_and(|(latest, _)| latest == id) {
            return;
        }
        let Some(event) = self.events.remove(&id) else { return };
        if let Some(entry) = self.types.get(&event.event_type)
            && entry.latest.is_none()
            && entry.index.is_empty()
        {
            self.types.remove(&event.event_type);
            self.names.remove(&event.event_type);
        }
    }
}

#[cfg(test)]
mod tests;
