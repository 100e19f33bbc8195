//! Memory for large reads, used again.
//!
//! Messages are slices of the block that they were read into, so a connection whose messages still
//! wait needs another block for the next read. Blocks that were given back and freed each time
//! would go to the system and come again, page by page: at 1 MiB a message that cost half of the
//! speed. So what was read full is kept here, and is free again when the last message of it is
//! dropped.

use std::cell::RefCell;
use std::collections::VecDeque;

use bytes::BytesMut;

/// Bytes of a block: what one read takes.
pub(crate) const SIZE: usize = 64 * 1024;

/// Blocks that a thread keeps, 2 MiB: what is in flight between a few busy connections and their
/// applications.
const MOST: usize = 32;

/// Blocks that are looked at for one that is free. The oldest are the likeliest.
const TRIED: usize = 4;

thread_local! {
    /// Oldest first; free ones, and such whose messages still live.
    static SPENT: RefCell<VecDeque<BytesMut>> = const { RefCell::new(VecDeque::new()) };
}

/// An empty block of [`SIZE`].
pub(crate) fn take() -> BytesMut {
    SPENT.with_borrow_mut(|spent| {
        for _ in 0..spent.len().min(TRIED) {
            let Some(mut block) = spent.pop_front() else { break };
            if block.try_reclaim(SIZE) {
                return block;
            }
            spent.push_back(block);
        }
        BytesMut::with_capacity(SIZE)
    })
}

/// Keeps a block that [`take`] gave. What is in it is gone; what was split off from it stays.
pub(crate) fn give(mut block: BytesMut) {
    block.clear();
    SPENT.with_borrow_mut(|spent| {
        if spent.len() == MOST {
            // somebody may keep its messages for ever
            spent.pop_front();
        }
        spent.push_back(block);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_used_again_once_its_messages_are_gone() {
        let mut block = take();
        let memory = block.as_ptr();
        block.extend_from_slice(b"message and rest");
        let message = block.split_to(7);
        give(block);
        let other = take();
        assert_ne!(other.as_ptr(), memory);
        assert_eq!(message, "message");
        drop(message);
        let again = take();
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (memory, 0, SIZE));
    }

    #[test]
    fn a_thread_keeps_so_many_and_no_more() {
        let blocks: Vec<_> = (0..2 * MOST).map(|_| take()).collect();
        blocks.into_iter().for_each(give);
        assert_eq!(SPENT.with_borrow(VecDeque::len), MOST);
    }
}
