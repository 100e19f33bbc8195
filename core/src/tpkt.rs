//! TPKT: packets on a byte stream, with one TPDU each (RFC 1006 clause 6, RFC 2126 clause 4.3).
//!
//! ```text
//! octet   0         1          2        3              4
//!         version   reserved   length of the packet,   one TPDU:
//!         = 3       send 0     big-endian: 7..65535    length - 4 octets
//! ```
//!
//! The reserved octet is ignored on receipt (RFC 2126 clause 6.10). The smallest TPDU has 3 octets,
//! and the smallest packet 7. COTP stands on this framing, see [`cotp`](crate::cotp);
//! [`Connection`] is the framing alone.

use bytes::{Buf, Bytes};

use crate::buffer::{RecvBuf, SendQueue, Writer};
use crate::options::More;
use crate::protocol::{Polled, Protocol};
use crate::time::Instant;
use crate::trace;

/// The only version there is.
pub(crate) const VERSION: u8 = 3;

/// Octets in front of a TPDU.
pub(crate) const HEADER: usize = 4;

/// The smallest TPDU, in octets.
pub const MIN_TPDU: usize = 3;

/// The largest TPDU, in octets: what a length of 16 bits leaves behind the header.
pub const MAX_TPDU: usize = u16::MAX as usize - HEADER;

/// Octets that are asked for before they came, at most, unless as many are here already. A packet
/// that is only announced takes no 64 KiB.
const AHEAD: usize = 2048;

/// Limits of a [`Connection`]. A packet is never larger than 65535 octets.
#[derive(Clone, Debug)]
pub struct Config {
    /// Octets that may wait to be written, 16 MiB. A send over it is refused and hands its data
    /// back; one on an empty queue is always taken.
    pub max_queued: usize,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_queued: 16 * 1024 * 1024, more: More::default() }
    }
}

/// Why a stream of packets is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The peer ended the connection between two packets, or we closed it.
    #[error("the connection is closed")]
    Closed,
    /// The peer ended the connection inside a packet.
    #[error("the connection ended inside a TPKT packet: {have} of at least {need} octets arrived")]
    Truncated {
        /// Octets of the packet that arrived.
        have: usize,
        /// Octets that it takes, as far as known.
        need: usize,
    },
    /// The first octet of a packet is not 3: the peer does not speak TPKT, or lost count.
    #[error("TPKT version {0} instead of 3: the peer does not speak TPKT")]
    Version(u8),
    /// A packet shorter than its header and the smallest TPDU (RFC 1006 clause 6).
    #[error("a TPKT packet of {0} octets; the minimum is 7")]
    Length(u16),
}

/// A refused [`Connection::send`], with its data.
pub type SendError = crate::send::SendError<SendFault, Bytes>;

/// Why a send was refused. Nothing of it is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendFault {
    /// The connection is closed or closing.
    #[error("the connection is closed")]
    Closed,
    /// [`Config::max_queued`]: write some of the queue out first.
    #[error("the send queue is full (limit: {limit} octets)")]
    QueueFull {
        /// The limit, octets.
        limit: usize,
    },
    /// Less than 3 or more than 65531 octets.
    #[error("a TPDU of {size} octets does not fit in a TPKT packet: send 3 to 65531")]
    Size {
        /// What was to be sent, octets.
        size: usize,
    },
}

crate::send::fault!(
    SendFault,
    closed: Self::Closed,
    Self::Closed,
    queue_full: Self::QueueFull { .. }
);

/// One end of a stream of packets. What [`poll`](Protocol::poll) gives is the TPDU of one packet, a
/// slice of what was read.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    tx: SendQueue,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Open,
    /// We close: what is queued is written, nothing more is read.
    Closing,
    Over(Error),
}

impl Connection {
    /// A connection that is open from the start.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, tx: SendQueue::new(), phase: Phase::Open }
    }

    /// Queues one packet with `tpdu`, 3 to 65531 octets.
    ///
    /// # Errors
    ///
    /// [`SendError`], with the data: see [`SendFault`] for the reasons.
    pub fn send(&mut self, tpdu: Bytes) -> Result<(), SendError> {
        let size = tpdu.len();
        let limit = self.config.max_queued;
        let fault = match self.phase {
            Phase::Closing | Phase::Over(_) => SendFault::Closed,
            Phase::Open if !(MIN_TPDU..=MAX_TPDU).contains(&size) => SendFault::Size { size },
            Phase::Open if !self.tx.is_empty() && self.tx.len() + HEADER + size > limit => {
                SendFault::QueueFull { limit }
            }
            Phase::Open => {
                self.tx.put_slice(&header(size));
                self.tx.put_bytes(&tpdu);
                trace::sent("TPKT packet", size);
                return Ok(());
            }
        };
        Err(SendError { fault, data: tpdu })
    }
}

impl Protocol for Connection {
    type Incoming = Bytes;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, _now: Instant) -> Result<Polled<Bytes>, Error> {
        let polled = match &self.phase {
            Phase::Over(error) => return Err(*error),
            Phase::Closing if self.tx.is_empty() => Err(Error::Closed),
            Phase::Closing => Ok(Polled::HeldUp),
            Phase::Open => take(rx).inspect(|polled| {
                if let Polled::Incoming(tpdu) = polled {
                    trace::received("TPKT packet", tpdu.len());
                }
            }),
        };
        polled.inspect_err(|&error| self.phase = Phase::Over(error))
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn tx(&mut self) -> &mut SendQueue {
        &mut self.tx
    }

    fn close(&mut self) {
        if let Phase::Open = self.phase {
            self.phase = Phase::Closing;
        }
    }

    fn is_closed(&self) -> bool {
        match self.phase {
            Phase::Open => false,
            Phase::Closing => self.tx.is_empty(),
            Phase::Over(_) => true,
        }
    }
}

/// The header in front of a TPDU of `tpdu` octets, at most [`MAX_TPDU`].
pub(crate) fn header(tpdu: usize) -> [u8; HEADER] {
    let length = u16::try_from(HEADER + tpdu).expect("TPDUs are at most 65531 octets");
    let [high, low] = length.to_be_bytes();
    [VERSION, 0, high, low]
}

/// Takes the TPDU of the next packet, without a copy, or asks for what is missing of it.
pub(crate) fn take(rx: &mut RecvBuf) -> Result<Polled<Bytes>, Error> {
    let have = rx.bytes.len();
    let need = packet_len(&rx.bytes)?;
    if have >= need {
        let mut packet = rx.bytes.split_to(need).freeze();
        packet.advance(HEADER);
        return Ok(Polled::Incoming(packet));
    }
    match (rx.eof, have) {
        (true, 0) => Err(Error::Closed),
        (true, _) => Err(Error::Truncated { have, need }),
        (false, _) => Ok(Polled::Needs((need - have).min(have.max(AHEAD)))),
    }
}

/// How long the packet at the front is; before all of its header is here, how long that is.
fn packet_len(bytes: &[u8]) -> Result<usize, Error> {
    match *bytes {
        [version, ..] if version != VERSION => Err(Error::Version(version)),
        [_, _, high, low, ..] => match u16::from_be_bytes([high, low]) {
            length if usize::from(length) < HEADER + MIN_TPDU => Err(Error::Length(length)),
            length => Ok(usize::from(length)),
        },
        _ => Ok(HEADER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_smallest_and_the_largest() {
        assert_eq!(header(MIN_TPDU), [3, 0, 0, 7]);
        assert_eq!(header(MAX_TPDU), [3, 0, 0xff, 0xff]);
    }

    #[test]
    fn a_packet_that_is_only_announced_is_asked_for_in_steps() {
        let mut rx = RecvBuf::new();
        rx.feed(&[3, 0, 0xff, 0xff]);
        assert_eq!(take(&mut rx), Ok(Polled::Needs(AHEAD)));
        rx.feed(&[0; 9996]);
        assert_eq!(take(&mut rx), Ok(Polled::Needs(10_000)));
        rx.feed(&[0; 50_000]);
        assert_eq!(take(&mut rx), Ok(Polled::Needs(5535)));
    }
}
