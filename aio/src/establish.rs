//! How the handles of protocols come to be, as a client and behind a server.

use std::io;
use std::sync::Arc;

use crate::runtime::{Runtime, Stream};
use crate::server::{Accepted, Core, Server, ServerOptions};
use crate::shared::{Close, Counted};
use crate::socket::{Security, Socket};
use crate::tls::Tls;
use crate::{Address, ConnectError, SocketOptions, net};

/// A handle that there is as soon as there is a stream.
pub(crate) trait FromStream: Sized + Send + 'static {
    type Options: Clone + Send + 'static;

    /// TLS in the options.
    fn tls(options: &Self::Options) -> Option<&Tls>;

    /// What the options say of the socket of a client.
    fn socket(options: &Self::Options) -> &SocketOptions;

    /// Starts the driver of `stream`.
    fn start<R: Runtime>(
        stream: impl Stream,
        options: &Self::Options,
        counted: Counted,
    ) -> io::Result<Self>;

    /// What closes the connection, without keeping it open.
    fn closer(&self) -> Arc<dyn Close>;
}

pub(crate) async fn connect<R: Runtime, H: FromStream>(
    address: impl Into<Address>,
    options: &H::Options,
) -> Result<H, ConnectError> {
    let address = address.into();
    let stream = net::connect::<R>(&address, H::tls(options), H::socket(options)).await?;
    H::start::<R>(stream, options, Counted::nowhere())
        .map_err(|error| ConnectError::Connect { address, error: Arc::new(error) })
}

pub(crate) async fn listen<R: Runtime, H: FromStream>(
    address: impl Into<Address>,
    options: H::Options,
    server: ServerOptions,
) -> Result<Server<H>, ConnectError> {
    let (address, tls) = (address.into(), H::tls(&options).cloned());
    let take = move |core: &Arc<Core<H>>, accepted: Accepted<_>| {
        let Accepted { id, stream, counted } = accepted;
        // one that was gone before it had an address is counted out
        if let Ok(connection) = H::start::<R>(stream, &options, counted) {
            core.register(id, connection.closer());
            core.offer(connection);
        }
    };
    listen_with::<R, H>(address, server, tls.as_ref(), take).await
}

/// A server that gives what it accepts to `take`.
pub(crate) async fn listen_with<R: Runtime, C: Send + 'static>(
    address: Address,
    server: ServerOptions,
    tls: Option<&Tls>,
    take: impl FnMut(&Arc<Core<C>>, Accepted<Socket<R::Stream>>) + Clone + Send + 'static,
) -> Result<Server<C>, ConnectError> {
    let core = start::<R, C>(address, server, tls, take).await?;
    Ok(Server::new(core))
}

/// What [`listen_with`] makes a server of.
pub(crate) async fn start<R: Runtime, C: Send + 'static>(
    address: Address,
    server: ServerOptions,
    tls: Option<&Tls>,
    take: impl FnMut(&Arc<Core<C>>, Accepted<Socket<R::Stream>>) + Clone + Send + 'static,
) -> Result<Arc<Core<C>>, ConnectError> {
    let security = Security::to_listen(&address, tls)?;
    let listeners = net::bind::<R>(&address).await?;
    Core::start::<R>(listeners, server, security, take)
        .map_err(|error| ConnectError::Listen { address, error: Arc::new(error) })
}
