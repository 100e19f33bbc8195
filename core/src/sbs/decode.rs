use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use bytestring::ByteString;

use super::{DecodeError, integer};

/// Levels of nesting, in arrays and boxes, that a [`Reader`] follows unless told otherwise. The
/// deepest Hat message has four; a level costs some hundred bytes of stack.
pub(super) const MAX_DEPTH: u32 = 64;

/// Elements that take no bytes (`Array(None)`) may be as many as there are bytes, and so many more:
/// nothing else bounds them. Peers write a handful.
pub(super) const MAX_EMPTY_ELEMENTS: u64 = 65_536;

/// Bytes of memory that an array reserves on the strength of its count alone; past that it grows
/// with what is really there. Arrays in arrays can each claim it, to the limit of nesting.
const MAX_RESERVED: usize = 64 * 1024;

/// A value that can be read from SBS.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be represented in SBS",
    label = "cannot be decoded",
    note = "SBS has bool, i16 to i128, u16 to u64, f32, f64, String, ByteString, bytes::Bytes, (), Option, Vec and Box of these; bytes are `bytes::Bytes`, not `Vec<u8>`",
    note = "define types of your own with `sbs::record!` and `sbs::choice!`, or implement `Decode`"
)]
pub trait Decode: Sized {
    /// The fewest bytes that a value of this type takes. A count is held against what is left
    /// divided by this before anything is reserved.
    const MIN_LEN: usize;

    /// Reads one value from where `reader` stands.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]: the bytes are no such value.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// Reads one value that must take all of `bytes`. Strings and bytes in it share the memory of
/// `bytes`.
///
/// # Errors
///
/// [`DecodeError`]: the bytes are no such value, or more than one.
///
/// ```
/// use hat_core::sbs;
///
/// assert_eq!(sbs::decode(&[0x00, 0xc0][..].into()), Ok(64_i64));
/// ```
pub fn decode<T: Decode>(bytes: &Bytes) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    let value = T::decode(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

/// A position in bytes that are being decoded.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    source: &'a Bytes,
    at: usize,
    depth: u32,
    max_depth: u32,
    /// Bytes that elements of arrays may still take in memory, and how many those were.
    memory: usize,
    max_memory: usize,
    /// Elements of arrays so far that took no bytes.
    empty: usize,
}

impl<'a> Reader<'a> {
    /// At the start of `source`, with the default limit on nesting: 64 levels.
    #[must_use]
    pub fn new(source: &'a Bytes) -> Self {
        Self::with_max_depth(source, MAX_DEPTH)
    }

    /// At the start of `source`, following at most `max_depth` levels of nesting.
    #[must_use]
    pub fn with_max_depth(source: &'a Bytes, max_depth: u32) -> Self {
        let memory = usize::MAX;
        Self { source, at: 0, depth: 0, max_depth, memory, max_memory: memory, empty: 0 }
    }

    /// The same, where the elements of all arrays together may take `max_memory` bytes once they
    /// are decoded: a message of three-byte elements may weigh fifty times what it took on the
    /// wire. It is held against the count in front of each array, before anything is made.
    #[must_use]
    pub fn with_max_memory(self, max_memory: usize) -> Self {
        Self { memory: max_memory, max_memory, ..self }
    }

    /// The offset of the next byte.
    #[must_use]
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes left.
    #[must_use]
    #[inline]
    pub fn remaining(&self) -> usize {
        self.source.len() - self.at
    }

    /// What was read since `start`, an earlier [`position`](Self::position), without a copy.
    #[must_use]
    #[inline]
    pub fn since(&self, start: usize) -> Bytes {
        self.source.slice(start..self.at)
    }

    /// The next bytes, without moving.
    #[must_use]
    #[inline]
    pub fn peek(&self) -> &'a [u8] {
        &self.source[self.at..]
    }

    /// That all was read.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TrailingBytes`].
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(DecodeError::TrailingBytes { at: self.at, left }),
        }
    }

    /// The next `count` bytes, without a copy.
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnexpectedEnd`].
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        let start = self.at;
        self.skip(count)?;
        Ok(self.since(start))
    }

    /// Passes over `count` bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnexpectedEnd`].
    #[inline]
    pub fn skip(&mut self, count: usize) -> Result<(), DecodeError> {
        match count.checked_sub(self.remaining()) {
            None | Some(0) => {
                self.at += count;
                Ok(())
            }
            Some(missing) => Err(DecodeError::UnexpectedEnd { at: self.at, missing }),
        }
    }

    /// The next `count` bytes, where they are.
    #[inline]
    pub(crate) fn slice(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let rest = self.peek();
        self.skip(count)?;
        Ok(&rest[..count])
    }

    /// An Integer.
    ///
    /// # Errors
    ///
    /// [`DecodeError::UnexpectedEnd`] or [`DecodeError::IntegerOverflow`].
    #[inline]
    pub fn integer(&mut self) -> Result<i64, DecodeError> {
        let (value, len) = integer::take(self.peek()).map_err(|fault| self.fault(fault, 64))?;
        self.at += len;
        Ok(value)
    }

    #[cold]
    fn fault(&self, fault: integer::Fault, bits: u32) -> DecodeError {
        match fault {
            integer::Fault::Unfinished => DecodeError::UnexpectedEnd { at: self.at, missing: 1 },
            integer::Fault::Overflow => DecodeError::IntegerOverflow { at: self.at, bits },
        }
    }

    /// The count in front of elements that take at least `min_len` bytes each; what is left can
    /// hold them. Those that may take none may be 65 536, or as many as there are bytes left.
    ///
    /// # Errors
    ///
    /// [`DecodeError::NegativeCount`], [`DecodeError::CountTooLarge`], or those of an Integer.
    #[inline]
    pub fn count(&mut self, min_len: usize) -> Result<usize, DecodeError> {
        // most take one byte
        if let Some(byte @ 0x80..=0xbf) = self.peek().first() {
            let count = usize::from(byte & 0x3f);
            if count.saturating_mul(min_len) < self.remaining() {
                self.at += 1;
                return Ok(count);
            }
        }
        self.any_count(min_len)
    }

    #[inline(never)]
    fn any_count(&mut self, min_len: usize) -> Result<usize, DecodeError> {
        let at = self.at;
        // an integer of more than 64 bits is no count that could be held
        let count = match self.integer() {
            Err(DecodeError::IntegerOverflow { .. }) if self.peek()[0] & 0x40 == 0 => i64::MAX,
            Err(DecodeError::IntegerOverflow { .. }) => -1,
            other => other?,
        };
        let count = u64::try_from(count).map_err(|_| DecodeError::NegativeCount { at })?;
        let most = match min_len {
            // a box does not say how few bytes its value takes
            0 => MAX_EMPTY_ELEMENTS.max(self.remaining() as u64),
            _ => (self.remaining() / min_len) as u64,
        };
        if count > most {
            return Err(DecodeError::CountTooLarge { at, count, most });
        }
        Ok(count as usize)
    }

    /// The index of a Choice with `entries` entries.
    ///
    /// # Errors
    ///
    /// [`DecodeError::NegativeIndex`], [`DecodeError::NoSuchEntry`], or those of an Integer.
    #[inline]
    pub fn index(&mut self, entries: usize) -> Result<usize, DecodeError> {
        match self.peek().first() {
            Some(byte @ 0x80..=0xbf) if usize::from(byte & 0x3f) < entries => {
                self.at += 1;
                Ok(usize::from(byte & 0x3f))
            }
            _ => self.any_index(entries),
        }
    }

    #[inline(never)]
    fn any_index(&mut self, entries: usize) -> Result<usize, DecodeError> {
        let at = self.at;
        let index = self.integer()?;
        let index = u64::try_from(index).map_err(|_| DecodeError::NegativeIndex { at })?;
        match usize::try_from(index) {
            Ok(index) if index < entries => Ok(index),
            _ => Err(DecodeError::NoSuchEntry { at, index, entries }),
        }
    }

    /// The elements of an Array, one level deeper.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] of the count, of the nesting, or of an element.
    pub fn array<T>(
        &mut self,
        min_len: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.count(min_len)?;
        self.memory = self
            .memory
            .checked_sub(count.saturating_mul(size_of::<T>()))
            .ok_or(DecodeError::TooHeavy { at: self.at, limit: self.max_memory })?;
        let reserved = count.min(MAX_RESERVED / size_of::<T>().max(1));
        self.nested(|reader| {
            let mut elements = Vec::with_capacity(reserved);
            if min_len == 0 {
                reader.sparse(count, &mut elements, element)?;
                return Ok(elements);
            }
            for _ in 0..count {
                elements.push(element(reader)?);
            }
            Ok(elements)
        })
    }

    /// Elements that may take no bytes, of which there are not too many in all arrays together.
    fn sparse<T>(
        &mut self,
        count: usize,
        elements: &mut Vec<T>,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<(), DecodeError> {
        let limit = self.source.len().saturating_add(MAX_EMPTY_ELEMENTS as usize);
        for _ in 0..count {
            let before = self.at;
            elements.push(element(self)?);
            if self.at == before {
                self.empty += 1;
                if self.empty > limit {
                    return Err(DecodeError::TooManyEmpty { at: self.at, limit });
                }
            }
        }
        Ok(())
    }

    /// Runs `inner` one level deeper.
    ///
    /// # Errors
    ///
    /// [`DecodeError::TooDeep`], or that of `inner`.
    #[inline]
    pub fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if self.depth == self.max_depth {
            return Err(DecodeError::TooDeep { at: self.at, limit: self.max_depth });
        }
        self.depth += 1;
        let value = inner(self);
        self.depth -= 1;
        value
    }
}

impl Decode for () {
    const MIN_LEN: usize = 0;

    fn decode(_reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

/// Any byte but `00` is true, as the deployed serializers read it.
impl Decode for bool {
    const MIN_LEN: usize = 1;

    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let byte = *reader
            .peek()
            .first()
            .ok_or(DecodeError::UnexpectedEnd { at: reader.at, missing: 1 })?;
        reader.at += 1;
        Ok(byte != 0)
    }
}

impl Decode for i64 {
    const MIN_LEN: usize = 1;

    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.integer()
    }
}

macro_rules! integers {
    ($($type:ty as $wide:ty),+ $(,)?) => {
        $(impl Decode for $type {
            const MIN_LEN: usize = 1;

            #[inline]
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let at = reader.position();
                let overflow = DecodeError::IntegerOverflow { at, bits: <$type>::BITS };
                match <$wide>::decode(reader) {
                    Ok(value) => value.try_into().map_err(|_| overflow),
                    Err(DecodeError::IntegerOverflow { .. }) => Err(overflow),
                    Err(error) => Err(error),
                }
            }
        })+
    };
}

integers!(i16 as i64, i32 as i64, u16 as i64, u32 as i64, u64 as i128);

impl Decode for i128 {
    const MIN_LEN: usize = 1;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let taken = integer::take_wide(reader.peek());
        let (value, len) = taken.map_err(|fault| reader.fault(fault, 128))?;
        reader.at += len;
        Ok(value)
    }
}

impl Decode for f64 {
    const MIN_LEN: usize = 8;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.at;
        reader.skip(8)?;
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&reader.source[start..start + 8]);
        Ok(f64::from_be_bytes(bytes))
    }
}

/// The nearest to what was sent, which has 53 bits where this has 24. A number that is finite and
/// beyond the range is [`DecodeError::NotAllowed`].
impl Decode for f32 {
    const MIN_LEN: usize = 8;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = reader.position();
        let wide = f64::decode(reader)?;
        let value = wide as Self;
        if value.is_infinite() && wide.is_finite() {
            let reason = "a number that does not fit in single precision";
            return Err(DecodeError::NotAllowed { at, reason });
        }
        Ok(value)
    }
}

impl Decode for Bytes {
    const MIN_LEN: usize = 1;

    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.count(1)?;
        reader.take(count)
    }
}

impl Decode for ByteString {
    const MIN_LEN: usize = 1;

    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.count(1)?;
        let at = reader.at;
        ByteString::try_from(reader.take(count)?).map_err(|_| DecodeError::NotUtf8 { at })
    }
}

/// A copy; a [`ByteString`] is a slice of what was decoded.
impl Decode for String {
    const MIN_LEN: usize = 1;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        ByteString::decode(reader).map(Self::from)
    }
}

impl<T: Decode> Decode for Vec<T> {
    const MIN_LEN: usize = 1;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array(T::MIN_LEN, T::decode)
    }
}

impl<T: Decode> Decode for Option<T> {
    const MIN_LEN: usize = 1;

    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.index(2)? {
            0 => Ok(None),
            _ => Ok(Some(T::decode(reader)?)),
        }
    }
}

/// For recursive types; one level deeper.
impl<T: Decode> Decode for Box<T> {
    // a constant that asked `T` would not end for a recursive type
    const MIN_LEN: usize = 0;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.nested(|reader| Ok(Box::new(T::decode(reader)?)))
    }
}
