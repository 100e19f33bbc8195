//! What the server's end of a connection gives to its application.

use alloc::vec::Vec;

use bytestring::ByteString;

use crate::chatter::Conversation;
use crate::eventer::{QueryParams, RegisterEvent, Subscription};

/// Who a client is and what it wants to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientInfo {
    /// Its name: what it is, not who.
    pub client_name: ByteString,
    /// Its secret, if it gave one.
    pub client_token: Option<ByteString>,
    /// Which events it wants.
    pub subscription: Subscription,
    /// It wants events of this server only.
    pub server_id: Option<i64>,
    /// It wants events once they are stored for good, instead of as soon as they are registered.
    pub persisted: bool,
}

/// A request of the client that waits for our answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) Conversation);

/// Events that wait for the client's ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotifyId(pub(super) i64);

/// What [`Connection::poll`](crate::protocol::Protocol::poll) gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// The client said who it is: [`accept`](super::Connection::accept) or
    /// [`reject`](super::Connection::reject) it. Nothing more is read before that.
    Init(ClientInfo),
    /// Events to register. `request` is there if the client wants an answer:
    /// [`register_response`](super::Connection::register_response).
    Register {
        /// The events, in order, as one session.
        events: Vec<RegisterEvent>,
        /// What to answer to.
        request: Option<RequestId>,
        /// Bytes that they took on the wire.
        size: usize,
    },
    /// A query: [`query_response`](super::Connection::query_response) is the answer.
    Query {
        /// What is asked for.
        params: QueryParams,
        /// What to answer to.
        request: RequestId,
    },
    /// The client handled the events of a [`notify`](super::Connection::notify).
    Acked(NotifyId),
}

/// What [`Connection::notify`](super::Connection::notify) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyOutcome {
    /// No event concerns this client: nothing was sent.
    Nothing,
    /// The events are queued.
    Sent,
    /// The events are queued, and [`Incoming::Acked`] will tell when they are handled.
    AwaitsAck(NotifyId),
}
