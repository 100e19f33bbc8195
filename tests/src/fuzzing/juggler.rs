//! The input's bytes are the texts of WebSocket messages with 0xFF between them, which no text has;
//! so a fuzzer need not get frames and masks right first. What is no UTF-8 is sent too.

use hat_core::json::{Limits, Value};
use hat_core::juggler::client::{self, Client};
use hat_core::juggler::{Config, SendFault, peer, rpc, server};
use hat_core::time::Instant;
use hat_core::ws::{self, Role};

use super::feed::{Arrival, any_bytes};
use crate::websocket::{FIN, TEXT, frame, other};

/// Small, so that inputs reach it.
const MAX_MESSAGE: usize = 500;

const LIMITS: Limits = Limits::new(20, 20_000);

/// Texts from a server, to a client of 0.7 that has two requests open.
pub(super) fn client(input: &[u8]) {
    let config =
        client::Config { transport: transport(), max_requests: 2, ..client::Config::default() };
    let make = || {
        let mut client = Client::new(websocket(Role::Client), config.clone());
        for name in ["a", ""] {
            client.request(name, &Value::Null).expect("open");
        }
        client
    };
    feed(input, Role::Client, |arrival, bytes| {
        any_bytes(arrival, bytes, MOST, make, |client, _| {
            assert!(client.state().size() <= LIMITS.size);
        });
    });
}

/// Texts from a client, to a server of 0.7 that answers everything, fails what is called `fail`,
/// and leaves `wait` open.
pub(super) fn server(input: &[u8]) {
    feed(input, Role::Server, |arrival, bytes| {
        let config = server::Config {
            transport: transport(),
            parallel_requests: arrival.option(0),
            max_requests: 3,
            ..Default::default()
        };
        let make = || {
            let mut server = server::Connection::new(websocket(Role::Server), config.clone());
            server.change(|state| state.replace("state")).expect("small");
            server
        };
        any_bytes(arrival, bytes, MOST, make, |server, incoming| {
            if let server::Incoming::Request { request, name, data, .. } = incoming {
                assert!(!name.is_empty());
                let result = if name == "fail" { Err(data) } else { Ok(data) };
                if name != "wait" {
                    server.respond(*request, result).expect("it is open");
                    assert_eq!(server.respond(*request, Ok(data)), Err(SendFault::NotAsked));
                }
            }
        });
    });
}

/// Texts to a peer of 0.5 that has two calls open and answers those of the other side.
pub(super) fn peer(input: &[u8]) {
    feed(input, Role::Client, |arrival, bytes| {
        let make = || {
            let peer = peer::Config { limits: LIMITS, ..Default::default() };
            let config = rpc::Config { peer, ..Default::default() };
            let mut peer = rpc::Connection::new(websocket(Role::Client), config);
            for action in ["a", "b"] {
                peer.call(action, &[]).expect("open");
            }
            peer
        };
        any_bytes(arrival, bytes, MOST, make, |peer, incoming| match incoming {
            rpc::Incoming::Call { request, action, .. } if action == "a" => {
                peer.respond(*request, Ok(&Value::Null)).expect("it is open");
            }
            rpc::Incoming::Call { request, .. } => {
                peer.refuse_action(*request).expect("it is open");
            }
            _ => assert!(peer.peer().remote_data().size() <= LIMITS.size),
        });
    });
}

/// The most that a frame asks for: its head, and a message.
const MOST: usize = 14 + MAX_MESSAGE;

fn feed(input: &[u8], to: Role, run: impl FnOnce(Arrival, &[u8])) {
    let Some((arrival, texts)) = Arrival::split(input) else { return };
    let texts = texts.split(|&byte| byte == 0xff);
    let frames = texts.map(|text| frame(other(to), FIN | TEXT, text));
    run(arrival, &frames.collect::<Vec<_>>().concat());
}

fn websocket(role: Role) -> ws::Connection {
    let config =
        ws::Config { max_frame: MAX_MESSAGE, max_message: MAX_MESSAGE, ..Default::default() };
    ws::Connection::established(role, config, Instant::ORIGIN)
}

fn transport() -> Config {
    Config { max_segment_size: 20, max_message: MAX_MESSAGE, limits: LIMITS, ..Default::default() }
}
