//! Juggler on any runtime: 0.7, the server behind its web server and the client; 0.5, in [`peer`].
//! See [`hat_core::juggler`] for the protocol.
//!
//! ```text
//! SharedState ──change──> flush, after its delay ──> every connection that follows it
//! Handler     <──request── Connection <── WebSocket <── web server
//!                notify ─────> Connection ─────────> Client ── state, changed, send, notifications
//! ```

mod changes;
mod client;
mod connect;
#[cfg(feature = "web")]
mod connection;
#[cfg(feature = "web")]
mod handler;
pub mod peer;
#[cfg(feature = "web")]
mod server;
#[cfg(feature = "web")]
mod shared;

#[cfg(feature = "web")]
pub use super::ConnectionId;
pub use client::{Client, ConnectOptions, NotificationStream, Notified, RequestError, connect};
pub use connect::{ConnectError, WsOptions};
#[cfg(feature = "web")]
pub use connection::{Connection, SendError};
#[cfg(feature = "web")]
pub use handler::Handler;
#[cfg(feature = "web")]
pub use server::{ListenOptions, Server, listen, serve};
#[cfg(feature = "web")]
pub use shared::SharedState;

/// Why a connection is over.
pub type Error = super::Error<hat_core::juggler::Error>;

/// What a request or a call came to: its result, or the failure of the other side.
type Answer = Result<hat_core::json::Value, hat_core::json::Value>;
