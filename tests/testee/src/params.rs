//! Parameters of a request, read with errors that name them. An absent parameter and `null` are the
//! same.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::Value;

use crate::answer::Failure;

/// Parameters by name.
pub(crate) struct Params(Value);

impl Params {
    pub(crate) fn new(params: Value) -> Self {
        Self(params)
    }

    /// What a parameter holds, if it is there.
    pub(crate) fn any(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether a parameter is there and `null`, where that is not the same as absent.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(Value::is_null)
    }

    /// An object as parameters of its own.
    pub(crate) fn object(&self, name: &str) -> Result<Self, Failure> {
        let object = self.read(name, "an object", |value| value.as_object().map(|_| value))?;
        required(name, object.cloned()).map(Self)
    }

    /// The object that the request is about.
    pub(crate) fn handle(&self) -> Result<u64, Failure> {
        required("obj", self.read("obj", "a handle", Value::as_u64)?)
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str, Failure> {
        required(name, self.optional_text(name)?)
    }

    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<&str>, Failure> {
        self.read(name, "text", Value::as_str)
    }

    pub(crate) fn boolean_or(&self, name: &str, default: bool) -> Result<bool, Failure> {
        Ok(self.read(name, "a boolean", Value::as_bool)?.unwrap_or(default))
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<bool, Failure> {
        required(name, self.read(name, "a boolean", Value::as_bool)?)
    }

    pub(crate) fn integer(&self, name: &str) -> Result<i64, Failure> {
        required(name, self.optional_integer(name)?)
    }

    pub(crate) fn optional_integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.read(name, "an integer of 64 bits", Value::as_i64)
    }

    /// A name that stands for a `T`, if it is there.
    pub(crate) fn named<T>(&self, name: &str) -> Result<Option<T>, Failure>
    where
        T: FromStr<Err: Display>,
    {
        let parse = |text: &str| text.parse().map_err(Failure::value);
        self.optional_text(name)?.map(parse).transpose()
    }

    /// A list of objects, each as parameters of its own.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Self>, Failure> {
        let objects = self.read(name, "a list", Value::as_array)?;
        Ok(required(name, objects)?.iter().cloned().map(Self).collect())
    }

    pub(crate) fn port(&self) -> Result<u16, Failure> {
        let port = |value: &Value| u16::try_from(value.as_u64()?).ok();
        required("port", self.read("port", "a port", port)?)
    }

    pub(crate) fn size(&self, name: &str) -> Result<Option<usize>, Failure> {
        self.read(name, "a size", |value| usize::try_from(value.as_u64()?).ok())
    }

    /// A time in seconds, whole or not.
    pub(crate) fn seconds(&self, name: &str) -> Result<Option<Duration>, Failure> {
        let seconds = |value: &Value| Duration::try_from_secs_f64(value.as_f64()?).ok();
        self.read(name, "a time in seconds", seconds)
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<Bytes, Failure> {
        let decoded = BASE64_STANDARD.decode(self.text(name)?);
        decoded.map(Bytes::from).map_err(|error| Failure::value(format_args!("{name}: {error}")))
    }

    /// What `read` makes of a parameter, if it is there; `what` it should be is told where that is
    /// nothing.
    pub(crate) fn read<'a, T>(
        &'a self,
        name: &str,
        what: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let Some(value) = self.any(name) else { return Ok(None) };
        let wrong = || Failure::value(format_args!("{name} is not {what}"));
        read(value).map(Some).ok_or_else(wrong)
    }
}

pub(crate) fn required<T>(name: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::value(format_args!("{name} is missing")))
}

/// Bytes as the line protocol writes them.
pub(crate) fn base64(bytes: &[u8]) -> Value {
    BASE64_STANDARD.encode(bytes).into()
}
