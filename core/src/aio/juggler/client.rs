use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytestring::ByteString;

use super::Error;
use crate::aio::handle::of_every_connection;
use crate::aio::inbox::{Inbox, InboxLimits};
use crate::aio::link::{Delivered, Link, Session, Wait};
use crate::aio::runtime::Runtime;
use crate::aio::{self, Address, net};
use crate::json::Value;
use crate::juggler::SendFault;
use crate::juggler::client::{Client as Machine, Config, Incoming, RequestId};
use crate::time::Instant;
use crate::ws;

/// While requests are open, the inbox may hold this many times its limits: their answers come behind the notifications,
/// and an application that waits for an answer takes none of those.
const WAITING: usize = 16;

/// How a client is made.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Path of the WebSocket, `/ws`.
    pub ws_path: ByteString,
    /// User and password, where the server asks for them. They go over the network as they are: it needs TLS then.
    pub credentials: Option<(String, String)>,
    /// More headers of the request: `Cookie`, `Origin`.
    pub headers: Vec<ws::Field>,
    /// The protocol: pings, segments, limits.
    pub config: Config,
    /// Limits of the WebSocket below it. Its `mask_seed` is drawn anew for each connection.
    pub ws: ws::Config,
    /// What may wait for [`Client::notification`] before nothing more is read.
    pub inbox: InboxLimits,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            ws_path: ByteString::from_static("/ws"),
            credentials: None,
            headers: Vec::new(),
            config: Config::default(),
            ws: ws::Config::default(),
            inbox: InboxLimits::default(),
        }
    }
}

/// Why there is no client.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] aio::ConnectError),
    /// The request for the WebSocket cannot be written.
    #[error("the request for the WebSocket cannot be sent: {0}")]
    Request(#[from] ws::RequestError),
    /// The connection ended before the server took the client.
    #[error(transparent)]
    Ended(#[from] Error),
}

/// Why a request has no result.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not sent.
    #[error(transparent)]
    Refused(#[from] SendFault),
    /// The server says that it failed, and why.
    #[error("the server answers: {0}")]
    Failed(Value),
    /// The connection ended before the answer came.
    #[error(transparent)]
    Ended(#[from] Error),
}

/// What the server notifies of.
#[derive(Clone, Debug, PartialEq)]
pub struct Notified {
    /// Of what.
    pub name: ByteString,
    /// More of it.
    pub data: Value,
}

/// Connects to the server at `address`, and waits until it takes the WebSocket.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect<R: Runtime>(
    address: impl Into<Address>,
    options: ClientOptions,
) -> Result<Client, ConnectError> {
    let address = address.into();
    let mut headers = options.headers;
    if let Some((user, password)) = options.credentials {
        let value = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
        headers.push(("Authorization".into(), value.into()));
    }
    let request = ws::Request { headers, ..ws::Request::new(address.to_string(), options.ws_path) };
    // keys that nobody knows, from the system's randomness
    let ws = ws::Config { mask_seed: RandomState::new().hash_one(0), ..options.ws };
    let ws = ws::Connection::connect(ws, request, Instant::ORIGIN)?;
    let session = ClientSession {
        machine: Machine::new(ws, options.config),
        open: false,
        changes: 0,
        inbox: Inbox::new(options.inbox),
        requests: BTreeMap::new(),
    };
    let stream = net::connect::<R>(&address).await?;
    let connect = |error| aio::ConnectError::Connect { address, error: Arc::new(error) };
    let link = Link::start::<R>(stream, |_| session, Box::new(|| ())).map_err(connect)?;
    link.wait(Wait::Incoming, |session| session.open.then_some(())).await?;
    Ok(Client { link, seen: AtomicU64::new(0) })
}

/// A client of a Juggler server. Cheap to clone; when the last clone is dropped, the connection closes.
pub struct Client {
    link: Link<ClientSession>,
    /// Changes of the state that this handle has seen.
    seen: AtomicU64,
}

impl Clone for Client {
    fn clone(&self) -> Self {
        Self { link: self.link.clone(), seen: self.seen.load(Ordering::Relaxed).into() }
    }
}

struct ClientSession {
    machine: Machine,
    /// The server took the WebSocket.
    open: bool,
    /// Changes of the state so far.
    changes: u64,
    inbox: Inbox<Notified>,
    requests: BTreeMap<RequestId, Request>,
}

/// A request whose future is alive.
enum Request {
    Waiting(Option<Waker>),
    Answered(Result<Value, Value>),
}

impl Session for ClientSession {
    type Protocol = Machine;

    const NAME: &'static str = "juggler client";

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        let times = if self.machine.open_requests() > 0 { WAITING } else { 1 };
        self.inbox.has_room_times(times)
    }

    fn deliver(&mut self, incoming: Incoming) -> Delivered {
        match incoming {
            Incoming::Open(_) => {
                self.open = true;
                Delivered::Inbox
            }
            Incoming::State => {
                self.changes += 1;
                Delivered::Inbox
            }
            Incoming::Notify { name, data, size } => {
                self.inbox.push(Notified { name, data }, size);
                Delivered::Inbox
            }
            Incoming::Response { request, result, .. } => match self.requests.get_mut(&request) {
                Some(slot) => match std::mem::replace(slot, Request::Answered(result)) {
                    Request::Waiting(Some(waker)) => Delivered::To(waker),
                    _ => Delivered::Nothing,
                },
                None => Delivered::Nothing,
            },
        }
    }

    fn ended(&mut self, wake: &mut Vec<Waker>) {
        for request in self.requests.values_mut() {
            if let Request::Waiting(waker) = request {
                wake.extend(waker.take());
            }
        }
    }
}

impl Client {
    /// The server's state, as far as we were told; `null` in the beginning. It costs nothing: the value is shared.
    #[must_use]
    pub fn state(&self) -> Value {
        self.link.look(|session| session.machine.state().clone())
    }

    /// Waits for a change of the server's state that this handle has not seen yet, and gives the newest state: who is slow misses what
    /// was between. A clone sees what its original has not.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the connection is over.
    pub async fn changed(&self) -> Result<Value, Error> {
        let seen = self.seen.load(Ordering::Relaxed);
        let newest = |session: &mut ClientSession| {
            (session.changes > seen).then(|| (session.changes, session.machine.state().clone()))
        };
        let (changes, state) = self.link.wait(Wait::Incoming, newest).await?;
        self.seen.store(changes, Ordering::Relaxed);
        Ok(state)
    }

    /// Asks the server for `name` with `data`, and gives its result; waits while the send queue is full. A request with an empty name is answered
    /// with its own data, by any server.
    ///
    /// Dropped before it is ready, the answer is dropped when it comes; what was asked may be done all the same.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn send(&self, name: &str, data: &Value) -> Result<Value, RequestError> {
        let sent = self.link.wait(Wait::Outgoing, |session| {
            match session.machine.request(name, data) {
                Ok(request) => {
                    session.requests.insert(request, Request::Waiting(None));
                    Some(Ok(request))
                }
                Err(fault) if fault.is_queue_full() => None,
                // the reason of the end says more than that there is one
                Err(fault) if fault.is_closed() => None,
                Err(fault) => Some(Err(fault)),
            }
        });
        let request = sent.await??;
        Asked { client: self, request }.await?.map_err(RequestError::Failed)
    }

    /// What the server notifies of next. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the connection is over, once all that came before is taken.
    pub async fn notification(&self) -> Result<Notified, Error> {
        self.link.wait(Wait::Incoming, |session| session.inbox.pop()).await
    }

    /// All that [`notification`](Self::notification) gives, as a stream. It ends when the connection does.
    #[must_use]
    pub fn notifications(&self) -> NotificationStream {
        NotificationStream { client: self.clone() }
    }

    of_every_connection!();
}

/// A request on its way. Dropping it forgets the request.
struct Asked<'a> {
    client: &'a Client,
    request: RequestId,
}

impl Future for Asked<'_> {
    type Output = Result<Result<Value, Value>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.client.link.shared().lock();
        let ended = state.ended.clone();
        match state.session.requests.get_mut(&self.request) {
            Some(Request::Waiting(waker)) => match ended {
                Some(error) => Poll::Ready(Err(error)),
                None => {
                    *waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            },
            Some(Request::Answered(_)) => match state.session.requests.remove(&self.request) {
                Some(Request::Answered(result)) => Poll::Ready(Ok(result)),
                _ => Poll::Pending,
            },
            // polled again after it was ready
            None => Poll::Pending,
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.client.link.look(|session| {
            session.requests.remove(&self.request);
            session.machine.forget(self.request);
        });
    }
}

/// What a [`Client`] is notified of, as a stream.
pub struct NotificationStream {
    client: Client,
}

impl futures_core::Stream for NotificationStream {
    type Item = Notified;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Notified>> {
        let link = &self.client.link;
        let told = ready!(link.poll_wait(cx, Wait::Incoming, |session| session.inbox.pop()));
        Poll::Ready(told.ok())
    }
}
