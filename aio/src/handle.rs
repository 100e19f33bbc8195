//! What handles of one connection have in common: how they come to be, as a client and behind a server.

use std::io;
use std::sync::Arc;

use crate::runtime::{Runtime, Stream};
use crate::server::{Close, Core, Server, ServerOptions};
use crate::socket::{Security, Socket};
use crate::tls::Tls;
use crate::{Address, ConnectError, net};

/// The methods that every handle has for the end of its connection, and for who is connected: for a type with a `link`, where `Error`
/// is its error.
macro_rules! of_every_connection {
    () => {
        /// Waits until all that was sent up to now is with the system. Cancel safe.
        ///
        /// # Errors
        ///
        /// Why the connection is over.
        pub async fn drain(&self) -> Result<(), Error> {
            self.link.drain().await
        }

        /// Closes the connection: what was sent is still written. Gives the reason why the connection is over once the socket
        /// is closed; if it was not over before, that is an orderly close.
        ///
        /// Cancel safe: the closing goes on when this is dropped.
        pub async fn close(&self) -> Error {
            self.link.close();
            self.link.closed().await
        }

        /// Waits until the connection is over, and says why: what it still has to write, and its socket, may take a
        /// little longer. Nothing is taken from what arrived. Cancel safe.
        pub async fn ended(&self) -> Error {
            self.link.ended().await
        }

        /// Waits until the connection is over and its socket closed, and says why. Cancel safe.
        pub async fn closed(&self) -> Error {
            self.link.closed().await
        }

        /// Why the connection is over, if it is.
        #[must_use]
        pub fn end_reason(&self) -> Option<Error> {
            self.link.end()
        }

        /// Our address.
        #[must_use]
        pub fn local_address(&self) -> std::net::SocketAddr {
            self.link.shared().local
        }

        /// The peer's address.
        #[must_use]
        pub fn remote_address(&self) -> std::net::SocketAddr {
            self.link.shared().remote
        }
    };
}
pub(crate) use of_every_connection;

/// Runs when the driver of a connection is gone.
pub(crate) type Finished = Box<dyn FnOnce() + Send>;

/// A handle of a connection.
pub(crate) trait Handle: Sized + Send + 'static {
    type Options: Clone + Send + 'static;

    /// TLS in the options.
    fn tls(options: &Self::Options) -> Option<&Tls>;

    /// Starts the driver of `stream`.
    fn start<R: Runtime>(
        stream: impl Stream,
        options: &Self::Options,
        finished: Finished,
    ) -> io::Result<Self>;

    /// What closes the connection, without keeping it open.
    fn closer(&self) -> Arc<dyn Close>;
}

pub(crate) async fn connect<R: Runtime, H: Handle>(
    address: impl Into<Address>,
    options: &H::Options,
) -> Result<H, ConnectError> {
    let address = address.into();
    let stream = net::connect::<R>(&address, H::tls(options)).await?;
    H::start::<R>(stream, options, Box::new(|| ()))
        .map_err(|error| ConnectError::Connect { address, error: Arc::new(error) })
}

pub(crate) async fn listen<R: Runtime, H: Handle>(
    address: impl Into<Address>,
    options: H::Options,
    server: ServerOptions,
) -> Result<Server<H>, ConnectError> {
    let (address, tls) = (address.into(), H::tls(&options).cloned());
    let take = move |core: &Arc<Core<H>>, id, stream| {
        let gone = core.clone();
        match H::start::<R>(stream, &options, Box::new(move || gone.unregister(id))) {
            Ok(connection) => {
                core.register(id, connection.closer());
                core.offer(connection);
            }
            // it was gone before it had an address
            Err(_) => core.unregister(id),
        }
    };
    listen_with::<R, H>(address, server, tls.as_ref(), take).await
}

/// A server that gives what it takes to `take`, with a number that is its own.
pub(crate) async fn listen_with<R: Runtime, C: Send + 'static>(
    address: Address,
    server: ServerOptions,
    tls: Option<&Tls>,
    take: impl FnMut(&Arc<Core<C>>, u64, Socket<R::Stream>) + Clone + Send + 'static,
) -> Result<Server<C>, ConnectError> {
    let core = start::<R, C>(address, server, tls, take).await?;
    Ok(Server::new(core))
}

/// What [`listen_with`] makes a server of.
pub(crate) async fn start<R: Runtime, C: Send + 'static>(
    address: Address,
    server: ServerOptions,
    tls: Option<&Tls>,
    take: impl FnMut(&Arc<Core<C>>, u64, Socket<R::Stream>) + Clone + Send + 'static,
) -> Result<Arc<Core<C>>, ConnectError> {
    let security = Security::to_listen(&address, tls)?;
    let listeners = net::bind::<R>(&address).await?;
    Core::start::<R>(listeners, server, security, take)
        .map_err(|error| ConnectError::Listen { address, error: Arc::new(error) })
}
