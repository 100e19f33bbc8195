//! TLS under every protocol, on every runtime: rustls with ring, over memory buffers.
//!
//! ```text
//!   driver ── plain bytes ──> TlsStream ── records ──> socket of the runtime
//!          <── plain bytes ──           <── records ──
//! ```
//!
//! Options become a [`Connector`] or an [`Acceptor`] once, which reads files and checks what is in
//! them; these are cheap to clone and go into the options of a protocol, in their field `tls`:
//!
//! ```
//! # #[cfg(feature = "tls")] {
//! use hat_aio::{chatter, tls};
//!
//! // the system's roots, the name of the address
//! let connector = tls::ConnectorOptions::default().build()?;
//! let options = chatter::ConnectOptions { tls: Some(connector), ..Default::default() };
//! # }
//! # Ok::<(), hat_aio::tls::ConfigError>(())
//! ```
//!
//! A configuration that these options do not have is rustls' own: [`Connector::from_config`],
//! [`Acceptor::from_config`].
//!
//! What holds for all of it:
//!
//! - TLS 1.2 and 1.3. Certificates are verified, and the server's name with them, unless the option
//!   that says `dangerous` is set.
//! - A handshake has a deadline of its own,
//!   [`handshake_timeout`](ConnectorOptions::handshake_timeout). On a server each has a task of its
//!   own and counts as a connection: one slow peer holds up nobody. Closing the server ends them.
//! - An orderly end is told by `close_notify`. A stream that ends without it was cut off, by a peer
//!   that crashed or by somebody in between: that is an error, [`Error::Truncated`], for every
//!   protocol, also where the last message was whole.
//! - `close_notify` ends one direction, as the end of a TCP stream does: half-open connections
//!   work. Peers in Python end both.
//! - A client learns only from its first read that the server did not like its certificate: in TLS
//!   1.3 it is done before the server is.
//!
//! Without the feature `tls` there is no way to make a [`Connector`] or an [`Acceptor`], and
//! addresses that ask for it are refused.

#[cfg(feature = "tls")]
mod cause;
#[cfg(feature = "tls")]
mod client;
mod error;
#[cfg(feature = "tls")]
mod pem;
#[cfg(feature = "tls")]
mod server;
#[cfg(feature = "tls")]
mod stream;
#[cfg(feature = "tls")]
mod verify;

#[cfg(feature = "tls")]
pub use client::{Connector, ConnectorOptions};
#[cfg(feature = "tls")]
pub use error::ConfigError;
pub use error::Error;
#[cfg(feature = "tls")]
pub use pem::{Identity, Pem, Roots};
/// The library below, for a [`Connector::from_config`] or [`Acceptor::from_config`] of one's own.
#[cfg(feature = "tls")]
pub use rustls;
#[cfg(feature = "tls")]
pub use server::{Acceptor, AcceptorOptions, ClientCertificates};
#[cfg(feature = "tls")]
pub use stream::TlsStream;

/// Makes TLS connections. This build has none: the feature `tls` is off.
#[cfg(not(feature = "tls"))]
#[derive(Clone, Debug)]
pub enum Connector {}

/// Takes TLS connections. This build has none: the feature `tls` is off.
#[cfg(not(feature = "tls"))]
#[derive(Clone, Debug)]
pub enum Acceptor {}

/// How long a handshake may take, 10 s: a few round trips and signatures, also over a slow line
/// with a small controller at its end.
#[cfg(feature = "tls")]
const HANDSHAKE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
