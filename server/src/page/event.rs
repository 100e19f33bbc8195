//! Events as JSON in the state and in requests, both ways.
//!
//! ```text
//! {"id": [1, 1, 4711], "timestamp": [1795257999, 250000], "source_timestamp": null, "payload": …}
//!
//! null
//! {"json": {"text": "{\"value\": 1.50}", "size": 15}}
//! {"binary": {"type": "Iec104.Asdu", "data": "AP8=", "size": 2}}
//! ```

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hat_core::eventer::{Event, EventId, EventType, Json, Payload, RegisterEvent, Timestamp};
use hat_core::json::{Object, Value};
use hat_core::sbs::Encode as _;

use super::fields::{event_id, object, text, timestamp as read_timestamp};
use super::name;

/// Characters of a payload in the state. The rest is for who asks: so the state of 10 000 types
/// stays within a few megabytes.
const CUT: usize = 4096;

/// The bytes that make so many characters in base64.
const CUT_BYTES: usize = CUT / 4 * 3;

/// How much of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// What the state has room for.
    Cut,
}

/// `event`, but for its type.
pub(super) fn value(event: &Event, extent: Extent) -> Value {
    let payload = event.payload.as_ref().map(|payload| match payload {
        Payload::Json(json) => {
            let text = json.text();
            text_value(if extent == Extent::Cut { first_text(text) } else { text }, text.len())
        }
        Payload::Binary(binary) => {
            let data = &binary.data[..];
            let shown = if extent == Extent::Cut { first_data(data) } else { data };
            data_value(&binary.data_type, shown, data.len())
        }
    });
    with_payload(event, payload)
}

/// An event with its type, for where it is not the key, as much of it as [`Extent::Cut`] says.
pub(super) fn named(event: &Event) -> Value {
    with_type(value(event, Extent::Cut), event)
}

/// Bytes of an event as [`named`] gives it, about.
pub(super) fn weight(event: &Event) -> usize {
    let payload = match &event.payload {
        None => 0,
        Some(Payload::Json(json)) => json.text().len().min(CUT),
        Some(Payload::Binary(binary)) => binary.data.len().min(CUT_BYTES) + binary.data_type.len(),
    };
    event.event_type.encoded_len() + payload
}

/// What pages are shown of an event, in memory of its own: of a payload of megabytes, no more is
/// kept than is sent.
#[derive(Debug)]
pub(super) struct Excerpt {
    /// Its payload is cut: a JSON text may be only the beginning of one.
    event: Event,
    /// Bytes of the whole payload.
    size: usize,
}

impl Excerpt {
    pub(super) fn of(event: &Event) -> Self {
        let (payload, size) = match &event.payload {
            None => (None, 0),
            Some(Payload::Json(json)) => {
                let first = Json::from_text_as_is(first_text(json.text()));
                (Some(first.into()), json.text().len())
            }
            Some(Payload::Binary(binary)) => {
                let first = first_data(&binary.data).to_vec();
                (Some(Payload::binary(&*binary.data_type, first)), binary.data.len())
            }
        };
        let event_type = event.event_type.detached();
        Self { event: Event { event_type, payload, ..*event }, size }
    }

    pub(super) fn event_type(&self) -> &EventType {
        &self.event.event_type
    }

    /// What it takes.
    pub(super) fn weight(&self) -> usize {
        self.event.encoded_len()
    }

    /// As [`named`] gives the event.
    pub(super) fn named(&self) -> Value {
        let payload = self.event.payload.as_ref().map(|payload| match payload {
            Payload::Json(json) => text_value(json.text(), self.size),
            Payload::Binary(binary) => data_value(&binary.data_type, &binary.data, self.size),
        });
        with_type(with_payload(&self.event, payload), &self.event)
    }
}

fn with_payload(event: &Event, payload: Option<Value>) -> Value {
    let EventId { server, session, instance } = event.id;
    Value::Object(Object::from([
        ("id", Value::from([server, session, instance])),
        ("timestamp", timestamp(event.timestamp)),
        ("source_timestamp", event.source_timestamp.map(timestamp).into()),
        ("payload", payload.into()),
    ]))
}

fn with_type(mut value: Value, event: &Event) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.insert("type", name::name(&event.event_type));
    }
    value
}

fn timestamp(timestamp: Timestamp) -> Value {
    [Value::from(timestamp.s()), timestamp.us().into()].into()
}

fn first_text(text: &str) -> &str {
    text.char_indices().nth(CUT).map_or(text, |(end, _)| &text[..end])
}

fn first_data(data: &[u8]) -> &[u8] {
    &data[..data.len().min(CUT_BYTES)]
}

/// A JSON payload of `size` bytes, of which `text` is shown.
fn text_value(text: &str, size: usize) -> Value {
    let fields: [(_, Value); 2] = [("text", text.into()), ("size", size.into())];
    payload("json", Object::from(fields), text.len() < size)
}

/// A binary payload of `size` bytes, of which `data` are shown.
fn data_value(data_type: &str, data: &[u8], size: usize) -> Value {
    let shown = BASE64_STANDARD.encode(data);
    let fields: [(_, Value); 3] =
        [("type", data_type.into()), ("data", shown.into()), ("size", size.into())];
    payload("binary", Object::from(fields), data.len() < size)
}

fn payload(kind: &'static str, mut fields: Object, truncated: bool) -> Value {
    if truncated {
        fields.insert("truncated", true);
    }
    Value::Object(Object::from([(kind, fields)]))
}

/// What a page asks to register.
#[derive(Debug, PartialEq)]
pub(super) struct Registration {
    pub(super) event: RegisterEvent,
    /// Until when, in seconds since 1970 by our clock; nothing is registered after it.
    pub(super) deadline: Option<f64>,
    /// What its user saw as the latest event of the type, who decided by it; nothing is registered
    /// where there is another.
    pub(super) expected: Option<Expected>,
}

/// The latest event of a type, as somebody saw it.
#[derive(Debug, PartialEq)]
pub(super) enum Expected {
    /// There was none.
    Nothing,
    /// This one. An id alone may come again: of a server that keeps nothing, once it has restarted.
    Event(EventId, Timestamp),
}

impl Expected {
    /// Whether `latest` is that event.
    pub(super) fn is(&self, latest: Option<&Event>) -> bool {
        match (self, latest) {
            (Self::Nothing, None) => true,
            (Self::Event(id, timestamp), Some(event)) => {
                event.id == *id && event.timestamp == *timestamp
            }
            _ => false,
        }
    }
}

/// The event that a page asks to register. An error is for its user.
pub(super) fn to_register(data: &Value) -> Result<Registration, String> {
    let names = ["type", "source_timestamp", "payload", "deadline", "expected"];
    let fields = object(data, "the data of `register`", &names)?;
    let event = RegisterEvent {
        event_type: event_type(fields)?,
        source_timestamp: read_timestamp(fields, "source_timestamp")?,
        payload: read_payload(fields.get("payload"))?,
    };
    let deadline = match fields.get("deadline").filter(|value| !value.is_null()) {
        Some(value) => Some(value.as_f64().ok_or("the deadline: write seconds since 1970")?),
        None => None,
    };
    let expected = match fields.get("expected") {
        Some(Value::Null) => Some(Expected::Nothing),
        Some(value) => {
            let fields = object(value, "`expected`", &["id", "timestamp"])?;
            let id = event_id(fields, "id")?.ok_or("`expected` needs a field `id`")?;
            let timestamp = read_timestamp(fields, "timestamp")?;
            Some(Expected::Event(id, timestamp.ok_or("`expected` needs a field `timestamp`")?))
        }
        None => None,
    };
    Ok(Registration { event, deadline, expected })
}

/// The type that a page asks for.
pub(super) fn asked(data: &Value) -> Result<EventType, String> {
    let text =
        text(object(data, "the data of `event`", &["type"])?, "type", "the data of `event`")?;
    Ok(name::event_type(text))
}

fn event_type(fields: &Object) -> Result<EventType, String> {
    let text = text(fields, "type", "an event")?;
    let event_type = name::event_type(text);
    match event_type.segments().find(|segment| segment.contains(['?', '*'])) {
        Some(segment) => {
            Err(format!("the type: `?` and `*` are not allowed in a segment: {segment}"))
        }
        None => Ok(event_type),
    }
}

fn read_payload(value: Option<&Value>) -> Result<Option<Payload>, String> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let kinds = object(value, "the payload", &["json", "binary"])?;
    match (kinds.get("json"), kinds.get("binary")) {
        (Some(json), None) => {
            let what = "the JSON payload";
            let text = text(object(json, what, &["text"])?, "text", what)?;
            let json = Json::from_text(text);
            Ok(Some(json.map_err(|error| format!("the payload is not JSON: {error}"))?.into()))
        }
        (None, Some(binary)) => {
            let what = "the binary payload";
            let fields = object(binary, what, &["type", "data"])?;
            let data = BASE64_STANDARD.decode(text(fields, "data", what)?);
            let data = data.map_err(|error| format!("the data is not base64: {error}"))?;
            Ok(Some(Payload::binary(text(fields, "type", what)?, data)))
        }
        _ => Err("the payload: write null, {\"json\": …} or {\"binary\": …}".to_owned()),
    }
}

#[cfg(test)]
mod tests;
