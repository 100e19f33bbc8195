//! The options of a client, and the errors of connecting and using one.

use bytestring::ByteString;

use crate::SocketOptions;
use crate::eventer::Error;
use crate::inbox::InboxLimits;
use crate::tls;
use hat_core::eventer::client::Config;
use hat_core::eventer::{EventType, SendFault};
use hat_core::options::More;

/// Options of a client: its token and subscriptions, and its limits.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The token that the server may require.
    pub token: Option<ByteString>,
    /// Query types of the events to be notified of: `?` is any one subtype, `*` in last place any
    /// number of them. Without any, the server notifies no events.
    pub subscriptions: Vec<EventType>,
    /// Only events of this server. `None`: of any.
    pub server_id: Option<i64>,
    /// Whether to be notified once events are persisted, instead of as soon as they are registered.
    pub persisted: bool,
    /// The protocol: pings, limits.
    pub config: Config,
    /// Limits of what may wait for [`Client::next`](super::Client::next). At a limit nothing more
    /// is read.
    pub inbox: InboxLimits,
    /// Uses TLS, with this configuration. See [`tls`].
    pub tls: Option<tls::Connector>,
    /// The time limit of connecting, and options of the socket.
    pub socket: SocketOptions,
    #[doc(hidden)]
    pub more: More,
}

/// Why a client could not connect.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] crate::ConnectError),
    /// The initialization is larger than a message may be.
    #[error("the initialization cannot be sent: {0}")]
    Init(SendFault),
    /// The connection ended before the server accepted the client:
    /// [`Rejected`](hat_core::eventer::Error::Rejected) has the server's reason.
    #[error(transparent)]
    Ended(#[from] Error),
}

impl ConnectError {
    /// Whether the server rejected the client with a reason.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        let Self::Ended(error) = self else { return false };
        matches!(error.protocol(), Some(hat_core::eventer::Error::Rejected(_)))
    }
}

/// Why a request has no response.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not sent.
    #[error(transparent)]
    Refused(#[from] SendFault),
    /// The connection ended before the response arrived.
    #[error(transparent)]
    Ended(#[from] Error),
    /// There is no connection at present, or the client has stopped: see
    /// [`ReconnectingClient`](crate::eventer::ReconnectingClient).
    #[error("there is no connection to the server")]
    NotConnected,
}
