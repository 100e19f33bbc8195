//! The vectors of the deployed peers, in `tests/vectors/`: what each file holds is said in its
//! `doc`.

use bytes::Bytes;
use serde_json::Value;

/// Reads `tests/vectors/NAME.json`.
///
/// # Panics
///
/// If there is no such file, or it is not JSON.
#[must_use]
pub fn load(name: &str) -> Value {
    let path = format!("{}/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The elements of a list in a vector.
///
/// # Panics
///
/// If it is no list, or an empty one: a test over no cases tests nothing.
#[must_use]
pub fn list(value: &Value) -> &[Value] {
    let list = value.as_array().unwrap_or_else(|| panic!("not a list: {value}"));
    assert!(!list.is_empty(), "an empty list of cases");
    list
}

/// The text of a string in a vector.
///
/// # Panics
///
/// If it is no string.
#[must_use]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}

/// The bytes of a string of hexadecimal digits, or of `{"repeat": "6162", "count": 3}`.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn hex(value: &Value) -> Bytes {
    if let Some(count) = value.get("count") {
        let count = usize::try_from(integer(count)).expect("a count");
        return hex(&value["repeat"]).repeat(count).into();
    }
    let digits = text(value);
    assert!(digits.len().is_multiple_of(2), "odd number of digits: {digits}");
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16);
    let bytes = (0..digits.len()).step_by(2).map(|at| byte(at).expect("hexadecimal digits"));
    bytes.collect::<Vec<_>>().into()
}

/// An integer, written as a number or as decimal digits in a string.
///
/// # Panics
///
/// If it is none that fits in 64 bits.
#[must_use]
pub fn integer(value: &Value) -> i64 {
    let parsed = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    parsed.unwrap_or_else(|| panic!("not an integer of 64 bits: {value}"))
}

/// A boolean.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn boolean(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| panic!("not a boolean: {value}"))
}
