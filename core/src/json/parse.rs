//! Reading text. `serde_json` scans it, with its exact doubles; what is made of it, and how much, is decided here.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::object::MEMBER_WEIGHT;
use super::{Array, CONTAINER_WEIGHT, Limits, Number, Object, STRING_WEIGHT, VALUE_WEIGHT, Value};

/// Why a text is no value. Lines and columns count from 1, columns in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// It is not JSON. Python's encoder writes `NaN`, `Infinity` and lone surrogates, which are none.
    #[error("not JSON: {reason}")]
    Syntax {
        /// What is wrong, and at which line and column.
        reason: String,
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// Lists and objects inside each other beyond [`Limits::depth`].
    #[error("at line {line} column {column}, the value is nested deeper than {limit} levels")]
    TooDeep {
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
        /// The limit.
        limit: usize,
    },
    /// More than [`Limits::size`].
    #[error("up to line {line} column {column}, the value takes more than {limit} bytes of memory")]
    TooLarge {
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
        /// The limit.
        limit: usize,
    },
}

impl Value {
    /// The value that `text` is, white space around it allowed. Of members with one name the last counts.
    ///
    /// # Errors
    ///
    /// [`ParseError`]: what is wrong and where, or which limit it is beyond. No more memory is taken than the limit says, give or take
    /// the room that growing lists keep in advance.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, ParseError> {
        let left =
            Left { depth: limits.depth, size: Cell::new(limits.size), over: Cell::default() };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        // the limit is ours
        deserializer.disable_recursion_limit();
        let read = Reader { left: &left, depth: 0 }.deserialize(&mut deserializer);
        read.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            match left.over.get() {
                Some(Over::Depth) => ParseError::TooDeep { line, column, limit: limits.depth },
                Some(Over::Size) => ParseError::TooLarge { line, column, limit: limits.size },
                None => ParseError::Syntax { reason: error.to_string(), line, column },
            }
        })
    }
}

/// What the limits leave.
struct Left {
    depth: usize,
    size: Cell<usize>,
    /// Which of them was passed.
    over: Cell<Option<Over>>,
}

#[derive(Clone, Copy)]
enum Over {
    Depth,
    Size,
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    left: &'a Left,
    depth: usize,
}

impl Reader<'_> {
    fn take<E: serde::de::Error>(self, size: usize) -> Result<(), E> {
        match self.left.size.get().checked_sub(size) {
            Some(left) => {
                self.left.size.set(left);
                Ok(())
            }
            None => Err(self.over(Over::Size)),
        }
    }

    fn enter<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == self.left.depth {
            return Err(self.over(Over::Depth));
        }
        self.take(VALUE_WEIGHT + CONTAINER_WEIGHT)?;
        Ok(Self { depth: self.depth + 1, ..self })
    }

    #[cold]
    fn over<E: serde::de::Error>(self, over: Over) -> E {
        self.left.over.set(Some(over));
        E::custom("over the limit")
    }

    fn plain<E: serde::de::Error>(self, value: Value) -> Result<Value, E> {
        self.take(VALUE_WEIGHT)?;
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.plain(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.plain(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.plain(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.plain(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("number out of range"))?;
        self.plain(Value::Number(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.take(VALUE_WEIGHT + STRING_WEIGHT + text.len())?;
        Ok(Value::String(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.enter()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(Array::from(values)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.enter()?;
        let mut members = Vec::new();
        while let Some(name) = map.next_key_seed(Name(inner))? {
            members.push((name, map.next_value_seed(inner)?));
        }
        Ok(Value::Object(Object::from_iter(members)))
    }
}

/// Reads the name of a member.
struct Name<'a>(Reader<'a>);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Arc<str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Arc<str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Arc<str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Arc<str>, E> {
        self.0.take(MEMBER_WEIGHT + name.len())?;
        Ok(name.into())
    }
}
