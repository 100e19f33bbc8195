//! Requests of the two Chatter layers, written once: what a test does is the same in both.

use std::net::SocketAddr;

use hat_core::chatter::Dialect;
use serde_json::{Value, json};

use super::{Handle, Peer, PeerError, PendingCall, from_base64, to_addr, to_base64};

/// A layer of the line protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Dialect `HatChatter`.
    Chatter,
    /// Dialect `Hat`.
    Chatter05,
}

impl Layer {
    /// The dialect that it speaks.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Chatter => Dialect::HatChatter,
            Self::Chatter05 => Dialect::Hat,
        }
    }

    /// The layer's method of that name.
    pub fn method(self, name: &str) -> String {
        match self {
            Self::Chatter => format!("chatter.{name}"),
            Self::Chatter05 => format!("chatter05.{name}"),
        }
    }

    /// Listens on a free port, with `more` parameters, and gives the response.
    #[track_caller]
    pub fn listen(self, peer: &Peer, more: Value) -> Value {
        let params = self.target(SocketAddr::from(([127, 0, 0, 1], 0)), more);
        peer.expect(&self.method("listen"), params)
    }

    /// Where the server that `listening` introduced listens.
    #[track_caller]
    pub fn address(self, listening: &Value) -> SocketAddr {
        let address = &listening["addresses"][0];
        match self {
            Self::Chatter => super::from_addr(address),
            Self::Chatter05 => {
                let address = address.as_str().and_then(|text| text.strip_prefix("tcp+sbs://"));
                address.and_then(|text| text.parse().ok()).expect("an address")
            }
        }
    }

    /// Parameters of connecting to `address`, or of listening there, with `more` of them.
    pub fn target(self, address: SocketAddr, more: Value) -> Value {
        let mut params = match self {
            Self::Chatter => json!({"addr": to_addr(address)}),
            Self::Chatter05 => json!({"address": format!("tcp+sbs://{address}")}),
        };
        let more = more.as_object().cloned().unwrap_or_default();
        params.as_object_mut().expect("parameters are an object").extend(more);
        params
    }

    /// The parameter that lets at most `count` received messages wait.
    pub fn queue(self, count: usize) -> Value {
        match self {
            Self::Chatter => json!({"receive_queue_size": count}),
            Self::Chatter05 => json!({"queue_maxsize": count}),
        }
    }

    /// Parameters that make a side ping after `seconds` of silence and wait as many for an answer.
    pub fn pings(self, seconds: f64) -> Value {
        match self {
            Self::Chatter => json!({"ping_delay": seconds, "ping_timeout": seconds}),
            Self::Chatter05 => json!({"ping_timeout": seconds}),
        }
    }
}

/// One end of a connection, in another process.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The process.
    pub peer: &'a Peer,
    /// The connection.
    pub object: Handle,
    /// Which it is of.
    pub layer: Layer,
}

/// How to send: a conversation of one message, if nothing else is said.
#[derive(Clone, Debug)]
pub struct How {
    /// The conversation to go on with.
    pub conv: Value,
    /// It ends the conversation.
    pub last: bool,
    /// The other side may send next.
    pub token: bool,
    /// Of the conversation, in seconds; only in [`Layer::Chatter05`].
    pub timeout: Option<f64>,
}

/// A conversation of one message.
pub const ONE: How = How { conv: Value::Null, last: true, token: true, timeout: None };

/// The start of a conversation in which the other side may answer.
pub const ASK: How = How { last: false, ..ONE };

impl<'a> Side<'a> {
    /// Starts a request without further parameters.
    pub fn start(&self, method: &str) -> PendingCall<'a> {
        self.peer.start(&self.layer.method(method), json!({"obj": self.object}))
    }

    /// Starts to send.
    pub fn start_send(&self, data: &[u8], how: How) -> PendingCall<'a> {
        let How { conv, last, token, timeout } = how;
        let data = to_base64(data);
        let mut params = json!({"obj": self.object, "type": "Test.Data", "data": data, "conv": conv, "last": last,
                                "token": token});
        if self.layer == Layer::Chatter05 {
            params["module"] = "Test".into();
            params["timeout"] = timeout.into();
        }
        self.peer.start(&self.layer.method("send"), params)
    }

    /// Sends, and gives the conversation.
    #[track_caller]
    pub fn send(&self, data: &[u8], how: How) -> Value {
        self.start_send(data, how).expect()
    }

    /// Receives a message, or learns that there is none.
    #[track_caller]
    pub fn try_receive(&self) -> Result<Value, PeerError> {
        self.start("receive").wait()
    }

    /// Receives a message that must hold `data`, and gives the rest of it.
    #[track_caller]
    pub fn receive(&self, data: &[u8]) -> Value {
        let message = self.start("receive").expect();
        let received = from_base64(&message["data"]);
        assert!(received == data, "{} bytes, not the {} sent", received.len(), data.len());
        assert_eq!(message["type"], "Test.Data");
        if self.layer == Layer::Chatter05 {
            assert_eq!(message["module"], "Test");
        }
        message
    }

    /// Waits until all that was sent is with the system.
    #[track_caller]
    pub fn drain(&self) {
        self.start("drain").expect();
    }

    /// Starts to close.
    pub fn close(&self) -> PendingCall<'a> {
        self.peer.start("close", json!({"obj": self.object}))
    }

    /// Waits for an event.
    #[track_caller]
    pub fn event(&self, name: &str) -> Value {
        self.peer.event(name, self.object)
    }

    /// An event that has come already.
    #[track_caller]
    pub fn try_event(&self, name: &str) -> Option<Value> {
        self.peer.try_event(name, self.object)
    }

    /// It closed, or will soon, and says so once.
    #[track_caller]
    pub fn closes(&self) {
        assert_eq!(self.event("closing"), json!({}));
        assert_eq!(self.event("closed"), json!({}));
        assert_eq!((self.try_event("closing"), self.try_event("closed")), (None, None));
    }
}
