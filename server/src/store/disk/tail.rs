//! What is not in the indexes on the disk yet, in memory.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use hat_core::eventer::{Event, EventId, EventType};

use crate::store::index::Index;
use crate::store::is_later;

/// Events of the last sessions, with indexes of their own. Bounded: it goes to the disk when it has
/// grown to the size that the options say.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// Each event, and how it is stored.
    pub(super) events: BTreeMap<EventId, (Event, Bytes)>,
    pub(super) index: Index,
    pub(super) types: HashMap<EventType, TailType>,
    /// What they take, stored.
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct TailType {
    pub(super) index: Index,
    pub(super) latest: EventId,
    pub(super) bytes: usize,
}

impl Tail {
    pub(super) fn add(&mut self, event: Event, stored: Bytes) {
        let id = event.id;
        self.bytes += stored.len();
        self.index.insert(&event);
        match self.types.get_mut(&event.event_type) {
            Some(known) => {
                known.index.insert(&event);
                known.bytes += stored.len();
                let latest = &self.events[&known.latest].0;
                if is_later(latest, &event) {
                    known.latest = id;
                }
            }
            None => {
                let mut index = Index::default();
                index.insert(&event);
                let known = TailType { index, latest: id, bytes: stored.len() };
                self.types.insert(event.event_type.clone(), known);
            }
        }
        self.events.insert(id, (event, stored));
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn latest(&self, event_type: &EventType) -> Option<&(Event, Bytes)> {
        self.events.get(&self.types.get(event_type)?.latest)
    }
}
