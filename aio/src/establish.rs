//! Creates the handles of every protocol, for clients that connect and for connections that a
//! server accepts.

use std::io;
use std::sync::Arc;

use crate::address::IntoAddress;
use crate::runtime::{Runtime, Stream};
use crate::server::{AcceptOptions, AcceptedStream, Core, Server};
use crate::shared::{Close, ConnectionSlot};
use crate::socket::{Security, Socket};
use crate::{ConnectError, ListenError, SocketOptions, net, tls};

/// A handle that there is as soon as there is a stream.
pub(crate) trait FromStream: Sized + Send + 'static {
    /// What connections of both ends are made with.
    type Settings: Clone + Send + 'static;

    /// Starts the driver of `stream`.
    fn start<R: Runtime>(
        stream: impl Stream,
        settings: &Self::Settings,
        slot: ConnectionSlot,
    ) -> io::Result<Self>;

    /// What closes the connection, without keeping it open.
    fn closer(&self) -> Arc<dyn Close>;
}

/// The options of a server whose connections are such handles.
pub(crate) trait ListenSettings<H: FromStream> {
    fn split(self) -> Split<H::Settings>;
}

/// The parts that they have.
pub(crate) struct Split<S> {
    pub(crate) name: Option<String>,
    pub(crate) settings: S,
    pub(crate) accept: AcceptOptions,
    pub(crate) tls: Option<tls::Acceptor>,
}

/// The functions of a protocol without a handshake of its own: for a module with `Connection`,
/// `Server`, and `ConnectOptions` and `ListenOptions` that are written as those of all protocols.
macro_rules! without_handshake {
    () => {
        /// Connects to `address`; every address of its host is tried.
        ///
        /// # Errors
        ///
        /// [`ConnectError`].
        pub async fn connect<R: Runtime>(
            address: impl IntoAddress,
            options: ConnectOptions,
        ) -> Result<Connection, ConnectError> {
            let (tls, socket) = (options.tls.as_ref(), &options.socket);
            $crate::establish::connect::<R, Connection>(address, tls, socket, &options).await
        }

        /// A connection over a stream that there is already: one of another kind, or what something
        /// else was upgraded to. Either side may be the one that began. Where the stream is to be
        /// TLS, it is that already; of `options`, `tls` and `socket` are not used.
        ///
        /// # Errors
        ///
        /// That of the stream, where it does not know its addresses.
        pub fn connect_on<R: Runtime>(
            stream: impl Stream,
            options: &ConnectOptions,
        ) -> io::Result<Connection> {
            Connection::start::<R>(stream, options, ConnectionSlot::nowhere())
        }

        /// Listens on `address`, on every address of its host.
        ///
        /// # Errors
        ///
        /// [`ListenError`].
        pub async fn listen<R: Runtime>(
            address: impl IntoAddress,
            options: ListenOptions,
        ) -> Result<Server, ListenError> {
            $crate::establish::listen::<R, Connection>(address, options).await
        }
    };
}
pub(crate) use without_handshake;

pub(crate) async fn connect<R: Runtime, H: FromStream>(
    address: impl IntoAddress,
    tls: Option<&tls::Connector>,
    socket: &SocketOptions,
    settings: &H::Settings,
) -> Result<H, ConnectError> {
    let address = address.into_address()?;
    let stream = net::connect::<R>(&address, tls, socket).await?;
    H::start::<R>(stream, settings, ConnectionSlot::nowhere())
        .map_err(|error| ConnectError::Connect { address, error: Arc::new(error) })
}

pub(crate) async fn listen<R: Runtime, H: FromStream>(
    address: impl IntoAddress,
    options: impl ListenSettings<H>,
) -> Result<Server<H>, ListenError> {
    let Split { name, settings, accept, tls } = options.split();
    let take = move |core: &Arc<Core<H>>, accepted: AcceptedStream<_>| {
        let AcceptedStream { id, stream, slot } = accepted;
        // one that was gone before it had an address is counted out
        if let Ok(connection) = H::start::<R>(stream, &settings, slot) {
            core.register(id, connection.closer());
            core.offer(connection);
        }
    };
    let server = listen_with::<R, H>(address, accept, tls.as_ref(), take).await?;
    Ok(server.named(name))
}

/// A server that gives what it accepts to `take`.
pub(crate) async fn listen_with<R: Runtime, C: Send + 'static>(
    address: impl IntoAddress,
    options: AcceptOptions,
    tls: Option<&tls::Acceptor>,
    take: impl FnMut(&Arc<Core<C>>, AcceptedStream<Socket<R::Stream>>) + Clone + Send + 'static,
) -> Result<Server<C>, ListenError> {
    let core = start::<R, C>(address, options, tls, take).await?;
    Ok(Server::new(core))
}

/// What [`listen_with`] makes a server of.
pub(crate) async fn start<R: Runtime, C: Send + 'static>(
    address: impl IntoAddress,
    options: AcceptOptions,
    tls: Option<&tls::Acceptor>,
    take: impl FnMut(&Arc<Core<C>>, AcceptedStream<Socket<R::Stream>>) + Clone + Send + 'static,
) -> Result<Arc<Core<C>>, ListenError> {
    let address = address.into_address()?;
    let security = Security::to_listen(&address, tls)?;
    let listeners = net::bind::<R>(&address).await?;
    Core::start::<R>(listeners, options, security, take)
        .map_err(|error| ListenError::Listen { address, error: Arc::new(error) })
}
