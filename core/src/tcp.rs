//! Plain TCP as a machine: bytes in, bytes out, without messages.
//!
//! ```text
//! Open ──end()──> we send no more ──peer ends──┐
//!   └──peer ends──> peer sends no more ─end()──┴─> over
//! ```

use bytes::Bytes;

use crate::buffer::{RecvBuf, SendQueue, Writer};
use crate::options::More;
use crate::protocol::{Polled, Protocol};
use crate::time::Instant;

/// Limits of a [`Raw`] connection, and what it does when the peer ends its side.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes that may wait to be written, 1 MiB: what a fast local socket takes in a millisecond.
    /// One call on an empty queue is always taken.
    pub max_queued: usize,
    /// Stay open for sending when the peer has ended its side. Default: false, the connection
    /// closes then, as that of `hat-drivers` does; what is queued is still written.
    pub allow_half_open: bool,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_queued: 1024 * 1024, allow_half_open: false, more: More::default() }
    }
}

/// Why a [`Raw`] connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Both sides ended, or we closed.
    #[error("the connection is closed")]
    Closed,
}

/// A refused [`Raw::send`], with its data.
pub type SendError = crate::send::SendError<SendFault, Bytes>;

/// Why a send was refused. Nothing of it is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendFault {
    /// The connection is closed or closing, or we ended our side.
    #[error("the connection is closed")]
    Closed,
    /// [`Config::max_queued`]: write some of the queue out first.
    #[error("the send queue is full (limit: {limit} bytes)")]
    QueueFull {
        /// The limit, bytes.
        limit: usize,
    },
}

crate::send::fault!(
    SendFault,
    closed: Self::Closed,
    Self::Closed,
    queue_full: Self::QueueFull { .. }
);

/// What [`Raw::poll`](Protocol::poll) gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Bytes, as many as have arrived; never none.
    Data(Bytes),
    /// The peer ended its side. Comes once.
    End,
}

/// A plain TCP connection as a state machine.
#[derive(Debug, Default)]
pub struct Raw {
    config: Config,
    tx: SendQueue,
    phase: Phase,
    /// The peer sends no more.
    peer_ended: bool,
    /// We send no more.
    we_ended: bool,
}

#[derive(Debug, Default, PartialEq)]
enum Phase {
    #[default]
    Open,
    Closing,
    Over,
}

impl Raw {
    /// A connection that is open from the start.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, ..Self::default() }
    }

    /// Queues `data`, by reference where it is large.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data, after an end or when the queue is full.
    pub fn send(&mut self, data: Bytes) -> Result<(), SendError> {
        if self.phase != Phase::Open || self.we_ended {
            return Err(SendError { fault: SendFault::Closed, data });
        }
        let limit = self.config.max_queued;
        if !self.tx.is_empty() && self.tx.len() + data.len() > limit {
            return Err(SendError { fault: SendFault::QueueFull { limit }, data });
        }
        self.tx.put_bytes(&data);
        Ok(())
    }

    /// Ends our side: what is queued is still written, and what the peer sends still arrives.
    pub fn end(&mut self) {
        self.we_ended = true;
        self.close_if_both_ended();
    }

    fn close_if_both_ended(&mut self) {
        if self.peer_ended && (self.we_ended || !self.config.allow_half_open) {
            self.close();
        }
    }
}

impl Protocol for Raw {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, _now: Instant) -> Result<Polled<Incoming>, Error> {
        match self.phase {
            Phase::Over => Err(Error::Closed),
            Phase::Closing if self.tx.is_empty() => {
                self.phase = Phase::Over;
                Err(Error::Closed)
            }
            Phase::Closing => Ok(Polled::HeldUp),
            Phase::Open if !rx.bytes.is_empty() => {
                Ok(Polled::Incoming(Incoming::Data(rx.bytes.split().freeze())))
            }
            Phase::Open if rx.eof && self.peer_ended => Ok(Polled::HeldUp),
            Phase::Open if rx.eof => {
                self.peer_ended = true;
                self.close_if_both_ended();
                Ok(Polled::Incoming(Incoming::End))
            }
            Phase::Open => Ok(Polled::Needs(1)),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn tx(&mut self) -> &mut SendQueue {
        &mut self.tx
    }

    fn sends_no_more(&self) -> bool {
        self.we_ended
    }

    fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
    }

    fn is_closing(&self) -> bool {
        self.phase != Phase::Open
    }

    fn is_closed(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Closing => self.tx.is_empty(),
            Phase::Over => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(raw: &mut Raw, rx: &mut RecvBuf) -> Result<Polled<Incoming>, Error> {
        raw.poll(rx, Instant::ORIGIN)
    }

    #[test]
    fn bytes_come_out_as_they_came_in() {
        let (mut raw, mut rx) = (Raw::default(), RecvBuf::new());
        assert_eq!(poll(&mut raw, &mut rx), Ok(Polled::Needs(1)));
        rx.feed(b"ab");
        let data = Incoming::Data(Bytes::from_static(b"ab"));
        assert_eq!(poll(&mut raw, &mut rx), Ok(Polled::Incoming(data)));
        rx.eof = true;
        assert_eq!(poll(&mut raw, &mut rx), Ok(Polled::Incoming(Incoming::End)));
        assert_eq!(poll(&mut raw, &mut rx), Err(Error::Closed));
        assert_eq!(poll(&mut raw, &mut rx), Err(Error::Closed));
    }

    #[test]
    fn half_open() {
        let config = Config { allow_half_open: true, ..Config::default() };
        let (mut raw, mut rx) = (Raw::new(config), RecvBuf::new());
        rx.eof = true;
        assert_eq!(poll(&mut raw, &mut rx), Ok(Polled::Incoming(Incoming::End)));
        assert_eq!(poll(&mut raw, &mut rx), Ok(Polled::HeldUp));
        raw.send(Bytes::from_static(b"answer")).expect("our side is open");
        raw.end();
        assert!(raw.sends_no_more() && !raw.is_closed());
        bytes::Buf::advance(raw.tx(), 6);
        assert_eq!(poll(&mut raw, &mut rx), Err(Error::Closed));
    }

    #[test]
    fn our_end_first() {
        let (mut raw, mut rx) = (Raw::default(), RecvBuf::new());
        raw.end();
        let data = Bytes::from_static(b"x");
        let refused = raw.send(data.clone()).expect_err("ended");
        assert_eq!(refused, SendError { fault: SendFault::Closed, data });
        rx.feed(b"still read");
        assert!(matches!(poll(&mut raw, &mut rx), Ok(Polled::Incoming(Incoming::Data(_)))));
        rx.eof = true;
        assert_eq!(poll(&mut raw, &mut rx), Ok(Polled::Incoming(Incoming::End)));
        assert_eq!(poll(&mut raw, &mut rx), Err(Error::Closed));
    }

    #[test]
    fn a_full_queue_hands_the_data_back() {
        let mut raw = Raw::new(Config { max_queued: 3, ..Config::default() });
        raw.send(Bytes::from_static(b"abcd")).expect("an empty queue takes one call");
        let data = Bytes::from_static(b"x");
        let refused = raw.send(data.clone()).expect_err("full");
        assert_eq!(refused, SendError { fault: SendFault::QueueFull { limit: 3 }, data });
    }
}
