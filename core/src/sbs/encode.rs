use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::integer;
use crate::buffer::Writer;

/// A value that can be written as SBS.
pub trait Encode {
    /// How many bytes [`encode`](Self::encode) writes, exactly. It is asked for first, because a length
    /// stands in front of most things; nothing is ever encoded into a buffer of its own to find it out.
    fn encoded_len(&self) -> usize;

    /// Writes the value.
    fn encode(&self, out: &mut impl Writer);
}

/// The encoding of `value` as bytes of its own.
///
/// ```
/// assert_eq!(hat_core::sbs::encode(&64_i64)[..], [0x00, 0xc0]);
/// ```
pub fn encode(value: &impl Encode) -> Bytes {
    let mut out = BytesMut::with_capacity(value.encoded_len());
    value.encode(&mut out);
    out.freeze()
}

impl Encode for () {
    fn encoded_len(&self) -> usize {
        0
    }

    fn encode(&self, _out: &mut impl Writer) {}
}

impl Encode for bool {
    fn encoded_len(&self) -> usize {
        1
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        out.put_slice(&[u8::from(*self)]);
    }
}

impl Encode for i64 {
    #[inline]
    fn encoded_len(&self) -> usize {
        integer::encoded_len(*self)
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        integer::put(*self, out);
    }
}

impl Encode for i128 {
    fn encoded_len(&self) -> usize {
        integer::encoded_len_wide(*self)
    }

    fn encode(&self, out: &mut impl Writer) {
        integer::put_wide(*self, out);
    }
}

impl Encode for f64 {
    fn encoded_len(&self) -> usize {
        8
    }

    fn encode(&self, out: &mut impl Writer) {
        out.put_slice(&self.to_be_bytes());
    }
}

/// A count of bytes or elements. Nothing in memory has more than `isize::MAX` of either.
#[inline]
pub(super) fn count(len: usize) -> i64 {
    len as i64
}

impl Encode for str {
    #[inline]
    fn encoded_len(&self) -> usize {
        integer::encoded_len(count(self.len())) + self.len()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        integer::put(count(self.len()), out);
        out.put_slice(self.as_bytes());
    }
}

impl Encode for Bytes {
    #[inline]
    fn encoded_len(&self) -> usize {
        integer::encoded_len(count(self.len())) + self.len()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        integer::put(count(self.len()), out);
        out.put_bytes(self);
    }
}

impl Encode for ByteString {
    #[inline]
    fn encoded_len(&self) -> usize {
        self.as_bytes().encoded_len()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        self.as_bytes().encode(out);
    }
}

impl<T: Encode> Encode for [T] {
    fn encoded_len(&self) -> usize {
        integer::encoded_len(count(self.len())) + self.iter().map(T::encoded_len).sum::<usize>()
    }

    fn encode(&self, out: &mut impl Writer) {
        integer::put(count(self.len()), out);
        for element in self {
            element.encode(out);
        }
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encoded_len(&self) -> usize {
        self[..].encoded_len()
    }

    fn encode(&self, out: &mut impl Writer) {
        self[..].encode(out);
    }
}

/// `Optional(T)`: `Choice { none: None, value: T }`.
impl<T: Encode> Encode for Option<T> {
    #[inline]
    fn encoded_len(&self) -> usize {
        1 + self.as_ref().map_or(0, T::encoded_len)
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        integer::put(i64::from(self.is_some()), out);
        if let Some(value) = self {
            value.encode(out);
        }
    }
}

/// For recursive types.
impl<T: Encode> Encode for Box<T> {
    fn encoded_len(&self) -> usize {
        (**self).encoded_len()
    }

    fn encode(&self, out: &mut impl Writer) {
        (**self).encode(out);
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encoded_len(&self) -> usize {
        (**self).encoded_len()
    }

    fn encode(&self, out: &mut impl Writer) {
        (**self).encode(out);
    }
}
