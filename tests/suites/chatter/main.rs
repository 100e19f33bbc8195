//! Chatter, machine against machine and against the bytes of the deployed peers.

mod conversations;
mod keepalive;
mod limits;
mod properties;
mod vectors;

use hat_core::chatter::{Config, Connection, Data, Dialect, Incoming, Message, PingRule};
use hat_core::time::Instant;
use hat_tests::pair::Pair;

/// A pair of connections of the default dialect, without pings.
fn pair(grain: usize) -> Pair<Connection, Connection> {
    pair_of(&quiet(), grain)
}

fn pair_of(config: &Config, grain: usize) -> Pair<Connection, Connection> {
    Pair::new(connection(config), connection(config), grain)
}

fn connection(config: &Config) -> Connection {
    Connection::new(config.clone(), Instant::ORIGIN)
}

fn quiet() -> Config {
    Config { ping: PingRule::Off, ..Config::new(Dialect::HatChatter) }
}

fn data(r#type: &'static str, bytes: &'static [u8]) -> Data {
    Data::new(r#type, bytes)
}

#[track_caller]
fn message(incoming: Incoming) -> Message {
    match incoming {
        Incoming::Message(message) => message,
        other => panic!("not a message: {other:?}"),
    }
}
