//! A server with a handle: what clients ask is asked from the tester, where it has a callback for
//! that.

use std::fmt::Display;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;

use hat_aio::eventer::{self as library, ConnectionInfo, Handler};
use hat_core::eventer::{Event, QueryParams, QueryResult, RegisterEvent};
use serde_json::{Value, json};
use smol::channel::{Receiver, Sender, bounded};
use smol::future::{or, poll_once};

use super::form;
use crate::answer::Failure;
use crate::calls::{CallResult, Calls};
use crate::objects::{Boxed, Object, Report};
use crate::params::Params;

pub(super) struct Server {
    pub(super) library: library::Server,
    report: Arc<Report>,
    /// To be closed with the server: calls that would hold up the end are given up then.
    closing: Sender<()>,
    /// Whether connections end with the server.
    bound: bool,
}

impl Server {
    /// A server that reports as the handler of `library` calls.
    pub(super) fn new(
        library: library::Server,
        report: Arc<Report>,
        closing: Sender<()>,
        bound: bool,
    ) -> Arc<Self> {
        Arc::new(Self { library, report, closing, bound })
    }

    pub(super) fn handle(&self) -> u64 {
        self.report.handle
    }
}

impl Object for Server {
    fn report(&self) -> &Report {
        &self.report
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async {
            let mut closing = pin!(self.library.close());
            if poll_once(closing.as_mut()).await.is_none() {
                // its connections close once nothing listens any more: until then a call that is
                // given up would be answered
                for client in self.library.connections().into_iter().filter(|_| self.bound) {
                    self.library.disconnect(client.id);
                }
                if self.bound || self.report.is_forgotten() {
                    self.closing.close();
                }
                closing.await;
            }
        })
    }
}

/// The callbacks that the tester has.
#[derive(Clone, Copy)]
pub(super) struct Has {
    pub(super) connected: bool,
    pub(super) disconnected: bool,
    pub(super) register: bool,
    pub(super) query: bool,
}

/// What a server does for its clients: it asks the tester.
pub(super) struct Callbacks {
    has: Has,
    calls: Arc<Calls>,
    report: Arc<Report>,
    /// Closes when the handle is introduced: no line may mention it before.
    introduced: Receiver<()>,
    /// Closes when the server does.
    closing: Receiver<()>,
}

/// The tester's side of [`Callbacks`].
pub(super) struct Signals {
    /// To be dropped when the handle is introduced.
    pub(super) introduced: Sender<()>,
    /// To be closed when the server closes.
    pub(super) closing: Sender<()>,
}

impl Callbacks {
    pub(super) fn new(has: Has, calls: Arc<Calls>, report: Arc<Report>) -> (Self, Signals) {
        let (introduced, is_introduced) = bounded(1);
        let (closing, is_closing) = bounded(1);
        let callbacks = Self { has, calls, report, introduced: is_introduced, closing: is_closing };
        (callbacks, Signals { introduced, closing })
    }

    async fn call(&self, name: &str, params: &Value) -> CallResult {
        // an error is the sign: the sender is gone
        let _ = self.introduced.recv().await;
        self.calls.call(&self.report, name, params).await
    }

    /// A call that fails when the server closes.
    async fn ask(&self, name: &str, params: &Value) -> CallResult {
        let given_up = async {
            let _ = self.closing.recv().await;
            Err("the server is closing".to_owned())
        };
        let call = async {
            let called = self.call(name, params).await;
            if self.report.is_forgotten() {
                // what fails for that is no answer: the connection closes soon
                pending::<()>().await;
            }
            called
        };
        or(given_up, call).await
    }

    /// What the tester answers; `None` where it raises, or answers what makes no sense.
    async fn answer<T>(
        &self,
        name: &str,
        params: &Value,
        read: impl FnOnce(&Params) -> Result<T, Failure>,
    ) -> Option<T> {
        let say = |error: &dyn Display| eprintln!("{name}: {error}");
        let reply = self.ask(name, params).await.inspect_err(|error| say(error)).ok()?;
        read(&Params::new(reply)).inspect_err(|error| say(&error.to_json())).ok()
    }
}

impl Handler for Callbacks {
    async fn connected(&self, info: &ConnectionInfo) -> Result<(), String> {
        if self.has.connected {
            self.ask("connected", &json!({"info": form::client_info(info)})).await?;
        }
        Ok(())
    }

    async fn disconnected(&self, info: &ConnectionInfo) {
        if self.has.disconnected {
            let params = json!({"info": form::client_info(info)});
            if let Err(error) = self.call("disconnected", &params).await {
                eprintln!("disconnected: {error}");
            }
        }
    }

    async fn register(
        &self,
        info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> Option<Vec<Event>> {
        if !self.has.register {
            return None;
        }
        let events = form::register_events(&events);
        let params = json!({"info": form::client_info(info), "events": events});
        self.answer("register", &params, form::read_optional_events).await?
    }

    async fn query(&self, info: &ConnectionInfo, params: QueryParams) -> QueryResult {
        if !self.has.query {
            return QueryResult::default();
        }
        let params = json!({"info": form::client_info(info), "params": form::query(&params)});
        self.answer("query", &params, form::read_result).await.unwrap_or_default()
    }
}
