use bytes::BytesMut;

/// Bytes that arrived and that the machine has not taken yet.
///
/// The driver appends to [`bytes`](Self::bytes) and sets [`eof`](Self::eof); the machine takes
/// whole messages from the front, without copying them, and says by its answer to a
/// [poll](crate::protocol::Protocol::poll) how many bytes more it needs.
#[derive(Debug, Default)]
pub struct RecvBuf {
    /// What arrived, oldest first.
    pub bytes: BytesMut,
    /// The peer ended its stream: it will send nothing more. A socket that failed is no such end.
    /// At a message boundary that is a close, inside a message the message is truncated.
    pub eof: bool,
}

impl RecvBuf {
    /// An empty buffer without an allocation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// For drivers of connections that have gone quiet: gives the memory back, if nothing is in it.
    /// What was handed out of it, if only a byte, keeps all of it alive, and so does an empty rest
    /// of it.
    pub fn release(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }

    /// For drivers that have the bytes in a slice: append a copy of them.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

/// What is written has arrived: a machine's [`SendQueue::write_to`](super::SendQueue::write_to)
/// feeds another machine without any socket.
#[cfg(feature = "std")]
impl std::io::Write for RecvBuf {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.feed(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_released_holds_nothing() {
        let mut rx = RecvBuf::new();
        rx.feed(&[7; 64 * 1024]);
        let (message, memory) = (rx.bytes.split().freeze(), rx.bytes.capacity());
        // the rest of the same memory: with it, the message is not the only owner
        assert_eq!((memory, message.is_unique()), (0, false));
        rx.release();
        assert!(message.is_unique());
    }

    #[test]
    fn what_has_arrived_stays() {
        let mut rx = RecvBuf::new();
        rx.feed(b"some");
        rx.release();
        assert_eq!(rx.bytes, "some");
    }
}
