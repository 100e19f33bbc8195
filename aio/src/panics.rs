//! Handlers that panic: their task ends what they began before it unwinds.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

/// What `future` gives, or what it panicked with.
pub(crate) async fn catching<T>(
    mut future: Pin<&mut impl Future<Output = T>>,
) -> std::thread::Result<T> {
    poll_fn(|cx| {
        // it is not polled again, and what it shares is behind locks
        let poll = AssertUnwindSafe(|| future.as_mut().poll(cx));
        match catch_unwind(poll) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}
