//! Guesses which sent message may have been too large for the peer.

use crate::buffer::SendQueue;
use crate::protocol::TooLarge;

/// The least message that a peer may have ended the connection for, 1 MiB: no end has a lower limit
/// by default.
const LEAST: usize = 1024 * 1024;

/// The large messages that were sent and that the peer has not shown to have taken: whatever it
/// sends after they were written, it has not ended the connection for them.
#[derive(Debug, Default)]
pub(crate) struct Large {
    /// Bytes of the largest; 0 where there is none.
    size: usize,
    /// Where in the send queue the last ends.
    end: u64,
}

impl Large {
    /// A message of `size` bytes was queued.
    #[inline]
    pub(crate) fn queued(&mut self, size: usize, tx: &SendQueue) {
        if size >= LEAST {
            self.note(size, tx);
        }
    }

    #[cold]
    fn note(&mut self, size: usize, tx: &SendQueue) {
        self.size = self.size.max(size);
        self.end = tx.end();
    }

    /// Something came.
    #[inline]
    pub(crate) fn received(&mut self, tx: &SendQueue) {
        if self.size > 0 && self.end <= tx.sent() {
            self.size = 0;
        }
    }

    pub(crate) fn unanswered(&self) -> Option<TooLarge> {
        (self.size > 0).then_some(TooLarge::Unanswered { size: self.size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Buf;

    use crate::buffer::Writer;

    #[test]
    fn what_comes_before_it_is_written_says_nothing_of_it() {
        let (mut large, mut tx) = (Large::default(), SendQueue::new());
        tx.put_slice(&[0; LEAST]);
        large.queued(LEAST - 1, &tx);
        assert_eq!(large.unanswered(), None);
        large.queued(LEAST, &tx);
        tx.advance(LEAST - 1);
        large.received(&tx);
        assert_eq!(large.unanswered(), Some(TooLarge::Unanswered { size: LEAST }));
        tx.advance(1);
        large.received(&tx);
        assert_eq!(large.unanswered(), None);
    }
}
