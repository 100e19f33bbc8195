//! Our streams and timers as those of hyper.

use std::future::Future;
use std::io::{self, IoSlice};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use hyper::rt::{self, ReadBufCursor, Sleep};

use super::site::UpgradeSlot;
use crate::linger::Linger;
use crate::runtime::{Runtime, Stream, Timer, after};

/// Bytes that one read takes at the most.
const READ: usize = 16 * 1024;

/// A stream as hyper wants it.
pub(super) struct ForHyper<R: Runtime, T> {
    stream: T,
    rx: BytesMut,
    /// How long the client may take nothing of what there is to write.
    stall: Duration,
    stalled: Option<R::Timer>,
    lingering: Option<Linger<R>>,
    /// Whether an upgrade was answered.
    upgrading: UpgradeSlot,
    /// The end of that answer, where the stream has no room for it. hyper forgets what it has not
    /// written once it is done with the answer.
    kept: BytesMut,
}

impl<R: Runtime, T: Stream> ForHyper<R, T> {
    pub(super) fn new(stream: T, stall: Duration, upgrading: UpgradeSlot) -> Self {
        let (rx, kept) = (BytesMut::new(), BytesMut::new());
        Self { stream, rx, stall, stalled: None, lingering: None, upgrading, kept }
    }

    /// Writes what is left of the answer to an upgrade.
    pub(super) fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.kept.is_empty() {
            let parts = [IoSlice::new(&self.kept)];
            match self.stream.poll_write(cx, &parts) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(written) => {
                    self.stalled = None;
                    self.kept.advance(written?);
                }
                Poll::Pending => return self.poll_stall(cx),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The stream takes nothing: an error once it has not for too long.
    fn poll_stall<V>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<V>> {
        let timer = self.stalled.get_or_insert_with(|| R::timer(after(R::now(), self.stall)));
        timer.poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn is_upgrading(&self) -> bool {
        self.upgrading.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn into_inner(self) -> T {
        self.stream
    }
}

impl<R: Runtime, T: Stream> rt::Read for ForHyper<R, T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.rx.clear();
        ready!(this.stream.poll_read(cx, &mut this.rx, into.remaining().min(READ)))?;
        into.put_slice(&this.rx);
        Poll::Ready(Ok(()))
    }
}

impl<R: Runtime, T: Stream> rt::Write for ForHyper<R, T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.kept.is_empty()
            && let Poll::Ready(written) = this.stream.poll_write(cx, parts)
        {
            this.stalled = None;
            return Poll::Ready(written);
        }
        if !this.is_upgrading() {
            return this.poll_stall(cx);
        }
        // no more than hyper's buffer has
        parts.iter().for_each(|part| this.kept.extend_from_slice(part));
        Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            match this.stream.poll_shutdown(cx) {
                Poll::Ready(ended) => ended?,
                // the end of TLS has to be written too, and the client may not read
                Poll::Pending => return this.poll_stall(cx),
            }
        }
        this.lingering.get_or_insert_with(Linger::new).poll(cx, &mut this.stream).map(Ok)
    }
}

// nothing is pinned in place: the timers and the stream are `Unpin`
impl<R: Runtime, T> Unpin for ForHyper<R, T> {}

/// A runtime's timers as hyper wants them.
pub(super) struct HyperTimer<R>(PhantomData<R>);

impl<R> HyperTimer<R> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

/// The lock is never contended: it makes `Sync` what hyper wants `Sync`, and polls through `&mut`.
struct HyperSleep<T>(Mutex<T>);

impl<T: Timer> Future for HyperSleep<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).poll(cx)
    }
}

impl<T: Timer> Sleep for HyperSleep<T> {}

impl<R: Runtime> rt::Timer for HyperTimer<R> {
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(after(R::now(), time))
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(HyperSleep(Mutex::new(R::timer(at))))
    }

    fn now(&self) -> Instant {
        R::now()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use hyper::rt::Write as _;

    use super::*;
    use crate::by_hand::{ByHand, Wire, set_clock};

    #[test]
    fn a_client_that_does_not_take_the_end_of_tls_is_not_waited_for() {
        let (wire, stall) = (Wire::default(), Duration::from_secs(30));
        let mut stream = ForHyper::<ByHand, _>::new(wire.clone(), stall, UpgradeSlot::default());
        let mut cx = Context::from_waker(Waker::noop());
        let mut ended_at = |seconds| {
            set_clock(Duration::from_secs(seconds));
            Pin::new(&mut stream).poll_shutdown(&mut cx)
        };
        wire.fill(true);
        assert!(ended_at(0).is_pending() && ended_at(29).is_pending());
        let Poll::Ready(Err(error)) = ended_at(31) else { panic!("it is waited for") };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
