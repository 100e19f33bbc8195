use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use compio::time::sleep_until;
use hat_aio::runtime::Timer;
use send_wrapper::SendWrapper;

/// A compio timer.
pub struct CompioTimer {
    at: Instant,
    /// None once it has fired.
    sleep: Option<SendWrapper<Pin<Box<dyn Future<Output = ()>>>>>,
}

impl CompioTimer {
    pub(crate) fn new(at: Instant) -> Self {
        Self { at, sleep: Some(SendWrapper::new(Box::pin(sleep_until(at)))) }
    }
}

impl Timer for CompioTimer {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(sleep) = &mut self.sleep {
            std::task::ready!(sleep.as_mut().poll(cx));
            self.sleep = None;
        }
        Poll::Ready(())
    }

    fn reset(&mut self, at: Instant) {
        *self = Self::new(at);
    }
}

impl fmt::Debug for CompioTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompioTimer").field("at", &self.at).finish_non_exhaustive()
    }
}
