//! Calls of the other side's actions, over the messages of Juggler 0.5.
//!
//! ```text
//! us                                                  the other side
//! call("add", [1, 2])  ──request 1────────────────>   Incoming::Call
//! Incoming::Returned   <──────────────response 1──    respond(call, Ok(3))
//!                                                                   Err("…"): a failure of its own
//! ```
//!
//! Both sides call, each counts its own calls from 1, and any number may be open at a time.
//! Messages that are not calls pass through.

mod actions;
mod message;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use bytestring::ByteString;

use super::fields::Id;
use super::peer;
use super::{Error, SendFault};
use crate::buffer::{RecvBuf, SendQueue};
use crate::json::{Array, Value};
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::time::Instant;
use crate::{trace, ws};

use crate::options::More;
pub use actions::{Actions, CallHandler};
use message::{CallKind, Payload};

/// What the deployed peer says of an action that it does not know.
const INVALID_ACTION: &str = "invalid action";

/// Limits of calls, and of the connection below.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Data and messages.
    pub peer: peer::Config,
    /// How many calls may be open.
    pub calls: Limits,
    /// Every message is passed, those that are calls too, until [`Connection::begin`], as by the
    /// deployed peer's plain connection. Default: off; a message that is like a call and lacks
    /// something of one ends the connection, as that of the deployed peer's `RpcConnection`.
    pub plain: bool,
    #[doc(hidden)]
    pub more: More,
}

/// How many calls may be open at a time.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Ours, 16 384: some megabytes of bookkeeping and futures.
    pub ours: usize,
    /// The other side's, 1024; at least one. With so many nothing is read until one is answered.
    pub theirs: usize,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ours: 16_384, theirs: 1024, more: More::default() }
    }
}

/// A call of ours that waits for its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

/// A call of the other side that waits for our answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

/// What [`Connection::poll`] gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// Server: a WebSocket's request, which waits for [`peer::Connection::confirm`] or
    /// [`peer::Connection::refuse`].
    Upgrade(Box<ws::Request>),
    /// Client: the server took the WebSocket.
    Open(Box<ws::Response>),
    /// The other side's data have changed: see [`peer::Connection::remote_data`].
    Data,
    /// A message that is not a call.
    Message {
        /// What it says.
        payload: Value,
        /// Bytes that it took on the wire.
        size: usize,
    },
    /// The other side calls: [`Connection::respond`] is the answer.
    Call {
        /// What to answer to.
        request: RequestId,
        /// What is to be done; see [`Actions`].
        action: ByteString,
        /// With what.
        args: Array,
        /// Bytes that it took on the wire.
        size: usize,
    },
    /// What became of [`Connection::call`].
    Returned {
        /// Of which call.
        call: CallId,
        /// Its result; or the failure of the other side, usually a text. A failure of our own is a
        /// [`SendFault`] of the call, or the [`Error`] that the connection ended with.
        result: Result<Value, Value>,
        /// Bytes that it took on the wire.
        size: usize,
    },
}

/// A connection of 0.5 whose messages are also calls. All else is done with the
/// [`peer`](Self::peer) in it.
///
/// - **Application**: [`call`](Self::call), [`respond`](Self::respond),
///   [`refuse_action`](Self::refuse_action), [`forget`](Self::forget), [`peer`](Self::peer),
///   [`close`](Protocol::close).
/// - **Driver**: [`poll`](Protocol::poll), [`tx`](Protocol::tx), [`deadline`](Protocol::deadline),
///   [`is_closed`](Protocol::is_closed).
///
/// Every call that is open when the connection ends has failed: no result comes any more.
#[derive(Debug)]
pub struct Connection {
    peer: peer::Connection,
    limits: Limits,
    /// Messages are only messages.
    plain: bool,
    /// Messages that were passed before calls began and come again, with their bytes on the wire.
    again: VecDeque<(Value, usize)>,
    last_id: u64,
    calls: BTreeSet<u64>,
    /// How many calls of the other side there were.
    given: u64,
    requests: BTreeMap<RequestId, Id>,
}

impl Connection {
    /// A connection over `ws`, either end of one.
    #[must_use]
    pub fn new(ws: ws::Connection, config: Config) -> Self {
        let limits = config.calls;
        Self {
            peer: peer::Connection::new(ws, config.peer),
            limits: Limits { theirs: limits.theirs.max(1), ..limits },
            plain: config.plain,
            again: VecDeque::new(),
            last_id: 0,
            calls: BTreeSet::new(),
            given: 0,
            requests: BTreeMap::new(),
        }
    }

    /// The connection of which the calls are messages: its data, and messages that are not calls.
    #[must_use]
    pub fn peer(&self) -> &peer::Connection {
        &self.peer
    }

    /// The same, to change it. Poll this connection and not that one.
    pub fn peer_mut(&mut self) -> &mut peer::Connection {
        &mut self.peer
    }

    /// From now on messages are also calls, where [`Config::plain`] has left them alone. `waiting`
    /// are messages that were passed before and nobody has taken, with their bytes on the wire:
    /// they come again before any other, for some may be calls. Does nothing if calls have begun;
    /// once the connection is over, nothing comes again.
    pub fn begin(&mut self, waiting: impl IntoIterator<Item = (Value, usize)>) {
        if core::mem::take(&mut self.plain) && !self.peer.channel().is_over() {
            self.again.extend(waiting);
        }
    }

    /// Whether messages are also calls.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !self.plain
    }

    /// Calls `action` of the other side; [`Incoming::Returned`] is what became of it.
    ///
    /// # Errors
    ///
    /// [`SendFault`]. Nothing is queued then.
    pub fn call(&mut self, action: &str, args: &[Value]) -> Result<CallId, SendFault> {
        // a connection that is over says so first
        self.peer.channel().may_send(0)?;
        if self.calls.len() >= self.limits.ours {
            return Err(SendFault::TooManyRequests { limit: self.limits.ours });
        }
        let id = self.last_id + 1;
        self.peer.send(&message::request(id, action, args))?;
        self.last_id = id;
        self.calls.insert(id);
        Ok(CallId(id))
    }

    /// Nobody waits for the result of `call` any more: it is dropped when it comes.
    pub fn forget(&mut self, call: CallId) {
        self.calls.remove(&call.0);
    }

    /// Answers a call of the other side, once: with its result, or with what became of it instead,
    /// usually a text.
    ///
    /// # Errors
    ///
    /// [`SendFault`]: the call stays open where the queue was full.
    pub fn respond(
        &mut self,
        request: RequestId,
        result: Result<&Value, &Value>,
    ) -> Result<(), SendFault> {
        self.peer.channel().may_send(0)?;
        let id = self.requests.get(&request).ok_or(SendFault::NotAsked)?;
        self.peer.send(&message::response(id, result))?;
        self.requests.remove(&request);
        Ok(())
    }

    /// Answers a call of an action that there is not, as the deployed peer does.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn refuse_action(&mut self, request: RequestId) -> Result<(), SendFault> {
        self.respond(request, Err(&INVALID_ACTION.into()))
    }

    /// Calls of ours that wait for their result.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.calls.len()
    }

    /// Calls of the other side that wait for our answer.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.requests.len()
    }

    /// What a message comes to; `None` if the application need not know.
    fn take(&mut self, payload: Value, size: usize) -> Result<Option<Incoming>, Error> {
        let parsed = match self.plain {
            true => Payload::Other,
            false => Payload::parse(&payload, |id| self.calls.contains(&id))?,
        };
        match parsed {
            Payload::Other => Ok(Some(Incoming::Message { payload, size })),
            Payload::Stray => Ok(None),
            Payload::Response { id, result } => {
                self.calls.remove(&id);
                Ok(Some(Incoming::Returned { call: CallId(id), result, size }))
            }
            Payload::Request { id, asked: CallKind::Action(action, args) } => {
                self.given += 1;
                let request = RequestId(self.given);
                self.requests.insert(request, id);
                Ok(Some(Incoming::Call { request, action, args, size }))
            }
            Payload::Request { id, asked: CallKind::Wrong(why) } => {
                let refusal = message::response(&id, Err(&why.into()));
                trace::sent("juggler MESSAGE", refusal.text().len());
                self.peer.channel().reply(|channel| channel.put(&[refusal.text().clone()]));
                Ok(None)
            }
        }
    }

    /// Nothing of what was open can be answered any more, and nothing comes again.
    fn forget_all(&mut self) {
        self.calls.clear();
        self.requests.clear();
        self.again = VecDeque::new();
    }

    fn step(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        while !self.is_held_up() {
            if let Some((payload, size)) = self.again.pop_front() {
                if let Some(incoming) = self.take(payload, size)? {
                    return Ok(Polled::Incoming(incoming));
                }
                continue;
            }
            let incoming = match self.peer.poll(rx, now)?.or_wait() {
                Err(wait) => return Ok(wait),
                Ok(peer::Incoming::Upgrade(request)) => Some(Incoming::Upgrade(request)),
                Ok(peer::Incoming::Open(response)) => Some(Incoming::Open(response)),
                Ok(peer::Incoming::Data) => Some(Incoming::Data),
                Ok(peer::Incoming::Message { payload, size }) => self.take(payload, size)?,
            };
            if let Some(incoming) = incoming {
                return Ok(Polled::Incoming(incoming));
            }
        }
        self.peer.channel().ws().not_reading();
        Ok(Polled::HeldUp)
    }

    /// Nothing is read before the application has answered. A connection that is closing goes on.
    fn is_held_up(&self) -> bool {
        self.requests.len() >= self.limits.theirs && self.peer.is_open()
    }
}

impl Protocol for Connection {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        let polled = self.step(rx, now).map_err(|error| {
            self.forget_all();
            self.peer.channel().end(error)
        });
        if polled.is_ok() {
            // what is due does not wait for the other side's calls
            self.peer.keep_told(now);
        }
        polled
    }

    fn deadline(&self) -> Option<Instant> {
        self.peer.deadline()
    }

    fn stood_still(&mut self, time: Duration) {
        self.peer.stood_still(time);
    }

    fn too_large(&self) -> Option<TooLarge> {
        self.peer.too_large()
    }

    fn tx(&mut self) -> &mut SendQueue {
        self.peer.tx()
    }

    fn close(&mut self) {
        self.forget_all();
        self.peer.close();
    }

    fn is_closed(&self) -> bool {
        self.peer.is_closed()
    }
}
