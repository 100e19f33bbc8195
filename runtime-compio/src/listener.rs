use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use compio::buf::{BufResult, IntoInner};
use compio::driver::op::Accept;
use compio::runtime::{Submit, submit};
use hat_aio::UnixListener;
use hat_aio::runtime::{BACKLOG, Stream};
use send_wrapper::SendWrapper;
use socket2::SockAddr;

use crate::socket::{self, Shared, Socket};
use crate::stream::CompioStream;

/// A socket that listens, on compio's ring. It must be used and dropped on the thread that bound
/// it, and panics on another. One task accepts at a time: of two, the one that asked last is woken.
#[derive(Debug)]
pub struct CompioListener(SendWrapper<Listening>);

struct Listening {
    /// The connection that is waited for. It is kept where a future that waited is dropped: the
    /// system may have taken the connection already. In front of the socket, whose end ends it.
    accepting: RefCell<Option<Submit<Accept<Shared>>>>,
    socket: Socket,
}

impl CompioListener {
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::new(socket::listen(address, BACKLOG)?)
    }

    /// `socket` listens already.
    pub(crate) fn new(socket: socket2::Socket) -> io::Result<Self> {
        let listening = Listening { accepting: RefCell::default(), socket: Socket::new(socket)? };
        Ok(Self(SendWrapper::new(listening)))
    }

    pub(crate) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(SendWrapper<Socket>, SockAddr)>> {
        let mut accepting = self.0.accepting.borrow_mut();
        let operation = accepting.get_or_insert_with(|| submit(Accept::new(self.0.socket.share())));
        let BufResult(accepted, operation) = ready!(Pin::new(operation).poll(cx));
        *accepting = None;
        accepted?;
        let (socket, address) = operation.into_inner();
        Poll::Ready(Ok((SendWrapper::new(Socket::new(socket)?), address)))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        socket::internet(&self.0.socket.of_system().local_addr()?)
    }
}

impl UnixListener for CompioListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>> {
        let (socket, _) = ready!(self.poll_accept(cx))?;
        Poll::Ready(Ok(Box::new(CompioStream::local(socket))))
    }
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.socket.fmt(f)
    }
}
