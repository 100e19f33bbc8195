//! Events that go to many connections: encoded once, selected for each.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

use super::{Event, EventType, Subscription};
use crate::buffer::Room;
use crate::sbs::{Encode, Writer};

/// Events of one session, encoded. However many connections they are notified to, their bytes exist
/// once: connections that get all of them, or long runs of them, queue a reference.
#[derive(Clone, Debug)]
pub struct EncodedEvents {
    bytes: Bytes,
    events: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    event_type: EventType,
    server: i64,
    /// Where its encoding stands.
    place: Range<usize>,
}

impl EncodedEvents {
    /// Encodes `events`.
    #[must_use]
    pub fn new(events: &[Event]) -> Self {
        let mut end = 0;
        let entry = |event: &Event| {
            let start = end;
            end += event.encoded_len();
            Entry {
                event_type: event.event_type.clone(),
                server: event.id.server,
                place: start..end,
            }
        };
        let entries = events.iter().map(entry).collect();
        let bytes = Room::filled(end, |room| events.iter().for_each(|event| event.encode(room)));
        Self { bytes: bytes.into(), events: entries }
    }

    /// How many events these are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Their types, in their order.
    pub fn event_types(&self) -> impl Iterator<Item = &EventType> {
        self.events.iter().map(|event| &event.event_type)
    }

    /// Those in the ranges `wanted`, which ascend, as runs of bytes in `runs`, whose memory is used
    /// again; and their count.
    pub(super) fn pick<'a>(
        &'a self,
        wanted: impl Iterator<Item = Range<usize>>,
        server: Option<i64>,
        runs: &'a mut Vec<Range<usize>>,
    ) -> Selection<'a> {
        runs.clear();
        let mut count = 0;
        for range in wanted {
            match server {
                None => count += self.add(range, runs),
                Some(server) => {
                    let of_server = |&index: &usize| self.events[index].server == server;
                    let added =
                        range.filter(of_server).map(|index| self.add(index..index + 1, runs));
                    count += added.sum::<usize>();
                }
            }
        }
        Selection { bytes: &self.bytes, runs, count }
    }

    /// Adds a range of events to `runs`, and gives their count.
    #[inline]
    fn add(&self, range: Range<usize>, runs: &mut Vec<Range<usize>>) -> usize {
        let events = &self.events[range];
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            let (start, end) = (first.place.start, last.place.end);
            match runs.last_mut() {
                Some(run) if run.end == start => run.end = end,
                _ => runs.push(start..end),
            }
        }
        events.len()
    }

    /// Those that match, as runs of bytes in `runs`, whose memory is used again; and their count.
    pub(super) fn select<'a>(
        &'a self,
        subscription: &Subscription,
        server: Option<i64>,
        runs: &'a mut Vec<Range<usize>>,
    ) -> Selection<'a> {
        let types = self.event_types().enumerate();
        let wanted = types.filter(|(_, event_type)| subscription.matches(event_type));
        self.pick(wanted.map(|(index, _)| index..index + 1), server, runs)
    }
}

/// Some of the events, as the data of `HatEventer.MsgEventsNotify`.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    bytes: &'a Bytes,
    runs: &'a [Range<usize>],
    count: usize,
}

impl Selection<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Encode for Selection<'_> {
    fn encoded_len(&self) -> usize {
        let events: usize = self.runs.iter().map(ExactSizeIterator::len).sum();
        (self.count as i64).encoded_len() + events
    }

    fn encode(&self, out: &mut impl Writer) {
        (self.count as i64).encode(out);
        for run in self.runs {
            out.put_bytes(&self.bytes.slice(run.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventer::{EventId, Timestamp};
    use crate::sbs;
    use alloc::vec;

    fn event(server: i64, name: &str) -> Event {
        Event {
            id: EventId::new(server, 1, 1),
            event_type: EventType::from_segments([name]),
            timestamp: Timestamp::from_secs(0),
            source_timestamp: None,
            payload: None,
        }
    }

    #[track_caller]
    fn selects(wanted: &[&str], server: Option<i64>, expected: &[usize], runs_expected: usize) {
        let events =
            vec![event(1, "a"), event(1, "b"), event(2, "a"), event(2, "c"), event(1, "c")];
        let encoded = EncodedEvents::new(&events);
        let types: Vec<_> = wanted.iter().map(|name| EventType::from_segments([name])).collect();
        let subscription = Subscription::new(&types).expect("query types");
        let mut runs = Vec::new();
        let selection = encoded.select(&subscription, server, &mut runs);
        let bytes = sbs::encode(&selection);
        assert_eq!(selection.runs.len(), runs_expected);
        let expected: Vec<_> = expected.iter().map(|&index| events[index].clone()).collect();
        assert_eq!(sbs::decode(&bytes), Ok(expected));
    }

    #[test]
    fn selections_are_what_a_list_of_the_events_would_be() {
        selects(&["*"], None, &[0, 1, 2, 3, 4], 1);
        selects(&["a", "c"], None, &[0, 2, 3, 4], 2);
        selects(&["*"], Some(2), &[2, 3], 1);
        selects(&["b"], Some(2), &[], 0);
    }
}
