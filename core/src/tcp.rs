//! TCP itself as a protocol: bytes in, bytes out, no messages. The identity machine.

use alloc::boxed::Box;

use bytes::Bytes;

use crate::buffer::{RecvBuf, SendQueue};
use crate::protocol::Protocol;
use crate::sbs::Writer;
use crate::time::Instant;

/// Limits of a [`Raw`] connection.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes that may wait to be written, 1 MiB: what a fast local socket takes in a millisecond.
    pub max_queued: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_queued: 1024 * 1024 }
    }
}

/// Why a [`Raw`] connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer ended its side, or we ended ours.
    #[error("the connection is closed")]
    Closed,
}

/// Why [`Raw::send`] refused. The data comes back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closed or closing.
    #[error("the connection is closed")]
    Closed(Bytes),
    /// The queue is full: write some of it out first.
    #[error("the send queue is full (limit: {limit} bytes)")]
    Full {
        /// What was to be sent.
        data: Bytes,
        /// [`Config::max_queued`].
        limit: usize,
    },
}

/// A plain TCP connection as a state machine. Whatever arrived is one [`Incoming`](Protocol::Incoming).
#[derive(Debug, Default)]
pub struct Raw {
    config: Config,
    tx: SendQueue,
    phase: Phase,
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
    /// [`SendError`], with the data, after a close or when the queue is full. One call on an empty queue is
    /// always taken.
    pub fn send(&mut self, data: Bytes) -> Result<(), Box<SendError>> {
        if self.phase != Phase::Open {
            return Err(Box::new(SendError::Closed(data)));
        }
        let limit = self.config.max_queued;
        if !self.tx.is_empty() && self.tx.len() + data.len() > limit {
            return Err(Box::new(SendError::Full { data, limit }));
        }
        self.tx.put_bytes(&data);
        Ok(())
    }
}

impl Protocol for Raw {
    type Incoming = Bytes;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, _now: Instant) -> Result<Option<Bytes>, Error> {
        rx.want(0);
        match self.phase {
            Phase::Over => Err(Error::Closed),
            Phase::Closing => Ok(None),
            Phase::Open if !rx.bytes.is_empty() => Ok(Some(rx.bytes.split().freeze())),
            Phase::Open if rx.eof => {
                self.phase = Phase::Over;
                Err(Error::Closed)
            }
            Phase::Open => {
                rx.want(1);
                Ok(None)
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn tx(&mut self) -> &mut SendQueue {
        &mut self.tx
    }

    fn close(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Closing;
        }
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

    #[test]
    fn bytes_come_out_as_they_came_in() {
        let (mut raw, mut rx) = (Raw::default(), RecvBuf::new());
        assert_eq!(raw.poll(&mut rx, Instant::ORIGIN), Ok(None));
        assert_eq!(rx.missing(), 1);
        rx.feed(b"ab");
        assert_eq!(raw.poll(&mut rx, Instant::ORIGIN), Ok(Some(Bytes::from_static(b"ab"))));
        rx.eof = true;
        assert_eq!(raw.poll(&mut rx, Instant::ORIGIN), Err(Error::Closed));
        assert_eq!(raw.poll(&mut rx, Instant::ORIGIN), Err(Error::Closed));
    }

    #[test]
    fn a_full_queue_hands_the_data_back() {
        let mut raw = Raw::new(Config { max_queued: 3 });
        raw.send(Bytes::from_static(b"abcd")).expect("an empty queue takes one call");
        let data = Bytes::from_static(b"x");
        let refused = raw.send(data.clone()).expect_err("full");
        assert_eq!(*refused, SendError::Full { data, limit: 3 });
    }
}
