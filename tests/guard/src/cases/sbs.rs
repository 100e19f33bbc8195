//! A notification of events, encoded and decoded, as SBS and by prost: the same fields, the same
//! values. The drop of what was made is counted on both sides.

use std::hint::black_box;

use hat_core::eventer::message::EventsNotify;
use hat_core::eventer::{Event, EventId, EventType, Json, Timestamp};
use hat_core::sbs;
use prost::Message;

use crate::meter::{counted, done};

/// Types of 4 segments, JSON payloads of 60 bytes.
#[must_use]
pub fn events(count: usize) -> EventsNotify {
    let event = |index: usize| {
        let device = format!("device{}", index % 50);
        let json = format!(r#"{{"value": {index:>8}, "quality": "good", "unit": "kW", "n": 1}}"#);
        assert_eq!(json.len(), 60);
        Event {
            id: EventId::new(1, 42, index as i64 + 1),
            event_type: EventType::from_segments(["gateway", "7", &device, "measurement"]),
            timestamp: Timestamp::from_secs(1_700_000_000),
            source_timestamp: Timestamp::new(1_699_999_999, 999_999).ok(),
            payload: Some(Json::from_text(json).expect("JSON").into()),
        }
    };
    (0..count).map(event).collect()
}

/// The schema `HatEventer` as `.proto` would say it.
mod proto {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Events {
        #[prost(message, repeated, tag = "1")]
        pub(super) events: Vec<Event>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Event {
        #[prost(message, optional, tag = "1")]
        pub(super) id: Option<EventId>,
        #[prost(string, repeated, tag = "2")]
        pub(super) event_type: Vec<String>,
        #[prost(message, optional, tag = "3")]
        pub(super) timestamp: Option<Timestamp>,
        #[prost(message, optional, tag = "4")]
        pub(super) source_timestamp: Option<Timestamp>,
        #[prost(oneof = "Payload", tags = "5, 6")]
        pub(super) payload: Option<Payload>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct EventId {
        #[prost(int64, tag = "1")]
        pub(super) server: i64,
        #[prost(int64, tag = "2")]
        pub(super) session: i64,
        #[prost(int64, tag = "3")]
        pub(super) instance: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Timestamp {
        #[prost(int64, tag = "1")]
        pub(super) s: i64,
        #[prost(int64, tag = "2")]
        pub(super) us: i64,
    }

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(super) enum Payload {
        #[prost(message, tag = "5")]
        Binary(Binary),
        #[prost(string, tag = "6")]
        Json(String),
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Binary {
        #[prost(string, tag = "1")]
        pub(super) data_type: String,
        #[prost(bytes = "bytes", tag = "2")]
        pub(super) data: bytes::Bytes,
    }
}

/// The same events for prost.
fn proto(events: &[Event]) -> proto::Events {
    let timestamp = |at: &Timestamp| proto::Timestamp { s: at.s(), us: at.us().into() };
    let event = |event: &Event| proto::Event {
        id: Some(proto::EventId {
            server: event.id.server,
            session: event.id.session,
            instance: event.id.instance,
        }),
        event_type: event.event_type.segments().map(str::to_owned).collect(),
        timestamp: Some(timestamp(&event.timestamp)),
        source_timestamp: event.source_timestamp.as_ref().map(timestamp),
        payload: event.payload.as_ref().map(|payload| match payload {
            hat_core::eventer::Payload::Json(json) => proto::Payload::Json(json.text().to_owned()),
            hat_core::eventer::Payload::Binary(binary) => proto::Payload::Binary(proto::Binary {
                data_type: binary.data_type.to_string(),
                data: binary.data.clone(),
            }),
        }),
    };
    proto::Events { events: events.iter().map(event).collect() }
}

/// Counts the cases.
pub fn run() {
    for count in [1, 1_000] {
        let events = events(count);
        case(&format!("sbs/encode-{count}"), || drop(black_box(sbs::encode(black_box(&events)))));
        let frame = sbs::encode(&events);
        assert_eq!(sbs::decode(&frame), Ok(events.clone()));
        case(&format!("sbs/decode-{count}"), || {
            drop(black_box(sbs::decode::<EventsNotify>(black_box(&frame))));
        });

        let events = proto(&events);
        case(&format!("prost/encode-{count}"), || {
            drop(black_box(black_box(&events).encode_to_vec()));
        });
        let frame = events.encode_to_vec();
        assert_eq!(proto::Events::decode(&frame[..]), Ok(events));
        case(&format!("prost/decode-{count}"), || {
            drop(black_box(proto::Events::decode(black_box(&frame[..]))));
        });
    }
}

fn case(name: &str, work: impl Fn()) {
    work();
    counted(&work);
    done(name, 1);
}
