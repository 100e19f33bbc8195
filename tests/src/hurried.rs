//! A runtime whose clock runs a hundred times as fast: half a minute passes in 300 ms.

use std::marker::PhantomData;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hat_aio::Runtime;

use crate::delegating::as_inner;

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

const TIMES: u32 = 100;

/// The runtime `R` in a hurry.
pub struct Hurried<R>(PhantomData<fn() -> R>);

/// The time of `R` at which it is `at` here.
fn real(at: Instant) -> Instant {
    *ORIGIN + at.saturating_duration_since(*ORIGIN) / TIMES
}

/// A timer of a [`Hurried`] runtime.
pub struct Timer<R: Runtime>(R::Timer);

impl<R: Runtime> hat_aio::runtime::Timer for Timer<R> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll(cx)
    }

    fn reset(&mut self, at: Instant) {
        self.0.reset(real(at));
    }
}

impl<R: Runtime> Runtime for Hurried<R> {
    type Timer = Timer<R>;

    as_inner!(R: sockets, resolve, spawn, unblock);

    fn now() -> Instant {
        let passed: Duration = R::now().saturating_duration_since(*ORIGIN);
        *ORIGIN + passed * TIMES
    }

    fn timer(at: Instant) -> Timer<R> {
        Timer(R::timer(real(at)))
    }
}
