//! A server in one process and its client in another, in either generation.

use std::net::SocketAddr;

use hat_tests::peers::{self, Call, ErrorKind, Handle, Peer, PendingCall};
use serde_json::{Value, json};

/// An object: a server, a client, or a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) object: Handle,
    pub(crate) layer: &'static str,
}

impl<'a> Side<'a> {
    /// Starts a request of the layer.
    pub(crate) fn start(&self, method: &str, params: Value) -> PendingCall<'a> {
        let params = with(json!({"obj": self.object}), params);
        self.peer.start(&format!("{}.{method}", self.layer), params)
    }

    #[track_caller]
    pub(crate) fn expect(&self, method: &str, params: Value) -> Value {
        self.start(method, params).expect()
    }

    #[track_caller]
    pub(crate) fn event(&self, name: &str) -> Value {
        self.peer.event(name, self.object)
    }

    pub(crate) fn try_event(&self, name: &str) -> Option<Value> {
        self.peer.try_event(name, self.object)
    }

    /// The next callback of that name.
    #[track_caller]
    pub(crate) fn call(&self, name: &str) -> Call<'a> {
        self.peer.call_of(name, self.object)
    }

    #[track_caller]
    pub(crate) fn close(&self) {
        self.peer.expect("close", json!({"obj": self.object}));
    }

    /// It closed, or will soon, and says so once.
    #[track_caller]
    pub(crate) fn closes(&self) {
        for name in ["closing", "closed"] {
            assert_eq!(self.event(name), json!({}));
            assert_eq!(self.try_event(name), None);
        }
    }

    /// Waits until an event `name` has these data: who is slow may miss some that came before.
    #[track_caller]
    pub(crate) fn until(&self, name: &str, data: &Value) {
        loop {
            let told = self.event(name);
            if told["data"] == *data {
                return;
            }
        }
    }
}

/// A server, and where it listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host<'a> {
    pub(crate) side: Side<'a>,
    addr: SocketAddr,
}

impl<'a> Host<'a> {
    /// Listens on a free port, which another test may have taken by then: then on the next.
    #[track_caller]
    pub(crate) fn listen(layer: &'static str, peer: &'a Peer, more: &Value) -> Self {
        for _ in 0..5 {
            let addr = peers::unused_addr();
            let place = json!({"host": addr.ip().to_string(), "port": addr.port()});
            match peer.request(&format!("{layer}.listen"), with(place, more.clone())) {
                Ok(ok) => {
                    let side = Side { peer, object: peers::handle(&ok["obj"]), layer };
                    return Self { side, addr };
                }
                Err(error) => assert_eq!(error.kind, ErrorKind::Connection, "{error}"),
            }
        }
        panic!("no port is free");
    }

    /// Starts to connect to it.
    pub(crate) fn start_connect<'b>(&self, peer: &'b Peer, more: Value) -> PendingCall<'b> {
        let target = json!({"address": format!("ws://{}/ws", self.addr)});
        peer.start(&format!("{}.connect", self.side.layer), with(target, more))
    }

    /// Connects to it, and gives both ends.
    #[track_caller]
    pub(crate) fn connect<'b>(&self, peer: &'b Peer, more: Value) -> (Side<'b>, Side<'a>) {
        let connected = self.start_connect(peer, more).expect();
        let accepted = self.side.event("accepted");
        if self.side.layer == "juggler" {
            assert_eq!(accepted["remote"], "127.0.0.1");
        }
        let layer = self.side.layer;
        let client = Side { peer, object: peers::handle(&connected["obj"]), layer };
        let conn = Side { object: peers::handle(&accepted["conn"]), ..self.side };
        (client, conn)
    }
}

pub(crate) fn with(mut params: Value, more: Value) -> Value {
    let params_object = params.as_object_mut().expect("parameters are an object");
    params_object.extend(more.as_object().cloned().unwrap_or_default());
    params
}
