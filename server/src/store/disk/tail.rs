//! What is not in the indexes on the disk yet, in memory.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use hat_core::eventer::{Event, EventId, EventType, OrderBy, Timestamp};

use super::drain::ALL;
use crate::store::index::{Index, Key};
use crate::store::is_later;

/// An event as it is stored, and what it is found by. Whoever asks for more decodes it: most events
/// are never asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TailEvent {
    pub(super) id: EventId,
    pub(super) timestamp: Timestamp,
    pub(super) source_timestamp: Option<Timestamp>,
    /// `HatEventer.Event` in SBS.
    pub(super) bytes: Bytes,
}

impl TailEvent {
    pub(super) fn new(event: &Event, bytes: Bytes) -> Self {
        let &Event { id, timestamp, source_timestamp, .. } = event;
        Self { id, timestamp, source_timestamp, bytes }
    }

    pub(super) fn key(&self) -> Key {
        (self.timestamp, self.id)
    }
}

/// Events of the last sessions, with indexes of their own. Bounded: it goes to the disk when it has
/// grown to the size that the options say.
///
/// What is added is nearly always the last of its server, and the last by both timestamps: then it
/// costs some pushes, and no search.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// By server; those of one by id.
    events: BTreeMap<i64, Vec<TailEvent>>,
    count: usize,
    pub(super) index: Index,
    pub(super) types: HashMap<EventType, TailType>,
    /// What they take, stored.
    pub(super) bytes: usize,
    /// Events that are to be expected, and of one type: those of the tail before, so that memory
    /// which is used is not copied to where there is more of it, again and again.
    expected: usize,
    expected_of_type: usize,
}

#[derive(Debug)]
pub(super) struct TailType {
    pub(super) index: Index,
    /// The latest event.
    pub(super) latest: Key,
    pub(super) bytes: usize,
}

/// Events that room is made for before they come, at most. A tail that held more is rare.
const EXPECTED: usize = 1 << 17;

/// The same of one type: of many, most may get none this time.
const EXPECTED_OF_TYPE: usize = 64;

impl Tail {
    /// An empty one, to follow this one.
    pub(super) fn next(&self) -> Self {
        let of_type = self.count / self.types.len().max(1);
        Self {
            expected: self.count.min(EXPECTED),
            expected_of_type: of_type.min(EXPECTED_OF_TYPE),
            ..Self::default()
        }
    }

    /// Adds an event. It is above what is here of its server: who applies has passed over the
    /// others.
    pub(super) fn add(&mut self, event_type: &EventType, stored: TailEvent) {
        let (key, source, size) = (stored.key(), stored.source_timestamp, stored.bytes.len());
        self.bytes += size;
        self.count += 1;
        self.index.insert(key, source);
        match self.types.get_mut(event_type) {
            Some(known) => {
                known.index.insert(key, source);
                known.bytes += size;
                if is_later(known.latest, key) {
                    known.latest = key;
                }
            }
            None => {
                let mut index = Index::default();
                index.reserve(self.expected_of_type, source.is_some());
                index.insert(key, source);
                // the message in which it came may be much larger
                let event_type = event_type.detached();
                self.types.insert(event_type, TailType { index, latest: key, bytes: size });
            }
        }
        let first = self.events.is_empty();
        let events = self.events.entry(stored.id.server).or_default();
        if first {
            events.reserve(self.expected);
            self.index.reserve(self.expected, source.is_some());
        }
        debug_assert!(events.last().is_none_or(|last| last.id < stored.id));
        events.push(stored);
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// All events, by id.
    pub(super) fn events(&self) -> impl Iterator<Item = &TailEvent> {
        self.events.values().flatten()
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = i64> {
        self.events.keys().copied()
    }

    pub(super) fn get(&self, id: EventId) -> Option<&TailEvent> {
        let events = self.events.get(&id.server)?;
        let at = events.binary_search_by_key(&id, |event| event.id).ok()?;
        Some(&events[at])
    }

    /// The events of a server that come after one id of it, up to another, by id.
    pub(super) fn between(&self, after: EventId, end: EventId) -> &[TailEvent] {
        let Some(events) = self.events.get(&end.server) else { return &[] };
        let up_to = |id| events.partition_point(|event| event.id <= id);
        events.get(up_to(after)..up_to(end)).unwrap_or_default()
    }

    /// The events of one type.
    pub(super) fn of(&self, event_type: &EventType) -> impl Iterator<Item = &TailEvent> {
        let known = self.types.get(event_type).into_iter();
        let keys = known.flat_map(|known| known.index.range(ALL(OrderBy::Timestamp)));
        keys.filter_map(|key| self.get(key.1))
    }

    pub(super) fn latest(&self, event_type: &EventType) -> Option<&TailEvent> {
        self.get(self.types.get(event_type)?.latest.1)
    }
}
