//! The latest event of each type, for pages: what is registered is taken in a time that does not
//! depend on how many types there are.
//!
//! ```text
//! types   type ─> event, and the number of the change that made it the latest
//! order   (1, a) (2, b) (3, a) …        oldest first; what a later change of its type has made
//!                                       void stays until it is in front, or half of them are
//! ```
//!
//! A change counts once it is taken: an event that nobody has seen gives way to the next one in its
//! place. So a type that changes a thousand times between two looks costs a search each time, and
//! one copy.

use std::collections::{BTreeMap, HashMap, VecDeque};

use hat_core::eventer::{Event, EventId, EventType};

use crate::store::{Session, is_later};

#[derive(Debug)]
pub(super) struct Latest {
    max_types: usize,
    /// The last event of each server.
    last: BTreeMap<i64, EventId>,
    types: HashMap<EventType, Entry>,
    /// The changes, of which those that are void have another number than their type.
    order: VecDeque<(u64, EventType)>,
    /// How often the latest event of a type has changed, as far as somebody could see.
    changes: u64,
    /// The last change that was taken.
    taken: u64,
    /// Events that still keep the frame alive in which they came.
    attached: usize,
}

#[derive(Debug)]
struct Entry {
    event: Event,
    change: u64,
    is_attached: bool,
}

/// Frames that are kept alive until their events are taken. Of more types at once, events are
/// copied when they come.
const ATTACHED: usize = 1_024;

/// Changes that are void and kept all the same, where there are few types.
const VOID: usize = 1_024;

impl Latest {
    /// Of at most so many types: those that changed last.
    pub(super) fn new(max_types: usize) -> Self {
        let (last, types, order) = (BTreeMap::new(), HashMap::new(), VecDeque::new());
        Self { max_types, last, types, order, changes: 0, taken: 0, attached: 0 }
    }

    /// Takes what is above the last event of its server.
    pub(super) fn apply(&mut self, session: &Session) {
        let last = self.last.get(&session.server_id()).copied();
        let events = session.events();
        let known = events.partition_point(|event| last.is_some_and(|last| event.id <= last));
        events[known..].iter().for_each(|event| self.add(event));
    }

    /// Takes the latest event of each type, as a store has them: of many servers, in any order.
    pub(super) fn load(&mut self, mut latest: Vec<Event>) {
        // the oldest is forgotten first. By time, and not as events of one server follow each
        // other: that is no order among many servers
        latest.sort_by_key(|event| (event.timestamp, event.id));
        latest.iter().for_each(|event| self.add(event));
    }

    /// How many types there are.
    pub(super) fn types(&self) -> usize {
        self.types.len()
    }

    /// The latest event of a type.
    pub(super) fn of(&self, event_type: &EventType) -> Option<&Event> {
        Some(&self.types.get(event_type)?.event)
    }

    /// The events of types that changed after the change `after`, oldest first, at most so many,
    /// each with the number of its change. Changes count from 1. They keep no frame alive.
    pub(super) fn after(&mut self, after: u64, most: usize) -> Vec<(u64, Event)> {
        let start = self.order.partition_point(|(change, _)| *change <= after);
        let Self { types, attached, taken, .. } = self;
        let with_event = |(change, event_type): &(u64, EventType)| {
            let entry = types.get_mut(event_type).filter(|entry| entry.change == *change)?;
            entry.detach(attached);
            *taken = (*taken).max(*change);
            Some((*change, entry.event.clone()))
        };
        self.order.range(start..).filter_map(with_event).take(most).collect()
    }

    /// The oldest change that made an event the latest of its type, of those that still are. Types
    /// that changed before it last are forgotten.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.order.iter().find(|change| is_valid(&self.types, change)).map(|(change, _)| *change)
    }

    fn add(&mut self, event: &Event) {
        let last = self.last.entry(event.id.server).or_insert(event.id);
        *last = (*last).max(event.id);
        let known = self.types.get_mut(&event.event_type);
        // another server's may be older than what is there
        if let Some(Entry { event: known, .. }) = &known
            && !is_later((known.timestamp, known.id), (event.timestamp, event.id))
        {
            return;
        }
        match known {
            Some(known) if known.change > self.taken => known.set(event, &mut self.attached),
            Some(known) => {
                self.changes += 1;
                known.change = self.changes;
                known.set(event, &mut self.attached);
                self.order.push_back((known.change, known.event.event_type.clone()));
            }
            None => {
                self.changes += 1;
                let (event, change) = (event.detached(), self.changes);
                let event_type = event.event_type.clone();
                self.order.push_back((change, event_type.clone()));
                self.types.insert(event_type, Entry { event, change, is_attached: false });
            }
        }
        self.shrink();
    }

    /// Back to the limits.
    fn shrink(&mut self) {
        while self.types.len() > self.max_types
            && let Some(first) = self.order.pop_front()
        {
            if is_valid(&self.types, &first)
                && let Some(gone) = self.types.remove(&first.1)
            {
                self.attached -= usize::from(gone.is_attached);
            }
        }
        if self.order.len() > 2 * self.types.len() + VOID {
            let types = &self.types;
            self.order.retain(|change| is_valid(types, change));
        }
    }
}

impl Entry {
    fn set(&mut self, event: &Event, attached: &mut usize) {
        // its type is there already, in memory of its own: of the frame that is the payload only
        let event_type = self.event.event_type.clone();
        self.event = Event { event_type, payload: event.payload.clone(), ..*event };
        if !std::mem::replace(&mut self.is_attached, true) {
            *attached += 1;
        }
        if *attached > ATTACHED {
            self.detach(attached);
        }
    }

    fn detach(&mut self, attached: &mut usize) {
        if std::mem::take(&mut self.is_attached) {
            self.event = self.event.detached();
            *attached -= 1;
        }
    }
}

/// Whether the change is the last one of its type.
fn is_valid(types: &HashMap<EventType, Entry>, (change, event_type): &(u64, EventType)) -> bool {
    types.get(event_type).is_some_and(|entry| entry.change == *change)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hat_core::eventer::{Payload, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::store::memory;

    fn session(server: i64, number: i64, seconds: i64, types: &[u8]) -> Session {
        let events = types.iter().zip(1..).map(|(name, instance)| Event {
            id: EventId::new(server, number, instance),
            event_type: EventType::from_segments([name.to_string()]),
            timestamp: Timestamp::from_secs(seconds),
            source_timestamp: None,
            payload: None,
        });
        Session::new(events.collect()).expect("a session")
    }

    proptest! {
        /// The store in memory is the oracle: it does the same with trees, in more time.
        #[test]
        fn it_has_what_the_store_has(
            sessions in prop::collection::vec(
                (1..3i64, 0..20i64, prop::collection::btree_set(0..12u8, 1..6)), 1..60),
            max_types in 1..12usize,
            asked in 0..40u64,
        ) {
            let config = memory::Config { max_events: 0, max_types, ..memory::Config::new(1) };
            let (mut store, mut latest) = (memory::Store::new(config), Latest::new(max_types));
            for (number, (server, seconds, types)) in sessions.iter().enumerate() {
                // the last one comes twice
                for _ in 0..2 {
                    let types: Vec<u8> = types.iter().copied().collect();
                    let session = session(*server, number as i64 + 1, *seconds, &types);
                    store.apply(&session);
                    latest.apply(&session);
                }
                let plain = |all: Vec<(u64, Event)>| -> Vec<Event> {
                    all.into_iter().map(|(_, event)| event).collect()
                };
                prop_assert_eq!(plain(latest.after(0, 100)), plain(store.latest_after(0, 100)));
                prop_assert_eq!(latest.types(), store.types());
                let first = latest.after(0, 1).first().map(|(change, _)| *change);
                prop_assert_eq!(latest.oldest(), first);
                let (all, some) = (latest.after(0, 100), latest.after(asked, 2));
                let rest = all.into_iter().filter(|(change, _)| *change > asked).take(2);
                prop_assert_eq!(some, rest.collect::<Vec<_>>());
                for name in 0..12u8 {
                    let event_type = EventType::from_segments([name.to_string()]);
                    prop_assert_eq!(latest.of(&event_type), store.latest_of(&event_type));
                }
            }
        }
    }

    #[test]
    fn what_nobody_has_taken_gives_way_in_its_place() {
        let numbers = |latest: &mut Latest, after| -> Vec<(u64, i64)> {
            latest.after(after, 10).iter().map(|(change, it)| (*change, it.id.session)).collect()
        };
        let mut latest = Latest::new(10);
        latest.apply(&session(1, 1, 1, &[0, 1]));
        latest.apply(&session(1, 2, 1, &[0]));
        assert_eq!(numbers(&mut latest, 0), [(1, 2), (2, 1)]);
        latest.apply(&session(1, 3, 1, &[0]));
        latest.apply(&session(1, 4, 1, &[0]));
        assert_eq!(numbers(&mut latest, 2), [(3, 4)]);
        assert_eq!(numbers(&mut latest, 0), [(2, 1), (3, 4)]);
    }

    #[test]
    fn few_frames_are_kept_alive() {
        let payload = |of: &Event| {
            of.payload.as_ref().and_then(Payload::as_binary).map(|it| it.data.as_ptr())
        };
        let mut latest = Latest::new(10_000);
        let event = |number: i64, name: i64, frame: &Bytes| Event {
            id: EventId::new(1, number, 1),
            event_type: EventType::from_segments([name.to_string()]),
            timestamp: Timestamp::from_secs(1),
            source_timestamp: None,
            payload: Some(Payload::binary("", frame.slice(..3))),
        };
        let mut number = 0;
        for _ in 0..2 {
            for name in 0..2 * ATTACHED as i64 {
                number += 1;
                let frame = Bytes::from(vec![7; 100]);
                let session = Session::new(vec![event(number, name, &frame)]).expect("a session");
                latest.apply(&session);
            }
            assert!(latest.attached <= ATTACHED);
        }
        assert_eq!(latest.attached, ATTACHED);
        let frame = Bytes::from(vec![7; 100]);
        latest.apply(&Session::new(vec![event(number + 1, 0, &frame)]).expect("a session"));
        let taken = latest.after(0, usize::MAX);
        assert_eq!((taken.len(), latest.attached), (2 * ATTACHED, 0));
        let own = |it: &(u64, Event)| payload(&it.1) != Some(frame.as_ptr());
        assert!(taken.iter().all(own));
    }

    #[test]
    fn what_is_void_goes_where_one_type_changes_all_the_time() {
        let mut latest = Latest::new(10);
        latest.apply(&session(1, 1, 1, &[0]));
        for number in 2..5_000 {
            latest.apply(&session(1, number, 1, &[1]));
            latest.after(0, 10);
        }
        assert!(latest.order.len() <= 2 * 2 + VOID, "{}", latest.order.len());
        assert_eq!((latest.types(), latest.oldest()), (2, Some(1)));
    }
}
