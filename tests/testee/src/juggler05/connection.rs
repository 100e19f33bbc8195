//! A connection with a handle: data and the end are reported as they come, messages are taken when
//! they are asked for, or, once it is wrapped, apart from calls.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use hat_aio::Runtime;
use hat_aio::juggler::peer::{self as library, Call, CallError, MessageOrCall, RpcConnection};
use hat_core::json::Value;
use hat_core::juggler::rpc::Actions;
use serde_json::json;
use smol::channel::{Receiver, Sender, unbounded};
use smol::future::{or, poll_once};
use smol::lock::Mutex as AsyncMutex;

use crate::answer::Failure;
use crate::calls::{Calls, member};
use crate::objects::{Boxed, Object, Report};
use crate::server;
use crate::session::Session;

pub(super) struct Connection {
    pub(super) library: library::Connection,
    report: Arc<Report>,
    calls: Arc<Calls>,
    /// Takes the changes that are reported, one at a time.
    reported: Arc<AsyncMutex<library::Connection>>,
    /// Messages that were taken together with calls, in order.
    messages: (Sender<Value>, Receiver<Value>),
    rpc: Arc<Mutex<Option<Rpc>>>,
}

/// Calls, once the tester has asked for them.
#[derive(Clone)]
struct Rpc {
    connection: RpcConnection,
    actions: Actions<()>,
}

impl Connection {
    pub(super) fn new(session: &Session, library: library::Connection) -> Arc<Self> {
        Arc::new(Self {
            report: session.objects.new_report(),
            calls: session.calls.clone(),
            reported: Arc::new(AsyncMutex::new(library.clone())),
            messages: unbounded(),
            rpc: Arc::default(),
            library,
        })
    }

    /// The next message; what came before the end is given before the end is told.
    pub(super) async fn receive(&self) -> Result<Value, Failure> {
        let taken = async { self.messages.1.recv().await.ok() };
        let left = async { self.library.receive().await.ok() };
        let message = or(taken, left).await;
        // the data that came before a message are told before it
        report_data(&self.reported, &self.report).await;
        message.ok_or_else(|| match self.library.end_reason() {
            Some(end) => Failure::connection(end),
            None => Failure::connection("the connection is closing"),
        })
    }

    /// From now on calls are done, those too that have come and were not taken.
    pub(super) fn wrap<R: Runtime>(&self, actions: Actions<()>) {
        let mut rpc = self.rpc.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rpc) = &mut *rpc {
            rpc.actions = actions;
            return;
        }
        let connection = RpcConnection::new(self.library.clone());
        *rpc = Some(Rpc { connection: connection.clone(), actions });
        R::spawn(
            AnswerTask {
                connection,
                report: self.report.clone(),
                calls: self.calls.clone(),
                reported: self.reported.clone(),
                messages: self.messages.0.clone(),
                rpc: self.rpc.clone(),
            }
            .run::<R>(),
        );
    }

    /// Calls an action of the other side; `None` before [`wrap`](Self::wrap).
    pub(super) async fn call(
        &self,
        action: &str,
        args: &[Value],
    ) -> Option<Result<Value, CallError>> {
        let rpc = self.rpc.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let result = rpc?.connection.call(action, args).await;
        // the data that came before the result are told before it
        report_data(&self.reported, &self.report).await;
        Some(result)
    }
}

/// Reports every change of the data that was not reported.
async fn report_data(reported: &AsyncMutex<library::Connection>, report: &Report) {
    let reported = reported.lock().await;
    while let Some(Ok(data)) = poll_once(reported.next_change()).await {
        let data = serde_json::Value::from(&data);
        report.event("remote_data", &json!({"data": data}));
    }
}

/// The task that takes messages and calls of a connection that is wrapped.
struct AnswerTask {
    connection: RpcConnection,
    report: Arc<Report>,
    calls: Arc<Calls>,
    reported: Arc<AsyncMutex<library::Connection>>,
    messages: Sender<Value>,
    rpc: Arc<Mutex<Option<Rpc>>>,
}

impl AnswerTask {
    async fn run<R: Runtime>(self) {
        while let Ok(received) = self.connection.receive().await {
            match received {
                // an error: the connection was forgotten, and with it who would receive
                MessageOrCall::Message(message) => drop(self.messages.send(message).await),
                MessageOrCall::Call(call) => {
                    report_data(&self.reported, &self.report).await;
                    self.answer::<R>(call);
                }
            }
        }
        self.messages.close();
    }

    /// Starts a call of the tester, in order; its reply is waited for elsewhere.
    fn answer<R: Runtime>(&self, call: Call) {
        let rpc = self.rpc.lock().unwrap_or_else(PoisonError::into_inner);
        if rpc.as_ref().is_none_or(|rpc| rpc.actions.find(&call.action).is_none()) {
            // dropped, it is refused
            return;
        }
        let (calls, report) = (self.calls.clone(), self.report.clone());
        let mut answering: Boxed<'static, ()> = Box::pin(async move {
            let args = serde_json::Value::from(&Value::Array(call.args.clone()));
            let params = json!({"action": &*call.action, "args": args});
            let called = calls.call(&report, "rpc", &params).await;
            let result = called.map(|reply| Value::from(member(reply, "result")));
            let result = result.map_err(Value::from);
            if let Err(error) = call.respond(result.as_ref()).await {
                eprintln!("rpc: {error}");
            }
        });
        if answering.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            R::spawn(answering);
        }
    }
}

impl server::Connection for Connection {
    fn start<R: Runtime>(&self) {
        let (library, report) = (self.library.clone(), self.report.clone());
        let reported = self.reported.clone();
        R::spawn(async move {
            while library.changed().await.is_ok() {
                report_data(&reported, &report).await;
            }
            report.closing();
        });
        let (library, report) = (self.library.clone(), self.report.clone());
        R::spawn(async move {
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
        Box::pin(async {
            self.library.close().await;
        })
    }
}
