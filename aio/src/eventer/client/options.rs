//! The options of a client, and the errors of making and using one.

use bytestring::ByteString;

use crate::SocketOptions;
use crate::eventer::Error;
use crate::inbox::InboxLimits;
use crate::tls;
use hat_core::eventer::client::Config;
use hat_core::eventer::{EventType, SendFault};
use hat_core::options::More;

/// What a client says of itself, and its limits.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// A secret that the server may ask for.
    pub token: Option<ByteString>,
    /// Query types of the events to be told: `?` is any one subtype, `*` in last place any number
    /// of them. Without any, no event is told.
    pub subscriptions: Vec<EventType>,
    /// Only events of this server. `None`: of any.
    pub server_id: Option<i64>,
    /// Events once they are stored for good, instead of as soon as they are registered.
    pub persisted: bool,
    /// The protocol: pings, limits.
    pub config: Config,
    /// What may wait for [`Client::next`](super::Client::next) before nothing more is read.
    pub inbox: InboxLimits,
    /// Our side of TLS, where the connection is to be one. See [`tls`].
    pub tls: Option<tls::Connector>,
    /// The time limit of connecting, and the socket.
    pub socket: SocketOptions,
    #[doc(hidden)]
    pub more: More,
}

/// Why there is no client.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] crate::ConnectError),
    /// What the client says of itself is larger than a message may be.
    #[error("the initialization cannot be sent: {0}")]
    Init(SendFault),
    /// The connection ended before the server took the client:
    /// [`Rejected`](hat_core::eventer::Error::Rejected) holds its reason.
    #[error(transparent)]
    Ended(#[from] Error),
}

impl ConnectError {
    /// Whether the server does not take the client, and said why.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        let Self::Ended(error) = self else { return false };
        matches!(error.protocol(), Some(hat_core::eventer::Error::Rejected(_)))
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not sent.
    #[error(transparent)]
    Refused(#[from] SendFault),
    /// The connection ended before the answer came.
    #[error(transparent)]
    Ended(#[from] Error),
    /// There is no connection at this time, or the client is over: see
    /// [`ReconnectingClient`](crate::eventer::ReconnectingClient).
    #[error("there is no connection to the server")]
    NotConnected,
}
