//! The server's end of an Eventer connection.
//!
//! ```text
//! AwaitingInit ──InitReq──> Deciding ──accept──> Ready ──────────────────> over
//!                              └─────reject──> Rejected ──close timeout──> over
//! ```

mod config;
mod incoming;
mod receive;

use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use bytestring::ByteString;

use super::channel::Channel;
use super::message::{self, InitRes};
use super::{EncodedEvents, Error, Event, QueryResult, SendFault, Status};
use crate::ascending::Ascending;
use crate::buffer::{RecvBuf, SendQueue};
use crate::chatter::{self, Conversation};
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::sbs::{Encode, Writer};
use crate::time::Instant;

pub use config::Config;
pub use incoming::{ClientInfo, Incoming, NotifyId, NotifyOutcome, RequestId};

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
/// - **Application**: [`accept`](Self::accept), [`reject`](Self::reject),
///   [`set_status`](Self::set_status), [`notify`](Self::notify),
///   [`register_response`](Self::register_response), [`query_response`](Self::query_response),
///   [`close`](Protocol::close). Requests may be answered in any order.
/// - **Driver**: [`poll`](Protocol::poll), [`tx`](Protocol::tx), [`deadline`](Protocol::deadline),
///   [`is_closed`](Protocol::is_closed).
#[derive(Debug)]
pub struct Connection {
    channel: Channel,
    phase: Phase,
    close_timeout: Duration,
    /// By their conversations, which are the client's.
    requests: Ascending<()>,
    max_requests: usize,
    max_init: usize,
    max_segments: usize,
    /// By the conversations that wait for them, which are ours.
    acks: Ascending<()>,
    /// Memory for the selection of events, used again.
    runs: Vec<Range<usize>>,
}

impl Connection {
    /// A connection that has been up since `now`.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            channel: Channel::new(config.chatter, config.max_decoded, config.init_timeout, now),
            phase: Phase::AwaitingInit,
            close_timeout: config.close_timeout,
            requests: Ascending::default(),
            max_requests: config.max_requests.max(1),
            max_init: config.max_init,
            max_segments: config.max_segments,
            acks: Ascending::default(),
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

    /// Tells the client those of `events` that it wants, if it wants events that are `persisted`,
    /// or not, as these are.
    ///
    /// # Errors
    ///
    /// [`SendFault::NotReady`] before the client is accepted; or that of Chatter.
    pub fn notify(
        &mut self,
        events: &EncodedEvents,
        persisted: bool,
        with_ack: bool,
    ) -> Result<NotifyOutcome, SendFault> {
        self.tell(events, None::<core::iter::Empty<Range<usize>>>, persisted, with_ack)
    }

    /// As [`notify`](Self::notify), where it is known already which of `events` match the client's
    /// subscription: those in the ranges `matching`, which ascend. [`Routes`](super::Routes) find
    /// them for many clients at once.
    ///
    /// # Errors
    ///
    /// Those of [`notify`](Self::notify).
    ///
    /// # Panics
    ///
    /// Where there are fewer events than `matching` says.
    pub fn notify_matching(
        &mut self,
        events: &EncodedEvents,
        matching: impl IntoIterator<Item = Range<usize>>,
        persisted: bool,
        with_ack: bool,
    ) -> Result<NotifyOutcome, SendFault> {
        self.tell(events, Some(matching.into_iter()), persisted, with_ack)
    }

    /// Tells those in `matching`, or those that match where that is not known yet.
    fn tell(
        &mut self,
        events: &EncodedEvents,
        matching: Option<impl Iterator<Item = Range<usize>>>,
        persisted: bool,
        with_ack: bool,
    ) -> Result<NotifyOutcome, SendFault> {
        let Phase::Ready(info, _) = &self.phase else {
            return Err(SendFault::NotReady);
        };
        if info.persisted != persisted {
            return Ok(NotifyOutcome::Nothing);
        }
        let selection = match matching {
            Some(matching) => events.pick(matching, info.server_id, &mut self.runs),
            None => events.select(&info.subscription, info.server_id, &mut self.runs),
        };
        if selection.is_empty() {
            return Ok(NotifyOutcome::Nothing);
        }
        let conversation = self.channel.start(message::EVENTS_NOTIFY, &selection, !with_ack)?;
        if !with_ack {
            return Ok(NotifyOutcome::Sent);
        }
        self.acks.insert(conversation.first_id, ());
        Ok(NotifyOutcome::AwaitsAck(NotifyId(conversation.first_id)))
    }

    /// Answers a registration: the events in the order of the request, or `None` if they were not
    /// registered.
    ///
    /// # Errors
    ///
    /// [`SendFault`] of Chatter: the request stays open where the queue was full, or where these
    /// events are too large; `None` may be said instead.
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
    /// [`SendFault`] of Chatter: the request stays open where the queue was full, or where this
    /// result is too large; one of fewer events may be said instead.
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
            self.requests.remove(request.0.first_id);
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

    /// Conversations that are open now, of both sides: requests, and events that wait for their
    /// ack.
    #[must_use]
    pub fn open_conversations(&self) -> usize {
        self.channel.open_conversations()
    }

    /// Nothing is read before the application has done something.
    fn is_held_up(&self) -> bool {
        matches!(self.phase, Phase::Deciding(..)) || self.requests.len() >= self.max_requests
    }

    fn step(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        // closing and being over go on however many requests are open
        let wait = loop {
            if self.is_held_up() && !self.channel.is_closing() {
                self.channel.not_reading();
                break Polled::HeldUp;
            }
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
        let rejected = matches!(self.phase, Phase::Rejected);
        if rejected {
            self.channel.wait_until(now + self.close_timeout);
        }
        match self.channel.is_late(now) {
            false => Ok(wait),
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

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        if let Some(error) = self.channel.over() {
            return Err(error.clone());
        }
        let polled = self.step(rx, now);
        if let Err(error) = &polled {
            self.clear();
            self.channel.end(error.clone());
        }
        polled
    }

    fn deadline(&self) -> Option<Instant> {
        if self.is_held_up() { None } else { self.channel.deadline() }
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
