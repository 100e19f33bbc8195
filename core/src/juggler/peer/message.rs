//! The messages of 0.5: `{"type": …, "payload": …}`.

use core::fmt;

use bytestring::ByteString;

use crate::json::{Limits, Patch, Value};
use crate::juggler::Error;
use crate::juggler::fields::{Fields, text_of};

/// What a peer receives.
#[derive(Debug)]
pub(super) enum PeerMessage {
    Data(Patch),
    Message(Value),
    Ping,
}

impl PeerMessage {
    /// What traces call it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Data(_) => "juggler DATA",
            Self::Message(_) => "juggler MESSAGE",
            Self::Ping => "juggler PING",
        }
    }

    /// What is not one of these, a `PONG` too, ends the connection at the deployed peers, and so it
    /// does here.
    pub(super) fn parse(text: &str, limits: &Limits) -> Result<Self, Error> {
        let value = Value::parse(text, limits)?;
        let fields = Fields::of(&value, "message")?;
        Ok(match fields.text("type")? {
            "DATA" => {
                let payload = fields.named("DATA message").required("payload")?;
                Self::Data(Patch::from_value(payload, limits)?)
            }
            "MESSAGE" => {
                Self::Message(fields.named("MESSAGE message").required("payload")?.clone())
            }
            "PING" => Self::Ping,
            other => return Err(Error::unknown_type(other)),
        })
    }
}

/// What stands around the text of a patch.
pub(super) const DATA: [ByteString; 2] =
    [ByteString::from_static(r#"{"type":"DATA","payload":"#), ByteString::from_static("}")];

/// The answer to `PING`.
pub(super) const PONG: ByteString = ByteString::from_static(r#"{"type":"PONG","payload":{}}"#);

/// A message, encoded once for all connections that it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(ByteString);

impl Message {
    /// Encodes it.
    #[must_use]
    pub fn new(payload: &Value) -> Self {
        Self::of(format_args!("{payload}"))
    }

    /// One whose payload is the JSON that is formatted.
    pub(in crate::juggler) fn of(payload: fmt::Arguments<'_>) -> Self {
        Self(text_of(format_args!(r#"{{"type":"MESSAGE","payload":{payload}}}"#)))
    }

    /// Its text, as it goes over the wire.
    #[must_use]
    pub fn text(&self) -> &ByteString {
        &self.0
    }
}
