//! The messages of 0.7: what they are on the wire.
//!
//! ```text
//! client ──> server   {"type": "request", "id": 1, "name": "…", "data": …}
//! server ──> client   {"type": "response", "id": 1, "success": true, "data": …}
//!                     {"type": "state", "diff": JSON Patch}
//!                     {"type": "notify", "name": "…", "data": …}
//! ```
//!
//! Members that we do not know are passed over. What lacks a member of its type ends the
//! connection, as it does at the deployed peers; where Python asks whether something is true, so do
//! we.

use bytestring::ByteString;

use super::Error;
use super::fields::{Fields, Id, text_of, truthy};
use crate::json::{Limits, Patch, Value};

/// What a server receives.
#[derive(Debug)]
pub(super) struct Request {
    /// To be repeated in the response.
    pub(super) id: Id,
    pub(super) asked: RequestKind,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum RequestKind {
    /// The data itself: the name is empty.
    Echo(Value),
    /// Something that the application knows.
    Named(ByteString, Value),
    /// Nothing that can be answered otherwise than by this refusal.
    Wrong(&'static str),
}

impl Request {
    pub(super) fn parse(text: &str, limits: &Limits) -> Result<Self, Error> {
        let value = Value::parse(text, limits)?;
        let fields = Fields::of(&value, "message")?;
        match fields.text("type")? {
            "request" => {}
            other => return Err(Error::unknown_type(other)),
        }
        let fields = fields.named("request");
        let id = Id::new(fields.required("id")?)?;
        let name = fields.required("name")?;
        let data = fields.get("data");
        let asked = match (name, data) {
            (name, Some(data)) if !truthy(name) => RequestKind::Echo(data.clone()),
            (name, None) if !truthy(name) => return Err(fields.missing("data")),
            // a browser that calls `send(name)` leaves it out
            (_, None) => RequestKind::Wrong("the request has no `data`"),
            (name, Some(data)) => match name.as_str() {
                Some(name) => RequestKind::Named(name.into(), data.clone()),
                None => RequestKind::Wrong("the `name` of the request is not a string"),
            },
        };
        Ok(Self { id, asked })
    }

    /// About how many bytes of memory its data take.
    pub(super) fn weight(&self) -> usize {
        match &self.asked {
            RequestKind::Echo(data) => data.size(),
            RequestKind::Named(name, data) => name.len().saturating_add(data.size()),
            RequestKind::Wrong(_) => 0,
        }
    }
}

/// What a client receives.
#[derive(Debug)]
pub(super) enum ToClient {
    /// The answer to a request that waits for it.
    Response {
        id: u64,
        result: Result<Value, Value>,
    },
    State(Patch),
    Notify {
        name: ByteString,
        data: Value,
    },
}

impl ToClient {
    /// What traces call it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Response { .. } => "juggler response",
            Self::State(_) => "juggler state",
            Self::Notify { .. } => "juggler notify",
        }
    }

    /// `is_open` tells whether a request waits for an answer. `None`: the response to one that does
    /// not, whatever else is in it.
    pub(super) fn parse(
        text: &str,
        limits: &Limits,
        is_open: impl FnOnce(u64) -> bool,
    ) -> Result<Option<Self>, Error> {
        let value = Value::parse(text, limits)?;
        let fields = Fields::of(&value, "message")?;
        Ok(Some(match fields.text("type")? {
            "response" => {
                let fields = fields.named("response");
                let id = fields.required("id")?.as_u64();
                let Some(id) = id.filter(|&id| is_open(id)) else { return Ok(None) };
                Self::Response { id, result: fields.result("data")? }
            }
            "state" => {
                let diff = fields.named("state").required("diff")?;
                Self::State(Patch::from_value(diff, limits)?)
            }
            "notify" => {
                let fields = fields.named("notify");
                let name = fields.text("name")?.into();
                Self::Notify { name, data: fields.required("data")?.clone() }
            }
            other => return Err(Error::unknown_type(other)),
        }))
    }
}

pub(super) fn request(id: u64, name: &str, data: &Value) -> ByteString {
    let name = Value::from(name);
    text_of(format_args!(r#"{{"type":"request","id":{id},"name":{name},"data":{data}}}"#))
}

pub(super) fn response(id: &Id, result: Result<&Value, &Value>) -> ByteString {
    let (success, data) = match result {
        Ok(data) => (true, data),
        Err(data) => (false, data),
    };
    text_of(format_args!(r#"{{"type":"response","id":{id},"success":{success},"data":{data}}}"#))
}

/// What stands around the text of a patch.
pub(super) const STATE: [ByteString; 2] =
    [ByteString::from_static(r#"{"type":"state","diff":"#), ByteString::from_static("}")];

/// A notification, encoded once for all connections that it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification(ByteString);

impl Notification {
    /// Encodes it.
    #[must_use]
    pub fn new(name: &str, data: &Value) -> Self {
        let name = Value::from(name);
        Self(text_of(format_args!(r#"{{"type":"notify","name":{name},"data":{data}}}"#)))
    }

    /// Its text, as it goes over the wire.
    #[must_use]
    pub fn text(&self) -> &ByteString {
        &self.0
    }
}
