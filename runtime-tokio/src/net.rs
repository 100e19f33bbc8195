use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{BufMut, BytesMut};
use hat_aio::SocketOptions;
use hat_aio::runtime::Stream;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

/// A Tokio TCP connection.
#[derive(Debug)]
pub struct TokioStream(TcpStream);

impl TokioStream {
    pub(crate) fn new(stream: TcpStream, options: &SocketOptions) -> io::Result<Self> {
        options.apply(&stream)?;
        Ok(Self(stream))
    }
}

impl Stream for TokioStream {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        // an idle connection holds no memory for what may come
        ready!(self.0.poll_read_ready(cx))?;
        into.reserve(most);
        // straight into the spare capacity, which need not be cleared first. Not `try_read_buf`:
        // unlike that, this one takes a short read as a sign that there is no more, which spares a
        // system call
        pin!(self.0.read_buf(&mut into.limit(most))).poll(cx)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.0);
        match parts {
            [part] => stream.poll_write(cx, part),
            parts => stream.poll_write_vectored(cx, parts),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}
