use std::io;
use std::pin::Pin;
#[cfg(feature = "web")]
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytestring::ByteString;

use super::connect::Opening;
use super::{ConnectOptions, Error, Message, PeerClose};
use crate::handle::{Handle, of_every_connection};
use crate::inbox::{Inbox, InboxLimits};
use crate::runtime::{Runtime, Stream};
use crate::shared::{ConnectionSlot, Delivered, Session, Wait};
#[cfg(feature = "web")]
use crate::web::Client;
use hat_core::time::Instant;
use hat_core::ws::{self, Agreement, Connection as Machine, DeflateAgreement, Incoming, Role};

/// Why something was not sent.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It cannot be sent.
    #[error(transparent)]
    Refused(#[from] ws::SendError),
    /// The connection is over.
    #[error(transparent)]
    Ended(#[from] Error),
}

/// The server's end of a WebSocket whose handshake is done: what an HTTP server upgraded, by
/// [`upgrade`](super::upgrade) or by itself. `agreement` is what its answer said, nothing by
/// default. Of `options.ws`, only `config` is used.
///
/// # Errors
///
/// That of the stream, where it does not know its addresses.
pub fn accept<R: Runtime>(
    stream: impl Stream,
    options: &ConnectOptions,
    agreement: Agreement,
) -> io::Result<Connection> {
    let config = options.ws.config.clone();
    let Agreement { subprotocol, deflate } = agreement;
    let session = |now| {
        let machine = established(config, deflate, now);
        let response = ws::Response { subprotocol, ..ws::Response::default() };
        WsSession { response, ..WsSession::established(machine, options.inbox) }
    };
    Ok(Connection::new(Handle::start::<R>(stream, session, ConnectionSlot::nowhere())?))
}

/// The machine of a server's end whose handshake is done.
pub(crate) fn established(
    config: ws::Config,
    deflate: Option<DeflateAgreement>,
    now: Instant,
) -> Machine {
    let machine = Machine::established(Role::Server, config, now);
    match deflate {
        Some(agreed) => machine.with_deflate(agreed),
        None => machine,
    }
}

/// Waits for the request of a client over a stream that there is already, and takes it, whatever
/// its path and origin: [`Connection::request`] says what they are. Of the subprotocols that the
/// client offers it takes the first that is among those of `options.ws`, of which else only
/// `config` is used.
///
/// # Errors
///
/// Why there is no connection; a request that is none for a WebSocket was answered.
pub async fn serve_on<R: Runtime>(
    stream: impl Stream,
    options: &ConnectOptions,
) -> Result<Connection, Error> {
    let ws = Machine::accept(options.ws.config.clone(), Instant::ORIGIN);
    let session = WsSession::new(ws, options.inbox, options.ws.subprotocols.clone());
    let handle = Handle::start::<R>(stream, |_| session, ConnectionSlot::nowhere());
    let handle = handle.map_err(|error| Error::Io(std::sync::Arc::new(error)))?;
    handle.wait(Wait::Incoming, |session| session.open.then_some(())).await?;
    Ok(Connection::new(handle))
}

/// One end of a connection. Cheap to clone; when the last clone is dropped, the connection closes.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) handle: Handle<WsSession>,
    /// On the side of a server of this library.
    #[cfg(feature = "web")]
    pub(super) client: Option<Arc<Client>>,
}

pub(super) struct WsSession {
    machine: Machine,
    /// The handshake is done.
    open: bool,
    /// Those that a server takes.
    subprotocols: Vec<ByteString>,
    request: Option<ws::Request>,
    response: ws::Response,
    inbox: Inbox<Message>,
    peer_close: Option<PeerClose>,
    /// Pings that were sent, each with its number.
    pings: u64,
    /// The highest number that came back.
    answered: u64,
}

impl WsSession {
    pub(super) fn new(machine: Machine, inbox: InboxLimits, subprotocols: Vec<ByteString>) -> Self {
        Self {
            machine,
            open: false,
            subprotocols,
            request: None,
            response: ws::Response::default(),
            inbox: Inbox::new(inbox),
            peer_close: None,
            pings: 0,
            answered: 0,
        }
    }

    /// Over a WebSocket whose handshake is done.
    pub(super) fn established(machine: Machine, inbox: InboxLimits) -> Self {
        Self { open: true, ..Self::new(machine, inbox, Vec::new()) }
    }

    /// Takes the client that asks.
    fn confirm(&mut self, request: ws::Request) {
        let mut offered = request.subprotocols.iter();
        let subprotocol = offered.find(|it| self.subprotocols.contains(it)).cloned();
        self.response = ws::Response { subprotocol, ..ws::Response::default() };
        // one that the client offered: nothing else could be wrong with it
        self.open = self.machine.confirm(&self.response).is_ok();
        self.request = Some(request);
    }
}

impl Session for WsSession {
    type Protocol = Machine;

    const NAME: &'static str = "websocket";

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        // nothing more is given once either side has closed: the end must not wait for who takes
        // what came before
        !self.machine.is_open() || self.inbox.has_room()
    }

    fn rest(&mut self) {
        self.inbox.rest();
    }

    fn deliver(&mut self, incoming: Incoming, memory: usize) -> Delivered {
        match incoming {
            Incoming::Request(request) => self.confirm(*request),
            Incoming::Open(response) => {
                self.open = true;
                self.response = *response;
            }
            Incoming::Text(text) => {
                let size = text.len().max(memory);
                self.inbox.push(Message::Text(text), size);
            }
            Incoming::Binary(bytes) => {
                let size = bytes.len().max(memory);
                self.inbox.push(Message::Binary(bytes), size);
            }
            Incoming::Pong(payload) => {
                let number = payload[..].try_into().map_or(0, u64::from_be_bytes);
                if !(self.answered + 1..=self.pings).contains(&number) {
                    // unasked
                    return Delivered::Nothing;
                }
                self.answered = number;
            }
            Incoming::Closed { code, reason } => {
                self.peer_close = Some(PeerClose { code, reason });
            }
        }
        Delivered::Inbox
    }
}

impl Opening for WsSession {
    fn is_open(&self) -> bool {
        self.open
    }
}

impl Connection {
    pub(super) fn new(handle: Handle<WsSession>) -> Self {
        Self {
            handle,
            #[cfg(feature = "web")]
            client: None,
        }
    }

    /// Who the client is, on the side of a server that [`listen`](super::listen) made.
    #[cfg(feature = "web")]
    #[must_use]
    pub fn client(&self) -> Option<&Client> {
        self.client.as_deref()
    }

    /// What the client asked for, behind [`serve_on`]: path, host, headers.
    #[must_use]
    pub fn request(&self) -> Option<ws::Request> {
        self.handle.look(|session| session.request.clone())
    }

    /// What the server answered, with the subprotocol that it took. Behind [`accept`] that is all
    /// of it that is known.
    #[must_use]
    pub fn response(&self) -> ws::Response {
        self.handle.look(|session| session.response.clone())
    }

    /// Sends a message, a text or bytes; waits while 256 KiB are queued. `Ok` means that it is
    /// queued: [`drain`](Self::drain) waits until it is with the system.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let message = message.into();
        let sent = self.handle.send(|session| match &message {
            Message::Text(text) => session.machine.send_text(text),
            Message::Binary(bytes) => session.machine.send_binary(bytes),
        });
        Ok(sent.await??)
    }

    /// The next message. Each comes once, and where nobody takes them and as many wait as the
    /// inbox allows, nothing more is read: that is the backpressure. What came before the
    /// connection ended is given first. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the connection is over; after an orderly end, [`peer_close`](Self::peer_close) says with
    /// which code.
    pub async fn receive(&self) -> Result<Message, Error> {
        self.handle.wait(Wait::Incoming, |session| session.inbox.pop()).await
    }

    /// All that [`receive`](Self::receive) gives, as a stream. It ends when the connection does.
    #[must_use]
    pub fn messages(&self) -> MessageStream {
        MessageStream { connection: self.clone() }
    }

    /// Asks the peer for a sign of life, and waits until it comes. It comes behind all that the
    /// peer sent before, and is not seen while nobody takes that and the inbox is full.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub async fn ping(&self) -> Result<(), SendError> {
        let sent = self.handle.send(|session| {
            let number = session.pings + 1;
            session.machine.ping(&number.to_be_bytes())?;
            session.pings = number;
            Ok::<_, ws::SendError>(number)
        });
        let number = sent.await??;
        let answered = |session: &mut WsSession| (session.answered >= number).then_some(());
        Ok(self.handle.wait(Wait::Incoming, answered).await?)
    }

    /// Closes the connection with a code of 3000 to 4999 or one of [`ws::code`], and a reason for
    /// people of at most 123 bytes: what was sent is still written. Gives why the connection is
    /// over once the socket is closed. [`close`](Self::close) is the same with 1000.
    ///
    /// Cancel safe: the closing goes on when this is dropped.
    ///
    /// # Errors
    ///
    /// [`ws::SendError`]: the code or the reason cannot be sent, or the connection is over.
    pub async fn close_with(&self, code: u16, reason: &str) -> Result<Error, ws::SendError> {
        self.handle.call(|session| session.machine.close_with(code, reason))?;
        Ok(self.handle.closed().await)
    }

    /// How the peer closed, if it did.
    #[must_use]
    pub fn peer_close(&self) -> Option<PeerClose> {
        self.handle.look(|session| session.peer_close.clone())
    }

    of_every_connection!();
}

/// What a [`Connection`] receives, as a stream.
#[derive(Debug)]
pub struct MessageStream {
    connection: Connection,
}

impl futures_core::Stream for MessageStream {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let handle = &self.connection.handle;
        let message = ready!(handle.poll_wait(cx, Wait::Incoming, |session| session.inbox.pop()));
        Poll::Ready(message.ok())
    }
}
