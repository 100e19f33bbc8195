use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::handler::{ConnectionInfo, Handler};
use super::notifier::Notifier;
use super::patience::Patience;
use super::registry::{Progress, Registry, ServerSession};
use crate::ConnectionId;
use crate::handle::Handle;
use crate::inbox::{Inbox, InboxLimits};
use crate::panics::catching;
use crate::runtime::{Runtime, Stream};
use crate::server::{AcceptOptions, AcceptedStream, Core};
use crate::shared::{ConnectionSlot, Wait};
use crate::trace;
use crate::{HandshakeFailure, IntoAddress, ListenError, establish, tls};
use hat_core::chatter;
use hat_core::eventer::server::{Config, Connection as Machine, Incoming, RequestId};
use hat_core::eventer::{Event, JsonError, QueryResult, RegisterEvent, SendFault, Status};
use hat_core::options::More;

/// Options of a server.
#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    /// The initial status. Default: `standby`.
    pub status: Status,
    /// The protocol: pings, limits, close timeout. What may be queued to one client is
    /// [`chatter.max_queued`](hat_core::chatter::Config::max_queued): a client that has more to
    /// read is disconnected.
    pub config: Config,
    /// Limits of the requests of one client that wait. At a limit nothing more is read from it.
    pub inbox: InboxLimits,
    /// Limits on connections, and whether they end with the server.
    pub accept: AcceptOptions,
    /// Uses TLS, with this configuration. See [`tls`].
    pub tls: Option<tls::Acceptor>,
    #[doc(hidden)]
    pub more: More,
}

/// An event server. Dropping it stops listening, and closes its connections where they are bound to
/// it.
pub struct Server {
    core: Arc<Core<()>>,
    notifier: Notifier,
    serve_on: ServeOn,
}

/// Serves a stream of any kind.
type ServeOn = Arc<dyn Fn(&Arc<Core<()>>, AcceptedStream<Box<dyn Stream>>) + Send + Sync>;

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
    listen_with::<R, _>(address, |_| handler, options).await
}

/// As [`listen`], with a handler that notifies the clients itself: it is made from the
/// [`Notifier`].
///
/// # Errors
///
/// [`ListenError`].
pub async fn listen_with<R: Runtime, H: Handler>(
    address: impl IntoAddress,
    handler: impl FnOnce(Notifier) -> H,
    options: ListenOptions,
) -> Result<Server, ListenError> {
    let (accept, tls) = (options.accept, options.tls.clone());
    let (serving, notifier) = ConnectionService::new::<R>(handler, options);
    let sockets = Arc::new(serving);
    let streams = sockets.clone();
    let take = move |core: &Arc<Core<()>>, accepted: AcceptedStream<_>| {
        sockets.start::<R>(core, accepted);
    };
    let core = establish::start::<R, ()>(address, accept, tls.as_ref(), take).await?;
    let serve_on: ServeOn = Arc::new(move |core, accepted| streams.start::<R>(core, accepted));
    Ok(Server { core, notifier, serve_on })
}

/// What every connection of a server is served by.
struct ConnectionService<H> {
    config: Config,
    inbox: InboxLimits,
    handler: Arc<H>,
    clients: Arc<Registry>,
}

impl<H: Handler> ConnectionService<H> {
    fn new<R: Runtime>(
        handler: impl FnOnce(Notifier) -> H,
        options: ListenOptions,
    ) -> (Self, Notifier) {
        let clients = Arc::new(Registry::new(options.status));
        let notifier = Notifier::new::<R>(clients.clone());
        let handler = Arc::new(handler(notifier.clone()));
        let ListenOptions { config, inbox, .. } = options;
        (Self { config, inbox, handler, clients }, notifier)
    }

    fn start<R: Runtime>(&self, core: &Arc<Core<()>>, accepted: AcceptedStream<impl Stream>) {
        let AcceptedStream { id, stream, slot } = accepted;
        let session = |now| ServerSession {
            machine: Machine::new(self.config.clone(), now),
            inbox: Inbox::new(self.inbox),
            acks: BTreeMap::new(),
            patience: Patience::with_client(),
            progress: Progress::default(),
        };
        // the task counts the connection out, and not its driver
        if let Ok(handle) = Handle::start::<R>(stream, session, ConnectionSlot::nowhere()) {
            core.register(id, handle.shared().clone());
            let client = Membership { registry: self.clients.clone(), id: ConnectionId(id), slot };
            R::spawn(serve(core.clone(), handle, self.handler.clone(), client));
        }
    }
}

/// A client among the others, until the task that serves it ends: also by a handler that panics.
struct Membership {
    registry: Arc<Registry>,
    id: ConnectionId,
    #[expect(dead_code, reason = "held for its drop")]
    slot: ConnectionSlot,
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.registry.remove(self.id);
    }
}

/// The life of one connection.
async fn serve<H: Handler>(
    core: Arc<Core<()>>,
    handle: Handle<ServerSession>,
    handler: Arc<H>,
    client: Membership,
) {
    let info = match initialize(&handle, &*handler, &client).await {
        Ok(info) => info,
        Err(failed) => {
            // a client that was told why is given the time to close
            let end = handle.closed().await;
            let remote = handle.shared().remote;
            match failed {
                Refusal::Rejected(reason) => core.failed(Some(remote), Rejection(reason)),
                Refusal::Ended => core.failed(Some(remote), end),
            }
            return;
        }
    };
    // ends with the connection, or with a handler that panics: what it began for the client must
    // end then too
    let ended = {
        let requests = pin!(requests(&handle, &*handler, &info, &client.registry));
        catching(requests).await
    };
    client.registry.remove(client.id);
    handler.disconnected(&info).await;
    handle.close();
    handle.closed().await;
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

/// Why a client was not taken.
enum Refusal {
    /// The handler rejected it, for this reason.
    Rejected(String),
    /// The connection ended before the client was taken.
    Ended,
}

/// What the server's application is told of a client that its handler rejected.
#[derive(Debug, thiserror::Error)]
#[error("the client was rejected: {0}")]
struct Rejection(String);

/// Asks the handler about the client that connects.
async fn initialize(
    handle: &Handle<ServerSession>,
    handler: &impl Handler,
    client: &Membership,
) -> Result<Arc<ConnectionInfo>, Refusal> {
    let said = handle
        .wait(Wait::Incoming, |session| match session.inbox.pop()? {
            Incoming::Init(said) => Some(said),
            _ => None,
        })
        .await
        .map_err(|_| Refusal::Ended)?;
    let remote_address = handle.shared().remote;
    let info = Arc::new(ConnectionInfo { id: client.id, remote_address, client: said });
    match handler.connected(&info).await {
        Ok(()) if client.registry.accept(&info, handle).is_ok() => Ok(info),
        Ok(()) => {
            // gone before it could be told: what the handler began for it must end
            handle.close();
            handler.disconnected(&info).await;
            Err(Refusal::Ended)
        }
        Err(reason) => {
            if handle.call(|session| session.machine.reject(reason.clone())).is_err() {
                // it cannot be told, being larger than a message may be, and the client would wait
                handle.close();
            }
            Err(Refusal::Rejected(reason))
        }
    }
}

/// Does what the client asks for, one after the other, until the connection ends.
async fn requests(
    handle: &Handle<ServerSession>,
    handler: &impl Handler,
    info: &ConnectionInfo,
    registry: &Registry,
) -> Result<(), super::Error> {
    loop {
        let incoming = handle.wait(Wait::Incoming, |session| session.inbox.pop()).await?;
        // until its answer is queued
        let _in_hand = registry.in_hand().ticket();
        match incoming {
            Incoming::Register { events, request, .. } => {
                let events = match unsound(&events) {
                    None => handler.register(info, events).await,
                    Some(error) => {
                        trace::refused(info, "events are not registered", &error);
                        None
                    }
                };
                if let Some(request) = request {
                    let respond =
                        |it: &mut Machine| it.register_response(request, events.as_deref());
                    if let Err(fault) = send(handle, respond).await? {
                        close_unanswered(handle, info, fault);
                    }
                }
            }
            Incoming::Query { params, request } => {
                let result = handler.query(info, params).await;
                answer(handle, info, request, result).await?;
            }
            Incoming::Init(_) | Incoming::Acked(_) => {}
        }
    }
}

/// Why others could not take one of the events. Whoever is told a payload that it cannot parse ends
/// its connection, so who sends it is refused.
fn unsound(events: &[RegisterEvent]) -> Option<JsonError> {
    events.iter().find_map(|event| event.check().err())
}

/// Answers a query: with as many events as a message may hold, where they are more. Then more
/// follows.
async fn answer(
    handle: &Handle<ServerSession>,
    info: &ConnectionInfo,
    request: RequestId,
    mut result: QueryResult,
) -> Result<(), super::Error> {
    let mut sent = send(handle, |it| it.query_response(request, &result)).await?;
    if let Err(SendFault::Chatter(chatter::SendFault::TooLarge { limit, .. })) = sent {
        // what stands in front of the data takes less
        let cut = result.cut(limit.saturating_sub(FRONT));
        if cut && !result.events.is_empty() {
            sent = send(handle, |it| it.query_response(request, &result)).await?;
        }
    }
    if let Err(fault) = sent {
        close_unanswered(handle, info, fault);
    }
    Ok(())
}

/// Bytes of a message in front of its data, at the most: four numbers of ten bytes, two flags and
/// the name of an answer.
const FRONT: usize = 128;

/// Sends as soon as the queue has room.
async fn send(
    handle: &Handle<ServerSession>,
    mut respond: impl FnMut(&mut Machine) -> Result<(), SendFault>,
) -> Result<Result<(), SendFault>, super::Error> {
    handle.send(|session| respond(&mut session.machine)).await
}

/// An answer that can never be sent, because it is too large say, closes the connection: the client
/// would wait for ever.
fn close_unanswered(handle: &Handle<ServerSession>, info: &ConnectionInfo, fault: SendFault) {
    trace::refused(info, "a response cannot be sent: the client's connection is closed", &fault);
    handle.close();
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

impl Server {
    /// Serves a client over a stream that there is already: of another kind than the server listens
    /// for, or what something else was upgraded to. It counts as a connection of the server;
    /// [`max_connections`](AcceptOptions::max_connections) does not hold it up.
    pub fn serve_on(&self, stream: impl Stream) {
        let stream: Box<dyn Stream> = Box::new(stream);
        let remote = stream.peer_addr().ok();
        (self.serve_on)(&self.core, self.core.count(stream, remote));
    }

    /// The clients that are connected now, by number.
    #[must_use]
    pub fn connections(&self) -> Vec<Arc<ConnectionInfo>> {
        self.notifier.connections()
    }

    /// Closes the connection of one client; what is queued for it is still written. Returns whether
    /// there is such a client.
    ///
    /// [`Handler::disconnected`](super::Handler::disconnected) is called as for any client that
    /// disconnects.
    pub fn disconnect(&self, id: ConnectionId) -> bool {
        self.notifier.disconnect(id)
    }

    /// The present status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.notifier.status()
    }

    /// Sets the status, and notifies all clients if it changed.
    pub fn set_status(&self, status: Status) {
        self.notifier.set_status(status);
    }

    /// Notifies the subscribed clients of the events of one session: [`Notifier::notify_events`].
    pub async fn notify_events(&self, events: &[Event], persisted: bool, with_ack: bool) {
        self.notifier.notify_events(events, persisted, with_ack).await;
    }

    /// Waits until no client has more than 1 MiB to read: [`Notifier::caught_up`].
    pub async fn caught_up(&self) {
        self.notifier.caught_up().await;
    }

    /// A handle for notifying clients, which other tasks can hold.
    #[must_use]
    pub fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// Every address that the server listens on, with its port.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.core.addresses()
    }

    /// Waits for the next client that was not accepted, and returns its address and the cause: it
    /// broke the protocol before it was initialized, was silent, or was rejected by the handler.
    /// `None` once the server is closed. At most 64 are kept until this is called. Cancel safe.
    pub async fn handshake_failure(&self) -> Option<HandshakeFailure> {
        self.core.handshake_failure().await
    }

    /// Waits until every request that the handler is processing is answered, but at most for
    /// `time`: call it before [`close`](Self::close), so that clients learn what was registered.
    /// Requests that arrive meanwhile are handled as usual. Cancel safe.
    pub async fn answered(&self, time: Duration) {
        self.notifier.answered(time).await;
    }

    /// Stops listening, closes the connections that are bound to the server, and waits until all of
    /// that is done, including the last call of the handler's `disconnected`.
    ///
    /// Cancel safe: the closing goes on when this is dropped.
    pub async fn close(&self) {
        self.core.close();
        self.core.closed().await;
    }

    /// The number of open connections, including those that are still in a handshake.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.core.open_connections()
    }

    /// Waits until the server is closed, and the connections that are bound to it. Cancel safe.
    pub async fn closed(&self) {
        self.core.closed().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.core.close();
    }
}
