//! The messages, and the names they travel under in Chatter's `type`.
//!
//! | name | data | conversation | sent by |
//! |---|---|---|---|
//! | [`INIT_REQ`] | [`InitReq`] | first, not last | client, at once after connecting |
//! | [`INIT_RES`] | [`InitRes`] | last | server |
//! | [`STATUS_NOTIFY`] | [`StatusNotify`] | first and last | server |
//! | [`EVENTS_NOTIFY`] | [`EventsNotify`] | first; last unless an ack is wanted | server |
//! | [`EVENTS_ACK`] | [`EventsAck`] | last | client, after it handled the events |
//! | [`REGISTER_REQ`] | [`RegisterReq`] | first; last unless a response is wanted | client |
//! | [`REGISTER_RES`] | [`RegisterRes`] | last | server |
//! | [`QUERY_REQ`] | [`QueryReq`] | first, not last | client |
//! | [`QUERY_RES`] | [`QueryRes`] | last | server |
//!
//! The data is SBS by the schema `HatEventer`: [`sbs::encode`] and [`sbs::decode`] of the type in
//! the table.

use alloc::vec::Vec;

use bytestring::ByteString;

use super::{Event, EventType, QueryParams, QueryResult, RegisterEvent, Status};
use crate::sbs;

/// The name of [`InitReq`].
pub const INIT_REQ: &str = "HatEventer.MsgInitReq";
/// The name of [`InitRes`].
pub const INIT_RES: &str = "HatEventer.MsgInitRes";
/// The name of [`StatusNotify`].
pub const STATUS_NOTIFY: &str = "HatEventer.MsgStatusNotify";
/// The name of [`EventsNotify`].
pub const EVENTS_NOTIFY: &str = "HatEventer.MsgEventsNotify";
/// The name of [`EventsAck`].
pub const EVENTS_ACK: &str = "HatEventer.MsgEventsAck";
/// The name of [`RegisterReq`].
pub const REGISTER_REQ: &str = "HatEventer.MsgRegisterReq";
/// The name of [`RegisterRes`].
pub const REGISTER_RES: &str = "HatEventer.MsgRegisterRes";
/// The name of [`QueryReq`].
pub const QUERY_REQ: &str = "HatEventer.MsgQueryReq";
/// The name of [`QueryRes`].
pub const QUERY_RES: &str = "HatEventer.MsgQueryRes";

/// All of them, those that come often first.
pub(super) const NAMES: &[&str] = &[
    EVENTS_NOTIFY,
    REGISTER_REQ,
    REGISTER_RES,
    EVENTS_ACK,
    QUERY_REQ,
    QUERY_RES,
    STATUS_NOTIFY,
    INIT_REQ,
    INIT_RES,
];

sbs::record! {
    /// Who the client is and what it wants to be told, by `HatEventer.MsgInitReq`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct InitReq {
        /// The name of the client: what it is, not who.
        pub client_name: ByteString,
        /// The token that the server may require. A server usually accepts a client without one.
        pub client_token: Option<ByteString>,
        /// The query types of the events to notify, as sent: they may not make a
        /// [`Subscription`](super::Subscription), which the server then answers with
        /// [`InitRes::Error`]. Without any, no event is notified.
        pub subscriptions: Vec<EventType>,
        /// Notify only events of this server. `None` is any server.
        pub server_id: Option<i64>,
        /// Notify events once they are stored for good, instead of as soon as they are registered.
        pub persisted: bool,
    }
}

sbs::choice! {
    /// Whether the server takes the client, by `HatEventer.MsgInitRes`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum InitRes {
        /// It does, and this is its status.
        Success(Status),
        /// It does not, and this is why, for a person to read. It then waits for the client to
        /// close.
        Error(ByteString),
    }
}

sbs::choice! {
    /// What became of a registration, by `HatEventer.MsgRegisterRes`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum RegisterRes {
        /// The events, registered, in the order of the request.
        Events(Vec<Event>),
        /// They were not registered.
        Failure,
    }
}

/// The server's new status.
pub type StatusNotify = Status;
/// Events of one session that the client subscribed to, in order.
pub type EventsNotify = Vec<Event>;
/// Nothing: that it arrives says that the events were handled.
pub type EventsAck = ();
/// Events to register, in order, as one session.
pub type RegisterReq = Vec<RegisterEvent>;
/// A query.
pub type QueryReq = QueryParams;
/// The answer to a query.
pub type QueryRes = QueryResult;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_the_first_two_messages() {
        let request = InitReq { client_name: "name".into(), ..InitReq::default() };
        assert_eq!(sbs::encode(&request)[..], *b"\x84name\x80\x80\x80\x00");
        assert_eq!(sbs::encode(&InitRes::Success(Status::Operational))[..], [0x80, 0x82]);
        assert_eq!(sbs::encode(&InitRes::Error("no".into()))[..], *b"\x81\x82no");
    }
}
