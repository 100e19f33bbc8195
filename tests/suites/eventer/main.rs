//! Eventer, a client's machine against a server's, and each against bytes.

mod catching_up;
mod closing;
mod init;
mod limits;
mod notifications;
mod properties;
mod refusals;
mod requests;
mod session;
mod shared;
mod vectors;

use hat_tests::eventer::*;

fn pair(grain: usize) -> Pair {
    pair_of(client_config(), server_config(), &init(&["*"]), grain)
}

/// A pair whose client was accepted by an operational server; nothing else has happened.
fn ready(grain: usize) -> Pair {
    ready_of(client_config(), server_config(), &init(&["*"]), grain)
}

/// Feeds the client in pieces of `grain` bytes.
fn to_client(pair: &mut Pair, bytes: &[u8], grain: usize) {
    for chunk in bytes.chunks(grain.min(bytes.len())) {
        pair.a.feed(chunk, pair.now);
    }
}

/// Feeds the server in pieces of `grain` bytes.
fn to_server(pair: &mut Pair, bytes: &[u8], grain: usize) {
    for chunk in bytes.chunks(grain.min(bytes.len())) {
        pair.b.feed(chunk, pair.now);
    }
}
