//! What servers of all protocols share: their connections, and how these end with the server.

mod accept;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::SocketOptions;
use crate::failures::{Failures, HandshakeFailure};
use crate::net::Listener;
use crate::runtime::Runtime;
use crate::shared::{Close, ConnectionSlot};
use crate::socket::{Security, Socket};
use crate::trace;
use crate::wakers::{Place, WakerSet, wait_in};
use accept::accept_loop;
use hat_core::options::More;

/// Limits and options of a server's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptOptions {
    /// Closing the server closes its connections, and waits for them. Default: true, as
    /// `hat-drivers`.
    pub bind_connections: bool,
    /// The maximum number of connections at a time, 16 384: half of the usual limit on file
    /// descriptors. At the limit, new ones wait in the system's [backlog](crate::runtime::BACKLOG)
    /// until one ends. If the system runs out of descriptors before that, they wait there, too: the
    /// server tries again after 5 ms, with delays that grow up to a second. Connections in their
    /// TLS handshake count.
    pub max_connections: usize,
    /// Options of their sockets: keepalive, user timeout, idle timeout.
    pub socket: SocketOptions,
    #[doc(hidden)]
    pub more: More,
}

impl Default for AcceptOptions {
    fn default() -> Self {
        Self {
            bind_connections: true,
            max_connections: 16_384,
            socket: SocketOptions::default(),
            more: More::default(),
        }
    }
}

/// A connection that was accepted.
#[derive(Debug)]
pub(crate) struct AcceptedStream<T> {
    /// A number of its own.
    pub(crate) id: u64,
    pub(crate) stream: T,
    pub(crate) slot: ConnectionSlot,
}

/// The state of a server whose application accepts connections of type `C`.
pub(crate) struct Core<C> {
    state: Mutex<State<C>>,
    addresses: Vec<SocketAddr>,
    options: AcceptOptions,
}

struct State<C> {
    closing: bool,
    /// Tasks that take connections.
    tasks: usize,
    next_id: u64,
    /// Connections whose drivers run.
    connections: BTreeMap<u64, ConnectionEntry>,
    queue: VecDeque<C>,
    failures: Failures,
    /// Who waits for a change: few, and every change may matter to each.
    waiting: WakerSet,
    /// Who waits for the end only: what is done for each connection, TLS handshakes say. There may
    /// be thousands, to whom nothing else matters.
    ending: WakerSet,
}

/// A connection that counts.
struct ConnectionEntry {
    remote: Option<SocketAddr>,
    /// It comes a moment after the connection is counted.
    closer: Option<Arc<dyn Close>>,
}

impl<C> State<C> {
    /// Nothing listens any more.
    fn is_gone(&self) -> bool {
        self.closing && self.tasks == 0
    }
}

impl<C: Send + 'static> Core<C> {
    /// Takes connections on `listeners` and gives each to `take`.
    pub(crate) fn start<R: Runtime>(
        listeners: Vec<Listener<R>>,
        options: AcceptOptions,
        security: Security,
        take: impl FnMut(&Arc<Core<C>>, AcceptedStream<Socket<R::Stream>>) + Clone + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let addresses =
            listeners.iter().filter_map(Listener::address).collect::<io::Result<_>>()?;
        let core = Arc::new(Self {
            state: Mutex::new(State {
                closing: false,
                tasks: listeners.len(),
                next_id: 1,
                connections: BTreeMap::new(),
                queue: VecDeque::new(),
                failures: Failures::default(),
                waiting: WakerSet::default(),
                ending: WakerSet::default(),
            }),
            addresses,
            options,
        });
        for listener in listeners {
            let (security, take) = (security.clone(), take.clone());
            R::spawn(accept_loop::<R, C>(core.clone(), listener, security, take));
        }
        Ok(core)
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes everyone who waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State<C>) -> T) -> T {
        let mut wake = Vec::new();
        let value = {
            let mut state = self.lock();
            state.waiting.wake(&mut wake);
            let value = change(&mut state);
            if state.closing {
                state.ending.wake(&mut wake);
            }
            value
        };
        wake.into_iter().for_each(Waker::wake);
        value
    }

    fn poll_until<T>(
        &self,
        cx: &Context<'_>,
        mut look: impl FnMut(&mut State<C>) -> Option<T>,
    ) -> Poll<T> {
        let mut state = self.lock();
        match look(&mut state) {
            Some(value) => Poll::Ready(value),
            None => {
                state.waiting.add_task(cx);
                Poll::Pending
            }
        }
    }

    async fn until<T>(&self, mut look: impl FnMut(&mut State<C>) -> Option<T>) -> T {
        let poll = |cx: &mut Context<'_>, place: &mut Place| {
            let mut state = self.lock();
            match look(&mut state) {
                Some(value) => {
                    state.waiting.leave(place);
                    Poll::Ready(value)
                }
                None => {
                    state.waiting.add(cx, place);
                    Poll::Pending
                }
            }
        };
        wait_in(poll, |place| self.lock().waiting.leave(place)).await
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub(crate) fn open_connections(&self) -> usize {
        self.lock().connections.len()
    }

    /// Says how to close connection `id`, which was counted when it was taken. One that ended
    /// already is left alone.
    pub(crate) fn register(&self, id: u64, connection: Arc<dyn Close>) {
        let closing = {
            let mut state = self.lock();
            if let Some(counting) = state.connections.get_mut(&id) {
                counting.closer = Some(connection.clone());
            }
            state.is_gone() && self.options.bind_connections
        };
        if closing {
            connection.close();
        }
    }

    /// Nothing listens any more, and nothing new is served.
    #[cfg(feature = "web")]
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().is_gone()
    }

    /// Counts a connection, until what it is counted by is dropped.
    pub(crate) fn count<T>(
        self: &Arc<Self>,
        stream: T,
        remote: Option<SocketAddr>,
    ) -> AcceptedStream<T> {
        let id = self.change(|state| {
            let id = state.next_id;
            state.next_id += 1;
            state.connections.insert(id, ConnectionEntry { remote, closer: None });
            id
        });
        let core = self.clone();
        let gone = move || {
            core.change(|state| state.connections.remove(&id));
        };
        AcceptedStream { id, stream, slot: ConnectionSlot::new(gone) }
    }

    /// Offers a connection to the application.
    pub(crate) fn offer(&self, connection: C) {
        let refused = self.change(|state| {
            if state.is_gone() {
                return Some(connection);
            }
            // while the server closes, it is only kept until nothing listens any more
            state.queue.push_back(connection);
            None
        });
        // outside of the lock: dropping a connection closes it
        drop(refused);
    }

    /// Tells the application of a connection whose handshake failed.
    pub(crate) fn failed(
        &self,
        remote: Option<SocketAddr>,
        cause: impl std::error::Error + Send + Sync + 'static,
    ) {
        trace::handshake_failed(remote, &cause);
        self.change(|state| state.failures.push(remote, Arc::new(cause)));
    }

    /// The next connection whose handshake failed; `None` once the server is closed.
    pub(crate) async fn handshake_failure(&self) -> Option<HandshakeFailure> {
        let next = |state: &mut State<C>| match state.failures.pop() {
            None if state.closing => Some(None),
            None => None,
            next => Some(next),
        };
        self.until(next).await
    }

    /// Starts the end: no connection is taken any more, and once nothing listens any more, those
    /// that are bound to the server are closed. A client that comes back as soon as its connection
    /// ends must find another server, or none, and never this one.
    pub(crate) fn close(&self) {
        let gone = self.change(|state| {
            state.closing = true;
            state.is_gone()
        });
        if gone {
            self.close_connections();
        }
    }

    /// Closes the connections that are bound to the server, and those that nobody has taken.
    fn close_connections(&self) {
        let (queued, connections) = {
            let mut state = self.lock();
            let closers = state.connections.values().filter_map(|counting| counting.closer.clone());
            let connections = closers.collect::<Vec<_>>();
            (std::mem::take(&mut state.queue), connections)
        };
        // outside of the lock: dropping a connection closes it
        drop(queued);
        if self.options.bind_connections {
            for connection in connections {
                connection.close();
            }
        }
    }

    /// Waits until nothing is left of the server: its tasks, and the connections that are bound to
    /// it.
    pub(crate) async fn closed(&self) {
        let bound = self.options.bind_connections;
        let gone = |state: &mut State<C>| {
            let free = !bound || state.connections.is_empty();
            (state.is_gone() && free).then_some(())
        };
        self.until(gone).await;
    }
}

/// What `future` gives, or `None` once the server closes.
pub(crate) async fn unless_closing<C: Send + 'static, T>(
    core: &Core<C>,
    future: impl Future<Output = T>,
) -> Option<T> {
    unless(core, |state| state.closing, future).await
}

/// What `future` gives, or `None` once the server is closed and has no connection any more, also
/// none that is not bound to it.
#[cfg(feature = "web")]
pub(crate) async fn unless_deserted<C: Send + 'static, T>(
    core: &Core<C>,
    future: impl Future<Output = T>,
) -> Option<T> {
    unless(core, |state| state.is_gone() && state.connections.is_empty(), future).await
}

/// What `future` gives, or `None` once the server has closed so far as `ended` says.
async fn unless<C: Send + 'static, T>(
    core: &Core<C>,
    ended: impl Fn(&State<C>) -> bool,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let poll = |cx: &mut Context<'_>, place: &mut Place| {
        {
            let mut state = core.lock();
            if ended(&state) {
                return Poll::Ready(None);
            }
            state.ending.add(cx, place);
        }
        future.as_mut().poll(cx).map(Some)
    };
    wait_in(poll, |place| core.lock().ending.leave(place)).await
}

/// A server whose connections the application accepts one by one. Dropping it stops listening, and
/// closes its connections where they are bound to it.
pub struct Server<C: Send + 'static> {
    core: Arc<Core<C>>,
    name: Option<String>,
}

impl<C: Send + 'static> Server<C> {
    pub(crate) fn new(core: Arc<Core<C>>) -> Self {
        Self { core, name: None }
    }

    pub(crate) fn named(mut self, name: Option<String>) -> Self {
        self.name = name;
        self
    }

    #[cfg(feature = "web")]
    pub(crate) fn core(&self) -> &Arc<Core<C>> {
        &self.core
    }

    /// Its name, if its protocol has names.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Waits for the next connection; `None` once the server is closed. Cancel safe.
    pub async fn accept(&self) -> Option<C> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&self, cx: &Context<'_>) -> Poll<Option<C>> {
        let next = self.core.poll_until(cx, |state| match state.closing {
            true => Some(None),
            false => state.queue.pop_front().map(Some),
        });
        if let Poll::Ready(Some(_)) = next {
            self.core.change(|_| ()); // there is room for one more
        }
        next
    }

    /// Every address that the server listens on, with its port; none on a Unix socket.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.core.addresses()
    }

    /// Waits for the next connection whose handshake failed, and returns the address of its peer
    /// and the cause; `None` once the server is closed. At most 64 are kept until this is called.
    /// Cancel safe.
    pub async fn handshake_failure(&self) -> Option<HandshakeFailure> {
        self.core.handshake_failure().await
    }

    /// The number of open connections.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.core.open_connections()
    }

    /// The open connections, in the order in which they arrived, including those that are still in
    /// a handshake or wait to be accepted.
    #[must_use]
    pub fn connections(&self) -> Vec<OpenConnection> {
        let open = |(_, counting): (&u64, &ConnectionEntry)| OpenConnection {
            remote_address: counting.remote,
            closer: counting.closer.clone(),
        };
        self.core.lock().connections.iter().map(open).collect()
    }

    /// Stops listening, closes the connections that are bound to the server, and waits until all of
    /// that is done.
    ///
    /// Cancel safe: the closing goes on when this is dropped.
    pub async fn close(&self) {
        self.core.close();
        self.closed().await;
    }

    /// Waits until the server is closed, and the connections that are bound to it. Cancel safe.
    pub async fn closed(&self) {
        self.core.closed().await;
    }
}

/// A connection of a server, whoever holds its handle.
#[derive(Clone)]
pub struct OpenConnection {
    remote_address: Option<SocketAddr>,
    closer: Option<Arc<dyn Close>>,
}

impl OpenConnection {
    /// The peer's address, where there is one.
    #[must_use]
    pub fn remote_address(&self) -> Option<SocketAddr> {
        self.remote_address
    }

    /// Starts to close the connection; what was sent is still written. Has no effect on a
    /// connection that has ended, or is still in a handshake, which has its own time limit.
    pub fn close(&self) {
        if let Some(closer) = &self.closer {
            closer.close();
        }
    }
}

impl fmt::Debug for OpenConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remote_address = &self.remote_address;
        f.debug_struct("OpenConnection")
            .field("remote_address", remote_address)
            .finish_non_exhaustive()
    }
}

impl<C: Send + 'static> fmt::Debug for Server<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses())
            .field("open_connections", &self.open_connections())
            .finish_non_exhaustive()
    }
}

impl<C: Send + 'static> futures_core::Stream for Server<C> {
    type Item = C;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<C>> {
        self.poll_accept(cx)
    }
}

impl<C: Send + 'static> Drop for Server<C> {
    fn drop(&mut self) {
        self.core.close();
    }
}
