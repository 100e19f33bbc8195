//! A server with a handle whose connections the tester is told of: of all layers but Eventer's.

use std::sync::{Arc, Mutex, PoisonError};

use hat_aio::Runtime;
use hat_aio::server as library;
use serde_json::{Value, json};
use smol::channel::{Receiver, Sender, bounded};

use crate::objects::{Boxed, Object, Objects, Report};

/// A connection with a handle.
pub(crate) trait Connection: Object {
    /// Begins to report. The handle must have been introduced.
    fn start<R: Runtime>(&self);

    /// Waits for the end, and reports it if that was not done.
    fn ended(&self) -> Boxed<'_, ()>;
}

/// Takes connections of type `L` and tells of them as `C`.
pub(crate) struct Server<L: Send + 'static, C> {
    library: library::Server<L>,
    report: Arc<Report>,
    /// Closes when no connection will be introduced any more.
    accepting: Receiver<()>,
    /// Connections that close with the server; `None` where they live on.
    bound: Option<Mutex<Vec<Arc<C>>>>,
}

impl<L: Send + 'static, C: Connection> Server<L, C> {
    /// A server, and what is to be dropped when it accepts nothing more.
    pub(crate) fn new(
        objects: &Objects,
        library: library::Server<L>,
        options: library::AcceptOptions,
    ) -> (Arc<Self>, Sender<()>) {
        let (done, accepting) = bounded(1);
        let bound = options.bind_connections.then(Mutex::default);
        let report = objects.new_report();
        (Arc::new(Self { library, report, accepting, bound }), done)
    }

    pub(crate) async fn accept(&self) -> Option<L> {
        self.library.accept().await
    }

    /// Reports a connection, with its `info` where the layer has one, unless the server was
    /// forgotten: then it is dropped, which closes it.
    pub(crate) fn introduce<R: Runtime>(
        &self,
        objects: &Objects,
        connection: Arc<C>,
        info: &Value,
    ) {
        let handle = connection.report().handle;
        objects.insert(connection.clone());
        let mut params = json!({"conn": handle});
        if !info.is_null() {
            params["info"] = info.clone();
        }
        if !self.report.event("accepted", &params) {
            objects.remove(handle);
            return;
        }
        connection.start::<R>();
        if let Some(bound) = &self.bound {
            let mut bound = bound.lock().unwrap_or_else(PoisonError::into_inner);
            bound.retain(|connection| !connection.report().is_closed());
            bound.push(connection);
        }
    }

    fn take_bound(&self) -> Vec<Arc<C>> {
        let take = |bound: &Mutex<Vec<_>>| {
            std::mem::take(&mut *bound.lock().unwrap_or_else(PoisonError::into_inner))
        };
        self.bound.as_ref().map(take).unwrap_or_default()
    }
}

impl<L: Send + Sync + 'static, C: Connection> Object for Server<L, C> {
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
