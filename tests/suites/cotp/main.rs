//! TPKT and COTP, machine against machine and against the bytes of deployed peers.

mod captures;
mod handshake;
mod inputs;
mod properties;
mod sessions;
mod states;
mod tpkt;
mod transfer;
mod vectors;

use bytes::Bytes;
use hat_core::cotp::{Config, Connection, Incoming, Info, Policy};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_tests::pair::{Pair, Side};

/// A caller and a called that are not connected yet.
fn pair_of(caller: Config, called: Config, grain: usize) -> Pair<Connection, Connection> {
    Pair::new(connect(caller), accept(called), grain)
}

/// A caller and a called that have just connected.
fn connected(caller: Config, called: Config, grain: usize) -> Pair<Connection, Connection> {
    let mut pair = pair_of(caller, called, grain);
    pair.drive();
    // unusual sizes are reported
    let reported = |it: &Incoming| matches!(it, Incoming::Diagnostic(_));
    pair.a.incoming.retain(|incoming| !reported(incoming));
    pair.b.incoming.retain(|incoming| !reported(incoming));
    info(pair.a.take());
    info(pair.b.take());
    pair
}

/// One machine alone.
fn alone(machine: Connection) -> Pair<Connection, Connection> {
    Pair::new(machine, accept(Config::default()), usize::MAX)
}

fn connect(config: Config) -> Connection {
    Connection::connect(config, Instant::ORIGIN).expect("a configuration that fits")
}

fn accept(config: Config) -> Connection {
    Connection::accept(config, Instant::ORIGIN).expect("a configuration that fits")
}

fn strict() -> Config {
    Config { policy: Policy::Strict, ..Config::default() }
}

#[track_caller]
fn info(incoming: Incoming) -> Info {
    match incoming {
        Incoming::Connected(info) => *info,
        other => panic!("not connected: {other:?}"),
    }
}

#[track_caller]
fn data(incoming: Incoming) -> Bytes {
    match incoming {
        Incoming::Data { data, end: true } => data,
        other => panic!("not a whole message: {other:?}"),
    }
}

/// Feeds bytes `grain` at a time.
fn feed<P: Protocol>(side: &mut Side<P>, bytes: &[u8], grain: usize) {
    side.feed(&[], Instant::ORIGIN);
    for chunk in bytes.chunks(grain.min(bytes.len().max(1))) {
        side.feed(chunk, Instant::ORIGIN);
    }
}

/// The stream ends.
fn end<P: Protocol>(side: &mut Side<P>) {
    side.rx.eof = true;
    side.feed(&[], Instant::ORIGIN);
}

/// The bytes of hexadecimal digits, which may stand in groups.
fn octets(digits: &str) -> Vec<u8> {
    let digits: Vec<_> = digits.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
