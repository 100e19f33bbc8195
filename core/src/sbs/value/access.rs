//! Accessors: what is in a value.

use core::ops::Index;

use bytes::Bytes;

use super::{Choice, Record, Value};
use crate::sbs::Integer;

/// What a part that is not there reads as.
static NONE: Value = Value::None;

impl Value {
    /// True for `None`, the value that takes no bytes.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The Boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The Integer, if it is one, of any size.
    #[must_use]
    pub fn as_integer(&self) -> Option<&Integer> {
        match self {
            Self::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// The Integer, if it is one and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_integer().and_then(|value| value.try_into().ok())
    }

    /// The Float, if it is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The String, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(value) => Some(value),
            _ => None,
        }
    }

    /// The Bytes, if they are that.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(value) => Some(value),
            _ => None,
        }
    }

    /// The elements, if it is an Array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The Record, if it is one.
    #[must_use]
    pub fn as_record(&self) -> Option<&Record> {
        match self {
            Self::Record(record) => Some(record),
            _ => None,
        }
    }

    /// The Choice, if it is one.
    #[must_use]
    pub fn as_choice(&self) -> Option<&Choice> {
        match self {
            Self::Choice(choice) => Some(choice),
            _ => None,
        }
    }

    /// The part of that name: an entry of a Record, or what a Choice holds if that is its entry.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Record(record) => record.get(name),
            Self::Choice(choice) => (choice.name == name).then_some(&choice.value),
            _ => None,
        }
    }

    /// The part that a path of names and indexes leads to, written as in JSON Pointer (RFC 6901)
    /// but for its escapes: no name in a schema has a `/` or a `~`. The empty path is the value.
    ///
    /// ```
    /// use hat_core::sbs::Value;
    ///
    /// let point = |x| Value::record([("x", x), ("y", 0)].map(|(name, at)| (name, at.into())));
    /// let shape = Value::choice("points", vec![point(1), point(2)]);
    /// assert_eq!(shape.pointer("/points/1/x").and_then(Value::as_i64), Some(2));
    /// assert_eq!(shape["points"][1]["x"].as_i64(), Some(2));
    /// assert!(shape["circle"].is_none());
    /// ```
    #[must_use]
    pub fn pointer(&self, path: &str) -> Option<&Self> {
        if path.is_empty() {
            return Some(self);
        }
        let steps = path.strip_prefix('/')?.split('/');
        steps.into_iter().try_fold(self, |value, step| match value {
            Self::Array(values) => values.get(index(step)?),
            _ => value.get(step),
        })
    }
}

/// Digits without a sign or leading zeros.
fn index(step: &str) -> Option<usize> {
    let plain = step == "0" || !step.starts_with(['0', '+']);
    plain.then(|| step.parse().ok()).flatten()
}

/// The part of that name, or `None`: see [`Value::get`].
impl Index<&str> for Value {
    type Output = Self;

    fn index(&self, name: &str) -> &Self {
        self.get(name).unwrap_or(&NONE)
    }
}

/// The element at that index, or `None`.
impl Index<usize> for Value {
    type Output = Self;

    fn index(&self, index: usize) -> &Self {
        self.as_array().and_then(|values| values.get(index)).unwrap_or(&NONE)
    }
}
