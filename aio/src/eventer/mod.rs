//! Eventer clients and servers on a runtime.

mod acks;
mod client;
mod handler;
mod notifier;
mod patience;
mod reconnect;
mod registry;
mod server;

pub use super::ConnectionId;
pub use super::reconnect::WhileDisconnected;
pub use client::{
    Client, ConnectError, ConnectOptions, Events, Notification, NotificationStream, RequestError,
    connect, connect_on,
};
pub use handler::{ConnectionInfo, Handler};
pub use notifier::Notifier;
pub use reconnect::{
    ReconnectOptions, ReconnectingClient, StartError, StopReason, Update, UpdateStream,
    keep_connected,
};
pub use server::{ListenOptions, Server, listen, listen_with};

/// Why a connection ended.
pub type Error = super::Error<hat_core::eventer::Error>;
