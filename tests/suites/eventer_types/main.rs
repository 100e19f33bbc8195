//! Eventer's types against vectors made with the deployed peers, and against any input.

mod any_input;
mod messages;
mod order;
mod subscriptions;
mod timestamps;

use hat_core::eventer::{EventType, Timestamp};
use serde_json::Value;

/// The file of vectors called `name`.
macro_rules! vectors {
    ($name:literal) => {
        serde_json::from_str::<serde_json::Value>(include_str!(concat!(
            "../../vectors/",
            $name,
            ".json"
        )))
        .expect("the vectors are JSON")
    };
}
use vectors;

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// Large integers are written as texts.
fn integer(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| text(value).parse().expect("an integer of 64 bits"))
}

fn timestamp(value: &Value) -> Timestamp {
    let us = integer(&value[1]).try_into().expect("microseconds");
    Timestamp::new(integer(&value[0]), us).expect("microseconds in range")
}

fn event_type(value: &Value) -> EventType {
    list(value).iter().map(text).collect()
}

fn event_types(value: &Value) -> Vec<EventType> {
    list(value).iter().map(event_type).collect()
}

fn bytes_from_hex(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hex digit") as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
