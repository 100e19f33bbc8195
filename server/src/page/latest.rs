//! The latest event of each type, for pages: what is registered is taken in a time that does not
//! depend on how many types there are.
//!
//! ```text
//! types   type ─> event, and the number of the change that made it the latest
//! order   (1, a) (2, b) (3, a) …        oldest first; what a later change of its type has made
//!                                       void stays until it is in front, or half of them are
//! ```
//!
//! Whole events are kept, for who asks for one that the store has no more; and no more bytes of
//! them than a limit says, however few types they are of.
//!
//! A change counts once it is taken: an event that nobody has seen gives way to the next one in its
//! place. So a type that changes a thousand times between two looks costs a search each time, and
//! one copy.

use std::collections::{BTreeMap, HashMap, VecDeque};

use hat_core::eventer::{Event, EventId, EventType, Payload, Timestamp};
use hat_core::sbs::Encode as _;

use crate::store::{Session, is_later};

/// Bytes of events, as they are encoded: what the state of a page may take as text.
pub(super) const MAX_BYTES: usize = 256 << 20;

#[derive(Debug)]
pub(super) struct Latest {
    max_types: usize,
    max_bytes: usize,
    /// What the events take.
    bytes: usize,
    /// Types were left out to stay within the bytes, or were not read.
    left_out: bool,
    /// The last event of each server.
    last: BTreeMap<i64, EventId>,
    types: HashMap<EventType, Entry>,
    /// The changes, of which those that are void have another number than their type.
    order: VecDeque<(u64, EventType)>,
    /// How often the latest event of a type has changed, as far as somebody could see.
    changes: u64,
    /// The last change that was taken.
    taken: u64,
}

#[derive(Debug)]
struct Entry {
    event: Event,
    change: u64,
}

/// Changes that are void and kept all the same, where there are few types.
const VOID: usize = 1_024;

impl Latest {
    /// Of at most so many types: those that changed last.
    pub(super) fn new(max_types: usize) -> Self {
        let (last, types, order) = (BTreeMap::new(), HashMap::new(), VecDeque::new());
        Self {
            max_types,
            max_bytes: MAX_BYTES,
            bytes: 0,
            left_out: false,
            last,
            types,
            order,
            changes: 0,
            taken: 0,
        }
    }

    /// Takes what is above the last event of its server. It is copied: no frame is kept alive.
    pub(super) fn apply(&mut self, session: &Session) {
        let last = self.last.get(&session.server_id()).copied();
        let events = session.events();
        let known = events.partition_point(|event| last.is_some_and(|last| event.id <= last));
        events[known..].iter().for_each(|event| self.add(event));
    }

    /// Takes latest events of types, as a store has them: of many servers, in any order.
    pub(super) fn load(&mut self, read: NewestEvents) {
        self.left_out |= read.left_out;
        read.events.into_values().for_each(|event| self.add(&event));
    }

    /// Whether a type may be missing though there are not too many of them.
    pub(super) fn has_left_out(&self) -> bool {
        self.left_out
    }

    /// How many types there are.
    pub(super) fn types(&self) -> usize {
        self.types.len()
    }

    /// The latest event of a type.
    pub(super) fn of(&self, event_type: &EventType) -> Option<&Event> {
        Some(&self.types.get(event_type)?.event)
    }

    /// Whether the event of this id, and all before it of its server, were taken.
    pub(super) fn has_taken(&self, id: EventId) -> bool {
        self.last.get(&id.server).is_some_and(|last| *last >= id)
    }

    /// The events of types that changed after the change `after`, oldest first, at most so many,
    /// each with the number of its change. Changes count from 1.
    pub(super) fn after(&mut self, after: u64, most: usize) -> Vec<(u64, Event)> {
        let start = self.order.partition_point(|(change, _)| *change <= after);
        let valid = self.order.range(start..).filter(|change| is_valid(&self.types, change));
        let with_event = |(change, event_type): &(u64, EventType)| {
            Some((*change, self.types.get(event_type)?.event.clone()))
        };
        let events: Vec<_> = valid.filter_map(with_event).take(most).collect();
        self.taken = events.last().map_or(self.taken, |(change, _)| self.taken.max(*change));
        events
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
        self.bytes += event.encoded_len();
        match known {
            Some(known) => {
                self.bytes -= known.event.encoded_len();
                // its type is there, in memory of its own
                let event_type = known.event.event_type.clone();
                let payload = event.payload.as_ref().map(Payload::detached);
                known.event = Event { event_type, payload, ..*event };
                if known.change <= self.taken {
                    self.changes += 1;
                    known.change = self.changes;
                    self.order.push_back((known.change, known.event.event_type.clone()));
                }
            }
            None => {
                self.changes += 1;
                let (event, change) = (event.detached(), self.changes);
                let event_type = event.event_type.clone();
                self.order.push_back((change, event_type.clone()));
                self.types.insert(event_type, Entry { event, change });
            }
        }
        self.shrink();
    }

    /// Back to the limits.
    fn shrink(&mut self) {
        while (self.types.len() > self.max_types || self.bytes > self.max_bytes)
            && let Some(first) = self.order.pop_front()
        {
            if is_valid(&self.types, &first) {
                self.left_out |= self.types.len() <= self.max_types;
                let gone = self.types.remove(&first.1);
                self.bytes -= gone.map_or(0, |entry| entry.event.encoded_len());
            }
        }
        if self.order.len() > 2 * self.types.len() + VOID {
            let types = &self.types;
            self.order.retain(|change| is_valid(types, change));
        }
    }
}

/// The newest of the events that a store is asked for part by part: within the limits, whatever it
/// has.
#[derive(Debug)]
pub(super) struct NewestEvents {
    max_types: usize,
    max_bytes: usize,
    bytes: usize,
    /// By time, and not as events of one server follow each other: that is no order among many
    /// servers.
    events: BTreeMap<(Timestamp, EventId), Event>,
    /// Not all was read, or there was no room for all.
    left_out: bool,
}

impl NewestEvents {
    pub(super) fn new(max_types: usize) -> Self {
        let (bytes, events, left_out) = (0, BTreeMap::new(), false);
        Self { max_types, max_bytes: MAX_BYTES, bytes, events, left_out }
    }

    /// Takes the latest events of some types: each type comes once.
    pub(super) fn take(&mut self, events: Vec<Event>) {
        for event in events {
            self.bytes += event.encoded_len();
            self.events.insert((event.timestamp, event.id), event);
            while (self.events.len() > self.max_types || self.bytes > self.max_bytes)
                && let Some((_, oldest)) = self.events.pop_first()
            {
                self.left_out |= self.events.len() < self.max_types;
                self.bytes -= oldest.encoded_len();
            }
        }
    }

    /// There are some that were not read.
    pub(super) fn miss(&mut self) {
        self.left_out = true;
    }
}

/// Whether the change is the last one of its type.
fn is_valid(types: &HashMap<EventType, Entry>, (change, event_type): &(u64, EventType)) -> bool {
    types.get(event_type).is_some_and(|entry| entry.change == *change)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use hat_core::eventer::Timestamp;
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
    fn no_frame_is_kept_alive() {
        let frame = Bytes::from(vec![7; 100]);
        let event = |number: i64| Event {
            id: EventId::new(1, number, 1),
            event_type: EventType::from_segments(["a"]),
            timestamp: Timestamp::from_secs(1),
            source_timestamp: None,
            payload: Some(Payload::binary("", frame.slice(..3))),
        };
        let mut latest = Latest::new(10);
        for number in 1..4 {
            latest.apply(&Session::new(vec![event(number)]).expect("a session"));
            assert_eq!(latest.of(&event(1).event_type), Some(&event(number)));
            assert!(frame.is_unique(), "of the event {number}");
        }
        latest.after(0, 10);
        latest.apply(&Session::new(vec![event(4)]).expect("a session"));
        assert!(frame.is_unique());
    }

    fn large(server: i64, number: i64, name: &str, size: usize) -> Event {
        Event {
            id: EventId::new(server, number, 1),
            event_type: EventType::from_segments([name]),
            timestamp: Timestamp::from_secs(number),
            source_timestamp: None,
            payload: Some(Payload::binary("", vec![0; size])),
        }
    }

    #[test]
    fn the_oldest_give_way_where_events_are_large_and_that_is_known() {
        let mut latest = Latest { max_bytes: 10_000, ..Latest::new(100) };
        let mut number = 0;
        let mut apply = |latest: &mut Latest, name: &str, size| {
            number += 1;
            latest.apply(&Session::new(vec![large(1, number, name, size)]).expect("a session"));
            let bytes = latest.types.values().map(|entry| entry.event.encoded_len());
            assert_eq!(latest.bytes, bytes.sum::<usize>());
            assert!(latest.bytes <= 10_000);
        };
        for _ in 0..5 {
            ["a", "b", "c"].iter().for_each(|name| apply(&mut latest, name, 3_000));
        }
        assert!(!latest.has_left_out());
        apply(&mut latest, "d", 3_000);
        assert_eq!((latest.types(), latest.has_left_out()), (3, true));
        // one that grows pushes others out, and in the end itself
        apply(&mut latest, "d", 9_000);
        assert_eq!(latest.types(), 1);
        apply(&mut latest, "d", 20_000);
        assert_eq!((latest.types(), latest.bytes), (0, 0));
        apply(&mut latest, "e", 10);
        assert_eq!(latest.types(), 1);
        // too many types is another thing, and known by their number
        let mut few = Latest::new(2);
        ["a", "b", "c"].iter().for_each(|name| apply(&mut few, name, 10));
        assert_eq!((few.types(), few.has_left_out()), (2, false));
    }

    #[test]
    fn of_parts_the_newest_are_kept_within_the_limits() {
        let types = |newest: NewestEvents| -> Vec<i64> {
            let mut latest = Latest::new(100);
            latest.load(newest);
            latest.after(0, 100).iter().map(|(_, event)| event.id.session).collect()
        };
        let parts = || {
            [
                vec![large(1, 5, "e", 10), large(2, 1, "a", 10)],
                vec![large(1, 3, "c", 10), large(2, 4, "d", 10)],
            ]
        };
        let mut few = NewestEvents::new(3);
        parts().into_iter().for_each(|part| few.take(part));
        assert!(!few.left_out);
        assert_eq!(types(few), [3, 4, 5]);
        let size = large(1, 5, "e", 10).encoded_len();
        let mut small = NewestEvents { max_bytes: 2 * size, ..NewestEvents::new(3) };
        parts().into_iter().for_each(|part| small.take(part));
        assert!(small.left_out);
        assert_eq!(types(small), [4, 5]);
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
