mod drive;
mod receive;
mod send;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

use super::deflate::{DeflateAgreement, Deflater};
use super::handshake::{self, Field, PendingAnswer, Request, RequestFault, Response};
use super::mask::Masks;
use super::reader::Reader;
use super::watch::Watch;
use super::{AnswerError, Config, Error, RequestError, Role};
use crate::buffer::{SendQueue, Writer};
use crate::large::Large;
use crate::message_time::MessageTime;
use crate::time::Instant;

/// What [`Connection::poll`](crate::protocol::Protocol::poll) gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Server: a request that waits for [`Connection::confirm`] or [`Connection::refuse`]. Nothing
    /// is read until then.
    Request(Box<Request>),
    /// Client: the server took the request, the connection is open.
    Open(Box<Response>),
    /// A text message.
    Text(ByteString),
    /// A binary message.
    Binary(Bytes),
    /// The peer's answer to a [`Connection::ping`], with the same bytes, or sent by it unasked.
    Pong(Bytes),
    /// The peer's Close: the last thing that it said. If it was the first to close, it was
    /// answered; once that is written, [`poll`](crate::protocol::Protocol::poll) fails with
    /// [`Error::Closed`].
    Closed {
        /// Its code, see [`code`](super::code); `None` where it gave none.
        code: Option<u16>,
        /// Its reason, for people; often empty.
        reason: ByteString,
    },
}

/// One end of a WebSocket connection, from the moment that the byte stream is up.
///
/// ```text
/// connect ──request──> AwaitResponse ──101──> Open
///                            └─other status──> Over
/// accept ──> AwaitRequest ──request──> Deciding ─confirm: 101─> Open
///                 └─wrong: 4xx──> Over    └─refuse: 3xx..5xx──> Over
/// established ──> Open
///
/// close        Open ──Close──> Closing ──its Close──> Draining
///                                 └─close_timeout──> Over
/// its Close    Open ──Close──> Draining ──written──> Over
/// error        Open ──Close──> Over
/// ```
///
/// - **Making**: [`connect`](Self::connect), [`accept`](Self::accept),
///   [`established`](Self::established).
/// - **Application**: [`confirm`](Self::confirm), [`refuse`](Self::refuse),
///   [`send_text`](Self::send_text), [`send_text_parts`](Self::send_text_parts),
///   [`send_binary`](Self::send_binary), [`ping`](Self::ping), [`close_with`](Self::close_with),
///   [`close`](crate::protocol::Protocol::close).
/// - **Driver**: [`poll`](crate::protocol::Protocol::poll), [`tx`](crate::protocol::Protocol::tx),
///   [`deadline`](crate::protocol::Protocol::deadline),
///   [`is_closed`](crate::protocol::Protocol::is_closed).
/// - **Introspection**: [`role`](Self::role), [`is_open`](Self::is_open), [`config`](Self::config),
///   [`queued`](Self::queued).
///
/// After our Close, messages of the peer are still checked, and dropped.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    role: Role,
    phase: Phase,
    tx: SendQueue,
    masks: Masks,
    reader: Reader,
    /// Where messages are compressed.
    deflater: Option<Deflater>,
    /// Until when the message of which only the start is here has to be complete.
    message_time: MessageTime,
    /// Where in `tx` each pong that is not written yet ends.
    unsent_replies: VecDeque<u64>,
    /// Where pings are on.
    watch: Option<Box<Watch>>,
    large: Large,
    /// Bytes of the largest message that was sent.
    largest: usize,
    /// What the peer said of a message of ours that is over its limit.
    refused: Option<ByteString>,
}

#[derive(Debug)]
enum Phase {
    AwaitRequest {
        deadline: Instant,
        /// Bytes that were searched for the end of the head.
        searched: usize,
    },
    /// The application decides about a request.
    Deciding(PendingAnswer),
    AwaitResponse {
        deadline: Instant,
        searched: usize,
        expected: PendingAnswer,
    },
    Open,
    /// We sent our Close, and the peer's is not here.
    Closing(Patience),
    /// What is queued is written, nothing more is read.
    Draining(Patience),
    Over(Error),
}

/// How long the end may take: counted from the last time that the peer took any of what was queued
/// when it began. Pongs behind that do not count, or a peer that pings could hold the end up for
/// ever.
#[derive(Debug)]
struct Patience {
    /// Where in `tx` that ends.
    end: u64,
    /// How much of it was written.
    written: u64,
    /// Set by the poll after the end began.
    until: Option<Instant>,
}

impl Patience {
    fn new(tx: &SendQueue) -> Self {
        Self { end: tx.end(), written: tx.sent(), until: None }
    }

    /// Gives until when to wait, as of `now`.
    fn until(&mut self, tx: &SendQueue, now: Instant, timeout: Duration) -> Instant {
        let written = tx.sent().min(self.end);
        if written > self.written {
            self.written = written;
            self.until = None;
        }
        *self.until.get_or_insert(now + timeout)
    }
}

impl Connection {
    /// The side that asks: sends `request`.
    ///
    /// # Errors
    ///
    /// [`RequestError`] where HTTP cannot carry the request.
    pub fn connect(config: Config, request: Request, now: Instant) -> Result<Self, RequestError> {
        let mut connection = Self::established(Role::Client, config, now);
        let mut octets = [0; 16];
        for part in octets.as_chunks_mut::<4>().0 {
            *part = connection.masks.next();
        }
        let key = handshake::new_key(octets);
        let deflate = connection.config.deflate;
        connection.tx.put_slice(request.write(&key, deflate)?.as_bytes());
        connection.phase = Phase::AwaitResponse {
            deadline: now + connection.config.handshake_timeout,
            searched: 0,
            expected: PendingAnswer {
                accept: handshake::accept_of(&key),
                subprotocols: request.subprotocols,
                extensions: Vec::new(),
                deflate,
            },
        };
        Ok(connection)
    }

    /// The side that is asked: waits for a request.
    #[must_use]
    pub fn accept(config: Config, now: Instant) -> Self {
        let deadline = now + config.handshake_timeout;
        let phase = Phase::AwaitRequest { deadline, searched: 0 };
        Self { phase, ..Self::established(Role::Server, config, now) }
    }

    /// Either side of a connection that is open: an HTTP server or client has done the handshake,
    /// see [`accept_key`](super::accept_key). What it read behind the handshake is fed to the
    /// connection first.
    #[must_use]
    pub fn established(role: Role, config: Config, _now: Instant) -> Self {
        Self {
            role,
            phase: Phase::Open,
            tx: SendQueue::new(),
            masks: Masks::new(config.mask_seed),
            reader: Reader::new(role, &config),
            deflater: None,
            message_time: MessageTime::default(),
            unsent_replies: VecDeque::new(),
            watch: Watch::new(config.ping),
            large: Large::default(),
            largest: 0,
            refused: None,
            config,
        }
    }

    /// The same connection, whose messages may be compressed as `agreed`: whoever has done the
    /// handshake for an [`established`](Self::established) one has asked
    /// [`DeflateAgreement::answer`].
    #[must_use]
    pub fn with_deflate(mut self, agreed: DeflateAgreement) -> Self {
        self.set_deflate(agreed);
        self
    }

    fn set_deflate(&mut self, agreed: DeflateAgreement) {
        self.reader.inflate(agreed);
        self.deflater = Some(Deflater::new(agreed));
    }

    /// Takes the request that waits: the connection is open then.
    ///
    /// # Errors
    ///
    /// [`AnswerError`]. The request still waits, except after [`AnswerError::NotWaiting`].
    pub fn confirm(&mut self, response: &Response) -> Result<(), AnswerError> {
        let Phase::Deciding(waiting) = &self.phase else { return Err(AnswerError::NotWaiting) };
        let (head, agreed) = handshake::confirm(waiting, response, self.config.deflate)?;
        self.tx.put_slice(head.as_bytes());
        if let Some(agreed) = agreed {
            self.set_deflate(agreed);
        }
        self.phase = Phase::Open;
        Ok(())
    }

    /// Refuses the request that waits, with an HTTP `status` of 300 to 599, the header fields that
    /// belong to it (`WWW-Authenticate`, `Location`) and a plain text for people. The connection is
    /// over then.
    ///
    /// # Errors
    ///
    /// [`AnswerError`]. The request still waits, except after [`AnswerError::NotWaiting`].
    pub fn refuse(
        &mut self,
        status: u16,
        headers: &[Field],
        text: &str,
    ) -> Result<(), AnswerError> {
        if !matches!(self.phase, Phase::Deciding(_)) {
            return Err(AnswerError::NotWaiting);
        }
        if !(300..600).contains(&status) {
            return Err(AnswerError::Status(status));
        }
        handshake::check(headers)?;
        self.put_refusal(status, headers, text);
        self.end(Error::RequestRefused { status });
        Ok(())
    }

    /// Which end this is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The handshake is done and neither side has closed: sends are taken as far as there is room.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
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

    fn put_refusal(&mut self, status: u16, headers: &[Field], text: &str) {
        self.tx.put_slice(handshake::refuse(status, headers, text).as_bytes());
    }

    /// Refuses a request that is wrong.
    fn refuse_fault(&mut self, fault: RequestFault) -> Error {
        let text = alloc::format!("The request is refused: {fault}.\n");
        let field =
            |&(name, value)| (ByteString::from_static(name), ByteString::from_static(value));
        let headers: Vec<Field> = fault.headers().iter().map(field).collect();
        self.put_refusal(fault.status(), &headers, &text);
        Error::Request(fault)
    }

    fn end(&mut self, error: Error) -> Error {
        self.reader = Reader::new(self.role, &self.config);
        self.deflater = None;
        self.message_time.stop();
        self.unsent_replies = VecDeque::new();
        self.phase = Phase::Over(error.clone());
        error
    }
}
