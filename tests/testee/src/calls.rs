//! Callbacks: what the testee asks the tester, and the answers, which come as lines of their own.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use smol::channel::{Receiver, Sender, bounded};

use crate::lines::Reply;
use crate::objects::Report;

/// What a callback comes to: a result, or the text of the exception that the test raised in it.
pub(crate) type CallResult = Result<Value, String>;

/// A member of a result; null where the result has none, or is no object.
pub(crate) fn member(mut result: Value, name: &str) -> Value {
    result.get_mut(name).map(Value::take).unwrap_or_default()
}

/// Calls that wait for their reply.
#[derive(Default)]
pub(crate) struct Calls(Mutex<State>);

#[derive(Default)]
struct State {
    last: u64,
    pending: BTreeMap<u64, Sender<CallResult>>,
}

impl Calls {
    /// Calls the tester as an object, and waits for its reply. Dropped before that, a reply is for
    /// nobody.
    pub(crate) async fn call(&self, report: &Report, name: &str, params: &Value) -> CallResult {
        let pending = self.start();
        if !report.call(pending.id, name, params) {
            return Err("the object is forgotten".into());
        }
        pending.reply.recv().await.unwrap_or_else(|_| Err("the call was dropped".into()))
    }

    /// Gives a reply to the call that waits for it, if one does.
    pub(crate) fn reply(&self, reply: Reply) {
        let waiting = self.lock().pending.remove(&reply.id);
        if let Some(waiting) = waiting {
            // an error: it waits no more
            let _ = waiting.try_send(reply.called);
        }
    }

    /// Drops all calls that wait: they fail.
    pub(crate) fn drop_all(&self) {
        self.lock().pending.clear();
    }

    fn start(&self) -> PendingCall<'_> {
        let (sender, reply) = bounded(1);
        let mut state = self.lock();
        state.last += 1;
        let id = state.last;
        state.pending.insert(id, sender);
        PendingCall { calls: self, id, reply }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that was started.
struct PendingCall<'a> {
    calls: &'a Calls,
    id: u64,
    reply: Receiver<CallResult>,
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        self.calls.lock().pending.remove(&self.id);
    }
}
