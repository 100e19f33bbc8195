//! Juggler 0.7 on any runtime: the server behind its web server, and the client. See [`crate::juggler`] for the protocol.
//!
//! ```text
//! SharedState ──change──> flush, after its delay ──> every connection that follows it
//! Handler     <──request── Connection <── WebSocket <── web server
//!                notify ──────> Connection ──────────> Client ── state, changed, send, notifications
//! ```

mod client;
mod connection;
mod handler;
mod server;
mod shared;

pub use client::{
    Client, ClientOptions, ConnectError, NotificationStream, Notified, RequestError, connect,
};
pub use connection::{Connection, ConnectionId, SendError};
pub use handler::Handler;
pub use server::{ListenOptions, Server, listen, listen_over};
pub use shared::SharedState;

/// Why a connection is over.
pub type Error = super::Error<crate::juggler::Error>;
