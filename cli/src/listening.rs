//! Where a command listens, as it says it.

use std::net::SocketAddr;

use hat_aio::Address;

use crate::exit;

/// Says it on standard error, a line for each address.
pub(crate) fn say(at: &Address, addresses: &[SocketAddr]) {
    for place in places(at, addresses) {
        exit::say(&format!("listening on {place}"));
    }
}

/// Where something listens that was to listen on `at`: the addresses that its host and port became,
/// or the Unix socket.
pub(crate) fn places(at: &Address, addresses: &[SocketAddr]) -> Vec<String> {
    match at.unix_path() {
        Some(_) => vec![at.to_string()],
        None => addresses.iter().map(ToString::to_string).collect(),
    }
}
