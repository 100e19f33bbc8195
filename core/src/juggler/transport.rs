//! The transport of 0.7: messages in segments, and pings between them.

use alloc::boxed::Box;
use core::time::Duration;

use bytestring::ByteString;

use super::channel::{self, Channel};
use super::segment::{self, Assembly, PING, PONG, Segment};
use super::window::Window;
use super::{Config, Error, SendFault};
use crate::buffer::{RecvBuf, SendQueue};
use crate::keepalive::{Due, Liveness};
use crate::message_time::MessageTime;
use crate::protocol::{Polled, Protocol};
use crate::time::{Instant, earliest};
use crate::{trace, ws};

/// What a segment takes beside its part of the message: its first character, and the WebSocket's
/// header.
const SEGMENT_OVERHEAD: usize = 1 + channel::MAX_HEADER;

/// Bytes of patches that may be under way to a follower, 64 KiB, or one patch that is larger: half
/// a second behind a line of 1 Mbit/s.
const WINDOW: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Transport {
    pub(super) channel: Channel,
    config: Config,
    assembly: Assembly,
    /// Until when the message whose first segments are here has to be complete.
    message_time: MessageTime,
    liveness: Liveness,
    /// Patches of our state that the peer may not have seen yet.
    window: Window,
}

/// What came.
#[derive(Debug)]
pub(super) enum TransportEvent {
    Upgrade(Box<ws::Request>),
    Open(Box<ws::Response>),
    /// The text of a message.
    Message(ByteString),
}

impl Transport {
    pub(super) fn new(ws: ws::Connection, config: Config) -> Self {
        let channel = Channel::new(ws, config.max_unsent_replies);
        let liveness = Liveness::new(config.ping);
        Self {
            channel,
            config,
            assembly: Assembly::default(),
            message_time: MessageTime::default(),
            liveness,
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
    ) -> Result<Polled<TransportEvent>, Error> {
        self.liveness.look(rx, self.channel.tx(), now);
        let read = self.read(rx, now);
        self.liveness.seen(rx);
        let received = read?;
        match received {
            Polled::Incoming(_) => {}
            Polled::Needs(_) => {
                self.window.look(now);
                self.keep_alive(now)?;
                self.expect_rest(now)?;
            }
            Polled::HeldUp => self.held_up(),
        }
        Ok(received)
    }

    fn read(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<TransportEvent>, Error> {
        loop {
            let text = match self.channel.next(rx, now)?.or_wait() {
                Err(wait) => return Ok(wait),
                Ok(channel::ChannelEvent::Upgrade(request)) => {
                    return Ok(Polled::Incoming(TransportEvent::Upgrade(request)));
                }
                Ok(channel::ChannelEvent::Open(response)) => {
                    return Ok(Polled::Incoming(TransportEvent::Open(response)));
                }
                Ok(channel::ChannelEvent::Text(text)) => text,
            };
            let limit = self.config.max_message;
            match Segment::parse(&text)? {
                Segment::More(part) => self.assembly.push(&part, limit)?,
                Segment::Last(part) => {
                    let message = self.assembly.finish(part, limit)?;
                    self.message_time.stop();
                    return Ok(Polled::Incoming(TransportEvent::Message(message)));
                }
                Segment::Ping(payload) => {
                    trace::received("juggler ping", payload.len());
                    self.channel.reply(|channel| channel.put(&[PONG, payload]));
                }
                Segment::Pong(payload) => {
                    trace::received("juggler pong", payload.len());
                    let ping = self.window.answered(payload.as_bytes());
                    self.ask(ping);
                }
            }
        }
    }

    /// Limits the time of a message of which only the first segments are here. For the WebSocket
    /// each of them is a message that is complete, and for the pings a sign of life.
    fn expect_rest(&mut self, now: Instant) -> Result<(), Error> {
        if !self.assembly.is_inside() || !self.channel.is_open() {
            self.message_time.stop();
            return Ok(());
        }
        let timeout = self.channel.ws().config().message_timeout;
        if self.message_time.is_over(now, timeout) { Err(Error::MessageTimeout) } else { Ok(()) }
    }

    /// Nothing is read for now: the time of silence, and that of a message that has begun, start
    /// anew when it is.
    pub(super) fn not_reading(&mut self) {
        self.held_up();
        self.channel.ws().not_reading();
    }

    fn held_up(&mut self) {
        self.message_time.stop();
        self.liveness.not_reading();
    }

    /// As [`Protocol::stood_still`].
    pub(super) fn stood_still(&mut self, time: Duration) {
        self.liveness.stood_still(time);
        self.message_time.stood_still(time);
        self.channel.ws().stood_still(time);
    }

    fn keep_alive(&mut self, now: Instant) -> Result<(), Error> {
        if !self.channel.is_open() {
            self.liveness.stop();
            return Ok(());
        }
        match self.liveness.poll(now) {
            Due::Nothing => {}
            Due::Ping => {
                let before = self.channel.queued();
                self.channel.put(&[PING]);
                trace::sent("juggler ping", 0);
                self.liveness.queued(before, self.channel.tx());
            }
            Due::GiveUp => return Err(Error::PingTimeout),
        }
        Ok(())
    }

    /// Whether a message of `size` bytes can be queued, with all that makes it segments.
    pub(super) fn may_send(&self, size: usize) -> Result<(), SendFault> {
        let segments = size / self.config.max_segment_size.max(1) + 1;
        self.channel.may_send(size.saturating_add(segments.saturating_mul(SEGMENT_OVERHEAD)))
    }

    /// Queues a message that stands in `parts`, one behind another, without copying it. `type` is
    /// what traces call it.
    pub(super) fn send(&mut self, r#type: &str, parts: &[ByteString]) -> Result<(), SendFault> {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        self.may_send(size)?;
        segment::cut(parts, self.config.max_segment_size, |segment| self.channel.put(segment));
        self.channel.ws().note_sent(size);
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
        if let Some(payload) = ping.filter(|_| self.channel.is_open()) {
            trace::sent("juggler ping", payload.len());
            self.channel.put(&[PING, payload]);
        }
    }

    /// Queues an answer of the machine itself, over a full queue too.
    pub(super) fn reply(&mut self, text: ByteString) {
        trace::sent("juggler response", text.len());
        let max = self.config.max_segment_size;
        self.channel.reply(|channel| segment::cut(&[text], max, |segment| channel.put(segment)));
    }

    pub(super) fn end(&mut self, error: Error) -> Error {
        self.assembly = Assembly::default();
        self.message_time.stop();
        self.liveness.stop();
        self.channel.end(error)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let own = earliest(self.liveness.deadline(), self.message_time.deadline());
        earliest(self.channel.deadline(), own.filter(|_| self.channel.is_open()))
    }

    pub(super) fn tx(&mut self) -> &mut SendQueue {
        self.channel.tx()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use bytes::Buf;

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
