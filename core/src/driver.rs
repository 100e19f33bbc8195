//! A machine on a socket, for event loops of your own: blocking loops, and loops that are notified
//! when a socket is ready.
//!
//! ```text
//!            readiness                               blocking
//!   wait for sockets, or `deadline`       loop {
//!   `ready` where one can be read             `wait(now)` gives what came next
//!   `next(now)` until it gives `None`     }
//! ```
//!
//! It is the run loop of [the crate's front page](crate), with the system's sockets and without a
//! clock: the caller says what time it is. It reads only what the machine needs, and writes as far
//! as the socket takes it. What runs on an async runtime is in `hat-aio`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::buffer::RecvBuf;
use crate::protocol::Protocol;
use crate::time::Instant;

/// What one read takes, in bytes.
const READ: usize = 16 * 1024;

/// The shortest wait for bytes. None at all would mean no limit to the system, and shorter ones are
/// busy loops.
const SHORTEST: Duration = Duration::from_millis(1);

/// A loop that is this much later than a deadline was busy elsewhere, or did not run: a machine
/// that waits for its peer is told for how long.
const LATE: Duration = Duration::from_secs(1);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Error<E: core::error::Error> {
    /// The machine says so. What it had left to say was written as far as the socket took it at
    /// once; the rest is in [`tx`](Protocol::tx): [`Driver::flush`] writes it.
    #[error(transparent)]
    Protocol(E),
    /// The socket failed. What had come before was given.
    #[error("the socket failed: {0}")]
    Io(#[from] io::Error),
}

/// A machine, its socket, and what was read and not taken yet.
///
/// Event loops of both kinds are in the crate's examples: `eventer_mio` and `eventer_blocking`.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Instant as Clock;
///
/// use hat_core::chatter::{Config, Connection, Data, Incoming, SendOptions};
/// use hat_core::driver::Driver;
/// use hat_core::time::Instant;
///
/// let start = Clock::now();
/// let now = move || Instant::from_origin(start.elapsed());
/// let listener = TcpListener::bind("127.0.0.1:0")?;
///
/// let socket = TcpStream::connect(listener.local_addr()?)?;
/// let mut one = Driver::new(Connection::new(Config::default(), now()), socket);
/// let (socket, _) = listener.accept()?;
/// let mut other = Driver::new(Connection::new(Config::default(), now()), socket);
///
/// one.machine().send(Data::new("T", &b"hello"[..]), SendOptions::default())?;
/// one.flush()?;
/// match other.wait(now)? {
///     Some(Incoming::Message(message)) => assert_eq!(message.data.data, "hello"),
///     more => panic!("{more:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Driver<M, S> {
    machine: M,
    socket: S,
    rx: RecvBuf,
    /// Loops tell once that a socket can be read: it stays so until a read finds nothing.
    readable: bool,
    /// Bytes that the machine needs, by its last answer.
    missing: usize,
    /// The socket took no more: what was sent before may still come.
    failed: Option<io::Error>,
    /// When the machine was asked last.
    polled: Option<Instant>,
}

impl<M: Protocol, S: Read + Write> Driver<M, S> {
    /// For a socket that is connected. It may be blocking or not; see [`next`](Self::next) and
    /// [`wait`](Self::wait).
    pub fn new(machine: M, socket: S) -> Self {
        let rx = RecvBuf::new();
        Self { machine, socket, rx, readable: true, missing: 0, failed: None, polled: None }
    }

    /// The machine: its methods are what an application does. What they queue is written by the
    /// next call here.
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// The socket, to be registered with a loop, say.
    pub fn socket(&mut self) -> &mut S {
        &mut self.socket
    }

    /// The machine and its socket, and what was read and not taken: for who goes on without a
    /// driver.
    pub fn into_parts(self) -> (M, S, RecvBuf) {
        (self.machine, self.socket, self.rx)
    }

    /// When [`next`](Self::next) must be called even if the socket is not ready. `None` means
    /// never.
    pub fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    /// For loops that are told when a socket can be read: now it can.
    pub fn ready(&mut self) {
        self.readable = true;
    }

    /// For sockets that do not block: reads, polls and writes until something came for the
    /// application; `None` once nothing moves before the socket is [`ready`](Self::ready) or can be
    /// written, the [`deadline`](Self::deadline) passes, or the application calls the machine. Call
    /// it until then.
    ///
    /// # Errors
    ///
    /// [`Error`]: the connection is over, and the socket can go.
    pub fn next(&mut self, now: Instant) -> Result<Option<M::Incoming>, Error<M::Error>> {
        self.tell_lateness(now);
        loop {
            // before the machine is asked: an answer that a deadline waits for may lie in the
            // socket
            let read = self.readable && self.missing > 0 && self.read()?;
            if let Some(incoming) = self.poll(now)? {
                return Ok(Some(incoming));
            }
            let wrote = self.write();
            let more = self.readable && self.missing > 0;
            if !read && !wrote && !more {
                return self.failed.take().map_or(Ok(None), |error| Err(error.into()));
            }
        }
    }

    /// Writes what is queued: all of it where the socket blocks, what it takes at once where it
    /// does not.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn flush(&mut self) -> io::Result<()> {
        self.machine.tx().write_to(&mut self.socket)?;
        self.socket.flush()
    }

    /// What the peer sent meanwhile is read only now, and it may not have been able to send more.
    fn tell_lateness(&mut self, now: Instant) {
        if let Some(before) = self.polled.replace(now)
            && self.deadline().is_some_and(|deadline| now - deadline >= LATE)
        {
            self.machine.stood_still(now - before);
        }
    }

    fn poll(&mut self, now: Instant) -> Result<Option<M::Incoming>, Error<M::Error>> {
        match self.machine.poll(&mut self.rx, now) {
            Ok(polled) => {
                self.missing = polled.missing();
                Ok(polled.incoming())
            }
            Err(error) => {
                // its last words; that the connection is over is known without them
                self.write();
                Err(Error::Protocol(error))
            }
        }
    }

    /// Whether anything was written: the machine may have waited for it.
    fn write(&mut self) -> bool {
        let before = self.machine.tx().sent();
        if self.failed.is_none()
            && let Err(error) = self.flush()
            && error.kind() != ErrorKind::WouldBlock
        {
            self.failed = Some(error);
            // what had come before may still be there
            self.readable = true;
        }
        self.machine.tx().sent() > before
    }

    /// Whether anything came: bytes, or the end.
    fn read(&mut self) -> io::Result<bool> {
        let mut bytes = [0; READ];
        match self.socket.read(&mut bytes) {
            Ok(0) => self.rx.eof = true,
            Ok(count) => self.rx.feed(&bytes[..count]),
            Err(error) => {
                return match error.kind() {
                    ErrorKind::Interrupted => Ok(false),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                        self.readable = false;
                        Ok(false)
                    }
                    _ => Err(self.failed.take().unwrap_or(error)),
                };
            }
        }
        Ok(true)
    }
}

/// A socket whose reads can be given a limit.
pub trait BlockingSocket: Read + Write {
    /// How long a read waits; `None` for as long as it takes. Never zero.
    ///
    /// # Errors
    ///
    /// Those of the system.
    fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()>;
}

impl BlockingSocket for TcpStream {
    fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(limit)
    }
}

#[cfg(unix)]
impl BlockingSocket for UnixStream {
    fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(limit)
    }
}

impl<M: Protocol, S: BlockingSocket> Driver<M, S> {
    /// For sockets that block: writes what is queued, and waits for what comes next for the
    /// application. `None` where it would wait for nothing that can come: the application has to
    /// call the machine first, or the [`deadline`](Self::deadline) has to pass.
    ///
    /// While it writes it does not read: two such ends that both send more than the system buffers
    /// stop each other.
    ///
    /// # Errors
    ///
    /// [`Error`]: the connection is over, and the socket can go. An orderly end is one of them, the
    /// machine's own error for it, as `Error::Protocol(chatter::Error::Closed)`.
    pub fn wait(
        &mut self,
        now: impl Fn() -> Instant,
    ) -> Result<Option<M::Incoming>, Error<M::Error>> {
        // also where more messages are here already: what answers them must not pile up
        self.write();
        // if the application was busy for long, what a deadline waited for may lie in the socket
        if self.missing > 0 && self.left(now()).is_some_and(|left| left.is_zero()) {
            self.read_within(Some(SHORTEST))?;
        }
        loop {
            self.readable = self.failed.is_some();
            if let Some(incoming) = self.next(now())? {
                return Ok(Some(incoming));
            }
            if self.missing == 0 {
                return Ok(None);
            }
            let left = self.left(now()).map(|left| left.max(SHORTEST));
            self.read_within(left)?;
        }
    }

    fn left(&self, now: Instant) -> Option<Duration> {
        self.deadline().map(|at| at.since(now))
    }

    fn read_within(&mut self, limit: Option<Duration>) -> io::Result<bool> {
        self.socket.set_read_timeout(limit)?;
        self.read()
    }
}
