//! Events and their parts for serde, with the feature `serde`: the form of the lines that
//! `hat subscribe` prints and `hat register` reads.
//!
//! ```text
//! event type  ["a", "b"]                    read also from "a/b"
//! timestamp   "2006-01-02T15:04:05.999Z"    read also from [s, us]; in binary formats (s, us)
//! payload     {"kind": "json", "data": …}, {"kind": "binary", "type": "…", "data": base64}
//! status, order, order by                   their names
//! ```

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{EventType, Json, Order, OrderBy, Payload, Status, Timestamp};

impl Serialize for EventType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.segments())
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Segments;
        impl<'de> Visitor<'de> for Segments {
            type Value = EventType;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of segments, or a text such as `a/b`")
            }

            fn visit_str<E>(self, text: &str) -> Result<EventType, E> {
                Ok(text.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<EventType, A::Error> {
                let mut segments: Vec<String> = Vec::new();
                while let Some(segment) = seq.next_element()? {
                    segments.push(segment);
                }
                Ok(EventType::from_segments(segments))
            }
        }
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_any(Segments),
            false => deserializer.deserialize_seq(Segments),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => (self.s(), self.us()).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Moment;
        impl<'de> Visitor<'de> for Moment {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time in the form of RFC 3339, or seconds and microseconds")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Timestamp, A::Error> {
                let short = |len| A::Error::invalid_length(len, &self);
                let s = seq.next_element()?.ok_or_else(|| short(0))?;
                let us = seq.next_element()?.ok_or_else(|| short(1))?;
                Timestamp::new(s, us).map_err(A::Error::custom)
            }
        }
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_any(Moment),
            false => deserializer.deserialize_tuple(2, Moment),
        }
    }
}

/// The form of a payload, with the data of a JSON one as `J`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Form<J> {
    Json {
        data: J,
    },
    Binary {
        #[serde(rename = "type")]
        data_type: String,
        data: String,
    },
}

/// A JSON payload that is not JSON, which a peer may have sent, is an error.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let form = match self {
            Self::Json(json) => {
                Form::Json { data: json.parse::<serde_json::Value>().map_err(S::Error::custom)? }
            }
            Self::Binary(binary) => Form::Binary {
                data_type: binary.data_type.to_string(),
                data: BASE64_STANDARD.encode(&binary.data),
            },
        };
        form.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Form::<serde_json::Value>::deserialize(deserializer)? {
            Form::Json { data } => Ok(Json::from_value(&data).into()),
            Form::Binary { data_type, data } => match BASE64_STANDARD.decode(data) {
                Ok(data) => Ok(Self::binary(data_type, data)),
                Err(error) => Err(D::Error::custom(error)),
            },
        }
    }
}

macro_rules! by_name {
    ($($type:ty),+) => {
        $(impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        })+
    };
}

by_name!(Status, Order, OrderBy);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventer::{Event, EventId, RegisterEvent};
    use serde_json::json;

    fn event() -> Event {
        Event {
            id: EventId::new(1, 2, 3),
            event_type: EventType::from_segments(["a/b", "c"]),
            timestamp: Timestamp::new(1_700_000_000, 5).expect("microseconds in range"),
            source_timestamp: None,
            payload: Some(Payload::json(&json!({"x": 1.5})).expect("JSON")),
        }
    }

    #[test]
    fn an_event_as_json() {
        let value = json!({
            "id": {"server": 1, "session": 2, "instance": 3},
            "type": ["a/b", "c"],
            "timestamp": "2023-11-14T22:13:20.000005Z",
            "source_timestamp": null,
            "payload": {"kind": "json", "data": {"x": 1.5}},
        });
        assert_eq!(serde_json::to_value(event()).expect("JSON"), value);
        assert_eq!(serde_json::from_value::<Event>(value).expect("an event"), event());
    }

    #[test]
    fn what_people_write() {
        let value = json!({
            "type": "a/b",
            "source_timestamp": [1, 2],
            "payload": {"kind": "binary", "type": "t", "data": "AP8="},
        });
        let event: RegisterEvent = serde_json::from_value(value).expect("an event");
        let payload = Some(Payload::binary("t", &b"\x00\xff"[..]));
        let source_timestamp = Timestamp::new(1, 2).ok();
        assert_eq!(event, RegisterEvent { source_timestamp, payload, ..RegisterEvent::new("a/b") });

        let least: RegisterEvent = serde_json::from_value(json!({"type": "a"})).expect("an event");
        assert_eq!(least, RegisterEvent::new("a"));
    }

    #[test]
    fn what_is_none() {
        for (value, reason) in [
            (json!({"type": 1}), "a list of segments"),
            (json!({"type": "a", "source_timestamp": "noon"}), "not RFC 3339"),
            (json!({"type": "a", "source_timestamp": [1]}), "invalid length 1"),
            (json!({"type": "a", "source_timestamp": [1, 1_000_000]}), "0 to 999999"),
            (json!({"type": "a", "payload": {"kind": "text"}}), "unknown variant"),
            (
                json!({"type": "a", "payload": {"kind": "binary", "type": "", "data": "?"}}),
                "symbol",
            ),
        ] {
            let error = serde_json::from_value::<RegisterEvent>(value).expect_err(reason);
            assert!(error.to_string().contains(reason), "{error}");
        }
        let none = Payload::Json(Json::from_text_as_is("NaN"));
        assert!(serde_json::to_value(none).is_err());
        assert!(serde_json::from_value::<Status>(json!("up")).is_err());
        assert_eq!(serde_json::to_value(Status::Operational).expect("JSON"), "operational");
    }
}
