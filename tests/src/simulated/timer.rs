//! Timers on virtual time.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hat_aio::runtime::Timer;

use super::world::{Event, World};

/// The timers that there are.
#[derive(Debug, Default)]
pub(super) struct Timers {
    all: BTreeMap<u64, State>,
    next: u64,
}

#[derive(Debug)]
struct State {
    due: Duration,
    waker: Option<Waker>,
}

impl Timers {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether timer `id` is still to fire at `at`: it may have been set again since that was
    /// planned.
    pub(super) fn is_planned(&self, id: u64, at: Duration) -> bool {
        self.all.get(&id).is_some_and(|timer| timer.due == at)
    }

    /// The task that waits for timer `id`.
    pub(super) fn fire(&mut self, id: u64) -> Option<Waker> {
        self.all.get_mut(&id)?.waker.take()
    }
}

/// A timer of [`Simulated`](super::Simulated).
pub struct SimulatedTimer {
    world: World,
    id: u64,
}

impl SimulatedTimer {
    pub(super) fn new(world: World, at: Instant) -> Self {
        let id = {
            let mut inner = world.lock();
            inner.timers.next += 1;
            let id = inner.timers.next;
            inner.timers.all.insert(id, State { due: Duration::MAX, waker: None });
            id
        };
        let mut timer = Self { world, id };
        timer.reset(at);
        timer
    }
}

impl Timer for SimulatedTimer {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.world.lock();
        let now = inner.now;
        let timer = inner.timers.all.get_mut(&self.id).expect("it lives as long as this");
        if now >= timer.due {
            return Poll::Ready(());
        }
        timer.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn reset(&mut self, at: Instant) {
        let mut inner = self.world.lock();
        let late = inner.habits.lateness;
        let due = inner.virtual_time(at) + inner.random.duration(late);
        let timer = inner.timers.all.get_mut(&self.id).expect("it lives as long as this");
        timer.due = due;
        inner.plan(due, Event::Timer(self.id));
    }
}

impl Drop for SimulatedTimer {
    fn drop(&mut self) {
        self.world.lock().timers.all.remove(&self.id);
    }
}
