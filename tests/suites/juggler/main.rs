//! Juggler, both generations: machines against each other, and each against texts over a WebSocket.

mod conversations;
mod endings;
mod hostile;
mod limits;
mod peers;
mod properties;
mod requests;
mod rpc;
mod segments;
mod states;
mod timing;
mod vectors05;
mod vectors07;

use hat_core::json::{Limits, Value};
use hat_core::juggler::client::{self, Client};
use hat_core::juggler::{self, PingRule, peer, server};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{self, Role};
use hat_tests::pair::{Pair, Side};

/// A client and a server of 0.7.
type Both = Pair<Client, server::Connection>;

/// Texts against a server of 0.7.
type ToServer = Pair<ws::Connection, server::Connection>;

/// Texts against a client of 0.7.
type ToClient = Pair<ws::Connection, Client>;

/// Two peers of 0.5.
type Peers = Pair<peer::Connection, peer::Connection>;

/// Texts against a peer of 0.5.
type ToPeer = Pair<ws::Connection, peer::Connection>;

/// A WebSocket whose handshake is done.
fn websocket(role: Role) -> ws::Connection {
    websocket_of(role, ws::Config::default())
}

fn websocket_of(role: Role, config: ws::Config) -> ws::Connection {
    ws::Connection::established(role, config, Instant::ORIGIN)
}

/// Without pings: nothing moves but what a test asks for.
fn quiet() -> juggler::Config {
    juggler::Config { ping: PingRule::Off, ..juggler::Config::default() }
}

fn client_config() -> client::Config {
    client::Config { transport: quiet(), ..client::Config::default() }
}

fn server_config() -> server::Config {
    server::Config { transport: quiet(), ..server::Config::default() }
}

fn client(config: client::Config) -> Client {
    Client::new(websocket(Role::Client), config)
}

fn server(config: server::Config) -> server::Connection {
    server::Connection::new(websocket(Role::Server), config)
}

fn both(grain: usize) -> Both {
    both_of(client_config(), server_config(), grain)
}

fn both_of(ours: client::Config, theirs: server::Config, grain: usize) -> Both {
    Pair::new(client(ours), server(theirs), grain)
}

fn to_server(config: server::Config, grain: usize) -> ToServer {
    Pair::new(websocket(Role::Client), server(config), grain)
}

fn to_client(config: client::Config, grain: usize) -> ToClient {
    Pair::new(websocket(Role::Server), client(config), grain)
}

fn to_peer(config: peer::Config, grain: usize) -> ToPeer {
    Pair::new(
        websocket(Role::Client),
        peer::Connection::new(websocket(Role::Server), config),
        grain,
    )
}

/// Sends texts, one message each.
fn say<P: Protocol>(pair: &mut Pair<ws::Connection, P>, texts: &[&str]) {
    for text in texts {
        pair.a.machine.send_text(&(*text).into()).expect("room");
    }
    pair.drive();
}

/// The texts that came, in order; nothing else may have come but the Close.
fn texts(side: &mut Side<ws::Connection>) -> Vec<String> {
    let text = |incoming| match incoming {
        ws::Incoming::Text(text) => Some(text.to_string()),
        ws::Incoming::Closed { .. } => None,
        other => panic!("not a text: {other:?}"),
    };
    side.incoming.drain(..).filter_map(text).collect()
}

/// The code and the reason of the Close that came last.
fn close_of(side: &Side<ws::Connection>) -> (u16, String) {
    match side.incoming.back() {
        Some(ws::Incoming::Closed { code: Some(code), reason }) => (*code, reason.to_string()),
        other => panic!("not a Close: {other:?}"),
    }
}

/// The value of a text.
fn json(text: &str) -> Value {
    Value::parse(text, &Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The value of a part of a vector.
fn of(value: &serde_json::Value) -> Value {
    value.clone().into()
}

/// The messages whose segments `texts` are, as JSON.
fn joined(texts: &[String]) -> Vec<Value> {
    let (mut messages, mut open) = (Vec::new(), String::new());
    for text in texts {
        open.push_str(&text[1..]);
        match &text[..1] {
            "0" => messages.push(json(&std::mem::take(&mut open))),
            "1" => {}
            other => panic!("a segment of type {other}"),
        }
    }
    assert!(open.is_empty(), "the last segment is missing");
    messages
}

#[track_caller]
fn asked(incoming: server::Incoming) -> (server::RequestId, String, Value) {
    match incoming {
        server::Incoming::Request { request, name, data, .. } => (request, name.to_string(), data),
        other => panic!("not a request: {other:?}"),
    }
}

#[track_caller]
fn answered(incoming: client::Incoming) -> (client::RequestId, Result<Value, Value>) {
    match incoming {
        client::Incoming::Response { request, result, .. } => (request, result),
        other => panic!("not a response: {other:?}"),
    }
}

#[track_caller]
fn notified(incoming: client::Incoming) -> (String, Value) {
    match incoming {
        client::Incoming::Notify { name, data, .. } => (name.to_string(), data),
        other => panic!("not a notification: {other:?}"),
    }
}
