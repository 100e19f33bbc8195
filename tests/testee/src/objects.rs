//! Handles: what stands behind each, and what was reported of it.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::answer::Failure;
use crate::lines;

/// A future that is passed on.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a handle stands for: a connection, a client, a server.
pub(crate) trait Object: Any + Send + Sync {
    /// What was reported of it.
    fn report(&self) -> &Report;

    /// Closes it, and waits for that. All that depends on it has reported its end then.
    fn close(&self) -> Boxed<'_, ()>;
}

/// Every object of a session. Closed ones stay until the next `reset`: what they received can still
/// be asked for.
#[derive(Default)]
pub(crate) struct Objects(Mutex<State>);

#[derive(Default)]
struct State {
    last: u64,
    objects: BTreeMap<u64, Arc<dyn Object>>,
}

impl Objects {
    /// A report with a handle that was never used before.
    pub(crate) fn new_report(&self) -> Arc<Report> {
        let mut state = self.lock();
        state.last += 1;
        Arc::new(Report { handle: state.last, phase: Mutex::new(Phase::Open) })
    }

    /// Makes an object known by the handle of its report.
    pub(crate) fn insert(&self, object: Arc<dyn Object>) {
        self.lock().objects.insert(object.report().handle, object);
    }

    /// Forgets one object.
    pub(crate) fn remove(&self, handle: u64) {
        self.lock().objects.remove(&handle);
    }

    pub(crate) fn any(&self, handle: u64) -> Result<Arc<dyn Object>, Failure> {
        let object = self.lock().objects.get(&handle).cloned();
        object.ok_or_else(|| Failure::connection("unknown object"))
    }

    /// The object, if it is a `T`.
    pub(crate) fn find<T: Object>(&self, handle: u64) -> Result<Arc<T>, Failure> {
        let object: Arc<dyn Any + Send + Sync> = self.any(handle)?;
        object.downcast().map_err(|_| Failure::value("the object is of another kind"))
    }

    /// Forgets all objects, which report nothing any more, and gives them.
    pub(crate) fn forget(&self) -> Vec<Arc<dyn Object>> {
        let objects: Vec<_> = std::mem::take(&mut self.lock().objects).into_values().collect();
        for object in &objects {
            *object.report().lock() = Phase::Forgotten;
        }
        objects
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was reported of one object: `closing` and then `closed`, each once.
pub(crate) struct Report {
    pub(crate) handle: u64,
    phase: Mutex<Phase>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Closing,
    Closed,
    Forgotten,
}

impl Report {
    /// Reports an event, unless the object was forgotten; says whether it did.
    pub(crate) fn event(&self, name: &str, params: &Value) -> bool {
        self.write(|| lines::event(self.handle, name, params))
    }

    /// Calls the tester, unless the object was forgotten; says whether it did.
    pub(crate) fn call(&self, id: u64, name: &str, params: &Value) -> bool {
        self.write(|| lines::call(id, self.handle, name, params))
    }

    fn write(&self, write: impl FnOnce()) -> bool {
        // under the lock: after the return of `forget` nothing is written
        let phase = self.lock();
        let known = *phase != Phase::Forgotten;
        if known {
            write();
        }
        known
    }

    /// Reports that the object starts to close, unless that was done.
    pub(crate) fn closing(&self) {
        self.start_closing(&mut self.lock());
    }

    /// Reports that the object is closed, unless that was done.
    pub(crate) fn closed(&self) {
        let mut phase = self.lock();
        self.start_closing(&mut phase);
        if *phase == Phase::Closing {
            *phase = Phase::Closed;
            lines::event(self.handle, "closed", &json!({}));
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(*self.lock(), Phase::Closed | Phase::Forgotten)
    }

    pub(crate) fn is_forgotten(&self) -> bool {
        *self.lock() == Phase::Forgotten
    }

    /// The line is written before the lock is released: who finds it reported can rely on that.
    fn start_closing(&self, phase: &mut Phase) {
        if *phase == Phase::Open {
            *phase = Phase::Closing;
            lines::event(self.handle, "closing", &json!({}));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
