use alloc::vec::Vec;
use core::mem;

use bytes::{Bytes, BytesMut};

/// Where bytes that are written go: a queue, or memory.
pub trait Writer {
    /// Appends a copy of `bytes`.
    fn put_slice(&mut self, bytes: &[u8]);

    /// Appends `bytes`, by reference where the writer can and where that is worth it.
    fn put_bytes(&mut self, bytes: &Bytes) {
        self.put_slice(bytes);
    }

    /// Appends what `write` writes to the start of the memory that it is given, and says how many
    /// bytes that is: at most `MOST`. There are as many, but for the end of memory that has the
    /// exact size. Whatever else it writes there is written over.
    ///
    /// # Panics
    ///
    /// It may where `write` says more than there was memory for.
    #[inline]
    fn put_with<const MOST: usize>(&mut self, write: impl FnOnce(&mut [u8]) -> usize) {
        let mut bytes = [0; MOST];
        let len = write(&mut bytes);
        self.put_slice(&bytes[..len]);
    }
}

impl Writer for Vec<u8> {
    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Writer for BytesMut {
    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes the first `len` of `bytes` to the start of `to`, and gives `len`: for
/// [`Writer::put_with`]. A copy of a length that is known takes a fraction of the instructions, so
/// all are copied where there is memory for them.
#[inline]
pub(crate) fn write_word(bytes: [u8; 8], len: usize, to: &mut [u8]) -> usize {
    match to.first_chunk_mut() {
        Some(to) => *to = bytes,
        None => write_start(u64::from_be_bytes(bytes), len, to),
    }
    len
}

/// The same at the end of the memory.
#[cold]
fn write_start(word: u64, len: usize, to: &mut [u8]) {
    to[..len].copy_from_slice(&word.to_be_bytes()[..len]);
}

/// Memory of the size that is needed, which is written from its start on.
///
/// # Panics
///
/// Where more is written than there is room for.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    rest: &'a mut [u8],
}

impl<'a> Room<'a> {
    pub(crate) fn new(memory: &'a mut [u8]) -> Self {
        Self { rest: memory }
    }

    /// `len` bytes, all of which `fill` writes.
    ///
    /// # Panics
    ///
    /// Where it writes more or less.
    #[allow(clippy::slow_vector_initialization, reason = "glibc's calloc looks in no cache")]
    #[inline]
    pub(crate) fn filled(len: usize, fill: impl FnOnce(&mut Room<'_>)) -> Vec<u8> {
        let mut memory = Vec::with_capacity(len);
        memory.resize(len, 0);
        let mut room = Room::new(&mut memory);
        fill(&mut room);
        assert!(room.rest.is_empty(), "{} of {len} bytes are not written", room.rest.len());
        memory
    }
}

impl Writer for Room<'_> {
    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        let (place, rest) = mem::take(&mut self.rest).split_at_mut(bytes.len());
        place.copy_from_slice(bytes);
        self.rest = rest;
    }

    #[inline]
    fn put_with<const MOST: usize>(&mut self, write: impl FnOnce(&mut [u8]) -> usize) {
        let len = write(self.rest);
        self.rest = &mut mem::take(&mut self.rest)[len..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Writes more than it says, where there is memory for it.
    fn put(out: &mut impl Writer, bytes: &[u8]) {
        out.put_with::<8>(|memory| {
            memory.fill(b'x');
            memory[..bytes.len()].copy_from_slice(bytes);
            bytes.len()
        });
    }

    #[test]
    fn what_is_written_in_place_is_as_long_as_it_says() {
        let parts = [&b"abc"[..], b"", b"12345678", b"ABCDE"];
        let mut vec = vec![];
        parts.iter().for_each(|bytes| put(&mut vec, bytes));
        assert_eq!(vec, b"abc12345678ABCDE");
        let room = Room::filled(16, |room| parts.iter().for_each(|bytes| put(room, bytes)));
        assert_eq!(room, vec);
    }

    #[test]
    #[should_panic(expected = "1 of 4 bytes are not written")]
    fn less_than_there_is_room_for() {
        Room::filled(4, |room| room.put_slice(b"abc"));
    }

    #[test]
    #[should_panic(expected = "mid > len")]
    fn more_than_there_is_room_for() {
        Room::new(&mut [0; 2]).put_slice(b"abc");
    }
}
