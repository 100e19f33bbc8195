//! Where a driver reads to: how much at a time, and into which memory.
//!
//! ```text
//! asked for   2 KiB ──full──> 4 KiB ── … ──> 64 KiB          a quiet connection holds little
//!               <── two short in a row ──                    one is the end of a message
//! memory      a buffer of the connection's own               a block that the thread uses again
//! ```

use std::io;
use std::mem;
use std::task::{Context, Poll};

use crate::buffer_pool;
use crate::runtime::Stream;
use hat_core::buffer::RecvBuf;

/// Bytes that one read asks for: the least, so that an idle connection holds little, and the most.
const READ: std::ops::RangeInclusive<usize> = 2 * 1024..=buffer_pool::SIZE;

/// Bytes that one read takes of a message that is known to be large.
const LARGE_READ: usize = 256 * 1024;

/// What was read and not taken yet, and what the next read will be.
pub(crate) struct ReadBuffer {
    pub(crate) rx: RecvBuf,
    /// Bytes that the machine needs before it can go on; zero: nothing is read.
    pub(crate) missing: usize,
    size: Size,
    /// What is read goes to a block that is used again.
    block: bool,
    /// Bytes that were read since the driver was woken.
    taken: usize,
    /// Bytes that the last read took.
    last: usize,
}

impl ReadBuffer {
    pub(crate) fn new() -> Self {
        Self {
            rx: RecvBuf::new(),
            missing: 0,
            size: Size::default(),
            block: false,
            taken: 0,
            last: 0,
        }
    }

    /// The driver was woken.
    pub(crate) fn woken(&mut self) {
        self.taken = 0;
    }

    /// So much was read since the driver was woken that those who take it should have their turn,
    /// while it is in the processor's cache. That is worth a seventh of the time at 1 MiB a
    /// message, and who answers part by part begins earlier.
    pub(crate) fn is_enough(&self) -> bool {
        self.taken >= buffer_pool::SIZE
    }

    /// Bytes that the last read took.
    pub(crate) fn last_read(&self) -> usize {
        self.last
    }

    /// Reads once; what came, the end included, is in `rx`.
    pub(crate) fn poll_read(
        &mut self,
        stream: &mut impl Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let most = self.make_room();
        let Poll::Ready(read) = stream.poll_read(cx, &mut self.rx.bytes, most) else {
            self.give_back();
            return Poll::Pending;
        };
        let count = read?;
        self.taken += count;
        self.last = count;
        self.rx.eof = count == 0;
        self.size.took(count);
        Poll::Ready(Ok(()))
    }

    /// Makes room for the next read and gives how many bytes it may take.
    fn make_room(&mut self) -> usize {
        let (missing, bytes) = (self.missing, &mut self.rx.bytes);
        let (here, size) = (bytes.len(), self.size.bytes);
        if size < buffer_pool::SIZE || here.max(missing) > buffer_pool::SIZE / 2 {
            self.block &= bytes.capacity() - here >= size.max(missing);
            // what is only announced takes no memory: room for as much again as is here. The buffer
            // doubles on its own besides, so it is up to four times of that (33.5 MB with 10 MB
            // here)
            let room = size.max(missing.min(here));
            bytes.reserve(room);
            return size.max(room.min(LARGE_READ));
        }
        if bytes.capacity() - here < buffer_pool::SIZE / 2
            && !bytes.try_reclaim(buffer_pool::SIZE - here)
        {
            let mut block = buffer_pool::take();
            block.extend_from_slice(bytes);
            let spent = mem::replace(bytes, block);
            if mem::replace(&mut self.block, true) {
                buffer_pool::give(spent);
            }
        }
        size.min(bytes.capacity() - here)
    }

    /// Nothing is there to be read: memory that is not needed meanwhile goes where others have it.
    fn give_back(&mut self) {
        if self.block && self.rx.bytes.is_empty() {
            self.block = false;
            buffer_pool::give(mem::take(&mut self.rx.bytes));
        } else if self.taken == 0 {
            // woken for something else, so nothing comes in at a rate that would miss the memory
            self.rx.release();
        }
    }
}

/// How much a read asks for.
#[derive(Debug)]
struct Size {
    bytes: usize,
    /// The last read took little of it.
    short: bool,
}

impl Default for Size {
    fn default() -> Self {
        Self { bytes: *READ.start(), short: false }
    }
}

impl Size {
    /// A read took `count` bytes.
    fn took(&mut self, count: usize) {
        let short = count < self.bytes / 4;
        // the rest of a message that was a little too large for the read before is no sign of
        // smaller ones
        if count >= self.bytes {
            self.bytes = (self.bytes * 2).min(*READ.end());
        } else if short && self.short {
            self.bytes = (self.bytes / 2).max(*READ.start());
        }
        self.short = short;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io::IoSlice;
    use std::net::SocketAddr;
    use std::task::Waker;

    use bytes::{Buf, BytesMut};
    use hat_core::chatter::{Config, Connection};
    use hat_core::protocol::Protocol;
    use hat_core::time::Instant;

    use super::*;

    /// What a peer sent, read by read.
    struct Sent(VecDeque<Vec<u8>>);

    impl Stream for Sent {
        fn poll_read(
            &mut self,
            _cx: &mut Context<'_>,
            into: &mut BytesMut,
            most: usize,
        ) -> Poll<io::Result<usize>> {
            let Some(next) = self.0.front_mut() else { return Poll::Pending };
            let count = next.len().min(most);
            into.extend_from_slice(&next[..count]);
            next.drain(..count);
            if next.is_empty() {
                self.0.pop_front();
            }
            Poll::Ready(Ok(count))
        }

        fn poll_write(
            &mut self,
            _cx: &mut Context<'_>,
            _parts: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn local_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::NotConnected.into())
        }

        fn peer_addr(&self) -> io::Result<SocketAddr> {
            Err(io::ErrorKind::NotConnected.into())
        }
    }

    /// Feeds a Chatter machine with what is sent, as the driver does, until there is no more.
    fn feed(sent: &[u8], grain: usize) -> ReadBuffer {
        let mut stream = Sent(sent.chunks(grain).map(<[u8]>::to_vec).collect());
        let mut machine = Connection::new(Config::default(), Instant::ORIGIN);
        let mut input = ReadBuffer::new();
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            input.woken();
            let polled = machine.poll(&mut input.rx, Instant::ORIGIN).expect("within the limits");
            input.missing = polled.missing();
            assert!(input.missing > 0, "{} bytes are here", input.rx.bytes.remaining());
            if input.poll_read(&mut stream, &mut cx).is_pending() {
                return input;
            }
        }
    }

    /// A hundred connections that announce 64 MiB each and send no more than that: all of them hold
    /// less than one of these messages would take.
    #[test]
    fn what_is_announced_takes_no_memory() {
        let announced = b"\x04\x03\xff\xff\xff";
        let held = (0..100).map(|_| feed(announced, 5).rx.bytes.capacity()).sum::<usize>();
        assert!(held <= 100 * 4 * 1024, "{held} bytes for 100 connections");
    }

    /// The sizes after reads of these counts.
    fn after(counts: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut size = Size::default();
        let after = |count| {
            size.took(count);
            size.bytes
        };
        counts.into_iter().map(after).collect()
    }

    #[test]
    fn reads_grow_with_what_comes_and_shrink_again() {
        assert_eq!(
            after([2048, 4000, 4096, 8192, 16384, 32768, 65536]),
            [4096, 4096, 8192, 16384, 32768, 65536, 65536]
        );
        assert_eq!(after([2048, 4096, 8, 8, 8, 8]), [4096, 8192, 8192, 4096, 2048, 2048]);
    }

    /// 64 KiB in TPDUs of 2 KiB are 231 octets more than a read takes.
    #[test]
    fn the_end_of_a_message_does_not_shrink_the_next_read() {
        let grown = [2048, 4096, 8192, 16384, 32768];
        let messages = [65536, 231].repeat(3);
        assert_eq!(after(grown.into_iter().chain(messages))[4..], [65536; 7]);
    }
}
