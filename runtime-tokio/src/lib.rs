//! The Hat communication protocols on [Tokio](https://tokio.rs).
//!
//! Everything here must be called within a Tokio runtime that has its I/O and time drivers enabled,
//! as `#[tokio::main]` makes it. The handles come from [`hat_aio`]; this crate supplies sockets,
//! timers and tasks, and defines `connect` and `listen` for each protocol.
//!
//! | feature | what |
//! |---|---|
//! | `websocket` | the WebSocket client, and both ends over a stream that you have |
//! | `juggler` | the Juggler client, and both ends of 0.5 over a WebSocket that you have |
//! | `web` | HTTP and WebSocket servers, the Juggler servers among them |
//! | `tls` | TLS under every protocol, by rustls; needs a C compiler |
//! | `serde` | `Serialize` and `Deserialize` for events and their parts, and for JSON values |
//! | `chrono`, `jiff`, `time` | conversions between timestamps and the types of these libraries |
//! | `tracing` | spans and events of connections |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod net;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

#[cfg(unix)]
use hat_aio::runtime::Stream;
use hat_aio::runtime::{BACKLOG, Timer, coarse};
pub use net::TokioStream;
use tokio::net::TcpSocket;

/// Tokio's sockets, timers, clock and tasks.
#[derive(Clone, Copy, Debug)]
pub struct Tokio;

hat_aio::protocols_on!(Tokio);
#[cfg(feature = "juggler")]
hat_aio::juggler_on!(Tokio);
#[cfg(feature = "websocket")]
hat_aio::websocket_on!(Tokio);
#[cfg(feature = "web")]
hat_aio::web_on!(Tokio);

impl Runtime for Tokio {
    type Stream = TokioStream;
    type Listener = tokio::net::TcpListener;
    type Timer = TokioTimer;

    async fn connect(address: SocketAddr, options: &SocketOptions) -> io::Result<TokioStream> {
        let socket = socket(address)?;
        if let Some(local) = options.local_address {
            socket.bind(local)?;
        }
        TokioStream::new(socket.connect(address).await?, options)
    }

    async fn bind(address: SocketAddr) -> io::Result<tokio::net::TcpListener> {
        let socket = socket(address)?;
        // elsewhere it would let two servers have the same port
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG.into())
    }

    async fn accept(
        listener: &tokio::net::TcpListener,
        options: &SocketOptions,
    ) -> io::Result<(TokioStream, SocketAddr)> {
        let (stream, address) = listener.accept().await?;
        Ok((TokioStream::new(stream, options)?, address))
    }

    fn local_addr(listener: &tokio::net::TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    #[cfg(unix)]
    async fn connect_unix(path: &Path) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(net::TokioUnixStream(tokio::net::UnixStream::connect(path).await?)))
    }

    #[cfg(unix)]
    fn listen_unix(
        listener: std::os::unix::net::UnixListener,
    ) -> io::Result<Box<dyn hat_aio::UnixListener>> {
        listener.set_nonblocking(true)?;
        Ok(Box::new(net::TokioUnixListener(tokio::net::UnixListener::from_std(listener)?)))
    }

    fn now() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn timer(at: Instant) -> TokioTimer {
        TokioTimer(Box::pin(tokio::time::sleep_until(coarse(at, Tokio::now()).into())))
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    async fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        Ok(tokio::task::spawn_blocking(work).await?)
    }
}

/// A socket of the family of `address`.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
}

/// A Tokio timer.
#[derive(Debug)]
pub struct TokioTimer(Pin<Box<tokio::time::Sleep>>);

impl Timer for TokioTimer {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }

    fn reset(&mut self, at: Instant) {
        self.0.as_mut().reset(coarse(at, Tokio::now()).into());
    }
}
