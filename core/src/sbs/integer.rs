//! Integers: two's complement in groups of 7 bits, the most significant group first, the fewest
//! that keep the sign. The top bit marks the **last** byte. `0` is `80`, `64` is `00 C0`, `-65` is
//! `7F BF`.

use crate::buffer::{Writer, write_word};

pub(super) const LAST: u8 = 0x80;
pub(super) const GROUP: u8 = 0x7f;
pub(super) const SIGN: u8 = 0x40;

/// The longest encoding of an `i128`, in bytes.
const MOST_GROUPS: usize = 19;

macro_rules! fixed_width {
    ($int:ty, $len:ident, $write_long:ident, $take:ident, $take_rest:ident) => {
        /// Bytes that the encoding of `value` takes.
        #[inline]
        pub(crate) const fn $len(value: $int) -> usize {
            // the sign takes one bit more; that one bit is always set saves a question
            let magnitude = (value ^ (value >> (<$int>::BITS - 1))) | 1;
            ((<$int>::BITS + 7 - magnitude.leading_zeros()) / 7) as usize
        }

        /// Writes any `value` to the start of `to`, and gives how many bytes it takes.
        #[cold]
        fn $write_long(value: $int, to: &mut [u8]) -> usize {
            let groups = $len(value);
            let mut rest = value;
            for byte in to[..groups].iter_mut().rev() {
                *byte = rest as u8 & GROUP;
                rest >>= 7;
            }
            to[groups - 1] |= LAST;
            groups
        }

        /// The integer at the start of `bytes` and the bytes it takes.
        #[inline]
        pub(crate) fn $take(bytes: &[u8]) -> Result<($int, usize), Fault> {
            let Some((&first, rest)) = bytes.split_first() else {
                return Err(Fault::Unfinished);
            };
            // the sign is the top bit but one: shifted up and down again
            let value = <$int>::from((first << 1) as i8 >> 1);
            if first & LAST != 0 { Ok((value, 1)) } else { $take_rest(value, bytes, rest) }
        }

        /// Goes on behind a first byte that was not the last.
        #[inline(never)]
        fn $take_rest(mut value: $int, bytes: &[u8], rest: &[u8]) -> Result<($int, usize), Fault> {
            if let Some((value, len)) = take_word(bytes) {
                return Ok((value.into(), len));
            }
            for (index, byte) in rest.iter().enumerate() {
                let shifted = value << 7;
                if shifted >> 7 != value {
                    return Err(Fault::Overflow);
                }
                value = shifted | <$int>::from(byte & GROUP);
                if byte & LAST != 0 {
                    return Ok((value, index + 2));
                }
            }
            Err(Fault::Unfinished)
        }
    };
}

/// Writes `value`. Most take one byte, and that is done where it is called.
#[inline]
pub(crate) fn put(value: i64, out: &mut impl Writer) {
    match value {
        -0x40..0x40 => out.put_slice(&[value as u8 & GROUP | LAST]),
        // what writes it sees the memory alone: the writer can stay in registers
        _ => out.put_with::<MOST_GROUPS>(|to| write(value, to)),
    }
}

#[inline]
pub(crate) fn put_wide(value: i128, out: &mut impl Writer) {
    match i64::try_from(value) {
        Ok(value) => put(value, out),
        Err(_) => out.put_with::<MOST_GROUPS>(|to| write_long_wide(value, to)),
    }
}

/// Writes `value` to the start of `to`, and gives how many bytes it takes. Nearly all take eight or
/// fewer.
#[inline(never)]
fn write(value: i64, to: &mut [u8]) -> usize {
    match EncodedInteger::of_many(value) {
        Some(encoded) => encoded.write(to),
        None => write_long(value, to),
    }
}

/// An integer that is encoded already, for where its length is asked for before it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncodedInteger {
    /// What counts in the highest bytes.
    word: u64,
    len: usize,
}

impl EncodedInteger {
    /// The longest of these, in bytes.
    pub(crate) const MOST: usize = 8;

    /// `None` for integers that need more bytes: below -2^55, and from 2^55 on.
    #[inline]
    pub(crate) fn of(value: i64) -> Option<Self> {
        let group = |index: u32| (value as u64 >> (7 * index)) & u64::from(GROUP);
        let last = group(0) | u64::from(LAST);
        Some(match value {
            -0x40..0x40 => Self { word: last << 56, len: 1 },
            -0x2000..0x2000 => Self { word: (group(1) << 8 | last) << 48, len: 2 },
            -0x10_0000..0x10_0000 => {
                Self { word: (group(2) << 16 | group(1) << 8 | last) << 40, len: 3 }
            }
            _ => return Self::of_many(value),
        })
    }

    #[inline]
    fn of_many(value: i64) -> Option<Self> {
        let len = encoded_len(value);
        if len > Self::MOST {
            return None;
        }
        Some(Self { word: (spread(value as u64) | u64::from(LAST)) << (64 - 8 * len), len })
    }

    /// These bytes in front of it. `None` where that makes more than eight.
    #[inline]
    pub(crate) fn behind(self, [a, b, c]: [u8; 3]) -> Option<Self> {
        let front = u64::from_be_bytes([a, b, c, 0, 0, 0, 0, 0]);
        let len = self.len + 3;
        (len <= Self::MOST).then_some(Self { word: front | self.word >> 24, len })
    }

    /// Bytes that it takes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn put(&self, out: &mut impl Writer) {
        out.put_with::<{ Self::MOST }>(|to| self.write(to));
    }

    #[inline]
    fn write(&self, to: &mut [u8]) -> usize {
        write_word(self.word.to_be_bytes(), self.len, to)
    }
}

/// An integer of up to eight bytes, if as many are here: its own and others.
#[inline]
fn take_word(bytes: &[u8]) -> Option<(i64, usize)> {
    let word = u64::from_be_bytes(*bytes.first_chunk()?);
    let lasts = word & 0x8080_8080_8080_8080;
    if lasts == 0 {
        return None;
    }
    let len = lasts.leading_zeros() / 8 + 1;
    let value = gather(word >> (64 - 8 * len));
    // the sign is the highest of the bits that are there
    let above = 64 - 7 * len;
    Some(((value << above) as i64 >> above, len as usize))
}

/// The low 56 bits, seven to a byte: what is above a middle moves up, of all, of the halves and of
/// the quarters.
#[inline]
fn spread(bits: u64) -> u64 {
    let halves = bits & 0x0000_0000_0fff_ffff | (bits & 0x00ff_ffff_f000_0000) << 4;
    let quarters = halves & 0x0000_3fff_0000_3fff | (halves & 0x0fff_c000_0fff_c000) << 2;
    quarters & 0x007f_007f_007f_007f | (quarters & 0x3f80_3f80_3f80_3f80) << 1
}

/// Undoes [`spread`]; the top bits of the bytes mean nothing.
#[inline]
fn gather(bytes: u64) -> u64 {
    let quarters = bytes & 0x007f_007f_007f_007f | (bytes & 0x7f00_7f00_7f00_7f00) >> 1;
    let halves = quarters & 0x0000_3fff_0000_3fff | (quarters & 0x3fff_0000_3fff_0000) >> 2;
    halves & 0x0000_0000_0fff_ffff | (halves & 0x0fff_ffff_0000_0000) >> 4
}

fixed_width!(i64, encoded_len, write_long, take, take_rest);
fixed_width!(i128, encoded_len_wide, write_long_wide, take_wide, take_wide_rest);

/// Why no integer could be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No byte with the top bit set.
    Unfinished,
    /// More bits than the type has.
    Overflow,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[track_caller]
    fn both_ways(value: i64, bytes: &[u8]) {
        let mut out = Vec::new();
        put(value, &mut out);
        assert_eq!(out, bytes, "{value}");
        assert_eq!(encoded_len(value), bytes.len(), "{value}");
        assert_eq!(take(bytes), Ok((value, bytes.len())), "{value}");
        match EncodedInteger::of(value) {
            Some(encoded) => {
                let mut room = [0; EncodedInteger::MOST];
                let len = encoded.write(&mut room);
                assert_eq!(&room[..len], bytes, "{value}");
                let len = encoded.write(&mut room[..len]);
                assert_eq!((&room[..len], encoded.len()), (bytes, len), "{value}");
            }
            None => assert!(bytes.len() > EncodedInteger::MOST, "{value}"),
        }
        // with more behind it, as in a message
        let more = [bytes, &[0x7f; 8]].concat();
        assert_eq!(take(&more), Ok((value, bytes.len())), "{value}");
        out.clear();
        put_wide(value.into(), &mut out);
        assert_eq!(out, bytes, "{value}");
        assert_eq!(take_wide(bytes), Ok((value.into(), bytes.len())), "{value}");
    }

    #[test]
    fn edges() {
        both_ways(0, &[0x80]);
        both_ways(63, &[0xbf]);
        both_ways(64, &[0x00, 0xc0]);
        both_ways(-1, &[0xff]);
        both_ways(-64, &[0xc0]);
        both_ways(-65, &[0x7f, 0xbf]);
        // the last of two, three and four bytes
        both_ways(8191, &[0x3f, 0xff]);
        both_ways(-8192, &[0x40, 0x80]);
        both_ways(8192, &[0x00, 0x40, 0x80]);
        both_ways(-8193, &[0x7f, 0x3f, 0xff]);
        both_ways(0xf_ffff, &[0x3f, 0x7f, 0xff]);
        both_ways(-0x10_0000, &[0x40, 0x00, 0x80]);
        both_ways(0x10_0000, &[0x00, 0x40, 0x00, 0x80]);
        both_ways(-0x10_0001, &[0x7f, 0x3f, 0x7f, 0xff]);
        // the last of eight bytes
        both_ways((1 << 55) - 1, &[0x3f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0xff]);
        both_ways(-(1 << 55), &[0x40, 0, 0, 0, 0, 0, 0, 0x80]);
        both_ways(1 << 55, &[0x00, 0x40, 0, 0, 0, 0, 0, 0, 0x80]);
        both_ways(i64::MAX, &[0x00, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0xff]);
        both_ways(i64::MIN, &[0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0x80]);
    }

    #[test]
    fn leading_groups_without_meaning_are_taken() {
        assert_eq!(take(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x85]), Ok((5, 13)));
        assert_eq!(take(&[0x7f, 0x7f, 0xff]), Ok((-1, 3)));
    }

    #[test]
    fn more_bits_than_the_type_has() {
        let two_to_63 = [0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0x80];
        assert_eq!(take(&two_to_63), Err(Fault::Overflow));
        assert_eq!(take_wide(&two_to_63), Ok((1 << 63, 10)));
    }

    #[test]
    fn cut() {
        assert_eq!(take(&[]), Err(Fault::Unfinished));
        assert_eq!(take(&[1]), Err(Fault::Unfinished));
    }
}
