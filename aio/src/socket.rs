//! What a driver reads and writes: the socket of the runtime, or TLS over it. Decided here once, so
//! that no protocol has to.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;

use crate::runtime::{Runtime, Stream};
use crate::tls;
use crate::{Address, ConnectError, ListenError, SocketOptions};

/// A connection of a runtime, as it is or with TLS over it.
pub struct Socket<S> {
    kind: Kind<S>,
    idle_timeout: Option<Duration>,
}

impl<S> fmt::Debug for Socket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("idle_timeout", &self.idle_timeout).finish_non_exhaustive()
    }
}

enum Kind<S> {
    Plain(S),
    #[cfg(feature = "tls")]
    Tls(Box<tls::TlsStream<S>>),
    /// A Unix socket.
    Unix(Box<dyn Stream>),
}

/// How the sockets of one client, or one server, are made.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    Plain,
    #[cfg(feature = "tls")]
    Connect(tls::Connector),
    #[cfg(feature = "tls")]
    Accept(tls::Acceptor),
}

impl Security {
    /// For connections to `address`. What cannot be is refused before there is a socket.
    pub(crate) fn to_connect(
        address: &Address,
        tls: Option<&tls::Connector>,
    ) -> Result<Self, ConnectError> {
        let security = match tls {
            None => Self::none(address),
            #[cfg(feature = "tls")]
            Some(_) if address.unix_path().is_some() => Err(tls::Error::Unix),
            #[cfg(feature = "tls")]
            Some(connector) => {
                connector.server_name(address.host()).map(|_| Self::Connect(connector.clone()))
            }
            #[cfg(not(feature = "tls"))]
            Some(none) => match *none {},
        };
        security.map_err(|error| ConnectError::Tls { address: address.clone(), error })
    }

    /// For connections that are taken at `address`.
    pub(crate) fn to_listen(
        address: &Address,
        tls: Option<&tls::Acceptor>,
    ) -> Result<Self, ListenError> {
        let security = match tls {
            None => Self::none(address),
            #[cfg(feature = "tls")]
            Some(_) if address.unix_path().is_some() => Err(tls::Error::Unix),
            #[cfg(feature = "tls")]
            Some(acceptor) => Ok(Self::Accept(acceptor.clone())),
            #[cfg(not(feature = "tls"))]
            Some(none) => match *none {},
        };
        security.map_err(|error| ListenError::Tls { address: address.clone(), error })
    }

    fn none(address: &Address) -> Result<Self, tls::Error> {
        match address.is_tls() {
            false => Ok(Self::Plain),
            true if cfg!(feature = "tls") => Err(tls::Error::NoOptions),
            true => Err(tls::Error::NotBuilt),
        }
    }

    /// Whether there is anything to be done before a stream can be used.
    pub(crate) fn takes_time(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// Does what is to be done over a fresh `stream` with the peer at `host`.
    pub(crate) async fn secure<R: Runtime>(
        &self,
        stream: R::Stream,
        host: &str,
    ) -> Result<Socket<R::Stream>, tls::Error> {
        #[cfg(not(feature = "tls"))]
        let _ = host;
        match self {
            Self::Plain => Ok(Socket::plain(stream)),
            #[cfg(feature = "tls")]
            Self::Connect(connector) => {
                let stream = connector.connect::<R, _>(stream, host).await?;
                Ok(Socket::of(Kind::Tls(Box::new(stream))))
            }
            #[cfg(feature = "tls")]
            Self::Accept(acceptor) => {
                let stream = acceptor.accept::<R, _>(stream).await?;
                Ok(Socket::of(Kind::Tls(Box::new(stream))))
            }
        }
    }
}

impl<S> Socket<S> {
    /// Without TLS.
    pub(crate) fn plain(stream: S) -> Self {
        Self::of(Kind::Plain(stream))
    }

    /// A Unix socket.
    pub(crate) fn unix(stream: Box<dyn Stream>) -> Self {
        Self::of(Kind::Unix(stream))
    }

    fn of(kind: Kind<S>) -> Self {
        Self { kind, idle_timeout: None }
    }

    /// The same, with what its driver has to know of `options`.
    pub(crate) fn with(self, options: &SocketOptions) -> Self {
        Self { idle_timeout: options.idle_timeout, ..self }
    }
}

/// The same method of whichever stream it is.
macro_rules! either {
    (mut $socket:ident, $stream:ident => $call:expr) => {
        match &mut $socket.kind {
            Kind::Plain($stream) => $call,
            #[cfg(feature = "tls")]
            Kind::Tls($stream) => $call,
            Kind::Unix($stream) => $call,
        }
    };
    ($socket:ident, $stream:ident => $call:expr) => {
        match &$socket.kind {
            Kind::Plain($stream) => $call,
            #[cfg(feature = "tls")]
            Kind::Tls($stream) => $call,
            Kind::Unix($stream) => $call,
        }
    };
}

impl<S: Stream> Stream for Socket<S> {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        either!(mut self, stream => stream.poll_read(cx, into, most))
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        either!(mut self, stream => stream.poll_readable(cx))
    }

    fn may_write_here(&self) -> bool {
        either!(self, stream => stream.may_write_here())
    }

    fn has_unread(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        either!(mut self, stream => stream.has_unread(cx))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(mut self, stream => stream.poll_write(cx, parts))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(mut self, stream => stream.poll_shutdown(cx))
    }

    fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        either!(self, stream => stream.local_addr())
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        either!(self, stream => stream.peer_addr())
    }
}
