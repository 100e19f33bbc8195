//! hyper's streams as ours.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use hyper::rt::{Read, ReadBuf, Write};

use crate::runtime::Stream;
use crate::stream_parts::{StreamAddresses, Unflushed};

/// Bytes that one read takes at the most.
const READ: usize = 64 * 1024;

/// Any stream of hyper's as a [`Stream`], [`hyper::upgrade::Upgraded`] among them: what a request
/// became that another HTTP server has upgraded.
///
/// It shows `0.0.0.0:0` as both addresses, unless others are given.
#[derive(Debug)]
pub struct HyperStream<T> {
    stream: T,
    ends: StreamAddresses,
    scratch: Vec<u8>,
    unflushed: Unflushed,
}

impl<T> HyperStream<T> {
    /// `stream`, without addresses.
    pub fn new(stream: T) -> Self {
        Self {
            stream,
            ends: StreamAddresses::default(),
            scratch: Vec::new(),
            unflushed: Unflushed::default(),
        }
    }

    /// The same with addresses to be shown.
    #[must_use]
    pub fn with_addresses(self, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { ends: StreamAddresses { local, remote }, ..self }
    }
}

impl<T: Read + Write + Send + Unpin + 'static> Stream for HyperStream<T> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let most = most.min(READ);
        if self.scratch.len() < most {
            self.scratch.resize(most, 0);
        }
        let mut read = ReadBuf::new(&mut self.scratch[..most]);
        let polled = Pin::new(&mut self.stream).poll_read(cx, read.unfilled());
        let count = read.filled().len();
        into.extend_from_slice(read.filled());
        if polled.is_pending() {
            // an idle connection holds no memory for what may come
            self.scratch = Vec::new();
        }
        ready!(polled)?;
        Poll::Ready(Ok(count))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unflushed.poll_write(
            &mut self.stream,
            cx,
            |stream, cx| Pin::new(stream).poll_write_vectored(cx, parts),
            |stream, cx| Pin::new(stream).poll_flush(cx),
        )
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.ends.local)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.ends.remote)
    }
}
