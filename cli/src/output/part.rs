//! A part of a JSON payload, as the text it is: no digit of a number changes.

use std::collections::BTreeMap;

use hat_core::eventer::{Json, Payload};
use hat_core::json::Pointer;
use serde_json::value::RawValue;

use crate::exit::shown;

/// What `pointer` leads to in `payload`, where it is JSON and has such a part.
pub(crate) fn part(payload: Option<&Payload>, pointer: &Pointer) -> Option<Payload> {
    let Some(Payload::Json(json)) = payload else { return None };
    let mut text = json.text();
    for token in pointer.tokens() {
        text = match text.trim_start().as_bytes().first() {
            Some(b'{') => {
                let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
                members.get(&*token.as_name())?.get()
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                elements.get(token.as_index()?)?.get()
            }
            _ => return None,
        };
    }
    Some(Json::from_text_as_is(text).into())
}

/// A payload in a line for people and for scripts: a JSON text without its quotes, other JSON as it
/// is, of binary data its name and its size.
pub(crate) fn plain(payload: Option<&Payload>) -> String {
    match payload {
        Some(Payload::Json(json)) => match serde_json::from_str::<String>(json.text()) {
            Ok(text) => shown(&text),
            Err(_) => shown(json.text()),
        },
        payload => super::payload(payload),
    }
}
