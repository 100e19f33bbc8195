//! The events that are registered and notified: types of four segments, JSON payloads of 60 bytes.

use hat_core::chatter::{Config, Connection, Data, Dialect, SendOptions};
use hat_core::eventer::{Event, EventId, EventType, Json, Payload, RegisterEvent, Timestamp};
use hat_core::protocol::Protocol;
use hat_core::sbs;
use hat_core::time::Instant;

/// Different event types.
pub(crate) const TYPES: usize = 10_000;

/// Events of one notification.
pub(crate) const PER_NOTIFICATION: usize = 10;

/// `gateway/<number>/device<0 to 99>/measurement`: one more gateway for each hundred.
pub(crate) fn event_type(index: usize) -> EventType {
    let (gateway, device) = (index / 100, index % 100);
    EventType::from_segments([
        "gateway",
        &gateway.to_string(),
        &format!("device{device}"),
        "measurement",
    ])
}

/// 60 bytes of JSON.
pub(crate) fn payload(index: usize) -> Payload {
    let json = format!(r#"{{"value": {index:>8}, "quality": "good", "unit": "kW", "n": 1}}"#);
    Json::from_text(json).expect("it is JSON").into()
}

/// Events to be registered.
pub(crate) fn to_register(indexes: impl IntoIterator<Item = usize>) -> Vec<RegisterEvent> {
    let event = |index| RegisterEvent {
        payload: Some(payload(index)),
        source_timestamp: Some(Timestamp::from_secs(1_700_000_000)),
        ..RegisterEvent::new(event_type(index))
    };
    indexes.into_iter().map(event).collect()
}

/// Events as a server has registered them.
pub(crate) fn registered(indexes: impl IntoIterator<Item = usize>) -> Vec<Event> {
    let event = |index: usize| Event {
        id: EventId::new(1, 42, index as i64 + 1),
        event_type: event_type(index),
        timestamp: Timestamp::from_secs(1_700_000_000),
        source_timestamp: Some(Timestamp::from_secs(1_699_999_999)),
        payload: Some(payload(index)),
    };
    indexes.into_iter().map(event).collect()
}

/// Notifications that together have an event of each type once, those of one far apart from each
/// other.
pub(crate) fn notifications() -> Vec<Vec<Event>> {
    let count = TYPES / PER_NOTIFICATION;
    (0..count).map(|first| registered((0..PER_NOTIFICATION).map(|at| first + at * count))).collect()
}

/// As many bytes as a notification of `events` takes on the wire.
pub(crate) fn wire_len(events: &[Event]) -> usize {
    let mut chatter = Connection::new(Config::new(Dialect::HatChatter), Instant::ORIGIN);
    let data = Data::new("HatEventer.MsgEventsNotify", sbs::encode(&events.to_vec()));
    let options = SendOptions { conversation: None, last: true, token: true, timeout: None };
    chatter.send(data, options).expect("the first one has room");
    chatter.tx().len()
}
