//! COTP connections and servers on a runtime: messages over ISO transport, class 0.
//!
//! `connect` and `accept` give connections whose handshake is done. Where something else follows
//! the handshake, TLS as in RDP, [`connect_raw`] and [`listen_raw`] give the stream back.

mod connection;
mod raw;
mod setup;

pub use connection::{Connection, ConnectionInfo, Part};
pub use raw::{RawConnection, RawServer, RawStream, connect_raw, listen_raw};
pub use setup::{
    ConnectError, ConnectOptions, DEFAULT_PORT, Decide, Decision, ListenError, ListenOptions,
    OnError, connect, connect_on, listen, serve_on,
};

/// Why a connection ended.
pub type Error = super::Error<hat_core::cotp::Error>;

/// A server whose connections the application accepts one by one, each with its handshake done.
pub type Server = super::server::Server<Connection>;
