//! The other side of a test: deployed software, driven through the line protocol `hat-testee/1`.
//!
//! A [`Peer`] is a process that takes requests as JSON lines and answers with responses, events and
//! callbacks. The real Python packages are put behind that protocol by the scripts in
//! `tests/peers/`, so a test drives them and this library's own testee with the same client:
//!
//! ```no_run
//! use hat_tests::peers::{self, Peer};
//! use serde_json::json;
//!
//! fn talks_to_a_deployed_server() {
//!     if peers::skipped("talks_to_a_deployed_server") {
//!         return;
//!     }
//!     let peer = Peer::today();
//!     let any = json!({"addr": {"host": "127.0.0.1", "port": 0}});
//!     let listening = peer.expect("chatter.listen", any);
//!     let server = peers::handle(&listening["obj"]);
//!     // … connect to listening["addresses"][0] with the library under test …
//!     let conn = peers::handle(&peer.event("accepted", server)["conn"]);
//!     let message = peer.start("chatter.receive", json!({"obj": conn}));
//!     // … send something with the library under test …
//!     assert_eq!(message.expect()["type"], "Some.Type");
//! }
//! ```
//!
//! Everything here blocks and uses threads of its own, so it serves tests of any async runtime; an
//! async test calls it from a thread where blocking is allowed. Nothing waits longer than
//! [`TIME_LIMIT`].
//!
//! The Python packages are installed once, into `target/peers/`; see [`Environment`]. Where that
//! cannot be done, [`skipped`] lets a test say so instead of failing.

pub mod browser;
pub mod chatter;
mod environment;
mod inbox;
pub(crate) mod install;
mod lines;
pub mod node;
pub mod package;
mod peer;

use std::{
    env,
    io::Write,
    net::{SocketAddr, TcpListener},
    sync::atomic::{AtomicU16, AtomicUsize, Ordering},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

pub use self::{
    environment::{Environment, SetupError, python_with, target_dir},
    inbox::{ErrorKind, PeerError, TIME_LIMIT},
    lines::Lines,
    peer::{Call, Peer, PendingCall},
};

/// How a peer names its servers, clients and connections.
pub type Handle = u64;

/// The variable that skips every test which needs deployed software, unless it is empty or `0`.
pub const WITHOUT_PEERS: &str = "HAT_TESTS_WITHOUT_PEERS";

/// The variable that makes each skip a failure, unless it is empty or `0`: CI sets it, so that no
/// test is left out there because something was not installed.
pub const REQUIRE_ALL: &str = "HAT_TESTS_REQUIRE_ALL";

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Whether a test has to be left out because [`WITHOUT_PEERS`] is set; says so in one line.
pub fn skipped(test_name: &str) -> bool {
    let skips = is_set(WITHOUT_PEERS);
    if skips {
        skip(test_name, &format!("{WITHOUT_PEERS} is set"));
    }
    skips
}

/// Says in one line that a test is left out, and why: what is not installed, and how to install it.
///
/// # Panics
///
/// Where [`REQUIRE_ALL`] is set.
#[track_caller]
pub fn skip(test_name: &str, reason: &str) {
    assert!(!is_set(REQUIRE_ALL), "{test_name} is left out, and {REQUIRE_ALL} is set: {reason}");
    SKIPPED.fetch_add(1, Ordering::Relaxed);
    // `eprintln!` of a test that passes is captured, and nobody would learn what was left out
    let line = format!("skipped: {test_name} ({reason})\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Whether a variable of the environment is set, to something other than nothing or `0`.
pub(crate) fn is_set(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0")
}

/// How many tests [`skipped`] and [`skip`] have left out in this process.
pub fn skipped_count() -> usize {
    SKIPPED.load(Ordering::Relaxed)
}

/// The handle in a response or an event, such as `&response["obj"]`.
///
/// # Panics
///
/// Where the value is no handle.
#[track_caller]
pub fn handle(value: &Value) -> Handle {
    value.as_u64().unwrap_or_else(|| panic!("{value} is not a handle"))
}

/// Bytes as the line protocol writes them.
pub fn to_base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// The bytes in a response or an event, such as `&message["data"]`.
///
/// # Panics
///
/// Where the value is no base64 text.
#[track_caller]
pub fn from_base64(value: &Value) -> Vec<u8> {
    value
        .as_str()
        .and_then(|text| BASE64_STANDARD.decode(text).ok())
        .unwrap_or_else(|| panic!("{value} is not base64 text"))
}

/// An address as the line protocol writes it.
pub fn to_addr(addr: SocketAddr) -> Value {
    json!({"host": addr.ip().to_string(), "port": addr.port()})
}

/// The address in a response, such as `&response["addresses"][0]`.
///
/// # Panics
///
/// Where the value is no address.
#[track_caller]
pub fn from_addr(value: &Value) -> SocketAddr {
    let addr = || {
        let host = value["host"].as_str()?.parse().ok()?;
        let port = value["port"].as_u64()?.try_into().ok()?;
        Some(SocketAddr::new(host, port))
    };
    addr().unwrap_or_else(|| panic!("{value} is not an address"))
}

/// A loopback address that nobody listens on, for servers that do not tell which port they got
/// (`eventer`) or come back to the one they had. It is below the ports that Linux gives to who asks
/// for any, so that nobody is given it before the server takes it.
///
/// # Panics
///
/// Where there is no free port.
pub fn unused_addr() -> SocketAddr {
    const PORTS: std::ops::Range<u16> = 20_000..32_000;
    static TAKEN: AtomicU16 = AtomicU16::new(0);

    // tests run in many processes at once: each begins elsewhere
    let first = std::process::id().wrapping_mul(97) % PORTS.len() as u32;
    for _ in PORTS {
        let next = first + u32::from(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + (next % PORTS.len() as u32) as u16;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port of {PORTS:?} is free on the loopback interface")
}
