//! The client's end of an Eventer connection.
//!
//! ```text
//! Initializing ──InitRes success──> Ready ──> over
//!      └──────────InitRes error─────────────> over (Rejected)
//! ```

use alloc::vec::Vec;
use core::time::Duration;

use super::channel::{Channel, is_question, unexpected};
use super::message::{self, InitReq, InitRes, RegisterRes};
use super::{Error, Event, QueryParams, QueryResult, RegisterEvent, SendFault, Status};
use crate::ascending::Ascending;
use crate::buffer::{RecvBuf, SendQueue};
use crate::chatter::{self, Conversation, Message};
use crate::options::More;
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::time::Instant;

/// Limits of a client, and of the Chatter connection below it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Chatter connection. Its dialect must stay [`HatChatter`](chatter::Dialect::HatChatter).
    /// Here its [`max_message`](chatter::Config::max_message) is 256 MiB: `hat-event` cuts answers
    /// by count only, and the latest events of 100 000 types, or 4 096 events of 20 KB, are more
    /// than 64 MiB. It grows as it arrives. Our servers cut theirs at 64 MiB.
    pub chatter: chatter::Config,
    /// How long the server may take to answer the initialization, 30 s: it may ask a slow service
    /// about the token.
    pub init_timeout: Duration,
    /// Requests that may be open at a time, 16 384: some megabytes of bookkeeping and futures.
    pub max_requests: usize,
    /// Bytes that the events of one message may take in memory once they are decoded, payloads not
    /// counted, 512 MiB: some two million events. A server is trusted with more than a client.
    pub max_decoded: usize,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            chatter: chatter::Config {
                max_message: 256 * 1024 * 1024,
                ..chatter::Config::default()
            },
            init_timeout: Duration::from_secs(30),
            max_requests: 16_384,
            max_decoded: 512 * 1024 * 1024,
            more: More::default(),
        }
    }
}

/// Events that a client registers as one session at the most: as many as a server takes by default,
/// see [`max_decoded`](super::server::Config::max_decoded).
pub const MAX_REGISTERED: usize = 200_000;

/// A request that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(i64);

/// Events that wait to be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AckId(Conversation);

/// What [`Client::poll`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The server took the client, and this is its status. Comes once, before anything else.
    Ready(Status),
    /// The server's new status.
    Status(Status),
    /// Events that the client subscribed to, of one session, in order.
    Events {
        /// The events.
        events: Vec<Event>,
        /// The server waits for [`Client::ack`]: call it once the events are handled.
        ack: Option<AckId>,
        /// Bytes that they took on the wire.
        size: usize,
    },
    /// The answer to [`Client::register_with_response`]: the events in the order of the request;
    /// `None` if they were not registered.
    Registered {
        /// Of which request.
        request: RequestId,
        /// The events, with their ids and timestamps.
        events: Option<Vec<Event>>,
    },
    /// The answer to [`Client::query`].
    Queried {
        /// Of which request.
        request: RequestId,
        /// The result.
        result: QueryResult,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Register,
    Query,
}

/// The client's end of an Eventer connection, from the moment that the byte stream is up.
///
/// - **Application**: [`register`](Self::register),
///   [`register_with_response`](Self::register_with_response), [`query`](Self::query),
///   [`ack`](Self::ack), [`forget`](Self::forget), [`close`](Protocol::close).
/// - **Driver**: [`poll`](Protocol::poll), [`tx`](Protocol::tx), [`deadline`](Protocol::deadline),
///   [`is_closed`](Protocol::is_closed).
#[derive(Debug)]
pub struct Client {
    channel: Channel,
    /// The conversation of the initialization, until it is answered.
    init: Option<Conversation>,
    /// By their conversations.
    requests: Ascending<Kind>,
    max_requests: usize,
}

impl Client {
    /// A client whose connection has been up since `now`. Its initialization is queued at once.
    ///
    /// # Errors
    ///
    /// [`SendFault`], where `init` is larger than a message may be.
    pub fn new(config: Config, init: &InitReq, now: Instant) -> Result<Self, SendFault> {
        let mut channel =
            Channel::new(config.chatter, config.max_decoded, config.init_timeout, now);
        let init = Some(channel.start(message::INIT_REQ, init, false)?);
        let (requests, max_requests) = (Ascending::default(), config.max_requests);
        Ok(Self { channel, init, requests, max_requests })
    }

    /// Queues events to register, without asking for an answer.
    ///
    /// # Errors
    ///
    /// [`SendFault`].
    pub fn register(&mut self, events: &[RegisterEvent]) -> Result<(), SendFault> {
        self.is_ready()?;
        check(events)?;
        self.channel.start(message::REGISTER_REQ, &events, true)?;
        Ok(())
    }

    /// Queues events to register; [`Incoming::Registered`] is the answer.
    ///
    /// # Errors
    ///
    /// [`SendFault`].
    pub fn register_with_response(
        &mut self,
        events: &[RegisterEvent],
    ) -> Result<RequestId, SendFault> {
        self.may_ask()?;
        check(events)?;
        let conversation = self.channel.start(message::REGISTER_REQ, &events, false)?;
        Ok(self.asked(conversation, Kind::Register))
    }

    /// Queues a query; [`Incoming::Queried`] is the answer.
    ///
    /// # Errors
    ///
    /// [`SendFault`].
    pub fn query(&mut self, params: &QueryParams) -> Result<RequestId, SendFault> {
        self.may_ask()?;
        let conversation = self.channel.start(message::QUERY_REQ, params, false)?;
        Ok(self.asked(conversation, Kind::Query))
    }

    /// Tells the server that events were handled.
    ///
    /// # Errors
    ///
    /// [`SendFault`]; also where these were acknowledged before.
    pub fn ack(&mut self, ack: AckId) -> Result<(), SendFault> {
        self.channel.confirm(ack.0, message::EVENTS_ACK)
    }

    /// Nobody waits for the answer of `request` any more: it is dropped when it comes.
    pub fn forget(&mut self, request: RequestId) {
        self.requests.remove(request.0);
    }

    /// Requests that wait for their answer.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.requests.len()
    }

    /// Conversations that are open now, of both sides: requests, and events that wait for their
    /// ack.
    #[must_use]
    pub fn open_conversations(&self) -> usize {
        self.channel.open_conversations()
    }

    fn is_ready(&self) -> Result<(), SendFault> {
        if self.init.is_some() && !self.channel.is_closing() {
            return Err(SendFault::NotReady);
        }
        Ok(())
    }

    fn may_ask(&self) -> Result<(), SendFault> {
        self.is_ready()?;
        if self.requests.len() >= self.max_requests {
            return Err(SendFault::TooManyRequests { limit: self.max_requests });
        }
        Ok(())
    }

    fn asked(&mut self, conversation: Conversation, kind: Kind) -> RequestId {
        self.requests.insert(conversation.first_id, kind);
        RequestId(conversation.first_id)
    }

    /// What a message comes to; `None` if nobody waits for it.
    fn take(&mut self, message: &Message) -> Result<Option<Incoming>, Error> {
        if let Some(conversation) = self.init {
            return self.take_init(message, conversation).map(Some);
        }
        match &message.data.r#type[..] {
            message::STATUS_NOTIFY => Ok(Some(Incoming::Status(self.channel.decode(message)?))),
            message::EVENTS_NOTIFY => Ok(Some(Incoming::Events {
                events: self.channel.decode(message)?,
                // of an ack that we may not send, nobody is told
                ack: is_question(message).then_some(AckId(message.conversation)),
                size: message.data.data.len(),
            })),
            message::REGISTER_RES => {
                let Some(request) = self.answered(message, Kind::Register)? else {
                    return Ok(None);
                };
                let events = match self.channel.decode(message)? {
                    RegisterRes::Events(events) => Some(events),
                    RegisterRes::Failure => None,
                };
                Ok(Some(Incoming::Registered { request, events }))
            }
            message::QUERY_RES => {
                let Some(request) = self.answered(message, Kind::Query)? else { return Ok(None) };
                Ok(Some(Incoming::Queried { request, result: self.channel.decode(message)? }))
            }
            _ => Err(unexpected(message, "from a server")),
        }
    }

    fn take_init(
        &mut self,
        message: &Message,
        conversation: Conversation,
    ) -> Result<Incoming, Error> {
        if message.data.r#type != message::INIT_RES || message.conversation != conversation {
            return Err(unexpected(message, "instead of the answer to the initialization"));
        }
        match self.channel.decode(message)? {
            InitRes::Error(text) => Err(Error::Rejected(text)),
            InitRes::Success(status) => {
                self.init = None;
                self.channel.deadline = None;
                Ok(Incoming::Ready(status))
            }
        }
    }

    /// The request that `message` answers; `None` if it was forgotten, or never made.
    fn answered(&mut self, message: &Message, kind: Kind) -> Result<Option<RequestId>, Error> {
        if !message.conversation.owner {
            return Ok(None);
        }
        let request = RequestId(message.conversation.first_id);
        match self.requests.remove(request.0) {
            None => Ok(None),
            Some(asked) if asked == kind => Ok(Some(request)),
            Some(_) => Err(unexpected(message, "in answer to a request of another kind")),
        }
    }

    fn step(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        let wait = loop {
            match &self.channel.poll(rx, now) {
                Ok(Polled::Incoming(chatter::Incoming::Message(message))) => {
                    if let Some(incoming) = self.take(message)? {
                        return Ok(Polled::Incoming(incoming));
                    }
                }
                // no conversation of this protocol has a timeout
                Ok(Polled::Incoming(chatter::Incoming::Timeout(_))) => {}
                Ok(Polled::Needs(bytes)) => break Polled::Needs(*bytes),
                Ok(Polled::HeldUp) => break Polled::HeldUp,
                Err(error) => return Err(error.clone().into()),
            }
        };
        if self.channel.is_late(now) { Err(Error::InitTimeout) } else { Ok(wait) }
    }
}

/// What was received may hold JSON that is none, and must not be sent on: who cannot parse it ends
/// its connection.
fn check(events: &[RegisterEvent]) -> Result<(), SendFault> {
    if events.len() > MAX_REGISTERED {
        return Err(SendFault::TooManyEvents { limit: MAX_REGISTERED });
    }
    let unsound = events.iter().position(|event| event.check().is_err());
    unsound.map_or(Ok(()), |index| Err(SendFault::NotJson { index }))
}

impl Protocol for Client {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        if let Some(error) = self.channel.over() {
            return Err(error.clone());
        }
        let polled = self.step(rx, now);
        if let Err(error) = &polled {
            self.requests.clear();
            self.channel.end(error.clone());
        }
        polled
    }

    fn deadline(&self) -> Option<Instant> {
        self.channel.deadline()
    }

    fn stood_still(&mut self, time: Duration) {
        self.channel.stood_still(time);
    }

    fn too_large(&self) -> Option<TooLarge> {
        self.channel.too_large()
    }

    fn tx(&mut self) -> &mut SendQueue {
        self.channel.tx()
    }

    fn close(&mut self) {
        self.requests.clear();
        self.channel.close();
    }

    fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }
}
