use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::awaited::Awaited;
use super::connection::{Connection, PendingRequest, ServerSession};
use super::handler::Handler;
use super::shared::{Follower, SharedState};
use crate::ConnectionId;
use crate::IntoAddress;
use crate::handle::Handle;
use crate::inbox::{Inbox, InboxLimits};
use crate::panics::catching;
use crate::runtime::{Runtime, Stream};
use crate::server::{AcceptedStream, Core, Server as Taking};
use crate::shared::{Close, ConnectionSlot, Wait};
use crate::socket::Security;
use crate::web::{self, Client, ListenError, Origins, PendingUpgrade, Socket, Upgrade, WebOptions};
use crate::websocket;
use hat_core::json::Value;
use hat_core::juggler::Notification;
use hat_core::juggler::server::{Config, Connection as Machine, RequestId};
use hat_core::options::More;
use hat_core::ws::{self, Agreement, Deflate};
use http::{Request, Response};

/// Options of a server.
#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    /// The web server: paths, files, passwords.
    pub web: WebOptions,
    /// The protocol: the delay of a connection's own state, pings, segments, limits.
    pub config: Config,
    /// Limits of the WebSocket below it, and whether messages are compressed where clients can:
    /// its `deflate` is what the web server, or [`Server::upgrade`] behind another one, answers the
    /// handshake by.
    pub ws: ws::Config,
    /// The state that all connections follow. `None`: each has its own.
    pub state: Option<SharedState>,
    /// Limits of the requests of one client that wait. At a limit nothing more is read from it.
    pub inbox: InboxLimits,
    #[doc(hidden)]
    pub more: More,
}

/// A Juggler server, with its web server or behind another one. Dropping it stops listening, and
/// closes its connections where they are bound to it.
pub struct Server {
    // its connections are offered to nobody: each has its task
    taking: Taking<()>,
    registry: Arc<Registry>,
    state: Option<SharedState>,
    deflate: Option<Deflate>,
    serve_on: ServeOn,
}

/// Serves a stream of any kind.
type ServeOn =
    Arc<dyn Fn(&Arc<Core<()>>, AcceptedStream<Box<dyn Stream>>, Client, Agreement) + Send + Sync>;

/// Listens on `address`, on every address of its host; `handler` serves the clients' requests.
///
/// # Errors
///
/// [`ListenError`].
pub async fn listen<R: Runtime>(
    address: impl IntoAddress,
    handler: impl Handler,
    options: ListenOptions,
) -> Result<Server, ListenError> {
    let (serving, web) = ConnectionService::new(handler, options);
    let (sockets, deflate) = (serving.clone(), web.deflate);
    let take = move |_: &Arc<Core<()>>, id, upgrade: Upgrade<Socket<R::Stream>>| {
        let Upgrade { mut stream, client, deflate, .. } = upgrade;
        let closer = stream.closer();
        let slot = stream.take_slot();
        // whatever becomes of the connection, it is counted out in the end
        if let Some(connection) = sockets.start::<R>(id, stream, client, deflate, slot) {
            closer.close_too(connection);
        }
    };
    let taking = web::listen_with::<R, ()>(address, web, take).await?;
    Ok(serving.server::<R>(taking, deflate))
}

/// A server that does not listen: each of its connections is a WebSocket that another HTTP server
/// took, by [`upgrade`](Server::upgrade), and gives it by [`serve_on`](Server::serve_on). Of
/// `options.web`, only `accept` and `deflate` are used.
pub fn serve<R: Runtime>(handler: impl Handler, options: ListenOptions) -> Server {
    let (serving, web) = ConnectionService::new(handler, options);
    let nothing = |_: &Arc<Core<()>>, _: AcceptedStream<Socket<R::Stream>>| {};
    let core = Core::start::<R>(Vec::new(), web.accept, Security::Plain, nothing);
    let taking = Taking::new(core.expect("there is no listener that could fail"));
    serving.server::<R>(taking, web.deflate)
}

/// What every connection of a server is served by.
struct ConnectionService<H> {
    config: Config,
    ws: ws::Config,
    inbox: InboxLimits,
    handler: Arc<H>,
    registry: Arc<Registry>,
    state: Option<SharedState>,
}

impl<H: Handler> ConnectionService<H> {
    fn new(handler: H, options: ListenOptions) -> (Arc<Self>, WebOptions) {
        let ListenOptions { mut web, config, ws, state, inbox, more: _ } = options;
        web.deflate = web.deflate.or(ws.deflate);
        let (handler, registry) = (Arc::new(handler), Arc::new(Registry::default()));
        (Arc::new(Self { config, ws, inbox, handler, registry, state }), web)
    }

    fn server<R: Runtime>(self: Arc<Self>, taking: Taking<()>, deflate: Option<Deflate>) -> Server {
        let (registry, state) = (self.registry.clone(), self.state.clone());
        if let Some(state) = state.clone() {
            R::spawn(state.flush_loop::<R, _>(taking.core().clone()));
        }
        let serve_on: ServeOn = Arc::new(move |core, accepted, client, agreement| {
            let AcceptedStream { id, stream, slot } = accepted;
            let deflate = agreement.deflate;
            if let Some(connection) = self.start::<R>(id, stream, client, deflate, slot) {
                core.register(id, connection);
            }
        });
        Server { taking, registry, state, deflate, serve_on }
    }

    /// Serves the WebSocket on `stream`; gives what closes it. Nothing, where it was gone before it
    /// had an address.
    fn start<R: Runtime>(
        &self,
        id: u64,
        stream: impl Stream,
        client: Client,
        deflate: Option<ws::DeflateAgreement>,
        slot: ConnectionSlot,
    ) -> Option<Arc<dyn Close>> {
        let session = |now| {
            let ws = websocket::established(self.ws.clone(), deflate, now);
            let machine = Machine::new(ws, self.config.clone());
            let (inbox, awaited) = (Inbox::new(self.inbox), Awaited::default());
            ServerSession { machine, inbox, awaited }
        };
        let handle = Handle::start::<R>(stream, session, ConnectionSlot::nowhere()).ok()?;
        let closer = handle.shared().clone();
        let (id, client, shared) = (ConnectionId(id), Arc::new(client), self.state.clone());
        let connection = Connection { handle, id, client, shared };
        let taken = Membership::new(self.registry.clone(), &connection, slot);
        let parallel = self.config.parallel_requests;
        R::spawn(serve_one::<R, _>(connection, self.handler.clone(), taken, parallel));
        Some(closer)
    }
}

/// The connections that are open.
#[derive(Default)]
struct Registry(Mutex<BTreeMap<ConnectionId, Connection>>);

impl Registry {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Connection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection among the others, until the task that serves it ends: also by a handler that
/// panics.
struct Membership {
    registry: Arc<Registry>,
    id: ConnectionId,
    #[expect(dead_code, reason = "held for its drop")]
    follower: Option<Follower>,
    // last: the server is closed when this is gone
    #[expect(dead_code, reason = "held for its drop")]
    slot: ConnectionSlot,
}

impl Membership {
    fn new(registry: Arc<Registry>, connection: &Connection, slot: ConnectionSlot) -> Self {
        let id = connection.id;
        registry.lock().insert(id, connection.clone());
        let follower = connection.shared.as_ref().map(|shared| shared.follow(&connection.handle));
        Self { registry, id, follower, slot }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let connection = self.registry.lock().remove(&self.id);
        // outside of the lock: dropping the last handle closes the connection
        drop(connection);
    }
}

/// The life of one connection.
async fn serve_one<R: Runtime, H: Handler>(
    connection: Connection,
    handler: Arc<H>,
    taken: Membership,
    parallel: bool,
) {
    let mut is_connected = false;
    // ends with the connection, or with a handler that panics: what it began for the client must
    // end then too, and a client that nobody serves is not kept
    let ended = {
        let serving = pin!(async {
            handler.connected(&connection).await;
            is_connected = true;
            requests::<R, _>(&connection, &handler, parallel).await;
        });
        catching(serving).await
    };
    taken.registry.lock().remove(&taken.id);
    if is_connected {
        handler.disconnected(&connection).await;
    }
    connection.handle.close();
    connection.handle.closed().await;
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

/// Answers what the client asks for, until the connection ends.
async fn requests<R: Runtime, H: Handler>(
    connection: &Connection,
    handler: &Arc<H>,
    parallel: bool,
) {
    let pop = |session: &mut ServerSession| session.inbox.pop();
    while let Ok(asked) = connection.handle.wait(Wait::Incoming, pop).await {
        let answering = answer(connection.clone(), handler.clone(), asked);
        if parallel {
            R::spawn(answering);
        } else {
            answering.await;
        }
    }
}

async fn answer<H: Handler>(connection: Connection, handler: Arc<H>, asked: PendingRequest) {
    let PendingRequest { request, name, data } = asked;
    let open = OpenRequest { connection: &connection, request: Some(request) };
    let result = handler.request(&connection, &name, data).await;
    open.answer(result.as_ref()).await;
}

/// A request that has no answer yet. Dropped so, because the handler panicked, it is answered as
/// failed: the client would wait for ever.
struct OpenRequest<'a> {
    connection: &'a Connection,
    request: Option<RequestId>,
}

impl OpenRequest<'_> {
    /// Answers as soon as the queue has room. An answer that can never be sent closes the
    /// connection.
    async fn answer(mut self, result: Result<&Value, &Value>) {
        let Some(request) = self.request.take() else {
            return;
        };
        let handle = &self.connection.handle;
        let responded = handle.send(|session| session.machine.respond(request, result));
        if let Ok(Err(fault)) = responded.await {
            self.connection.cut(&fault);
        }
    }
}

impl Drop for OpenRequest<'_> {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            let failed = Value::from("the request failed");
            let responded =
                |session: &mut ServerSession| session.machine.respond(request, Err(&failed));
            if let Err(fault) = self.connection.handle.call(responded) {
                self.connection.cut(&fault);
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses())
            .field("open_connections", &self.open_connections())
            .finish_non_exhaustive()
    }
}

impl Server {
    /// The answer of another HTTP server, hyper's or one that stands on it, to a client that asks
    /// for the WebSocket of this one: as [`web::upgrade`], which also agrees with the client on
    /// compression, where the options have `deflate`.
    ///
    /// Gives the answer, the connection to come, and what was agreed on: for
    /// [`serve_on`](Self::serve_on).
    ///
    /// # Errors
    ///
    /// The answer to a request that is none for a WebSocket, or of a page that may not.
    pub fn upgrade<B>(
        &self,
        request: &mut Request<B>,
        origins: &Origins,
    ) -> Result<(Response<()>, PendingUpgrade, Agreement), Box<Response<String>>> {
        web::upgrade_with(request, origins, &[], self.deflate)
    }

    /// Serves `client` on a stream whose handshake of WebSocket is done, by
    /// [`upgrade`](Self::upgrade) or by any other means. `agreement` is what its answer said,
    /// nothing by default. It counts as a connection of this server;
    /// [`max_connections`](crate::server::AcceptOptions::max_connections) does not hold it up.
    /// Where the server is closed, the stream is dropped.
    pub fn serve_on(&self, stream: impl Stream, client: Client, agreement: Agreement) {
        let stream: Box<dyn Stream> = Box::new(stream);
        let core = self.taking.core();
        if core.is_gone() {
            return;
        }
        (self.serve_on)(core, core.count(stream, None), client, agreement);
    }

    /// The connections that are open now, by number.
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        self.registry.lock().values().cloned().collect()
    }

    /// The state that all connections follow, where there is one.
    #[must_use]
    pub fn state(&self) -> Option<&SharedState> {
        self.state.as_ref()
    }

    /// Notifies all clients; the notification is encoded once. A client whose send queue is full,
    /// because it does not read, is closed: it must not go on as if there had been nothing to tell.
    /// It and the server's log are told why.
    pub fn notify_all(&self, name: &str, data: &Value) {
        let notification = Notification::new(name, data);
        for connection in self.connections() {
            let told = connection.handle.call(|session| session.machine.notify(&notification));
            if let Err(fault) = told
                && fault.is_queue_full()
            {
                connection.cut(&fault);
            }
        }
    }

    /// The next connection whose handshake of TLS failed, with its address and the cause; `None`
    /// once the server is closed. What fails in HTTP is answered to who asked, and not told here.
    /// At most 64 are kept for who does not ask. Cancel safe.
    pub async fn handshake_failure(&self) -> Option<crate::HandshakeFailure> {
        self.taking.handshake_failure().await
    }

    /// Every address that the server listens on, with its port.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.taking.addresses()
    }

    /// Stops listening, closes the connections that are bound to the server, and waits until all of
    /// that is done, including the last call of the handler's `disconnected`.
    ///
    /// Cancel safe: the closing goes on when this is dropped.
    pub async fn close(&self) {
        self.taking.close().await;
    }

    /// The number of open connections, including those that are still in a handshake.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.taking.open_connections()
    }

    /// Waits until the server is closed, and the connections that are bound to it. Cancel safe.
    pub async fn closed(&self) {
        self.taking.closed().await;
    }
}
