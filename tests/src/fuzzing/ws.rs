use bytes::{Buf, Bytes};
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{Config, Connection, Deflate, Incoming, Request, Response, Role, SendError};

use super::feed::{Arrival, any_bytes};
use crate::websocket::{BINARY, CONTINUATION, FIN, PING, RSV1, TEXT, frame, oracle, other};

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

/// Frames behind a handshake that agreed on compression, most of them said to be compressed: the
/// application echoes. An input is chunks of a head, a length and so many bytes. And what the
/// chunks have is sent compressed, and is the same at the other end.
pub(super) fn deflate(input: &[u8]) {
    let Some((arrival, bytes)) = Arrival::split(input) else { return };
    let on = |bit| arrival.option(bit);
    let role = if on(0) { Role::Client } else { Role::Server };
    let deflate = Deflate { level: 1 + arrival.options % 10, min_size: 1, context_takeover: on(1) };
    let config = Config { max_message: MAX_MESSAGE, deflate: Some(deflate), ..Config::default() };
    let chunks = chunks(bytes);
    let wire: Vec<u8> = chunks
        .iter()
        .flat_map(|&(head, chunk)| {
            let opcode = [TEXT, BINARY, CONTINUATION, PING][usize::from(head & 3)];
            let fin = if head & 4 == 0 { FIN } else { 0 };
            let compressed = if head & 8 == 0 { RSV1 } else { 0 };
            frame(other(role), fin | compressed | opcode, chunk)
        })
        .collect();
    let make = || {
        let (client, server) = agreed(&config);
        if role == Role::Client { client } else { server }
    };
    any_bytes(arrival, &wire, MAX_HANDSHAKE + 1, make, |machine, incoming| {
        let sent = match incoming {
            Incoming::Text(text) => {
                assert!(text.len() <= MAX_MESSAGE);
                machine.send_text(text)
            }
            Incoming::Binary(data) => {
                assert!(data.len() <= MAX_MESSAGE);
                machine.send_binary(data)
            }
            _ => Ok(()),
        };
        assert!(matches!(sent, Ok(()) | Err(SendError::Closed)), "{sent:?}");
    });

    let (mut client, mut server) = agreed(&config);
    let mut rx = RecvBuf::new();
    for (_, chunk) in chunks {
        let data = Bytes::copy_from_slice(chunk);
        client.send_binary(&data).expect("it is small");
        rx.feed(&written(&mut client));
        assert_eq!(polled(&mut server, &mut rx), Incoming::Binary(data));
    }
}

/// A client and a server that agreed on what `config` says.
fn agreed(config: &Config) -> (Connection, Connection) {
    let request = Request::new("a", "/");
    let client = Connection::connect(config.clone(), request, Instant::ORIGIN);
    let mut client = client.expect("it can be sent");
    let mut server = Connection::accept(config.clone(), Instant::ORIGIN);
    let mut rx = RecvBuf::new();
    rx.feed(&written(&mut client));
    assert!(matches!(polled(&mut server, &mut rx), Incoming::Request(_)));
    server.confirm(&Response::default()).expect("it waits");
    rx.feed(&written(&mut server));
    assert!(matches!(polled(&mut client, &mut rx), Incoming::Open(_)));
    (client, server)
}

fn written(from: &mut Connection) -> Bytes {
    let count = from.queued();
    from.tx().copy_to_bytes(count)
}

fn polled(to: &mut Connection, rx: &mut RecvBuf) -> Incoming {
    match to.poll(rx, Instant::ORIGIN).expect("nothing is wrong with it") {
        Polled::Incoming(incoming) => incoming,
        wait => panic!("it is all there: {wait:?}"),
    }
}

/// The heads and the bytes of chunks; the last may be short.
fn chunks(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut chunks = Vec::new();
    while let Some((&[head, size], rest)) = bytes.split_first_chunk::<2>() {
        let (chunk, rest) = rest.split_at(rest.len().min(size.into()));
        chunks.push((head, chunk));
        bytes = rest;
    }
    chunks
}
