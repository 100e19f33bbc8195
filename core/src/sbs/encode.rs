use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use super::{MAX_DEPTH, integer};
use crate::buffer::{Room, Writer};

/// A value that can be written as SBS.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be represented in SBS",
    label = "cannot be encoded",
    note = "SBS has bool, i16 to i128, u16 to u64, f32, f64, String, ByteString, bytes::Bytes, (), Option, Vec and Box of these; bytes are `bytes::Bytes`, not `Vec<u8>`",
    note = "define types of your own with `sbs::record!` and `sbs::choice!`, or implement `Encode`"
)]
pub trait Encode {
    /// How many bytes [`encode`](Self::encode) writes, exactly: encoding panics where it is another
    /// number. It is asked for first, because a length stands in front of most things; nothing is
    /// ever encoded into a buffer of its own to find it out.
    fn encoded_len(&self) -> usize;

    /// Writes the value.
    fn encode(&self, out: &mut impl Writer);

    /// Whether the arrays and boxes in the value nest no deeper than `levels`, which is how a
    /// [`Reader`](super::Reader) counts. It follows no more levels than that. The default is for
    /// types that hold neither.
    fn fits_depth(&self, levels: u32) -> bool {
        let _ = levels;
        true
    }
}

/// The encoding of `value` as bytes of its own.
///
/// # Panics
///
/// If it nests deeper than 64 levels of arrays and boxes, which a type that contains itself can,
/// and which no [`decode`](super::decode) takes: [`try_encode`] refuses it.
///
/// ```
/// assert_eq!(hat_core::sbs::encode(&64_i64)[..], [0x00, 0xc0]);
/// ```
#[track_caller]
pub fn encode(value: &impl Encode) -> Bytes {
    match try_encode(value) {
        Ok(bytes) => bytes,
        Err(error) => panic!("{error}"),
    }
}

/// The encoding of `value` as bytes of its own, for types that contain themselves.
///
/// # Errors
///
/// [`TooDeep`]: nothing was encoded.
pub fn try_encode(value: &impl Encode) -> Result<Bytes, TooDeep> {
    if !value.fits_depth(MAX_DEPTH) {
        return Err(TooDeep { limit: MAX_DEPTH });
    }
    Ok(Room::filled(value.encoded_len(), |room| value.encode(room)).into())
}

/// A value that nests deeper than it may be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the value is nested deeper than {limit} levels of arrays and boxes, so no peer could decode it"
)]
pub struct TooDeep {
    /// The limit.
    pub limit: u32,
}

impl Encode for () {
    #[inline]
    fn encoded_len(&self) -> usize {
        0
    }

    #[inline]
    fn encode(&self, _out: &mut impl Writer) {}
}

impl Encode for bool {
    #[inline]
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

macro_rules! integers {
    ($($type:ty as $wide:ty),+ $(,)?) => {
        $(impl Encode for $type {
            #[inline]
            fn encoded_len(&self) -> usize {
                <$wide>::from(*self).encoded_len()
            }

            #[inline]
            fn encode(&self, out: &mut impl Writer) {
                <$wide>::from(*self).encode(out);
            }
        })+
    };
}

// no integers of one byte: `Vec<u8>` would be an Array of Integers, where Bytes are meant
integers!(i16 as i64, i32 as i64, u16 as i64, u32 as i64, u64 as i128);

impl Encode for i128 {
    #[inline]
    fn encoded_len(&self) -> usize {
        integer::encoded_len_wide(*self)
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        integer::put_wide(*self, out);
    }
}

impl Encode for f64 {
    #[inline]
    fn encoded_len(&self) -> usize {
        8
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        out.put_slice(&self.to_be_bytes());
    }
}

/// As the `f64` of the same value.
impl Encode for f32 {
    #[inline]
    fn encoded_len(&self) -> usize {
        8
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        f64::from(*self).encode(out);
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

impl Encode for String {
    #[inline]
    fn encoded_len(&self) -> usize {
        self.as_str().encoded_len()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        self.as_str().encode(out);
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
    #[inline]
    fn encoded_len(&self) -> usize {
        integer::encoded_len(count(self.len())) + self.iter().map(T::encoded_len).sum::<usize>()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        integer::put(count(self.len()), out);
        for element in self {
            element.encode(out);
        }
    }

    #[inline]
    fn fits_depth(&self, levels: u32) -> bool {
        levels > 0 && self.iter().all(|element| element.fits_depth(levels - 1))
    }
}

impl<T: Encode> Encode for Vec<T> {
    #[inline]
    fn encoded_len(&self) -> usize {
        self[..].encoded_len()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        self[..].encode(out);
    }

    #[inline]
    fn fits_depth(&self, levels: u32) -> bool {
        self[..].fits_depth(levels)
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

    #[inline]
    fn fits_depth(&self, levels: u32) -> bool {
        self.as_ref().is_none_or(|value| value.fits_depth(levels))
    }
}

/// For recursive types.
impl<T: Encode> Encode for Box<T> {
    #[inline]
    fn encoded_len(&self) -> usize {
        (**self).encoded_len()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        (**self).encode(out);
    }

    fn fits_depth(&self, levels: u32) -> bool {
        levels > 0 && (**self).fits_depth(levels - 1)
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    #[inline]
    fn encoded_len(&self) -> usize {
        (**self).encoded_len()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        (**self).encode(out);
    }

    fn fits_depth(&self, levels: u32) -> bool {
        (**self).fits_depth(levels)
    }
}
