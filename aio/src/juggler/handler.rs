use std::future::{Future, ready};

use super::connection::Connection;
use hat_core::json::Value;

/// How a server serves its clients. Every method has a default.
pub trait Handler: Send + Sync + 'static {
    /// A client has connected. Its requests wait until this is done, so what it changes in the
    /// connection's own state is there first.
    fn connected(&self, connection: &Connection) -> impl Future<Output = ()> + Send {
        let _ = connection;
        ready(())
    }

    /// A client that was [`connected`](Self::connected) is gone.
    fn disconnected(&self, connection: &Connection) -> impl Future<Output = ()> + Send {
        let _ = connection;
        ready(())
    }

    /// A client asks for something. The answer is a result, or what became of it instead, usually a
    /// text. Default: no request is known.
    ///
    /// The requests of one client come one after the other, or all at once with
    /// [`parallel_requests`](hat_core::juggler::server::Config::parallel_requests).
    fn request(
        &self,
        connection: &Connection,
        name: &str,
        data: Value,
    ) -> impl Future<Output = Result<Value, Value>> + Send {
        let _ = (connection, name, data);
        ready(Err("request handler not implemented".into()))
    }
}

/// A server that knows no requests.
impl Handler for () {}
