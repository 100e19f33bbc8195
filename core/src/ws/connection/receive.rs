//! What comes in: the handshake, then frames.
//!
//! ```text
//!               Open                       Closing (our Close is sent)
//! Text, Binary  given                      dropped
//! Ping          Pong                       Pong
//! Pong          given                      dropped
//! Close         Close, given; Draining     given; Draining
//! wrong         Close with its code; Over  Over
//! end           Lost, Truncated            Closed
//! ```

use alloc::boxed::Box;
use alloc::string::{String, ToString as _};

use bytes::{Buf, Bytes};
use bytestring::ByteString;

use super::super::frame::Opcode;
use super::super::handshake::{self, Found, HandshakeFault, RequestFault};
use super::super::reader::Item;
use super::super::{Error, Violation, code};
use super::{Connection, Incoming, Patience, Phase};
use crate::buffer::RecvBuf;
use crate::keepalive::Due;
use crate::protocol::Polled;
use crate::time::Instant;
use crate::trace;

impl Connection {
    pub(super) fn step(
        &mut self,
        rx: &mut RecvBuf,
        now: Instant,
    ) -> Result<Polled<Incoming>, Error> {
        match self.phase {
            Phase::AwaitRequest { deadline, searched } => {
                self.await_request(rx, searched, deadline, now)
            }
            Phase::AwaitResponse { deadline, .. } => self.await_response(rx, deadline, now),
            Phase::Open if self.watch.is_some() => self.watched(rx, now),
            Phase::Open | Phase::Closing(_) => self.frames(rx, now),
            Phase::Deciding(_) | Phase::Draining(_) | Phase::Over(_) => Ok(Polled::HeldUp),
        }
    }

    fn await_request(
        &mut self,
        rx: &mut RecvBuf,
        from: usize,
        deadline: Instant,
        now: Instant,
    ) -> Result<Polled<Incoming>, Error> {
        let limit = self.config.max_handshake;
        match handshake::find_end(&rx.bytes, from, limit) {
            Found::TooLarge => Err(self.refuse_fault(RequestFault::TooLarge { limit })),
            Found::From(searched) => {
                let wait = wait_for_head(rx)?;
                if now >= deadline {
                    self.put_refusal(408, &[], "The request did not arrive in time.\n");
                    return Err(Error::HandshakeTimeout);
                }
                self.phase = Phase::AwaitRequest { deadline, searched };
                Ok(wait)
            }
            Found::End(len) => {
                let parsed = handshake::parse_request(&rx.bytes[..len], self.config.max_headers);
                let (request, waiting) = parsed.map_err(|fault| self.refuse_fault(fault))?;
                rx.bytes.advance(len);
                self.phase = Phase::Deciding(waiting);
                Ok(Polled::Incoming(Incoming::Request(Box::new(request))))
            }
        }
    }

    fn await_response(
        &mut self,
        rx: &mut RecvBuf,
        deadline: Instant,
        now: Instant,
    ) -> Result<Polled<Incoming>, Error> {
        let Phase::AwaitResponse { searched, expected, .. } = &mut self.phase else {
            return Ok(Polled::HeldUp);
        };
        let limit = self.config.max_handshake;
        match handshake::find_end(&rx.bytes, *searched, limit) {
            Found::TooLarge => Err(Error::Handshake(HandshakeFault::TooLarge { limit })),
            Found::From(next) => {
                *searched = next;
                let wait = wait_for_head(rx)?;
                if now >= deadline { Err(Error::HandshakeTimeout) } else { Ok(wait) }
            }
            Found::End(len) => {
                let max_headers = self.config.max_headers;
                let parsed = handshake::parse_response(&rx.bytes[..len], max_headers, expected)?;
                let (response, agreed) = parsed;
                rx.bytes.advance(len);
                if let Some(agreed) = agreed {
                    self.set_deflate(agreed);
                }
                self.phase = Phase::Open;
                Ok(Polled::Incoming(Incoming::Open(Box::new(response))))
            }
        }
    }

    /// Frames, and pings where nothing comes. Apart, so that it costs nothing where there are none.
    #[cold]
    #[inline(never)]
    fn watched(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        if let Some(watch) = &mut self.watch {
            watch.liveness.look(rx, &self.tx, now);
        }
        let polled = self.frames(rx, now);
        let Some(watch) = &mut self.watch else { return polled };
        watch.liveness.seen(rx);
        // one that is held up does not hear the peer
        if !matches!(polled, Ok(Polled::Needs(_))) {
            return polled;
        }
        match watch.liveness.poll(now) {
            Due::Nothing => {}
            Due::Ping => {
                let (before, payload) = (self.tx.len(), watch.payload.clone());
                self.put_control(Opcode::Ping, &[&payload]);
                if let Some(watch) = &mut self.watch {
                    watch.liveness.queued(before, &self.tx);
                }
            }
            Due::GiveUp => {
                self.put_control(Opcode::Close, &[&code::GOING_AWAY.to_be_bytes()]);
                return Err(Error::PingTimeout);
            }
        }
        polled
    }

    fn frames(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        let wait = loop {
            if self.held_up() {
                self.not_reading();
                break Polled::HeldUp;
            }
            let closing = !self.is_open();
            // matched as a whole: an item that is taken out first is moved once more
            let incoming = match self.reader.next(rx) {
                Ok(Polled::Incoming(Item::Text(text))) => {
                    trace::received("text", text.len());
                    Incoming::Text(text)
                }
                Ok(Polled::Incoming(Item::Binary(data))) => {
                    trace::received("binary", data.len());
                    Incoming::Binary(data)
                }
                Ok(Polled::Incoming(Item::Pong(payload))) => Incoming::Pong(payload),
                Ok(Polled::Incoming(Item::Ping(payload))) => {
                    self.has_come();
                    self.put_control(Opcode::Pong, &[&payload]);
                    self.unsent_replies.push_back(self.tx.end());
                    continue;
                }
                Ok(Polled::Incoming(Item::Close(payload))) => {
                    self.has_come();
                    return self.receive_close(&payload).map(Polled::Incoming);
                }
                Ok(Polled::Needs(bytes)) => {
                    self.expect_rest(rx, now)?;
                    break Polled::Needs(bytes);
                }
                Ok(Polled::HeldUp) => break Polled::HeldUp,
                Err(Error::Lost | Error::Truncated { .. }) if closing => return Err(Error::Closed),
                Err(Error::Protocol(violation)) => return Err(self.violated(violation)),
                Err(error) => return Err(error),
            };
            self.has_come();
            if !closing {
                return Ok(Polled::Incoming(incoming));
            }
        };
        if let Phase::Closing(patience) = &mut self.phase
            && now >= patience.until(&self.tx, now, self.config.close_timeout)
        {
            return Err(Error::CloseTimeout);
        }
        Ok(wait)
    }

    /// A frame is complete, and with it the message unless that goes on: its time is over.
    fn has_come(&mut self) {
        self.large.received(&self.tx);
        if !self.reader.is_inside() {
            self.message_time.stop();
        }
    }

    /// Limits the time of a message, or a control frame, of which only the start is here.
    fn expect_rest(&mut self, rx: &RecvBuf, now: Instant) -> Result<(), Error> {
        if rx.bytes.is_empty() && !self.reader.is_inside() {
            return Ok(());
        }
        if !self.message_time.is_over(now, self.config.message_timeout) {
            return Ok(());
        }
        if self.is_open() {
            self.put_control(Opcode::Close, &[&code::POLICY.to_be_bytes()]);
        }
        Err(Error::MessageTimeout)
    }

    /// Nothing is read for now, here or by the protocol above: the time of a message that has
    /// begun, and that of silence, are counted anew when it is.
    #[cold]
    pub(crate) fn not_reading(&mut self) {
        self.message_time.stop();
        if let Some(watch) = &mut self.watch {
            watch.liveness.not_reading();
        }
    }

    /// Takes the peer's Close, and answers it where it is not the answer to ours.
    fn receive_close(&mut self, payload: &Bytes) -> Result<Incoming, Error> {
        let (code, reason) = parse_close(payload).map_err(|violation| self.violated(violation))?;
        if self.is_open() {
            let echo = code.map(u16::to_be_bytes);
            self.put_control(Opcode::Close, &[echo.as_ref().map_or(&[], |code| &code[..])]);
        }
        self.phase = Phase::Draining(Patience::new(&self.tx));
        self.refused = (code == Some(code::TOO_BIG)).then(|| reason.clone());
        Ok(Incoming::Closed { code, reason })
    }

    /// Tells the peer what it did wrong, unless our Close is sent.
    fn violated(&mut self, violation: Violation) -> Error {
        if self.is_open() {
            // who sent what is too large learns from no other place what the limit is
            let reason = match violation.too_large() {
                Some(_) => violation.to_string(),
                None => String::new(),
            };
            self.put_control(Opcode::Close, &[&violation.code().to_be_bytes(), reason.as_bytes()]);
        }
        Error::Protocol(violation)
    }

    /// Whether so many pongs wait to be written that nothing more may be read.
    fn held_up(&mut self) -> bool {
        while self.unsent_replies.front().is_some_and(|&end| end <= self.tx.front()) {
            self.unsent_replies.pop_front();
        }
        self.unsent_replies.len() >= self.config.max_unsent_replies
    }
}

/// Asks for one byte more of a head: how long it is nobody knows.
fn wait_for_head(rx: &RecvBuf) -> Result<Polled<Incoming>, Error> {
    if rx.eof { Err(Error::ClosedDuringHandshake) } else { Ok(Polled::Needs(1)) }
}

/// The code and reason of a Close (RFC 6455 section 5.5.1).
fn parse_close(payload: &Bytes) -> Result<(Option<u16>, ByteString), Violation> {
    let Some((code, _)) = payload.split_first_chunk() else {
        let empty = payload.is_empty().then(|| (None, ByteString::new()));
        return empty.ok_or(Violation::CloseLength);
    };
    let code = u16::from_be_bytes(*code);
    let reason = ByteString::try_from(payload.slice(2..)).map_err(|_| Violation::CloseReason)?;
    if !code::is_valid(code) {
        return Err(Violation::CloseCode(code));
    }
    Ok((Some(code), reason))
}
