//! The async layer, once for every runtime.
//!
//! ```text
//!   application task            driver task (one a connection)               socket
//!   ────────────────            ──────────────────────────────               ──────
//!   handle.send() ──lock──> machine.tx ────────────write────────────────────────>
//!                           machine.poll <──────── rx <────read──────────────────
//!   handle.receive() <──lock── inbox <──┘            timer <── machine.deadline
//! ```
//!
//! - [`Runtime`] is what a runtime crate supplies: sockets, a timer, a clock, `spawn`.
//! - One driver, a task a connection, runs any machine on any runtime.
//! - A handle locks the machine and calls it directly, then wakes the driver. The lock is never
//!   held across an await, so refusals are the machine's own typed errors, at the place of the
//!   call. The answer to one message the handle writes itself, and the driver sleeps on.
//! - A task that sends waits while 256 KiB are queued, and a driver that read 64 KiB lets those who
//!   take it have their turn: what was written or read is still in the processor's cache then.
//! - [`tls`] (feature `tls`) stands between the driver and the socket, for every protocol alike.
//! - Handles are not generic over the runtime: [`chatter`], [`eventer`], [`observer`], [`tcp`],
//!   [`tpkt`], [`cotp`]; `juggler`, behind the HTTP of `web`, with the feature `web`.
//!
//! | feature | what |
//! |---|---|
//! | `websocket` | WebSocket's client, and both ends over a stream that there is |
//! | `juggler` | Juggler's client, and both ends of 0.5 over a WebSocket that there is |
//! | `web` | the HTTP front, and Juggler's servers behind it |
//! | `tls` | TLS under every protocol, by rustls; needs a C compiler |
//! | `serde` | `Serialize` and `Deserialize` for events and their parts, and for JSON values |
//! | `chrono`, `jiff`, `time` | conversions between timestamps and the types of these libraries |
//! | `tracing` | spans and events of connections |
//!
//! A runtime crate re-exports `connect` and `listen` of each protocol for its own runtime:
//! applications use `hat_tokio`, `hat_smol` or `hat_compio`, not this module.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod address;
mod buffer_pool;
#[cfg(test)]
mod by_hand;
pub mod chatter;
#[cfg(feature = "conformance")]
pub mod conformance;
mod connection_id;
pub mod cotp;
mod direct_write;
mod driver;
mod error;
mod establish;
pub mod eventer;
mod failures;
mod handle;
mod inbox;
mod io_stream;
#[cfg(feature = "juggler")]
pub mod juggler;
mod linger;
mod net;
pub mod observer;
mod panics;
mod pending;
mod read_buffer;
pub mod reconnect;
pub mod runtime;
mod runtime_macros;
pub mod server;
mod shared;
pub mod socket;
mod socket_options;
mod stream_parts;
pub mod tcp;
pub mod tls;
pub mod tpkt;
mod trace;
mod unix;
mod wakers;
#[cfg(feature = "web")]
pub mod web;
#[cfg(feature = "websocket")]
pub mod websocket;

#[doc(hidden)]
pub use bytes; // for `protocols_on!`
#[doc(hidden)]
pub use hat_core; // for `protocols_on!` and `web_on!`

pub use address::{Address, IntoAddress};
pub use connection_id::ConnectionId;
pub use error::{ConnectError, Error, ListenError};
pub use failures::HandshakeFailure;
pub use io_stream::IoStream;
pub use runtime::Runtime;
pub use socket_options::{Keepalive, SocketOptions};
pub use unix::UnixListener;
