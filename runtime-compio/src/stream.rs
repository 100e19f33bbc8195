use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::task::{Context, Poll};

use bytes::BytesMut;
use compio::runtime::Runtime;
use hat_aio::SocketOptions;
use hat_aio::runtime::Stream;
use send_wrapper::SendWrapper;
use socket2::SockAddr;

use crate::read::Reading;
use crate::socket::{Socket, internet};
use crate::write::Writing;

/// A TCP connection on compio's ring. It must be used and dropped on the thread that opened or
/// accepted it, and panics on another.
#[derive(Debug)]
pub struct CompioStream(SendWrapper<Connection>);

#[derive(Debug)]
struct Connection {
    // in front of the socket, whose end ends what is under way
    reading: Reading,
    writing: Writing,
    socket: Socket,
    /// The number of its ring.
    ring: Option<RawFd>,
}

impl CompioStream {
    pub(crate) fn new(socket: SendWrapper<Socket>, options: &SocketOptions) -> io::Result<Self> {
        options.apply(socket.of_system())?;
        Ok(Self::local(socket))
    }

    /// A Unix socket. It shows `0.0.0.0:0` as both addresses.
    pub(crate) fn local(socket: SendWrapper<Socket>) -> Self {
        let (reading, writing) = (Reading::default(), Writing::default());
        let (socket, ring) = (socket.take(), ring());
        Self(SendWrapper::new(Connection { reading, writing, socket, ring }))
    }
}

impl Stream for CompioStream {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let Connection { reading, socket, .. } = &mut *self.0;
        reading.poll(socket, cx, into, most)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Connection { writing, socket, .. } = &mut *self.0;
        writing.poll(socket, cx, parts)
    }

    fn may_write_here(&self) -> bool {
        self.0.valid() && self.0.ring == ring()
    }

    fn has_unread(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let Connection { reading, socket, .. } = &mut *self.0;
        reading.has_unread(socket, cx)
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.socket.of_system().shutdown(Shutdown::Write))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        shown(&self.0.socket.of_system().local_addr()?)
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        shown(&self.0.socket.of_system().peer_addr()?)
    }
}

/// The number of the ring that this thread is in, if it is in one.
fn ring() -> Option<RawFd> {
    Runtime::try_with_current(AsRawFd::as_raw_fd).ok()
}

/// The address of a socket; that of a Unix socket is no IP address.
fn shown(address: &SockAddr) -> io::Result<SocketAddr> {
    match address.is_unix() {
        true => Ok((Ipv4Addr::UNSPECIFIED, 0).into()),
        false => internet(address),
    }
}
