//! The Hat communication protocols on [compio](https://docs.rs/compio), which is on io_uring: the
//! system is given reads and writes, and completes them.
//!
//! Linux only, 5.19 or newer; elsewhere this crate is empty. Everything here must be called within
//! a `compio::runtime::Runtime`, which runs its tasks on its own thread: a connection stays on the
//! thread that opened or accepted it. Handles go to any thread, but for those that contain the
//! socket; the guide's chapter on runtimes has the limits of this one. The handles come from
//! [`hat_aio`]; this crate supplies sockets, timers and tasks, and defines `connect` and `listen`
//! for each protocol.
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
#![cfg(target_os = "linux")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod blocking;
mod clock;
mod listener;
mod read;
mod ring;
mod socket;
mod stream;
mod timer;
mod write;

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Instant;

use hat_aio::runtime::Stream;
pub use listener::CompioListener;
pub use ring::spawn;
use socket2::SockAddr;
pub use stream::CompioStream;
pub use timer::CompioTimer;

/// compio's ring, timers and tasks.
#[derive(Clone, Copy, Debug)]
pub struct Compio;

hat_aio::protocols_on!(Compio);
#[cfg(feature = "juggler")]
hat_aio::juggler_on!(Compio);
#[cfg(feature = "websocket")]
hat_aio::websocket_on!(Compio);
#[cfg(feature = "web")]
hat_aio::web_on!(Compio);

impl Runtime for Compio {
    type Stream = CompioStream;
    type Listener = CompioListener;
    type Timer = CompioTimer;

    async fn connect(address: SocketAddr, options: &SocketOptions) -> io::Result<CompioStream> {
        let socket = socket::connect(address.into(), options.local_address).await?;
        CompioStream::new(socket, options)
    }

    async fn bind(address: SocketAddr) -> io::Result<CompioListener> {
        CompioListener::bind(address)
    }

    async fn accept(
        listener: &CompioListener,
        options: &SocketOptions,
    ) -> io::Result<(CompioStream, SocketAddr)> {
        let (socket, address) = poll_fn(|cx| listener.poll_accept(cx)).await?;
        let address = socket::internet(&address)?;
        Ok((CompioStream::new(socket, options)?, address))
    }

    fn local_addr(listener: &CompioListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        let resolving = Self::unblock(move || (host.as_str(), port).to_socket_addrs());
        Ok(resolving.await??.collect())
    }

    async fn connect_unix(path: &Path) -> io::Result<Box<dyn Stream>> {
        let socket = socket::connect(SockAddr::unix(path)?, None).await?;
        Ok(Box::new(CompioStream::local(socket)))
    }

    fn listen_unix(
        listener: std::os::unix::net::UnixListener,
    ) -> io::Result<Box<dyn UnixListener>> {
        listener.set_nonblocking(false)?;
        Ok(Box::new(CompioListener::new(listener.into())?))
    }

    fn now() -> Instant {
        Instant::now()
    }

    fn timer(at: Instant) -> CompioTimer {
        CompioTimer::new(at)
    }

    /// On this thread, where the sockets are.
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        ring::spawn(task);
    }

    async fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        blocking::run(work).await
    }
}
