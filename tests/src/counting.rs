//! A runtime whose tasks are counted: a test that ends with none has left nothing behind.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use hat_aio::Runtime;

use crate::delegating::as_inner;

static RUNNING: Mutex<BTreeMap<TypeId, usize>> = Mutex::new(BTreeMap::new());

/// The runtime `R`, with the tasks of `Of` counted: any type that a test declares for itself, since
/// tests run at once.
pub struct CountingRuntime<R, Of>(PhantomData<fn() -> (R, Of)>);

impl<R: Runtime, Of: 'static> CountingRuntime<R, Of> {
    /// Tasks that were spawned and have not ended.
    pub fn tasks() -> usize {
        with::<Self, _>(|count| *count)
    }
}

fn with<Of: 'static, T>(change: impl FnOnce(&mut usize) -> T) -> T {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    change(running.entry(TypeId::of::<Of>()).or_default())
}

/// Counts a task for as long as it lives, also where it panics.
struct Task<Of: 'static>(PhantomData<fn() -> Of>);

impl<Of: 'static> Task<Of> {
    fn started() -> Self {
        with::<Of, _>(|count| *count += 1);
        Self(PhantomData)
    }
}

impl<Of: 'static> Drop for Task<Of> {
    fn drop(&mut self) {
        with::<Of, _>(|count| *count -= 1);
    }
}

impl<R: Runtime, Of: 'static> Runtime for CountingRuntime<R, Of> {
    as_inner!(R: sockets, resolve, clock, unblock);

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        let counted = Task::<Self>::started();
        R::spawn(async move {
            // dropped after the task, and all that it holds
            let _counted = counted;
            task.await;
        });
    }
}
