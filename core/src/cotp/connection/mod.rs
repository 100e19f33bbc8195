mod drive;
mod receive;

use alloc::boxed::Box;

use bytes::Bytes;

use super::assembly::Assembly;
use super::confirm::{self, Info, Response};
use super::report::Report;
use super::request::{self, ConnectRequest};
use super::segment::{HEADERS, Segmenter};
use super::tpdu::{Disconnect, Kind, Segment, Tpdu};
use super::{
    AnswerError, Config, ConfigError, Diagnostic, Error, Policy, Reason, SendError, SendFault,
    TpduSize,
};
use crate::buffer::{SendQueue, Writer};
use crate::large::Large;
use crate::message_time::MessageTime;
use crate::time::Instant;
use crate::tpkt;
use crate::trace;

/// The most octets of expedited data (RFC 905 clause 13.8.4).
const MAX_EXPEDITED: usize = 16;

/// What [`Connection::poll`](crate::protocol::Protocol::poll) gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Accepting, with [`Answer::Manual`](super::Answer::Manual): a request that waits for
    /// [`Connection::confirm`] or [`Connection::refuse`].
    Connect(Box<ConnectRequest>),
    /// The connection is established: the peer confirmed our request, or its request was confirmed
    /// automatically.
    Connected(Box<Info>),
    /// A message, or with [`Receive::Parts`](super::Receive::Parts) a part of one.
    Data {
        /// The octets.
        data: Bytes,
        /// The message ends with them. Always so where messages are given whole.
        end: bool,
    },
    /// Expedited data, 1 to 16 octets.
    Expedited(Bytes),
    /// The peer departed from the standard, harmlessly. Comes before what it is about.
    Diagnostic(Diagnostic),
    /// The peer sends nothing more, between two messages. The application may still send, and then
    /// closes.
    HalfClosed,
}

/// One end of a COTP connection of class 0, from the moment that the byte stream is up.
///
/// ```text
/// connect ──CR──> AwaitConfirm ──CC──> Open ──end of stream──> HalfClosed
///                      └─DR, ER, other──> Over <──DR, ER, error──┘
/// close: Closing ──written──> Over             error: Over
///
/// accept ──> AwaitRequest ──CR──> Deciding ──confirm: CC──> Open
///                 │                  ├─refuse: DR──> Over
///                 └─CR, automatic: CC, or DR, or ER
/// ```
///
/// - **Making**: [`connect`](Self::connect), [`accept`](Self::accept).
/// - **Application**: [`confirm`](Self::confirm), [`refuse`](Self::refuse), [`send`](Self::send),
///   [`send_expedited`](Self::send_expedited), [`fail`](Self::fail),
///   [`close`](crate::protocol::Protocol::close).
/// - **Driver**: [`poll`](crate::protocol::Protocol::poll), [`tx`](crate::protocol::Protocol::tx),
///   [`deadline`](crate::protocol::Protocol::deadline),
///   [`is_closed`](crate::protocol::Protocol::is_closed).
/// - **Introspection**: [`info`](Self::info), [`config`](Self::config), [`queued`](Self::queued).
#[derive(Debug)]
pub struct Connection {
    config: Config,
    phase: Phase,
    tx: SendQueue,
    info: Option<Box<Info>>,
    segmenter: Segmenter,
    /// Parts of a message were sent, and not its last.
    in_message: bool,
    assembly: Assembly,
    /// Until when the message that is coming in, and is given whole, has to be complete.
    message_time: MessageTime,
    /// DTs without data in a row.
    empty: u32,
    report: Report,
    /// What a poll came to, behind the diagnostics about it.
    pending: Option<Incoming>,
    /// A DT that came before the application answered the request. While it is here nothing is
    /// read.
    held: Option<Bytes>,
    large: Large,
}

#[derive(Debug)]
enum Phase {
    AwaitRequest {
        deadline: Instant,
    },
    /// The application decides about a request.
    Deciding(Box<ConnectRequest>),
    AwaitConfirm {
        deadline: Instant,
    },
    Open,
    /// The peer sends nothing more.
    HalfClosed,
    /// We close: what is queued is written, nothing more is read.
    Closing,
    Over(Error),
}

impl Connection {
    /// The connecting side: sends a CR.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where there is no such CR.
    pub fn connect(config: Config, now: Instant) -> Result<Self, ConfigError> {
        config.check()?;
        let packet = Tpdu::ConnectRequest(request::write(&config)).packet()?;
        let octets = packet.len() - tpkt::HEADER;
        if config.policy == Policy::Strict && octets > request::MAX_REQUEST {
            return Err(ConfigError::LongRequest { octets });
        }
        let deadline = now + config.handshake_timeout;
        let mut connection = Self::new(config, Phase::AwaitConfirm { deadline });
        connection.put_packet(&packet);
        Ok(connection)
    }

    /// The accepting side: waits for a CR.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where there is no CC of that.
    pub fn accept(config: Config, now: Instant) -> Result<Self, ConfigError> {
        config.check()?;
        confirm::write(&ConnectRequest::default(), &config, &Response::default())?;
        let deadline = now + config.handshake_timeout;
        Ok(Self::new(config, Phase::AwaitRequest { deadline }))
    }

    fn new(config: Config, phase: Phase) -> Self {
        Self {
            phase,
            tx: SendQueue::new(),
            info: None,
            segmenter: Segmenter::new(TpduSize::MIN),
            in_message: false,
            assembly: Assembly::new(config.receive, config.max_tsdu),
            message_time: MessageTime::default(),
            empty: 0,
            report: Report::new(config.policy),
            pending: None,
            large: Large::default(),
            held: None,
            config,
        }
    }

    /// Confirms the request that waits: the connection is established then. The CC is queued in one
    /// piece; some deployed clients take nothing behind it before they have sent a DT of their own.
    ///
    /// # Errors
    ///
    /// [`AnswerError`]. The request still waits after [`AnswerError::Config`].
    pub fn confirm(&mut self, response: &Response) -> Result<&Info, AnswerError> {
        let Phase::Deciding(request) = &self.phase else { return Err(AnswerError::NotWaiting) };
        let (cc, info) = confirm::write(request, &self.config, response)?;
        Ok(self.establish(&cc, info))
    }

    /// Refuses the request that waits, with a DR: the peer's caller sees `reason` and
    /// `information`, at most 246 octets. Class 0 has the first four reasons (RFC 905 clause
    /// 13.5.3), and `NegotiationFailed` for a request that prefers class 2, 3 or 4.
    ///
    /// # Errors
    ///
    /// [`AnswerError`]. The request still waits except after [`AnswerError::NotWaiting`].
    pub fn refuse(
        &mut self,
        reason: Reason,
        information: Option<Bytes>,
    ) -> Result<(), AnswerError> {
        let Phase::Deciding(request) = &self.phase else { return Err(AnswerError::NotWaiting) };
        let negotiation = reason == Reason::NegotiationFailed && request.class > 1;
        if !reason.is_of_class_0() && !negotiation {
            return Err(AnswerError::Reason(reason));
        }
        let destination_reference = request.reference;
        let dr = Disconnect { destination_reference, reason, information, ..Default::default() };
        let packet = Tpdu::DisconnectRequest(dr).packet().map_err(ConfigError::from)?;
        self.put_packet(&packet);
        self.end(Error::RequestRefused { reason });
        Ok(())
    }

    /// Queues a message, cut into TPDUs of the agreed size; large segments are queued by reference.
    /// Without octets it is one empty DT.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data: see [`SendFault`] for the reasons. Nothing is queued then.
    pub fn send(&mut self, data: Bytes) -> Result<(), SendError> {
        if self.in_message {
            return Err(SendError { fault: SendFault::InMessage, data });
        }
        self.send_part(data, true)
    }

    /// Queues a part of a message whose length need not be known yet; `end` says that it is the
    /// last one. The parts may be of any size, also empty; before the last one nothing but parts
    /// can be sent.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data: see [`SendFault`] for the reasons. Nothing is queued then.
    pub fn send_part(&mut self, data: Bytes, end: bool) -> Result<(), SendError> {
        let octets = data.len();
        match self.may_send(self.segmenter.wire_len(octets)) {
            Ok(()) => {
                trace::sent(Kind::Dt.name(), octets);
                self.segmenter.put(data, end, &mut self.tx);
                self.large.queued(octets, &self.tx);
                self.in_message = !end;
                Ok(())
            }
            Err(fault) => Err(SendError { fault, data }),
        }
    }

    /// Queues expedited data, 1 to 16 octets. It overtakes nothing that is queued: over TCP it
    /// arrives in order.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data: see [`SendFault`] for the reasons.
    pub fn send_expedited(&mut self, data: Bytes) -> Result<(), SendError> {
        let fault = match (self.may_send(HEADERS + data.len()), data.len()) {
            (Err(fault), _) => fault,
            _ if !self.info().is_some_and(|info| info.expedited) => SendFault::NoExpedited,
            _ if self.in_message => SendFault::InMessage,
            (Ok(()), octets @ (0 | 17..)) => SendFault::ExpeditedLength { octets },
            (Ok(()), 1..=MAX_EXPEDITED) => {
                self.put(&Tpdu::Expedited(Segment { end: true, number: 0, credit: 0, data }));
                return Ok(());
            }
        };
        Err(SendError { fault, data })
    }

    /// Ends the connection for a limit that the application keeps by itself: nothing more is read
    /// or given, what is queued is still written, and every later poll returns `error`. One that is
    /// over stays as it is.
    pub fn fail(&mut self, error: Error) {
        if !matches!(self.phase, Phase::Over(_)) {
            self.end(error);
            self.forget_pending();
        }
    }

    /// What was agreed; `None` before the connection is established. Stays after its end.
    #[must_use]
    pub fn info(&self) -> Option<&Info> {
        self.info.as_deref()
    }

    /// What this connection was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Octets that wait to be written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.tx.len()
    }

    fn may_send(&self, octets: usize) -> Result<(), SendFault> {
        let limit = self.config.max_queued;
        match self.phase {
            Phase::Open | Phase::HalfClosed => {
                let full = !self.tx.is_empty() && self.tx.len().saturating_add(octets) > limit;
                if full { Err(SendFault::QueueFull { limit }) } else { Ok(()) }
            }
            Phase::AwaitRequest { .. } | Phase::AwaitConfirm { .. } | Phase::Deciding(_) => {
                Err(SendFault::NotConnected)
            }
            Phase::Closing | Phase::Over(_) => Err(SendFault::Closed),
        }
    }

    /// Queues a TPDU that is known to fit its header.
    fn put(&mut self, tpdu: &Tpdu) {
        self.put_packet(&tpdu.packet().expect("the lengths of its parts were checked"));
    }

    /// Queues a TPDU behind the header of its packet.
    fn put_packet(&mut self, packet: &[u8]) {
        trace::sent(Kind::of(packet[tpkt::HEADER + 1]).name(), packet.len() - tpkt::HEADER);
        self.tx.put_slice(packet);
    }

    /// Queues a DR without parameters.
    fn put_disconnect(
        &mut self,
        destination_reference: u16,
        source_reference: u16,
        reason: Reason,
    ) {
        self.put(&Tpdu::DisconnectRequest(Disconnect {
            destination_reference,
            source_reference,
            reason,
            ..Disconnect::default()
        }));
    }

    /// Sends the CC: the connection is established.
    fn establish(&mut self, cc: &Tpdu, info: Info) -> &Info {
        self.put(cc);
        self.open(info)
    }

    fn open(&mut self, info: Info) -> &Info {
        self.phase = Phase::Open;
        self.segmenter = Segmenter::new(info.tpdu_size);
        self.info.insert(Box::new(info))
    }

    /// Nothing of what was noticed, and of what came with it, is given any more.
    fn forget_pending(&mut self) {
        self.report.clear();
        self.pending = None;
    }

    fn end(&mut self, error: Error) -> Error {
        self.assembly = Assembly::new(self.config.receive, 0);
        self.message_time.stop();
        self.held = None;
        self.phase = Phase::Over(error.clone());
        error
    }
}
