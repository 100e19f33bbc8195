//! Juggler: JSON state that follows its owner's changes by patches, with messages and requests
//! beside it, over WebSocket.
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
//! State ──change──> … ──Autoflush, or flush──> Flush: one patch, encoded once, for every
//!                                              connection that follows
//!
//! Connection ── own state, messages, requests
//!    └ Transport (0.7) ── segments, pings
//!         └ Channel ── replies that gate reading, one final error
//!              └ ws::Connection
//! ```
//!
//! A server and a client of 0.7 without any socket, each with its end of a WebSocket:
//!
//! ```
//! use bytes::Buf;
//! use hat_core::buffer::RecvBuf;
//! use hat_core::juggler::{State, client, server};
//! use hat_core::protocol::{Polled, Protocol};
//! use hat_core::time::Instant;
//! use hat_core::ws::{self, Role};
//!
//! /// Moves what one machine wrote to the other's receive buffer: here a socket would be.
//! fn carry(from: &mut impl Protocol, to: &mut RecvBuf) {
//!     while from.tx().has_remaining() {
//!         let chunk = from.tx().chunk().len();
//!         to.feed(&from.tx().copy_to_bytes(chunk));
//!     }
//! }
//!
//! let now = Instant::ORIGIN; // a clock would move it
//! let open = |role| ws::Connection::established(role, ws::Config::default(), now);
//! let mut client = client::Client::new(open(Role::Client), client::Config::default());
//! let mut server = server::Connection::new(open(Role::Server), server::Config::default());
//! let (mut client_rx, mut server_rx) = (RecvBuf::new(), RecvBuf::new());
//!
//! let mut plant = State::default(); // several connections may follow it
//! plant.set(&"/boiler/on".parse()?, false)?;
//! let flushed = plant.flush();
//! server.follow(&mut plant, flushed.as_ref())?;
//! let asked = client.request("switch", &true.into())?;
//!
//! carry(&mut client, &mut server_rx);
//! let asks = server.poll(&mut server_rx, now)?;
//! let Polled::Incoming(server::Incoming::Request { request, name, data, .. }) = asks else {
//!     panic!()
//! };
//! assert_eq!(name, "switch");
//! plant.set(&"/boiler/on".parse()?, data)?;
//! let flushed = plant.flush();
//! server.follow(&mut plant, flushed.as_ref())?;
//! server.respond(request, Ok(&"done".into()))?;
//!
//! carry(&mut server, &mut client_rx);
//! assert_eq!(client.poll(&mut client_rx, now)?, Polled::Incoming(client::Incoming::State));
//! assert_eq!(client.poll(&mut client_rx, now)?, Polled::Incoming(client::Incoming::State));
//! assert_eq!(client.state().to_string(), r#"{"boiler":{"on":true}}"#);
//! let answer = client.poll(&mut client_rx, now)?;
//! let Polled::Incoming(client::Incoming::Response { request, result, .. }) = answer else {
//!     panic!()
//! };
//! assert_eq!((request, result), (asked, Ok("done".into())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A message that does not decode, is of an unknown type, or lacks a member of its type ends the
//! connection, with a Close that says so; members that nobody knows are passed over. That is what
//! the deployed peers do. Two things they take and we do not, as they are not JSON: `NaN` and
//! `Infinity`, and halves of surrogate pairs.

mod autoflush;
mod changes;
mod channel;
pub mod client;
mod config;
mod error;
mod fields;
mod local;
mod message;
pub mod peer;
mod peer_state;
mod replies;
pub mod rpc;
mod segment;
pub mod server;
mod state;
pub mod texts;
mod transport;
mod window;

pub use crate::keepalive::PingRule;
pub use autoflush::Autoflush;
pub use config::Config;
pub use error::{Error, Fault, SendFault};
pub use message::Notification;
pub use state::{Flush, State};
