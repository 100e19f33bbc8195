//! What comes of a request: a result and what follows from it, or a failure of one of the
//! protocol's kinds.

use std::fmt::Display;

use serde_json::{Value, json};

/// What a method answers.
pub(crate) type Outcome = Result<Answer, Failure>;

/// A result. Where it introduces an object, that begins to report only when the response is
/// written.
pub(crate) struct Answer {
    pub(crate) ok: Value,
    pub(crate) then: Option<Box<dyn FnOnce() + Send>>,
}

impl Answer {
    /// A result after whose line `then` runs.
    pub(crate) fn and_then(ok: Value, then: impl FnOnce() + Send + 'static) -> Self {
        Self { ok, then: Some(Box::new(then)) }
    }
}

impl From<Value> for Answer {
    fn from(ok: Value) -> Self {
        Self { ok, then: None }
    }
}

/// An `err` answer.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: &'static str,
    message: String,
    data: Value,
}

impl Failure {
    /// Refused, closed, lost, or no such object.
    pub(crate) fn connection(message: impl Display) -> Self {
        Self::of("connection", message)
    }

    /// An invalid argument.
    pub(crate) fn value(message: impl Display) -> Self {
        Self::of("value", message)
    }

    /// An Eventer server does not take the client: its text.
    pub(crate) fn init(text: impl Display) -> Self {
        Self::of("init", text)
    }

    /// What is not there.
    pub(crate) fn unsupported(what: impl Display) -> Self {
        Self::of("unsupported", format_args!("not supported: {what}"))
    }

    /// Anything else.
    pub(crate) fn other(message: impl Display) -> Self {
        Self::of("other", message)
    }

    /// A Juggler server says that a request failed, with these data.
    pub(crate) fn juggler(data: Value) -> Self {
        Self { data, ..Self::of("juggler", "the request failed") }
    }

    fn of(kind: &'static str, message: impl Display) -> Self {
        Self { kind, message: message.to_string(), data: Value::Null }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"kind": self.kind, "msg": self.message, "data": self.data})
    }
}
