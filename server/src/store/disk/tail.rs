//! What is not in the indexes on the disk yet, in memory.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use hat_core::eventer::{Event, EventId, EventType};

use crate::store::index::{Index, Key};
use crate::store::is_later;

/// An event, and how it is stored.
pub(super) type Stored = (Event, Bytes);

/// Events of the last sessions, with indexes of their own. Bounded: it goes to the disk when it has
/// grown to the size that the options say.
///
/// What is added is nearly always the last of its server, and the last by both timestamps: then it
/// costs some pushes, and no search.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// By server; those of one by id.
    events: BTreeMap<i64, Vec<Stored>>,
    count: usize,
    pub(super) index: Index,
    pub(super) types: HashMap<EventType, TailType>,
    /// What they take, stored.
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct TailType {
    pub(super) index: Index,
    /// The latest event.
    pub(super) latest: Key,
    pub(super) bytes: usize,
}

impl Tail {
    /// Adds an event. It is above what is here of its server: who applies has passed over the
    /// others.
    pub(super) fn add(&mut self, event: Event, stored: Bytes) {
        let key = (event.timestamp, event.id);
        self.bytes += stored.len();
        self.count += 1;
        self.index.insert(&event);
        match self.types.get_mut(&event.event_type) {
            Some(known) => {
                known.index.insert(&event);
                known.bytes += stored.len();
                if is_later(known.latest, key) {
                    known.latest = key;
                }
            }
            None => {
                let mut index = Index::default();
                index.insert(&event);
                let known = TailType { index, latest: key, bytes: stored.len() };
                self.types.insert(event.event_type.clone(), known);
            }
        }
        let events = self.events.entry(event.id.server).or_default();
        debug_assert!(events.last().is_none_or(|(last, _)| last.id < event.id));
        events.push((event, stored));
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// All events, by id.
    pub(super) fn events(&self) -> impl Iterator<Item = &Stored> {
        self.events.values().flatten()
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = i64> {
        self.events.keys().copied()
    }

    pub(super) fn get(&self, id: EventId) -> Option<&Stored> {
        let events = self.events.get(&id.server)?;
        let at = events.binary_search_by_key(&id, |(event, _)| event.id).ok()?;
        Some(&events[at])
    }

    /// The events of a server that come after one id of it, up to another, by id.
    pub(super) fn between(&self, after: EventId, end: EventId) -> &[Stored] {
        let Some(events) = self.events.get(&end.server) else { return &[] };
        let up_to = |id| events.partition_point(|(event, _)| event.id <= id);
        events.get(up_to(after)..up_to(end)).unwrap_or_default()
    }

    pub(super) fn latest(&self, event_type: &EventType) -> Option<&Stored> {
        self.get(self.types.get(event_type)?.latest.1)
    }
}
