//! The handle of one connection, common to all protocols.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::driver::Driver;
use crate::runtime::{Runtime, Stream};
use crate::shared::{
    ConnectionSlot, ENOUGH_QUEUED, Session, SessionError, Shared, Wait, wake_driver,
};
use crate::wakers::{Place, wait_in};
use hat_core::protocol::Protocol;
use hat_core::send::{Fault, SendError};
use hat_core::time::Instant;

/// The methods that every handle has for the end of its connection, and for who is connected: for a
/// type with a `handle`, where `Error` is its error.
macro_rules! of_every_connection {
    () => {
        /// Waits until all that was sent up to now is with the system. Cancel safe.
        ///
        /// # Errors
        ///
        /// Why the connection ended.
        pub async fn drain(&self) -> Result<(), Error> {
            self.handle.drain().await
        }

        /// Closes the connection: what was sent is still written. Gives the reason why the
        /// connection is over once the socket is closed; if it was not over before, that is an
        /// orderly close.
        ///
        /// Cancel safe: the closing goes on when this is dropped.
        pub async fn close(&self) -> Error {
            self.handle.close();
            self.handle.closed().await
        }

        /// Waits until the connection is over, and says why: what it still has to write, and its
        /// socket, may take a little longer. Nothing is taken from what arrived. Cancel safe.
        pub async fn ended(&self) -> Error {
            self.handle.ended().await
        }

        /// Waits until the connection is over and its socket closed, and says why. Cancel safe.
        pub async fn closed(&self) -> Error {
            self.handle.closed().await
        }

        /// Why the connection is over, if it is.
        #[must_use]
        pub fn end_reason(&self) -> Option<Error> {
            self.handle.end()
        }

        /// Our address.
        #[must_use]
        pub fn local_address(&self) -> std::net::SocketAddr {
            self.handle.shared().local
        }

        /// The peer's address.
        #[must_use]
        pub fn remote_address(&self) -> std::net::SocketAddr {
            self.handle.shared().remote
        }
    };
}
pub(crate) use of_every_connection;

/// The handles' end of a connection. When the last clone is dropped, the connection closes.
pub(crate) struct Handle<S: Session> {
    shared: Arc<Shared<S>>,
    _close: Arc<CloseOnDrop<S>>,
}

/// What a refused call gives back of its data: itself, or a box that it is in.
pub(crate) trait Returned<D>: From<D> {
    fn data(self) -> D;
}

impl<D> Returned<D> for D {
    fn data(self) -> D {
        self
    }
}

impl<D> Returned<D> for Box<D> {
    fn data(self) -> D {
        *self
    }
}

struct CloseOnDrop<S: Session>(Arc<Shared<S>>);

impl<S: Session> Drop for CloseOnDrop<S> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<S: Session> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), _close: self._close.clone() }
    }
}

impl<S: Session> Handle<S> {
    /// Starts the driver of `stream`, whose session is made by `session` at the connection's origin
    /// of time. It is `counted` until the driver is gone.
    pub(crate) fn start<R: Runtime>(
        stream: impl Stream,
        session: impl FnOnce(Instant) -> S,
        slot: ConnectionSlot,
    ) -> std::io::Result<Self> {
        let shared = Shared::new::<R>(stream, session)?;
        R::spawn(Driver::<R, S>::new(shared.clone(), slot));
        Ok(Self { _close: Arc::new(CloseOnDrop(shared.clone())), shared })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<S>> {
        &self.shared
    }

    /// Calls the machine, and wakes the driver for what the call queued.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&mut S) -> T) -> T {
        let mut state = self.shared.lock();
        let value = call(&mut state.session);
        wake_driver(state);
        value
    }

    /// The same for a call that does no more than queue a message.
    pub(crate) fn queue<T>(&self, call: impl FnOnce(&mut S) -> T) -> T {
        let mut state = self.shared.lock();
        let value = call(&mut state.session);
        self.shared.queued(state);
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

    /// Takes with `take` as soon as that gives something. What is there is taken before the end is
    /// told.
    ///
    /// Cancel safe: dropped before it is ready, it has taken nothing.
    pub(crate) async fn wait<T>(
        &self,
        on: Wait,
        mut take: impl FnMut(&mut S) -> Option<T>,
    ) -> Result<T, SessionError<S>> {
        wait_in(
            |cx, place| self.poll_wait_at(cx, on, Some(place), &mut take),
            |place| self.shared.lock().waiting(on).leave(place),
        )
        .await
    }

    /// The same for what is polled and has no future.
    pub(crate) fn poll_wait<T>(
        &self,
        cx: &mut Context<'_>,
        on: Wait,
        take: impl FnMut(&mut S) -> Option<T>,
    ) -> Poll<Result<T, SessionError<S>>> {
        self.poll_wait_at(cx, on, None, take)
    }

    fn poll_wait_at<T>(
        &self,
        cx: &mut Context<'_>,
        on: Wait,
        mut place: Option<&mut Place>,
        mut take: impl FnMut(&mut S) -> Option<T>,
    ) -> Poll<Result<T, SessionError<S>>> {
        let mut state = self.shared.lock();
        let (may, had_room) = match on {
            Wait::Room => (state.session.machine().tx().len() < ENOUGH_QUEUED, true),
            Wait::Outgoing => (true, true),
            Wait::Incoming => (true, state.session.has_room()),
        };
        if may && let Some(value) = take(&mut state.session) {
            if let Some(place) = &mut place {
                state.waiting(on).leave(place);
            }
            match on {
                Wait::Room => self.shared.queued(state),
                // the driver is stopped by an inbox without room
                Wait::Incoming if !had_room => wake_driver(state),
                Wait::Incoming | Wait::Outgoing => {}
            }
            return Poll::Ready(Ok(value));
        }
        if let Some(error) = &state.ended {
            return Poll::Ready(Err(error.clone()));
        }
        match place {
            Some(place) => state.waiting(on).add(cx, place),
            None => state.waiting(on).add_task(cx),
        }
        // something was taken that is not a whole yet
        if !had_room && state.session.has_room() {
            wake_driver(state);
        }
        Poll::Pending
    }

    /// Calls `send` as soon as the queue has room, and again while it refuses for a full one.
    /// Cancel safe: if the future is dropped before it is ready, nothing is sent.
    ///
    /// Where the machine says that it is closed, the reason of the end is given, which says more.
    pub(crate) async fn send<T, F: Fault>(
        &self,
        mut send: impl FnMut(&mut S) -> Result<T, F>,
    ) -> Result<Result<T, F>, SessionError<S>> {
        let send = |session: &mut S| match send(session) {
            Err(fault) if fault.is_queue_full() || fault.is_closed() => None,
            sent => Some(sent),
        };
        self.wait(Wait::Room, send).await
    }

    /// The same with data that the machine takes, which comes back where it is not sent.
    pub(crate) async fn send_data<D, B: Returned<D>, T, F: Fault>(
        &self,
        data: D,
        mut send: impl FnMut(&mut S, D) -> Result<T, SendError<F, B>>,
    ) -> Result<T, SendError<F, B>> {
        match self.send_now(data, &mut send) {
            Ok(sent) => sent,
            // mostly there is room, and what waits for it is large and would be moved with this
            Err(data) => Box::pin(self.send_later(data, send)).await,
        }
    }

    /// Sends if there is room, or gives the data back.
    fn send_now<D, B: Returned<D>, T, F: Fault>(
        &self,
        data: D,
        send: impl FnOnce(&mut S, D) -> Result<T, SendError<F, B>>,
    ) -> Result<Result<T, SendError<F, B>>, B> {
        let mut state = self.shared.lock();
        if state.session.machine().tx().len() >= ENOUGH_QUEUED {
            return Err(data.into());
        }
        let sent = match send(&mut state.session, data) {
            Err(SendError { fault, data }) if fault.is_queue_full() => return Err(data),
            sent => sent,
        };
        self.shared.queued(state);
        Ok(sent)
    }

    /// Sends as soon as there is room.
    async fn send_later<D, B: Returned<D>, T, F: Fault>(
        &self,
        data: B,
        mut send: impl FnMut(&mut S, D) -> Result<T, SendError<F, B>>,
    ) -> Result<T, SendError<F, B>> {
        let mut waiting = Some(data);
        let sent = self.wait(Wait::Room, |session| match send(session, waiting.take()?.data()) {
            Err(SendError { fault, data }) if fault.is_queue_full() => {
                waiting = Some(data);
                None
            }
            sent => Some(sent),
        });
        match (sent.await, waiting) {
            (Ok(sent), _) => sent,
            (Err(_), Some(data)) => Err(SendError { fault: F::CLOSED, data }),
            (Err(_), None) => unreachable!("data that is not sent waits"),
        }
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
        wait_in(
            |cx, place| self.shared.poll_finished(cx, place),
            |place| self.shared.lock().finishing.leave(place),
        )
        .await
    }
}

impl<S: Session> fmt::Debug for Handle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { local, remote, .. } = &*self.shared;
        f.debug_struct("Handle")
            .field("protocol", &S::NAME)
            .field("local", local)
            .field("remote", remote)
            .field("ended", &self.end())
            .finish()
    }
}
