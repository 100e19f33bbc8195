//! One driver, polled by hand on a clock that is set by hand.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{LazyLock, Mutex};

use bytes::BytesMut;

use super::*;
use crate::SocketOptions;

use hat_core::chatter;

thread_local! {
    /// What the clock shows since its start.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);

struct ByHand;

impl Runtime for ByHand {
    type Stream = Wire;
    type Listener = ();
    type Timer = ByHandTimer;

    async fn connect(_: SocketAddr, _: &SocketOptions) -> io::Result<Wire> {
        pending().await
    }

    async fn bind(_: SocketAddr) -> io::Result<()> {
        pending().await
    }

    async fn accept(_: &(), _: &SocketOptions) -> io::Result<(Wire, SocketAddr)> {
        pending().await
    }

    fn local_addr(_: &()) -> io::Result<SocketAddr> {
        Ok(nowhere())
    }

    async fn resolve(_: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        pending().await
    }

    fn now() -> std::time::Instant {
        *START + NOW.get()
    }

    fn timer(at: std::time::Instant) -> ByHandTimer {
        ByHandTimer(at)
    }

    fn spawn(_: impl Future<Output = ()> + Send + 'static) {}

    async fn unblock<T: Send + 'static>(_: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        pending().await
    }
}

struct ByHandTimer(std::time::Instant);

impl Timer for ByHandTimer {
    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        if ByHand::now() >= self.0 { Poll::Ready(()) } else { Poll::Pending }
    }

    fn reset(&mut self, at: std::time::Instant) {
        self.0 = at;
    }
}

/// What a peer has sent, and nobody has read; what is written is gone.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<VecDeque<u8>>>);

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

fn nowhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 1))
}

/// Chatter, whose messages nobody keeps, and how often it rested.
struct Resting {
    machine: chatter::Connection,
    rested: usize,
}

impl Session for Resting {
    type Protocol = chatter::Connection;

    const NAME: &'static str = "resting";

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

/// A message as a peer sends it.
fn message() -> Vec<u8> {
    let mut peer = chatter::Connection::new(chatter::Config::default(), Instant::ORIGIN);
    peer.send(chatter::Data::new("x", "y"), chatter::SendOptions::default()).expect("room");
    let len = peer.tx().len();
    peer.tx().copy_to_bytes(len).to_vec()
}

/// The peer sends just before each ping of ours would be due, so that we never have to send one.
#[test]
fn a_connection_rests_when_its_timer_fires_whether_or_not_it_has_to_ping() {
    let (wire, config) = (Wire::default(), chatter::Config::default());
    let session = |now| Resting { machine: chatter::Connection::new(config, now), rested: 0 };
    let shared = Shared::new::<ByHand>(nowhere(), nowhere(), session);
    let slot = ConnectionSlot::nowhere();
    let mut driver = Driver::<ByHand, _, _>::new(wire.clone(), shared.clone(), slot);
    let mut cx = Context::from_waker(Waker::noop());
    let mut turn = |seconds, sent: &[u8]| {
        NOW.set(Duration::from_secs(seconds));
        wire.0.lock().expect("no panic").extend(sent);
        assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
        shared.lock().session.rested
    };
    // pings are sent after 20 s without anything received
    assert_eq!(turn(0, b""), 0, "its first turn");
    assert_eq!(turn(15, &message()), 0, "something came");
    assert_eq!(turn(20, b""), 1, "the timer fired, and a ping is due at 35 s");
    assert_eq!(turn(30, b""), 2);
    assert_eq!(shared.lock().session.machine().tx().sent(), 0, "no ping was sent");
    assert_eq!(turn(35, b""), 3, "a ping was due");
    assert!(shared.lock().session.machine().tx().sent() > 0, "it was sent");
}
