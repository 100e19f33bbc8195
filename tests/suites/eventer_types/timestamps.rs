use super::{bytes_from_hex, list, text, timestamp, vectors};
use hat_core::eventer::{Timestamp, TimestampError};
use serde_json::Value;

fn double(value: &Value) -> f64 {
    f64::from_bits(u64::from_str_radix(text(&value["bits"]), 16).expect("64 bits"))
}

#[test]
fn bytes_doubles_and_texts() {
    let vectors = vectors!("timestamp");
    for case in list(&vectors["cases"]) {
        let expected = timestamp(&case["timestamp"]);
        let bytes: [u8; 12] =
            bytes_from_hex(text(&case["bytes"])).try_into().expect("twelve bytes");
        assert_eq!(expected.to_bytes(), bytes, "{case}");
        assert_eq!(Timestamp::from_bytes(bytes), Ok(expected), "{case}");

        let seconds = double(&case["float"]);
        assert_eq!(expected.as_secs_f64().to_bits(), seconds.to_bits(), "{case}");
        from_double(case, seconds, expected);

        if let Some(peers) = case["datetime"].as_str() {
            let shown = expected.to_string();
            assert_eq!(shown.replace('Z', "+00:00"), peers);
            assert_eq!(shown.parse(), Ok(expected), "{case}");
            assert_eq!(peers.parse(), Ok(expected), "{case}");
        } else {
            let shown = expected.to_string();
            assert!(shown.starts_with(['+', '-', '0']), "{shown} is outside of Python's years");
            assert_eq!(shown.parse(), Ok(expected), "{case}");
        }
    }
}

/// The peers come back to another moment where a double is not fine enough, and out of range at
/// both ends.
#[track_caller]
fn from_double(case: &Value, seconds: f64, expected: Timestamp) {
    let back = Timestamp::try_from_secs_f64(seconds);
    match case.get("from_float") {
        None => assert_eq!(back, Ok(expected), "{case}"),
        // the peer takes a second off every negative number that is too large to have a fraction
        Some(_) if seconds == -(2_f64.powi(63)) => assert_eq!(back, Ok(Timestamp::MIN)),
        Some(_) if seconds == 2_f64.powi(63) => assert_eq!(back, Err(TimestampError::OutOfRange)),
        Some(other) => assert_eq!(back, Ok(timestamp(other)), "{case}"),
    }
}

#[test]
fn from_doubles() {
    let vectors = vectors!("timestamp");
    for case in list(&vectors["float_cases"]) {
        let back = Timestamp::try_from_secs_f64(double(&case["float"]));
        assert_eq!(back, Ok(timestamp(&case["timestamp"])), "{case}");
    }
}

#[test]
fn additions() {
    let vectors = vectors!("timestamp");
    for case in list(&vectors["add_cases"]) {
        let sum = timestamp(&case["timestamp"]).add_secs_f64(double(&case["add"]));
        assert_eq!(sum, Ok(timestamp(&case["result"])), "{case}");
    }
}

/// The peer's reading is a second too low for whole seconds before 1970, and a second too high
/// where its double rounds up.
#[test]
fn texts_that_the_peer_misreads() {
    let vectors = vectors!("timestamp");
    for case in list(&vectors["datetime_cases"]) {
        let datetime = text(&case["datetime"]);
        let zoned = match datetime.len() {
            19 | 26 => format!("{datetime}Z"),
            _ => datetime.to_owned(),
        };
        let read: Timestamp = zoned.parse().expect("RFC 3339");
        let peers = timestamp(&case["timestamp"]);
        let off = match (read.s() < 0 && read.us() == 0, datetime.starts_with("9999")) {
            (true, _) => -1,
            (_, true) => 1,
            _ => 0,
        };
        assert_eq!((read.s() + off, read.us()), (peers.s(), peers.us()), "{case}");
    }
}
