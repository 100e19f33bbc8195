//! A runtime with names of its own: what a test needs that connects to a name with several
//! addresses.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hat_aio::{Runtime, SocketOptions};

static NAMES: Mutex<BTreeMap<String, Vec<SocketAddr>>> = Mutex::new(BTreeMap::new());

/// From now on, [`Resolving`] finds `addresses` for `name`, whatever the port.
pub fn name(name: &str, addresses: impl Into<Vec<SocketAddr>>) {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.insert(name.to_owned(), addresses.into());
}

/// `R`, except that it finds the addresses of names where [`name`] says.
pub struct Resolving<R>(PhantomData<fn() -> R>);

impl<R: Runtime> Runtime for Resolving<R> {
    type Stream = R::Stream;
    type Listener = R::Listener;
    type Timer = R::Timer;

    fn connect(
        address: SocketAddr,
        options: &SocketOptions,
    ) -> impl Future<Output = io::Result<R::Stream>> + Send {
        R::connect(address, options)
    }

    fn bind(address: SocketAddr) -> impl Future<Output = io::Result<R::Listener>> + Send {
        R::bind(address)
    }

    fn accept(
        listener: &R::Listener,
        options: &SocketOptions,
    ) -> impl Future<Output = io::Result<(R::Stream, SocketAddr)>> + Send {
        R::accept(listener, options)
    }

    fn local_addr(listener: &R::Listener) -> io::Result<SocketAddr> {
        R::local_addr(listener)
    }

    async fn resolve(host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(host).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn now() -> Instant {
        R::now()
    }

    fn timer(at: Instant) -> R::Timer {
        R::timer(at)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        R::spawn(task);
    }

    fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = io::Result<T>> + Send {
        R::unblock(work)
    }
}
