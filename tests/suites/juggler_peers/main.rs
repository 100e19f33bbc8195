//! Juggler against the deployed peers, in both generations and directions, on every runtime: what
//! is large, what breaks, and the client of browsers. The small conversations are those of the
//! testee's suite `interop`.
#![allow(missing_docs, reason = "tests")]

mod client;
mod node;
mod peers05;
mod server;
mod websocket;

use std::net::{Ipv4Addr, SocketAddr};

use hat_core::json::{Pointer, Value};
use hat_tests::peers::{self, ErrorKind, Handle, Peer};
use serde_json::json;

fn local() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn path(text: &str) -> Pointer {
    text.parse().expect("a pointer")
}

fn value(json: serde_json::Value) -> Value {
    Value::from(json)
}

/// A text of 10 MB, with characters of one to four bytes everywhere: some stand across the end of a
/// segment.
fn ten_megabytes() -> String {
    "až€😀".repeat(1_000_000)
}

/// A deployed server on a free port.
fn listen(layer: &str, peer: &Peer, mut params: serde_json::Value) -> (Handle, SocketAddr) {
    for _ in 0..5 {
        let address = peers::unused_addr();
        params["host"] = address.ip().to_string().into();
        params["port"] = address.port().into();
        match peer.request(&format!("{layer}.listen"), params.clone()) {
            Ok(listening) => return (peers::handle(&listening["obj"]), address),
            // another test took the port
            Err(error) => assert_eq!(error.kind, ErrorKind::Connection, "{error}"),
        }
    }
    panic!("no port is free");
}

/// Connects a deployed client.
fn connect(layer: &str, peer: &Peer, address: SocketAddr) -> Handle {
    let target = json!({"address": format!("ws://{address}/ws")});
    peer.open(&format!("{layer}.connect"), target)
}
