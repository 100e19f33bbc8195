//! A runtime without any: tests poll what they test, set the clock, and are the other end of each
//! connection.

mod end;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::SocketOptions;
use crate::runtime::{Runtime, Stream, Timer};

pub(crate) use self::end::{End, Woken, message};

thread_local! {
    /// What the clock shows since its start.
    static CLOCK: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// Where a connection was tried, in order.
    static TRIED: RefCell<Vec<SocketAddr>> = const { RefCell::new(Vec::new()) };
}

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Sets the clock, to the time since its start.
pub(crate) fn set_clock(time: Duration) {
    CLOCK.set(time);
}

/// Where this test tried to connect, in order.
pub(crate) fn tried() -> Vec<SocketAddr> {
    TRIED.with_borrow(Clone::clone)
}

/// An address of nobody.
pub(crate) fn nowhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 1))
}

pub(crate) struct ByHand;

impl Runtime for ByHand {
    type Stream = Wire;
    type Listener = ();
    type Timer = ByHandTimer;

    /// Nobody answers.
    async fn connect(address: SocketAddr, _: &SocketOptions) -> io::Result<Wire> {
        TRIED.with_borrow_mut(|tried| tried.push(address));
        pending().await
    }

    async fn bind(_: SocketAddr) -> io::Result<()> {
        pending().await
    }

    async fn accept((): &(), _: &SocketOptions) -> io::Result<(Wire, SocketAddr)> {
        pending().await
    }

    fn local_addr((): &()) -> io::Result<SocketAddr> {
        Ok(nowhere())
    }

    async fn resolve(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        pending().await
    }

    fn now() -> Instant {
        *START + CLOCK.get()
    }

    fn timer(at: Instant) -> ByHandTimer {
        ByHandTimer(at)
    }

    fn spawn(_: impl Future<Output = ()> + Send + 'static) {}

    async fn unblock<T: Send + 'static>(_: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        pending().await
    }
}

/// Late by a moment, as timers are.
pub(crate) struct ByHandTimer(Instant);

impl Timer for ByHandTimer {
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        if ByHand::now() > self.0 { Poll::Ready(()) } else { Poll::Pending }
    }

    fn reset(&mut self, at: Instant) {
        self.0 = at;
    }
}

/// A connection of which the other end is the test.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<WireState>>);

#[derive(Default)]
struct WireState {
    /// What the peer has sent, and nobody has read.
    sent: VecDeque<u8>,
    written: usize,
    /// The runtime has not heard of it yet.
    is_unheard: bool,
    is_full: bool,
    is_elsewhere: bool,
    fails: Option<io::ErrorKind>,
    is_reset: bool,
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, WireState> {
        self.0.lock().expect("no panic")
    }

    /// The peer has sent this.
    pub(crate) fn receive(&self, sent: &[u8]) {
        self.state().sent.extend(sent);
    }

    /// The runtime has not heard of what was sent, or has.
    pub(crate) fn unhear(&self, is_unheard: bool) {
        self.state().is_unheard = is_unheard;
    }

    /// Whether all that was sent was read.
    pub(crate) fn is_read(&self) -> bool {
        self.state().sent.is_empty()
    }

    /// Bytes that were written.
    pub(crate) fn written(&self) -> usize {
        self.state().written
    }

    /// The peer does not read, or does again.
    pub(crate) fn fill(&self, is_full: bool) {
        self.state().is_full = is_full;
    }

    /// Writes fail from now on.
    pub(crate) fn fail(&self, kind: io::ErrorKind) {
        self.state().fails = Some(kind);
    }

    /// Writes succeed again.
    pub(crate) fn recover(&self) {
        self.state().fails = None;
    }

    /// Reads fail from now on.
    pub(crate) fn reset(&self) {
        self.state().is_reset = true;
    }

    /// It belongs to another thread.
    pub(crate) fn move_elsewhere(&self) {
        self.state().is_elsewhere = true;
    }
}

impl Stream for Wire {
    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        if state.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if state.is_unheard {
            return Poll::Pending;
        }
        let sent = &mut state.sent;
        let count = sent.len().min(most);
        into.extend(sent.drain(..count));
        if count > 0 { Poll::Ready(Ok(count)) } else { Poll::Pending }
    }

    fn has_unread(&mut self, _: &mut Context<'_>) -> io::Result<bool> {
        Ok(!self.state().sent.is_empty())
    }

    fn may_write_here(&self) -> bool {
        !self.state().is_elsewhere
    }

    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = parts.iter().map(|part| part.len()).sum();
        assert!(count > 0, "a write of nothing");
        let mut state = self.state();
        if let Some(kind) = state.fails {
            return Poll::Ready(Err(kind.into()));
        }
        if state.is_full {
            return Poll::Pending;
        }
        state.written += count;
        Poll::Ready(Ok(count))
    }

    /// As that of TLS, which has something to write.
    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.state().is_full { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(nowhere())
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(nowhere())
    }
}
