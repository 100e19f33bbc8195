//! The schema `HatEventer` as `.proto` would say it.

use super::plain;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Events {
    #[prost(message, repeated, tag = "1")]
    events: Vec<Event>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Event {
    #[prost(message, optional, tag = "1")]
    id: Option<EventId>,
    #[prost(string, repeated, tag = "2")]
    event_type: Vec<String>,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
    #[prost(message, optional, tag = "4")]
    source_timestamp: Option<Timestamp>,
    #[prost(oneof = "Payload", tags = "5, 6")]
    payload: Option<Payload>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EventId {
    #[prost(int64, tag = "1")]
    server: i64,
    #[prost(int64, tag = "2")]
    session: i64,
    #[prost(int64, tag = "3")]
    instance: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    s: i64,
    #[prost(uint32, tag = "2")]
    us: u32,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Payload {
    #[prost(message, tag = "5")]
    Binary(Binary),
    #[prost(string, tag = "6")]
    Json(String),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Binary {
    #[prost(string, tag = "1")]
    data_type: String,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
}

/// The same events.
pub(super) fn events(events: &[plain::Event]) -> Events {
    let timestamp = |at: &plain::Timestamp| Timestamp { s: at.s, us: at.us };
    let event = |event: &plain::Event| Event {
        id: Some(EventId {
            server: event.id.server,
            session: event.id.session,
            instance: event.id.instance,
        }),
        event_type: event.event_type.clone(),
        timestamp: Some(timestamp(&event.timestamp)),
        source_timestamp: event.source_timestamp.as_ref().map(timestamp),
        payload: event.payload.as_ref().map(|payload| match payload {
            plain::Payload::Json(text) => Payload::Json(text.clone()),
            plain::Payload::Binary { data_type, data } => {
                Payload::Binary(Binary { data_type: data_type.clone(), data: data.clone() })
            }
        }),
    };
    Events { events: events.iter().map(event).collect() }
}
