//! A server in one process and its clients in another.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use hat_tests::peers::{self, Call, ErrorKind, Handle, Peer, PeerError, PendingCall};
use serde_json::{Value, json};

/// An object of the layer: a server, or a client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) object: Handle,
}

impl<'a> Side<'a> {
    /// Starts a request of the layer.
    pub(crate) fn start(&self, method: &str, params: Value) -> PendingCall<'a> {
        let params = with(json!({"obj": self.object}), params);
        self.peer.start(&format!("eventer.{method}"), params)
    }

    #[track_caller]
    pub(crate) fn expect(&self, method: &str, params: Value) -> Value {
        self.start(method, params).expect()
    }

    /// The next callback, which must be of that name.
    #[track_caller]
    pub(crate) fn call(&self, name: &str) -> Call<'a> {
        let call = self.peer.call();
        assert_eq!((call.method.as_str(), call.object), (name, self.object), "{}", call.params);
        call
    }

    #[track_caller]
    pub(crate) fn close(&self) {
        self.peer.expect("close", json!({"obj": self.object}));
    }

    /// It closed, or will soon, and says so once.
    #[track_caller]
    pub(crate) fn closes(&self) {
        for name in ["closing", "closed"] {
            assert_eq!(self.peer.event(name, self.object), json!({}));
            assert_eq!(self.peer.try_event(name, self.object), None);
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
    pub(crate) fn listen(peer: &'a Peer, more: &Value) -> Self {
        for _ in 0..5 {
            let addr = peers::unused_addr();
            let params = with(json!({"addr": peers::to_addr(addr)}), more.clone());
            match peer.request("eventer.listen", params) {
                Ok(ok) => {
                    let side = Side { peer, object: peers::handle(&ok["obj"]) };
                    return Self { side, addr };
                }
                Err(error) => assert_eq!(error.kind, ErrorKind::Connection, "{error}"),
            }
        }
        panic!("no port is free");
    }

    /// Starts to connect a client to it.
    pub(crate) fn start_connect(&self, peer: &'a Peer, more: Value) -> PendingClient<'a> {
        let params = json!({"addr": peers::to_addr(self.addr), "client_name": "client"});
        PendingClient { peer, connected: peer.start("eventer.connect", with(params, more)) }
    }

    #[track_caller]
    pub(crate) fn connect(&self, peer: &'a Peer, more: Value) -> Side<'a> {
        self.start_connect(peer, more).expect().0
    }

    /// Clients, as the server sees them.
    #[track_caller]
    pub(crate) fn infos(&self) -> Value {
        self.side.expect("conn_infos", json!({}))
    }

    /// The server forgets its clients, or will soon: it learns of their end by itself, whatever
    /// else has told of it.
    #[track_caller]
    pub(crate) fn forgets_all(&self) {
        let start = Instant::now();
        while self.infos() != json!([]) {
            assert!(start.elapsed() < peers::TIME_LIMIT, "still there: {}", self.infos());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A client that is not there yet.
#[must_use]
pub(crate) struct PendingClient<'a> {
    peer: &'a Peer,
    connected: PendingCall<'a>,
}

impl<'a> PendingClient<'a> {
    /// The client, and the status that it was told.
    #[track_caller]
    pub(crate) fn expect(self) -> (Side<'a>, Value) {
        let mut ok = self.connected.expect();
        (Side { peer: self.peer, object: peers::handle(&ok["obj"]) }, ok["status"].take())
    }

    #[track_caller]
    pub(crate) fn refused(self) -> PeerError {
        self.connected.wait().expect_err("the client is not taken")
    }
}

/// A server with these parameters, and one client of it.
#[track_caller]
pub(crate) fn link<'a>(
    client: &'a Peer,
    connect: Value,
    server: &'a Peer,
    listen: &Value,
) -> (Side<'a>, Host<'a>) {
    let host = Host::listen(server, listen);
    (host.connect(client, connect), host)
}

fn with(mut params: Value, more: Value) -> Value {
    if let (Value::Object(params), Value::Object(more)) = (&mut params, more) {
        params.extend(more);
    }
    params
}

/// A registered event.
pub(crate) fn event(id: [i64; 3], event_type: &[&str], payload: Value) -> Value {
    json!({"id": id, "type": event_type, "timestamp": [100, 5], "source_timestamp": null, "payload": payload})
}

/// An event to register.
pub(crate) fn to_register(event_type: &[&str], payload: Value) -> Value {
    json!({"type": event_type, "source_timestamp": null, "payload": payload})
}

/// What a server makes of events to register.
pub(crate) fn registered(events: &Value, session: i64) -> Value {
    let register = |(instance, event): (i64, &Value)| {
        with(event.clone(), json!({"id": [1, session, instance], "timestamp": [session, 999_999]}))
    };
    (1..).zip(events.as_array().into_iter().flatten()).map(register).collect()
}
