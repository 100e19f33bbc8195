//! Members of messages, and what Python makes of them.

use alloc::string::{String, ToString};
use core::fmt::{self, Write};

use bytestring::ByteString;

use super::{Error, Fault};
use crate::json::{Object, Value};

/// The most bytes of an id that we repeat, as JSON: what any peer counts to fits ten times over.
const MAX_ID: usize = 256;

/// The members of a message.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    object: &'a Object,
    message: &'static str,
}

impl<'a> Fields<'a> {
    /// Those of a message that is called `message` in errors.
    pub(super) fn of(value: &'a Value, message: &'static str) -> Result<Self, Error> {
        match value.as_object() {
            Some(object) => Ok(Self { object, message }),
            None => Err(Error::Malformed { message, fault: Fault::NotAnObject }),
        }
    }

    /// The same, with the name of its type.
    pub(super) fn named(self, message: &'static str) -> Self {
        Self { message, ..self }
    }

    pub(super) fn get(self, member: &str) -> Option<&'a Value> {
        self.object.get(member)
    }

    pub(super) fn required(self, member: &'static str) -> Result<&'a Value, Error> {
        self.get(member).ok_or_else(|| self.missing(member))
    }

    pub(super) fn text(self, member: &'static str) -> Result<&'a str, Error> {
        let fault = Fault::Kind { member, expected: "string" };
        let message = self.message;
        self.required(member)?.as_str().ok_or(Error::Malformed { message, fault })
    }

    /// The result of something: `success`, and behind it what stands in `member`.
    pub(super) fn result(self, member: &'static str) -> Result<Result<Value, Value>, Error> {
        let success = truthy(self.required("success")?);
        let value = self.required(member)?.clone();
        Ok(if success { Ok(value) } else { Err(value) })
    }

    pub(super) fn missing(self, member: &'static str) -> Error {
        Error::Malformed { message: self.message, fault: Fault::Missing(member) }
    }
}

/// What Python takes for true.
pub(super) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != 0.0,
        Value::String(text) => !text.is_empty(),
        Value::Array(array) => !array.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}

/// The id of a peer's request, as JSON: the deployed peers count, but repeat anything, and so do
/// we.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id(ByteString);

impl Id {
    pub(super) fn new(value: &Value) -> Result<Self, Error> {
        let text = value.to_string();
        if text.len() > MAX_ID {
            let fault = Fault::Id { size: text.len(), limit: MAX_ID };
            return Err(Error::Malformed { message: "request", fault });
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is formatted, as a text that can be shared.
pub(super) fn text_of(arguments: fmt::Arguments<'_>) -> ByteString {
    let mut text = String::new();
    text.write_fmt(arguments).expect("strings take anything");
    text.into()
}
