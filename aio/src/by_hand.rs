//! A runtime without any: tests poll what they test, and set the clock.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::SocketOptions;
use crate::runtime::{Runtime, Stream, Timer};

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

/// What a peer has sent, and nobody has read; what is written is gone.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<VecDeque<u8>>>);

impl Wire {
    /// The peer has sent this.
    pub(crate) fn receive(&self, sent: &[u8]) {
        self.0.lock().expect("no panic").extend(sent);
    }
}

impl Stream for Wire {
    fn poll_read(
        &mut self,
        _: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut sent = self.0.lock().expect("no panic");
        let count = sent.len().min(most);
        into.extend(sent.drain(..count));
        if count > 0 { Poll::Ready(Ok(count)) } else { Poll::Pending }
    }

    fn poll_write(
        &mut self,
        _: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(nowhere())
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(nowhere())
    }
}
