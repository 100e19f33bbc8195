//! DTs in a row that are here already, taken as one.
//!
//! ```text
//! buffer    h |<-- 2045 -->| h |<-- 2045 -->| H |<- 910 ->| …
//! before      |<-- 2045 -->|<-- 2045 -->|<- 910 ->|
//!
//! h, H: 7 octets, TPKT and DT; H with EOT. Before it was moved together in place: one slice, and
//! no other memory.
//! ```
//!
//! Moving 2 KiB over a header of 7 octets costs less than to hand the slice through an inbox of its
//! own, and what is to be given whole is in one piece then.

use bytes::{Buf, BytesMut};

use super::segment::HEADERS;
use super::size::DT_HEADER;
use super::tpdu::Segment;
use crate::tpkt;

/// Takes the DTs at the front of `bytes` up to the end of a message, as far as they are whole,
/// carry data, and have nothing that must be looked at closer: of at most `most` octets each,
/// number 0, no octet more in the header. `None` where there is not one of them.
pub(super) fn take(bytes: &mut BytesMut, most: usize) -> Option<Segment> {
    let (mut from, mut to, mut end) = (0, HEADERS, false);
    while !end && let Some((packet, last)) = plain(&bytes[from..], most) {
        let data = from + HEADERS..from + packet;
        let octets = data.len();
        // the first stays where it is
        if data.start != to {
            bytes.copy_within(data, to);
        }
        to += octets;
        from += packet;
        end = last;
    }
    if from == 0 {
        return None;
    }
    let mut data = bytes.split_to(from);
    data.truncate(to);
    data.advance(HEADERS);
    Some(Segment { end, number: 0, credit: 0, data: data.freeze() })
}

/// The octets of the packet at the front, and whether a message ends with it.
fn plain(bytes: &[u8], most: usize) -> Option<(usize, bool)> {
    let &[tpkt::VERSION, _, high, low, 2, 0xf0, number @ (0 | 0x80), ..] = bytes else {
        return None;
    };
    let packet = usize::from(u16::from_be_bytes([high, low]));
    let fits = packet > HEADERS && packet <= tpkt::HEADER + most && packet <= bytes.len();
    fits.then_some((packet, number != 0))
}

const _: () = assert!(HEADERS == tpkt::HEADER + DT_HEADER);

#[cfg(test)]
mod tests {
    use super::*;

    /// What is taken of `bytes`, at most 128 octets a TPDU, and what is left.
    fn taken(bytes: &[u8]) -> (Option<(Vec<u8>, bool)>, Vec<u8>) {
        let mut bytes = BytesMut::from(bytes);
        let run = take(&mut bytes, 128).map(|run| (run.data.to_vec(), run.end));
        (run, bytes.to_vec())
    }

    const A: &[u8] = b"\x03\0\0\x09\x02\xf0\0ab";
    const LAST: &[u8] = b"\x03\0\0\x08\x02\xf0\x80c";

    #[test]
    fn dts_up_to_the_end_of_a_message_are_one() {
        let two = [A, A, LAST, A].concat();
        assert_eq!(taken(&two), (Some((b"ababc".to_vec(), true)), A.to_vec()));
        assert_eq!(
            taken(&[A, &LAST[..7]].concat()),
            (Some((b"ab".to_vec(), false)), LAST[..7].to_vec())
        );
    }

    #[test]
    fn what_must_be_looked_at_closer_is_left() {
        for other in [
            b"\x03\0\0\x09\x02\xf0\x01ab".as_slice(), // number 1
            b"\x03\0\0\x09\x03\xf0\0\0a",             // a longer header
            b"\x03\0\0\x07\x02\xf0\0",                // without data
            b"\x03\0\0\x07\x02\xf0\x80",              // the same, at the end of a message
            b"\x02\0\0\x09\x02\xf0\0ab",              // not TPKT
            b"\x03\0\0\x05\x02\xf0\0ab",              // shorter than its header
            &[b"\x03\0\0\x88\x02\xf0\0".as_slice(), &[1; 129]].concat(), // larger than agreed
        ] {
            assert_eq!(taken(other), (None, other.to_vec()));
            assert_eq!(
                taken(&[A, other].concat()),
                (Some((b"ab".to_vec(), false)), other.to_vec())
            );
        }
    }

    #[test]
    fn the_largest_that_was_agreed_is_taken() {
        let full = [b"\x03\0\0\x84\x02\xf0\x80".as_slice(), &[1; 125]].concat();
        assert_eq!(taken(&full), (Some((vec![1; 125], true)), Vec::new()));
    }
}
