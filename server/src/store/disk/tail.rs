//! What is not in the indexes on the disk yet, in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use hat_core::eventer::{Event, EventId, EventType, OrderBy};

use crate::store::index::{Key, Keys, Range, in_order};
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
    pub(super) index: TailIndex,
    pub(super) types: HashMap<EventType, TailType>,
    /// What they take, stored.
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct TailType {
    pub(super) index: TailIndex,
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
                let mut index = TailIndex::default();
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

/// Events by timestamp, and those that have a source timestamp by that.
#[derive(Debug, Default)]
pub(super) struct TailIndex {
    by_timestamp: Ascending,
    by_source: Ascending,
}

impl TailIndex {
    fn insert(&mut self, event: &Event) {
        self.by_timestamp.insert((event.timestamp, event.id));
        if let Some(timestamp) = event.source_timestamp {
            self.by_source.insert((timestamp, event.id));
        }
    }

    /// How many events there are.
    pub(super) fn len(&self) -> usize {
        self.by_timestamp.in_order.len() + self.by_timestamp.others.len()
    }

    /// What is in `range`, in order.
    pub(super) fn range(&self, range: Range) -> Keys<'_> {
        match range.by {
            OrderBy::Timestamp => self.by_timestamp.range(range),
            OrderBy::SourceTimestamp => self.by_source.range(range),
        }
    }
}

/// Keys that nearly all come in their order.
#[derive(Debug, Default)]
struct Ascending {
    in_order: Vec<Key>,
    /// Those that came after one that they stand before.
    others: BTreeSet<Key>,
}

impl Ascending {
    fn insert(&mut self, key: Key) {
        if self.in_order.last().is_none_or(|last| *last < key) {
            self.in_order.push(key);
        } else {
            self.others.insert(key);
        }
    }

    fn range(&self, range: Range) -> Keys<'_> {
        use std::ops::Bound::{Excluded, Included, Unbounded};

        let Some((start, end)) = range.bounds() else { return Box::new(std::iter::empty()) };
        let from = self.in_order.partition_point(|key| match start {
            Included(start) => *key < start,
            Excluded(start) => *key <= start,
            Unbounded => false,
        });
        let to = self.in_order.partition_point(|key| match end {
            Included(end) => *key <= end,
            Excluded(end) => *key < end,
            Unbounded => true,
        });
        let keys = self.in_order.get(from..to).unwrap_or_default().iter().copied();
        let keys = in_order(keys, range.order);
        if self.others.is_empty() {
            return keys;
        }
        let others = in_order(self.others.range((start, end)).copied(), range.order);
        Box::new(crate::store::index::merged([keys, others], range.order))
    }
}
