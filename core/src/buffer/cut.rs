use bytes::{Buf, Bytes};

/// The most bytes of a header that stands in front of every segment.
pub(super) const MAX_HEADER: usize = 15;

/// A header of any length up to [`MAX_HEADER`], without memory of its own.
#[derive(Debug)]
struct Header {
    bytes: [u8; MAX_HEADER],
    len: u8,
}

impl Header {
    fn new(header: &[u8]) -> Self {
        let mut bytes = [0; MAX_HEADER];
        bytes[..header.len()].copy_from_slice(header);
        Self { bytes, len: header.len() as u8 }
    }

    fn len(&self) -> usize {
        self.len.into()
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len()]
    }
}

/// A payload that goes out in segments, all of one size and with one header. The segments are made
/// as they are written: one reference for all of them.
///
/// ```text
/// h |<-- each -->| h |<-- each -->| h |<-- each -->|
///      ^ written up to here: 0 bytes of the header left, some of the first segment
/// ```
#[derive(Debug)]
pub(super) struct Cut {
    header: Header,
    data: Bytes,
    each: usize,
    /// Bytes of the first segment's header that are not written.
    header_left: usize,
    /// Bytes of the first segment that are not written; all others are whole.
    first: usize,
}

impl Cut {
    /// # Panics
    ///
    /// If `data` is empty, or not in whole segments, or the header is too long.
    pub(super) fn new(header: &[u8], data: Bytes, each: usize) -> Self {
        assert!(!data.is_empty() && data.len().is_multiple_of(each), "whole segments");
        Self { header: Header::new(header), data, each, header_left: header.len(), first: each }
    }

    /// Bytes that are left, the headers included. Zero only where all is written.
    pub(super) fn len(&self) -> usize {
        let others = (self.data.len() - self.first) / self.each;
        self.header_left + self.first + others * (self.header.len() + self.each)
    }

    /// The first slice of what is left.
    pub(super) fn chunk(&self) -> &[u8] {
        self.chunks().next().unwrap_or_default()
    }

    /// What is left, slice by slice.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let (first, others) = self.data.split_at(self.first);
        let whole = self.header.bytes();
        let header = &whole[whole.len() - self.header_left..];
        let others = others.chunks(self.each).flat_map(move |segment| [whole, segment]);
        [header, first].into_iter().chain(others).filter(|chunk| !chunk.is_empty())
    }

    /// `count` more bytes are written, at most [`len`](Self::len).
    pub(super) fn advance(&mut self, count: usize) {
        let of_first = self.header_left + self.first;
        if count < of_first {
            return self.advance_first(count);
        }
        let one = self.header.len() + self.each;
        let (whole, count) = ((count - of_first) / one, (count - of_first) % one);
        self.data.advance(self.first + whole * self.each);
        // none is left where the last was written
        self.first = self.each.min(self.data.len());
        self.header_left = if self.first == 0 { 0 } else { self.header.len() };
        self.advance_first(count);
    }

    fn advance_first(&mut self, count: usize) {
        let of_header = count.min(self.header_left);
        self.header_left -= of_header;
        self.data.advance(count - of_header);
        self.first -= count - of_header;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn however_much_is_written_at_a_time_the_bytes_are_the_same() {
        let data = Bytes::from_static(b"abcdefghijkl");
        let all = b"<hhhhh>abcd<hhhhh>efgh<hhhhh>ijkl";
        for step in 1..=all.len() {
            let mut cut = Cut::new(b"<hhhhh>", data.clone(), 4);
            for at in (0..all.len()).step_by(step) {
                assert_eq!(cut.len(), all.len() - at);
                assert_eq!(cut.chunks().collect::<Vec<_>>().concat(), all[at..]);
                cut.advance(step.min(cut.len()));
            }
            assert_eq!((cut.len(), cut.chunks().count()), (0, 0));
        }
    }
}
