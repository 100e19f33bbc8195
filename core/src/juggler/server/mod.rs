//! The server's end of 0.7.
//!
//! ```text
//! WebSocket's handshake ──Upgrade, confirm──> open ──> over
//!                                             state │ requests and responses │ notifications
//!
//! requests      ──> waiting ──its turn──> given to the application ──respond──> answered
//!                                 └─empty name: answered here
//! ```

mod config;
mod requests;

use alloc::boxed::Box;
use core::time::Duration;

use bytestring::ByteString;

use super::local::Local;
use super::message::{self, Notification, Request, RequestKind};
use super::peer_state::{Patches, may_queue_patch};
use super::transport::{Transport, TransportEvent};
use super::{Autoflush, Error, Flush, SendFault, State};
use crate::buffer::{RecvBuf, SendQueue};
use crate::json::Value;
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::time::{Instant, earliest};
use crate::{trace, ws};

pub use config::Config;
use requests::Requests;

/// A request of the client that waits for our answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

/// What [`Connection::poll`] gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A WebSocket's request, which waits for [`Connection::confirm`] or [`Connection::refuse`].
    /// Does not come where the handshake was done before.
    Upgrade(Box<ws::Request>),
    /// A request: [`Connection::respond`] is the answer.
    Request {
        /// What to answer to.
        request: RequestId,
        /// What is asked for; not empty.
        name: ByteString,
        /// More of it.
        data: Value,
        /// Bytes that it took on the wire.
        size: usize,
    },
}

/// The server's end of a connection. The WebSocket may be open, or on its way: see
/// [`Incoming::Upgrade`].
///
/// The client follows a state: the connection's own, which is `null` until it is
/// [changed](Self::change), or one that several connections [follow](Self::follow), whose patches
/// are encoded once for all of them.
///
/// - **Application**: [`respond`](Self::respond), [`notify`](Self::notify),
///   [`change`](Self::change), [`flush`](Self::flush), [`follow`](Self::follow),
///   [`close`](Protocol::close), [`close_with`](Self::close_with); [`confirm`](Self::confirm) and
///   [`refuse`](Self::refuse) in the handshake.
/// - **Driver**: [`poll`](Protocol::poll), [`tx`](Protocol::tx), [`deadline`](Protocol::deadline),
///   [`is_closed`](Protocol::is_closed).
/// - **Introspection**: [`state`](Self::state), [`is_behind`](Self::is_behind),
///   [`open_requests`](Self::open_requests), [`is_open`](Self::is_open), [`queued`](Self::queued).
#[derive(Debug)]
pub struct Connection {
    transport: Transport,
    requests: Requests,
    local: Local,
}

impl Connection {
    /// A connection over `ws`, which was made by [`ws::Connection::accept`], or established by an
    /// HTTP server.
    #[must_use]
    pub fn new(ws: ws::Connection, config: Config) -> Self {
        Self {
            requests: Requests::new(&config),
            local: Local::new(Autoflush::new(config.autoflush_delay)),
            transport: Transport::new(ws, config.transport),
        }
    }

    /// Takes the WebSocket's request that waits: the connection is open then.
    ///
    /// # Errors
    ///
    /// [`ws::AnswerError`].
    pub fn confirm(&mut self, response: &ws::Response) -> Result<(), ws::AnswerError> {
        self.transport.channel.ws().confirm(response)
    }

    /// Refuses the WebSocket's request that waits, as [`ws::Connection::refuse`] does.
    ///
    /// # Errors
    ///
    /// [`ws::AnswerError`].
    pub fn refuse(
        &mut self,
        status: u16,
        headers: &[ws::Field],
        text: &str,
    ) -> Result<(), ws::AnswerError> {
        self.transport.channel.ws().refuse(status, headers, text)
    }

    /// Starts the end of the connection with `code` (RFC 6455 section 7.4) and a `reason` for
    /// people, at most 123 bytes. It goes out over a full queue too.
    ///
    /// # Errors
    ///
    /// [`ws::SendError`]. Nothing is queued then.
    pub fn close_with(&mut self, code: u16, reason: &str) -> Result<(), ws::SendError> {
        self.transport.channel.ws().close_with(code, reason)?;
        self.requests.clear();
        Ok(())
    }

    /// Answers a request, once: with its result, or with what became of it instead, usually a text.
    ///
    /// # Errors
    ///
    /// [`SendFault`]: the request stays open where the queue was full.
    pub fn respond(
        &mut self,
        request: RequestId,
        result: Result<&Value, &Value>,
    ) -> Result<(), SendFault> {
        self.transport.channel.may_send(0)?;
        let id = self.requests.id(request).ok_or(SendFault::NotAsked)?;
        self.transport.send("juggler response", &[message::response(id, result)])?;
        self.requests.answered(request);
        Ok(())
    }

    /// Notifies the client. Its text is shared by all connections that it is given to.
    ///
    /// # Errors
    ///
    /// [`SendFault`]. Nothing is queued then.
    pub fn notify(&mut self, notification: &Notification) -> Result<(), SendFault> {
        self.transport.send("juggler notify", core::slice::from_ref(notification.text()))
    }

    /// Brings the client to what `state`, which several connections share, has flushed: call it for
    /// a newcomer, and for all after each flush, with what that gave. A client that has all but
    /// this flush gets its text, the same for all; a newcomer gets the whole, which is encoded
    /// once, too; one that is behind because it reads slowly gets what it lacks as one patch, as
    /// soon as there is room in its queue ([`is_behind`](Self::is_behind) until then). The
    /// connection's own state is not told any more.
    ///
    /// # Errors
    ///
    /// [`SendFault::Closed`].
    pub fn follow(&mut self, state: &mut State, flushed: Option<&Flush>) -> Result<(), SendFault> {
        let sent = self.local.follow(state, flushed, &mut self.transport);
        sent.or_else(|fault| if fault.is_closed() { Err(fault) } else { Ok(()) })
    }

    /// The connection's own state.
    #[must_use]
    pub fn state(&self) -> &State {
        self.local.state()
    }

    /// Changes the connection's own state. The client is told after [`Config::autoflush_delay`].
    pub fn change<R>(&mut self, change: impl FnOnce(&mut State) -> R) -> R {
        self.local.change(change, &mut self.transport)
    }

    /// Tells the client now what has changed in the connection's own state. Gives the position in
    /// [`tx`](Protocol::tx) behind it: once [`sent`](SendQueue::sent) reaches it, all of it is with
    /// the system.
    ///
    /// # Errors
    ///
    /// [`SendFault`]. What the queue had no room for is told as soon as it has; what was flushed
    /// before the handshake was done, once it is.
    pub fn flush(&mut self) -> Result<u64, SendFault> {
        if let Err(over @ SendFault::Closed) = self.transport.channel.may_send(0) {
            return Err(over);
        }
        self.local.flush(&mut self.transport)?;
        Ok(self.transport.tx().end())
    }

    /// The client lacks something that was flushed: its queue is full, or the connection not open
    /// yet. It is told as soon as there is room; nothing need be done.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.local.told().is_behind()
    }

    /// Requests that have come, and whose turn has not: they are given once those before them are
    /// answered.
    #[must_use]
    pub fn waiting_requests(&self) -> usize {
        self.requests.waiting()
    }

    /// Requests that were given and wait for our answer.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.requests.open()
    }

    /// The handshake is done, and neither side has closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.transport.channel.is_open()
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.transport.channel.queued()
    }

    /// The next request whose turn it is, if the application has to do with it.
    fn next_request(&mut self) -> Option<Incoming> {
        while let Some((Request { id, asked }, size)) = self.requests.pop() {
            match asked {
                RequestKind::Named(name, data) => {
                    let request = self.requests.give(id);
                    return Some(Incoming::Request { request, name, data, size });
                }
                RequestKind::Echo(data) => self.transport.reply(message::response(&id, Ok(&data))),
                RequestKind::Wrong(why) => {
                    self.transport.reply(message::response(&id, Err(&why.into())));
                }
            }
        }
        None
    }

    fn step(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        loop {
            if let Some(incoming) = self.next_request() {
                return Ok(Polled::Incoming(incoming));
            }
            if self.is_held_up() {
                self.transport.not_reading();
                return Ok(Polled::HeldUp);
            }
            match self.transport.next(rx, now)?.or_wait() {
                Err(wait) => return Ok(wait),
                Ok(TransportEvent::Message(text)) => {
                    let limits = self.transport.config().limits;
                    trace::received("juggler request", text.len());
                    self.requests.push(Request::parse(&text, &limits)?, text.len());
                }
                Ok(TransportEvent::Upgrade(request)) => {
                    return Ok(Polled::Incoming(Incoming::Upgrade(request)));
                }
                // only clients are told so
                Ok(TransportEvent::Open(_)) => {}
            }
        }
    }

    /// Nothing is read before the application has answered. A connection that is closing goes on.
    fn is_held_up(&self) -> bool {
        self.requests.hold_up() && self.transport.channel.is_open()
    }
}

impl Patches for Transport {
    fn may_send(&self, size: usize) -> Result<(), SendFault> {
        may_queue_patch(self.channel.queued())?;
        self.may_send_patch()?;
        Transport::may_send(self, size)
    }

    fn send_patch(&mut self, patch: ByteString) -> Result<(), SendFault> {
        may_queue_patch(self.channel.queued())?;
        self.may_send_patch()?;
        let [front, back] = message::STATE;
        Transport::send_patch(self, &[front, patch, back])
    }
}

impl Protocol for Connection {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        let polled = self.step(rx, now).map_err(|error| {
            self.requests.clear();
            self.transport.end(error)
        });
        if polled.is_ok() {
            self.local.poll(now, &mut self.transport);
        }
        polled
    }

    fn deadline(&self) -> Option<Instant> {
        let own = self.local.deadline().filter(|_| self.transport.channel.is_open());
        if self.is_held_up() { own } else { earliest(self.transport.deadline(), own) }
    }

    fn stood_still(&mut self, time: Duration) {
        self.transport.stood_still(time);
    }

    fn too_large(&self) -> Option<TooLarge> {
        self.transport.channel.too_large()
    }

    fn tx(&mut self) -> &mut SendQueue {
        self.transport.tx()
    }

    fn close(&mut self) {
        self.requests.clear();
        self.transport.channel.close();
    }

    fn is_closed(&self) -> bool {
        self.transport.channel.is_closed()
    }
}
