//! A connection with a handle.

use std::sync::Arc;

use bytes::Bytes;
use hat_aio::{Runtime, cotp, tpkt};
use hat_core::{cotp as cotp_core, tpkt as tpkt_core};
use serde_json::Value;

use crate::answer::Failure;
use crate::objects::{Boxed, Object, Objects, Report};
use crate::params::base64;
use crate::server;
use crate::turn::Turns;

/// A connection of the library, of either layer.
#[derive(Clone)]
pub(super) enum Library {
    Tpkt(tpkt::Connection),
    Cotp(cotp::Connection),
}

impl From<tpkt::Connection> for Library {
    fn from(connection: tpkt::Connection) -> Self {
        Self::Tpkt(connection)
    }
}

impl From<cotp::Connection> for Library {
    fn from(connection: cotp::Connection) -> Self {
        Self::Cotp(connection)
    }
}

impl Library {
    async fn send(&self, data: Bytes) -> Result<(), Failure> {
        match self {
            Self::Tpkt(connection) => {
                connection.send(data).await.map_err(|error| match error.fault {
                    tpkt_core::SendFault::Size { .. } => Failure::value(error),
                    _ => Failure::connection(error),
                })
            }
            Self::Cotp(connection) => {
                connection.send(data).await.map_err(|error| match error.fault {
                    cotp_core::SendFault::Closed => Failure::connection(error),
                    _ => Failure::value(error),
                })
            }
        }
    }

    async fn receive(&self) -> Result<Bytes, Failure> {
        match self {
            Self::Tpkt(connection) => connection.receive().await.map_err(Failure::connection),
            Self::Cotp(connection) => connection.receive().await.map_err(Failure::connection),
        }
    }

    /// Why it is over, if it is.
    fn end(&self) -> Option<Failure> {
        match self {
            Self::Tpkt(connection) => connection.end_reason().map(Failure::connection),
            Self::Cotp(connection) => connection.end_reason().map(Failure::connection),
        }
    }

    async fn drain(&self) -> Result<(), Failure> {
        match self {
            Self::Tpkt(connection) => connection.drain().await.map_err(Failure::connection),
            Self::Cotp(connection) => connection.drain().await.map_err(Failure::connection),
        }
    }

    async fn close(&self) {
        match self {
            Self::Tpkt(connection) => drop(connection.close().await),
            Self::Cotp(connection) => drop(connection.close().await),
        }
    }

    async fn ended(&self) {
        match self {
            Self::Tpkt(connection) => drop(connection.ended().await),
            Self::Cotp(connection) => drop(connection.ended().await),
        }
    }

    async fn closed(&self) {
        match self {
            Self::Tpkt(connection) => drop(connection.closed().await),
            Self::Cotp(connection) => drop(connection.closed().await),
        }
    }
}

pub(super) struct Connection {
    library: Library,
    report: Arc<Report>,
    /// Messages are sent in the order of the requests, also where they wait for room.
    turns: Turns,
}

impl Connection {
    pub(super) fn new(objects: &Objects, library: Library) -> Arc<Self> {
        Arc::new(Self { library, report: objects.new_report(), turns: Turns::default() })
    }

    /// Sends, after what was to be sent before, and waits for room.
    pub(super) async fn send(&self, data: Bytes) -> Result<(), Failure> {
        let turn = self.turns.take();
        turn.wait().await;
        self.library.send(data).await
    }

    /// The next message, as the line protocol writes it; what came before the end is given before
    /// the end is told.
    pub(super) async fn receive(&self) -> Result<Value, Failure> {
        Ok(base64(&self.library.receive().await?))
    }

    /// Waits until all that was to be sent before is with the system.
    pub(super) async fn drain(&self) -> Result<(), Failure> {
        // to the library nothing is left that is not written
        if let Some(failure) = self.library.end() {
            return Err(failure);
        }
        self.turns.take().wait().await;
        self.library.drain().await
    }
}

impl server::Connection for Connection {
    fn start<R: Runtime>(&self) {
        let (library, report) = (self.library.clone(), self.report.clone());
        R::spawn(async move {
            library.ended().await;
            report.closing();
            library.closed().await;
            report.closed();
        });
    }

    fn ended(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            self.library.closed().await;
            self.report.closed();
        })
    }
}

impl Object for Connection {
    fn report(&self) -> &Report {
        &self.report
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(self.library.close())
    }
}
