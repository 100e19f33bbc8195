//! WebSocket: messages both ways on a connection that starts as HTTP (RFC 6455).
//!
//! ```text
//!   client                                                     server
//!     GET /ws HTTP/1.1, Upgrade, Sec-WebSocket-Key ───────────>  connect │ Incoming::Request
//!     <──── HTTP/1.1 101, Upgrade, Sec-WebSocket-Accept          Incoming::Open │ confirm
//!           or <──── HTTP/1.1 401, 404, 302 …                    Error::Refused │ refuse
//!     frame │ frame, last of its message ─────────────────────>  send_text │ Incoming::Text
//!     <─────────────────────────────────────────────── frames    and the other way
//!     Ping ───────────> <─────────── Pong with the same bytes    answered here
//!     Close ──────────> <────────────────────────────── Close    either side first; then the end
//!
//!   frame   octet 0                   octet 1
//!           FIN │ RSV 0 0 0 │ opcode  MASK │ length: 7 bits, or 126: 16, 127: 64 more
//!                                     then key: 4 octets if MASK, and the payload
//! ```
//!
//! A client masks what it sends with the key of the frame (XOR), a server does not, and either ends
//! a connection whose peer does otherwise. Text is UTF-8. The one extension is permessage-deflate
//! (RFC 7692), where [`Config::deflate`] has it: messages may travel compressed then.
//!
//! [`Connection`] is either end as a machine, with the HTTP handshake ([`Connection::connect`],
//! [`Connection::accept`]) or behind an HTTP server that has done it ([`Connection::established`],
//! [`accept_key`]). What a peer does against the RFC ends the connection with the close code for
//! it: 1002, 1007 for text that is not UTF-8, 1009 for what is over a limit.
//!
//! ```
//! use bytes::Buf;
//! use hat_core::buffer::RecvBuf;
//! use hat_core::protocol::{Polled, Protocol};
//! use hat_core::time::Instant;
//! use hat_core::ws::{Config, Connection, Incoming, Request, Response};
//!
//! let now = Instant::ORIGIN;
//! let request = Request::new("plant.example:8080", "/ws");
//! let config = Config { mask_seed: 7, ..Config::default() };
//! let mut client = Connection::connect(config, request, now)?;
//! let mut server = Connection::accept(Config::default(), now);
//! let (mut client_rx, mut server_rx) = (RecvBuf::new(), RecvBuf::new());
//!
//! server_rx.feed(client.tx().chunk());
//! let Polled::Incoming(Incoming::Request(request)) = server.poll(&mut server_rx, now)? else {
//!     panic!()
//! };
//! assert_eq!(request.path, "/ws");
//! server.confirm(&Response::default())?;
//! server.send_text(&"hello".into())?;
//!
//! client_rx.feed(server.tx().chunk());
//! let Polled::Incoming(Incoming::Open(_)) = client.poll(&mut client_rx, now)? else { panic!() };
//! assert_eq!(client.poll(&mut client_rx, now)?, Polled::Incoming(Incoming::Text("hello".into())));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod code;
mod config;
mod connection;
mod deflate;
mod error;
mod frame;
mod handshake;
mod mask;
mod reader;
mod utf8;
mod watch;

pub use crate::keepalive::PingRule;
pub use config::{Config, Role};
pub use connection::{Connection, Incoming};
pub use deflate::{Deflate, DeflateAgreement};
pub use error::{AnswerError, Error, RequestError, SendError, Violation};
pub use handshake::{
    Agreement, Field, HandshakeFault, Request, RequestFault, Response, accept_key, check_request,
};
