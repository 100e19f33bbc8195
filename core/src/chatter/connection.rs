use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use core::time::Duration;

use bytes::{Buf, Bytes};
use bytestring::ByteString;

use super::conversation::Table;
use super::frame::{self, Front};
use super::message::{Head, Layout, Name, Opening, ShortOpening};
use super::names::Names;
use super::{Config, Conversation, Data, Dialect, Error, Message, SendError, SendFault, Violation};
use crate::buffer::{RecvBuf, SendQueue};
use crate::keepalive::{Backlog, Due, Keepalive};
use crate::large::Large;
use crate::message_time::MessageTime;
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::sbs::{Encode, Writer};
use crate::time::{Instant, earliest};
use crate::trace;

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
    /// Report [`Incoming::Timeout`] at this time unless the conversation goes on before, in either
    /// direction. Without meaning where `last` is set.
    pub timeout: Option<Instant>,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self { conversation: None, last: true, token: true, timeout: None }
    }
}

/// What [`Connection::poll`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A message of the peer.
    Message(Message),
    /// A conversation did not go on in time. It is still open.
    Timeout(Conversation),
}

/// One end of a Chatter connection, from the moment that the byte stream is up.
///
/// - **Application**: [`send`](Self::send), [`close`](Protocol::close).
/// - **Driver**: [`poll`](Protocol::poll), [`tx`](Protocol::tx), [`deadline`](Protocol::deadline),
///   [`is_closed`](Protocol::is_closed).
/// - **Introspection**: [`open_conversations`](Self::open_conversations), [`config`](Self::config).
#[derive(Debug)]
pub struct Connection {
    config: Config,
    phase: Phase,
    tx: SendQueue,
    last_id: i64,
    conversations: Table,
    keepalive: Keepalive,
    /// The conversation of the ping that waits for its answer.
    ping: Option<Conversation>,
    backlog: Backlog,
    /// Names of what came.
    names: Names,
    /// Conversations that were given up and whose peer may still send.
    forgotten: BTreeSet<Conversation>,
    /// Where in `tx` each pong or other reply that is not written yet ends.
    unsent_replies: VecDeque<u64>,
    /// When the message that has begun must be here.
    message_time: MessageTime,
    /// Bytes that were in the receive buffer when the last poll ended: more means that something
    /// came.
    seen: usize,
    large: Large,
}

#[derive(Debug)]
enum Phase {
    Open,
    /// We close: what is queued is written, nothing more is read.
    Closing,
    Over(Error),
}

impl Connection {
    /// A connection that has been up since `now`.
    #[must_use]
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            phase: Phase::Open,
            tx: SendQueue::new(),
            last_id: 0,
            conversations: Table::default(),
            keepalive: Keepalive::new(config.ping, now),
            ping: None,
            backlog: Backlog::default(),
            names: Names::new(config.names),
            forgotten: BTreeSet::new(),
            unsent_replies: VecDeque::new(),
            message_time: MessageTime::default(),
            seen: 0,
            large: Large::default(),
            config,
        }
    }

    /// Queues a message and gives its conversation.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data: see [`SendFault`] for the reasons. Nothing is queued then.
    #[inline]
    pub fn send(&mut self, data: Data, options: SendOptions) -> Result<Conversation, SendError> {
        match self.send_encoded(data.name(), &Verbatim(&data.data), options) {
            Ok(conversation) => Ok(conversation),
            Err(fault) => Err(SendError { fault, data: Box::new(data) }),
        }
    }

    /// Queues a message whose data is encoded straight into the queue.
    #[inline]
    pub(crate) fn send_encoded(
        &mut self,
        name: Name<'_>,
        data: &impl Encode,
        options: SendOptions,
    ) -> Result<Conversation, SendFault> {
        self.may_send(name, &options)?;
        let id = self.last_id + 1;
        let conversation =
            options.conversation.unwrap_or(Conversation { first_id: id, owner: true });
        let Conversation { first_id: first, owner } = conversation;
        let head = Head { id, first, owner, token: options.token, last: options.last };
        // measured once: for events that is a walk over all of them
        let data_len = data.encoded_len();
        match self.short_opening(head, name, data_len) {
            Some(opening) => self.queue(&opening, data, data_len)?,
            None => self.queue(&self.opening(head, name, data_len), data, data_len)?,
        }
        self.last_id = id;
        trace::sent(name.r#type, data_len);
        if self.config.out_of_turn {
            self.note_timeout(conversation, &options);
        } else if !options.last {
            self.conversations.keep(conversation, !options.token, options.timeout);
        } else if options.conversation.is_some() {
            self.conversations.end(conversation);
        }
        Ok(conversation)
    }

    /// Ends a conversation with a message without data that the peer waits for. It is queued over a
    /// full queue too, and like a pong it counts as an unsent reply: see
    /// [`Config::max_unsent_replies`].
    pub(crate) fn send_reply(
        &mut self,
        name: Name<'_>,
        conversation: Conversation,
    ) -> Result<(), SendFault> {
        self.may_send(
            name,
            &SendOptions { conversation: Some(conversation), ..SendOptions::default() },
        )?;
        self.reply(name, conversation);
        Ok(())
    }

    /// Gives a conversation up: it counts no longer as open, no timeout of it is reported, and what
    /// the peer still sends in it is passed over. Nothing is sent. The peer is not told, and keeps
    /// the conversation open on its side until it answers.
    ///
    /// Of conversations given up, the last [`max_conversations`](Config::max_conversations) are
    /// remembered.
    pub fn forget(&mut self, conversation: Conversation) {
        // where nobody's turn matters, one that is open need not be known
        if self.conversations.token(conversation).is_none() && !self.is_out_of_turn() {
            return;
        }
        self.conversations.end(conversation);
        if self.forgotten.len() >= self.config.max_conversations {
            self.forgotten.pop_first();
        }
        self.forgotten.insert(conversation);
    }

    /// The number of open conversations of both sides.
    #[must_use]
    pub fn open_conversations(&self) -> usize {
        self.conversations.len()
    }

    /// The application asked for the end, or it has come.
    pub(crate) fn is_closing(&self) -> bool {
        !matches!(self.phase, Phase::Open)
    }

    /// What this connection was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.tx.len()
    }

    #[inline]
    fn may_send(&self, name: Name<'_>, options: &SendOptions) -> Result<(), SendFault> {
        if !matches!(self.phase, Phase::Open) {
            return Err(SendFault::Closed);
        }
        if name.module.is_some() && self.config.dialect == Dialect::HatChatter {
            return Err(SendFault::ModuleNotSupported);
        }
        if self.config.out_of_turn {
            return Ok(());
        }
        match options.conversation.map(|conversation| self.conversations.token(conversation)) {
            Some(None) => Err(SendFault::NotOpen),
            Some(Some(false)) => Err(SendFault::NoToken),
            Some(Some(true)) => Ok(()),
            None => {
                let limit = self.config.max_conversations;
                if !options.last && self.conversations.len() >= limit {
                    return Err(SendFault::TooManyConversations { limit });
                }
                Ok(())
            }
        }
    }

    #[inline]
    fn short_opening<'a>(
        &self,
        head: Head,
        name: Name<'a>,
        data_len: usize,
    ) -> Option<ShortOpening<'a>> {
        let is_short = self.config.dialect == Dialect::HatChatter;
        is_short.then(|| ShortOpening::new(head, name.r#type, data_len)).flatten()
    }

    fn opening<'a>(&self, head: Head, name: Name<'a>, data_len: usize) -> Opening<'a> {
        Opening { dialect: self.config.dialect, head, name, data_len }
    }

    /// Queues a block of `opening` and `data`, of `data_len` bytes, if it and the queue stay within
    /// their limits.
    #[inline]
    fn queue(
        &mut self,
        opening: &impl Encode,
        data: &impl Encode,
        data_len: usize,
    ) -> Result<(), SendFault> {
        let size = opening.encoded_len() + data_len;
        if size > self.config.max_message {
            return Err(SendFault::TooLarge { size, limit: self.config.max_message });
        }
        let whole = frame::front_len(size) + size;
        if !self.tx.is_empty() && self.tx.len() + whole > self.config.max_queued {
            return Err(SendFault::QueueFull { limit: self.config.max_queued });
        }
        match self.tx.room(whole) {
            Some(mut room) => put_block(size, opening, data, &mut room),
            None => put_block(size, opening, data, &mut self.tx),
        }
        self.large.queued(size, &self.tx);
        Ok(())
    }

    /// Writes a block without data into the queue, whatever waits there.
    fn push_empty(&mut self, head: Head, name: Name<'_>) {
        let opening = self.opening(head, name, 0);
        put_block(opening.encoded_len(), &opening, &(), &mut self.tx);
        self.last_id = head.id;
        trace::sent(name.r#type, 0);
    }

    /// Where the body of the next block begins and how long it is, if it is all here.
    #[inline]
    fn next_block(&mut self, rx: &RecvBuf) -> Result<Polled<(usize, usize)>, Error> {
        let need = match frame::parse(&rx.bytes, self.config.max_message) {
            Front::TooLarge(size) => {
                return Err(Error::TooLarge { size, limit: self.config.max_message });
            }
            Front::Known { head, body } if rx.bytes.len() - head >= body => {
                return Ok(Polled::Incoming((head, body)));
            }
            Front::Known { head, body } => head + body,
            Front::Needs(need) => need,
        };
        match (rx.eof, rx.bytes.len()) {
            (true, 0) => Err(Error::Closed),
            (true, have) => Err(Error::Truncated { have, need }),
            (false, have) => Ok(Polled::Needs(need - have)),
        }
    }

    /// Where the parts of a block stand, and its name, which is known of almost all. `None` where
    /// it takes a closer look.
    #[inline]
    fn known(&mut self, block: &[u8]) -> Option<(Layout, ByteString)> {
        let layout = self.config.dialect.layout(block)?;
        let name = self.names.find(&block[layout.name.clone()])?;
        trace::received(&name, layout.data.len());
        Some((layout, name))
    }

    /// Takes the first message of its name, pings and pongs, those with modules, and what is wrong.
    /// `None`: it was a ping or a pong, or of a conversation that was given up.
    #[cold]
    fn receive_first(&mut self, block: Bytes) -> Result<Option<Message>, Error> {
        let dialect = self.config.dialect;
        let (head, data, left) = dialect.decode(block)?;
        trace::received(&data.r#type, data.data.len());
        self.arrived(head.conversation(), left)?;
        if data.name() == dialect.ping() {
            self.reply(dialect.pong(), head.conversation());
            return Ok(None);
        }
        if data.name() == dialect.pong() {
            return Ok(None);
        }
        // the others are not asked whether they are pings again
        self.names.keep(&data.r#type);
        Ok(self.admit(head)?.then(|| message(head, data)))
    }

    /// What goes for every message that came, `left` bytes of which are behind its data.
    #[inline]
    fn arrived(&mut self, conversation: Conversation, left: usize) -> Result<(), Error> {
        if left > 0 && self.config.strict {
            let violation = Violation::TrailingBytes { left };
            return Err(Error::Violation { conversation, violation });
        }
        if self.ping == Some(conversation) {
            self.ping = None;
            self.keepalive.answered();
        }
        Ok(())
    }

    /// Keeps the books of a message that is neither a ping nor a pong. Whether it is one for the
    /// application.
    #[inline]
    fn admit(&mut self, head: Head) -> Result<bool, Error> {
        let conversation = head.conversation();
        if !self.forgotten.is_empty() && self.forgotten.contains(&conversation) {
            if head.last {
                self.forgotten.remove(&conversation);
            }
            return Ok(false);
        }
        self.note(head, conversation)?;
        Ok(true)
    }

    /// Where nobody's turn matters, a conversation is kept for its timeout only.
    fn note_timeout(&mut self, conversation: Conversation, options: &SendOptions) {
        match options.timeout.filter(|_| !options.last) {
            Some(timeout) => self.conversations.keep(conversation, true, Some(timeout)),
            None => self.conversations.end(conversation),
        }
    }

    fn is_out_of_turn(&self) -> bool {
        self.config.out_of_turn && !self.config.strict
    }

    /// Keeps the books of a conversation that the peer sent a message of.
    #[inline]
    fn note(&mut self, head: Head, conversation: Conversation) -> Result<(), Error> {
        if self.is_out_of_turn() {
            self.conversations.end(conversation);
            return Ok(());
        }
        let token = self.conversations.token(conversation);
        let broken = match token {
            _ if head.is_first() => None,
            None => Some(Violation::NotOpen),
            Some(true) => Some(Violation::NoToken),
            Some(false) => None,
        };
        if let Some(violation) = broken.filter(|_| self.config.strict) {
            return Err(Error::Violation { conversation, violation });
        }
        if head.last {
            if token.is_some() {
                self.conversations.end(conversation);
            }
        } else if head.is_first() || token.is_some() {
            let limit = self.config.max_conversations;
            if token.is_none() && self.conversations.len() >= limit {
                return Err(Error::TooManyConversations { limit });
            }
            // a peer that sends out of turn does not take the token from us
            self.conversations.keep(conversation, head.token || token == Some(true), None);
        }
        Ok(())
    }

    // Pings and replies go out over a full queue too: there is one ping at a time, and unsent
    // replies have a limit of their own.

    fn send_ping(&mut self) {
        let id = self.last_id + 1;
        let head = Head { id, first: id, owner: true, token: true, last: false };
        let before = self.tx.len();
        self.push_empty(head, self.config.dialect.ping());
        self.backlog.ping(before, &self.tx);
        self.ping = Some(Conversation { first_id: id, owner: true });
    }

    fn reply(&mut self, name: Name<'_>, conversation: Conversation) {
        let Conversation { first_id: first, owner } = conversation;
        let head = Head { id: self.last_id + 1, first, owner, token: true, last: true };
        self.push_empty(head, name);
        self.conversations.end(conversation);
        self.unsent_replies.push_back(self.tx.end());
    }

    /// Whether so many replies wait to be written that nothing more may be read.
    #[inline]
    fn held_up(&mut self) -> bool {
        while self.unsent_replies.front().is_some_and(|&end| end <= self.tx.front()) {
            self.unsent_replies.pop_front();
        }
        self.unsent_replies.len() >= self.config.max_unsent_replies
    }

    /// Limits the time of a message of which only the start is here.
    fn expect_rest(&mut self, rx: &RecvBuf, now: Instant) -> Result<(), Error> {
        let is_over =
            !rx.bytes.is_empty() && self.message_time.is_over(now, self.config.message_timeout);
        if is_over { Err(Error::MessageTimeout) } else { Ok(()) }
    }

    /// Nothing is read for now, here or by the protocol above: the time of a message that has
    /// begun, and that of silence, are counted anew when it is.
    #[cold]
    pub(crate) fn not_reading(&mut self) {
        self.message_time.stop();
        self.keepalive.not_reading();
    }

    #[cold]
    fn end(&mut self, error: Error) -> Error {
        self.conversations.clear();
        self.forgotten.clear();
        self.unsent_replies = VecDeque::new();
        self.phase = Phase::Over(error.clone());
        error
    }

    /// The work of a poll. What goes wrong ends the connection where it does: what is given is
    /// large and would be moved to be looked at.
    #[inline]
    fn step(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        if rx.bytes.len() > self.seen {
            self.keepalive.received(now);
            self.large.received(&self.tx);
        }
        let wait = loop {
            if self.held_up() {
                break Polled::HeldUp;
            }
            let next = self.next_block(rx).map_err(|error| self.end(error))?;
            let (front, body) = match next.or_wait() {
                Ok(block) => block,
                Err(wait) => {
                    self.expect_rest(rx, now).map_err(|error| self.end(error))?;
                    break wait;
                }
            };
            self.message_time.stop();
            let end = front + body;
            let Some((Layout { head, data, .. }, r#type)) = self.known(&rx.bytes[front..end])
            else {
                rx.bytes.advance(front);
                let block = rx.bytes.split_to(body).freeze();
                match self.receive_first(block).map_err(|error| self.end(error))? {
                    Some(message) => return Ok(Polled::Incoming(Incoming::Message(message))),
                    None => continue,
                }
            };
            let admitted = self.arrived(head.conversation(), body - data.end);
            let admitted = admitted.and_then(|()| self.admit(head));
            if admitted.map_err(|error| self.end(error))? {
                // one reference is counted, the block becomes its data
                let mut block = rx.bytes.split_to(end).freeze();
                block.advance(front + data.start);
                block.truncate(data.len());
                let data = Data { module: None, r#type, data: block };
                return Ok(Polled::Incoming(Incoming::Message(message(head, data))));
            }
            rx.bytes.advance(end);
        };
        if let Polled::HeldUp = wait {
            self.not_reading();
        } else {
            match self.keepalive.poll(now) {
                Due::Nothing => {}
                Due::Ping => self.send_ping(),
                Due::GiveUp if self.backlog.moves(&self.tx) => self.keepalive.again(now),
                Due::GiveUp => return Err(self.end(Error::PingTimeout)),
            }
        }
        let timeout = self.conversations.timed_out(now);
        if let Some(conversation) = timeout.filter(|_| self.is_out_of_turn()) {
            self.conversations.end(conversation);
        }
        Ok(timeout.map_or(wait, |conversation| Polled::Incoming(Incoming::Timeout(conversation))))
    }
}

impl Protocol for Connection {
    type Incoming = Incoming;
    type Error = Error;

    #[inline]
    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        match &self.phase {
            Phase::Over(error) => return Err(error.clone()),
            Phase::Closing if self.tx.is_empty() => return Err(self.end(Error::Closed)),
            Phase::Closing => return Ok(Polled::HeldUp),
            Phase::Open => {}
        }
        let polled = self.step(rx, now);
        self.seen = rx.bytes.len();
        polled
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open => {
                let quiet = earliest(self.keepalive.deadline(), self.conversations.deadline());
                earliest(quiet, self.message_time.deadline())
            }
            Phase::Closing | Phase::Over(_) => None,
        }
    }

    fn stood_still(&mut self, time: Duration) {
        self.message_time.stood_still(time);
        self.keepalive.stood_still(time);
    }

    fn too_large(&self) -> Option<TooLarge> {
        match &self.phase {
            Phase::Over(Error::TooLarge { size, limit }) => {
                Some(TooLarge::Received { size: *size, limit: *limit })
            }
            Phase::Open | Phase::Over(Error::Closed | Error::Truncated { .. }) => {
                self.large.unanswered()
            }
            Phase::Closing | Phase::Over(_) => None,
        }
    }

    fn tx(&mut self) -> &mut SendQueue {
        &mut self.tx
    }

    fn close(&mut self) {
        if let Phase::Open = self.phase {
            self.phase = Phase::Closing;
            self.conversations.clear();
        }
    }

    fn is_closed(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Closing => self.tx.is_empty(),
            Phase::Over(_) => true,
        }
    }
}

/// Writes a block of `size` bytes.
#[inline]
fn put_block(size: usize, opening: &impl Encode, data: &impl Encode, out: &mut impl Writer) {
    frame::put_front(size, out);
    opening.encode(out);
    data.encode(out);
}

#[inline]
fn message(head: Head, data: Data) -> Message {
    let Head { token, last, .. } = head;
    Message { data, conversation: head.conversation(), first: head.is_first(), last, token }
}

/// Data that is encoded already.
struct Verbatim<'a>(&'a Bytes);

impl Encode for Verbatim<'_> {
    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn encode(&self, out: &mut impl Writer) {
        out.put_bytes(self.0);
    }
}
