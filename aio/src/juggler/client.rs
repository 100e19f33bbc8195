use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytestring::ByteString;

use super::changes::Changes;
use super::following::{self, SeenChanges, ValueSession};
use super::{Answer, ConnectError, Error, WsOptions, weight};
use crate::IntoAddress;
use crate::handle::Handle;
use crate::handle::of_every_connection;
use crate::inbox::{Inbox, InboxLimits};
use crate::pending::{PendingRequests, PendingResponse, Requests, WAITING};
use crate::runtime::{Runtime, Stream};
use crate::shared::{Delivered, Session, Wait};
use crate::websocket::{Opening, connect_as, connect_as_on};
use hat_core::json::Value;
use hat_core::juggler::SendFault;
use hat_core::juggler::client::{Client as Machine, Config, Incoming, RequestId};
use hat_core::options::More;
use hat_core::ws;

/// How a client is made.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// How it asks for its WebSocket.
    pub ws: WsOptions,
    /// The protocol: pings, segments, limits.
    pub config: Config,
    /// What may wait for [`Client::notification`] before nothing more is read.
    pub inbox: InboxLimits,
    /// Every change of the server's state is kept for [`Client::next_change`] from the beginning,
    /// and nothing more is read while as many wait as `inbox` allows. Default: off; they are kept
    /// from the first call of it on.
    pub every_change: bool,
    #[doc(hidden)]
    pub more: More,
}

/// Why a request has no result.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not sent.
    #[error(transparent)]
    Refused(#[from] SendFault),
    /// The server says that it failed, and why.
    #[error("the server reports a failure: {0}")]
    Failed(Value),
    /// The connection ended before the response arrived.
    #[error(transparent)]
    Ended(#[from] Error),
    /// There is no connection at present, or the client has stopped: see
    /// [`ReconnectingClient`](super::ReconnectingClient).
    #[error("there is no connection to the server")]
    NotConnected,
}

/// What the server notifies of.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
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
    address: impl IntoAddress,
    options: ConnectOptions,
) -> Result<Client, ConnectError> {
    let (ws, session) = ClientSession::parts(options);
    Ok(Client::new(connect_as::<R, _>(address, ws, session).await?))
}

/// As [`connect`], over a stream that there is already: see [`IoStream`](crate::IoStream). Where it
/// is to be TLS, it is that already; of `options.ws`, `tls` and `socket` are not used.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect_on<R: Runtime>(
    stream: impl Stream,
    options: ConnectOptions,
) -> Result<Client, ConnectError> {
    let (ws, session) = ClientSession::parts(options);
    Ok(Client::new(connect_as_on::<R, _>(stream, ws, session).await?))
}

/// A client of a Juggler server. Cheap to clone; when the last clone is dropped, the connection
/// closes.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) handle: Handle<ClientSession>,
    /// Changes of the state that this handle has seen.
    seen: SeenChanges,
}

pub(super) struct ClientSession {
    machine: Machine,
    /// The server took the WebSocket.
    open: bool,
    /// Changes of the state so far.
    changes: Changes,
    pub(super) inbox: Inbox<Notice>,
    answers: PendingRequests<RequestId, Answer>,
}

impl ClientSession {
    /// How it gets its WebSocket, and what is made of that.
    fn parts(options: ConnectOptions) -> (WsOptions, impl FnOnce(ws::Connection) -> Self) {
        let ConnectOptions { ws, config, inbox, every_change, more: _ } = options;
        let session = move |ws| Self {
            machine: Machine::new(ws, config),
            open: false,
            changes: Changes::new(every_change, inbox),
            inbox: Inbox::new(inbox),
            answers: PendingRequests::new(),
        };
        (ws, session)
    }
}

impl Opening for ClientSession {
    fn is_open(&self) -> bool {
        self.open
    }
}

impl ValueSession for ClientSession {
    fn changes(&mut self) -> &mut Changes {
        &mut self.changes
    }

    fn value(&self) -> &Value {
        self.machine.state()
    }
}

impl Session for ClientSession {
    type Protocol = Machine;

    const NAME: &'static str = "juggler client";

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        let times = if self.machine.open_requests() > 0 { WAITING } else { 1 };
        // nothing more is given once either side has closed: the end must not wait for who takes
        // what came before
        !self.machine.is_open() || (self.inbox.has_room_times(times) && self.changes.has_room())
    }

    fn rest(&mut self) {
        self.inbox.rest();
    }

    fn deliver(&mut self, incoming: Incoming, _memory: usize) -> Delivered {
        match incoming {
            Incoming::Open(_) => {
                self.open = true;
                Delivered::Inbox
            }
            Incoming::State => {
                self.changes.push(self.machine.state(), self.machine.state_change_size());
                Delivered::Inbox
            }
            Incoming::Notify { name, data, size } => {
                let weight = weight(size, &data);
                self.inbox.push(Notice { name, data }, weight);
                Delivered::Inbox
            }
            Incoming::Response { request, result, .. } => self.answers.answer(request, result),
        }
    }

    fn ended(&mut self, wake: &mut Vec<Waker>) {
        self.answers.ended(wake);
    }
}

impl Requests for ClientSession {
    type Id = RequestId;
    type Answer = Answer;

    fn answers(&mut self) -> &mut PendingRequests<RequestId, Answer> {
        &mut self.answers
    }

    fn forget(&mut self, id: RequestId) {
        self.machine.forget(id);
    }
}

impl Client {
    fn new(handle: Handle<ClientSession>) -> Self {
        Self { handle, seen: SeenChanges::default() }
    }

    /// The server's state, as far as we were told; `null` in the beginning. It costs nothing: the
    /// value is shared.
    #[must_use]
    pub fn state(&self) -> Value {
        self.handle.look(|session| session.machine.state().clone())
    }

    /// Waits for a change of the server's state that this handle has not seen yet, and gives the
    /// newest state: who is slow misses what was between. A clone sees what its original has not.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the connection ended.
    pub async fn changed(&self) -> Result<Value, Error> {
        self.seen.changed(&self.handle).await
    }

    /// The server's state after its next change: each change once, in order. Who is slow holds up
    /// what is read. Several callers share the changes. With
    /// [`every_change`](ConnectOptions::every_change), from the beginning of the connection on;
    /// else from the first call on. Cancel safe.
    ///
    /// # Errors
    /// Why the connection ended, after everything that arrived before has been returned.
    pub async fn next_change(&self) -> Result<Value, Error> {
        following::next_change(&self.handle).await
    }

    /// Requests the server for `name` with `data`, and gives its result; waits while 256 KiB are
    /// queued. A request with an empty name is answered with its own data, by any server.
    ///
    /// Dropped before it is ready, the answer is dropped when it comes; what was asked may be done
    /// all the same.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn send(&self, name: &str, data: &Value) -> Result<Value, RequestError> {
        let sent = self.handle.send(|session| {
            let request = session.machine.request(name, data)?;
            session.answers.open(request);
            Ok::<_, SendFault>(request)
        });
        let request = sent.await??;
        PendingResponse::new(&self.handle, request).await?.map_err(RequestError::Failed)
    }

    /// What the server notifies of next. Cancel safe.
    ///
    /// # Errors
    /// Why the connection ended, after everything that arrived before has been returned.
    pub async fn notification(&self) -> Result<Notice, Error> {
        self.handle.wait(Wait::Incoming, |session| session.inbox.pop()).await
    }

    /// All that [`notification`](Self::notification) gives, as a stream. It ends when the
    /// connection does.
    #[must_use]
    pub fn notifications(&self) -> NotificationStream {
        NotificationStream { client: self.clone() }
    }

    of_every_connection!();
}

/// What a [`Client`] is notified of, as a stream.
#[derive(Debug)]
pub struct NotificationStream {
    client: Client,
}

impl futures_core::Stream for NotificationStream {
    type Item = Notice;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Notice>> {
        let handle = &self.client.handle;
        let told = ready!(handle.poll_wait(cx, Wait::Incoming, |session| session.inbox.pop()));
        Poll::Ready(told.ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hat_core::time::Instant;

    /// An empty list has two bytes on the wire, and a hundred here.
    #[test]
    fn what_waits_counts_as_what_it_takes_in_memory() {
        let inbox = InboxLimits::new(1024, 100_000);
        let (ws, session) = ClientSession::parts(ConnectOptions { inbox, ..Default::default() });
        let ws = ws::Connection::established(ws::Role::Client, ws.config, Instant::ORIGIN);
        let mut session = session(ws);
        let text = format!("[{}0]", "[],".repeat(500));
        let data = Value::parse(&text, &Default::default()).expect("JSON");
        let waiting = std::iter::repeat_with(|| {
            let (name, data) = ("n".into(), data.clone());
            session.deliver(Incoming::Notify { name, data, size: text.len() }, 0);
            session.has_room()
        });
        assert_eq!(waiting.take(100).take_while(|has_room| *has_room).count(), 2);
    }
}
