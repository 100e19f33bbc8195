//! What the fuzzers run, and the tests too: a body for each target, that takes any bytes and must
//! come to no panic.
//!
//! ```text
//! fuzz/fuzz_targets/NAME.rs ──┐
//! fuzz/regressions/NAME/* ────┼──> TARGETS: NAME ──> body(bytes)
//! seeds from the vectors ─────┘
//! ```
//!
//! - `*_bytes`: what a hostile peer may send. A machine is fed the bytes in pieces, with time
//!   passing between them, and is held to the contract of
//!   [`Protocol`](hat_core::protocol::Protocol) after every poll; where no time passes it must make
//!   the same of any split.
//! - `*_calls`: what an application may call. Two machines talk to each other, calls come in any
//!   order, and a model knows what must come of them.
//! - the others: parsers and codecs, against themselves or against another implementation.

mod chatter;
mod cotp;
mod eventer;
pub mod eventer_model;
mod feed;
mod gathering;
mod json;
mod juggler;
mod sbs;
pub mod seeds;
mod ws;

use hat_aio::web::fuzzing as web;

/// A body and what it is called.
#[derive(Debug)]
pub struct Target {
    /// The name: of its file in `fuzz/fuzz_targets/`, of its folders of inputs, and in reports.
    pub name: &'static str,
    /// Runs one input.
    ///
    /// # Panics
    ///
    /// Where a bug shows.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "sbs_codec", run: sbs::codec },
    Target { name: "sbs_schema", run: sbs::schema },
    Target { name: "chatter_bytes", run: chatter::bytes },
    Target { name: "chatter_calls", run: chatter::calls },
    Target { name: "eventer_client_bytes", run: eventer::client_bytes },
    Target { name: "eventer_server_bytes", run: eventer::server_bytes },
    Target { name: "eventer_calls", run: eventer_model::calls },
    Target { name: "subscription", run: eventer::subscription },
    Target { name: "tpkt_bytes", run: cotp::tpkt_bytes },
    Target { name: "cotp_bytes", run: cotp::bytes },
    Target { name: "cotp_calls", run: cotp::calls },
    Target { name: "ws_bytes", run: ws::bytes },
    Target { name: "ws_oracle", run: ws::oracle },
    Target { name: "ws_deflate", run: ws::deflate },
    Target { name: "json_text", run: json::text },
    Target { name: "json_patch", run: json::patch },
    Target { name: "juggler_client_bytes", run: juggler::client },
    Target { name: "juggler_server_bytes", run: juggler::server },
    Target { name: "juggler_peer_bytes", run: juggler::peer },
    Target { name: "juggler_state", run: json::state },
    Target { name: "http_request", run: web::request },
    Target { name: "htpasswd", run: web::htpasswd },
];

/// Runs one input of the target `name`.
///
/// # Panics
///
/// Where a bug shows, or if there is no such target.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no target `{name}`")).run)(input);
}
