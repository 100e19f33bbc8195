//! The transport of 0.7 alone: messages as texts in segments, with pings between them, for who
//! makes sense of the texts elsewhere.
//!
//! ```text
//! WebSocket's handshake ──Open, or Upgrade──> open: texts, both ways ──> over
//! ```

use alloc::boxed::Box;
use core::time::Duration;

use bytestring::ByteString;

use super::transport::{Transport, TransportEvent};
use super::{Config, Error, SendFault};
use crate::buffer::{RecvBuf, SendQueue};
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::time::Instant;
use crate::ws;

/// What [`Connection::poll`](Protocol::poll) gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A WebSocket's request. Does not come where the handshake was done before.
    Upgrade(Box<ws::Request>),
    /// The server took the WebSocket. Does not come where the handshake was done before.
    Open(Box<ws::Response>),
    /// The text of a message, all its segments together.
    Message(ByteString),
}

/// One end of a connection, either one.
#[derive(Debug)]
pub struct Connection {
    transport: Transport,
}

impl Connection {
    /// A connection over `ws`, either end of one.
    #[must_use]
    pub fn new(ws: ws::Connection, config: Config) -> Self {
        Self { transport: Transport::new(ws, config) }
    }

    /// Queues the text of a message, in as many segments as it takes.
    ///
    /// # Errors
    ///
    /// [`SendFault`]. Nothing is queued then.
    pub fn send(&mut self, text: ByteString) -> Result<(), SendFault> {
        self.transport.send("juggler message", &[text])
    }

    /// The handshake is done, and neither side has closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.transport.channel.is_open()
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.transport.channel.queued()
    }
}

impl Protocol for Connection {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        match self.transport.next(rx, now) {
            Ok(received) => Ok(received.map(|received| match received {
                TransportEvent::Upgrade(request) => Incoming::Upgrade(request),
                TransportEvent::Open(response) => Incoming::Open(response),
                TransportEvent::Message(text) => Incoming::Message(text),
            })),
            Err(error) => Err(self.transport.end(error)),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.transport.deadline()
    }

    fn stood_still(&mut self, time: Duration) {
        self.transport.stood_still(time);
    }

    fn too_large(&self) -> Option<TooLarge> {
        self.transport.channel.too_large()
    }

    fn tx(&mut self) -> &mut SendQueue {
        self.transport.tx()
    }

    fn close(&mut self) {
        self.transport.channel.close();
    }

    fn is_closed(&self) -> bool {
        self.transport.channel.is_closed()
    }
}
