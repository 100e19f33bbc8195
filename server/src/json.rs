//! Events as JSON, one line each, both ways.
//!
//! ```text
//! {"id":{"server":1,"session":2,"instance":3},"type":"a/b","segments":["a","b"],
//!  "timestamp":"2023-11-14T22:13:20.000005Z",
//!  "source_timestamp":null,"payload":{"kind":"json","data":{"x":1.5}}}
//! ```
//!
//! `type` is for people and for `jq`; `segments` is the type itself, since a segment may hold any
//! text, also a `/`. Either is enough to read an event.
//!
//! A JSON payload goes through as the text it is: no digit of a number changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hat_core::eventer::{
    Event, EventId, EventType, Json, Payload, RegisterEvent, Status, Timestamp,
};
use hat_core::sbs::ByteString;
use serde_json::value::RawValue;

/// The fields of an object, as they stand.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// One line, without its end.
pub fn event(event: &Event) -> String {
    let EventId { server, session, instance } = event.id;
    let segments: Vec<_> = event.event_type.segments().map(text).collect();
    let mut line = format!(
        r#"{{"id":{{"server":{server},"session":{session},"instance":{instance}}},"type":{},"segments":[{}],"timestamp":"{}""#,
        text(&event.event_type.to_string()),
        segments.join(","),
        event.timestamp
    );
    // writing to a text does not fail
    let _ = match event.source_timestamp {
        Some(timestamp) => write!(line, r#","source_timestamp":"{timestamp}""#),
        None => write!(line, r#","source_timestamp":null"#),
    };
    let _ = write!(line, r#","payload":{}}}"#, payload(event.payload.as_ref()));
    line
}

/// One line, without its end.
pub fn status(status: Status) -> String {
    format!(r#"{{"status":"{status}"}}"#)
}

fn payload(payload: Option<&Payload>) -> String {
    match payload {
        None => "null".into(),
        Some(Payload::Binary(binary)) => format!(
            r#"{{"kind":"binary","type":{},"data":"{}"}}"#,
            text(&binary.data_type),
            BASE64_STANDARD.encode(&binary.data)
        ),
        Some(Payload::Json(json)) => match serde_json::from_str::<&RawValue>(json.text()) {
            // in JSON, the ends of lines are white space: within a text they are escaped
            Ok(value) => {
                let value = value.get().replace(['\n', '\r'], " ");
                format!(r#"{{"kind":"json","data":{value}}}"#)
            }
            // peers write `NaN`, for one
            Err(_) => format!(r#"{{"kind":"invalid","text":{}}}"#, text(json.text())),
        },
    }
}

/// A JSON text.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The event that a line asks to register. An error says what is wrong, but not in which line.
pub fn register_event(line: &str) -> Result<RegisterEvent, String> {
    let fields = fields(line)?;
    let event_type = read_whole_type(&fields)?;
    let (mut source_timestamp, mut payload) = (None, None);
    for (name, value) in fields {
        let of = |error| format!("`{name}`: {error}");
        match name.as_str() {
            "source_timestamp" => source_timestamp = read_timestamp(value).map_err(of)?,
            "payload" => payload = read_payload(value).map_err(of)?,
            "type" | "segments" => {}
            // the server's own, where the line is one that was printed
            "id" | "timestamp" => {}
            _ => return Err(format!("an event has no field `{name}`")),
        }
    }
    Ok(RegisterEvent { event_type, source_timestamp, payload })
}

/// The event of a line that was printed, with its id and timestamp, whatever it holds. An error
/// says what is wrong, but not in which line.
pub fn stored_event(line: &str) -> Result<Event, String> {
    let fields = fields(line)?;
    let event_type = read_whole_type(&fields)?;
    let (mut id, mut timestamp) = (None, None);
    let (mut source_timestamp, mut payload) = (None, None);
    for (name, value) in fields {
        let of = |error| format!("`{name}`: {error}");
        match name.as_str() {
            "id" => id = Some(read_id(value).map_err(of)?),
            "type" | "segments" => {}
            "timestamp" => timestamp = read_timestamp(value).map_err(of)?,
            "source_timestamp" => source_timestamp = read_timestamp(value).map_err(of)?,
            "payload" => payload = read_any_payload(value).map_err(of)?,
            _ => return Err(format!("an event has no field `{name}`")),
        }
    }
    Ok(Event {
        id: id.ok_or("a stored event needs a field `id`")?,
        event_type,
        timestamp: timestamp.ok_or("a stored event needs a field `timestamp`")?,
        source_timestamp,
        payload,
    })
}

fn read_id(value: &RawValue) -> Result<EventId, String> {
    let fields: BTreeMap<String, i64> =
        serde_json::from_str(value.get()).map_err(|error| without_line(&error))?;
    let field =
        |name: &str| fields.get(name).copied().ok_or_else(|| format!("needs a field `{name}`"));
    Ok(EventId::new(field("server")?, field("session")?, field("instance")?))
}

/// Also the text that is not JSON, which peers have written.
fn read_any_payload(value: &RawValue) -> Result<Option<Payload>, String> {
    let invalid = (value.get() != "null").then(|| fields(value.get())).transpose()?;
    let is_invalid = invalid.as_ref().and_then(|fields| fields.get("kind"));
    if is_invalid.is_none_or(|kind| kind.get() != r#""invalid""#) {
        return read_payload(value);
    }
    let text =
        invalid.and_then(|mut fields| fields.remove("text")).ok_or("needs a field `text`")?;
    // nothing but its bytes makes such a payload
    let bytes = [&[0x81][..], &hat_core::sbs::encode(&ByteString::from(read_text(text)?))].concat();
    let payload = hat_core::sbs::decode(&bytes.into());
    payload.map(Some).map_err(|error| error.to_string())
}

/// The type written as `a/b/c`, of an event and not of a query.
///
/// # Errors
///
/// What is wrong with it: no segment at all, an empty one, or one with `?` or `*` in it.
pub fn event_type(text: &str) -> Result<EventType, String> {
    let event_type: EventType = text.parse().unwrap_or_else(|never| match never {});
    let unsound = |segment: &str| segment.is_empty() || segment.contains(['?', '*']);
    let meant = r#"write it as "segments": ["a", "b"] if that is the segment"#;
    match event_type.segments().find(|segment| unsound(segment)) {
        Some("") => Err(format!("`{text}` has an empty segment; {meant}")),
        Some(segment) => {
            Err(format!("`?` and `*` are not allowed in a segment: {segment}; {meant}"))
        }
        None if event_type.is_empty() => Err("an event type needs a segment: write a/b".into()),
        None => Ok(event_type),
    }
}

/// The type of an event by its fields `segments`, which can say any, and `type`, or either.
fn read_whole_type(fields: &Fields<'_>) -> Result<EventType, String> {
    let named = fields.get("type");
    let Some(segments) = fields.get("segments") else {
        let named = named.ok_or("an event needs a field `type`")?;
        return read_type(named).map_err(|error| format!("`type`: {error}"));
    };
    let event_type =
        read_segments(segments).ok_or_else(|| r#"`segments`: write ["a", "b"]"#.to_owned())?;
    let agrees = named.is_none_or(|named| match read_segments(named) {
        Some(named) => named == event_type,
        None => read_text(named).is_ok_and(|named| named == event_type.to_string()),
    });
    if agrees {
        Ok(event_type)
    } else {
        Err("`type` and `segments` name different event types".into())
    }
}

fn read_type(value: &RawValue) -> Result<EventType, String> {
    if value.get().starts_with('"') {
        return event_type(&read_text(value)?);
    }
    // any segment can be written so, and peers register any
    read_segments(value).ok_or_else(|| r#"write "a/b" or ["a", "b"]"#.to_owned())
}

fn read_segments(value: &RawValue) -> Option<EventType> {
    let segments: Vec<String> = serde_json::from_str(value.get()).ok()?;
    Some(EventType::from_segments(segments))
}

fn read_timestamp(value: &RawValue) -> Result<Option<Timestamp>, String> {
    match value.get() {
        "null" => Ok(None),
        text if text.starts_with('"') => {
            let timestamp = read_text(value)?.parse::<Timestamp>();
            timestamp.map(Some).map_err(|error| error.to_string())
        }
        _ => {
            let (s, us) = serde_json::from_str::<(i64, u32)>(value.get())
                .map_err(|_| "write RFC 3339, [seconds, microseconds] or null".to_owned())?;
            Timestamp::new(s, us).map(Some).map_err(|error| error.to_string())
        }
    }
}

fn read_payload(value: &RawValue) -> Result<Option<Payload>, String> {
    if value.get() == "null" {
        return Ok(None);
    }
    let mut fields = fields(value.get())?;
    let mut field =
        |name: &str| fields.remove(name).ok_or_else(|| format!("needs a field `{name}`"));
    let payload = match read_text(field("kind")?)?.as_str() {
        "json" => {
            let data = Json::from_text(field("data")?.get());
            data.map_err(|error| error.to_string().replace(" at line 1 column", " at column"))?
                .into()
        }
        // what is printed of a payload that is not JSON: others could not take it
        "invalid" => {
            return Err(
                "the payload was not JSON when it was registered, so it cannot be registered again"
                    .into(),
            );
        }
        "binary" => {
            let data = BASE64_STANDARD.decode(read_text(field("data")?)?);
            let data = data.map_err(|error| format!("`data` is not base64: {error}"))?;
            Payload::binary(read_text(field("type")?)?, data)
        }
        kind => return Err(format!("unknown kind `{kind}`: write json or binary")),
    };
    match fields.keys().next() {
        Some(name) => Err(format!("it has no field `{name}`")),
        None => Ok(Some(payload)),
    }
}

fn fields(text: &str) -> Result<Fields<'_>, String> {
    serde_json::from_str(text).map_err(|error| without_line(&error))
}

fn read_text(value: &RawValue) -> Result<String, String> {
    serde_json::from_str(value.get()).map_err(|error| without_line(&error))
}

/// There is one line only, and whoever reads it counts lines by itself.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column", " at column")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(line: &str) -> String {
        let RegisterEvent { event_type, source_timestamp, payload } =
            register_event(line).expect("a valid line");
        let id = EventId::new(1, 2, 3);
        event(&Event { id, event_type, timestamp: Timestamp::default(), source_timestamp, payload })
    }

    #[test]
    fn what_is_printed_can_be_registered() {
        let line = r#"{"type":"a/b","source_timestamp":[1,5],"payload":{"kind":"json","data":{ "x": 1.50, "big": 123456789012345678901234567890 }}}"#;
        let expected = r#"{"id":{"server":1,"session":2,"instance":3},"type":"a/b","segments":["a","b"],"timestamp":"1970-01-01T00:00:00.000000Z","source_timestamp":"1970-01-01T00:00:01.000005Z","payload":{"kind":"json","data":{ "x": 1.50, "big": 123456789012345678901234567890 }}}"#;
        assert_eq!(printed(line), expected);
        assert_eq!(printed(expected), expected);
        let binary = r#"{"type":[],"payload":{"kind":"binary","type":"\u001b","data":"AP8="}}"#;
        let line = printed(binary);
        assert!(line.ends_with(r#""payload":{"kind":"binary","type":"\u001b","data":"AP8="}}"#));
        assert_eq!(printed(&line), line);
    }

    #[test]
    fn whatever_was_registered_can_be_registered_again() {
        for segments in [&["a/b", "?", "*"][..], &["", ""], &[], &["č\u{202e}\n"]] {
            let line = format!(r#"{{"type":{}}}"#, serde_json::json!(segments));
            let again = printed(&line);
            assert_eq!(
                register_event(&again).expect(&again).event_type,
                EventType::from_segments(segments)
            );
        }
        for data in [
            r#""\ud83d""#,
            r#"{"\udc00": ["\ud83d\ud83d"]}"#,
            "1e300",
            "-0",
            "18446744073709551616",
        ] {
            let line = format!(r#"{{"type":["a"],"payload":{{"kind":"json","data":{data}}}}}"#);
            assert!(printed(&line).ends_with(&format!(r#""data":{data}}}}}"#)), "{data}");
        }
    }

    #[test]
    fn a_payload_of_a_peer_stays_on_its_line() {
        let shown = |text: &str| payload(Some(&Json::from_text(text).expect("JSON").into()));
        assert_eq!(shown("[1,\r\n 2]"), r#"{"kind":"json","data":[1,   2]}"#);
    }

    #[test]
    fn what_is_printed_can_be_stored_again() {
        for line in [
            r#"{"id":{"server":1,"session":2,"instance":3},"type":"?/a/b/","segments":["?","a/b",""],"timestamp":"1970-01-01T00:00:00.000000Z","source_timestamp":"1970-01-01T00:00:01.000005Z","payload":{"kind":"invalid","text":"NaN"}}"#,
            r#"{"id":{"server":-1,"session":9007199254740993,"instance":3},"type":"","segments":[],"timestamp":"1970-01-01T00:00:00.000000Z","source_timestamp":null,"payload":{"kind":"json","data":{ "x": 1.50 }}}"#,
            r#"{"id":{"server":1,"session":2,"instance":3},"type":"a","segments":["a"],"timestamp":"1970-01-01T00:00:00.000000Z","source_timestamp":null,"payload":null}"#,
        ] {
            assert_eq!(event(&stored_event(line).expect("a stored event")), line);
        }
    }

    #[track_caller]
    fn refused(line: &str, expected: &str) {
        assert_eq!(register_event(line).expect_err(line), expected);
    }

    #[test]
    fn refusals() {
        refused("", "EOF while parsing a value at column 0");
        refused("{}", "an event needs a field `type`");
        refused("[1]", "invalid type: sequence, expected a map at column 0");
        refused(r#"{"type":1}"#, r#"`type`: write "a/b" or ["a", "b"]"#);
        refused(
            r#"{"type":"a/*"}"#,
            "`type`: `?` and `*` are not allowed in a segment: *; write it as \"segments\": [\"a\", \"b\"] if that is the segment",
        );
        refused(r#"{"type":""}"#, "`type`: an event type needs a segment: write a/b");
        refused(
            r#"{"type":"a//b"}"#,
            "`type`: `a//b` has an empty segment; write it as \"segments\": [\"a\", \"b\"] if that is the segment",
        );
        refused(r#"{"segments":"a/b"}"#, r#"`segments`: write ["a", "b"]"#);
        refused(
            r#"{"type":"a/b","segments":["a/c"]}"#,
            "`type` and `segments` name different event types",
        );
        refused(r#"{"type":"a","paylod":null}"#, "an event has no field `paylod`");
        refused(
            r#"{"type":"a","source_timestamp":5}"#,
            "`source_timestamp`: write RFC 3339, [seconds, microseconds] or null",
        );
        refused(
            r#"{"type":"a","payload":{"kind":"x"}}"#,
            "`payload`: unknown kind `x`: write json or binary",
        );
        refused(r#"{"type":"a","payload":{"kind":"json"}}"#, "`payload`: needs a field `data`");
    }
}
