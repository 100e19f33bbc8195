//! What all machines of Juggler have in common: texts over a WebSocket, answers of the machine
//! itself that gate reading, and an error that is final.

use alloc::boxed::Box;

use bytestring::ByteString;

use super::replies::Replies;
use super::window::Window;
use super::{Error, SendFault};
use crate::buffer::{RecvBuf, SendQueue};
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::time::Instant;
use crate::trace;
use crate::ws::{self, code};

/// The largest header of the WebSocket, bytes.
pub(super) const MAX_HEADER: usize = 14;

/// Bytes of patches that may be under way to a peer of 0.5, 256 KiB, or one patch that is larger:
/// its programs may count on each change, so it is told them apart for longer than a page is.
const WINDOW: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Channel {
    ws: ws::Connection,
    over: Option<Error>,
    /// What the peer said in its Close, where that came first and is no orderly end.
    cut: Option<Error>,
    replies: Replies,
    max_unsent_replies: usize,
    /// Patches of our data that the peer may not have seen yet, in 0.5.
    window: Window,
}

/// What comes from the WebSocket.
#[derive(Debug)]
pub(super) enum ChannelEvent {
    /// A handshake that the application decides about.
    Upgrade(Box<ws::Request>),
    /// The handshake is done.
    Open(Box<ws::Response>),
    Text(ByteString),
}

impl Channel {
    pub(super) fn new(ws: ws::Connection, max_unsent_replies: usize) -> Self {
        let max_unsent_replies = max_unsent_replies.max(1);
        let (replies, window) = (Replies::default(), Window::new(WINDOW));
        Self { ws, over: None, cut: None, replies, max_unsent_replies, window }
    }

    /// The next thing that came, or the error that the connection ended with. Nothing is read while
    /// too many replies wait.
    pub(super) fn next(
        &mut self,
        rx: &mut RecvBuf,
        now: Instant,
    ) -> Result<Polled<ChannelEvent>, Error> {
        if let Some(error) = &self.over {
            return Err(error.clone());
        }
        while !self.is_held_up() {
            let was_open = self.ws.is_open();
            // the Close that the peer sent is why the WebSocket is over, however it ends
            let polled =
                self.ws.poll(rx, now).map_err(|error| self.cut.take().unwrap_or(error.into()))?;
            let received = match polled.or_wait() {
                Err(wait) => {
                    self.window.look(now);
                    return Ok(wait);
                }
                Ok(ws::Incoming::Text(text)) => ChannelEvent::Text(text),
                Ok(ws::Incoming::Request(request)) => ChannelEvent::Upgrade(request),
                Ok(ws::Incoming::Open(response)) => ChannelEvent::Open(response),
                Ok(ws::Incoming::Binary(data)) => return Err(Error::Binary { size: data.len() }),
                // the next poll says that it is over, once our part is written
                Ok(ws::Incoming::Closed { code, reason }) => {
                    // what answers our own Close repeats its code
                    if was_open {
                        self.cut = cut(code, reason);
                    }
                    continue;
                }
                Ok(ws::Incoming::Pong(payload)) => {
                    let ping = self.window.answered(&payload);
                    self.ask(ping);
                    continue;
                }
            };
            return Ok(Polled::Incoming(received));
        }
        self.ws.not_reading();
        Ok(Polled::HeldUp)
    }

    /// Whether a message of `size` bytes can be queued.
    pub(super) fn may_send(&self, size: usize) -> Result<(), SendFault> {
        if self.over.is_some() {
            return Err(SendFault::Closed);
        }
        Ok(self.ws.may_send(size)?)
    }

    /// Queues a text message that stands in `parts`, one behind another, without copying it. In
    /// traces it is called `type`.
    pub(super) fn send(&mut self, r#type: &str, parts: &[ByteString]) -> Result<(), SendFault> {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        self.may_send(size.saturating_add(MAX_HEADER))?;
        self.put(parts);
        trace::sent(r#type, size);
        Ok(())
    }

    /// Queues a text message that [`may_send`](Self::may_send) has let pass, or a part of one.
    pub(super) fn put(&mut self, parts: &[ByteString]) {
        self.ws.put_text(parts);
    }

    /// Whether another patch of our data may be under way, in 0.5.
    pub(super) fn may_send_patch(&self) -> Result<(), SendFault> {
        self.window.may_send()
    }

    /// Queues a message with a patch of our data, in 0.5.
    pub(super) fn send_patch(&mut self, parts: &[ByteString]) -> Result<(), SendFault> {
        self.send("juggler DATA", parts)?;
        let ping = self.window.sent(parts.iter().map(|part| part.len()).sum());
        self.ask(ping);
        Ok(())
    }

    /// Asks the peer how far it is: its WebSocket answers behind what it has read.
    fn ask(&mut self, ping: Option<ByteString>) {
        if let Some(payload) = ping.filter(|_| self.is_open()) {
            self.ws.put_ping(payload.as_bytes());
        }
    }

    /// Queues an answer of the machine itself, over a full queue too; nothing if the connection is
    /// closing.
    pub(super) fn reply(&mut self, queue: impl FnOnce(&mut Self)) {
        if self.is_open() {
            let before = self.ws.tx().end();
            queue(self);
            self.replies.queued(before, self.ws.tx());
        }
    }

    fn is_held_up(&mut self) -> bool {
        let bytes = self.ws.config().max_queued;
        // a connection that is closing is polled to its end
        self.replies.hold_up(self.ws.tx(), self.max_unsent_replies, bytes) && self.ws.is_open()
    }

    /// The connection is over.
    pub(super) fn end(&mut self, error: Error) -> Error {
        self.replies.clear();
        if self.over.is_none() {
            error.tell(&mut self.ws);
        }
        self.over.get_or_insert(error).clone()
    }

    /// The connection is over, and has said why.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// As [`Protocol::too_large`].
    pub(super) fn too_large(&self) -> Option<TooLarge> {
        match self.over {
            Some(Error::MessageTooLarge { limit }) => {
                Some(TooLarge::Received { size: limit as u64 + 1, limit })
            }
            _ => self.ws.too_large(),
        }
    }

    /// Bytes that wait to be written.
    pub(super) fn queued(&self) -> usize {
        self.ws.queued()
    }

    pub(super) fn ws(&mut self) -> &mut ws::Connection {
        &mut self.ws
    }

    /// The handshake is done, and neither side has closed.
    pub(super) fn is_open(&self) -> bool {
        self.over.is_none() && self.ws.is_open()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        // while it holds up, the WebSocket is not polled, and has no deadline to keep
        let bytes = self.ws.config().max_queued;
        let held_up = self.replies.held_up(self.max_unsent_replies, bytes) && self.ws.is_open();
        if self.over.is_some() || held_up { None } else { self.ws.deadline() }
    }

    pub(super) fn tx(&mut self) -> &mut SendQueue {
        self.ws.tx()
    }

    pub(super) fn close(&mut self) {
        self.ws.close();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.over.is_some() || self.ws.is_closed()
    }
}

/// What a Close of the peer comes to that is not an orderly end.
fn cut(code: Option<u16>, reason: ByteString) -> Option<Error> {
    let code = code.filter(|code| !matches!(*code, code::NORMAL | code::GOING_AWAY))?;
    Some(Error::ClosedByPeer { code, reason })
}
