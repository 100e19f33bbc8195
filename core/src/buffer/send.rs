use alloc::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use super::cut::Cut;
use super::{Room, Writer};

/// Payloads from this size on (bytes) are queued by reference. Below it a copy into the gathered
/// tail costs less than a part of its own, with two small allocations, and one more slice in the
/// vectored write.
const BY_REFERENCE: usize = 4096;

/// Segments from this size on (bytes) are cut by reference: all of a payload are one part.
const CUT: usize = 1024;

/// The gathered tail is closed at this size (bytes), so that a queue that grows never copies what
/// it holds, and is not kept when it drained and was larger.
const TAIL: usize = 64 * 1024;

/// The least size of the tail (bytes).
const LEAST: usize = 64;

/// Bytes behind the room for a message that [`Writer::put_with`] may write to, and that what comes
/// next is written over.
const SLACK: usize = 8;

/// Parts that one system call takes: 64 KiB in COTP segments of 2 KiB are 66.
#[cfg(feature = "std")]
const WRITE_PARTS: usize = 128;

/// What a machine wants written, in order: small messages gathered into one run of bytes, large
/// payloads by reference.
///
/// It is a [`Buf`]: write [`chunk`](Buf::chunk), or better
/// [`chunks_vectored`](Buf::chunks_vectored), then [`advance`](Buf::advance) by what the socket
/// took.
#[derive(Debug, Default)]
pub struct SendQueue {
    /// Closed parts, written first.
    parts: VecDeque<Part>,
    /// Where small messages gather; written after `parts`. They are written in place: what waits
    /// stands from `start` to `end`, and there is more behind it. Both are 0 where nothing waits.
    tail: BytesMut,
    start: usize,
    end: usize,
    /// Bytes in `parts`.
    parts_len: usize,
    /// Bytes ever taken by the socket.
    sent: u64,
    /// Bytes that were dropped, and will never be sent.
    dropped: u64,
}

#[derive(Debug)]
enum Part {
    Whole(Bytes),
    Cut(Cut),
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Cut(cut) => cut.len(),
        }
    }

    #[cfg(feature = "std")]
    fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let (whole, cut) = match self {
            Self::Whole(bytes) => (Some(&bytes[..]), None),
            Self::Cut(cut) => (None, Some(cut)),
        };
        whole.into_iter().chain(cut.into_iter().flat_map(Cut::chunks))
    }

    fn advance(&mut self, count: usize) {
        match self {
            Self::Whole(bytes) => bytes.advance(count),
            Self::Cut(cut) => cut.advance(count),
        }
    }
}

impl SendQueue {
    /// An empty queue without an allocation.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes waiting to be written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts_len + self.end - self.start
    }

    /// Nothing waits to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes ever taken by the socket, over the life of the queue.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// The position behind the last byte queued, on the scale of [`sent`](Self::sent): once `sent`
    /// reaches it, all that was queued up to now is with the system. It never does where something
    /// of that was [dropped](Self::clear).
    #[must_use]
    pub fn end(&self) -> u64 {
        self.front() + self.len() as u64
    }

    /// The position of the first byte that waits, on the same scale: what is before it is with the
    /// system, or was [dropped](Self::clear), and waits no more.
    #[must_use]
    pub fn front(&self) -> u64 {
        self.sent + self.dropped
    }

    /// Drops everything that waits. For connections that are over.
    pub fn clear(&mut self) {
        self.dropped += self.len() as u64;
        self.parts.clear();
        self.parts_len = 0;
        self.tail = BytesMut::new();
        (self.start, self.end) = (0, 0);
    }

    /// Appends `data` with `header`, at most [`MAX_HEADER`](super::cut::MAX_HEADER) bytes, in front
    /// of every `each` bytes of it: a whole number of times, and not zero. Large segments go by
    /// reference.
    pub(crate) fn put_cut(&mut self, header: &[u8], data: Bytes, each: usize) {
        if each < CUT {
            return data.chunks(each).for_each(|segment| {
                self.put_slice(header);
                self.put_slice(segment);
            });
        }
        self.close_tail();
        self.put_part(Part::Cut(Cut::new(header, data, each)));
    }

    /// Room for `len` bytes that count as written, for whoever has no more than small parts to
    /// write; `None` where there may be one that goes by reference.
    #[inline]
    pub(crate) fn room(&mut self, len: usize) -> Option<Room<'_>> {
        if len >= BY_REFERENCE {
            return None;
        }
        self.make_room(len + SLACK);
        let start = self.end;
        self.end += len;
        Some(Room::new(&mut self.tail[start..start + len + SLACK]))
    }

    /// Appends the first `len` of `bytes`. A copy of a length that is known takes a fraction of the
    /// instructions, so all are copied; what comes next is written over the rest.
    #[inline]
    pub(crate) fn put_padded<const N: usize>(&mut self, bytes: &[u8; N], len: usize) {
        self.make_room(N);
        self.tail[self.end..self.end + N].copy_from_slice(bytes);
        self.end += len;
    }

    /// Appends a copy of `bytes` that `change` has been over: for bytes that go out masked.
    pub fn put_changed(&mut self, bytes: &[u8], change: impl FnOnce(&mut [u8])) {
        self.put_slice(bytes);
        change(&mut self.tail[self.end - bytes.len()..self.end]);
    }

    /// Writes to `socket`, blocking or not, until it takes no more or all is written, in as few
    /// calls as there are parts for. Gives how many bytes it took; a socket that would block is no
    /// error.
    ///
    /// # Errors
    ///
    /// Those of the socket, and [`WriteZero`](std::io::ErrorKind::WriteZero) where it takes
    /// nothing. [`sent`](Self::sent) counts what was written before.
    #[cfg(feature = "std")]
    pub fn write_to(&mut self, socket: &mut impl std::io::Write) -> std::io::Result<usize> {
        use std::io::{ErrorKind, IoSlice};
        let start = self.sent;
        while self.has_remaining() {
            let mut parts = [IoSlice::new(&[]); WRITE_PARTS];
            let count = self.chunks_vectored(&mut parts);
            match socket.write_vectored(&parts[..count]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok((self.sent - start) as usize)
    }

    /// Sees to it that `len` bytes can be written behind what waits.
    #[inline]
    fn make_room(&mut self, len: usize) {
        if self.tail.len() - self.end < len {
            self.grow(len);
        }
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.rearrange(len);
        let needed = self.end + len;
        if needed > self.tail.len() {
            let size = (2 * self.tail.len()).clamp(LEAST, TAIL).max(needed);
            if self.end == 0 {
                // nothing waits that would have to move along
                self.tail.clear();
            }
            self.tail.resize(size, 0);
        }
    }

    /// The same for bytes that are many: nothing is written there before.
    #[cold]
    fn put_many(&mut self, bytes: &[u8]) {
        self.rearrange(bytes.len());
        self.tail.truncate(self.end);
        self.tail.extend_from_slice(bytes);
        self.end = self.tail.len();
    }

    /// Moves what waits to the start of the tail where it is less than what was written from there,
    /// and closes the tail where it would be too large with `len` bytes more.
    fn rearrange(&mut self, len: usize) {
        let waits = self.end - self.start;
        if self.start > waits {
            self.tail.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, waits);
        }
        if self.end + len > TAIL {
            self.close_tail();
        }
    }

    fn close_tail(&mut self) {
        if self.end > 0 {
            let mut tail = self.tail.split_to(self.end).freeze();
            tail.advance(self.start);
            (self.start, self.end) = (0, 0);
            self.put_part(Part::Whole(tail));
        }
    }

    fn put_part(&mut self, part: Part) {
        self.parts_len += part.len();
        self.parts.push_back(part);
    }
}

impl Writer for SendQueue {
    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        if bytes.len() >= BY_REFERENCE {
            return self.put_many(bytes);
        }
        self.make_room(bytes.len());
        let start = self.end;
        self.end += bytes.len();
        self.tail[start..self.end].copy_from_slice(bytes);
    }

    #[inline]
    fn put_bytes(&mut self, bytes: &Bytes) {
        if bytes.len() < BY_REFERENCE {
            self.put_slice(bytes);
        } else {
            self.close_tail();
            self.put_part(Part::Whole(bytes.clone()));
        }
    }

    #[inline]
    fn put_with<const MOST: usize>(&mut self, write: impl FnOnce(&mut [u8]) -> usize) {
        self.make_room(MOST);
        let len = write(&mut self.tail[self.end..]);
        assert!(len <= MOST, "{len} bytes written, and {MOST} are the most");
        self.end += len;
    }
}

impl Buf for SendQueue {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        match self.parts.front() {
            None => &self.tail[self.start..self.end],
            Some(Part::Whole(bytes)) => bytes,
            Some(Part::Cut(cut)) => cut.chunk(),
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, into: &mut [std::io::IoSlice<'a>]) -> usize {
        let tail = (self.end > 0).then_some(&self.tail[self.start..self.end]);
        let chunks = self.parts.iter().flat_map(Part::chunks).chain(tail);
        let mut filled = 0;
        for (slot, chunk) in into.iter_mut().zip(chunks) {
            *slot = std::io::IoSlice::new(chunk);
            filled += 1;
        }
        filled
    }

    /// # Panics
    ///
    /// If `count` is more than [`remaining`](Buf::remaining).
    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.len(), "advanced by {count} of {} queued bytes", self.len());
        self.sent += count as u64;
        while let Some(part) = self.parts.front_mut() {
            let len = part.len();
            if count < len {
                part.advance(count);
                self.parts_len -= count;
                return;
            }
            count -= len;
            self.parts_len -= len;
            self.parts.pop_front();
        }
        self.start += count;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.tail.capacity() > TAIL {
                self.tail = BytesMut::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn order_is_kept_between_gathered_and_referenced() {
        let mut queue = SendQueue::new();
        let mut expected = Vec::new();
        for (index, size) in [3, 5000, 1, 1, 4096, 70_000, 4095, 5].into_iter().enumerate() {
            let part = Bytes::from(vec![index as u8; size]);
            queue.put_bytes(&part);
            expected.extend_from_slice(&part);
        }
        assert_eq!(queue.len(), expected.len());
        let end = queue.end();
        let mut written = Vec::new();
        while queue.has_remaining() {
            let step = queue.chunk().len().min(1000);
            written.extend_from_slice(&queue.chunk()[..step]);
            queue.advance(step);
        }
        assert!(written == expected);
        assert_eq!(queue.sent(), end);
    }

    proptest! {
        /// However parts are written and taken, they come out whole and in order.
        #[test]
        fn it_is_a_queue(calls in proptest::collection::vec((0_u8..6, 0_usize..9000), 0..60)) {
            let (mut queue, mut expected) = (SendQueue::new(), Vec::new());
            for (count, (call, size)) in calls.into_iter().enumerate() {
                let part = vec![count as u8; size];
                match call {
                    0 => queue.put_slice(&part),
                    1 => queue.put_bytes(&part.clone().into()),
                    2 => queue.put_changed(&part, <[u8]>::reverse),
                    3 => match queue.room(size) {
                        Some(mut room) => room.put_slice(&part),
                        None => queue.put_slice(&part),
                    },
                    4 => queue.put_with::<8>(|to| {
                        to[..8].fill(count as u8);
                        size % 9
                    }),
                    _ => {
                        let size = size.min(queue.chunk().len());
                        prop_assert_eq!(&queue.chunk()[..size], &expected[..size]);
                        queue.advance(size);
                        expected.drain(..size);
                        continue;
                    }
                }
                let written = if call == 4 { size % 9 } else { size };
                expected.extend_from_slice(&vec![count as u8; written]);
                prop_assert_eq!(queue.len(), expected.len());
            }
            prop_assert_eq!(queue.copy_to_bytes(queue.len()), expected);
        }
    }

    #[test]
    fn what_is_dropped_is_never_sent() {
        let mut queue = SendQueue::new();
        queue.put_slice(b"sent");
        queue.advance(4);
        queue.put_slice(b"dropped");
        let end = queue.end();
        queue.clear();
        assert_eq!((queue.len(), queue.sent(), queue.end()), (0, 4, end));
    }

    #[test]
    fn large_payloads_are_not_copied() {
        let payload = Bytes::from(vec![7; 4096]);
        let mut queue = SendQueue::new();
        queue.put_slice(&[1]);
        queue.put_bytes(&payload);
        queue.advance(1);
        assert_eq!(queue.chunk().as_ptr(), payload.as_ptr());
    }

    #[cfg(feature = "std")]
    #[test]
    fn vectored_chunks_hold_everything() {
        let mut queue = SendQueue::new();
        queue.put_slice(b"head");
        queue.put_bytes(&Bytes::from(vec![0; 4096]));
        queue.put_slice(b"tail");
        let mut slices = [std::io::IoSlice::new(&[]); 8];
        assert_eq!(queue.chunks_vectored(&mut slices), 3);
        assert_eq!(slices.iter().map(|slice| slice.len()).sum::<usize>(), queue.len());
    }

    /// Takes `step` bytes a call and is full at `limit`.
    #[cfg(feature = "std")]
    struct Socket {
        taken: Vec<u8>,
        step: usize,
        limit: usize,
    }

    #[cfg(feature = "std")]
    impl std::io::Write for Socket {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let count = bytes.len().min(self.step).min(self.limit - self.taken.len());
            if count == 0 && self.step > 0 {
                return Err(std::io::ErrorKind::WouldBlock.into());
            }
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn a_socket_takes_what_it_can() {
        let mut queue = SendQueue::new();
        queue.put_slice(b"head");
        queue.put_bytes(&Bytes::from(vec![7; 5000]));
        queue.put_slice(b"tail");
        let mut socket = Socket { taken: Vec::new(), step: 1000, limit: 3000 };
        assert_eq!(queue.write_to(&mut socket).expect("full is no error"), 3000);
        assert_eq!(queue.write_to(&mut socket).expect("full is no error"), 0);
        (socket.step, socket.limit) = (usize::MAX, usize::MAX);
        assert_eq!(queue.write_to(&mut socket).expect("room"), 2008);
        assert!(queue.is_empty());
        assert_eq!(socket.taken, [&b"head"[..], &[7; 5000], b"tail"].concat());
        queue.put_slice(b"x");
        socket.step = 0;
        let error = queue.write_to(&mut socket).expect_err("it takes nothing");
        assert_eq!(error.kind(), std::io::ErrorKind::WriteZero);
    }

    #[test]
    #[should_panic(expected = "advanced by 2 of 1 queued bytes")]
    fn advance_past_the_end_is_a_bug_of_the_driver() {
        let mut queue = SendQueue::new();
        queue.put_slice(&[1]);
        queue.advance(2);
    }
}
