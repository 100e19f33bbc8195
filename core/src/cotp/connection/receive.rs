//! What a TPDU does, by where the connection is: the table of RFC 905 annex A as far as class 0 has
//! it.
//!
//! ```text
//!            AwaitRequest   AwaitConfirm   Deciding      Open
//! CR         answer         violation      violation     violation
//! CC         violation      Open           violation     violation
//! DR         violation      refused        disconnected  disconnected
//! ER         violation      rejected       rejected      rejected, never answered (6.22 note 2)
//! DT         violation      violation      is held       message
//! ED         violation      violation      violation     if negotiated
//! DC         violation      violation      violation     closed, though class 0 has none
//! other      violation      violation      violation     violation, an ER under the strict policy
//! end        closed during the handshake …               half closed
//! ```

use alloc::boxed::Box;

use bytes::Bytes;

use super::super::confirm::{self, Response};
use super::super::request::{self, Fault, Reply};
use super::super::run;
use super::super::tpdu::{Connect, Disconnect, Kind, Reject, Segment, Tpdu};
use super::super::{
    Answer, Cause, Config, Diagnostic, Error, Policy, Reason, Selector, Stage, Violation,
};
use super::{Connection, Incoming, MAX_EXPEDITED, Phase};
use crate::buffer::RecvBuf;
use crate::cotp::size::DT_HEADER;
use crate::protocol::Polled;
use crate::time::Instant;
use crate::tpkt;
use crate::trace;

impl Connection {
    /// Takes TPDUs until there is something to give.
    pub(super) fn step(
        &mut self,
        rx: &mut RecvBuf,
        now: Instant,
    ) -> Result<Polled<Incoming>, Error> {
        while let Some(run) = self.run(rx) {
            self.large.received(&self.tx);
            if let Some(given) = self.segment(run)? {
                return Ok(Polled::Incoming(given));
            }
        }
        let wait = loop {
            let tpdu = match self.next(rx)?.or_wait() {
                Ok(tpdu) => tpdu,
                Err(wait) => break wait,
            };
            self.large.received(&self.tx);
            let incoming = match self.phase {
                Phase::AwaitRequest { .. } => self.awaiting_request(tpdu)?,
                Phase::AwaitConfirm { .. } => Some(self.awaiting_confirm(tpdu)?),
                Phase::Deciding(_) => self.deciding(tpdu)?,
                _ => self.open_for(tpdu)?,
            };
            match incoming {
                Some(incoming) => return Ok(Polled::Incoming(incoming)),
                // the diagnostics are given first
                None if !self.report.is_empty() => return Ok(Polled::HeldUp),
                None => {}
            }
        };
        if rx.eof && rx.bytes.is_empty() && self.held.is_none() {
            return self.ended();
        }
        match self.phase {
            Phase::AwaitRequest { deadline } | Phase::AwaitConfirm { deadline }
                if now >= deadline =>
            {
                Err(Error::HandshakeTimeout)
            }
            _ => {
                self.expect_rest(now)?;
                Ok(wait)
            }
        }
    }

    /// Limits the time of a message that is given whole, and of which only the start is here.
    fn expect_rest(&mut self, now: Instant) -> Result<(), Error> {
        let is_over = self.assembly.is_keeping()
            && self.message_time.is_over(now, self.config.message_timeout);
        if is_over { Err(Error::MessageTimeout) } else { Ok(()) }
    }

    /// The DTs that have come, as long as there is nothing about them to be looked at closer.
    fn run(&mut self, rx: &mut RecvBuf) -> Option<Segment> {
        let (Phase::Open, None, Some(info)) = (&self.phase, &self.held, &self.info) else {
            return None;
        };
        let run = run::take(&mut rx.bytes, info.tpdu_size.octets())?;
        trace::received(Kind::Dt.name(), run.data.len());
        Some(run)
    }

    /// The next TPDU, unless nothing may be read now.
    fn next(&mut self, rx: &mut RecvBuf) -> Result<Polled<Bytes>, Error> {
        match self.phase {
            Phase::HalfClosed => return Ok(Polled::HeldUp),
            Phase::Deciding(_) if self.held.is_some() => return Ok(Polled::HeldUp),
            _ => {}
        }
        if let Some(held) = self.held.take() {
            return Ok(Polled::Incoming(held));
        }
        match tpkt::take(rx) {
            Err(tpkt::Error::Closed) => Ok(Polled::HeldUp),
            taken => {
                if let Ok(Polled::Incoming(tpdu)) = &taken {
                    // a packet has at least 3 octets of it
                    trace::received(Kind::of(tpdu[1]).name(), tpdu.len());
                }
                taken.map_err(Error::Tpkt)
            }
        }
    }

    /// The peer sends nothing more, and all that came is taken.
    fn ended(&mut self) -> Result<Polled<Incoming>, Error> {
        match self.phase {
            Phase::HalfClosed => Ok(Polled::HeldUp),
            Phase::Open => match self.assembly.received() {
                Some(received) => Err(Error::Incomplete { received }),
                None if self.config.half_close => {
                    self.phase = Phase::HalfClosed;
                    Ok(Polled::Incoming(Incoming::HalfClosed))
                }
                None => Err(Error::Closed),
            },
            _ => Err(Error::ClosedDuringHandshake),
        }
    }

    fn awaiting_request(&mut self, tpdu: Bytes) -> Result<Option<Incoming>, Error> {
        match Tpdu::parse(tpdu.clone()) {
            Ok(Tpdu::ConnectRequest(cr)) => self.request(&cr, &tpdu),
            Ok(other) => Err(unexpected(&other, Stage::AwaitingRequest)),
            Err(violation) => {
                self.reject_unreadable(&tpdu);
                Err(violation.into())
            }
        }
    }

    /// Under the strict policy a CR that cannot be read is answered too (RFC 905 clause 6.6.3), if
    /// it has the reference that the answer goes to.
    fn reject_unreadable(&mut self, tpdu: &Bytes) {
        if let [_, code, _, _, high, low, ..] = tpdu[..]
            && self.config.policy == Policy::Strict
            && Kind::of(code) == Kind::Cr
        {
            self.put_reject(u16::from_be_bytes([high, low]), Cause::NotSpecified, tpdu, 0);
        }
    }

    fn request(&mut self, cr: &Connect, tpdu: &Bytes) -> Result<Option<Incoming>, Error> {
        let request = match request::read(cr, &self.config, &mut self.report) {
            Ok(request) => request,
            Err(Fault { violation, reply }) => {
                match reply {
                    Reply::Nothing => {}
                    Reply::Refuse(reason) => self.put_disconnect(cr.source_reference, 0, reason),
                    Reply::Reject { cause, at } => {
                        self.put_reject(cr.source_reference, cause, tpdu, at);
                    }
                }
                return Err(violation.into());
            }
        };
        if let Some(reason) = refusal(&request, &self.config) {
            self.put_disconnect(request.reference, 0, reason);
            return Err(Error::RequestRefused { reason });
        }
        let request = Box::new(request);
        if self.config.answer == Answer::Manual {
            self.phase = Phase::Deciding(request.clone());
            return Ok(Some(Incoming::Connect(request)));
        }
        let (cc, info) = confirm::write(&request, &self.config, &Response::default())
            .expect("the automatic answer was tried when the connection was made");
        let info = self.establish(&cc, info).clone();
        Ok(Some(Incoming::Connected(Box::new(info))))
    }

    fn awaiting_confirm(&mut self, tpdu: Bytes) -> Result<Incoming, Error> {
        match Tpdu::parse(tpdu)? {
            Tpdu::ConnectConfirm(cc) => {
                let info = confirm::read(&cc, &self.config, &mut self.report)?;
                let info = self.open(info).clone();
                Ok(Incoming::Connected(Box::new(info)))
            }
            Tpdu::DisconnectRequest(dr) => {
                // whatever its references (clause 6.9.4.2 d.2)
                let (got, expected) = (dr.destination_reference, self.config.source_reference);
                if got != expected {
                    self.report.note(Diagnostic::DestinationReference { got, expected });
                }
                self.disconnect_data(&dr)?;
                let Disconnect { reason, information, .. } = dr;
                Err(Error::Refused { reason, information })
            }
            Tpdu::Error(er) => Err(rejected(er)),
            other => Err(unexpected(&other, Stage::AwaitingConfirm)),
        }
    }

    fn deciding(&mut self, tpdu: Bytes) -> Result<Option<Incoming>, Error> {
        match Tpdu::parse(tpdu.clone())? {
            Tpdu::Data(_) => {
                self.held = Some(tpdu);
                Ok(None)
            }
            Tpdu::DisconnectRequest(dr) => Err(self.disconnected(dr)?),
            Tpdu::Error(er) => Err(rejected(er)),
            other => Err(unexpected(&other, Stage::Deciding)),
        }
    }

    fn open_for(&mut self, tpdu: Bytes) -> Result<Option<Incoming>, Error> {
        let size = tpdu.len();
        let front = [tpdu[0], tpdu[1]]; // a packet has at least 3
        match Tpdu::parse(tpdu)? {
            Tpdu::Data(segment) => self.data(segment, size),
            Tpdu::Expedited(segment) if self.info().is_some_and(|info| info.expedited) => {
                self.header(&segment)?;
                if !segment.end {
                    self.report.tolerate(Diagnostic::ExpeditedEnd)?;
                }
                match segment.data.len() {
                    1..=MAX_EXPEDITED => Ok(Some(Incoming::Expedited(segment.data))),
                    octets => Err(Violation::ExpeditedLength { octets }.into()),
                }
            }
            Tpdu::DisconnectRequest(dr) => Err(self.disconnected(dr)?),
            Tpdu::DisconnectConfirm { .. } => {
                self.report.tolerate(Diagnostic::DisconnectConfirm)?;
                Err(Error::Closed)
            }
            Tpdu::Error(er) => Err(rejected(er)),
            other => {
                let strict = self.config.policy == Policy::Strict;
                if let Some(info) = self.info().filter(|_| strict && is_foreign(other.kind())) {
                    self.put_reject(info.remote_reference, Cause::TpduType, &front, 1);
                }
                Err(unexpected(&other, Stage::Open))
            }
        }
    }

    fn data(&mut self, segment: Segment, size: usize) -> Result<Option<Incoming>, Error> {
        self.header(&segment)?;
        let negotiated = self.info().map(|info| info.tpdu_size).unwrap_or_default();
        if size > negotiated.octets() {
            self.report.tolerate(Diagnostic::TpduTooLarge { octets: size, negotiated })?;
        }
        if size == DT_HEADER && !segment.end {
            self.report.tolerate(Diagnostic::EmptyData)?;
            self.empty += 1;
            let limit = self.config.max_empty;
            return if self.empty > limit {
                Err(Error::EmptyDataFlood { limit })
            } else {
                Ok(None)
            };
        }
        let empty_message = size == DT_HEADER && self.assembly.received().is_none();
        if empty_message && !self.config.deliver_empty {
            self.empty = 0;
            return Ok(None);
        }
        self.segment(segment)
    }

    /// What the header of a DT or ED has zeros for.
    fn header(&mut self, segment: &Segment) -> Result<(), Violation> {
        if segment.credit != 0 {
            self.report.tolerate(Diagnostic::DataCredit(segment.credit))?;
        }
        if segment.number != 0 {
            self.report.tolerate(Diagnostic::TpduNumber(segment.number))?;
        }
        Ok(())
    }

    fn segment(&mut self, segment: Segment) -> Result<Option<Incoming>, Error> {
        self.empty = 0;
        let given = self.assembly.push(segment)?;
        if given.is_some() {
            self.message_time.stop();
        }
        Ok(given.map(|(data, end)| Incoming::Data { data, end }))
    }

    /// The peer leaves.
    fn disconnected(&mut self, dr: Disconnect) -> Result<Error, Violation> {
        self.disconnect_data(&dr)?;
        if let Some(info) = self.info() {
            let (ours, theirs) = (info.local_reference, info.remote_reference);
            let (got, expected) = (dr.destination_reference, ours);
            if got != expected {
                self.report.note(Diagnostic::DestinationReference { got, expected });
            }
            let (got, expected) = (dr.source_reference, theirs);
            if got != expected {
                self.report.note(Diagnostic::SourceReference { got, expected });
            }
        }
        let Disconnect { reason, information, .. } = dr;
        Ok(Error::Disconnected { reason, information })
    }

    fn disconnect_data(&mut self, dr: &Disconnect) -> Result<(), Violation> {
        match dr.data.len() {
            0 => Ok(()),
            octets => self.report.tolerate(Diagnostic::DisconnectData { octets }),
        }
    }

    /// Queues an ER about a TPDU whose octet `at` is wrong. A peer without a reference cannot be
    /// told.
    fn put_reject(&mut self, destination_reference: u16, cause: Cause, tpdu: &[u8], at: usize) {
        if destination_reference == 0 {
            return;
        }
        let end = (at + 1).min(tpdu.len()).min(Reject::ROOM);
        let rejected = Some(Bytes::copy_from_slice(&tpdu[..end]));
        self.put(&Tpdu::Error(Reject { destination_reference, cause, rejected }));
    }
}

/// Why a request that is right is refused all the same.
fn refusal(request: &request::ConnectRequest, config: &Config) -> Option<Reason> {
    let fits = |required: &Option<Selector>, given: &Option<Selector>| {
        required.is_none() || required == given
    };
    if !request.allows_class_0() {
        return Some(Reason::NegotiationFailed);
    }
    let raw = config.raw_variable_part.is_some();
    let known = fits(&config.local_selector, &request.called)
        && fits(&config.remote_selector, &request.calling);
    (!raw && !known).then_some(Reason::AddressUnknown)
}

fn rejected(er: Reject) -> Error {
    Error::Rejected { cause: er.cause, rejected: er.rejected }
}

/// Whether class 0 does not have it at all.
fn is_foreign(kind: Kind) -> bool {
    matches!(kind, Kind::Ak | Kind::Ea | Kind::Rj | Kind::Unknown(_))
}

fn unexpected(tpdu: &Tpdu, during: Stage) -> Error {
    match tpdu.kind() {
        kind if is_foreign(kind) => Violation::TpduType(kind).into(),
        kind => Violation::Unexpected { kind, during }.into(),
    }
}
