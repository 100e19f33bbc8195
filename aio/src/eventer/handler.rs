use std::future::{Future, ready};
use std::net::SocketAddr;
use std::ops::Deref;

use crate::ConnectionId;
use hat_core::eventer::server::ClientInfo;
use hat_core::eventer::{Event, QueryParams, QueryResult, RegisterEvent};

/// A connection of a server: its number, its peer's address, and the client's initialization.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// Its number.
    pub id: ConnectionId,
    /// The client's address.
    pub remote_address: SocketAddr,
    /// The client's initialization.
    pub client: ClientInfo,
}

impl Deref for ConnectionInfo {
    type Target = ClientInfo;

    fn deref(&self) -> &ClientInfo {
        &self.client
    }
}

/// How a server serves its clients. Every method has a default.
///
/// The requests of one client are handled one after another, in order, as by the deployed server: a
/// query sees the events registered before it. Clients do not wait for each other.
pub trait Handler: Send + Sync + 'static {
    /// Called when a client initializes its connection. An error rejects the client, with the error
    /// as the reason. Default: every client is accepted.
    fn connected(&self, info: &ConnectionInfo) -> impl Future<Output = Result<(), String>> + Send {
        let _ = info;
        ready(Ok(()))
    }

    /// Called once for each client that [`connected`](Self::connected) accepted, when its
    /// connection has ended, even before the client learned that it was accepted.
    fn disconnected(&self, info: &ConnectionInfo) -> impl Future<Output = ()> + Send {
        let _ = info;
        ready(())
    }

    /// Called when a client registers events, as one session. Returns the registered events in the
    /// same order, or `None` if they were not registered, which is the default. The client gets the
    /// result if it asked for a response.
    ///
    /// Events with a JSON payload that is not JSON do not arrive here: they are refused, which is
    /// logged, because the clients to be notified could not decode them. See
    /// [`RegisterEvent::check`].
    fn register(
        &self,
        info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> impl Future<Output = Option<Vec<Event>>> + Send {
        let _ = (info, events);
        ready(None)
    }

    /// Called when a client queries events. Default: there are none.
    ///
    /// The protocol has no response that refuses a query. The deployed server ends the connection
    /// instead: [`Notifier::disconnect`](super::Notifier::disconnect), after which the result is
    /// not sent.
    fn query(
        &self,
        info: &ConnectionInfo,
        params: QueryParams,
    ) -> impl Future<Output = QueryResult> + Send {
        let _ = (info, params);
        ready(QueryResult::default())
    }
}

/// A server that accepts every client, registers nothing and has no events.
impl Handler for () {}
