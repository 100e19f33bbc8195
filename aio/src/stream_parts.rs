//! What streams over other streams, or of other libraries, have in common.

use std::io;
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
        Poll::Ready(Ok(std::mem::take(&mut self.0)))
    }
}

/// Bytes of a stream that were read before it was handed on.
#[derive(Debug, Default)]
pub(crate) struct Early(pub(crate) Bytes);

impl Early {
    /// Moves at most `most` of them to `into`, and gives their count; `None` where there are none
    /// any more.
    pub(crate) fn take(&mut self, into: &mut BytesMut, most: usize) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        let count = most.min(self.0.len());
        into.extend_from_slice(&self.0[..count]);
        self.0.advance(count);
        Some(count)
    }
}

/// What a stream says of itself, as the one in its field says it.
macro_rules! facts_of_field {
    ($field:ident) => {
        fn has_unread(&mut self, cx: &mut std::task::Context<'_>) -> std::io::Result<bool> {
            self.$field.has_unread(cx)
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
