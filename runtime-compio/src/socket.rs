//! A socket that operations of the ring are done on.

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};

use compio::buf::BufResult;
use compio::driver::SharedFd;
use compio::driver::op::Connect;
use compio::runtime::{Runtime, submit};
use send_wrapper::SendWrapper;
use socket2::{Domain, SockAddr, Type};

/// What an operation holds: the system's number stays that of this socket until the last operation
/// on it is over.
pub(crate) type Shared = SharedFd<socket2::Socket>;

/// A socket that ends when it is dropped. An operation that is under way then holds it open, and is
/// only asked to end: without this the peer, or who wants the address, would wait for that.
pub(crate) struct Socket(Shared);

impl Socket {
    /// A socket of the system that belongs to nobody else, and blocks: one that never blocks fails
    /// in the ring instead of waiting there.
    ///
    /// # Errors
    ///
    /// The runtime is not on io_uring; those of the system.
    pub(crate) fn new(socket: socket2::Socket) -> io::Result<Self> {
        if !Runtime::with_current(|runtime| runtime.driver_type().is_iouring()) {
            let why = "hat-compio needs a runtime of compio on io_uring";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        Ok(Self(SharedFd::new(socket)))
    }

    /// For an operation.
    pub(crate) fn share(&self) -> Shared {
        self.0.clone()
    }

    pub(crate) fn of_system(&self) -> &socket2::Socket {
        &self.0
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of_system().fmt(f)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // one that was never connected, or whose peer is gone, has no more to end
        let _ = self.of_system().shutdown(Shutdown::Both);
    }
}

/// Connects, on the thread that this is first polled on.
pub(crate) async fn connect(
    address: SockAddr,
    local: Option<SocketAddr>,
) -> io::Result<SendWrapper<Socket>> {
    let socket = socket2::Socket::new(address.domain(), Type::STREAM, None)?;
    if let Some(local) = local {
        socket.bind(&local.into())?;
    }
    let socket = SendWrapper::new(Socket::new(socket)?);
    let connecting = SendWrapper::new(submit(Connect::new(socket.share(), address)));
    let BufResult(connected, _) = connecting.await;
    connected.map(|_| socket)
}

/// A TCP socket that listens with `backlog` on `address`.
pub(crate) fn listen(address: SocketAddr, backlog: u16) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog.into())?;
    Ok(socket)
}

/// The address of a TCP socket.
pub(crate) fn internet(address: &SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}
