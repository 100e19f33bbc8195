//! A runtime with names of its own: what a test needs that connects to a name with several
//! addresses.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use hat_aio::Runtime;

use crate::delegating::as_inner;

static NAMES: Mutex<BTreeMap<String, Vec<SocketAddr>>> = Mutex::new(BTreeMap::new());

/// From now on, [`ResolvingRuntime`] finds `addresses` for `name`, whatever the port.
pub fn name(name: &str, addresses: impl Into<Vec<SocketAddr>>) {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.insert(name.to_owned(), addresses.into());
}

/// `R`, except that it finds the addresses of names where [`name`] says.
pub struct ResolvingRuntime<R>(PhantomData<fn() -> R>);

impl<R: Runtime> Runtime for ResolvingRuntime<R> {
    as_inner!(R: sockets, clock, spawn, unblock);

    async fn resolve(host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        let names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(host).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
