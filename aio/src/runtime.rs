//! The traits that a runtime implements, on a unit struct: no `&self`, no `dyn`, no boxed futures.

use std::future::{Future, poll_fn, ready};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use socket2::SockRef;

use crate::SocketOptions;
use crate::socket_options::SystemSocket;
#[cfg(unix)]
use crate::unix::UnixListener;
pub use crate::unix::connect_unix;
use crate::unix::unsupported;

/// Connections that may wait with the system until they are taken, 4096, or as many as it allows:
/// `net.core.somaxconn` is 4096 on Linux. One more is not refused but tries again after a second,
/// so thousands of clients that come back together would take minutes with the usual 128.
pub const BACKLOG: u16 = 4096;

/// An async runtime: its sockets, timers, clock and tasks.
pub trait Runtime: Sized + Send + Sync + 'static {
    /// A TCP connection.
    type Stream: Stream;
    /// A listening TCP socket.
    type Listener: Send + Sync + 'static;
    /// A timer.
    type Timer: Timer;

    /// Connects, from [`local_address`](SocketOptions::local_address) where there is one, and sets
    /// what [`SocketOptions::apply`] sets. Dropping the future gives the attempt up.
    fn connect(
        address: SocketAddr,
        options: &SocketOptions,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Listens, with [`BACKLOG`], and with `SO_REUSEADDR` set where that means what it does on
    /// Unix.
    fn bind(address: SocketAddr) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Takes the next connection, and sets what [`SocketOptions::apply`] sets. Cancel safe.
    fn accept(
        listener: &Self::Listener,
        options: &SocketOptions,
    ) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// The address that `listener` is bound to, with its port.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn local_addr(listener: &Self::Listener) -> io::Result<SocketAddr>;

    /// Every address that a host name stands for.
    fn resolve(host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects to the Unix socket at `path`. Dropping the future gives the attempt up. Where the
    /// queue of the server is full, this waits or gives [`WouldBlock`](io::ErrorKind::WouldBlock),
    /// and is asked again. Default: there are none.
    fn connect_unix(path: &Path) -> impl Future<Output = io::Result<Box<dyn Stream>>> + Send {
        let _ = path;
        ready(Err(unsupported()))
    }

    /// Takes the connections of `listener`. Default: there are none.
    ///
    /// # Errors
    ///
    /// Those of the system.
    #[cfg(unix)]
    fn listen_unix(
        listener: std::os::unix::net::UnixListener,
    ) -> io::Result<Box<dyn UnixListener>> {
        let _ = listener;
        Err(unsupported())
    }

    /// The time on the runtime's clock.
    fn now() -> Instant;

    /// A timer that fires at `at`, or up to [`SLACK`] later where that is far away: see [`coarse`].
    fn timer(at: Instant) -> Self::Timer;

    /// Runs `task` in the background.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);

    /// Runs `work`, which may block, on a thread where that stops no other task. Dropping the
    /// future does not stop the work.
    ///
    /// An error says that the runtime is shutting down. Where the work panics, that is an error, or
    /// the panic goes on in who waits.
    fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = io::Result<T>> + Send;

    /// A number that a peer cannot guess, another one each time: for the masks of WebSocket
    /// clients, and so that clients that lost their server do not all come back at once. Default:
    /// from the system's randomness. A runtime that simulates gives the same ones again.
    #[must_use]
    fn seed() -> u64 {
        RandomState::new().hash_one(0)
    }
}

/// A connected socket.
///
/// The driver of its connection calls it, one call at a time; what answers a single message may be
/// written by the task that sends it, with the waker of the driver and on another thread, where
/// [`may_write_here`](Self::may_write_here) allows that.
pub trait Stream: Send + Unpin + 'static {
    /// Appends what has arrived to `into`, at most `most` bytes, and gives their count: 0 is the
    /// end of the stream.
    ///
    /// Where it is pending, `into` is as it was, and another buffer may come with the next call:
    /// what is read meanwhile, by a system that completes reads, is kept by the stream.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>>;

    /// Pending where [`poll_read`](Self::poll_read) would be, and the task is woken as by that.
    /// Asked before memory is taken for a read that may find nothing. Ready says no more than that
    /// a read is worth trying. Default: ready.
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Ready(())
    }

    /// Whether something has arrived, the end of the stream or an error too, that the next reads
    /// will give, though [`poll_read`](Self::poll_read) was pending just before. Asked where a
    /// peer would be given up for its silence: a thread that was busy may not have heard from the
    /// system yet what came meanwhile. Default: `false`, for streams of which a pending read has
    /// always looked.
    ///
    /// [`has_unread`] answers this for a socket that does not block.
    ///
    /// # Errors
    ///
    /// Those of the system. The next read need not give them again.
    fn has_unread(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let _ = cx;
        Ok(false)
    }

    /// Whether this thread may write to it, and not only its driver: with the waker of the driver,
    /// outside of its task, maybe outside of the runtime. Default: no.
    fn may_write_here(&self) -> bool {
        false
    }

    /// Writes from the start of `parts` and gives how many bytes the system took. Bytes that are
    /// given are on their way without another call: a stream that buffers, or whose writes complete
    /// later, is ready once they are done.
    ///
    /// Where it is pending, the next call brings the same bytes first, and maybe more behind them:
    /// a stream may have made something of them already, as TLS does.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Ends our side; the peer may still send. Called again, it changes nothing more.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// For how long nothing may be received before the connection is given up. Default: for ever.
    /// What connects and listens here sets [`SocketOptions::idle_timeout`]; the streams of runtimes
    /// need not.
    fn idle_timeout(&self) -> Option<Duration> {
        None
    }

    /// Our address.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The peer's address.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
}

impl Stream for Box<dyn Stream> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, into, most)
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        (**self).poll_readable(cx)
    }

    fn may_write_here(&self) -> bool {
        (**self).may_write_here()
    }

    fn has_unread(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        (**self).has_unread(cx)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        (**self).poll_write(cx, parts)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_shutdown(cx)
    }

    fn idle_timeout(&self) -> Option<Duration> {
        (**self).idle_timeout()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        (**self).local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        (**self).peer_addr()
    }
}

/// Whether bytes, or the end of the stream, wait in a socket that does not block.
///
/// # Errors
///
/// Those of the system, which tells each of them once.
pub fn has_unread(socket: &impl SystemSocket) -> io::Result<bool> {
    match SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        // asked again after a moment
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

/// A timer that can be set again.
pub trait Timer: Send + Unpin + 'static {
    /// Ready once the time has come. Until then the task is woken when it comes, without another
    /// poll before that: a connection whose timer is far away does not poll it.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Fires at `at` instead, also if it has fired before.
    fn reset(&mut self, at: Instant);
}

/// Waits until `at` on the clock of `R`.
pub(crate) async fn sleep_until<R: Runtime>(at: Instant) {
    let mut timer = R::timer(at);
    poll_fn(|cx| timer.poll(cx)).await;
}

/// What a timer that is far away may be late by, 250 ms: see [`coarse`].
pub const SLACK: Duration = Duration::from_millis(250);

/// A timer is far away from 4 s on: it is late by a sixteenth of its time at most.
const COARSE: Duration = Duration::from_secs(4);

/// When a timer for `at` fires that is set `now`: where it is at least 4 s away, at the next
/// quarter of a second of this process. Pings and time limits of connections come together so: of
/// 10 000 connections that are idle but for a ping in 20 s, timers wake the process four times a
/// second instead of five hundred times.
pub fn coarse(at: Instant, now: Instant) -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();

    if at.saturating_duration_since(now) < COARSE {
        return at;
    }
    sliced(at, *START.get_or_init(|| now))
}

/// The first quarter of a second from `at` on, counted from `start`, which may be the later one on
/// a clock that tests set.
fn sliced(at: Instant, start: Instant) -> Instant {
    let slack = SLACK.as_nanos();
    let sliced = match at.checked_duration_since(start) {
        Some(after) => {
            let slices = u32::try_from(after.as_nanos().div_ceil(slack)).ok();
            slices.and_then(|slices| start.checked_add(SLACK * slices))
        }
        None => {
            let slices = u32::try_from(start.duration_since(at).as_nanos() / slack).ok();
            slices.and_then(|slices| start.checked_sub(SLACK * slices))
        }
    };
    // what is too far away to be counted is late by nothing that matters
    sliced.unwrap_or(at)
}

/// A time so far away that nothing waits for it, 30 years: clocks and timers of systems cannot name
/// every [`Duration`].
const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// The time that is `time` after `at`, or 30 years after it where that is further away: every
/// duration can be asked for, [`Duration::MAX`] too.
pub(crate) fn after(at: Instant, time: Duration) -> Instant {
    at + nameable(time)
}

/// `time`, or 30 years where it is longer: for libraries that add it to a time of a clock.
pub(crate) fn nameable(time: Duration) -> Duration {
    time.min(FAR)
}

/// Waits until `time` has passed on the clock of `R`.
pub async fn sleep<R: Runtime>(time: Duration) {
    sleep_until::<R>(after(R::now(), time)).await;
}

/// What `future` gives, or `None` if it takes longer than `time` on the clock of `R`; it is dropped
/// then.
pub async fn within<R: Runtime, T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut timer = R::timer(after(R::now(), time));
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(value));
        }
        timer.poll(cx).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_that_are_far_away_fire_together() {
        let now = Instant::now();
        let near = now + Duration::from_millis(3_999);
        assert_eq!(coarse(near, now), near);
        let mut fired: Vec<Instant> = Vec::new();
        for ms in (20_000..21_000).step_by(10) {
            let at = now + Duration::from_millis(ms);
            let fires = coarse(at, now);
            assert!(fires >= at && fires - at < SLACK, "{:?} late", fires - at);
            fired.push(fires);
        }
        fired.dedup();
        assert!((4..=5).contains(&fired.len()), "{} times", fired.len());
        assert!(coarse(now + FAR, now) >= now + FAR);
    }

    /// As those of a test whose clock stands still, after another one whose clock ran ahead.
    #[test]
    fn timers_before_the_first_one_of_the_process_fire_at_their_time() {
        let start = Instant::now() + Duration::from_secs(3600);
        for (before_ms, fires_ms) in
            [(0, 0), (1, 0), (249, 0), (250, 250), (251, 250), (3000, 3000)]
        {
            let at = start - Duration::from_millis(before_ms);
            assert_eq!(sliced(at, start), start - Duration::from_millis(fires_ms), "{before_ms}");
        }
        for (after_ms, fires_ms) in [(1, 250), (249, 250), (250, 250), (251, 500)] {
            let at = start + Duration::from_millis(after_ms);
            assert_eq!(sliced(at, start), start + Duration::from_millis(fires_ms), "{after_ms}");
        }
    }
}
