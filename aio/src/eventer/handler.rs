use std::future::{Future, ready};
use std::net::SocketAddr;
use std::ops::Deref;

use crate::ConnectionId;
use hat_core::eventer::server::ClientInfo;
use hat_core::eventer::{Event, QueryParams, QueryResult, RegisterEvent};

/// A connection of a server: which, from where, and what the client said of itself.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// Its number.
    pub id: ConnectionId,
    /// The client's address.
    pub remote_address: SocketAddr,
    /// What the client said.
    pub client: ClientInfo,
}

impl Deref for ConnectionInfo {
    type Target = ClientInfo;

    fn deref(&self) -> &ClientInfo {
        &self.client
    }
}

/// What a server does for its clients. Every method has a default.
///
/// What one client asks is handled one after the other, in the order that it came, as the deployed
/// server does: a query sees the events registered before it. Clients do not wait for each other.
pub trait Handler: Send + Sync + 'static {
    /// A client says who it is. An error is told to it, and it is not taken. Default: every client
    /// is taken.
    fn connected(&self, info: &ConnectionInfo) -> impl Future<Output = Result<(), String>> + Send {
        let _ = info;
        ready(Ok(()))
    }

    /// A client that [`connected`](Self::connected) took is gone: for each such client once, also
    /// where it went before it could be told.
    fn disconnected(&self, info: &ConnectionInfo) -> impl Future<Output = ()> + Send {
        let _ = info;
        ready(())
    }

    /// A client registers events, as one session. Gives them as they were registered, in the same
    /// order, or `None` if they were not, which is the default. The client is told where it asked
    /// for that.
    ///
    /// Events with a JSON payload that is no JSON do not come here: they are refused, which is
    /// logged, since the clients that they would be told to could not take them. See
    /// [`RegisterEvent::check`].
    fn register(
        &self,
        info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> impl Future<Output = Option<Vec<Event>>> + Send {
        let _ = (info, events);
        ready(None)
    }

    /// A client asks for events. Default: there are none.
    ///
    /// The protocol has no answer that refuses a query. The deployed server ends the connection
    /// instead: [`Notifier::disconnect`](super::Notifier::disconnect), after which what this gives
    /// is not sent.
    fn query(
        &self,
        info: &ConnectionInfo,
        params: QueryParams,
    ) -> impl Future<Output = QueryResult> + Send {
        let _ = (info, params);
        ready(QueryResult::default())
    }
}

/// A server that takes every client, registers nothing and knows no events.
impl Handler for () {}
