//! Conversions from Rust's values, and from and to `serde_json`'s.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytestring::ByteString;

use super::surrogate::{self, lossy_text};
use super::{Array, Number, Object, Value};

macro_rules! from {
    ($($type:ty => |$value:ident| $into:expr),+ $(,)?) => {
        $(impl From<$type> for Value {
            fn from($value: $type) -> Self {
                $into
            }
        })+
    };
}

from! {
    () => |_null| Self::Null,
    bool => |value| Self::Bool(value),
    i32 => |value| Self::Number(value.into()),
    u32 => |value| Self::Number(value.into()),
    i64 => |value| Self::Number(value.into()),
    u64 => |value| Self::Number(value.into()),
    usize => |value| Self::Number(value.into()),
    Number => |value| Self::Number(value),
    &str => |value| Self::String(value.into()),
    String => |value| Self::String(value.into()),
    &String => |value| Self::String(value.as_str().into()),
    Arc<str> => |value| Self::String(value),
    ByteString => |value| Self::String((&*value).into()),
    Array => |value| Self::Array(value),
    Object => |value| Self::Object(value),
    Vec<Value> => |value| Self::Array(value.into()),
}

/// JSON has no NaN and no infinity: these become `null`, as in JavaScript.
impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Number::from_f64(value).map_or(Self::Null, Self::Number)
    }
}

/// `None` is `null`.
impl<V: Into<Value>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A list.
impl<V: Into<Value>, const N: usize> From<[V; N]> for Value {
    fn from(values: [V; N]) -> Self {
        values.into_iter().collect()
    }
}

/// An object.
impl<K: Into<Arc<str>>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Object {
    fn from(members: [(K, V); N]) -> Self {
        members.into_iter().collect()
    }
}

/// A list.
impl<V: Into<Value>> FromIterator<V> for Value {
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        Self::Array(values.into_iter().collect())
    }
}

/// A number that no double can hold, which there are with `serde_json`'s feature
/// `arbitrary_precision`, becomes `null`.
impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(value) => number(&value).map_or(Self::Null, Self::Number),
            serde_json::Value::String(value) => text(value).into(),
            serde_json::Value::Array(values) => values.into_iter().collect(),
            serde_json::Value::Object(members) => {
                Self::Object(members.into_iter().map(|(name, value)| (text(name), value)).collect())
            }
        }
    }
}

/// Halves of surrogate pairs that stand alone become U+FFFD: `serde_json`'s strings cannot hold
/// them.
impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => Self::Number(to_serde(*value)),
            Value::String(value) => Self::String(lossy_text(value).into_owned()),
            Value::Array(array) => Self::Array(array.iter().map(Into::into).collect()),
            Value::Object(object) => Self::Object(
                object
                    .iter()
                    .map(|(name, value)| (lossy_text(name).into_owned(), value.into()))
                    .collect(),
            ),
        }
    }
}

/// As a text that was read.
fn text(value: String) -> String {
    if !value.contains(surrogate::MARK) {
        return value;
    }
    let mut text = String::with_capacity(2 * value.len());
    surrogate::push_text(&value, &mut text);
    text
}

/// By its value: what form it has inside depends on the features of `serde_json`.
fn number(value: &serde_json::Number) -> Option<Number> {
    if let Some(natural) = value.as_u64() {
        return Some(natural.into());
    }
    match value.as_i64() {
        Some(integer) => Some(integer.into()),
        None => value.as_f64().and_then(Number::from_f64),
    }
}

fn to_serde(number: Number) -> serde_json::Number {
    if let Some(natural) = number.as_u64() {
        return natural.into();
    }
    match number.as_i64() {
        Some(integer) => integer.into(),
        None => serde_json::Number::from_f64(number.as_f64()).expect("a number is finite"),
    }
}
