//! Eventer: the protocol that registers, queries and notifies events, on top of Chatter.
//!
//! ```text
//! client                                             server
//!   │ ── InitReq  name, token, subscriptions ────────> │
//!   │ <─────────────────────── InitRes  status | error │
//!   │                                                  │
//!   │ ── RegisterReq  events ────────────────────────> │   RegisterRes only where it was asked for
//!   │ ── QueryReq  latest | timeseries | server ─────> │   QueryRes
//!   │ <───────────────── StatusNotify, EventsNotify ── │   EventsAck only where it was asked for
//! ```
//!
//! The two ends are [`client::Client`] and [`server::Connection`]; [`reconnect`] is what a client
//! decides that comes back. This module holds what they share:
//!
//! - [`Event`] and its parts: [`EventId`], [`EventType`], [`Timestamp`], [`Payload`];
//! - [`Subscription`]: which event types somebody wants; [`Routes`]: who of many wants an event;
//! - [`QueryParams`] and [`QueryResult`];
//! - [`message`]: the messages, under the names that they travel under.
//!
//! The source of the rules is the schema `HatEventer` and the documentation of `hat-event`.
//!
//! # Memory
//!
//! What was decoded shares the memory of the frame that it came in: an [`Event`] of 100 bytes out
//! of a frame of 1 MiB keeps the whole mebibyte alive for as long as the event, or a clone of its
//! type, lives. That is right for what is handled and dropped. What is kept for longer should be
//! copied out of the frame: see [`Event::detached`], [`RegisterEvent::detached`],
//! [`EventType::detached`] and [`Payload::detached`]. A [`Subscription`] never keeps a frame.

mod channel;
pub mod client;
mod encoded;
mod error;
mod event;
mod event_type;
pub mod message;
mod names;
mod page;
mod pages;
mod payload;
mod query;
pub mod reconnect;
mod routes;
pub mod server;
mod status;
mod subscription;
mod timestamp;
#[cfg(feature = "serde")]
mod with_serde;

pub use encoded::EncodedEvents;
pub use error::{Error, SendFault};
pub use event::{Event, EventId, RegisterEvent, sort_natural};
pub use event_type::{EventType, Segments};
pub use names::UnknownName;
pub use pages::Pages;
pub use payload::{Binary, Json, JsonError, ParseError, Payload};
pub use query::{
    LatestParams, Order, OrderBy, QueryParams, QueryResult, ServerParams, TimeseriesParams,
};
pub use routes::{MAX_ROUTED, Routes};
pub use status::Status;
pub use subscription::{
    MAX_DEPTH, MAX_PATTERNS, MAX_SEGMENTS, MAX_SIZE, MAX_STEPS, Subscription, SubscriptionError,
};
pub use timestamp::{Timestamp, TimestampError};
