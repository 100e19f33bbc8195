use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{BufMut, BytesMut};
use hat_aio::SocketOptions;
use hat_aio::runtime::{Stream, has_unread};
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

/// A Tokio Unix socket. It shows `0.0.0.0:0` as both addresses.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct TokioUnixStream(pub(crate) tokio::net::UnixStream);

/// What `Stream` is for a socket of Tokio: its addresses are `$local` and `$peer` of it.
macro_rules! stream_of_socket {
    ($stream:ty, $local:expr, $peer:expr) => {
        impl Stream for $stream {
            fn poll_read(
                &mut self,
                cx: &mut Context<'_>,
                into: &mut BytesMut,
                most: usize,
            ) -> Poll<io::Result<usize>> {
                if into.capacity() - into.len() < most {
                    // an idle connection holds no memory for what may come
                    ready!(self.0.poll_read_ready(cx))?;
                    into.reserve(most);
                }
                // straight into the spare capacity, which need not be cleared first. Not
                // `try_read_buf`: unlike that, this one takes a short read as a sign that there is
                // no more, which spares a system call
                pin!(self.0.read_buf(&mut into.limit(most))).poll(cx)
            }

            fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
                // an error is told by the read
                self.0.poll_read_ready(cx).map(drop)
            }

            fn has_unread(&mut self, _cx: &mut Context<'_>) -> io::Result<bool> {
                has_unread(&self.0)
            }

            fn may_write_here(&self) -> bool {
                true
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
                $local(&self.0)
            }

            fn peer_addr(&self) -> io::Result<SocketAddr> {
                $peer(&self.0)
            }
        }
    };
}

stream_of_socket!(TokioStream, TcpStream::local_addr, TcpStream::peer_addr);
#[cfg(unix)]
stream_of_socket!(TokioUnixStream, nowhere, nowhere);

/// What has no IP address.
#[cfg(unix)]
fn nowhere(_: &tokio::net::UnixStream) -> io::Result<SocketAddr> {
    Ok((std::net::Ipv4Addr::UNSPECIFIED, 0).into())
}

/// A Tokio Unix socket that listens.
#[cfg(unix)]
pub(crate) struct TokioUnixListener(pub(crate) tokio::net::UnixListener);

#[cfg(unix)]
impl hat_aio::UnixListener for TokioUnixListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>> {
        let (stream, _) = ready!(self.0.poll_accept(cx))?;
        Poll::Ready(Ok(Box::new(TokioUnixStream(stream))))
    }
}
