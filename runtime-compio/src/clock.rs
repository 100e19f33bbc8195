//! Timers by their time, of one ring or of the threads that have none.
//!
//! compio's own are found in an ordered map with each poll, and the map is cut in two with each
//! turn of its loop: with ten thousand connections, a timer each, that was a good part of the work.
//! Here a timer that is polled looks at its own place, and compio has one for all of them.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use crate::ring::Ring;

/// When a timer fires; the number tells those of one time apart.
type Key = (Instant, u64);

/// Fires timers, as often as somebody asks it to.
#[derive(Default)]
pub(crate) struct Clock(Mutex<Timers>);

#[derive(Default)]
struct Timers {
    waiting: BTreeMap<Key, Arc<Mutex<Place>>>,
    last: u64,
    /// Who asks: woken when a timer comes that is to fire before all others.
    asking: Option<Waker>,
    /// Nobody asks any more.
    stopped: bool,
}

/// What became of a timer.
enum Place {
    Waiting(Option<Waker>),
    Fired,
    /// Its clock has stopped: another one must fire it.
    Stopped,
}

/// A timer that waits with a clock.
pub(crate) struct Waiting {
    clock: Arc<Clock>,
    key: Key,
    place: Arc<Mutex<Place>>,
}

impl Clock {
    /// The one of the ring that this thread is in, or of all threads that are in none.
    pub(crate) fn here() -> Arc<Self> {
        match Ring::here() {
            Some(ring) => ring.clock().clone(),
            None => elsewhere().clone(),
        }
    }

    /// A timer that fires at `at`; `None` where this clock has stopped.
    pub(crate) fn wait(self: &Arc<Self>, at: Instant) -> Option<Waiting> {
        let mut timers = self.lock();
        if timers.stopped {
            return None;
        }
        timers.last += 1;
        let (key, place) = ((at, timers.last), Arc::new(Mutex::new(Place::Waiting(None))));
        timers.waiting.insert(key, place.clone());
        let is_first = timers.waiting.first_key_value().is_some_and(|(first, _)| *first == key);
        let asking = timers.asking.clone().filter(|_| is_first);
        drop(timers);
        asking.iter().for_each(Waker::wake_by_ref);
        Some(Waiting { clock: self.clone(), key, place })
    }

    /// Fires the timers whose time has come by `now`, and gives the time of the next one. The
    /// task of `cx` is woken if one comes that is to fire before that.
    pub(crate) fn fire(&self, now: Instant, cx: &Context<'_>) -> Option<Instant> {
        let mut fired = Vec::new();
        let mut timers = self.lock();
        while let Some(first) = timers.waiting.first_entry()
            && first.key().0 <= now
        {
            fired.push(first.remove());
        }
        let next = timers.waiting.first_key_value().map(|((at, _), _)| *at);
        if timers.asking.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            timers.asking = Some(cx.waker().clone());
        }
        drop(timers);
        fired.into_iter().for_each(|place| end(&place, Place::Fired));
        next
    }

    /// Nobody will ask again.
    pub(crate) fn stop(&self) {
        let mut timers = self.lock();
        timers.stopped = true;
        timers.asking = None;
        let left = mem::take(&mut timers.waiting);
        drop(timers);
        left.into_values().for_each(|place| end(&place, Place::Stopped));
    }

    fn lock(&self) -> MutexGuard<'_, Timers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Ready once it has fired, with `true`, or its clock has stopped.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<bool> {
        match &mut *lock(&self.place) {
            Place::Fired => Poll::Ready(true),
            Place::Stopped => Poll::Ready(false),
            Place::Waiting(waker) => {
                if waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.clock.lock().waiting.remove(&self.key);
    }
}

fn end(place: &Mutex<Place>, how: Place) {
    let before = mem::replace(&mut *lock(place), how);
    if let Place::Waiting(Some(waker)) = before {
        waker.wake();
    }
}

fn lock(place: &Mutex<Place>) -> MutexGuard<'_, Place> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The clock of threads without a ring, with a thread of its own from the first timer on.
fn elsewhere() -> &'static Arc<Clock> {
    static CLOCK: OnceLock<Arc<Clock>> = OnceLock::new();
    CLOCK.get_or_init(|| {
        let clock = Arc::new(Clock::default());
        let asked = clock.clone();
        let spawned = thread::Builder::new().name("hat-clock".to_owned()).spawn(move || {
            let waker = Waker::from(Arc::new(Unpark(thread::current())));
            loop {
                let now = Instant::now();
                match asked.fire(now, &Context::from_waker(&waker)) {
                    Some(at) => thread::park_timeout(at.saturating_duration_since(now)),
                    None => thread::park(),
                }
            }
        });
        spawned.expect("the system starts a thread");
        clock
    })
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
