//! A connection with a handle: what comes is taken as it comes, so that data and the end are
//! reported without anyone asking.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use hat_aio::Runtime;
use hat_aio::juggler::peer::{self as library, Call, Received};
use hat_core::json::Value;
use hat_core::juggler::rpc::Actions;
use serde_json::json;
use smol::channel::{Receiver, Sender, bounded, unbounded};
use smol::future::{or, poll_once};
use smol::lock::Mutex as AsyncMutex;

use crate::answer::Failure;
use crate::calls::Calls;
use crate::objects::{Boxed, Object, Report};
use crate::server;
use crate::session::Session;

pub(super) struct Connection {
    pub(super) library: library::Connection,
    report: Arc<Report>,
    received: Receiver<Value>,
    /// For `start`: what it reads with.
    reader: Reader,
    rpc: Arc<Rpc>,
}

#[derive(Clone)]
struct Reader {
    library: library::Connection,
    report: Arc<Report>,
    queue: Sender<Value>,
    rpc: Arc<Rpc>,
    calls: Arc<Calls>,
    /// Takes the changes that are reported, one at a time.
    reported: Arc<AsyncMutex<library::Connection>>,
}

/// What is done for calls of the other side: nothing, until the tester says what.
struct Rpc {
    actions: Mutex<Option<Actions<()>>>,
    /// Closes when there is something.
    wrapped: (Sender<()>, Receiver<()>),
}

impl Rpc {
    fn finds(&self, action: &str) -> bool {
        let actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        actions.as_ref().is_some_and(|actions| actions.find(action).is_some())
    }
}

impl Connection {
    pub(super) fn new(session: &Session, library: library::Connection) -> Arc<Self> {
        let report = session.objects.new_report();
        let (queue, received) = unbounded();
        let rpc = Arc::new(Rpc { actions: Mutex::default(), wrapped: bounded(1) });
        let reader = Reader {
            library: library.clone(),
            report: report.clone(),
            queue,
            rpc: rpc.clone(),
            calls: session.calls.clone(),
            reported: Arc::new(AsyncMutex::new(library.clone())),
        };
        Arc::new(Self { library, report, received, reader, rpc })
    }

    /// The next message; what came before the end is given before the end is told.
    pub(super) async fn receive(&self) -> Result<Value, Failure> {
        let end = |_| match self.library.end_reason() {
            Some(end) => Failure::connection(end),
            None => Failure::connection("the connection is closing"),
        };
        self.received.recv().await.map_err(end)
    }

    /// From now on calls are done. One that came before waits for this, and with it what came
    /// behind it.
    pub(super) fn wrap(&self, actions: Actions<()>) {
        *self.rpc.actions.lock().unwrap_or_else(PoisonError::into_inner) = Some(actions);
        self.rpc.wrapped.0.close();
    }

    pub(super) fn is_wrapped(&self) -> bool {
        self.rpc.wrapped.0.is_closed()
    }

    /// Reports every change of the data that was not reported.
    pub(super) async fn report_data(&self) {
        self.reader.report_data().await;
    }
}

impl Reader {
    async fn report_data(&self) {
        let reported = self.reported.lock().await;
        while let Some(Ok(data)) = poll_once(reported.next_change()).await {
            let data = serde_json::Value::from(&data);
            self.report.event("remote_data", &json!({"data": data}));
        }
    }

    async fn read<R: Runtime>(self) {
        let data = self.library.clone();
        loop {
            let changed = async {
                match data.changed().await {
                    Ok(_) => Ok(None),
                    // messages that came before the end are taken still
                    Err(_) => pending().await,
                }
            };
            let received = async { self.library.receive().await.map(Some) };
            let received = or(changed, received).await;
            // the data that came before a message are told before it
            self.report_data().await;
            match received {
                Ok(None) => {}
                // an error: the connection was forgotten, and with it who would receive
                Ok(Some(Received::Message(message))) => drop(self.queue.send(message).await),
                Ok(Some(Received::Call(call))) => self.answer::<R>(call).await,
                Err(_) => break,
            }
        }
        self.report.closing();
        self.queue.close();
    }

    /// Starts a call of the tester, in order; its reply is waited for elsewhere.
    async fn answer<R: Runtime>(&self, call: Call) {
        let wrapped = async {
            // an error is the sign: it is closed
            let _ = self.rpc.wrapped.1.recv().await;
            true
        };
        let ended = async {
            self.library.ended().await;
            false
        };
        if !or(wrapped, ended).await || !self.rpc.finds(&call.action) {
            // dropped, it is refused
            return;
        }
        let (calls, report) = (self.calls.clone(), self.report.clone());
        let mut answering: Boxed<'static, ()> = Box::pin(async move {
            let args = serde_json::Value::from(&Value::Array(call.args.clone()));
            let params = json!({"action": &*call.action, "args": args});
            let called = calls.call(&report, "rpc", &params).await;
            let result = called.map(|mut reply| Value::from(reply["result"].take()));
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
        R::spawn(self.reader.clone().read::<R>());
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
