//! Values of any SBS type, for programs that learn the types at run time.
//!
//! ```text
//! None     None                Bytes    a slice of what was decoded
//! Boolean  bool                String   the same, checked to be UTF-8
//! Integer  any whole number    Array    a Vec
//! Float    f64                 Record   values with names, in the order of the schema
//!                              Choice   one value with the name of its entry
//! ```
//!
//! The bytes have no types in them: a [`PreparedType`](super::PreparedType) is needed both ways.

mod access;
mod decode;
mod encode;
mod error;
mod record;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use super::Integer;
pub use error::{EncodeError, Path, ValueDecodeError};
pub use record::Record;

/// Levels of Records, Choices and Arrays that a value may have inside each other, both ways. Four
/// to one level of the typed codec, which counts only Arrays and boxes; each costs some hundred
/// bytes of stack.
pub const MAX_VALUE_DEPTH: u32 = 256;

/// A value of any SBS type.
///
/// Two Floats are equal as two `f64` are: NaN is not equal to itself.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `None`, the value that takes no bytes.
    None,
    /// `Boolean`
    Boolean(bool),
    /// `Integer`
    Integer(Integer),
    /// `Float`
    Float(f64),
    /// `String`
    String(ByteString),
    /// `Bytes`
    Bytes(Bytes),
    /// `Array(…)`
    Array(Vec<Value>),
    /// `Record { … }`
    Record(Record),
    /// `Choice { … }`, also `Optional(…)`
    Choice(Box<Choice>),
}

/// What a Choice holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The name of the entry.
    pub name: ByteString,
    /// Its value.
    pub value: Value,
}

impl Value {
    /// A Record of named values; best in the order of the schema, in which they are found at once.
    pub fn record<N: Into<ByteString>>(entries: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Record(entries.into_iter().collect())
    }

    /// A Choice of the entry `name`.
    pub fn choice(name: impl Into<ByteString>, value: impl Into<Self>) -> Self {
        Self::Choice(Box::new(Choice { name: name.into(), value: value.into() }))
    }

    /// An `Optional(…)`: the Choice `value`, or `none`.
    pub fn optional(value: Option<impl Into<Self>>) -> Self {
        match value {
            Some(value) => Self::choice(ByteString::from_static("value"), value),
            None => Self::choice(ByteString::from_static("none"), Self::None),
        }
    }

    /// What kind of type this is a value of, by its name in schemas.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Boolean(_) => "Boolean",
            Self::Integer(_) => "Integer",
            Self::Float(_) => "Float",
            Self::String(_) => "String",
            Self::Bytes(_) => "Bytes",
            Self::Array(_) => "Array",
            Self::Record(_) => "Record",
            Self::Choice(_) => "Choice",
        }
    }
}

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
    () => |_none| Self::None,
    bool => |value| Self::Boolean(value),
    i32 => |value| Self::Integer(value.into()),
    i64 => |value| Self::Integer(value.into()),
    Integer => |value| Self::Integer(value),
    f64 => |value| Self::Float(value),
    &str => |value| Self::String(value.into()),
    String => |value| Self::String(value.into()),
    ByteString => |value| Self::String(value),
    Bytes => |value| Self::Bytes(value),
    Vec<Value> => |value| Self::Array(value),
    Record => |value| Self::Record(value),
}
