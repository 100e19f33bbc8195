//! What the machine itself answers, until it is written: a peer that asks and never reads must be
//! stopped.

use alloc::collections::VecDeque;

use crate::buffer::SendQueue;

/// Pongs, echoes and refusals that wait to be written. They are queued over a full queue too, and
/// while there are too many, or too large ones, nothing more is read.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// Where each of them ends in the send queue, and how many bytes it takes.
    waiting: VecDeque<(u64, usize)>,
    bytes: usize,
}

impl Replies {
    /// A reply was queued, as the last thing in `tx`; `before` is where the queue ended without it.
    pub(super) fn queued(&mut self, before: u64, tx: &SendQueue) {
        let size = usize::try_from(tx.end() - before).unwrap_or(usize::MAX);
        self.waiting.push_back((tx.end(), size));
        self.bytes += size;
    }

    /// Whether at least `count` replies, or `bytes` of them, wait to be written.
    pub(super) fn hold_up(&mut self, tx: &SendQueue, count: usize, bytes: usize) -> bool {
        while let Some(&(end, size)) = self.waiting.front()
            && end <= tx.front()
        {
            self.bytes -= size;
            self.waiting.pop_front();
        }
        self.held_up(count, bytes)
    }

    /// The same, as of the last time that it was asked.
    pub(super) fn held_up(&self, count: usize, bytes: usize) -> bool {
        self.waiting.len() >= count || (self.bytes > 0 && self.bytes >= bytes)
    }

    /// Nothing is read any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
