//! Checks of registrations: what is refused because a deployed peer could not receive it.
//!
//! | refused | what the deployed software does with it |
//! |---|---|
//! | a JSON payload that is not JSON | each Python client that is given it is disconnected |
//! | `NaN`, `Infinity`, numbers beyond doubles | `hat-event-server` ends: it cannot store them |
//! | nested deeper than [`Limits::max_depth`] | Python's parser gives up at some 990 levels |
//! | events and registrations over their size | no answer or notification has room for them |
//!
//! Microseconds outside of 0 to 999 999 never get here: [`Timestamp`](hat_core::eventer::Timestamp)
//! carries them into the seconds when it is decoded.

use hat_core::eventer::{Payload, RegisterEvent};
use hat_core::options::More;
use serde::de::IgnoredAny;

/// What one registration may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one event, its type and payload: 16 MiB.
    pub max_event: usize,
    /// Bytes of all events of one registration: 32 MiB, half of what a message may have, so that
    /// what is told of it fits into one.
    pub max_registration: usize,
    /// Events of one registration: 262 144.
    pub max_events: usize,
    /// Lists and objects in each other in a JSON payload: 512.
    pub max_depth: usize,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Limits {
    fn default() -> Self {
        let mib = 1024 * 1024;
        Self {
            max_event: 16 * mib,
            max_registration: 32 * mib,
            max_events: 262_144,
            max_depth: 512,
            more: More::default(),
        }
    }
}

/// Why a registration is refused, and which of its events is wrong, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The text is not JSON.
    #[error("event {index}: the payload is not JSON: {reason}")]
    NoJson {
        /// Which event.
        index: usize,
        /// What the parser says.
        reason: String,
    },
    /// A number that is no finite double.
    #[error("event {index}: the payload has a number out of the range of a double, at byte {at}")]
    Number {
        /// Which event.
        index: usize,
        /// Where in the text.
        at: usize,
    },
    /// Too many lists and objects in each other.
    #[error("event {index}: the payload is nested deeper than {limit}")]
    Depth {
        /// Which event.
        index: usize,
        /// The limit.
        limit: usize,
    },
    /// One event is too large.
    #[error("event {index} has {size} bytes; the limit is {limit}")]
    Event {
        /// Which event.
        index: usize,
        /// Its bytes.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// All together are too large.
    #[error(
        "the registration has more than {limit} bytes, which is the limit: split it into several"
    )]
    Registration {
        /// The limit.
        limit: usize,
    },
    /// There are too many.
    #[error("the registration has {count} events; the limit is {limit}: split it into several")]
    Count {
        /// How many there are.
        count: usize,
        /// The limit.
        limit: usize,
    },
}

/// Whether `events` can be registered as one session. Takes a look at every byte of JSON payloads.
///
/// # Errors
///
/// [`Refusal`] of the first event that cannot.
pub fn check(events: &[RegisterEvent], limits: &Limits) -> Result<(), Refusal> {
    if events.len() > limits.max_events {
        return Err(Refusal::Count { count: events.len(), limit: limits.max_events });
    }
    let mut total = 0_usize;
    for (index, event) in events.iter().enumerate() {
        let size = size(event);
        if size > limits.max_event {
            return Err(Refusal::Event { index, size, limit: limits.max_event });
        }
        total = total.saturating_add(size);
        if let Some(Payload::Json(json)) = &event.payload {
            check_json(index, json.text(), limits.max_depth)?;
        }
    }
    if total > limits.max_registration {
        return Err(Refusal::Registration { limit: limits.max_registration });
    }
    Ok(())
}

/// Bytes of an event, its type and payload.
pub(crate) fn size(event: &RegisterEvent) -> usize {
    hat_core::sbs::Encode::encoded_len(event)
}

fn check_json(index: usize, text: &str, max_depth: usize) -> Result<(), Refusal> {
    // does not recurse, and looks at no number's size
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return Err(Refusal::NoJson { index, reason: error.to_string() });
    }
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = end_of_string(bytes, at),
            b'[' | b'{' => {
                depth += 1;
                if depth > max_depth {
                    return Err(Refusal::Depth { index, limit: max_depth });
                }
                at += 1;
            }
            b']' | b'}' => {
                depth -= 1;
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let end = end_of_number(bytes, at);
                if !is_finite(&text[at..end]) {
                    return Err(Refusal::Number { index, at });
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    Ok(())
}

/// Behind the quotation mark that ends the string which begins at `at`. The text is JSON, so there
/// is one.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += 1;
        match bytes.get(at) {
            Some(b'\\') => at += 1,
            Some(b'"') | None => return at + 1,
            Some(_) => {}
        }
    }
}

fn end_of_number(bytes: &[u8], at: usize) -> usize {
    let of_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    at + bytes[at..].iter().take_while(|byte| of_number(byte)).count()
}

fn is_finite(number: &str) -> bool {
    // without an exponent, a double holds what has fewer than 309 digits
    let is_plain = number.len() < 300 && !number.bytes().any(|byte| matches!(byte, b'e' | b'E'));
    is_plain || number.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hat_core::eventer::{EventType, Json};

    fn json(text: &str) -> Result<(), Refusal> {
        // as a peer may send it: any text
        let payload = hat_core::sbs::encode(&hat_core::sbs::ByteString::from(text));
        let json: Json = hat_core::sbs::decode(&payload).expect("any text decodes");
        let mut event = RegisterEvent::new(EventType::from_segments(["a"]));
        event.payload = Some(Payload::Json(json));
        check(&[event], &Limits { max_depth: 3, ..Limits::default() })
    }

    #[test]
    fn what_python_takes_is_taken() {
        for text in [
            "null",
            " 1 ",
            "-0.5e-400",
            r#"{"b": 1, "a": 1.0, "a": 2, "s": "č", "d": "\ud800", "e": "\\\"[["}"#,
            "[[[1e308]]]",
            "123456789012345678901234567890",
        ] {
            assert_eq!(json(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_python_does_not_take_is_refused() {
        for text in ["", "[1,", "NaN", "[Infinity]", "-Infinity", "{'a': 1}", "1 2", "nul"] {
            assert!(matches!(json(text), Err(Refusal::NoJson { index: 0, .. })), "{text}");
        }
        for text in ["1E400", "[1, -1e309]", &"9".repeat(400)] {
            assert!(matches!(json(text), Err(Refusal::Number { .. })), "{text}");
        }
        assert_eq!(json("[[[[1]]]]"), Err(Refusal::Depth { index: 0, limit: 3 }));
        // the stack does not depend on it
        assert!(matches!(json(&"[".repeat(1_000_000)), Err(Refusal::NoJson { .. })));
    }

    #[test]
    fn sizes_are_limited() {
        let limits =
            Limits { max_event: 100, max_registration: 150, max_events: 3, ..Limits::default() };
        let event = |size: usize| RegisterEvent {
            payload: Some(Payload::binary("t", vec![0; size])),
            ..RegisterEvent::new(EventType::from_segments(["a"]))
        };
        let check = |events: &[RegisterEvent]| check(events, &limits);
        assert_eq!(check(&[event(50)]), Ok(()));
        assert!(matches!(check(&[event(1), event(100)]), Err(Refusal::Event { index: 1, .. })));
        assert_eq!(check(&[event(70), event(70)]), Err(Refusal::Registration { limit: 150 }));
        let many = [event(1), event(1), event(1), event(1)];
        assert_eq!(check(&many), Err(Refusal::Count { count: 4, limit: 3 }));
    }
}
