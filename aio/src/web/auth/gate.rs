//! A gate that lets a number of tasks through at a time, and makes the others wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::super::super::wakers::{Place, WakerSet, wait_in};

/// Lets tasks through as long as not too many are inside.
#[derive(Debug)]
pub(super) struct Gate(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    waiting: WakerSet,
}

/// Someone inside; dropped, there is room for another.
#[derive(Debug)]
pub(super) struct Permit(Arc<Gate>);

impl Gate {
    pub(super) fn new(room: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free: room, waiting: WakerSet::default() })))
    }

    /// Waits until there is room. Cancel safe.
    pub(super) async fn enter(self: &Arc<Self>) -> Permit {
        let poll = |cx: &mut Context<'_>, place: &mut Place| {
            let mut state = self.lock();
            if state.free == 0 {
                state.waiting.add(cx, place);
                return Poll::Pending;
            }
            state.free -= 1;
            Poll::Ready(Permit(self.clone()))
        };
        wait_in(poll, |place| self.lock().waiting.leave(place)).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut wake = Vec::new();
        {
            let mut state = self.0.lock();
            state.free += 1;
            state.waiting.wake(&mut wake);
        }
        wake.into_iter().for_each(Waker::wake);
    }
}
