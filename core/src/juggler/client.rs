//! The client's end of 0.7.
//!
//! ```text
//! WebSocket's handshake ──Open──> open: state │ requests and responses │ notifications ──> over
//! ```

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use core::time::Duration;

use bytestring::ByteString;

use super::message::{self, ToClient};
use super::transport::{Transport, TransportEvent};
use super::{Error, SendFault};
use crate::buffer::{RecvBuf, SendQueue};
use crate::json::Value;
use crate::options::More;
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::time::Instant;
use crate::{trace, ws};

/// Limits of a client, and of the transport below it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Pings, segments, messages; and how large the server's state may become.
    pub transport: super::Config,
    /// Requests that may be open at a time, 16 384: some megabytes of bookkeeping and futures.
    pub max_requests: usize,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Config {
    fn default() -> Self {
        Self { transport: super::Config::default(), max_requests: 16_384, more: More::default() }
    }
}

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

/// What [`Client::poll`] gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// The server took the WebSocket: requests can be sent. Does not come where the handshake was
    /// done before.
    Open(Box<ws::Response>),
    /// The server's state has changed: [`Client::state`] is the new one.
    State,
    /// The answer to [`Client::request`].
    Response {
        /// Of which request.
        request: RequestId,
        /// What the server says: its data, or those of its failure.
        result: Result<Value, Value>,
        /// Bytes that it took on the wire.
        size: usize,
    },
    /// The server notifies.
    Notify {
        /// Of what.
        name: ByteString,
        /// More of it.
        data: Value,
        /// Bytes that it took on the wire.
        size: usize,
    },
}

/// The client's end of a connection. The WebSocket may be open, or on its way: see
/// [`Incoming::Open`].
///
/// - **Application**: [`request`](Self::request), [`forget`](Self::forget), [`state`](Self::state),
///   [`close`](Protocol::close).
/// - **Driver**: [`poll`](Protocol::poll), [`tx`](Protocol::tx), [`deadline`](Protocol::deadline),
///   [`is_closed`](Protocol::is_closed).
///
/// Every request that is open when the connection ends has failed: no answer comes any more.
#[derive(Debug)]
pub struct Client {
    transport: Transport,
    state: Value,
    /// Bytes of the message that changed it last.
    state_size: usize,
    last_id: u64,
    requests: BTreeSet<u64>,
    max_requests: usize,
}

impl Client {
    /// A client over `ws`, which was made by [`ws::Connection::connect`], or established by
    /// something else.
    #[must_use]
    pub fn new(ws: ws::Connection, config: Config) -> Self {
        Self {
            transport: Transport::new(ws, config.transport),
            state: Value::Null,
            state_size: 0,
            last_id: 0,
            requests: BTreeSet::new(),
            max_requests: config.max_requests,
        }
    }

    /// Queues a request; [`Incoming::Response`] is the answer. One with an empty name is answered
    /// with its own data, by any server.
    ///
    /// # Errors
    ///
    /// [`SendFault`]. Nothing is queued then.
    pub fn request(&mut self, name: &str, data: &Value) -> Result<RequestId, SendFault> {
        // a connection that is over says so first
        self.transport.channel.may_send(0)?;
        if self.requests.len() >= self.max_requests {
            return Err(SendFault::TooManyRequests { limit: self.max_requests });
        }
        let id = self.last_id + 1;
        self.transport.send("juggler request", &[message::request(id, name, data)])?;
        self.last_id = id;
        self.requests.insert(id);
        Ok(RequestId(id))
    }

    /// Nobody waits for the answer of `request` any more: it is dropped when it comes.
    pub fn forget(&mut self, request: RequestId) {
        self.requests.remove(&request.0);
    }

    /// The server's state, as far as we were told; `null` in the beginning.
    #[must_use]
    pub fn state(&self) -> &Value {
        &self.state
    }

    /// Bytes that the last change of the state took on the wire.
    #[must_use]
    pub fn state_change_size(&self) -> usize {
        self.state_size
    }

    /// Requests that wait for their answer.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.requests.len()
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

    /// What a message comes to; `None` if nobody waits for it.
    fn take(&mut self, text: &str) -> Result<Option<Incoming>, Error> {
        let size = text.len();
        let limits = self.transport.config().limits;
        let parsed = ToClient::parse(text, &limits, |id| self.requests.contains(&id))?;
        let Some(message) = parsed else {
            trace::received("juggler response", size);
            return Ok(None);
        };
        trace::received(message.name(), size);
        Ok(Some(match message {
            ToClient::Response { id, result } => {
                self.requests.remove(&id);
                Incoming::Response { request: RequestId(id), result, size }
            }
            ToClient::State(patch) => {
                patch.apply(&mut self.state, &limits)?;
                self.state_size = size;
                Incoming::State
            }
            ToClient::Notify { name, data } => Incoming::Notify { name, data, size },
        }))
    }

    fn step(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        loop {
            let incoming = match self.transport.next(rx, now)?.or_wait() {
                Err(wait) => return Ok(wait),
                Ok(TransportEvent::Open(response)) => Some(Incoming::Open(response)),
                Ok(TransportEvent::Message(text)) => self.take(&text)?,
                // only servers are asked
                Ok(TransportEvent::Upgrade(_)) => None,
            };
            if let Some(incoming) = incoming {
                return Ok(Polled::Incoming(incoming));
            }
        }
    }
}

impl Protocol for Client {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        self.step(rx, now).map_err(|error| {
            self.requests.clear();
            self.transport.end(error)
        })
    }

    fn deadline(&self) -> Option<Instant> {
        self.transport.deadline()
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
