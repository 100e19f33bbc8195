//! The end of a connection after its last write: waiting until the peer ends its side too.
//!
//! A socket that is closed while something unread is in it may throw away what it wrote last. So
//! what still comes is read and forgotten, for a while.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;

use crate::runtime::{Runtime, Stream, Timer};

/// How long the peer has to end its side, 500 ms: several round trips over a slow line.
const TIME: Duration = Duration::from_millis(500);

/// Bytes that are read at a time.
const READ: usize = 16 * 1024;

/// Reads before other tasks have their turn.
const BUDGET: usize = 16;

/// Waits for the peer's end, once ours is written.
pub(crate) struct Linger<R: Runtime> {
    timer: R::Timer,
    forgotten: BytesMut,
}

impl<R: Runtime> Linger<R> {
    /// The time begins.
    pub(crate) fn new() -> Self {
        Self { timer: R::timer(R::now() + TIME), forgotten: BytesMut::new() }
    }

    /// Ready once the peer has ended its side, the stream has failed, or the time is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, stream: &mut dyn Stream) -> Poll<()> {
        if self.timer.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        for _ in 0..BUDGET {
            self.forgotten.clear();
            match ready!(stream.poll_read(cx, &mut self.forgotten, READ)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
