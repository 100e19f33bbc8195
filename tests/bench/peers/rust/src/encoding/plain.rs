//! Plain structs, for what goes through serde.

use serde::{Deserialize, Serialize};

#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: EventId,
    pub(super) event_type: Vec<String>,
    pub(super) timestamp: Timestamp,
    pub(super) source_timestamp: Option<Timestamp>,
    pub(super) payload: Option<Payload>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct EventId {
    pub(super) server: i64,
    pub(super) session: i64,
    pub(super) instance: i64,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Timestamp {
    pub(super) s: i64,
    pub(super) us: u32,
}

/// JSON is its text, as in the protocol.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) enum Payload {
    Binary { data_type: String, data: Vec<u8> },
    Json(String),
}

/// The same as in `src/eventer/events.rs`.
pub(super) fn events(count: usize) -> Vec<Event> {
    let event = |index: usize| Event {
        id: EventId { server: 1, session: 42, instance: index as i64 + 1 },
        event_type: vec![
            "gateway".to_owned(),
            (index / 100).to_string(),
            format!("device{}", index % 100),
            "measurement".to_owned(),
        ],
        timestamp: Timestamp { s: 1_700_000_000, us: 0 },
        source_timestamp: Some(Timestamp { s: 1_699_999_999, us: 0 }),
        payload: Some(Payload::Json(format!(
            r#"{{"value": {index:>8}, "quality": "good", "unit": "kW", "n": 1}}"#
        ))),
    };
    (0..count).map(event).collect()
}
