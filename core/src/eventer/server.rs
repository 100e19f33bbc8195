//! The server's end of an Eventer connection.
//!
//! ```text
//! AwaitingInit ──InitReq──> Deciding ──accept──> Ready ──────────────────> over
//!                              └─────reject──> Rejected ──close timeout──> over
//! ```

use alloc::collections::BTreeSet;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use bytestring::ByteString;

use super::channel::{Channel, is_question, unexpected};
use super::message::{self, InitReq, InitRes};
use super::{
    EncodedEvents, Error, Event, QueryParams, QueryResult, RegisterEvent, SendFault, Status,
    Subscription,
};
use crate::buffer::{RecvBuf, SendQueue};
use crate::chatter::{self, Conversation, Message};
use crate::protocol::Protocol;
use crate::sbs::{Encode, Writer};
use crate::time::Instant;

/// Limits of a server's connection, and of the Chatter connection below it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Chatter connection. Its dialect must stay [`HatChatter`](chatter::Dialect::HatChatter).
    pub chatter: chatter::Config,
    /// How long a client may take to say who it is, 30 s. One that connects and says nothing is closed then.
    pub init_timeout: Duration,
    /// How long a rejected client has to close, 0.5 s, as in `hat-event`; then we do.
    pub close_timeout: Duration,
    /// Requests of the client that may wait for our answer, 1024. With so many open nothing is read until one is
    /// answered: no acks and no pings either. So an answer must not wait for an ack of the same client, nor
    /// for longer than the client's patience, 40 s by default.
    pub max_requests: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            chatter: chatter::Config::default(),
            init_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_millis(500),
            max_requests: 1024,
        }
    }
}

/// Who a client is and what it wants to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientInfo {
    /// Its name: what it is, not who.
    pub client_name: ByteString,
    /// Its secret, if it gave one.
    pub client_token: Option<ByteString>,
    /// Which events it wants.
    pub subscription: Subscription,
    /// It wants events of this server only.
    pub server_id: Option<i64>,
    /// It wants events once they are stored for good, instead of as soon as they are registered.
    pub persisted: bool,
}

/// A request of the client that waits for our answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Conversation);

/// Events that wait for the client's ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotifyId(i64);

/// What [`Connection::poll`] gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// The client said who it is: [`accept`](Connection::accept) or [`reject`](Connection::reject) it. Nothing
    /// more is read before that.
    Init(ClientInfo),
    /// Events to register. `request` is there if the client wants an answer:
    /// [`register_response`](Connection::register_response).
    Register {
        /// The events, in order, as one session.
        events: Vec<RegisterEvent>,
        /// What to answer to.
        request: Option<RequestId>,
        /// Bytes that they took on the wire.
        size: usize,
    },
    /// A query: [`query_response`](Connection::query_response) is the answer.
    Query {
        /// What is asked for.
        params: QueryParams,
        /// What to answer to.
        request: RequestId,
    },
    /// The client handled the events of a [`notify`](Connection::notify).
    Acked(NotifyId),
}

/// What [`Connection::notify`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notified {
    /// No event concerns this client: nothing was sent.
    Nothing,
    /// The events are queued.
    Sent,
    /// The events are queued, and [`Incoming::Acked`] will tell when they are handled.
    AwaitsAck(NotifyId),
}

/// Where a question stands that nobody could answer: not the first of its conversation, or one that keeps the token.
const UNANSWERABLE: &str = "in a conversation that has no place for an answer";

#[derive(Debug)]
enum Phase {
    AwaitingInit,
    /// What the client said, and in which conversation it waits.
    Deciding(ClientInfo, Conversation),
    Ready(ClientInfo, Status),
    Rejected,
}

/// The server's end of an Eventer connection, from the moment that the byte stream is up.
///
/// - **Application**: [`accept`](Self::accept), [`reject`](Self::reject), [`set_status`](Self::set_status),
///   [`notify`](Self::notify), [`register_response`](Self::register_response),
///   [`query_response`](Self::query_response), [`close`](Protocol::close). Requests may be answered in any order.
/// - **Driver**: [`poll`](Protocol::poll), [`tx`](Protocol::tx), [`deadline`](Protocol::deadline),
///   [`is_closed`](Protocol::is_closed).
#[derive(Debug)]
pub struct Connection {
    channel: Channel,
    phase: Phase,
    close_timeout: Duration,
    requests: BTreeSet<RequestId>,
    max_requests: usize,
    acks: BTreeSet<NotifyId>,
    /// Memory for the selection of events, used again.
    runs: Vec<Range<usize>>,
}

impl Connection {
    /// A connection that has been up since `now`.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            channel: Channel::new(config.chatter, config.init_timeout, now),
            phase: Phase::AwaitingInit,
            close_timeout: config.close_timeout,
            requests: BTreeSet::new(),
            max_requests: config.max_requests,
            acks: BTreeSet::new(),
            runs: Vec::new(),
        }
    }

    /// Takes the client, and tells it our status.
    ///
    /// # Errors
    ///
    /// [`SendFault::NotReady`] where no client waits for it; or that of Chatter.
    pub fn accept(&mut self, status: Status) -> Result<(), SendFault> {
        let Phase::Deciding(info, conversation) = &self.phase else {
            return Err(SendFault::NotReady);
        };
        self.channel.answer(*conversation, message::INIT_RES, &InitRes::Success(status))?;
        self.phase = Phase::Ready(info.clone(), status);
        Ok(())
    }

    /// Refuses the client, with a text for a person. The client should close then; after
    /// [`close_timeout`](Config::close_timeout) we do.
    ///
    /// # Errors
    ///
    /// [`SendFault::NotReady`] where no client waits for it; or that of Chatter.
    pub fn reject(&mut self, reason: impl Into<ByteString>) -> Result<(), SendFault> {
        let Phase::Deciding(_, conversation) = self.phase else {
            return Err(SendFault::NotReady);
        };
        let answer = InitRes::Error(reason.into());
        self.channel.answer(conversation, message::INIT_RES, &answer)?;
        self.phase = Phase::Rejected;
        Ok(())
    }

    /// Tells the client our status, if it is another one than it was told.
    ///
    /// # Errors
    ///
    /// [`SendFault::NotReady`] before the client is accepted; or that of Chatter.
    pub fn set_status(&mut self, status: Status) -> Result<(), SendFault> {
        let Phase::Ready(_, told) = &mut self.phase else {
            return Err(SendFault::NotReady);
        };
        if *told != status {
            self.channel.start(message::STATUS_NOTIFY, &status, true)?;
            *told = status;
        }
        Ok(())
    }

    /// Tells the client those of `events` that it wants, if it wants events that are `persisted`, or not, as these
    /// are.
    ///
    /// # Errors
    ///
    /// [`SendFault::NotReady`] before the client is accepted; or that of Chatter.
    pub fn notify(
        &mut self,
        events: &EncodedEvents,
        persisted: bool,
        with_ack: bool,
    ) -> Result<Notified, SendFault> {
        let Phase::Ready(info, _) = &self.phase else {
            return Err(SendFault::NotReady);
        };
        if info.persisted != persisted {
            return Ok(Notified::Nothing);
        }
        let selection = events.select(&info.subscription, info.server_id, &mut self.runs);
        if selection.is_empty() {
            return Ok(Notified::Nothing);
        }
        let conversation = self.channel.start(message::EVENTS_NOTIFY, &selection, !with_ack)?;
        if !with_ack {
            return Ok(Notified::Sent);
        }
        let id = NotifyId(conversation.first_id);
        self.acks.insert(id);
        Ok(Notified::AwaitsAck(id))
    }

    /// Answers a registration: the events in the order of the request, or `None` if they were not registered.
    ///
    /// # Errors
    ///
    /// [`SendFault`] of Chatter: the request stays open where the queue was full, or where these events are
    /// too large; `None` may be said instead.
    pub fn register_response(
        &mut self,
        request: RequestId,
        events: Option<&[Event]>,
    ) -> Result<(), SendFault> {
        self.respond(request, message::REGISTER_RES, &RegisterResponse(events))
    }

    /// Answers a query.
    ///
    /// # Errors
    ///
    /// [`SendFault`] of Chatter: the request stays open where the queue was full, or where this result is
    /// too large; one of fewer events may be said instead.
    pub fn query_response(
        &mut self,
        request: RequestId,
        result: &QueryResult,
    ) -> Result<(), SendFault> {
        self.respond(request, message::QUERY_RES, result)
    }

    fn respond(
        &mut self,
        request: RequestId,
        name: &str,
        data: &impl Encode,
    ) -> Result<(), SendFault> {
        let responded = self.channel.answer(request.0, name, data);
        let refused = responded.is_err_and(|fault| {
            use chatter::SendFault::{QueueFull, TooLarge};
            matches!(fault, SendFault::Chatter(QueueFull { .. } | TooLarge { .. }))
        });
        if !refused {
            self.requests.remove(&request);
        }
        responded
    }

    /// Who the client is, once it was accepted.
    #[must_use]
    pub fn info(&self) -> Option<&ClientInfo> {
        match &self.phase {
            Phase::Ready(info, _) => Some(info),
            _ => None,
        }
    }

    /// Requests that wait for our answer.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.requests.len()
    }

    /// Conversations that are open now, of both sides: requests, and events that wait for their ack.
    #[must_use]
    pub fn open_conversations(&self) -> usize {
        self.channel.open_conversations()
    }

    /// Nothing is read before the application has done something.
    fn is_held_up(&self) -> bool {
        matches!(self.phase, Phase::Deciding(..)) || self.requests.len() >= self.max_requests
    }

    fn take(&mut self, message: &Message) -> Result<Option<Incoming>, Error> {
        match self.phase {
            Phase::AwaitingInit => self.take_init(message),
            Phase::Ready(..) => self.take_request(message),
            // what a rejected client still says does not matter
            Phase::Rejected | Phase::Deciding(..) => Ok(None),
        }
    }

    fn take_init(&mut self, message: &Message) -> Result<Option<Incoming>, Error> {
        if message.data.r#type != message::INIT_REQ {
            return Err(unexpected(message, "instead of the initialization"));
        }
        if !is_question(message) {
            return Err(unexpected(message, UNANSWERABLE));
        }
        let init: InitReq = self.channel.decode(message)?;
        self.channel.deadline = None;
        match Subscription::new(&init.subscriptions) {
            Ok(subscription) => {
                let info = ClientInfo {
                    // without the frame that they came in, however large the client made it
                    client_name: ByteString::from(&*init.client_name),
                    client_token: init.client_token.as_deref().map(ByteString::from),
                    subscription,
                    server_id: init.server_id,
                    persisted: init.persisted,
                };
                self.phase = Phase::Deciding(info.clone(), message.conversation);
                Ok(Some(Incoming::Init(info)))
            }
            Err(error) => {
                let answer = InitRes::Error(error.to_string().into());
                // a client that cannot be told is closed all the same
                let _ = self.channel.answer(message.conversation, message::INIT_RES, &answer);
                self.phase = Phase::Rejected;
                Ok(None)
            }
        }
    }

    fn take_request(&mut self, message: &Message) -> Result<Option<Incoming>, Error> {
        match &message.data.r#type[..] {
            message::REGISTER_REQ => {
                let events = self.channel.decode(message)?;
                let request = self.asked(message)?;
                let size = message.data.data.len();
                Ok(Some(Incoming::Register { events, request, size }))
            }
            message::QUERY_REQ => {
                let params = self.channel.decode(message)?;
                let request = self.asked(message)?;
                // a question in a conversation that is over has no answer
                Ok(request.map(|request| Incoming::Query { params, request }))
            }
            message::EVENTS_ACK => {
                let () = self.channel.decode(message)?;
                let id = NotifyId(message.conversation.first_id);
                let known = message.conversation.owner && self.acks.remove(&id);
                Ok(known.then_some(Incoming::Acked(id)))
            }
            _ => Err(unexpected(message, "from a client")),
        }
    }

    /// Notes that `message` waits for an answer; `None` if it does not want any.
    fn asked(&mut self, message: &Message) -> Result<Option<RequestId>, Error> {
        if message.last {
            return Ok(None);
        }
        let request = RequestId(message.conversation);
        // one that is open already would count once and be answered twice
        if !is_question(message) || !self.requests.insert(request) {
            return Err(unexpected(message, UNANSWERABLE));
        }
        Ok(Some(request))
    }

    fn step(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Option<Incoming>, Error> {
        // closing and being over go on however many requests are open
        while !self.is_held_up() || self.channel.is_closing() {
            let Some(message) = self.channel.next(rx, now)? else { break };
            if let Some(incoming) = self.take(&message)? {
                return Ok(Some(incoming));
            }
        }
        let rejected = matches!(self.phase, Phase::Rejected);
        if rejected {
            self.channel.wait_until(now + self.close_timeout);
        }
        match self.channel.is_late(now) {
            false => Ok(None),
            true if rejected => Err(chatter::Error::Closed.into()),
            true => Err(Error::InitTimeout),
        }
    }

    /// Nobody answers, or is answered, any more.
    fn clear(&mut self) {
        self.requests.clear();
        self.acks.clear();
    }
}

impl Protocol for Connection {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Option<Incoming>, Error> {
        // held up: only what `step` finds out otherwise is read
        rx.want(0);
        self.step(rx, now).map_err(|error| {
            self.clear();
            self.channel.end(error, rx)
        })
    }

    fn deadline(&self) -> Option<Instant> {
        if self.is_held_up() { None } else { self.channel.deadline() }
    }

    fn tx(&mut self) -> &mut SendQueue {
        self.channel.tx()
    }

    fn close(&mut self) {
        self.clear();
        self.channel.close();
    }

    fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }
}

/// [`message::RegisterRes`] of events that are borrowed.
struct RegisterResponse<'a>(Option<&'a [Event]>);

impl Encode for RegisterResponse<'_> {
    fn encoded_len(&self) -> usize {
        1 + self.0.map_or(0, <[Event]>::encoded_len)
    }

    fn encode(&self, out: &mut impl Writer) {
        match self.0 {
            Some(events) => {
                0_i64.encode(out);
                events.encode(out);
            }
            None => 1_i64.encode(out),
        }
    }
}
