//! What streams over other streams, or of other libraries, have in common.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};

/// The addresses of a stream that has none of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamAddresses {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl Default for StreamAddresses {
    /// `0.0.0.0:0` as both.
    fn default() -> Self {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self { local: nowhere, remote: nowhere }
    }
}

/// Bytes that a stream with a buffer took and that are not flushed.
#[derive(Debug, Default)]
pub(crate) struct Unflushed(usize);

impl Unflushed {
    /// Writes, unless what was taken before waits, and is ready with the count once it is flushed:
    /// bytes that are given are on their way without another call.
    pub(crate) fn poll_write<S>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        write: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<io::Result<usize>>,
        flush: impl FnOnce(&mut S, &mut Context<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<usize>> {
        if self.0 == 0 {
            self.0 = ready!(write(stream, cx))?;
        }
        ready!(flush(stream, cx))?;
        Poll::Ready(Ok(mem::take(&mut self.0)))
    }
}

/// Bytes of a stream that were read before it was handed on. Once they are taken, nothing is left
/// of the memory that they were read into.
#[derive(Debug, Default)]
pub(crate) struct Early(Bytes);

impl Early {
    pub(crate) fn new(bytes: Bytes) -> Self {
        // also none keep their memory
        Self(if bytes.is_empty() { Bytes::new() } else { bytes })
    }

    /// How many there still are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves at most `most` of them to `into`, and gives their count; `None` where there are none
    /// any more.
    pub(crate) fn take(&mut self, into: &mut BytesMut, most: usize) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let count = most.min(self.0.len());
        into.extend_from_slice(&self.0[..count]);
        self.0.advance(count);
        *self = Self::new(mem::take(&mut self.0));
        Some(count)
    }
}

/// What a stream says of itself, as the one in its field says it.
macro_rules! facts_of_field {
    ($field:ident) => {
        fn has_unread(&mut self, cx: &mut std::task::Context<'_>) -> std::io::Result<bool> {
            self.$field.has_unread(cx)
        }

        fn may_write_here(&self) -> bool {
            self.$field.may_write_here()
        }

        fn idle_timeout(&self) -> Option<std::time::Duration> {
            self.$field.idle_timeout()
        }

        fn local_addr(&self) -> std::io::Result<std::net::SocketAddr> {
            self.$field.local_addr()
        }

        fn peer_addr(&self) -> std::io::Result<std::net::SocketAddr> {
            self.$field.peer_addr()
        }
    };
}
pub(crate) use facts_of_field;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_early_keeps_no_memory_once_it_is_taken() {
        for text in ["", "GET"] {
            let mut block = BytesMut::with_capacity(8 * 1024);
            block.extend_from_slice(text.as_bytes());
            let mut early = Early::new(block.split().freeze());
            let mut into = BytesMut::new();
            while early.take(&mut into, 2).is_some() {}
            assert_eq!(into, text);
            // nobody else has it
            assert!(block.try_reclaim(8 * 1024));
        }
    }
}
