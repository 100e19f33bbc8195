//! The same on [async-std](https://docs.rs/async-std), behind the feature `async-std`.
//!
//! **async-std is no longer developed** (RUSTSEC-2025-0052), and its authors name smol as its
//! successor: this is for programs that still run on it. New ones use the crate's root. Both stand
//! on the same sockets and timers (`async-io`), so those are taken from smol; what differs is who
//! runs the tasks.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use super::{Smol, SmolStream, SmolTimer};

/// smol's sockets, timers and clock, with tasks on async-std's executor.
#[derive(Clone, Copy, Debug)]
pub struct AsyncStd;

hat_aio::protocols_on!(AsyncStd);
#[cfg(feature = "juggler")]
hat_aio::juggler_on!(AsyncStd);
#[cfg(feature = "websocket")]
hat_aio::websocket_on!(AsyncStd);
#[cfg(feature = "web")]
hat_aio::web_on!(AsyncStd);

impl Runtime for AsyncStd {
    type Stream = SmolStream;
    type Listener = smol::Async<TcpListener>;
    type Timer = SmolTimer;

    async fn connect(address: SocketAddr, options: &SocketOptions) -> io::Result<SmolStream> {
        Smol::connect(address, options).await
    }

    async fn bind(address: SocketAddr) -> io::Result<Self::Listener> {
        Smol::bind(address).await
    }

    async fn accept(
        listener: &Self::Listener,
        options: &SocketOptions,
    ) -> io::Result<(SmolStream, SocketAddr)> {
        Smol::accept(listener, options).await
    }

    fn local_addr(listener: &Self::Listener) -> io::Result<SocketAddr> {
        Smol::local_addr(listener)
    }

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Smol::resolve(host, port).await
    }

    #[cfg(unix)]
    async fn connect_unix(path: &std::path::Path) -> io::Result<Box<dyn runtime::Stream>> {
        Smol::connect_unix(path).await
    }

    #[cfg(unix)]
    fn listen_unix(
        listener: std::os::unix::net::UnixListener,
    ) -> io::Result<Box<dyn hat_aio::UnixListener>> {
        Smol::listen_unix(listener)
    }

    fn now() -> Instant {
        Smol::now()
    }

    fn timer(at: Instant) -> SmolTimer {
        Smol::timer(at)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        ::async_std::task::spawn(task);
    }

    async fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        Smol::unblock(work).await
    }
}
