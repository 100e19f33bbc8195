//! What a ring has of ours: its timers, and the tasks that other threads wake.
//!
//! ```text
//! another thread ─wake─> woken, which has room for every task
//!                          └─with the first of them─> pump ─wake, on its thread─> tasks
//! ```
//!
//! compio takes wake-ups from other threads into a queue of fixed length, and who finds it full
//! spins until the ring has taken some: two rings that wake many tasks of each other could stop
//! each other for ever. So our tasks are woken by one task of their ring, the pump, which is in
//! that queue once.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use compio::runtime::Runtime;
use compio::time::sleep_until;

use crate::clock::Clock;

thread_local! {
    /// The rings of this thread, mostly one, by the numbers that the system has given them.
    static RINGS: RefCell<Vec<(RawFd, Arc<Ring>)>> = const { RefCell::new(Vec::new()) };
    /// Its address tells threads apart.
    static HERE: u8 = const { 0 };
}

pub(crate) struct Ring {
    clock: Arc<Clock>,
    woken: Mutex<Woken>,
    /// Its tasks are dropped, or about to be.
    stopped: AtomicBool,
}

#[derive(Default)]
struct Woken {
    tasks: Vec<Arc<Route>>,
    pump: Option<Waker>,
}

impl Ring {
    /// The ring that this thread is in, if it is in one.
    pub(crate) fn here() -> Option<Arc<Self>> {
        Runtime::try_with_current(Self::of).ok()
    }

    fn of(runtime: &Runtime) -> Arc<Self> {
        let number = runtime.as_raw_fd();
        let known = RINGS.with_borrow(|rings| {
            let ring = rings.iter().find(|(known, _)| *known == number);
            ring.map(|(_, ring)| ring.clone())
        });
        known.unwrap_or_else(|| {
            let ring = Arc::new(Self {
                clock: Arc::default(),
                woken: Mutex::default(),
                stopped: AtomicBool::new(false),
            });
            RINGS.with_borrow_mut(|rings| rings.push((number, ring.clone())));
            runtime.spawn(Pump { ring: ring.clone(), sleep: None }).detach();
            ring
        })
    }

    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Wakes `task` on the ring's thread. For other threads.
    fn wake(&self, task: Arc<Route>) {
        let mut woken = self.lock();
        if self.stopped.load(Ordering::Relaxed) {
            return;
        }
        woken.tasks.push(task);
        // with the first, the pump is woken; until it has run it takes what comes meanwhile too
        let pump = woken.pump.clone().filter(|_| woken.tasks.len() == 1);
        drop(woken);
        pump.iter().for_each(Waker::wake_by_ref);
    }

    /// Wakes the tasks that other threads have woken.
    fn pass_on(&self, cx: &Context<'_>) {
        let mut woken = self.lock();
        if woken.pump.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            woken.pump = Some(cx.waker().clone());
        }
        let tasks = mem::take(&mut woken.tasks);
        drop(woken);
        for task in tasks {
            // before the task runs: who wakes it from now on means another time
            task.is_passed_on.swap(false, Ordering::AcqRel);
            task.task.wake_by_ref();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Woken> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A timer of compio.
type Sleep = Pin<Box<dyn Future<Output = ()>>>;

/// The task of a ring that passes wake-ups on and fires timers.
struct Pump {
    ring: Arc<Ring>,
    /// compio's one timer, and when it fires.
    sleep: Option<(Instant, Sleep)>,
}

impl Future for Pump {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.ring.pass_on(cx);
            let Some(next) = self.ring.clock.fire(Instant::now(), cx) else {
                self.sleep = None;
                return Poll::Pending;
            };
            if self.sleep.as_ref().is_none_or(|(at, _)| *at != next) {
                self.sleep = Some((next, Box::pin(sleep_until(next))));
            }
            let (_, sleep) = self.sleep.as_mut().expect("it was just set");
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.sleep = None;
        }
    }
}

impl Drop for Pump {
    /// With all tasks of the ring.
    fn drop(&mut self) {
        // where the thread ends, its rings are gone already
        let _ = RINGS.try_with(|rings| {
            rings.borrow_mut().retain(|(_, ring)| !Arc::ptr_eq(ring, &self.ring));
        });
        let mut woken = self.ring.lock();
        self.ring.stopped.store(true, Ordering::Relaxed);
        let left = mem::take(&mut *woken);
        drop(woken);
        drop(left);
        self.ring.clock.stop();
    }
}

/// The way to a task, from wherever it is woken.
struct Route {
    /// compio's waker of it.
    task: Waker,
    ring: Arc<Ring>,
    /// The thread of the ring.
    home: usize,
    /// Another thread has woken it, which the pump has not passed on yet.
    is_passed_on: AtomicBool,
}

impl Wake for Route {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.home != here() {
            if !self.is_passed_on.swap(true, Ordering::AcqRel) {
                self.ring.wake(self.clone());
            }
        } else if !self.ring.stopped.load(Ordering::Relaxed) {
            self.task.wake_by_ref();
        }
    }
}

/// A number of this thread.
fn here() -> usize {
    HERE.with(|address| std::ptr::from_ref(address).addr())
}

/// Runs `task` on the ring of this thread, as compio's `spawn` does. However many of such tasks
/// another thread wakes at once, it never waits for this ring: use it for tasks that wait for
/// handles whose connections are on another ring.
///
/// # Panics
///
/// Outside of a `compio::runtime::Runtime`.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    let mut task = Box::pin(task);
    let mut waker: Option<(Waker, Waker)> = None;
    let routed = poll_fn(move |cx| {
        if waker.as_ref().is_none_or(|(of_compio, _)| !of_compio.will_wake(cx.waker())) {
            waker = route(cx.waker()).map(|route| (cx.waker().clone(), route));
        }
        let waker = waker.as_ref().map_or(cx.waker(), |(_, waker)| waker);
        task.as_mut().poll(&mut Context::from_waker(waker))
    });
    compio::runtime::spawn(routed).detach();
}

fn route(task: &Waker) -> Option<Waker> {
    let (task, ring) = (task.clone(), Ring::here()?);
    let is_passed_on = AtomicBool::new(false);
    Some(Waker::from(Arc::new(Route { task, ring, home: here(), is_passed_on })))
}
