use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytestring::ByteString;

use super::Error;
use crate::aio::handle::of_every_connection;
use crate::aio::inbox::{Inbox, InboxLimits};
use crate::aio::link::{Delivered, Link, Session, Wait};
use crate::aio::runtime::Runtime;
use crate::aio::tls::Tls;
use crate::aio::{self, Address, net};
use crate::eventer::client::{AckId, Client as Machine, Config, Incoming, RequestId};
use crate::eventer::message::InitReq;
use crate::eventer::{
    Event, EventType, QueryParams, QueryResult, RegisterEvent, SendFault, Status,
};

/// While requests are open, the inbox may hold this many times its limits: their answers come behind the notifications,
/// and an application that waits for an answer takes none of those.
const WAITING: usize = 16;

/// What a client says of itself, and its limits.
#[derive(Clone, Debug, Default)]
pub struct ClientOptions {
    /// A secret that the server may ask for.
    pub token: Option<ByteString>,
    /// Query types of the events to be told: `?` is any one subtype, `*` in last place any number of them. Without any, no event
    /// is told.
    pub subscriptions: Vec<EventType>,
    /// Only events of this server. `None`: of any.
    pub server_id: Option<i64>,
    /// Events once they are stored for good, instead of as soon as they are registered.
    pub persisted: bool,
    /// The protocol: pings, limits.
    pub config: Config,
    /// What may wait for [`Client::next`] before nothing more is read.
    pub inbox: InboxLimits,
    /// TLS, where the connection is to be one: a connector. See [`tls`](crate::aio::tls).
    pub tls: Option<Tls>,
}

/// Why there is no client.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] aio::ConnectError),
    /// What the client says of itself is larger than a message may be.
    #[error("the initialization cannot be sent: {0}")]
    Init(SendFault),
    /// The connection ended before the server took the client: [`Rejected`](crate::eventer::Error::Rejected) holds its
    /// reason.
    #[error(transparent)]
    Ended(#[from] Error),
}

/// Why a request has no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not sent.
    #[error(transparent)]
    Refused(#[from] SendFault),
    /// The connection ended before the answer came.
    #[error(transparent)]
    Ended(#[from] Error),
}

/// What the server tells.
#[derive(Debug)]
pub enum Notification {
    /// Its new status.
    Status(Status),
    /// Events that the client subscribed to, of one session, in order.
    Events(Events),
}

/// Events of one notification. Where the server waits for an ack, it is sent when this is dropped: drop it once the events are
/// handled.
#[derive(Debug)]
pub struct Events {
    events: Vec<Event>,
    ack: Option<Ack>,
}

impl Events {
    /// The events. The ack is sent now.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<Event> {
        self.ack = None;
        std::mem::take(&mut self.events)
    }
}

impl Deref for Events {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.events
    }
}

struct Ack {
    link: Link<ClientSession>,
    id: AckId,
}

impl Drop for Ack {
    fn drop(&mut self) {
        // a connection that is over needs no ack
        let _ = self.link.call(|session| session.machine.ack(self.id));
    }
}

impl std::fmt::Debug for Ack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ack").field(&self.id).finish()
    }
}

/// Connects to the event server at `address` as `name`, and waits until it takes the client.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect<R: Runtime>(
    address: impl Into<Address>,
    name: impl Into<ByteString>,
    options: ClientOptions,
) -> Result<Client, ConnectError> {
    let address = address.into();
    let init = InitReq {
        client_name: name.into(),
        client_token: options.token,
        subscriptions: options.subscriptions,
        server_id: options.server_id,
        persisted: options.persisted,
    };
    let stream = net::connect::<R>(&address, options.tls.as_ref()).await?;
    let machine = |now| Machine::new(options.config, &init, now);
    let session = |now| -> Result<_, SendFault> {
        Ok(ClientSession {
            machine: machine(now)?,
            status: None,
            inbox: Inbox::new(options.inbox),
            requests: BTreeMap::new(),
        })
    };
    let session = session(crate::time::Instant::ORIGIN).map_err(ConnectError::Init)?;
    let connect = |error| aio::ConnectError::Connect { address, error: Arc::new(error) };
    let link = Link::start::<R>(stream, |_| session, Box::new(|| ())).map_err(connect)?;
    link.wait(Wait::Incoming, |session| session.status).await?;
    Ok(Client { link })
}

/// A client of an event server. Cheap to clone; when the last clone is dropped, the connection closes.
#[derive(Clone)]
pub struct Client {
    link: Link<ClientSession>,
}

struct ClientSession {
    machine: Machine,
    /// The server's status, once it took the client.
    status: Option<Status>,
    inbox: Inbox<Told>,
    requests: BTreeMap<RequestId, Request>,
}

enum Told {
    Status(Status),
    Events(Vec<Event>, Option<AckId>),
}

/// A request whose future is alive.
enum Request {
    Waiting(Option<Waker>),
    Answered(Answer),
}

enum Answer {
    Registered(Option<Vec<Event>>),
    Queried(QueryResult),
}

impl ClientSession {
    fn answer(&mut self, request: RequestId, answer: Answer) -> Delivered {
        match self.requests.get_mut(&request) {
            Some(slot) => match std::mem::replace(slot, Request::Answered(answer)) {
                Request::Waiting(Some(waker)) => Delivered::To(waker),
                _ => Delivered::Nothing,
            },
            None => Delivered::Nothing,
        }
    }
}

impl Session for ClientSession {
    type Protocol = Machine;

    const NAME: &'static str = "eventer client";

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        let times = if self.machine.open_requests() > 0 { WAITING } else { 1 };
        self.inbox.has_room_times(times)
    }

    fn deliver(&mut self, incoming: Incoming) -> Delivered {
        match incoming {
            Incoming::Ready(status) => {
                self.status = Some(status);
                Delivered::Inbox
            }
            Incoming::Status(status) => {
                self.status = Some(status);
                self.inbox.push(Told::Status(status), size_of::<Told>());
                Delivered::Inbox
            }
            Incoming::Events { events, ack, size } => {
                let weight = size + events.len() * size_of::<Event>();
                self.inbox.push(Told::Events(events, ack), weight);
                Delivered::Inbox
            }
            Incoming::Registered { request, events } => {
                self.answer(request, Answer::Registered(events))
            }
            Incoming::Queried { request, result } => self.answer(request, Answer::Queried(result)),
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
    /// The server's status, as last told.
    #[must_use]
    pub fn status(&self) -> Status {
        // a client that was handed out was taken by the server, which told its status
        self.link.look(|session| session.status).unwrap_or(Status::Standby)
    }

    /// What the server tells next: a status or events. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the connection is over, once all that came before is taken.
    pub async fn next(&self) -> Result<Notification, Error> {
        let told = self.link.wait(Wait::Incoming, |session| session.inbox.pop()).await?;
        Ok(self.notification(told))
    }

    /// All that [`next`](Self::next) gives, as a stream. It ends when the connection does.
    #[must_use]
    pub fn notifications(&self) -> NotificationStream {
        NotificationStream { client: self.clone() }
    }

    fn notification(&self, told: Told) -> Notification {
        match told {
            Told::Status(status) => Notification::Status(status),
            Told::Events(events, ack) => {
                let ack = ack.map(|id| Ack { link: self.link.clone(), id });
                Notification::Events(Events { events, ack })
            }
        }
    }

    /// Registers events as one session, without asking what becomes of them; waits while the send queue is full.
    ///
    /// Cancel safe: dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn register(&self, events: &[RegisterEvent]) -> Result<(), RequestError> {
        self.send(|machine| machine.register(events)).await
    }

    /// Registers events as one session and gives them as they were registered, in the same order; `None` if the server did
    /// not register them.
    ///
    /// Dropped before it is ready, the answer is dropped when it comes; the events may be registered all the same.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn register_with_response(
        &self,
        events: &[RegisterEvent],
    ) -> Result<Option<Vec<Event>>, RequestError> {
        let asked = self.ask(|machine| machine.register_with_response(events)).await?;
        match asked.await? {
            Answer::Registered(events) => Ok(events),
            Answer::Queried(_) => Ok(None), // not reached: the machine holds answers against their requests
        }
    }

    /// Asks for events.
    ///
    /// Dropped before it is ready, the answer is dropped when it comes.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn query(&self, params: &QueryParams) -> Result<QueryResult, RequestError> {
        let asked = self.ask(|machine| machine.query(params)).await?;
        match asked.await? {
            Answer::Queried(result) => Ok(result),
            Answer::Registered(_) => Ok(QueryResult::default()), // not reached, as above
        }
    }

    /// Makes a request whose answer the future waits for.
    async fn ask(
        &self,
        mut ask: impl FnMut(&mut Machine) -> Result<RequestId, SendFault>,
    ) -> Result<Asked<'_>, RequestError> {
        let request = self.send_in(|session| {
            let request = ask(&mut session.machine)?;
            session.requests.insert(request, Request::Waiting(None));
            Ok(request)
        });
        Ok(Asked { client: self, request: request.await? })
    }

    async fn send<T>(
        &self,
        mut send: impl FnMut(&mut Machine) -> Result<T, SendFault>,
    ) -> Result<T, RequestError> {
        self.send_in(|session| send(&mut session.machine)).await
    }

    /// Calls until the queue is not full.
    async fn send_in<T>(
        &self,
        mut send: impl FnMut(&mut ClientSession) -> Result<T, SendFault>,
    ) -> Result<T, RequestError> {
        let sent = self.link.wait(Wait::Outgoing, |session| match send(session) {
            Err(fault) if fault.is_queue_full() => None,
            // the reason of the end says more than that there is one
            Err(fault) if fault.is_closed() => None,
            sent => Some(sent),
        });
        Ok(sent.await??)
    }

    of_every_connection!();
}

/// A request on its way. Dropping it forgets the request.
struct Asked<'a> {
    client: &'a Client,
    request: RequestId,
}

impl Future for Asked<'_> {
    type Output = Result<Answer, Error>;

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
                Some(Request::Answered(answer)) => Poll::Ready(Ok(answer)),
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

/// What a [`Client`] is told, as a stream.
pub struct NotificationStream {
    client: Client,
}

impl futures_core::Stream for NotificationStream {
    type Item = Notification;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Notification>> {
        let link = &self.client.link;
        let told = ready!(link.poll_wait(cx, Wait::Incoming, |session| session.inbox.pop()));
        Poll::Ready(told.ok().map(|told| self.client.notification(told)))
    }
}
