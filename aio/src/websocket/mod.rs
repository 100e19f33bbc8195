//! WebSocket on any runtime: text and binary messages both ways. See [`hat_core::ws`] for the
//! protocol.
//!
//! ```text
//! connect, connect_on ──request──> server        listen      ──> web server, one by one
//! serve_on <──request── client                   accept <── what an HTTP server upgraded
//!                    └──────> Connection: send, receive, ping, close <──────┘
//! ```
//!
//! With the feature `web`, [`listen`] stands behind the HTTP front of [`web`](crate::web), which
//! decides who may open a WebSocket; and [`upgrade`] answers a request within somebody else's HTTP
//! server, hyper's or axum's. Any other server asks [`Agreement`](hat_core::ws::Agreement) what
//! its answer has to say.

mod connect;
mod connection;
mod message;
#[cfg(feature = "web")]
mod server;
#[cfg(feature = "web")]
mod upgrade;

pub use connect::{ConnectError, ConnectOptions, WsOptions, connect, connect_on};
#[cfg(feature = "juggler")]
pub(crate) use connect::{Opening, asking, connect_as, connect_as_on, is_rejection};
#[cfg(feature = "juggler")]
pub(crate) use connection::established;
pub use connection::{Connection, MessageStream, SendError, accept, serve_on};
pub use message::{Message, PeerClose};
#[cfg(feature = "web")]
pub use server::{ListenOptions, Server, listen};
#[cfg(feature = "web")]
pub use upgrade::upgrade;

/// Why a connection ended.
pub type Error = super::Error<hat_core::ws::Error>;
