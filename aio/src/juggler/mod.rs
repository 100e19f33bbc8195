//! Juggler on any runtime: 0.7, the server behind its web server and the client; 0.5, in [`peer`].
//! See [`hat_core::juggler`] for the protocol.
//!
//! ```text
//! SharedState ──change──> flush, after its delay ──> every connection that follows it
//! Handler     <──request── Connection <── WebSocket <── web server
//!                notify ─────> Connection ─────────> Client ── state, changed, send, notifications
//! ```

mod awaited;
mod changes;
mod client;
#[cfg(feature = "web")]
mod connection;
mod following;
#[cfg(feature = "web")]
mod handler;
pub mod peer;
mod reconnect;
#[cfg(feature = "web")]
mod server;
#[cfg(feature = "web")]
mod shared;

use super::reconnect::Outcome;
use super::websocket::is_rejection;
use crate::handle::Handle;
use crate::shared::Session;
use crate::trace;
use hat_core::juggler::SendFault;
use hat_core::ws::{self, code};

#[cfg(feature = "web")]
pub use super::ConnectionId;
pub use super::reconnect::WhileDisconnected;
pub use super::websocket::WsOptions;
pub use client::{
    Client, ConnectOptions, Notice, NotificationStream, RequestError, connect, connect_on,
};
#[cfg(feature = "web")]
pub use connection::{Connection, SendError};
#[cfg(feature = "web")]
pub use handler::Handler;
pub use reconnect::{
    ReconnectOptions, ReconnectingClient, StartError, StopReason, Update, UpdateStream,
    keep_connected,
};
#[cfg(feature = "web")]
pub use server::{ListenOptions, Server, listen, serve};
#[cfg(feature = "web")]
pub use shared::SharedState;

/// Why a connection ended.
pub type Error = super::Error<hat_core::juggler::Error>;

/// Why a client could not connect.
pub type ConnectError = super::websocket::ConnectError<hat_core::juggler::Error>;

impl ConnectError {
    /// Whether the server refused the WebSocket, and will do so again: it wants another user, path
    /// or host. One that is not ready (408, 425, 429 and 5xx) does not refuse.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        let Self::Ended(error) = self else { return false };
        match error.protocol() {
            Some(hat_core::juggler::Error::Ws(error)) => is_rejection(error),
            _ => false,
        }
    }

    /// What that is to a client that comes back.
    fn ended(&self) -> Outcome {
        match self {
            // a request that cannot be written never will be
            Self::Request(_) => Outcome::Hopeless,
            error if error.is_rejection() => Outcome::Rejected,
            _ => Outcome::Unreachable,
        }
    }
}

/// Closes the connection of a peer that cannot be told something: it must not go on as if there had
/// been nothing to tell. Both sides learn why; `close` is the machine's `close_with`, `client` who
/// a proxy says it is.
fn cut<S: Session>(
    handle: &Handle<S>,
    client: Option<&str>,
    fault: &SendFault,
    close: impl FnOnce(&mut S, u16, &str) -> Result<(), ws::SendError>,
) {
    // one that is closing or over has been told of
    if !fault.is_closed() {
        let what = match fault.is_queue_full() {
            true => "a peer reads more slowly than it is told",
            false => "a peer cannot be told something",
        };
        trace::cut(handle.shared().remote, client, what, fault);
        // refused where the end has begun meanwhile
        let _ = handle.call(|session| close(session, code::POLICY, what));
    }
    handle.close();
}

/// What counts of a message in an inbox: its bytes on the wire, or those that its value takes in
/// memory, which may be thirty times as many.
fn weight(size: usize, value: &hat_core::json::Value) -> usize {
    size.max(value.size())
}

/// What a request or a call came to: its result, or the failure of the other side.
type Answer = Result<hat_core::json::Value, hat_core::json::Value>;
