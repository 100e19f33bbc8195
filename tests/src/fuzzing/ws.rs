use hat_core::time::Instant;
use hat_core::ws::{Config, Connection, Incoming, Request, Response, Role, SendError};

use super::feed::{Arrival, any_bytes};
use crate::websocket::oracle;

/// Small, so that inputs reach it.
const MAX_MESSAGE: usize = 500;

/// The largest head of a handshake.
const MAX_HANDSHAKE: usize = 1000;

/// Bytes from a peer, to a client or a server, with or without the handshake. The application
/// echoes.
pub(super) fn bytes(input: &[u8]) {
    let Some((arrival, bytes)) = Arrival::split(input) else { return };
    let on = |bit| arrival.option(bit);
    let config = Config {
        max_frame: if on(2) { 100 } else { MAX_MESSAGE },
        max_message: MAX_MESSAGE,
        max_handshake: MAX_HANDSHAKE,
        max_headers: 10,
        ..Config::default()
    };
    let make = || match (on(0), on(1)) {
        (true, true) => {
            let request = Request { subprotocols: vec!["a".into()], ..Request::new("a", "/") };
            Connection::connect(config.clone(), request, Instant::ORIGIN).expect("it can be sent")
        }
        (true, false) => Connection::accept(config.clone(), Instant::ORIGIN),
        (false, true) => Connection::established(Role::Client, config.clone(), Instant::ORIGIN),
        (false, false) => Connection::established(Role::Server, config.clone(), Instant::ORIGIN),
    };
    any_bytes(arrival, bytes, MAX_HANDSHAKE + 1, make, |machine, incoming| {
        let sent = match incoming {
            Incoming::Request(_) if on(3) => {
                machine.refuse(401, &[], "Who are you?").expect("it waits");
                Ok(())
            }
            Incoming::Request(request) => {
                let subprotocol = request.subprotocols.first().cloned();
                let response = Response { subprotocol, ..Response::default() };
                machine
                    .confirm(&response)
                    .or_else(|_| machine.confirm(&Response::default()))
                    .expect("it waits");
                Ok(())
            }
            Incoming::Text(text) => {
                assert!(text.len() <= MAX_MESSAGE);
                machine.send_text(text)
            }
            Incoming::Binary(data) if data.len() < 3 => machine.close_with(1001, "enough"),
            Incoming::Binary(data) => {
                assert!(data.len() <= MAX_MESSAGE);
                machine.send_binary(data)
            }
            _ => Ok(()),
        };
        assert!(matches!(sent, Ok(()) | Err(SendError::Closed)), "{sent:?}");
    });
}

/// Bytes behind a handshake, to us and to tungstenite.
pub(super) fn oracle(input: &[u8]) {
    let Some((&role, bytes)) = input.split_first() else { return };
    oracle::compare(if role & 1 == 0 { Role::Server } else { Role::Client }, bytes);
}
