//! Blocks: `m`, one byte; `k`, big-endian in `m` bytes; then `k` bytes.
//!
//! Writers use the smallest `m` of at least 1; readers take leading zeros.

use crate::buffer::{Writer, write_word};

/// The front of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// This many bytes in all are needed to know more.
    Needs(usize),
    /// The block starts with `head` bytes, and `body` bytes follow.
    Known { head: usize, body: usize },
    /// The block claims a body over the limit.
    TooLarge(u64),
}

/// Reads the front of a block whose body may take `limit` bytes.
#[inline]
pub(super) fn parse(bytes: &[u8], limit: usize) -> Front {
    match *bytes {
        [1, low, ..] => known(2, low.into(), limit),
        [2, high, low, ..] => known(3, u16::from_be_bytes([high, low]).into(), limit),
        _ => parse_any(bytes, limit),
    }
}

fn parse_any(bytes: &[u8], limit: usize) -> Front {
    let Some((&length_len, rest)) = bytes.split_first() else {
        return Front::Needs(1);
    };
    let length_len = usize::from(length_len);
    let Some(length) = rest.get(..length_len) else {
        return Front::Needs(1 + length_len);
    };
    let fold = |body: u64, &byte: &u8| {
        if body >> 56 == 0 { body << 8 | u64::from(byte) } else { u64::MAX }
    };
    known(1 + length_len, length.iter().fold(0, fold), limit)
}

#[inline]
fn known(head: usize, body: u64, limit: usize) -> Front {
    match usize::try_from(body) {
        Ok(body) if body <= limit => Front::Known { head, body },
        _ => Front::TooLarge(body),
    }
}

/// Bytes that the front of a block with a body of `body` bytes takes.
#[inline]
pub(super) fn front_len(body: usize) -> usize {
    match body {
        0..=0xff => 2,
        _ => 9 - body.leading_zeros() as usize / 8,
    }
}

/// Writes the front of a block with a body of `body` bytes.
#[inline]
pub(super) fn put_front(body: usize, out: &mut impl Writer) {
    if let 0..=0xff = body {
        return out.put_slice(&[1, body as u8]);
    }
    let len = front_len(body);
    // no memory has the 2^56 bytes that would need one more
    let front = (len as u64 - 1) << 56 | (body as u64) << (64 - 8 * len);
    out.put_with::<8>(|to| write_word(front.to_be_bytes(), len, to));
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[track_caller]
    fn both_ways(body: usize, bytes: &[u8]) {
        assert_eq!(front_len(body), bytes.len());
        let mut front = vec![];
        put_front(body, &mut front);
        assert_eq!(front, bytes);
        assert_eq!(parse(bytes, usize::MAX), Front::Known { head: bytes.len(), body });
    }

    #[test]
    fn smallest_length_of_length() {
        both_ways(0, &[1, 0]);
        both_ways(255, &[1, 255]);
        both_ways(256, &[2, 1, 0]);
        both_ways(0xffff, &[2, 0xff, 0xff]);
        both_ways(0x1_0000, &[3, 1, 0, 0]);
        both_ways(0x0123_4567, &[4, 1, 0x23, 0x45, 0x67]);
        both_ways((1 << 56) - 1, &[7, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn leading_zeros_are_taken() {
        let mut block = vec![255];
        block.extend([0; 254]);
        block.push(7);
        assert_eq!(parse(&block, 7), Front::Known { head: 256, body: 7 });
        assert_eq!(parse(&[0], 7), Front::Known { head: 1, body: 0 });
    }

    #[test]
    fn asks_for_what_it_needs() {
        assert_eq!(parse(&[], 7), Front::Needs(1));
        assert_eq!(parse(&[3, 0, 0], 7), Front::Needs(4));
    }

    #[test]
    fn claims_over_the_limit() {
        assert_eq!(parse(&[1, 8], 7), Front::TooLarge(8));
        assert_eq!(
            parse(&[8, 255, 255, 255, 255, 255, 255, 255, 254], 7),
            Front::TooLarge(u64::MAX - 1)
        );
        assert_eq!(parse(&[9, 1, 0, 0, 0, 0, 0, 0, 0, 0], 7), Front::TooLarge(u64::MAX));
        assert_eq!(parse(&[10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 7), Front::TooLarge(u64::MAX));
    }
}
