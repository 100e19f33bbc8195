//! A runtime without any: tests poll what they test, and set the clock.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, pending};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use hat_core::chatter;
use hat_core::protocol::Protocol;

use crate::SocketOptions;
use crate::driver::Driver;
use crate::runtime::{Runtime, Stream, Timer};
use crate::shared::{ConnectionSlot, Delivered, Session, Shared};

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
        let sent = &mut state.sent;
        let count = sent.len().min(most);
        into.extend(sent.drain(..count));
        if count > 0 { Poll::Ready(Ok(count)) } else { Poll::Pending }
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

/// Chatter, whose messages nobody keeps.
pub(crate) struct Forgetful {
    pub(crate) machine: chatter::Connection,
    /// How often it gave memory back.
    pub(crate) rested: usize,
}

impl Session for Forgetful {
    type Protocol = chatter::Connection;

    const NAME: &'static str = "forgetful";

    fn machine(&mut self) -> &mut chatter::Connection {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        true
    }

    fn rest(&mut self) {
        self.rested += 1;
    }

    fn deliver(&mut self, _: chatter::Incoming, _: usize) -> Delivered {
        Delivered::Inbox
    }
}

/// One end of a connection, whose driver has its turns by hand.
pub(crate) struct End {
    pub(crate) wire: Wire,
    pub(crate) shared: Arc<Shared<Forgetful>>,
    driver: Driver<ByHand, Forgetful>,
    woken: Arc<Woken>,
}

impl End {
    pub(crate) fn new() -> Self {
        let (wire, config) = (Wire::default(), chatter::Config::default());
        let session = |now| Forgetful { machine: chatter::Connection::new(config, now), rested: 0 };
        let shared = Shared::new::<ByHand>(wire.clone(), session).expect("it has addresses");
        let driver = Driver::new(shared.clone(), ConnectionSlot::nowhere());
        Self { wire, shared, driver, woken: Arc::default() }
    }

    /// The driver has its turn.
    pub(crate) fn turn(&mut self) {
        self.is_woken();
        let waker = Waker::from(self.woken.clone());
        let _ = Pin::new(&mut self.driver).poll(&mut Context::from_waker(&waker));
    }

    /// Whether the driver was woken since the last time.
    pub(crate) fn is_woken(&self) -> bool {
        self.woken.take()
    }
}

/// Whether a task was woken.
#[derive(Default)]
pub(crate) struct Woken(AtomicBool);

impl Woken {
    /// Since the last time.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A message as a peer sends it.
pub(crate) fn message() -> Vec<u8> {
    let mut peer =
        chatter::Connection::new(chatter::Config::default(), hat_core::time::Instant::ORIGIN);
    peer.send(chatter::Data::new("x", "y"), chatter::SendOptions::default()).expect("room");
    let len = peer.tx().len();
    peer.tx().copy_to_bytes(len).to_vec()
}
