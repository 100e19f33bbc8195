use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::task::{Context, Poll, ready};
#[cfg(unix)]
use std::{net::Ipv4Addr, os::unix::net::UnixStream, path::Path};

use bytes::BytesMut;
use hat_aio::SocketOptions;
use hat_aio::runtime::{Stream, has_unread};
use smol::Async;
#[cfg(unix)]
use socket2::SockAddr;
use socket2::{Domain, Socket, Type};

/// Bytes that one read takes at the most.
const SCRATCH: usize = 256 * 1024;

thread_local! {
    /// Where reads go first: the system wants memory that is initialised, and to clear as much for
    /// every read as may come costs more than to copy what came.
    static READ: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn read_through_scratch(
    mut stream: impl Read,
    into: &mut BytesMut,
    most: usize,
) -> io::Result<usize> {
    READ.with_borrow_mut(|scratch| {
        scratch.resize(SCRATCH, 0);
        let count = stream.read(&mut scratch[..most.min(SCRATCH)])?;
        into.extend_from_slice(&scratch[..count]);
        Ok(count)
    })
}

/// A TCP connection on smol's reactor.
#[derive(Debug)]
pub struct SmolStream {
    stream: Async<TcpStream>,
    /// The last read took less than it asked for: there was no more, and to ask again would be a
    /// system call in vain.
    drained: bool,
}

impl SmolStream {
    pub(crate) async fn connect(address: SocketAddr, options: &SocketOptions) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(local) = options.local_address {
            socket.bind(&local.into())?;
        }
        socket.set_nonblocking(true)?;
        let begun = socket.connect(&address.into());
        let stream = Async::new_nonblocking(TcpStream::from(socket))?;
        if let Err(error) = begun {
            // "in progress", for which std has no stable name, or a reason why there is no
            // connection
            stream.writable().await?;
            if let Some(error) = stream.get_ref().take_error()? {
                return Err(error);
            }
            stream.get_ref().peer_addr().map_err(|_| error)?;
        }
        Self::new(stream, options)
    }

    pub(crate) fn new(stream: Async<TcpStream>, options: &SocketOptions) -> io::Result<Self> {
        options.apply(&stream)?;
        Ok(Self { stream, drained: false })
    }
}

/// A Unix socket on smol's reactor. It shows `0.0.0.0:0` as both addresses.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct SmolUnixStream {
    stream: Async<UnixStream>,
    /// As of [`SmolStream`].
    drained: bool,
}

#[cfg(unix)]
impl SmolUnixStream {
    /// By hand: where the queue of the server is full, smol waits for a connection that was never
    /// begun. The system connects at once, or says why not.
    pub(crate) fn connect(path: &Path) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)?;
        let stream = Async::new_nonblocking(UnixStream::from(socket))?;
        Ok(Self { stream, drained: false })
    }
}

/// What `Stream` is for a socket of smol: its addresses are `$local` and `$peer` of it.
macro_rules! stream_of_socket {
    ($stream:ty, $local:expr, $peer:expr) => {
        impl Stream for $stream {
            fn poll_read(
                &mut self,
                cx: &mut Context<'_>,
                into: &mut BytesMut,
                most: usize,
            ) -> Poll<io::Result<usize>> {
                loop {
                    if self.drained {
                        ready!(self.stream.poll_readable(cx))?;
                        self.drained = false;
                    }
                    match read_through_scratch(self.stream.get_ref(), into, most) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.drained = true,
                        read => {
                            // not at the end of the stream, which may be asked for again
                            self.drained =
                                matches!(read, Ok(count) if (1..most.min(SCRATCH)).contains(&count));
                            return Poll::Ready(read);
                        }
                    }
                }
            }

            fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
                if self.drained {
                    // an error is told by the read
                    let _ = ready!(self.stream.poll_readable(cx));
                    self.drained = false;
                }
                Poll::Ready(())
            }

            fn has_unread(&mut self, _cx: &mut Context<'_>) -> io::Result<bool> {
                has_unread(&self.stream)
            }

            fn may_write_here(&self) -> bool {
                true
            }

            fn poll_write(
                &mut self,
                cx: &mut Context<'_>,
                parts: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                loop {
                    let mut stream = self.stream.get_ref();
                    let written = match parts {
                        [part] => stream.write(part),
                        parts => stream.write_vectored(parts),
                    };
                    match written {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                            ready!(self.stream.poll_writable(cx))?;
                        }
                        written => return Poll::Ready(written),
                    }
                }
            }

            fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.stream.get_ref().shutdown(Shutdown::Write))
            }

            fn local_addr(&self) -> io::Result<SocketAddr> {
                $local(self.stream.get_ref())
            }

            fn peer_addr(&self) -> io::Result<SocketAddr> {
                $peer(self.stream.get_ref())
            }
        }
    };
}

stream_of_socket!(SmolStream, TcpStream::local_addr, TcpStream::peer_addr);
#[cfg(unix)]
stream_of_socket!(SmolUnixStream, nowhere, nowhere);

/// What has no IP address.
#[cfg(unix)]
fn nowhere(_: &UnixStream) -> io::Result<SocketAddr> {
    Ok((Ipv4Addr::UNSPECIFIED, 0).into())
}

/// A Unix socket that listens, on smol's reactor.
#[cfg(unix)]
pub(crate) struct SmolUnixListener(pub(crate) Async<std::os::unix::net::UnixListener>);

#[cfg(unix)]
impl hat_aio::UnixListener for SmolUnixListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Box<dyn Stream>>> {
        loop {
            match self.0.get_ref().accept() {
                Ok((stream, _)) => {
                    let stream = SmolUnixStream { stream: Async::new(stream)?, drained: false };
                    return Poll::Ready(Ok(Box::new(stream)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.0.poll_readable(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}
