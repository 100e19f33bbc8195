//! Integers of any size, for [`Value`](super::Value).
//!
//! ```text
//! 2^63    01 00 00 00 00 00 00 00 00 80      the groups of the number itself
//! -2^63   7F 00 00 00 00 00 00 00 00 80      the groups of 2^63 - 1, each turned over
//! ```
//!
//! Nearly all fit an `i64`, where a big one costs 14 times as much; so the two are kept apart
//! inside.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use num_bigint::{BigInt, BigUint, Sign};

use super::{Decode, DecodeError, Encode, Reader, Writer, integer};

/// Bytes that an Integer may take when it is read: 8 192 bits and the sign. Most numbers have a
/// byte or two; those of cryptography have up to 4 096 bits.
pub const MAX_INTEGER_LEN: usize = 1171;

/// An SBS Integer: any whole number, without a copy on the heap as long as it fits an `i64`.
///
/// ```
/// use hat_core::sbs::{self, Integer};
///
/// let small = Integer::from(-65_i64);
/// assert_eq!(i64::try_from(&small), Ok(-65));
///
/// let big = Integer::from(i128::MAX);
/// assert!(i64::try_from(&big).is_err());
/// assert_eq!(sbs::decode(&sbs::encode(&big)), Ok(big));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Integer(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Small(i64),
    /// Never what an `i64` holds: so equal numbers are equal here.
    Big(Box<BigInt>),
}

impl Integer {
    /// The number as a [`BigInt`].
    #[must_use]
    pub fn to_big_int(&self) -> BigInt {
        match &self.0 {
            Repr::Small(value) => (*value).into(),
            Repr::Big(value) => (**value).clone(),
        }
    }

    /// From groups of 7 bits, the most significant first, of which the first has the sign.
    fn from_groups(groups: &[u8]) -> Self {
        let negative = groups.first().is_some_and(|first| first & integer::SIGN != 0);
        let turned = if negative { integer::GROUP } else { 0 };
        let digits: Vec<u8> =
            groups.iter().map(|group| (group & integer::GROUP) ^ turned).collect();
        // linear: a radix that is a power of two
        let magnitude = BigUint::from_radix_be(&digits, 128).unwrap_or_default();
        let value = BigInt::from_biguint(Sign::Plus, magnitude);
        Self::from(if negative { -(value + 1_i64) } else { value })
    }

    /// The reverse of [`from_groups`](Self::from_groups), the fewest that keep the sign.
    fn to_groups(value: &BigInt) -> Vec<u8> {
        let negative = value.sign() == Sign::Minus;
        let turned = if negative { integer::GROUP } else { 0 };
        let value = if negative { -(value + 1_i64) } else { value.clone() };
        let mut groups = value.magnitude().to_radix_be(128);
        if groups[0] & integer::SIGN != 0 {
            groups.insert(0, 0);
        }
        groups.iter_mut().for_each(|group| *group ^= turned);
        groups
    }
}

impl From<i64> for Integer {
    #[inline]
    fn from(value: i64) -> Self {
        Self(Repr::Small(value))
    }
}

/// What a literal is.
impl From<i32> for Integer {
    fn from(value: i32) -> Self {
        i64::from(value).into()
    }
}

impl From<i128> for Integer {
    fn from(value: i128) -> Self {
        BigInt::from(value).into()
    }
}

impl From<BigInt> for Integer {
    fn from(value: BigInt) -> Self {
        match i64::try_from(&value) {
            Ok(small) => Self(Repr::Small(small)),
            Err(_) => Self(Repr::Big(Box::new(value))),
        }
    }
}

/// Fails where 64 bits are too few; the number is in the error.
impl<'a> TryFrom<&'a Integer> for i64 {
    type Error = &'a BigInt;

    #[inline]
    fn try_from(value: &'a Integer) -> Result<Self, &'a BigInt> {
        match &value.0 {
            Repr::Small(value) => Ok(*value),
            Repr::Big(value) => Err(value),
        }
    }
}

impl PartialOrd for Integer {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Integer {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        match (&self.0, &other.0) {
            (Repr::Small(one), Repr::Small(other)) => one.cmp(other),
            _ => self.to_big_int().cmp(&other.to_big_int()),
        }
    }
}

impl fmt::Display for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(value) => value.fmt(f),
            Repr::Big(value) => value.fmt(f),
        }
    }
}

impl fmt::Debug for Integer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Encode for Integer {
    fn encoded_len(&self) -> usize {
        match &self.0 {
            Repr::Small(value) => value.encoded_len(),
            // the bits of the magnitude as it is turned over, and the sign
            Repr::Big(value) if value.sign() == Sign::Minus => {
                (&**value + 1_i64).bits() as usize / 7 + 1
            }
            Repr::Big(value) => value.bits() as usize / 7 + 1,
        }
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        match &self.0 {
            Repr::Small(value) => value.encode(out),
            Repr::Big(value) => {
                let mut groups = Self::to_groups(value);
                if let Some(last) = groups.last_mut() {
                    *last |= integer::LAST;
                }
                out.put_slice(&groups);
            }
        }
    }
}

/// Leading groups without meaning are taken, up to [`MAX_INTEGER_LEN`] where the number has more
/// than 64 bits.
impl Decode for Integer {
    const MIN_LEN: usize = 1;

    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.integer() {
            Err(DecodeError::IntegerOverflow { at, .. }) => decode_big(reader, at),
            other => other.map(Self::from),
        }
    }
}

#[cold]
fn decode_big(reader: &mut Reader<'_>, at: usize) -> Result<Integer, DecodeError> {
    let bytes = reader.peek();
    let within = &bytes[..bytes.len().min(MAX_INTEGER_LEN)];
    let Some(last) = within.iter().position(|byte| byte & integer::LAST != 0) else {
        return Err(match bytes.len() > within.len() {
            true => DecodeError::IntegerTooLong { at, limit: MAX_INTEGER_LEN },
            false => DecodeError::UnexpectedEnd { at, missing: 1 },
        });
    };
    reader.skip(last + 1)?;
    Ok(Integer::from_groups(&within[..=last]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sbs::{decode, encode};
    use bytes::Bytes;

    #[track_caller]
    fn both_ways(value: BigInt) {
        let value = Integer::from(value);
        let bytes = encode(&value);
        assert_eq!(bytes.len(), value.encoded_len(), "{value}");
        assert_eq!(decode(&bytes), Ok(value));
    }

    #[test]
    fn around_every_power_of_two() {
        // Miri is slow
        for bits in (0..300).step_by(if cfg!(miri) { 31 } else { 1 }) {
            for off in -2..=2 {
                let power = BigInt::from(1) << bits;
                both_ways(&power + off);
                both_ways(off - power);
            }
        }
        both_ways((BigInt::from(1) << 8192) - 1);
        both_ways(0 - (BigInt::from(1) << 8192));
    }

    #[test]
    fn literal_bytes() {
        let two_to_63 = [0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0x80];
        assert_eq!(encode(&Integer::from(1_i128 << 63))[..], two_to_63);
        let below = [0x7e, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0xff];
        assert_eq!(encode(&Integer::from(-(1_i128 << 63) - 1))[..], below);
    }

    #[test]
    fn one_number_has_one_form() {
        assert_eq!(Integer::from(BigInt::from(7)), Integer::from(7));
        assert!(Integer::from(i128::MIN) < Integer::from(i64::MIN));
        assert!(Integer::from(i128::MAX) > Integer::from(0));
    }

    #[test]
    fn longer_than_the_limit() {
        let mut bytes = alloc::vec![1; MAX_INTEGER_LEN];
        let cut = DecodeError::UnexpectedEnd { at: 0, missing: 1 };
        assert_eq!(decode::<Integer>(&Bytes::from(bytes.clone())), Err(cut));
        bytes.push(0x80);
        let long = DecodeError::IntegerTooLong { at: 0, limit: MAX_INTEGER_LEN };
        assert_eq!(decode::<Integer>(&Bytes::from(bytes.clone())), Err(long));
        bytes.remove(0);
        assert!(decode::<Integer>(&Bytes::from(bytes)).is_ok());
    }
}
