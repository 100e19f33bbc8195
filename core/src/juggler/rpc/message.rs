//! What calls are on the wire: payloads of messages.
//!
//! ```text
//! {"type": "rpc", "id": 1, "direction": "request", "action": "…", "args": […]}
//! {"type": "rpc", "id": 1, "direction": "response", "success": true, "result": …}
//! ```

use bytestring::ByteString;

use crate::json::{Array, Value};
use crate::juggler::fields::{Fields, Id};
use crate::juggler::peer::Message;
use crate::juggler::{Error, Fault};

/// What a payload is.
#[derive(Debug)]
pub(super) enum Payload {
    /// Nothing of ours.
    Other,
    Request {
        id: Id,
        asked: CallKind,
    },
    /// The response to a call that waits for it.
    Response {
        id: u64,
        result: Result<Value, Value>,
    },
    /// The response to any other.
    Stray,
}

#[derive(Debug)]
pub(super) enum CallKind {
    Action(ByteString, Array),
    /// Nothing that can be answered otherwise than by this refusal.
    Wrong(&'static str),
}

impl Payload {
    /// `is_open` tells whether a call waits for its response: what else is in any other does not
    /// matter.
    pub(super) fn parse(payload: &Value, is_open: impl FnOnce(u64) -> bool) -> Result<Self, Error> {
        let Ok(fields) = Fields::of(payload, "rpc message") else { return Ok(Self::Other) };
        if fields.get("type").and_then(Value::as_str) != Some("rpc") {
            return Ok(Self::Other);
        }
        match fields.text("direction")? {
            "request" => {
                let fields = fields.named("rpc request");
                let action = fields.required("action")?;
                let args = fields.required("args")?;
                let asked = match (action.as_str(), args.as_array()) {
                    (Some(action), Some(args)) => CallKind::Action(action.into(), args.clone()),
                    (None, _) => CallKind::Wrong(super::INVALID_ACTION),
                    (_, None) => CallKind::Wrong("the `args` of the call are not a list"),
                };
                Ok(Self::Request { id: Id::new(fields.required("id")?)?, asked })
            }
            "response" => {
                let fields = fields.named("rpc response");
                let id = fields.required("id")?.as_u64();
                let Some(id) = id.filter(|&id| is_open(id)) else { return Ok(Self::Stray) };
                Ok(Self::Response { id, result: fields.result("result")? })
            }
            _ => {
                let expected = "`request` or `response`";
                let fault = Fault::Kind { member: "direction", expected };
                Err(Error::Malformed { message: "rpc message", fault })
            }
        }
    }
}

pub(super) fn request(id: u64, action: &str, args: &[Value]) -> Message {
    let args = Value::from(args.to_vec());
    let action = Value::from(action);
    Message::of(format_args!(
        r#"{{"type":"rpc","id":{id},"direction":"request","action":{action},"args":{args}}}"#
    ))
}

pub(super) fn response(id: &Id, result: Result<&Value, &Value>) -> Message {
    let (success, result) = match result {
        Ok(result) => (true, result),
        Err(result) => (false, result),
    };
    Message::of(format_args!(
        r#"{{"type":"rpc","id":{id},"direction":"response","success":{success},"result":{result}}}"#
    ))
}
