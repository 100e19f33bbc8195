//! A server with a handle.

use std::sync::{Arc, Mutex, PoisonError};

use hat_core::aio::server::ServerOptions;
use hat_core::aio::{Runtime, chatter as library};
use serde_json::{Value, json};
use smol::channel::{Receiver, Sender, bounded};

use super::connection::Connection;
use crate::objects::{Boxed, Object, Objects, Report};

pub(super) struct Server {
    library: library::Server,
    report: Arc<Report>,
    /// Closes when no connection will be introduced any more.
    accepting: Receiver<()>,
    /// Connections that close with the server; `None` where they live on.
    bound: Option<Mutex<Vec<Arc<Connection>>>>,
}

impl Server {
    /// A server, and what is to be dropped when it accepts nothing more.
    pub(super) fn new(
        objects: &Objects,
        library: library::Server,
        options: ServerOptions,
    ) -> (Arc<Self>, Sender<()>) {
        let (done, accepting) = bounded(1);
        let bound = options.bind_connections.then(Mutex::default);
        let report = objects.new_report();
        (Arc::new(Self { library, report, accepting, bound }), done)
    }

    pub(super) fn handle(&self) -> u64 {
        self.report.handle
    }

    pub(super) async fn accept(&self) -> Option<library::Connection> {
        self.library.accept().await
    }

    /// Reports a connection, unless the server was forgotten: then it is dropped, which closes it.
    pub(super) fn introduce<R: Runtime>(
        &self,
        objects: &Objects,
        connection: Arc<Connection>,
        info: &Value,
    ) {
        let handle = connection.handle();
        objects.insert(connection.clone());
        if !self.report.event("accepted", &json!({"conn": handle, "info": info})) {
            objects.remove(handle);
            return;
        }
        connection.start::<R>();
        if let Some(bound) = &self.bound {
            let mut bound = bound.lock().unwrap_or_else(PoisonError::into_inner);
            bound.retain(|connection| !connection.is_closed());
            bound.push(connection);
        }
    }

    fn take_bound(&self) -> Vec<Arc<Connection>> {
        let take = |bound: &Mutex<Vec<_>>| {
            std::mem::take(&mut *bound.lock().unwrap_or_else(PoisonError::into_inner))
        };
        self.bound.as_ref().map(take).unwrap_or_default()
    }
}

impl Object for Server {
    fn report(&self) -> &Report {
        &self.report
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            self.library.close().await;
            // an error is the sign: the sender is gone
            let _ = self.accepting.recv().await;
            for connection in self.take_bound() {
                connection.ended().await;
            }
        })
    }
}
