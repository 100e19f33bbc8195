//! Juggler: JSON state that follows its owner's changes by patches, with messages and requests beside it, over WebSocket.
//!
//! Two generations are deployed. They have the state in common, and nothing else on the wire:
//!
//! | | [`peer`], 0.5 | [`client`] and [`server`], 0.7 |
//! |---|---|---|
//! | state | both sides' | the server's |
//! | messages | both sides' | notifications of the server |
//! | requests | [`rpc`], both sides' | the client's |
//! | text messages | one each | segments of limited size, pings between them |
//!
//! ```text
//! State ──change──> … ──Autoflush, or flush──> Flushed: one patch, encoded once ──> every connection that follows
//!
//! Connection ── own state, messages, requests
//!    └ Transport (0.7) ── segments, pings
//!         └ Link ── replies that gate reading, one final error
//!              └ ws::Connection
//! ```
//!
//! A message that does not decode, is of an unknown type, or lacks a member of its type ends the connection, with a Close that says so;
//! members that nobody knows are passed over. That is what the deployed peers do. Two things they take and we do not, as they are no JSON:
//! `NaN` and `Infinity`, and halves of surrogate pairs.

mod autoflush;
mod changes;
pub mod client;
mod config;
mod error;
mod fields;
mod link;
mod local;
mod message;
pub mod peer;
mod replies;
pub mod rpc;
mod segment;
pub mod server;
mod state;
mod told;
mod transport;

pub use crate::keepalive::PingRule;
pub use autoflush::Autoflush;
pub use config::Config;
pub use error::{Error, Fault, SendFault};
pub use message::Notification;
pub use state::{Flushed, State};
