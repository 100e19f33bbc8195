//! Streams of other libraries.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use futures_io::{AsyncRead, AsyncWrite};

use crate::runtime::Stream;
use crate::stream_parts::{StreamAddresses, Unflushed};

/// Bytes that one read takes at the most.
const READ: usize = 64 * 1024;

/// Any `AsyncRead` and `AsyncWrite` of `futures-io` as a [`Stream`]: a Unix socket, one end of a
/// pair in memory, a stream of QUIC, what an HTTP server has upgraded. It goes where a protocol has
/// `connect_on` or `serve_on`.
///
/// Our side is ended by `poll_close`, which must leave the other one open. That of `smol::Async`
/// ends nothing: use the sockets of `smol::net` instead.
///
/// What has no IP addresses shows `0.0.0.0:0` as both, unless others are given.
#[derive(Debug)]
pub struct IoStream<T> {
    stream: T,
    ends: StreamAddresses,
    unflushed: Unflushed,
}

impl<T> IoStream<T> {
    /// `stream`, without addresses.
    pub fn new(stream: T) -> Self {
        Self { stream, ends: StreamAddresses::default(), unflushed: Unflushed::default() }
    }

    /// The same with addresses to be shown.
    #[must_use]
    pub fn with_addresses(self, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { ends: StreamAddresses { local, remote }, ..self }
    }
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for IoStream<T> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let before = into.len();
        into.resize(before + most.min(READ), 0);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut into[before..]);
        let count = match &read {
            Poll::Ready(Ok(count)) => *count,
            _ => 0,
        };
        into.truncate(before + count);
        read
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
        Pin::new(&mut self.stream).poll_close(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.ends.local)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.ends.remote)
    }
}
