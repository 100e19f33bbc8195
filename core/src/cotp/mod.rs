//! COTP: the ISO transport service over TCP, class 0 (RFC 905 = ISO 8073, RFC 1006, RFC 2126).
//!
//! ```text
//!   caller                                                called
//!     CR  our reference, selectors, TPDU size ──────────────>        connect │ Incoming::Connect
//!     <────────────── CC  its reference, selectors, TPDU size        Connected │ confirm
//!           or <───── DR  reason        or <───── ER  cause          Refused, Rejected │ refuse
//!     DT  part │ DT  part │ DT  last part ──────────────────>        send │ Incoming::Data
//!     <────────────────────────────────────────── DT  message
//!     end of the stream                                              close │ HalfClosed
//!
//!   on the wire   03 00 length │ LI code … header │ user data        each TPDU in a TPKT packet
//! ```
//!
//! MMS (IEC 61850), S7 and others run on it. A message (TSDU) has any length and is cut into TPDUs
//! (DT) of the agreed size. There are no acknowledgements and no timers once the connection is
//! established; TCP has them.
//!
//! [`Connection`] is either end as a machine. What peers do against the standards and what harms
//! nobody is let pass and reported as a [`Diagnostic`], or refused under [`Policy::Strict`].
//! [`tpdu`] reads and writes single TPDUs.
//!
//! ```
//! use bytes::{Buf, Bytes};
//! use hat_core::buffer::RecvBuf;
//! use hat_core::cotp::{Config, Connection, Incoming, Selector};
//! use hat_core::protocol::{Polled, Protocol};
//! use hat_core::time::Instant;
//!
//! let now = Instant::ORIGIN;
//! let config = Config { remote_selector: Some(Selector::from(1)), ..Config::default() };
//! let mut caller = Connection::connect(config, now)?;
//! let config = Config { local_selector: Some(Selector::from(1)), ..Config::default() };
//! let mut called = Connection::accept(config, now)?;
//! let (mut caller_rx, mut called_rx) = (RecvBuf::new(), RecvBuf::new());
//!
//! called_rx.feed(caller.tx().chunk());
//! let Polled::Incoming(Incoming::Connected(_)) = called.poll(&mut called_rx, now)? else {
//!     panic!()
//! };
//! caller_rx.feed(called.tx().chunk());
//! let Polled::Incoming(Incoming::Connected(info)) = caller.poll(&mut caller_rx, now)? else {
//!     panic!()
//! };
//! assert_eq!(info.tpdu_size.octets(), 2048);
//! caller.send(Bytes::from_static(b"hello"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assembly;
mod class;
mod config;
mod confirm;
mod connection;
mod diagnostic;
mod error;
mod reason;
mod report;
mod request;
mod run;
mod segment;
mod selector;
mod size;
pub mod tpdu;

pub use config::{Answer, Config, Policy, Receive};
pub use confirm::{Info, Response};
pub use connection::{Connection, Incoming};
pub use diagnostic::Diagnostic;
pub use error::{AnswerError, ConfigError, Error, SendError, SendFault, Stage, Violation};
pub use reason::{Cause, Reason};
pub use request::ConnectRequest;
pub use selector::Selector;
pub use size::TpduSize;
