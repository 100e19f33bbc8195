//! The Hat communication protocols as pure state machines.
//!
//! | module | what |
//! |---|---|
//! | [`time`], [`buffer`], [`protocol`] | what a machine is, and how it is driven |
//! | `driver` | the run loop over a socket of the system, blocking or not; feature `std` |
//! | [`tcp`] | plain TCP as a machine: the identity |
//! | [`sbs`] | simple binary serialization: the encoding of all messages |
//! | [`chatter`] | messages in conversations, both deployed dialects |
//! | [`eventer`] | event client and event server, over Chatter |
//! | [`observer`] | a component of a redundant plant and its monitor, over Chatter |
//! | [`json`] | JSON values with shared parts, Pointer, Patch and diff |
//! | [`juggler`] | JSON state that others follow, messages, requests: both generations |
//! | [`tpkt`] | packets over TCP, RFC 1006 |
//! | [`cotp`] | ISO transport class 0, over TPKT |
//! | [`ws`] | WebSocket: messages over HTTP's port, RFC 6455 |
//! | [`retry`] | the delays between attempts of a client that reconnects |
//!
//! | feature | what |
//! |---|---|
//! | `std`, on by default | `driver`, sockets' errors, the system's clock, schema files |
//! | `serde` | `Serialize` and `Deserialize` for events and their parts, and for JSON values |
//! | `chrono`, `jiff`, `time` | conversions between timestamps and the types of these libraries |
//! | `tracing` | spans and events of connections |
//!
//! Nothing here has a clock, a socket, a thread, or randomness: the driver of the machines supplies
//! what they need. Without the feature `std` the crate needs `alloc` only.
//!
//! # The run loop
//!
//! Every machine implements [`Protocol`](protocol::Protocol), and every driver of one, in any event
//! loop, does the same. After anything happens (bytes arrived, the deadline passed, the application
//! called a method of the machine):
//!
//! 1. **Poll**, and do what the [answer](protocol::Polled) says:
//!
//!    | answer | means | next |
//!    |---|---|---|
//!    | `Incoming(i)` | this is for the application | poll again, unless it can take no more |
//!    | `Needs(n)` | `n` more bytes must come | read from the socket in step 3 |
//!    | `HeldUp` | something other than bytes must happen first | do not read |
//!    | an error | the connection is over | write what is left, for a bounded time, and close |
//!
//! 2. **Write** [`tx`](protocol::Protocol::tx) to the socket, as far as that takes it, also after
//!    an error. If anything was written, poll again: the machine may have waited for it.
//! 3. **Wait** for whatever comes first: bytes, if the machine needs any; room to write, if `tx` is
//!    not empty; the [`deadline`](protocol::Protocol::deadline); a call of the application.
//!
//! After a wait, read before the next poll, also where it was the deadline that came: after a
//! process was stopped or a machine slept, the answer that a deadline waited for may lie in the
//! socket. A socket that fails is not an end of the stream: poll for what came before, without
//! setting [`RecvBuf::eof`](buffer::RecvBuf::eof), and end with the socket's own error.
//!
//! When the machine [`is_closed`](protocol::Protocol::is_closed), the socket can go.
//!
//! With the feature `std` the module `driver` is this loop over a socket of the system, blocking or
//! not.
//!
//! Two event machines that talk to each other without any socket:
//!
//! ```
//! use hat_core::buffer::RecvBuf;
//! use hat_core::eventer::message::InitReq;
//! use hat_core::eventer::{Event, EventId, EncodedEvents, Status, Timestamp, client, server};
//! use hat_core::protocol::{Polled, Protocol};
//! use hat_core::time::Instant;
//!
//! let now = Instant::ORIGIN; // a clock would move it
//! let init = InitReq {
//!     client_name: "screen 1".into(),
//!     subscriptions: vec!["plant/*".into()],
//!     ..InitReq::default()
//! };
//! let mut client = client::Client::new(client::Config::default(), &init, now)?;
//! let mut server = server::Connection::new(server::Config::default(), now);
//! let (mut client_rx, mut server_rx) = (RecvBuf::new(), RecvBuf::new());
//!
//! // what one machine writes is what the other reads: here a socket would be
//! client.tx().write_to(&mut server_rx)?;
//! let asks = server.poll(&mut server_rx, now)?;
//! let Polled::Incoming(server::Incoming::Init(info)) = asks else { panic!() };
//! assert_eq!(info.client_name, "screen 1");
//! server.accept(Status::Operational)?;
//!
//! let event = Event {
//!     id: EventId::new(1, 1, 1),
//!     event_type: "plant/boiler/temperature".parse()?,
//!     timestamp: Timestamp::from_secs(1_700_000_000),
//!     source_timestamp: None,
//!     payload: None,
//! };
//! server.notify(&EncodedEvents::new(&[event.clone()]), false, false)?;
//!
//! server.tx().write_to(&mut client_rx)?;
//! let ready = client.poll(&mut client_rx, now)?;
//! assert_eq!(ready, Polled::Incoming(client::Incoming::Ready(Status::Operational)));
//! let told = client.poll(&mut client_rx, now)?;
//! let Polled::Incoming(client::Incoming::Events { events, .. }) = told else { panic!() };
//! assert_eq!(events, [event]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod ascending;
pub mod buffer;
pub mod chatter;
pub mod cotp;
#[cfg(feature = "std")]
pub mod driver;
pub mod eventer;
pub mod json;
pub mod juggler;
mod keepalive;
mod large;
mod message_time;
pub mod observer;
pub mod options;
pub mod protocol;
pub mod retry;
pub mod sbs;
pub mod send;
pub mod tcp;
pub mod time;
pub mod tpkt;
mod trace;
pub mod ws;
