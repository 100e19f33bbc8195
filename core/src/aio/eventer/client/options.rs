//! What a client is made with, and what may go wrong with it.

use bytestring::ByteString;

use crate::aio;
use crate::aio::eventer::Error;
use crate::aio::inbox::InboxLimits;
use crate::eventer::client::Config;
use crate::eventer::{EventType, SendFault};

/// What a client says of itself, and its limits.
#[derive(Clone, Debug, Default)]
pub struct ClientOptions {
    /// A secret that the server may ask for.
    pub token: Option<ByteString>,
    /// Query types of the events to be told: `?` is any one subtype, `*` in last place any number of them. Without any, no event
    /// is told.
    pub subscriptions: Vec<EventType>,
    /// Only events of this server. `None`: of any.
    pub server_id: Option<i64>,
    /// Events once they are stored for good, instead of as soon as they are registered.
    pub persisted: bool,
    /// The protocol: pings, limits.
    pub config: Config,
    /// What may wait for [`Client::next`] before nothing more is read.
    pub inbox: InboxLimits,
}

/// Why there is no client.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] aio::ConnectError),
    /// What the client says of itself is larger than a message may be.
    #[error("the initialization cannot be sent: {0}")]
    Init(SendFault),
    /// The connection ended before the server took the client: [`Rejected`](crate::eventer::Error::Rejected) holds its
    /// reason.
    #[error(transparent)]
    Ended(#[from] Error),
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
}
