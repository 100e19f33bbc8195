//! How COTP connections and servers are made: the handshake, the references, and the port.

use std::fmt;
use std::future::{Future, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use bytes::Bytes;

use super::{Connection, Error, Server};
use crate::establish;
use crate::inbox::InboxLimits;
use crate::runtime::{Runtime, Stream};
use crate::server::{AcceptOptions, AcceptedStream, Core};
use crate::shared::ConnectionSlot;
use crate::{IntoAddress, SocketOptions, net, tls};
use hat_core::cotp::{
    Answer, Config, ConfigError, ConnectRequest, Connection as Machine, Reason, Response,
};
use hat_core::options::More;
use hat_core::time::Instant;

/// The port of ISO transport over TCP (RFC 1006 clause 4). Most systems let only privileged
/// programs listen on it.
pub const DEFAULT_PORT: u16 = 102;

/// Options of a connection.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// The protocol: selectors, sizes, policy, limits. Its `source_reference` is a number that
    /// counts up in this process, unless [`reference`](Self::reference) is given.
    pub config: Config,
    /// Our reference (SRC-REF).
    pub reference: Option<u16>,
    /// What may wait to be received before nothing more is read.
    pub inbox: InboxLimits,
    /// Uses TLS, with this configuration. See [`tls`].
    pub tls: Option<tls::Connector>,
    /// The time limit of connecting, and options of the socket.
    pub socket: SocketOptions,
    #[doc(hidden)]
    pub more: More,
}

/// Options of a server and its connections.
#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    /// The protocol: selectors, sizes, policy, limits. Its `source_reference` is a number that
    /// counts up in this process, unless [`reference`](Self::reference) is given; its `answer` is
    /// overruled by [`decide`](Self::decide).
    pub config: Config,
    /// Our reference (SRC-REF).
    pub reference: Option<u16>,
    /// Who decides about requests that fit the configuration. Default: they are confirmed.
    pub decide: Option<Decide>,
    /// What may wait to be received before nothing more is read.
    pub inbox: InboxLimits,
    /// Limits on connections, and whether they end with the server.
    pub accept: AcceptOptions,
    /// Uses TLS, with this configuration. See [`tls`].
    pub tls: Option<tls::Acceptor>,
    #[doc(hidden)]
    pub more: More,
}

impl From<ConnectOptions> for ListenOptions {
    /// A server whose connections are made as those of a client, without TLS.
    fn from(options: ConnectOptions) -> Self {
        let ConnectOptions { config, reference, inbox, .. } = options;
        Self { config, reference, inbox, ..Self::default() }
    }
}

/// What is done about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is confirmed.
    Confirm(Response),
    /// It is refused with a DR: the peer's caller sees the reason, and the additional information
    /// of at most 246 octets. A reason that class 0 does not have is told to this side's
    /// application, as the cause of a [failed handshake](crate::HandshakeFailure), and the peer is
    /// refused without one.
    Refuse(Reason, Option<Bytes>),
}

/// What a decision is waited for with.
pub(super) type DecisionFuture = Pin<Box<dyn Future<Output = Decision> + Send>>;

/// Decides about requests.
#[derive(Clone)]
pub struct Decide(Arc<dyn Fn(ConnectRequest) -> DecisionFuture + Send + Sync>);

impl Decide {
    /// Decides by `decide`, at once.
    pub fn new(decide: impl Fn(&ConnectRequest) -> Decision + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |request| Box::pin(ready(decide(&request)))))
    }

    /// Decides by `decide`, which may wait: a gateway asks its far side before it confirms. Nothing
    /// more is read from the peer meanwhile than one DT, and there is no time limit but the peer's
    /// own. The future is dropped where the peer withdraws its request or leaves; with
    /// [`listen_raw`](super::listen_raw) where it leaves, since what it sends meanwhile need be no
    /// TPDU.
    pub fn later<F: Future<Output = Decision> + Send + 'static>(
        decide: impl Fn(ConnectRequest) -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |request| Box::pin(decide(request))))
    }

    pub(super) fn about(&self, request: ConnectRequest) -> DecisionFuture {
        (self.0)(request)
    }
}

impl fmt::Debug for Decide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decide")
    }
}

/// Why a connection could not be established.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no TCP connection, or no TLS over it.
    #[error(transparent)]
    Connect(#[from] crate::ConnectError),
    /// The configuration makes no connection.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The connection ended before it was established. [`Refused`](hat_core::cotp::Error::Refused)
    /// holds the reason of the peer.
    #[error(transparent)]
    Ended(#[from] Error),
}

/// Why a server could not be started.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] crate::ListenError),
    /// The port of ISO transport is for privileged programs on this system.
    #[error(
        "the system does not let this program bind port {port}: choose another, or give the \
         program the right to bind ports below 1024 (on Linux CAP_NET_BIND_SERVICE)"
    )]
    PrivilegedPort {
        /// The port.
        port: u16,
    },
    /// The configuration makes no connection.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// References of this process, counted from 1; 0 is not used.
fn next_reference() -> u16 {
    static LAST: AtomicU16 = AtomicU16::new(0);
    loop {
        let reference = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if reference != 0 {
            return reference;
        }
    }
}

/// The configuration of one connection.
pub(super) fn numbered(config: &Config, reference: Option<u16>) -> Config {
    let mut config = config.clone();
    if let Some(reference) = reference {
        config.source_reference = reference;
    } else if config.raw_variable_part.is_none() {
        config.source_reference = next_reference();
    }
    config
}

impl ListenOptions {
    /// The configuration of one connection.
    pub(super) fn config(&self) -> Config {
        let mut config = numbered(&self.config, self.reference);
        if self.decide.is_some() {
            config.answer = Answer::Manual;
        }
        config
    }
}

/// Connects to `address`, and waits until the peer has confirmed; every address of its host is
/// tried.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect<R: Runtime>(
    address: impl IntoAddress,
    options: ConnectOptions,
) -> Result<Connection, ConnectError> {
    let address = address.into_address().map_err(crate::ConnectError::from)?;
    let config = numbered(&options.config, options.reference);
    let machine = Machine::connect(config, Instant::ORIGIN)?;
    let stream = net::connect::<R>(&address, options.tls.as_ref(), &options.socket).await?;
    let connection =
        Connection::start::<R>(stream, machine, false, options.inbox, ConnectionSlot::nowhere())
            .map_err(|error| crate::ConnectError::Connect { address, error: Arc::new(error) })?;
    connection.established().await?;
    Ok(connection)
}

/// Asks for a connection over a stream that there is already, and waits until the peer has
/// confirmed. Of `options`, `tls` and `socket` are not used.
///
/// # Errors
///
/// [`OnError`].
pub async fn connect_on<R: Runtime>(
    stream: impl Stream,
    options: &ConnectOptions,
) -> Result<Connection, OnError> {
    let machine = Machine::connect(numbered(&options.config, options.reference), Instant::ORIGIN)?;
    on::<R>(stream, machine, None, options.inbox).await
}

/// Waits for the request of the peer over a stream that there is already, and confirms it. Of
/// `options`, `tls` and `accept` are not used.
///
/// # Errors
///
/// [`OnError`].
pub async fn serve_on<R: Runtime>(
    stream: impl Stream,
    options: &ListenOptions,
) -> Result<Connection, OnError> {
    let machine = Machine::accept(options.config(), Instant::ORIGIN)?;
    on::<R>(stream, machine, options.decide.clone(), options.inbox).await
}

async fn on<R: Runtime>(
    stream: impl Stream,
    machine: Machine,
    decide: Option<Decide>,
    inbox: InboxLimits,
) -> Result<Connection, OnError> {
    let asks = decide.is_some();
    let connection =
        Connection::start::<R>(stream, machine, asks, inbox, ConnectionSlot::nowhere());
    let connection = connection.map_err(|error| OnError::Stream(Arc::new(error)))?;
    if let Some(decide) = decide {
        connection.decide(&decide).await;
    }
    connection.established().await?;
    Ok(connection)
}

/// Why a connection over a given stream could not be established.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnError {
    /// The stream does not know its addresses.
    #[error("the stream cannot be used: {0}")]
    Stream(Arc<io::Error>),
    /// The configuration makes no connection.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The connection ended before it was established.
    #[error(transparent)]
    Ended(#[from] Error),
}

/// Listens on `address`, on every address of its host; the usual port is [`DEFAULT_PORT`].
///
/// # Errors
///
/// [`ListenError`].
pub async fn listen<R: Runtime>(
    address: impl IntoAddress,
    options: ListenOptions,
) -> Result<Server, ListenError> {
    // the machines of connections are made of the same configuration
    Machine::accept(options.config(), Instant::ORIGIN)?;
    let address = address.into_address().map_err(crate::ListenError::from)?;
    let (accept, tls) = (options.accept, options.tls.clone());
    let take = move |core: &Arc<Core<Connection>>, accepted: AcceptedStream<_>| {
        let AcceptedStream { id, stream, slot } = accepted;
        let Ok(machine) = Machine::accept(options.config(), Instant::ORIGIN) else {
            return;
        };
        let (decide, inbox) = (options.decide.clone(), options.inbox);
        // one that was gone before it had an address is counted out
        let asks = decide.is_some();
        if let Ok(connection) = Connection::start::<R>(stream, machine, asks, inbox, slot) {
            core.register(id, connection.closer());
            let core = core.clone();
            R::spawn(async move {
                if let Some(decide) = decide {
                    connection.decide(&decide).await;
                }
                match connection.established().await {
                    Ok(()) => core.offer(connection),
                    Err(error) => {
                        let remote = Some(connection.remote_address());
                        match connection.wrong_answer() {
                            Some(wrong) => core.failed(remote, wrong),
                            None => core.failed(remote, error),
                        }
                    }
                }
            });
        }
    };
    let port = address.port();
    let server = establish::listen_with::<R, _>(address, accept, tls.as_ref(), take).await;
    server.map_err(|error| privileged(error, port))
}

/// Why there is no server at `port`.
pub(super) fn privileged(error: crate::ListenError, port: u16) -> ListenError {
    match error.io().map(io::Error::kind) {
        Some(io::ErrorKind::PermissionDenied) => ListenError::PrivilegedPort { port },
        _ => error.into(),
    }
}
