//! Messages into TPDUs (RFC 905 clause 6.3).
//!
//! ```text
//! message   |<------------------- 5000 octets ------------------->|     TPDU size 2048
//! queue     h |<---- 2045 ---->| h |<---- 2045 ---->| H |<- 910 ->|
//!
//! h, H: 7 octets, TPKT and DT; H with EOT
//! ```

use bytes::Bytes;

use super::TpduSize;
use super::size::DT_HEADER;
use crate::buffer::{SendQueue, Writer};
use crate::tpkt;

/// Octets in front of each segment.
pub(super) const HEADERS: usize = tpkt::HEADER + DT_HEADER;

/// The headers in front of `payload` octets.
fn headers(payload: usize, end: bool) -> [u8; HEADERS] {
    let [version, reserved, high, low] = tpkt::header(DT_HEADER + payload);
    [version, reserved, high, low, 2, 0xf0, u8::from(end) << 7]
}

/// Cuts messages for one size of TPDUs.
#[derive(Debug)]
pub(super) struct Segmenter {
    /// Octets of a message that a TPDU carries: at least 125.
    payload: usize,
    /// The headers of a full segment that is not the last: the same each time.
    full: [u8; HEADERS],
}

impl Segmenter {
    pub(super) fn new(size: TpduSize) -> Self {
        let payload = size.payload();
        Self { payload, full: headers(payload, false) }
    }

    /// Octets that a message of `len` takes in the queue.
    pub(super) fn wire_len(&self, len: usize) -> usize {
        len.saturating_add(len.div_ceil(self.payload).max(1).saturating_mul(HEADERS))
    }

    /// Queues a part of a message, with `end` its last; large segments but the last by reference.
    /// An empty one that is the last is a TPDU without data, any other is nothing.
    pub(super) fn put(&self, mut part: Bytes, end: bool, tx: &mut SendQueue) {
        if part.len() > self.payload {
            let full = (part.len() - 1) / self.payload * self.payload;
            tx.put_cut(&self.full, part.split_to(full), self.payload);
        }
        if end || !part.is_empty() {
            tx.put_slice(&headers(part.len(), end));
            tx.put_bytes(&part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use bytes::Buf;

    #[test]
    fn a_message_that_fits_exactly_is_one_tpdu() {
        let segmenter = Segmenter::new(TpduSize::MIN);
        for (len, tpdus) in [(0, 1), (1, 1), (125, 1), (126, 2), (250, 2), (251, 3)] {
            let mut tx = SendQueue::new();
            segmenter.put(vec![1; len].into(), true, &mut tx);
            assert_eq!(tx.len(), len + 7 * tpdus);
            assert_eq!(segmenter.wire_len(len), tx.len());
        }
    }

    #[test]
    fn parts_end_where_their_last_does() {
        let segmenter = Segmenter::new(TpduSize::MIN);
        let mut tx = SendQueue::new();
        segmenter.put(Bytes::new(), false, &mut tx);
        assert!(tx.is_empty());
        segmenter.put(Bytes::from_static(b"a"), false, &mut tx);
        segmenter.put(Bytes::from_static(b"b"), true, &mut tx);
        assert_eq!(tx.chunk(), b"\x03\x00\x00\x08\x02\xf0\x00a\x03\x00\x00\x08\x02\xf0\x80b");
    }

    #[test]
    fn large_segments_are_not_copied() {
        let message = Bytes::from(vec![1; 5000]);
        let mut tx = SendQueue::new();
        Segmenter::new(TpduSize::CLASS_0).put(message.clone(), true, &mut tx);
        assert_eq!(tx.chunk(), [3, 0, 8, 4, 2, 0xf0, 0]);
        tx.advance(7);
        assert_eq!((tx.chunk().as_ptr(), tx.chunk().len()), (message.as_ptr(), 2045));
    }
}
