//! What another server told, and is not written yet.

use hat_core::eventer::Event;
use hat_core::sbs::Encode as _;

/// What may wait to be written of the copy of another server's events, in memory. While the copy is
/// up to date, more is not read, and the other server keeps it; while events are asked for, it is
/// forgotten and asked for, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingLimits {
    /// Events, 65 536: a second of what a server registers in a plant at its busiest.
    pub events: usize,
    /// Bytes, 64 MiB: the largest message that a server takes, so that one of them always fits.
    pub bytes: usize,
}

impl Default for WaitingLimits {
    fn default() -> Self {
        Self { events: 65_536, bytes: 64 * 1024 * 1024 }
    }
}

impl WaitingLimits {
    /// Whether so many events of so many bytes are as many as may wait.
    fn are_reached(self, events: usize, bytes: usize) -> bool {
        events >= self.events || bytes >= self.bytes
    }
}

/// Events in their order, and what they weigh.
#[derive(Debug)]
pub(super) struct Waiting {
    limits: WaitingLimits,
    events: Vec<Event>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn new(limits: WaitingLimits) -> Self {
        Self { limits, events: Vec::new(), bytes: 0 }
    }

    pub(super) fn extend(&mut self, events: Vec<Event>) {
        self.bytes += events.iter().map(weight).sum::<usize>();
        self.events.extend(events);
    }

    pub(super) fn is_full(&self) -> bool {
        self.limits.are_reached(self.events.len(), self.bytes)
    }

    pub(super) fn take(&mut self) -> Vec<Event> {
        self.bytes = 0;
        std::mem::take(&mut self.events)
    }

    /// Takes the events that belong to sessions that do not reach to the end: more of the last one
    /// may come. One session without an end must not fill the memory, so that it is taken in parts.
    pub(super) fn take_whole(&mut self) -> Vec<Event> {
        let Some(last) = self.events.last().map(|event| event.id.session) else {
            return Vec::new();
        };
        let of_last = self.events.iter().rev().take_while(|event| event.id.session == last);
        let whole = self.events.len() - of_last.count();
        if whole == 0 && self.is_full() {
            return self.take();
        }
        let rest = self.events.split_off(whole);
        self.bytes = rest.iter().map(weight).sum();
        std::mem::replace(&mut self.events, rest)
    }
}

/// What an event takes in memory, as it came and as it is kept.
fn weight(event: &Event) -> usize {
    size_of::<Event>() + event.encoded_len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hat_core::eventer::{EventId, EventType, Payload, Timestamp};

    fn event(session: i64, instance: i64, size: usize) -> Event {
        Event {
            id: EventId::new(2, session, instance),
            event_type: EventType::from_segments(["a"]),
            timestamp: Timestamp::from_secs(session),
            source_timestamp: None,
            payload: Some(Payload::binary("t", vec![0; size])),
        }
    }

    fn ids(events: &[Event]) -> Vec<(i64, i64)> {
        events.iter().map(|event| (event.id.session, event.id.instance)).collect()
    }

    #[test]
    fn the_last_session_of_a_page_is_held_back() {
        let mut held = Waiting::new(WaitingLimits::default());
        assert_eq!(held.take_whole(), []);
        held.extend(vec![event(1, 1, 1), event(1, 2, 1)]);
        assert_eq!(held.take_whole(), []);
        held.extend(vec![event(1, 3, 1), event(2, 1, 1)]);
        assert_eq!(ids(&held.take_whole()), [(1, 1), (1, 2), (1, 3)]);
        assert_eq!(ids(&held.take()), [(2, 1)]);
        assert_eq!(held.bytes, 0);
    }

    #[test]
    fn few_events_are_many_where_they_are_large() {
        let limits = WaitingLimits { events: 1000, bytes: 10_000 };
        let mut waiting = Waiting::new(limits);
        waiting.extend(vec![event(1, 1, 4_000), event(1, 2, 4_000)]);
        assert!(!waiting.is_full());
        waiting.extend(vec![event(1, 3, 4_000)]);
        assert!(waiting.is_full());
        // a session that is larger than what may wait is taken in parts
        assert_eq!(ids(&waiting.take_whole()), [(1, 1), (1, 2), (1, 3)]);
        assert!(!waiting.is_full());
        // of many without any payload, each takes what an event takes
        waiting.extend((1..=200).map(|instance| event(2, instance, 0)).collect());
        assert!(waiting.is_full());
    }

    #[test]
    fn many_events_are_many_however_small() {
        let mut waiting = Waiting::new(WaitingLimits { events: 3, bytes: usize::MAX });
        waiting.extend(vec![event(1, 1, 0), event(1, 2, 0)]);
        assert!(!waiting.is_full());
        waiting.extend(vec![event(1, 3, 0)]);
        assert!(waiting.is_full());
    }
}
