//! Tasks of a scenario whose ends it waits for.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use hat_aio::Runtime;
use hat_tests::simulated::Simulated;

struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
}

/// Runs `task` beside the caller. What this gives is ready once it is over.
pub(super) fn start<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = T> + Send {
    let slot = Arc::new(Mutex::new(Slot { value: None, waker: None }));
    let filled = slot.clone();
    Simulated::spawn(async move {
        let value = task.await;
        let waker = {
            let mut slot = filled.lock().expect("no panic");
            slot.value = Some(value);
            slot.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    });
    poll_fn(move |cx| {
        let mut slot = slot.lock().expect("no panic");
        match slot.value.take() {
            Some(value) => Poll::Ready(value),
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
}
