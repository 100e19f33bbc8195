//! Chatter connections and servers on a runtime.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use crate::establish::{FromStream, ListenSettings, Split, without_handshake};
use crate::handle::Handle;
use crate::handle::of_every_connection;
use crate::inbox::Inbox;
pub use crate::inbox::InboxLimits;
use crate::pending::{PendingRequests, PendingResponse, Requests, WAITING};
use crate::runtime::{Runtime, Stream};
use crate::server::AcceptOptions;
use crate::shared::Close;
use crate::shared::ConnectionSlot;
use crate::shared::{Delivered, Session, Wait};
use crate::{ConnectError, IntoAddress, ListenError, SocketOptions, tls};
use hat_core::chatter::{
    Config, Connection as Machine, Conversation, Data, Incoming, Message, SendError, SendFault,
    SendOptions as MachineOptions,
};
use hat_core::options::More;

/// Why a connection ended.
pub type Error = crate::Error<hat_core::chatter::Error>;

/// A server whose connections the application accepts one by one.
pub type Server = crate::server::Server<Connection>;

/// Options of a connection.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// A name, which [`Connection::name`] returns; a server gives it to its connections.
    pub name: Option<String>,
    /// The protocol: dialect, pings, limits.
    pub config: Config,
    /// Limits of what may wait for [`Connection::receive`]. At a limit nothing more is read.
    pub inbox: InboxLimits,
    /// Uses TLS, with this configuration. See [`tls`].
    pub tls: Option<tls::Connector>,
    /// The time limit of connecting, and options of the socket.
    pub socket: SocketOptions,
    #[doc(hidden)]
    pub more: More,
}

/// Options of a server and its connections.
#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    /// A name, which [`Connection::name`] returns; a server gives it to its connections.
    pub name: Option<String>,
    /// The protocol: dialect, pings, limits.
    pub config: Config,
    /// Limits of what may wait for [`Connection::receive`]. At a limit nothing more is read.
    pub inbox: InboxLimits,
    /// Limits on connections, and whether they end with the server.
    pub accept: AcceptOptions,
    /// Uses TLS, with this configuration. See [`tls`].
    pub tls: Option<tls::Acceptor>,
    #[doc(hidden)]
    pub more: More,
}

impl From<ConnectOptions> for ListenOptions {
    /// A server whose connections are made as those of a client, without TLS.
    fn from(options: ConnectOptions) -> Self {
        let ConnectOptions { name, config, inbox, tls: _, socket: _, more } = options;
        Self { name, config, inbox, accept: AcceptOptions::default(), tls: None, more }
    }
}

/// Options of a message. The defaults are those of the deployed peers' `send`: a conversation of
/// one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendOptions {
    /// The conversation to continue; `None` starts a new one.
    pub conversation: Option<Conversation>,
    /// This message ends the conversation. Default: true.
    pub last: bool,
    /// Passes the token: the peer may send next. Default: true.
    pub token: bool,
    /// Reports [`Incoming::Timeout`] after this time unless the conversation continues before, in
    /// either direction.
    pub timeout: Option<Duration>,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self { conversation: None, last: true, token: true, timeout: None }
    }
}

without_handshake!();

/// Why a request has no response.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not sent.
    #[error(transparent)]
    Refused(SendFault),
    /// The connection ended before the response arrived.
    #[error(transparent)]
    Ended(#[from] Error),
}

/// One end of a connection. Cheap to clone; when the last clone is dropped, the connection closes.
#[derive(Clone, Debug)]
pub struct Connection {
    handle: Handle<ChatterSession>,
    name: Option<Arc<str>>,
}

struct ChatterSession {
    machine: Machine,
    inbox: Inbox<Incoming>,
    answers: PendingRequests<Conversation, Message>,
}

impl ChatterSession {
    /// The next message in the inbox. Timeouts before it are passed over.
    fn next_message(&mut self) -> Option<Message> {
        loop {
            match self.inbox.pop()? {
                Incoming::Message(message) => return Some(message),
                Incoming::Timeout(_) => {}
            }
        }
    }
}

impl Session for ChatterSession {
    type Protocol = Machine;

    const NAME: &'static str = "chatter";

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        let times = if self.answers.is_empty() { 1 } else { WAITING };
        self.inbox.has_room_times(times)
    }

    fn rest(&mut self) {
        self.inbox.rest();
    }

    fn deliver(&mut self, incoming: Incoming, memory: usize) -> Delivered {
        let incoming = match incoming {
            Incoming::Message(message) if self.answers.contains(message.conversation) => {
                return self.answers.answer(message.conversation, message);
            }
            incoming => incoming,
        };
        let weight = match &incoming {
            Incoming::Message(message) => message.data.weight(),
            Incoming::Timeout(_) => 0,
        };
        self.inbox.push(incoming, weight.max(memory));
        Delivered::Inbox
    }

    fn ended(&mut self, wake: &mut Vec<Waker>) {
        self.answers.ended(wake);
    }
}

impl Requests for ChatterSession {
    type Id = Conversation;
    type Answer = Message;

    fn answers(&mut self) -> &mut PendingRequests<Conversation, Message> {
        &mut self.answers
    }

    fn forget(&mut self, conversation: Conversation) {
        self.machine.forget(conversation);
    }
}

impl ListenSettings<Connection> for ListenOptions {
    fn split(self) -> Split<ConnectOptions> {
        let Self { name, config, inbox, accept, tls, more } = self;
        let settings = ConnectOptions { name, config, inbox, more, ..ConnectOptions::default() };
        Split { name: settings.name.clone(), settings, accept, tls }
    }
}

impl FromStream for Connection {
    type Settings = ConnectOptions;

    fn start<R: Runtime>(
        stream: impl Stream,
        settings: &ConnectOptions,
        slot: ConnectionSlot,
    ) -> io::Result<Self> {
        let session = |now| ChatterSession {
            machine: Machine::new(settings.config.clone(), now),
            inbox: Inbox::new(settings.inbox),
            answers: PendingRequests::new(),
        };
        let handle = Handle::start::<R>(stream, session, slot)?;
        Ok(Self { handle, name: settings.name.as_deref().map(Arc::from) })
    }

    fn closer(&self) -> Arc<dyn Close> {
        self.handle.shared().clone()
    }
}

impl Connection {
    /// Queues a message, waiting while 256 KiB are queued, and returns its conversation.
    ///
    /// Tasks that wait at the same time are served in no particular order. Cancel safe: if the
    /// future is dropped before it is ready, nothing of the message is sent.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data, for every reason except a full queue.
    pub async fn send(&self, data: Data, options: SendOptions) -> Result<Conversation, SendError> {
        let options = self.machine_options(options);
        self.handle.send_data(data, |session, data| session.machine.send(data, options)).await
    }

    /// Starts a conversation with `data`, and returns the peer's next message in it. Waits while
    /// 256 KiB are queued.
    ///
    /// Only this call receives the response, not [`receive`](Self::receive). If the response is not
    /// the last message of its conversation, [`send`](Self::send) can continue it. There is no time
    /// limit. If the future is dropped before it is ready, the conversation is abandoned as by
    /// [`forget`](Self::forget); the peer may carry out the request all the same.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn request(&self, data: Data) -> Result<Message, RequestError> {
        let options = MachineOptions { last: false, ..MachineOptions::default() };
        let sent = self.handle.send_data(data, |session, data| {
            let conversation = session.machine.send(data, options)?;
            session.answers.open(conversation);
            Ok(conversation)
        });
        match sent.await {
            Ok(conversation) => Ok(PendingResponse::new(&self.handle, conversation).await?),
            Err(refused) if refused.fault.is_closed() => Err(self.ended().await.into()),
            Err(refused) => Err(RequestError::Refused(refused.fault)),
        }
    }

    /// Abandons a conversation, for example after a timeout: it no longer counts as open, and
    /// further messages of the peer in it are dropped. The peer is not notified.
    pub fn forget(&self, conversation: Conversation) {
        self.handle.call(|session| session.machine.forget(conversation));
    }

    /// Queues a message without waiting.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data; also when the queue is full.
    pub fn try_send(&self, data: Data, options: SendOptions) -> Result<Conversation, SendError> {
        let options = self.machine_options(options);
        self.handle.queue(|session| session.machine.send(data, options))
    }

    fn machine_options(&self, options: SendOptions) -> MachineOptions {
        let SendOptions { conversation, last, token, timeout } = options;
        let timeout = timeout.map(|timeout| self.handle.shared().now() + timeout);
        MachineOptions { conversation, last, token, timeout }
    }

    /// Waits for the next message. Timeouts of conversations are skipped: an application that sets
    /// any uses [`next`](Self::next).
    ///
    /// Messages that arrived before the connection ended are returned first. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the connection ended.
    pub async fn receive(&self) -> Result<Message, Error> {
        self.handle.wait(Wait::Incoming, ChatterSession::next_message).await
    }

    /// Waits for the next message, or the next conversation that times out. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the connection ended.
    pub async fn next(&self) -> Result<Incoming, Error> {
        self.handle.wait(Wait::Incoming, |session| session.inbox.pop()).await
    }

    /// Everything that [`next`](Self::next) returns, as a stream. It ends when the connection does.
    #[must_use]
    pub fn incoming(&self) -> IncomingStream {
        IncomingStream { handle: self.handle.clone() }
    }

    /// The name from its options.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The number of open conversations of both sides.
    #[must_use]
    pub fn open_conversations(&self) -> usize {
        self.handle.look(|session| session.machine.open_conversations())
    }

    of_every_connection!();
}

/// What a [`Connection`] receives, as a stream.
#[derive(Debug)]
pub struct IncomingStream {
    handle: Handle<ChatterSession>,
}

impl futures_core::Stream for IncomingStream {
    type Item = Incoming;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        let next = self.handle.poll_wait(cx, Wait::Incoming, |session| session.inbox.pop());
        Poll::Ready(ready!(next).ok())
    }
}
