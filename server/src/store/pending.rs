//! Work that a thread does while a future waits for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{AppendError, Session};

/// What became of an append. A future on any runtime; [`wait`](Self::wait) for a thread that may
/// block.
///
/// Dropping it does not stop the append.
#[derive(Debug)]
pub struct Pending(Arc<Slot>);

/// The other end, for who does it. Dropped without a word, it says that the log is closed.
#[derive(Debug)]
pub(crate) struct Promise(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

type Outcome = Result<Option<Arc<Session>>, AppendError>;

/// Two ends of one thing.
pub(crate) fn pending() -> (Promise, Pending) {
    let slot = Arc::new(Slot::default());
    (Promise(slot.clone()), Pending(slot))
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, outcome: Outcome) {
        let mut state = self.lock();
        if state.outcome.is_none() {
            state.outcome = Some(outcome);
        }
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Promise {
    pub(crate) fn settle(self, outcome: Outcome) {
        self.0.settle(outcome);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.settle(Err(AppendError::Closed));
    }
}

impl Pending {
    /// One that is settled already.
    pub(crate) fn settled(outcome: Outcome) -> Self {
        let (promise, pending) = pending();
        promise.settle(outcome);
        pending
    }

    /// Blocks the thread until it is settled.
    ///
    /// # Errors
    ///
    /// [`AppendError`].
    pub fn wait(self) -> Outcome {
        let mut state = self.0.lock();
        loop {
            if let Some(outcome) = &state.outcome {
                return outcome.clone();
            }
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Future for Pending {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.0.lock();
        match &state.outcome {
            Some(outcome) => Poll::Ready(outcome.clone()),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
