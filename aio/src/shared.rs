//! What a handle, its driver and its server share: the machine under a lock, who waits for what,
//! and the clock.
//!
//! ```text
//! handle ──call, wait──> Shared <──poll, read, write── driver
//!                          ^
//! server ──────close───────┘
//! ```

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};

use crate::direct_write::DirectWrite;
use crate::runtime::{Runtime, Stream, after};
use crate::wakers::{Place, WakerSet};
use crate::{Error, trace};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;

/// One protocol's side of a connection: its machine, and where what the machine gives is put.
pub(crate) trait Session: Send + 'static {
    type Protocol: Protocol<Error: Send + Sync + 'static> + Send;

    /// The protocol's name in traces.
    const NAME: &'static str;

    fn machine(&mut self) -> &mut Self::Protocol;

    /// Whether one more thing can be taken; if not, the machine is not polled and the socket not
    /// read.
    fn has_room(&self) -> bool;

    /// Takes what came. Where it is kept, the block that it was read to is kept with it, and with
    /// that whatever else stands there: `memory` is what was read since the one before that was
    /// kept, in bytes, which pings and the like may have been most of.
    fn deliver(
        &mut self,
        incoming: <Self::Protocol as Protocol>::Incoming,
        memory: usize,
    ) -> Delivered;

    /// The machine has more that came, and gives it once it is told what to answer.
    fn holds_back(&mut self) -> bool {
        false
    }

    /// Whether what a task [waits](Wait::Outgoing) for has come about although nothing had to be
    /// written for it; said once.
    fn caught_up(&mut self) -> bool {
        false
    }

    /// The driver had a turn in which nothing came and nobody wanted anything, as when a timer
    /// fires: memory that a burst took is given back.
    fn rest(&mut self) {}

    /// The connection is over: `wake` those who wait for something that will not come.
    fn ended(&mut self, wake: &mut Vec<Waker>) {
        let _ = wake;
    }
}

/// Who is to be woken for what was delivered.
#[derive(Debug)]
pub(crate) enum Delivered {
    /// Nobody. What was read for it counts with the next that is kept.
    Nothing,
    /// Those who [`Wait::Incoming`].
    Inbox,
    /// One task.
    To(Waker),
}

pub(crate) type SessionError<S> = Error<<<S as Session>::Protocol as Protocol>::Error>;

/// What a task waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wait {
    /// Something in the inbox, or the end.
    Incoming,
    /// Something written, or the end.
    Outgoing,
    /// Room in the send queue, or the end: less than [`ENOUGH_QUEUED`] waits to be written.
    Room,
}

/// Bytes that wait to be written before a task that sends waits too, 256 KiB: several system calls'
/// worth, and few enough to be in the processor's cache when they are written. With all that a
/// machine takes, 16 MiB, 16-byte messages went at 0.8 of the speed. A machine's own limit is for
/// what nobody can wait for, as notifications to a client that does not read.
pub(crate) const ENOUGH_QUEUED: usize = 256 * 1024;

/// The shared state of one connection.
pub(crate) struct State<S: Session> {
    pub(crate) session: S,
    /// Why the connection ended. Set once.
    pub(crate) ended: Option<SessionError<S>>,
    /// The socket is closed and the driver gone.
    pub(crate) finished: bool,
    /// The application asked for the end.
    pub(crate) closing: bool,
    pub(crate) driver: Option<Waker>,
    pub(crate) direct: DirectWrite,
    pub(crate) incoming: WakerSet,
    pub(crate) outgoing: WakerSet,
    pub(crate) finishing: WakerSet,
}

impl<S: Session> State<S> {
    /// The tasks that wait on the same.
    pub(crate) fn waiting(&mut self, on: Wait) -> &mut WakerSet {
        match on {
            Wait::Incoming => &mut self.incoming,
            Wait::Outgoing | Wait::Room => &mut self.outgoing,
        }
    }
}

/// Lets the driver have its turn, once the lock is released.
pub(crate) fn wake_driver<S: Session>(mut state: MutexGuard<'_, State<S>>) {
    let driver = state.driver.take();
    drop(state);
    driver.into_iter().for_each(Waker::wake);
}

/// What a handle and its driver share.
pub(crate) struct Shared<S: Session> {
    state: Mutex<State<S>>,
    /// The socket, until it is closed: the driver has it for its turns, and for a moment who sends,
    /// see [`DirectWrite`]. Where both locks are taken, this one is first, or is not waited for.
    stream: Mutex<Option<Box<dyn Stream>>>,
    now: fn() -> std::time::Instant,
    origin: std::time::Instant,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) life: trace::Life,
}

impl<S: Session> Shared<S> {
    /// The state of a connection over `stream`, whose session is made by `session` at its origin of
    /// time.
    pub(crate) fn new<R: Runtime>(
        stream: impl Stream,
        session: impl FnOnce(Instant) -> S,
    ) -> io::Result<Arc<Self>> {
        let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
        Ok(Arc::new(Self {
            state: Mutex::new(State {
                session: session(Instant::ORIGIN),
                ended: None,
                finished: false,
                closing: false,
                driver: None,
                direct: DirectWrite::default(),
                incoming: WakerSet::default(),
                outgoing: WakerSet::default(),
                finishing: WakerSet::default(),
            }),
            stream: Mutex::new(Some(Box::new(stream))),
            now: R::now,
            origin: R::now(),
            local,
            remote,
            life: trace::Life::opened(S::NAME, local, remote),
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<S>> {
        // a machine that panicked is polled no more; what it holds is still safe to look at
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The socket, until it is closed.
    pub(crate) fn stream(&self) -> MutexGuard<'_, Option<Box<dyn Stream>>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the socket, to be closed.
    pub(crate) fn take_stream(&self) -> Option<Box<dyn Stream>> {
        self.stream().take()
    }

    /// The socket, where nobody else has it at this moment.
    pub(crate) fn free_stream(&self) -> Option<MutexGuard<'_, Option<Box<dyn Stream>>>> {
        match self.stream.try_lock() {
            Ok(stream) => Some(stream),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_origin((self.now)().saturating_duration_since(self.origin))
    }

    /// The time of the runtime's clock that `at` stands for.
    pub(crate) fn real(&self, at: Instant) -> std::time::Instant {
        after(self.origin, at.since_origin())
    }

    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closing = true;
        state.session.machine().close();
        wake_driver(state);
    }

    pub(crate) fn poll_finished(
        &self,
        cx: &Context<'_>,
        place: &mut Place,
    ) -> Poll<SessionError<S>> {
        let mut state = self.lock();
        match &state.ended {
            Some(error) if state.finished => Poll::Ready(error.clone()),
            _ => {
                state.finishing.add(cx, place);
                Poll::Pending
            }
        }
    }
}

/// What can be told to close, without being kept open.
pub(crate) trait Close: Send + Sync {
    fn close(&self);
}

impl<S: Session> Close for Shared<S> {
    fn close(&self) {
        Shared::close(self);
    }
}

/// A place among the connections of a server. Dropped, it is counted out: by the driver, or by
/// whatever else ends last.
#[derive(Default)]
pub(crate) struct ConnectionSlot(Option<Box<dyn FnOnce() + Send + Sync>>);

impl ConnectionSlot {
    /// `gone` runs when this is dropped.
    pub(crate) fn new(gone: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(gone)))
    }

    /// For the connections of clients, which nobody counts.
    pub(crate) fn nowhere() -> Self {
        Self(None)
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        if let Some(gone) = self.0.take() {
            gone();
        }
    }
}

impl fmt::Debug for ConnectionSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionSlot")
    }
}
