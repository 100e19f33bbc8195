//! One session: requests are started in the order of their lines, and then run at once.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hat_aio::Runtime;
use hat_aio::runtime::Timer;
use hat_core::chatter::Dialect;
use serde_json::{Value, json};

use crate::answer::{Failure, Outcome};
use crate::calls::Calls;
use crate::iso::Layer;
use crate::lines::{self, Line, PROTOCOL, Request};
use crate::objects::{Boxed, Object, Objects};
use crate::params::Params;
use crate::{chatter, eventer, iso, juggler, juggler05};

/// The layers that are there.
const LAYERS: [&str; 7] =
    ["chatter", "chatter05", "eventer", "tpkt", "cotp", "juggler", "juggler05"];

/// How long `reset` waits for objects to close: one whose peer never reads must not hold up the
/// next test.
const RESET_TIME: Duration = Duration::from_secs(2);

/// What lives as long as the process.
pub(crate) struct Session {
    implementation: String,
    pub(crate) objects: Objects,
    pub(crate) calls: Arc<Calls>,
}

impl Session {
    pub(crate) fn new(implementation: String) -> Arc<Self> {
        let (objects, calls) = (Objects::default(), Arc::default());
        Arc::new(Self { implementation, objects, calls })
    }

    /// Starts what a line asks for.
    pub(crate) fn process<R: Runtime>(self: &Arc<Self>, line: &[u8]) {
        match Line::parse(line) {
            Some(Line::Request(request)) => self.start::<R>(request),
            Some(Line::Reply(reply)) => self.calls.reply(reply),
            None if line.is_empty() => {}
            None => eprintln!("not a line of the protocol: {}", String::from_utf8_lossy(line)),
        }
    }

    fn start<R: Runtime>(self: &Arc<Self>, request: Request) {
        let Request { id, method, params } = request;
        let session = self.clone();
        let mut request: Boxed<'static, ()> = Box::pin(async move {
            let outcome = session.execute::<R>(&method, &params).await;
            lines::respond(&id, outcome);
        });
        // the first step is taken here, so that requests start in order; a task takes the others,
        // and its first asks anew
        let started = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if started.is_pending() {
            R::spawn(request);
        }
    }

    async fn execute<R: Runtime>(self: &Arc<Self>, method: &str, params: &Params) -> Outcome {
        match method.split_once('.') {
            None if method == "hello" => Ok(self.hello().into()),
            None if method == "reset" => self.reset::<R>().await,
            None if method == "close" => self.close(params.handle()?).await,
            Some(("chatter", name)) => {
                chatter::call::<R>(self, Dialect::HatChatter, name, params).await
            }
            Some(("chatter05", name)) => chatter::call::<R>(self, Dialect::Hat, name, params).await,
            Some(("tpkt", name)) => iso::call::<R>(self, Layer::Tpkt, name, params).await,
            Some(("cotp", name)) => iso::call::<R>(self, Layer::Cotp, name, params).await,
            Some(("eventer", name)) => eventer::call::<R>(self, name, params).await,
            Some(("juggler", name)) => juggler::call::<R>(self, name, params).await,
            Some(("juggler05", name)) => juggler05::call::<R>(self, name, params).await,
            _ => Err(Failure::unsupported(method)),
        }
    }

    /// The object that a request is about, if it is not closed.
    pub(crate) fn open<T: Object>(&self, params: &Params) -> Result<Arc<T>, Failure> {
        let object: Arc<T> = self.objects.find(params.handle()?)?;
        if object.report().is_closed() {
            return Err(Failure::connection("closed object"));
        }
        Ok(object)
    }

    fn hello(&self) -> Value {
        json!({"protocol": PROTOCOL, "impl": self.implementation, "features": LAYERS})
    }

    async fn close(&self, handle: u64) -> Outcome {
        let object = self.objects.any(handle)?;
        object.report().closing();
        object.close().await;
        object.report().closed();
        Ok(Value::Null.into())
    }

    async fn reset<R: Runtime>(&self) -> Outcome {
        let objects = self.objects.forget();
        // after which no call is written
        self.calls.drop_all();
        let mut closing: Vec<_> = objects.iter().map(|object| object.close()).collect();
        let mut timer = R::timer(R::now() + RESET_TIME);
        std::future::poll_fn(|cx| {
            closing.retain_mut(|closing| closing.as_mut().poll(cx).is_pending());
            if closing.is_empty() { Poll::Ready(()) } else { timer.poll(cx) }
        })
        .await;
        Ok(Value::Null.into())
    }
}
