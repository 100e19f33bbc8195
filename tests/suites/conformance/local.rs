//! A runtime whose sockets and timers are not `Send`, as those of runtimes with a ring of the
//! system's for each thread are: here Tokio's in an `Rc`. `SendWrapper` holds them, and panics
//! where another thread touches them, which never happens: the tasks that have them are spawned on
//! their thread and stay there.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::BytesMut;
use hat_aio::runtime::{Stream, Timer};
use hat_aio::{Runtime, SocketOptions};
use send_wrapper::SendWrapper;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::Sleep;

/// Tokio on one thread.
pub(super) struct Local;

impl Local {
    /// Runs `future` and the tasks that it starts, all on this thread.
    pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().expect("a Tokio runtime");
        LocalSet::new().block_on(&runtime, future)
    }
}

/// A socket that another thread must not touch.
type OnlyHere = Rc<RefCell<TcpStream>>;

pub(super) struct LocalStream(SendWrapper<OnlyHere>);

impl LocalStream {
    fn new(stream: TcpStream, options: &SocketOptions) -> io::Result<Self> {
        options.apply(&stream)?;
        Ok(Self(SendWrapper::new(Rc::new(RefCell::new(stream)))))
    }
}

impl Stream for LocalStream {
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut scratch = vec![0; most.min(64 * 1024)];
        let mut read = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, &mut read))?;
        into.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write_vectored(cx, parts)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.borrow().local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.borrow().peer_addr()
    }
}

pub(super) struct LocalTimer(SendWrapper<Pin<Box<Sleep>>>);

impl Timer for LocalTimer {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }

    fn reset(&mut self, at: Instant) {
        self.0.as_mut().reset(at.into());
    }
}

impl Runtime for Local {
    type Stream = LocalStream;
    type Listener = SendWrapper<Rc<TcpListener>>;
    type Timer = LocalTimer;

    fn connect(
        address: SocketAddr,
        options: &SocketOptions,
    ) -> impl Future<Output = io::Result<LocalStream>> + Send {
        // a future that is not `Send` either
        SendWrapper::new(
            async move { LocalStream::new(TcpStream::connect(address).await?, options) },
        )
    }

    async fn bind(address: SocketAddr) -> io::Result<Self::Listener> {
        Ok(SendWrapper::new(Rc::new(TcpListener::bind(address).await?)))
    }

    fn accept(
        listener: &Self::Listener,
        options: &SocketOptions,
    ) -> impl Future<Output = io::Result<(LocalStream, SocketAddr)>> + Send {
        let listener = Rc::clone(listener);
        SendWrapper::new(async move {
            let (stream, address) = listener.accept().await?;
            Ok((LocalStream::new(stream, options)?, address))
        })
    }

    fn local_addr(listener: &Self::Listener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    fn now() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn timer(at: Instant) -> LocalTimer {
        LocalTimer(SendWrapper::new(Box::pin(tokio::time::sleep_until(at.into()))))
    }

    /// On this thread, where the sockets are.
    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        tokio::task::spawn_local(task);
    }

    async fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        Ok(tokio::task::spawn_blocking(work).await?)
    }
}
