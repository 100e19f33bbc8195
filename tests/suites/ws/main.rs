//! WebSocket, machine against machine, against the bytes of RFC 6455, and against tungstenite.

mod closing;
mod handshake;
mod limits;
mod messages;
mod oracle;
mod pings;
mod properties;
mod refusals;
mod rfc;
mod tungstenite_peers;

use bytestring::ByteString;
use hat_core::time::Instant;
use hat_core::ws::{Config, Connection, Incoming, Role};
use hat_tests::pair::Pair;
use hat_tests::websocket::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Read, TEXT, frame, other, read,
};

fn connection(role: Role, config: &Config) -> Connection {
    Connection::established(role, config.clone(), Instant::ORIGIN)
}

/// A client and a server behind their handshake.
fn pair(grain: usize) -> Pair<Connection, Connection> {
    let of = |role| connection(role, &Config::default());
    Pair::new(of(Role::Client), of(Role::Server), grain)
}

/// What a new connection behind its handshake makes of a stream.
fn read_as(role: Role, stream: &[u8], grain: usize) -> Read {
    read(&mut connection(role, &Config::default()), stream, grain)
}

fn text(text: &'static str) -> Incoming {
    Incoming::Text(ByteString::from_static(text))
}

fn binary(data: &[u8]) -> Incoming {
    Incoming::Binary(data.to_vec().into())
}

fn closed(code: impl Into<Option<u16>>, reason: &'static str) -> Incoming {
    Incoming::Closed { code: code.into(), reason: reason.into() }
}
