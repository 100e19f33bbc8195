use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

/// Where bytes that are written go: a queue, or memory.
pub trait Writer {
    /// Appends a copy of `bytes`.
    fn put_slice(&mut self, bytes: &[u8]);

    /// Appends `bytes`, by reference where the writer can and where that is worth it.
    fn put_bytes(&mut self, bytes: &Bytes) {
        self.put_slice(bytes);
    }

    /// Appends the first `len` of `bytes`, at most all 8. Writers that have room for all copy all,
    /// and write what comes next over the rest: a copy of a length that is known takes a fraction
    /// of the instructions.
    ///
    /// # Panics
    ///
    /// It may where `len` is more than 8.
    #[inline]
    fn put_word(&mut self, bytes: [u8; 8], len: usize) {
        self.put_slice(&bytes[..len]);
    }
}

/// Its memory grows for what is meant only: of one that has its exact size, nothing moves.
impl Writer for Vec<u8> {
    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[inline]
    fn put_word(&mut self, bytes: [u8; 8], len: usize) {
        if self.capacity() - self.len() < bytes.len() {
            return self.extend_from_slice(&bytes[..len]);
        }
        let end = self.len() + len;
        self.extend_from_slice(&bytes);
        self.truncate(end);
    }
}

impl Writer for BytesMut {
    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// With room for all of a word, and without.
    #[test]
    fn of_a_word_its_start_is_appended() {
        for capacity in [0, 5, 64] {
            let mut out = Vec::with_capacity(capacity);
            let mut expected = vec![];
            for len in [3, 0, 8, 2, 1] {
                out.put_word(*b"abcdefgh", len);
                expected.extend_from_slice(&b"abcdefgh"[..len]);
                assert_eq!(out, expected);
            }
        }
        let mut exact = Vec::with_capacity(5);
        exact.put_word(*b"abcdefgh", 3);
        exact.put_word(*b"abcdefgh", 2);
        assert_eq!((&exact[..], exact.capacity()), (&b"abcab"[..], 5));
    }
}
