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
}

impl Writer for Vec<u8> {
    fn put_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Writer for BytesMut {
    fn put_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
