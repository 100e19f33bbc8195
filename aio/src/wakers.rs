use std::task::{Context, Waker};

/// Tasks that wait for the same thing.
#[derive(Debug, Default)]
pub(crate) struct WakerSet(Vec<Waker>);

impl WakerSet {
    /// The task of `cx` waits, from now until the next [`wake`](Self::wake). A task that waits already is not
    /// added again, so the set is never larger than the number of tasks.
    pub(crate) fn add(&mut self, cx: &Context<'_>) {
        if !self.0.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.0.push(cx.waker().clone());
        }
    }

    /// Moves all tasks to `list`, to be woken when the lock is released.
    pub(crate) fn wake(&mut self, list: &mut Vec<Waker>) {
        list.append(&mut self.0);
    }
}
