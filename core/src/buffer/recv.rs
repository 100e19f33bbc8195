use bytes::BytesMut;

/// Bytes that arrived and that the machine has not taken yet.
///
/// The driver appends to [`bytes`](Self::bytes) and sets [`eof`](Self::eof); the machine takes whole
/// messages from the front, without copying them, and says with [`want`](Self::want) how many bytes it needs in
/// all before the next poll can come to anything. Zero means that it is held up by something else,
/// and nothing should be read: that is the backpressure.
#[derive(Debug, Default)]
pub struct RecvBuf {
    /// What arrived, oldest first.
    pub bytes: BytesMut,
    /// The peer ended its stream: it will send nothing more. A socket that failed is no such end. At a message boundary that is a close, inside a message
    /// the message is truncated.
    pub eof: bool,
    wanted: usize,
}

impl RecvBuf {
    /// An empty buffer without an allocation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For machines: the next poll needs `total` bytes to be here, counted from the front of
    /// [`bytes`](Self::bytes). Call it only with a `total` that was held against a limit.
    pub fn want(&mut self, total: usize) {
        self.wanted = total;
    }

    /// How many bytes the machine asked for in all.
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// For drivers: how many bytes are missing. Zero means: do not read now.
    #[must_use]
    pub fn missing(&self) -> usize {
        if self.eof { 0 } else { self.wanted.saturating_sub(self.bytes.len()) }
    }

    /// For drivers that have the bytes in a slice: append a copy of them.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}
