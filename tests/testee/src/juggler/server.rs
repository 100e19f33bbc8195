//! A server with a handle, and its connections: what clients ask is asked from the tester.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hat_aio::juggler::{self as library, ConnectionId, Handler};
use hat_core::json::Value;
use serde_json::json;
use smol::channel::{Receiver, Sender, bounded};
use smol::future::or;

use crate::calls::member;
use crate::objects::{Boxed, Object, Report};
use crate::session::Session;

pub(super) struct Server {
    pub(super) library: library::Server,
    pub(super) report: Arc<Report>,
}

impl Object for Server {
    fn report(&self) -> &Report {
        &self.report
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(self.library.close())
    }
}

/// A server's end of a connection.
pub(super) struct Connection {
    pub(super) library: library::Connection,
    report: Arc<Report>,
}

impl Object for Connection {
    fn report(&self) -> &Report {
        &self.report
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            self.library.close().await;
        })
    }
}

/// What a server does for its clients: it tells the tester, and asks it.
pub(super) struct Callbacks {
    session: Arc<Session>,
    report: Arc<Report>,
    /// The tester has a callback for requests.
    has_request: bool,
    /// The state that each connection begins with, where each has its own.
    initial: Option<Value>,
    /// Closes when the handle is introduced: no line may mention it before.
    introduced: Receiver<()>,
    connections: Mutex<BTreeMap<ConnectionId, Arc<Connection>>>,
}

impl Callbacks {
    /// Callbacks, and what is to be dropped when the handle of the server is introduced.
    pub(super) fn new(
        session: Arc<Session>,
        report: Arc<Report>,
        has_request: bool,
        initial: Option<Value>,
    ) -> (Self, Sender<()>) {
        let (sender, introduced) = bounded(1);
        let connections = Mutex::default();
        (Self { session, report, has_request, initial, introduced, connections }, sender)
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Callbacks {
    async fn connected(&self, library: &library::Connection) {
        // an error is the sign: the sender is gone
        let _ = self.introduced.recv().await;
        if let Some(initial) = self.initial.clone()
            && let Err(error) = library.change(|state| state.replace(initial))
        {
            eprintln!("the state of a connection: {error}");
        }
        let objects = &self.session.objects;
        let report = objects.new_report();
        let (library, handle) = (library.clone(), report.handle);
        let connection = Arc::new(Connection { library, report });
        objects.insert(connection.clone());
        let params = json!({"conn": handle, "remote": connection.library.remote()});
        if self.report.event("accepted", &params) {
            self.connections().insert(connection.library.id(), connection);
        } else {
            objects.remove(handle);
            connection.library.close().await;
        }
    }

    async fn disconnected(&self, library: &library::Connection) {
        let connection = self.connections().remove(&library.id());
        if let Some(connection) = connection {
            connection.report.closing();
            library.closed().await;
            connection.report.closed();
        }
    }

    async fn request(
        &self,
        library: &library::Connection,
        name: &str,
        data: Value,
    ) -> Result<Value, Value> {
        let connection = self.connections().get(&library.id()).cloned();
        let Some(connection) = connection.filter(|_| self.has_request) else {
            return Err("request handler not implemented".into());
        };
        let params = json!({"name": name, "data": serde_json::Value::from(&data)});
        let ended = async {
            library.ended().await;
            Err("the connection is over".into())
        };
        let called = async {
            let called = self.session.calls.call(&connection.report, "request", &params).await;
            if connection.report.is_forgotten() {
                // what fails for that is no answer: the connection closes soon
                pending::<()>().await;
            }
            called.map(|reply| Value::from(member(reply, "data"))).map_err(Value::from)
        };
        or(ended, called).await
    }
}
