//! The transport of 0.7: messages in segments, and pings between them.

use alloc::boxed::Box;

use bytestring::ByteString;

use super::channel::{self, Channel};
use super::segment::{self, Assembly, PING, PONG, Segment};
use super::window::Window;
use super::{Config, Error, SendFault};
use crate::buffer::{RecvBuf, SendQueue};
use crate::keepalive::{Due, Keepalive};
use crate::protocol::Polled;
use crate::time::{Instant, earliest};
use crate::{trace, ws};

/// What a segment takes beside its part of the message: its first character, and the WebSocket's
/// header.
const SEGMENT_OVERHEAD: usize = 1 + channel::MAX_HEADER;

/// Bytes of patches that may be under way to a follower, 64 KiB, or one patch that is larger: half
/// a second behind a link of 1 Mbit/s.
const WINDOW: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Transport {
    pub(super) link: Channel,
    config: Config,
    assembly: Assembly,
    /// From the end of the handshake on.
    keepalive: Option<Keepalive>,
    /// Bytes that were in the receive buffer when the last poll ended: more means that something
    /// came.
    seen: usize,
    /// Where the queue was written up to when the last poll ended.
    sent: u64,
    /// Where the ping ends that has not left yet.
    ping_end: Option<u64>,
    /// Patches of our state that the peer may not have seen yet.
    window: Window,
}

/// What came.
#[derive(Debug)]
pub(super) enum Received {
    Upgrade(Box<ws::Request>),
    Open(Box<ws::Response>),
    /// The text of a message.
    Message(ByteString),
}

impl Transport {
    pub(super) fn new(ws: ws::Connection, config: Config) -> Self {
        let link = Channel::new(ws, config.max_unsent_replies);
        Self {
            link,
            config,
            assembly: Assembly::default(),
            keepalive: None,
            seen: 0,
            sent: 0,
            ping_end: None,
            window: Window::new(WINDOW),
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The next message of the peer, or the error that the connection ended with.
    pub(super) fn next(
        &mut self,
        rx: &mut RecvBuf,
        now: Instant,
    ) -> Result<Polled<Received>, Error> {
        if rx.bytes.len() > self.seen {
            self.silence_ended(now);
        }
        self.wrote(now);
        let read = self.read(rx, now);
        self.seen = rx.bytes.len();
        let received = read?;
        if !matches!(received, Polled::Incoming(_)) {
            self.keep_alive(now)?;
        }
        Ok(received)
    }

    /// Takes note of what was written. As long as more waits behind it, the system's buffers are
    /// full, and room in them is made by a peer that reads: slowly, but it lives. A ping's time
    /// counts from when it left: before, no peer can answer it.
    fn wrote(&mut self, now: Instant) {
        let (sent, end) = (self.link.tx().sent(), self.link.tx().end());
        if sent == self.sent {
            return;
        }
        self.sent = sent;
        let left = self.ping_end.take_if(|end| sent >= *end).is_some();
        if sent < end {
            self.silence_ended(now);
        } else if left && let Some(keepalive) = &mut self.keepalive {
            keepalive.left(now);
        }
    }

    fn read(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Received>, Error> {
        loop {
            let text = match self.link.next(rx, now)?.or_wait() {
                Err(wait) => return Ok(wait),
                Ok(channel::Received::Upgrade(request)) => {
                    return Ok(Polled::Incoming(Received::Upgrade(request)));
                }
                Ok(channel::Received::Open(response)) => {
                    return Ok(Polled::Incoming(Received::Open(response)));
                }
                Ok(channel::Received::Text(text)) => text,
            };
            let limit = self.config.max_message;
            match Segment::parse(&text)? {
                Segment::More(part) => self.assembly.push(&part, limit)?,
                Segment::Last(part) => {
                    let message = self.assembly.finish(part, limit)?;
                    return Ok(Polled::Incoming(Received::Message(message)));
                }
                Segment::Ping(payload) => {
                    trace::received("juggler ping", payload.len());
                    self.link.reply(|link| link.put(&[PONG, payload]));
                }
                Segment::Pong(payload) => {
                    trace::received("juggler pong", payload.len());
                    let ping = self.window.answered(payload.as_bytes());
                    self.ask(ping);
                }
            }
        }
    }

    /// Something came, or we did not listen for a while and silence says nothing: its time starts
    /// anew.
    pub(super) fn silence_ended(&mut self, now: Instant) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.received(now);
            keepalive.answered();
        }
    }

    fn keep_alive(&mut self, now: Instant) -> Result<(), Error> {
        if !self.link.is_open() {
            self.keepalive = None;
            return Ok(());
        }
        let rule = self.config.ping;
        match self.keepalive.get_or_insert_with(|| Keepalive::new(rule, now)).poll(now) {
            Due::Nothing => {}
            // over a full queue too: there is one ping at a time
            Due::Ping => {
                // one with nothing before it leaves at once
                let waits = self.link.queued() > 0;
                self.link.put(&[PING]);
                trace::sent("juggler ping", 0);
                self.ping_end = waits.then(|| self.link.tx().end());
            }
            Due::GiveUp => return Err(Error::PingTimeout),
        }
        Ok(())
    }

    /// Whether a message of `size` bytes can be queued, with all that makes it segments.
    pub(super) fn may_send(&self, size: usize) -> Result<(), SendFault> {
        let segments = size / self.config.max_segment_size.max(1) + 1;
        self.link.may_send(size.saturating_add(segments.saturating_mul(SEGMENT_OVERHEAD)))
    }

    /// Queues a message that stands in `parts`, one behind another, without copying it. `type` is
    /// what traces call it.
    pub(super) fn send(&mut self, r#type: &str, parts: &[ByteString]) -> Result<(), SendFault> {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        self.may_send(size)?;
        segment::cut(parts, self.config.max_segment_size, |segment| self.link.put(segment));
        trace::sent(r#type, size);
        Ok(())
    }

    /// Whether another patch of our state may be under way.
    pub(super) fn may_send_patch(&self) -> Result<(), SendFault> {
        self.window.may_send()
    }

    /// Queues a message with a patch of our state.
    pub(super) fn send_patch(&mut self, parts: &[ByteString]) -> Result<(), SendFault> {
        self.send("juggler state", parts)?;
        let ping = self.window.sent(parts.iter().map(|part| part.len()).sum());
        self.ask(ping);
        Ok(())
    }

    /// Asks the peer how far it is, by a ping with a payload of its own.
    fn ask(&mut self, ping: Option<ByteString>) {
        if let Some(payload) = ping.filter(|_| self.link.is_open()) {
            trace::sent("juggler ping", payload.len());
            self.link.put(&[PING, payload]);
        }
    }

    /// Queues an answer of the machine itself, over a full queue too.
    pub(super) fn reply(&mut self, text: ByteString) {
        trace::sent("juggler response", text.len());
        let max = self.config.max_segment_size;
        self.link.reply(|link| segment::cut(&[text], max, |segment| link.put(segment)));
    }

    pub(super) fn end(&mut self, error: Error) -> Error {
        self.assembly = Assembly::default();
        self.keepalive = None;
        self.link.end(error)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let pings = self.keepalive.as_ref().filter(|_| self.link.is_open());
        earliest(self.link.deadline(), pings.and_then(Keepalive::deadline))
    }

    pub(super) fn tx(&mut self) -> &mut SendQueue {
        self.link.tx()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use bytes::Buf;
    use core::time::Duration;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn connected() -> Transport {
        let ws = ws::Connection::established(ws::Role::Server, ws::Config::default(), at(0));
        Transport::new(ws, Config::default())
    }

    #[test]
    fn a_peer_that_reads_slowly_lives_and_one_that_stops_is_given_up() {
        let (mut transport, mut rx) = (connected(), RecvBuf::new());
        transport.send("x", &[String::from("x").repeat(1 << 20).into()]).expect("room");
        assert!(transport.next(&mut rx, at(0)).expect("open").incoming().is_none());
        for second in 1..250 {
            transport.tx().advance(4_000);
            assert!(
                transport.next(&mut rx, at(second)).expect("it reads").incoming().is_none(),
                "{second}"
            );
        }
        // nothing more is read: a ping is due, which cannot leave, and then the end
        assert!(transport.next(&mut rx, at(279)).expect("30 s").incoming().is_none());
        assert!(transport.next(&mut rx, at(308)).expect("59 s").incoming().is_none());
        assert_eq!(transport.next(&mut rx, at(310)).expect_err("60 s"), Error::PingTimeout);
    }

    #[test]
    fn a_peer_that_is_silent_and_owed_nothing_is_given_up() {
        let (mut transport, mut rx) = (connected(), RecvBuf::new());
        for second in 0..60 {
            assert!(
                transport.next(&mut rx, at(second)).expect("in time").incoming().is_none(),
                "{second}"
            );
            // the system takes the ping at once, which says nothing of the peer
            let all = transport.tx().remaining();
            transport.tx().advance(all);
        }
        assert_eq!(transport.next(&mut rx, at(62)).expect_err("silent"), Error::PingTimeout);
    }
}
