//! Juggler 0.5: two peers, each with data that the other follows, and messages.
//!
//! ```text
//!        either side                                        the other
//! DATA      {"type":"DATA","payload": JSON Patch} ────────>   its copy of our data: null at first
//! MESSAGE   {"type":"MESSAGE","payload": any} ────────────>   Incoming::Message
//! PING      {"type":"PING"} ──────────────────────────────>
//!           <────────────── {"type":"PONG","payload":{}}      answered at once, never asked by us
//! ```
//!
//! One WebSocket text message each. Anything else ends the connection. Calls of the other side's
//! actions are a layer on top: [`rpc`](super::rpc).
//!
//! The deployed server takes text messages of up to 4 MiB (the default of its HTTP library) and
//! ends the connection over larger ones; its client takes any.

mod message;

use alloc::boxed::Box;
use core::time::Duration;

use bytestring::ByteString;

use super::channel::{self, Channel};
use super::local::Local;
use super::peer_state::{Patches, may_queue_patch};
use super::{Autoflush, Error, Flush, SendFault, State};
use crate::buffer::{RecvBuf, SendQueue};
use crate::json::{Limits, SetError, Value};
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::time::{Instant, earliest};
use crate::{trace, ws};

use crate::options::More;
pub use message::Message;
use message::{DATA, PONG, PeerMessage};

/// When data is sent, and limits. Those of the WebSocket below, among them the size of a message,
/// are in its own [`Config`](ws::Config).
#[derive(Clone, Debug)]
pub struct Config {
    /// How long changes of the local data may wait to be sent together: 0.2 s, as the deployed
    /// peers. Zero sends each at once, `None` only when [`flush`](Connection::flush) is called.
    pub autoflush_delay: Option<Duration>,
    /// The most that a message, and the other side's data, may hold. See [`Limits`] for the
    /// defaults.
    pub limits: Limits,
    /// Answers of the machine itself that may wait to be written before nothing more is read, 16,
    /// or the WebSocket's `max_queued` bytes of them: a peer that pings and never reads is stopped
    /// by it.
    pub max_unsent_replies: usize,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            autoflush_delay: Autoflush::DEFAULT_DELAY,
            limits: Limits::default(),
            max_unsent_replies: 16,
            more: More::default(),
        }
    }
}

/// What [`Connection::poll`] gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// Server: a WebSocket's request, which waits for [`Connection::confirm`] or
    /// [`Connection::refuse`].
    Upgrade(Box<ws::Request>),
    /// Client: the server took the WebSocket.
    Open(Box<ws::Response>),
    /// The other side's data have changed: [`Connection::remote_data`] are the new ones.
    Data,
    /// A message.
    Message {
        /// What it says.
        payload: Value,
        /// Bytes that it took on the wire.
        size: usize,
    },
}

/// One end of a connection. The WebSocket may be open, or on its way: see [`Incoming::Upgrade`] and
/// [`Incoming::Open`]. What is changed before is sent then.
///
/// - **Application**: [`change`](Self::change), [`set_local_data`](Self::set_local_data),
///   [`flush`](Self::flush), [`follow`](Self::follow), [`send`](Self::send),
///   [`remote_data`](Self::remote_data), [`close`](Protocol::close); [`confirm`](Self::confirm) and
///   [`refuse`](Self::refuse) in the handshake.
/// - **Driver**: [`poll`](Protocol::poll), [`tx`](Protocol::tx), [`deadline`](Protocol::deadline),
///   [`is_closed`](Protocol::is_closed).
///
/// The protocol has no pings of its own that the deployed peers would answer to: a peer that is
/// gone without a word is found out by the sockets.
#[derive(Debug)]
pub struct Connection {
    channel: Channel,
    limits: Limits,
    remote: Value,
    /// Bytes of the message that changed it last.
    remote_size: usize,
    local: Local,
}

impl Connection {
    /// A connection over `ws`, either end of one.
    #[must_use]
    pub fn new(ws: ws::Connection, config: Config) -> Self {
        Self {
            channel: Channel::new(ws, config.max_unsent_replies),
            limits: config.limits,
            remote: Value::Null,
            remote_size: 0,
            local: Local::new(Autoflush::new(config.autoflush_delay)),
        }
    }

    /// Server: takes the WebSocket's request that waits.
    ///
    /// # Errors
    ///
    /// [`ws::AnswerError`].
    pub fn confirm(&mut self, response: &ws::Response) -> Result<(), ws::AnswerError> {
        self.channel.ws().confirm(response)
    }

    /// Server: refuses the WebSocket's request that waits, as [`ws::Connection::refuse`] does.
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
        self.channel.ws().refuse(status, headers, text)
    }

    /// Starts the end of the connection with `code` (RFC 6455 section 7.4) and a `reason` for
    /// people, at most 123 bytes. It goes out over a full queue too.
    ///
    /// # Errors
    ///
    /// [`ws::SendError`]. Nothing is queued then.
    pub fn close_with(&mut self, code: u16, reason: &str) -> Result<(), ws::SendError> {
        self.channel.ws().close_with(code, reason)
    }

    /// Queues a message. Its text is shared by all connections that it is given to.
    ///
    /// # Errors
    ///
    /// [`SendFault`]. Nothing is queued then.
    pub fn send(&mut self, message: &Message) -> Result<(), SendFault> {
        self.channel.send("juggler MESSAGE", core::slice::from_ref(message.text()))
    }

    /// The other side's data, as far as we were told; `null` in the beginning.
    #[must_use]
    pub fn remote_data(&self) -> &Value {
        &self.remote
    }

    /// Bytes that the last change of the other side's data took on the wire.
    #[must_use]
    pub fn remote_change_size(&self) -> usize {
        self.remote_size
    }

    /// Our data.
    #[must_use]
    pub fn local_data(&self) -> &Value {
        self.local.state().value()
    }

    /// Replaces our data. The other side is told after [`Config::autoflush_delay`], and only what
    /// differs; nobody is once the connection is over.
    ///
    /// # Errors
    ///
    /// [`SetError`]: the data are beyond the limits of a [`State`]; nothing has changed.
    pub fn set_local_data(&mut self, data: impl Into<Value>) -> Result<(), SetError> {
        self.change(|state| state.replace(data))
    }

    /// Changes our data, as a [`State`] that knows what has changed: that costs less than to
    /// replace and compare the whole. The other side is told after [`Config::autoflush_delay`].
    pub fn change<R>(&mut self, change: impl FnOnce(&mut State) -> R) -> R {
        self.local.change(change, &mut self.channel)
    }

    /// Sends now what has changed in our data. Gives the position in [`tx`](Protocol::tx) behind
    /// it: once [`sent`](SendQueue::sent) reaches it, all of it is on its way.
    ///
    /// # Errors
    ///
    /// [`SendFault`]. What the queue had no room for is sent as soon as it has; what was flushed
    /// before the handshake was done, once it is.
    pub fn flush(&mut self) -> Result<u64, SendFault> {
        if let Err(over @ SendFault::Closed) = self.channel.may_send(0) {
            return Err(over);
        }
        self.local.flush(&mut self.channel)?;
        Ok(self.channel.tx().end())
    }

    /// Shows the other side a state that several connections share instead of data of our own, and
    /// what it has flushed: see [`server::Connection::follow`](super::server::Connection::follow).
    ///
    /// # Errors
    ///
    /// [`SendFault::Closed`].
    pub fn follow(&mut self, state: &mut State, flushed: Option<&Flush>) -> Result<(), SendFault> {
        let sent = self.local.follow(state, flushed, &mut self.channel);
        sent.or_else(|fault| if fault.is_closed() { Err(fault) } else { Ok(()) })
    }

    /// The other side lacks something that was flushed: the queue is full, or the connection not
    /// open yet. It is told as soon as there is room; nothing need be done.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.local.told().is_behind()
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.channel.queued()
    }

    /// Sends of our data what is due.
    pub(super) fn keep_told(&mut self, now: Instant) {
        self.local.poll(now, &mut self.channel);
    }

    /// The handshake is done, and neither side has closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.channel.is_open()
    }

    /// The channel, for a layer on top.
    pub(super) fn channel(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// What a message comes to; `None` if the application need not know.
    fn take(&mut self, text: &ByteString) -> Result<Option<Incoming>, Error> {
        let received = PeerMessage::parse(text, &self.limits)?;
        trace::received(received.name(), text.len());
        match received {
            PeerMessage::Message(payload) => {
                Ok(Some(Incoming::Message { payload, size: text.len() }))
            }
            PeerMessage::Data(patch) => {
                patch.apply(&mut self.remote, &self.limits)?;
                self.remote_size = text.len();
                Ok(Some(Incoming::Data))
            }
            PeerMessage::Ping => {
                trace::sent("juggler PONG", PONG.len());
                self.channel.reply(|channel| channel.put(&[PONG]));
                Ok(None)
            }
        }
    }

    fn step(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        loop {
            let incoming = match self.channel.next(rx, now)?.or_wait() {
                Err(wait) => return Ok(wait),
                Ok(channel::ChannelEvent::Upgrade(request)) => Some(Incoming::Upgrade(request)),
                Ok(channel::ChannelEvent::Open(response)) => Some(Incoming::Open(response)),
                Ok(channel::ChannelEvent::Text(text)) => self.take(&text)?,
            };
            if let Some(incoming) = incoming {
                return Ok(Polled::Incoming(incoming));
            }
        }
    }
}

impl Patches for Channel {
    fn may_send(&self, size: usize) -> Result<(), SendFault> {
        may_queue_patch(self.queued())?;
        self.may_send_patch()?;
        Channel::may_send(self, size)
    }

    fn send_patch(&mut self, patch: ByteString) -> Result<(), SendFault> {
        may_queue_patch(self.queued())?;
        self.may_send_patch()?;
        let [front, back] = DATA;
        Channel::send_patch(self, &[front, patch, back])
    }
}

impl Protocol for Connection {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        let polled = self.step(rx, now).map_err(|error| self.channel.end(error));
        if polled.is_ok() {
            self.keep_told(now);
        }
        polled
    }

    fn deadline(&self) -> Option<Instant> {
        let own = self.local.deadline().filter(|_| self.channel.is_open());
        earliest(self.channel.deadline(), own)
    }

    fn stood_still(&mut self, time: Duration) {
        self.channel.ws().stood_still(time);
    }

    fn too_large(&self) -> Option<TooLarge> {
        self.channel.too_large()
    }

    fn tx(&mut self) -> &mut SendQueue {
        self.channel.tx()
    }

    fn close(&mut self) {
        self.channel.close();
    }

    fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }
}
