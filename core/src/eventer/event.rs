//! Events and their natural order.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::{EventType, JsonError, Payload, Timestamp};
use crate::sbs;

sbs::record! {
    /// Which event it is, by `HatEventer.EventId`: unique among all servers. The order is that of
    /// server, session, instance.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct EventId {
        /// The server that registered the event.
        pub server: i64,
        /// The registration it was part of, counted from 1 on each server. 0 stands for 'before the
        /// first'.
        pub session: i64,
        /// Its number in the session, counted from 1. 0 stands for 'before the first'.
        pub instance: i64,
    }
}

sbs::record! {
    /// An event that a server registered, by `HatEventer.Event`.
    ///
    /// A clone is cheap, and what was decoded shares the memory of its frame; see
    /// [`detached`](Self::detached) before keeping one.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct Event {
        /// Which event it is.
        pub id: EventId,
        /// What it is about.
        #[cfg_attr(feature = "serde", serde(rename = "type"))]
        pub event_type: EventType,
        /// When the server registered it: the same for the whole session.
        pub timestamp: Timestamp,
        /// When it happened, where the source of the event knew.
        pub source_timestamp: Option<Timestamp>,
        /// Its data, where it has any.
        pub payload: Option<Payload>,
    }
}

sbs::record! {
    /// An event for a server to register, by `HatEventer.RegisterEvent`. The server adds an id and
    /// its timestamp.
    ///
    /// Decoded ones share the memory of their frame; see [`detached`](Self::detached).
    #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    pub struct RegisterEvent {
        /// What the event is about.
        #[cfg_attr(feature = "serde", serde(rename = "type"))]
        pub event_type: EventType,
        /// When it happened, where the source of the event knows.
        #[cfg_attr(feature = "serde", serde(default))]
        pub source_timestamp: Option<Timestamp>,
        /// Its data, where it has any.
        #[cfg_attr(feature = "serde", serde(default))]
        pub payload: Option<Payload>,
    }
}

impl EventId {
    /// The id of these three numbers.
    #[must_use]
    pub const fn new(server: i64, session: i64, instance: i64) -> Self {
        Self { server, session, instance }
    }
}

impl Event {
    /// The natural order, where `self` arrived first: events of one server by session and instance,
    /// others by timestamp. `Equal` leaves them in their order of arrival, or is the same event.
    ///
    /// It orders two events, and a sequence where every server's clock only goes forward. It is no
    /// total order: with a clock that was set back, three events can each be before the next. So do
    /// not give it to a sort, which may panic then; use [`sort_natural`]. The source is the
    /// comparison of `Event` in `hat-event`, which says 'less' for `Equal` here.
    #[must_use]
    pub fn natural_cmp(&self, other: &Self) -> Ordering {
        if self.id.server == other.id.server {
            self.id.cmp(&other.id)
        } else {
            self.timestamp.cmp(&other.timestamp)
        }
    }

    /// A copy with memory of its own. What was decoded keeps the whole frame that it came in alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            event_type: self.event_type.detached(),
            payload: self.payload.as_ref().map(Payload::detached),
            ..*self
        }
    }
}

impl RegisterEvent {
    /// Whether every peer can take the event: a JSON payload must be JSON. See
    /// [`Json::check`](super::Json::check).
    ///
    /// # Errors
    ///
    /// [`JsonError`].
    pub fn check(&self) -> Result<(), JsonError> {
        match &self.payload {
            Some(Payload::Json(json)) => json.check(),
            Some(Payload::Binary(_)) | None => Ok(()),
        }
    }

    /// An event with neither a source timestamp nor a payload.
    #[must_use]
    pub fn new(event_type: impl Into<EventType>) -> Self {
        Self { event_type: event_type.into(), source_timestamp: None, payload: None }
    }

    /// An event with `value` as its payload, in JSON, and without a source timestamp.
    ///
    /// ```
    /// use hat_core::eventer::RegisterEvent;
    ///
    /// let event = RegisterEvent::json("plant/boiler/celsius", &81.5)?;
    /// assert_eq!(event.payload.unwrap().parse::<f64>()?, 81.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// That of [`Payload::json`].
    pub fn json<T: serde::Serialize + ?Sized>(
        event_type: impl Into<EventType>,
        value: &T,
    ) -> Result<Self, JsonError> {
        Ok(Self { payload: Some(Payload::json(value)?), ..Self::new(event_type) })
    }

    /// A copy with memory of its own. What was decoded keeps the whole frame that it came in alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            event_type: self.event_type.detached(),
            source_timestamp: self.source_timestamp,
            payload: self.payload.as_ref().map(Payload::detached),
        }
    }
}

/// Sorts events that stand in their order of arrival by [`Event::natural_cmp`].
///
/// Events of one server always end up by session and instance. Events of different servers go by
/// timestamp, then by arrival; where a server's clock was set back, an event counts as not older
/// than those that the server registered before it.
pub fn sort_natural(events: &mut Vec<Event>) {
    let mut by_server: Vec<usize> = (0..events.len()).collect();
    by_server.sort_by_key(|&arrival| (events[arrival].id, arrival));

    // what is compared between servers: the latest (timestamp, arrival) of the server so far
    let mut order = Vec::with_capacity(events.len());
    let mut last: Option<(i64, (Timestamp, usize))> = None;
    for (place, &arrival) in by_server.iter().enumerate() {
        let event = &events[arrival];
        let mut key = (event.timestamp, arrival);
        if let Some((server, latest)) = last
            && server == event.id.server
        {
            key = key.max(latest);
        }
        last = Some((event.id.server, key));
        order.push((key, place));
    }
    order.sort_unstable();

    *events = order.iter().map(|&(_, place)| events[by_server[place]].clone()).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn event(server: i64, session: i64, instance: i64, second: i64) -> Event {
        Event {
            id: EventId::new(server, session, instance),
            event_type: EventType::default(),
            timestamp: Timestamp::from_secs(second),
            source_timestamp: None,
            payload: None,
        }
    }

    #[track_caller]
    fn sorted(arrived: Vec<Event>, expected: &[(i64, i64, i64)]) {
        let mut events = arrived;
        sort_natural(&mut events);
        let ids: Vec<_> = events
            .iter()
            .map(|event| (event.id.server, event.id.session, event.id.instance))
            .collect();
        assert_eq!(ids, expected);
    }

    #[test]
    fn one_server_goes_by_session_and_instance() {
        sorted(
            vec![event(1, 2, 1, 5), event(1, 1, 2, 5), event(1, 1, 1, 5)],
            &[(1, 1, 1), (1, 1, 2), (1, 2, 1)],
        );
    }

    #[test]
    fn two_servers_go_by_timestamp_and_then_by_arrival() {
        sorted(
            vec![event(2, 9, 1, 6), event(1, 1, 1, 5), event(2, 8, 1, 5)],
            &[(1, 1, 1), (2, 8, 1), (2, 9, 1)],
        );
    }

    #[test]
    fn a_clock_set_back_makes_a_circle_that_the_sort_survives() {
        let (a, b, c) = (event(1, 1, 1, 5), event(1, 2, 1, 3), event(2, 1, 1, 4));
        assert_eq!(a.natural_cmp(&b), Ordering::Less);
        assert_eq!(b.natural_cmp(&c), Ordering::Less);
        assert_eq!(c.natural_cmp(&a), Ordering::Less);
        sorted(vec![a, b, c], &[(2, 1, 1), (1, 1, 1), (1, 2, 1)]);
    }

    #[test]
    fn the_same_timestamp_and_a_server_out_of_order() {
        sorted(
            vec![event(1, 1, 2, 5), event(2, 1, 1, 5), event(1, 1, 1, 5)],
            &[(2, 1, 1), (1, 1, 1), (1, 1, 2)],
        );
    }

    #[test]
    fn the_bytes_of_an_event() {
        let event = Event {
            source_timestamp: Some(Timestamp::from_secs(-1)),
            payload: Some(Payload::binary("", &b"x"[..])),
            ..event(1, 2, 3, 64)
        };
        let bytes = sbs::encode(&event);
        assert_eq!(bytes[..], *b"\x81\x82\x83\x80\x00\xc0\x80\x81\xff\x80\x81\x80\x80\x81x");
        assert_eq!(sbs::decode(&bytes), Ok(event.clone()));
        assert_eq!(event.detached(), event);
    }
}
