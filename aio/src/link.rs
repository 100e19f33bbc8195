//! What a handle and its driver share: the machine under a lock, who waits for what, and the clock.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::driver::Driver;
use crate::handle::Finished;
use crate::runtime::{Runtime, Stream};
use crate::wakers::WakerSet;
use crate::{Error, trace};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;

/// One protocol's side of a connection: its machine, and where what the machine gives is put.
pub(crate) trait Session: Send + 'static {
    type Protocol: Protocol<Error: Send + Sync + 'static> + Send;

    /// The protocol's name in traces.
    const NAME: &'static str;

    fn machine(&mut self) -> &mut Self::Protocol;

    /// Whether one more thing can be taken; if not, the machine is not polled and the socket not read.
    fn has_room(&self) -> bool;

    fn deliver(&mut self, incoming: <Self::Protocol as Protocol>::Incoming) -> Delivered;

    /// The connection is over: `wake` those who wait for something that will not come.
    fn ended(&mut self, wake: &mut Vec<Waker>) {
        let _ = wake;
    }
}

/// Who is to be woken for what was delivered.
#[derive(Debug)]
pub(crate) enum Delivered {
    /// Nobody.
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

/// Bytes that wait to be written before a task that sends waits too, 256 KiB: several system calls' worth, and few enough to be in the processor's cache when
/// they are written. With all that a machine takes, 16 MiB, 16-byte messages went at 0.8 of the speed. A machine's own limit is for what nobody can wait for,
/// as notifications to a client that does not read.
const ENOUGH_QUEUED: usize = 256 * 1024;

/// The shared state of one connection.
pub(crate) struct State<S: Session> {
    pub(crate) session: S,
    /// Why the connection is over. Set once.
    pub(crate) ended: Option<SessionError<S>>,
    /// The socket is closed and the driver gone.
    pub(crate) finished: bool,
    /// The application asked for the end.
    pub(crate) closing: bool,
    pub(crate) driver: Option<Waker>,
    pub(crate) incoming: WakerSet,
    pub(crate) outgoing: WakerSet,
    pub(crate) finishing: WakerSet,
}

/// What a handle and its driver share.
pub(crate) struct Shared<S: Session> {
    state: Mutex<State<S>>,
    now: fn() -> std::time::Instant,
    origin: std::time::Instant,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) life: trace::Life,
}

impl<S: Session> Shared<S> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<S>> {
        // a machine that panicked is polled no more; what it holds is still safe to look at
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_origin((self.now)().saturating_duration_since(self.origin))
    }

    /// The time of the runtime's clock that `at` stands for.
    pub(crate) fn real(&self, at: Instant) -> std::time::Instant {
        // a deadline that the clock cannot name is as good as one in a year
        let year = Duration::from_secs(365 * 24 * 3600);
        self.origin.checked_add(at.since_origin()).unwrap_or_else(|| self.origin + year)
    }

    pub(crate) fn close(&self) {
        let driver = {
            let mut state = self.lock();
            state.closing = true;
            state.session.machine().close();
            state.driver.take()
        };
        driver.into_iter().for_each(Waker::wake);
    }
}

/// The handles' end of a connection. When the last clone is dropped, the connection closes.
pub(crate) struct Link<S: Session> {
    shared: Arc<Shared<S>>,
    _close: Arc<CloseOnDrop<S>>,
}

struct CloseOnDrop<S: Session>(Arc<Shared<S>>);

impl<S: Session> Drop for CloseOnDrop<S> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<S: Session> Clone for Link<S> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), _close: self._close.clone() }
    }
}

impl<S: Session> Link<S> {
    /// Starts the driver of `stream`, whose session is made by `session` at the connection's origin of time.
    /// `finished` runs when the driver is gone.
    pub(crate) fn start<R: Runtime>(
        stream: impl Stream,
        session: impl FnOnce(Instant) -> S,
        finished: Finished,
    ) -> std::io::Result<Self> {
        let (local, remote) = (stream.local_addr()?, stream.peer_addr()?);
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                session: session(Instant::ORIGIN),
                ended: None,
                finished: false,
                closing: false,
                driver: None,
                incoming: WakerSet::default(),
                outgoing: WakerSet::default(),
                finishing: WakerSet::default(),
            }),
            now: R::now,
            origin: R::now(),
            local,
            remote,
            life: trace::Life::opened(S::NAME, local, remote),
        });
        R::spawn(Driver::<R, _, S>::new(stream, shared.clone(), finished));
        Ok(Self { _close: Arc::new(CloseOnDrop(shared.clone())), shared })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<S>> {
        &self.shared
    }

    /// Calls the machine, and wakes the driver for what the call queued.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&mut S) -> T) -> T {
        let (value, driver) = {
            let mut state = self.shared.lock();
            let value = call(&mut state.session);
            (value, state.driver.take())
        };
        driver.into_iter().for_each(Waker::wake);
        value
    }

    /// Looks at the session without waking anyone.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut S) -> T) -> T {
        look(&mut self.shared.lock().session)
    }

    /// Why the connection is over, if it is.
    pub(crate) fn end(&self) -> Option<SessionError<S>> {
        self.shared.lock().ended.clone()
    }

    /// Takes with `take` as soon as that gives something. What is there is taken before the end is told.
    ///
    /// Cancel safe: dropped before it is ready, it has taken nothing.
    pub(crate) async fn wait<T>(
        &self,
        on: Wait,
        mut take: impl FnMut(&mut S) -> Option<T>,
    ) -> Result<T, SessionError<S>> {
        poll_fn(|cx| self.poll_wait(cx, on, &mut take)).await
    }

    pub(crate) fn poll_wait<T>(
        &self,
        cx: &mut Context<'_>,
        on: Wait,
        mut take: impl FnMut(&mut S) -> Option<T>,
    ) -> Poll<Result<T, SessionError<S>>> {
        let mut state = self.shared.lock();
        let had_room = state.session.has_room();
        let may = match on {
            Wait::Room => state.session.machine().tx().len() < ENOUGH_QUEUED,
            Wait::Incoming | Wait::Outgoing => true,
        };
        if may && let Some(value) = take(&mut state.session) {
            // the driver is stopped by an inbox without room, or waits for what was just queued
            let wake = !had_room || !matches!(on, Wait::Incoming);
            let driver = if wake { state.driver.take() } else { None };
            drop(state);
            driver.into_iter().for_each(Waker::wake);
            return Poll::Ready(Ok(value));
        }
        if let Some(error) = &state.ended {
            return Poll::Ready(Err(error.clone()));
        }
        match on {
            Wait::Incoming => state.incoming.add(cx),
            Wait::Outgoing | Wait::Room => state.outgoing.add(cx),
        }
        Poll::Pending
    }

    /// Waits until all that is queued now is with the system. Cancel safe.
    pub(crate) async fn drain(&self) -> Result<(), SessionError<S>> {
        let end = self.look(|session| session.machine().tx().end());
        let written = |session: &mut S| (session.machine().tx().sent() >= end).then_some(());
        self.wait(Wait::Outgoing, written).await
    }

    /// Starts the end: what is queued is still written.
    pub(crate) fn close(&self) {
        self.shared.close();
    }

    /// Waits until the connection is over, and says why. Cancel safe.
    pub(crate) async fn ended(&self) -> SessionError<S> {
        match self.wait(Wait::Outgoing, |_| None::<std::convert::Infallible>).await {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    /// Waits until the socket is closed, and says why. Cancel safe.
    pub(crate) async fn closed(&self) -> SessionError<S> {
        poll_fn(|cx| self.shared.poll_finished(cx)).await
    }
}

impl<S: Session> Shared<S> {
    pub(crate) fn poll_finished(&self, cx: &mut Context<'_>) -> Poll<SessionError<S>> {
        let mut state = self.lock();
        match &state.ended {
            Some(error) if state.finished => Poll::Ready(error.clone()),
            _ => {
                state.finishing.add(cx);
                Poll::Pending
            }
        }
    }
}
