//! A runtime whose clock a test moves on: hours pass in no time.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hat_aio::Runtime;

use crate::delegating::as_inner;

static SHIFTS: Mutex<BTreeMap<TypeId, Duration>> = Mutex::new(BTreeMap::new());

/// The runtime `R`, whose clock is ahead by what the test has let [pass](Self::pass). `Of` is any
/// type that a test declares for itself, since tests run at once.
///
/// Timers that are set already do not learn of it: whoever is to see the new time must be woken by
/// something else.
pub struct ShiftedRuntime<R, Of>(PhantomData<fn() -> (R, Of)>);

impl<R: Runtime, Of: 'static> ShiftedRuntime<R, Of> {
    /// Lets time pass.
    pub fn pass(time: Duration) {
        shift::<Self, _>(|shift| *shift += time);
    }

    fn ahead() -> Duration {
        shift::<Self, _>(|shift| *shift)
    }
}

fn shift<Of: 'static, T>(change: impl FnOnce(&mut Duration) -> T) -> T {
    let mut shifts = SHIFTS.lock().unwrap_or_else(PoisonError::into_inner);
    change(shifts.entry(TypeId::of::<Of>()).or_default())
}

/// A timer of a [`ShiftedRuntime`] runtime.
pub struct Timer<R: Runtime, Of> {
    timer: R::Timer,
    of: PhantomData<fn() -> Of>,
}

impl<R: Runtime, Of: 'static> hat_aio::runtime::Timer for Timer<R, Of> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.poll(cx)
    }

    fn reset(&mut self, at: Instant) {
        self.timer.reset(at.checked_sub(ShiftedRuntime::<R, Of>::ahead()).unwrap_or(at));
    }
}

impl<R: Runtime, Of: 'static> Runtime for ShiftedRuntime<R, Of> {
    type Timer = Timer<R, Of>;

    as_inner!(R: sockets, resolve, spawn, unblock);

    fn now() -> Instant {
        R::now() + Self::ahead()
    }

    fn timer(at: Instant) -> Timer<R, Of> {
        let timer = R::timer(at.checked_sub(Self::ahead()).unwrap_or(at));
        Timer { timer, of: PhantomData }
    }
}
