//! Events as CSV (RFC 4180), both ways.

use std::io::Write;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hat_core::eventer::{Event, EventType, Payload};
use hat_server::json;

/// The names of the columns, in the first line.
pub(crate) const COLUMNS: [&str; 9] = [
    "server",
    "session",
    "instance",
    "type",
    "timestamp",
    "source_timestamp",
    "payload_kind",
    "payload_type",
    "payload",
];

/// The line of the names.
pub(super) fn header() -> String {
    COLUMNS.join(",")
}

/// The line of `event`, whose payload is shown as `payload`: JSON as its text, binary data in
/// base64.
pub(super) fn line(event: &Event, payload: Option<&Payload>) -> String {
    let id = event.id;
    let (kind, name, data) = match payload {
        None => ("", "", String::new()),
        Some(Payload::Json(json)) => {
            let kind = if json.check().is_ok() { "json" } else { "invalid" };
            (kind, "", json.text().to_owned())
        }
        Some(Payload::Binary(binary)) => {
            ("binary", &*binary.data_type, BASE64_STANDARD.encode(&binary.data))
        }
    };
    let source = event.source_timestamp.map(|timestamp| timestamp.to_string());
    let fields = [
        id.server.to_string(),
        id.session.to_string(),
        id.instance.to_string(),
        event_type(&event.event_type),
        event.timestamp.to_string(),
        source.unwrap_or_default(),
        kind.to_owned(),
        name.to_owned(),
        data,
    ];
    let mut bytes = Vec::new();
    let mut writer = csv::WriterBuilder::new().from_writer(&mut bytes);
    // a writer to memory does not fail, and every line has as many fields
    let written = writer.write_record(&fields).is_ok() && writer.flush().is_ok();
    drop(writer);
    debug_assert!(written);
    let _ = bytes.flush();
    let line = String::from_utf8(bytes).unwrap_or_default();
    line.trim_end_matches('\n').to_owned()
}

/// A type as it can be read again: `a/b`, or its segments as JSON where one of them has a slash in
/// it, say.
fn event_type(event_type: &EventType) -> String {
    let text = event_type.to_string();
    match !is_segments(&text) && json::event_type(&text).as_ref() == Ok(event_type) {
        true => text,
        false => serde_json::Value::from_iter(event_type.segments()).to_string(),
    }
}

/// Whether the text of a type is its segments as JSON.
pub(crate) fn is_segments(text: &str) -> bool {
    text.starts_with("[\"") || text == "[]"
}
