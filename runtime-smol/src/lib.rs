//! The Hat communication protocols on [smol](https://docs.rs/smol).
//!
//! Tasks run on smol's global executor, whose threads start with the first task; set `SMOL_THREADS`
//! for more than one. The handles come from [`hat_aio`]; this crate supplies sockets, timers and
//! tasks, and names `connect` and `listen` for each protocol.
//!
//! | feature | what |
//! |---|---|
//! | `websocket` | the WebSocket client, and both ends over a stream that you have |
//! | `juggler` | the Juggler client, and both ends of 0.5 over a WebSocket that you have |
//! | `web` | HTTP and WebSocket servers, the Juggler servers among them |
//! | `tls` | TLS under every protocol, by rustls; needs a C compiler |
//! | `async-std` | the module `async_std`, which names all of it for that runtime too |
//! | `serde` | `Serialize` and `Deserialize` for events and their parts, and for JSON values |
//! | `chrono`, `jiff`, `time` | conversions between timestamps and the types of these libraries |
//! | `tracing` | spans and events of connections |
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "async-std")]
pub mod async_std;
mod net;

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use hat_aio::runtime::{BACKLOG, Timer, coarse};
pub use net::SmolStream;
use socket2::{Domain, Socket, Type};

/// smol's sockets, timers, clock and tasks.
#[derive(Clone, Copy, Debug)]
pub struct Smol;

hat_aio::protocols_on!(Smol);
#[cfg(feature = "juggler")]
hat_aio::juggler_on!(Smol);
#[cfg(feature = "websocket")]
hat_aio::websocket_on!(Smol);
#[cfg(feature = "web")]
hat_aio::web_on!(Smol);

impl Runtime for Smol {
    type Stream = SmolStream;
    type Listener = smol::Async<TcpListener>;
    type Timer = SmolTimer;

    async fn connect(address: SocketAddr, options: &SocketOptions) -> io::Result<SmolStream> {
        SmolStream::connect(address, options).await
    }

    async fn bind(address: SocketAddr) -> io::Result<Self::Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // elsewhere it would let two servers have the same port
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG.into())?;
        smol::Async::new(socket.into())
    }

    async fn accept(
        listener: &Self::Listener,
        options: &SocketOptions,
    ) -> io::Result<(SmolStream, SocketAddr)> {
        let (stream, address) = listener.accept().await?;
        Ok((SmolStream::new(stream, options)?, address))
    }

    fn local_addr(listener: &Self::Listener) -> io::Result<SocketAddr> {
        listener.get_ref().local_addr()
    }

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        smol::net::resolve((host, port)).await
    }

    #[cfg(unix)]
    async fn connect_unix(path: &Path) -> io::Result<Box<dyn runtime::Stream>> {
        Ok(Box::new(net::SmolUnixStream::connect(path)?))
    }

    #[cfg(unix)]
    fn listen_unix(
        listener: std::os::unix::net::UnixListener,
    ) -> io::Result<Box<dyn hat_aio::UnixListener>> {
        Ok(Box::new(net::SmolUnixListener(smol::Async::new(listener)?)))
    }

    fn now() -> Instant {
        Instant::now()
    }

    fn timer(at: Instant) -> SmolTimer {
        SmolTimer(smol::Timer::at(coarse(at, Smol::now())))
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    async fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        // a panic goes on in the task that waits
        Ok(smol::unblock(work).await)
    }
}

/// A smol timer.
#[derive(Debug)]
pub struct SmolTimer(smol::Timer);

impl Timer for SmolTimer {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }

    fn reset(&mut self, at: Instant) {
        self.0.set_at(coarse(at, Smol::now()));
    }
}
