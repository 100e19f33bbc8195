//! Memory for reads, used again.
//!
//! Messages are slices of the block that they were read into, so a connection whose messages still
//! wait needs another block for the next read. Blocks that were given back and freed each time
//! would go to the system and come again, page by page: at 1 MiB a message that cost half of the
//! speed. So what was read full is kept here, and is free again when the last message of it is
//! dropped. A connection that has gone quiet gives its small block back too, and would allocate
//! another one for each request.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;

/// Bytes of a large block: what one read takes.
pub(crate) const SIZE: usize = 64 * 1024;

/// Bytes of a small one: what a read of a quiet connection takes.
pub(crate) const SMALL: usize = 2 * 1024;

/// Blocks of each size that a thread keeps, 2 MiB and 64 KiB: what is in flight between a few busy
/// connections and their applications.
const MOST: usize = 32;

/// Small blocks that connections of this process keep between reads, 2 MiB: those that are busy
/// need no look into a pool, and those that are idle, however many, hold no more than that.
pub(crate) const MOST_KEPT: usize = 1024;

/// Blocks that are looked at for one that is free. The oldest are the likeliest.
const TRIED: usize = 4;

static KEPT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Of each pool, oldest first; free ones, and such whose messages still live.
    static SPENT: [RefCell<VecDeque<BytesMut>>; 2] =
        const { [RefCell::new(VecDeque::new()), RefCell::new(VecDeque::new())] };
}

/// The blocks of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Of [`SMALL`] bytes.
    Small,
    /// Of [`SIZE`] bytes.
    Large,
}

impl Pool {
    const fn size(self) -> usize {
        match self {
            Self::Small => SMALL,
            Self::Large => SIZE,
        }
    }

    /// An empty block.
    pub(crate) fn take(self) -> BytesMut {
        self.with_spent(|spent| {
            for _ in 0..spent.len().min(TRIED) {
                let Some(mut block) = spent.pop_front() else { break };
                if block.try_reclaim(self.size()) {
                    return block;
                }
                spent.push_back(block);
            }
            BytesMut::with_capacity(self.size())
        })
    }

    /// Keeps a block that [`take`](Self::take) gave. What is in it is gone; what was split off from
    /// it stays.
    pub(crate) fn give(self, mut block: BytesMut) {
        block.clear();
        self.with_spent(|spent| {
            if spent.len() == MOST {
                // somebody may keep its messages for ever
                spent.pop_front();
            }
            spent.push_back(block);
        });
    }

    fn with_spent<T>(self, use_it: impl FnOnce(&mut VecDeque<BytesMut>) -> T) -> T {
        SPENT.with(|spent| use_it(&mut spent[self as usize].borrow_mut()))
    }
}

/// One of the small blocks that connections keep between reads.
#[derive(Debug)]
pub(crate) struct KeptBlock(());

impl KeptBlock {
    /// Unless as many are kept as may be.
    pub(crate) fn new() -> Option<Self> {
        let one_more = |kept| (kept < MOST_KEPT).then_some(kept + 1);
        // nothing else hangs on the count
        KEPT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self(()))
    }
}

impl Drop for KeptBlock {
    fn drop(&mut self) {
        KEPT.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_again_once_its_messages_are_gone() {
        let mut block = Pool::Large.take();
        let memory = block.as_ptr();
        block.extend_from_slice(b"message and rest");
        let message = block.split_to(7);
        Pool::Large.give(block);
        let other = Pool::Large.take();
        assert_ne!(other.as_ptr(), memory);
        assert_eq!(message, "message");
        drop(message);
        let again = Pool::Large.take();
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (memory, 0, SIZE));
    }

    #[test]
    fn a_thread_keeps_so_many_and_no_more() {
        for pool in [Pool::Small, Pool::Large] {
            let blocks: Vec<_> = (0..2 * MOST).map(|_| pool.take()).collect();
            blocks.into_iter().for_each(|block| pool.give(block));
            assert_eq!(pool.with_spent(|spent| spent.len()), MOST);
        }
    }
}
