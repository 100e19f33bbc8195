//! One connection between two processes, and requests on its ends.

use hat_tests::peers::{self, Handle, Peer, PeerError, Pending};
use serde_json::{Value, json};

/// A layer of the line protocol. What a scenario does is the same in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    Chatter,
    Chatter05,
}

impl Layer {
    pub(crate) fn method(self, name: &str) -> String {
        match self {
            Self::Chatter => format!("chatter.{name}"),
            Self::Chatter05 => format!("chatter05.{name}"),
        }
    }

    /// Listens on a free port, with `more` parameters, and gives the response.
    #[track_caller]
    pub(crate) fn listen(self, peer: &Peer, more: Value) -> Value {
        let address = match self {
            Self::Chatter => json!({"addr": {"host": "127.0.0.1", "port": 0}}),
            Self::Chatter05 => json!({"address": "tcp+sbs://127.0.0.1:0"}),
        };
        peer.expect(&self.method("listen"), merged(address, more))
    }

    /// Parameters of connecting to the server that `listening` introduced.
    pub(crate) fn target(self, listening: &Value, more: Value) -> Value {
        let address = &listening["addresses"][0];
        let address = match self {
            Self::Chatter => json!({"addr": address}),
            Self::Chatter05 => json!({"address": address}),
        };
        merged(address, more)
    }

    /// Parameters that make a side ping after `seconds` of silence and wait as many for an answer.
    pub(crate) fn pings(self, seconds: f64) -> Value {
        match self {
            Self::Chatter => json!({"ping_delay": seconds, "ping_timeout": seconds}),
            Self::Chatter05 => json!({"ping_timeout": seconds}),
        }
    }
}

fn merged(mut one: Value, other: Value) -> Value {
    let more = other.as_object().cloned().unwrap_or_default();
    one.as_object_mut().expect("parameters are an object").extend(more);
    one
}

/// One end of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) object: Handle,
    layer: Layer,
}

/// A connection: its ends, and the server that accepted it.
pub(crate) struct Link<'a> {
    pub(crate) client: Side<'a>,
    pub(crate) accepted: Side<'a>,
    pub(crate) server: Handle,
}

impl<'a> Link<'a> {
    #[track_caller]
    pub(crate) fn new(layer: Layer, client: &'a Peer, server: &'a Peer) -> Self {
        Self::with(layer, client, json!({}), server, json!({}))
    }

    /// With more parameters of `connect` and `listen`.
    #[track_caller]
    pub(crate) fn with(
        layer: Layer,
        client_peer: &'a Peer,
        connect: Value,
        server_peer: &'a Peer,
        listen: Value,
    ) -> Self {
        let listening = layer.listen(server_peer, listen);
        let server = peers::handle(&listening["obj"]);
        let target = layer.target(&listening, connect);
        let connected = client_peer.expect(&layer.method("connect"), target);
        let accepted = server_peer.event("accepted", server);
        match layer {
            Layer::Chatter => {
                assert_eq!(connected["info"]["remote_addr"], listening["addresses"][0]);
                assert_eq!(connected["info"]["local_addr"], accepted["info"]["remote_addr"]);
            }
            Layer::Chatter05 => {
                assert_eq!(connected["info"]["remote_address"], listening["addresses"][0]);
                assert_eq!(connected["info"]["local_address"], accepted["info"]["remote_address"]);
            }
        }
        let side = |peer, handle| Side { peer, object: peers::handle(handle), layer };
        let client = side(client_peer, &connected["obj"]);
        Self { client, accepted: side(server_peer, &accepted["conn"]), server }
    }

    /// Both ends, each with the other one.
    pub(crate) fn both_ways(&self) -> [(Side<'a>, Side<'a>); 2] {
        [(self.client, self.accepted), (self.accepted, self.client)]
    }
}

/// How to send: a conversation of one message, if nothing else is said.
#[derive(Clone)]
pub(crate) struct How {
    pub(crate) conv: Value,
    pub(crate) last: bool,
    pub(crate) token: bool,
    pub(crate) timeout: Option<f64>,
}

pub(crate) const ONE: How = How { conv: Value::Null, last: true, token: true, timeout: None };

/// The start of a conversation in which the other side may answer.
pub(crate) const ASK: How = How { last: false, ..ONE };

impl<'a> Side<'a> {
    pub(crate) fn start(&self, method: &str) -> Pending<'a> {
        self.peer.start(&self.layer.method(method), json!({"obj": self.object}))
    }

    pub(crate) fn start_send(&self, data: &[u8], how: How) -> Pending<'a> {
        let How { conv, last, token, timeout } = how;
        let data = peers::to_base64(data);
        let mut params = json!({"obj": self.object, "type": "Test.Data", "data": data, "conv": conv, "last": last,
                                "token": token});
        if self.layer == Layer::Chatter05 {
            params["module"] = "Test".into();
            params["timeout"] = timeout.into();
        }
        self.peer.start(&self.layer.method("send"), params)
    }

    #[track_caller]
    pub(crate) fn send(&self, data: &[u8], how: How) -> Value {
        self.start_send(data, how).expect()
    }

    #[track_caller]
    pub(crate) fn try_receive(&self) -> Result<Value, PeerError> {
        self.start("receive").wait()
    }

    /// Receives a message that must hold `data`, and gives the rest of it.
    #[track_caller]
    pub(crate) fn receive(&self, data: &[u8]) -> Value {
        let message = self.start("receive").expect();
        let received = peers::from_base64(&message["data"]);
        assert!(received == data, "{} bytes, not the {} sent", received.len(), data.len());
        assert_eq!(message["type"], "Test.Data");
        if self.layer == Layer::Chatter05 {
            assert_eq!(message["module"], "Test");
        }
        message
    }

    #[track_caller]
    pub(crate) fn drain(&self) {
        self.start("drain").expect();
    }

    /// Starts to close.
    pub(crate) fn close(&self) -> Pending<'a> {
        self.peer.start("close", json!({"obj": self.object}))
    }

    #[track_caller]
    pub(crate) fn event(&self, name: &str) -> Value {
        self.peer.event(name, self.object)
    }

    #[track_caller]
    pub(crate) fn try_event(&self, name: &str) -> Option<Value> {
        self.peer.try_event(name, self.object)
    }

    /// It closed, or will soon, and says so once.
    #[track_caller]
    pub(crate) fn closes(&self) {
        assert_eq!(self.event("closing"), json!({}));
        assert_eq!(self.event("closed"), json!({}));
        assert_eq!((self.try_event("closing"), self.try_event("closed")), (None, None));
    }
}
