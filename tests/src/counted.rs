//! A runtime whose tasks are counted: a test that ends with none has left nothing behind.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hat_aio::{Runtime, SocketOptions};

static RUNNING: Mutex<BTreeMap<TypeId, usize>> = Mutex::new(BTreeMap::new());

/// The runtime `R`, with the tasks of `Of` counted: any type that a test declares for itself, since
/// tests run at once.
pub struct Counted<R, Of>(PhantomData<fn() -> (R, Of)>);

impl<R: Runtime, Of: 'static> Counted<R, Of> {
    /// Tasks that were spawned and have not ended.
    pub fn tasks() -> usize {
        with::<Self, _>(|count| *count)
    }
}

fn with<Of: 'static, T>(change: impl FnOnce(&mut usize) -> T) -> T {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    change(running.entry(TypeId::of::<Of>()).or_default())
}

/// Counts a task for as long as it lives, also where it panics.
struct Task<Of: 'static>(PhantomData<fn() -> Of>);

impl<Of: 'static> Task<Of> {
    fn started() -> Self {
        with::<Of, _>(|count| *count += 1);
        Self(PhantomData)
    }
}

impl<Of: 'static> Drop for Task<Of> {
    fn drop(&mut self) {
        with::<Of, _>(|count| *count -= 1);
    }
}

impl<R: Runtime, Of: 'static> Runtime for Counted<R, Of> {
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

    fn resolve(host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send {
        R::resolve(host, port)
    }

    fn now() -> Instant {
        R::now()
    }

    fn timer(at: Instant) -> R::Timer {
        R::timer(at)
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        let counted = Task::<Self>::started();
        R::spawn(async move {
            // dropped after the task, and all that it holds
            let _counted = counted;
            task.await;
        });
    }

    fn unblock<T: Send + 'static>(
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = io::Result<T>> + Send {
        R::unblock(work)
    }
}
