//! JSON values with shared parts, and what keeps copies of them in step: JSON Pointer (RFC 6901)
//! and JSON Patch (RFC 6902).
//!
//! ```text
//! value ──> { "a": ─> …,  "b": ─> { "c": 1, "d": ─> … } }
//! after  ──> { "a": ──┘,  "b": ─> { "c": 2, "d": ──┘ } }
//!
//! set /b/c to 2: new are only the objects on the path
//!
//! diff(value, after)  [{"op":"replace","path":"/b/c","value":2}]
//! ```
//!
//! A clone of a [`Value`] is a reference. A change copies the lists and objects on the path to it,
//! and of wide ones only the part concerned, so that whoever holds a clone keeps what it had. What
//! both still have in common is the same memory: [`diff`] and `==` stop there.
//!
//! ```
//! use hat_core::json::{Limits, Patch, Pointer, Value, diff};
//!
//! let text = r#"{"boiler": {"on": true, "temperature": 20.5}}"#;
//! let before = Value::parse(text, &Limits::default())?;
//! let path: Pointer = "/boiler/temperature".parse()?;
//! let mut after = before.clone();
//! after.set(&path, 21, &Limits::default())?;
//!
//! let patch = diff(&before, &after);
//! assert_eq!(patch.to_string(), r#"[{"op":"replace","path":"/boiler/temperature","value":21}]"#);
//!
//! let mut copy = before.clone();
//! patch.apply(&mut copy, &Limits::default())?;
//! assert_eq!(copy, after);
//! assert_eq!(before.pointer("/boiler/temperature"), Some(&Value::from(20.5)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod array;
mod chunks;
mod convert;
mod diff;
mod edit;
mod limits;
mod number;
mod object;
mod parse;
mod patch;
mod pointer;
mod scan;
mod subsequence;
mod surrogate;
#[cfg(feature = "serde")]
mod with_serde;
mod write;

use alloc::sync::Arc;
use core::hash::{Hash, Hasher};

pub use apply::PatchError;
pub use array::Array;
use chunks::Measure;
pub use diff::diff;
pub(crate) use diff::{diff_into, shorten};
pub use edit::{MAX_PADDING, SetError};
pub use limits::Limits;
pub use number::Number;
pub use object::Object;
pub use parse::{ParseError, check};
pub use patch::{MalformedPatch, Operation, Patch};
pub use pointer::{Pointer, PointerError, Token};
pub use surrogate::lossy_text;

/// What a value takes wherever it stands.
const VALUE_WEIGHT: usize = 24;

/// What a string takes beside its bytes.
const STRING_WEIGHT: usize = 16;

/// What a list or an object takes beside what is in it.
const CONTAINER_WEIGHT: usize = 64;

/// A JSON value. A clone costs a reference, whatever it holds.
///
/// Numbers are `i64`, `u64` or `f64`. Whole numbers that fit in neither integer become doubles, as
/// they do in JavaScript; Python peers can send and keep any size. Two numbers are equal if they
/// are the same number, `1` and `1.0` too: RFC 6902 and the deployed peers say so. `true` is no
/// number. Objects are equal in any order of members.
#[derive(Clone, Debug, Default, Eq)]
pub enum Value {
    /// `null`, also what stands for a state before anything was said of it.
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number; it is finite.
    Number(Number),
    /// A text. JSON allows halves of surrogate pairs that stand alone, `"\ud83d"`, and no Rust
    /// string can hold them: here U+10FFFF and a character behind it stand for each, and are
    /// written as what was read. So such a text is passed on, compared and used as a name like any
    /// other; [`lossy_text`] makes of it what people can see.
    String(Arc<str>),
    /// Values in order.
    Array(Array),
    /// Values by name.
    Object(Object),
}

/// What a part that is not there reads as.
static NULL: Value = Value::Null;

impl Value {
    /// What kind of value this is, as the JSON grammar names it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// The part that `path` leads to, if there is one. `-`, the place after the last element, never
    /// is.
    #[must_use]
    pub fn get(&self, path: &Pointer) -> Option<&Self> {
        self.at(path.tokens())
    }

    /// As [`get`](Self::get), for a path that is written out: `/boiler/0/temperature`. A text that
    /// is not a path leads nowhere.
    #[must_use]
    pub fn pointer(&self, path: &str) -> Option<&Self> {
        self.get(&path.parse().ok()?)
    }

    pub(crate) fn at(&self, tokens: &[Token]) -> Option<&Self> {
        tokens.iter().try_fold(self, Self::child)
    }

    /// True for `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if it is one that was written without fraction and exponent and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number().and_then(Number::as_i64)
    }

    /// The number, if it is one that was written without fraction and exponent and fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number().and_then(Number::as_u64)
    }

    /// The number, if it is one; integers beyond 2⁵³ as the nearest double.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number().map(Number::as_f64)
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The object, if it is one.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Levels of lists and objects: none for a plain value, one for `[]` and `[1]`. Kept with the
    /// value, not counted.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.measure().height
    }

    /// About how many bytes of memory it takes on a 64-bit machine, parts that are shared counted
    /// as often as they occur. It is what [`Limits::size`] limits; kept with the value, not
    /// counted.
    #[must_use]
    pub fn size(&self) -> usize {
        self.measure().weight
    }

    fn measure(&self) -> Measure {
        let (own, inner) = match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => return Measure::PLAIN,
            Self::String(text) => {
                return Measure { weight: VALUE_WEIGHT + STRING_WEIGHT + text.len(), height: 0 };
            }
            Self::Array(array) => (CONTAINER_WEIGHT, array.items.measure()),
            Self::Object(object) => (CONTAINER_WEIGHT, object.members.measure()),
        };
        let weight = inner.weight.saturating_add(VALUE_WEIGHT + own);
        Measure { weight, height: inner.height + 1 }
    }

    /// The child that a token of a path names.
    fn child(&self, token: &Token) -> Option<&Self> {
        match self {
            Self::Array(array) => array.get(token.as_index()?),
            Self::Object(object) => object.get(&token.as_name()),
            _ => None,
        }
    }
}

impl Measure {
    const PLAIN: Self = Self { weight: VALUE_WEIGHT, height: 0 };
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => one == other,
            (Self::String(one), Self::String(other)) => one == other,
            (Self::Array(one), Self::Array(other)) => one == other,
            (Self::Object(one), Self::Object(other)) => one == other,
            _ => false,
        }
    }
}

/// Equal values have equal hashes.
impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        core::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Bool(value) => value.hash(state),
            Self::Number(number) => number.hash(state),
            Self::String(text) => text.hash(state),
            Self::Array(array) => {
                array.len().hash(state);
                array.iter().for_each(|value| value.hash(state));
            }
            Self::Object(object) => {
                object.len().hash(state);
                object.iter().for_each(|member| member.hash(state));
            }
        }
    }
}

/// The element at that index, or `null`.
impl core::ops::Index<usize> for Value {
    type Output = Self;

    fn index(&self, index: usize) -> &Self {
        self.as_array().and_then(|array| array.get(index)).unwrap_or(&NULL)
    }
}

/// The member of that name, or `null`.
impl core::ops::Index<&str> for Value {
    type Output = Self;

    fn index(&self, name: &str) -> &Self {
        self.as_object().and_then(|object| object.get(name)).unwrap_or(&NULL)
    }
}
