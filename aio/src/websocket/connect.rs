//! How clients get their WebSocket, also those of what stands on one.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytestring::ByteString;

use super::connection::{Connection, WsSession};
use crate::handle::Handle;
use crate::inbox::InboxLimits;
use crate::runtime::{Runtime, Stream};
use crate::shared::{ConnectionSlot, Session, SessionError, Wait};
use crate::{IntoAddress, SocketOptions, net, tls};
use hat_core::options::More;
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_core::ws;

/// How a client asks for its WebSocket.
#[derive(Clone, Debug)]
pub struct WsOptions {
    /// Path of the WebSocket, `/ws`; that of the address, where it has one, goes before.
    pub ws_path: ByteString,
    /// The `Host` of the request. Default: `None`, the address; and `localhost` over a stream that
    /// there is already.
    pub host: Option<ByteString>,
    /// User and password, where the server asks for them. They go over the network as they are: it
    /// needs TLS then.
    pub credentials: Option<(String, String)>,
    /// More headers of the request: `Cookie`, `Origin`.
    pub headers: Vec<ws::Field>,
    /// The application's protocols, the preferred one first; the server takes one or none. Default:
    /// none. Juggler has none.
    pub subprotocols: Vec<ByteString>,
    /// Our side of TLS, where the server is `wss`. See [`tls`]. Default: none.
    pub tls: Option<tls::Connector>,
    /// The time limit of connecting, and options of the socket.
    pub socket: SocketOptions,
    /// Limits. Its `mask_seed` is drawn anew for each connection.
    pub config: ws::Config,
    #[doc(hidden)]
    pub more: More,
}

impl Default for WsOptions {
    fn default() -> Self {
        Self {
            ws_path: ByteString::from_static("/ws"),
            host: None,
            credentials: None,
            headers: Vec::new(),
            subprotocols: Vec::new(),
            tls: None,
            socket: SocketOptions::default(),
            config: ws::Config::default(),
            more: More::default(),
        }
    }
}

/// Options of a connection.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// How it asks for its WebSocket.
    pub ws: WsOptions,
    /// Limits of what may wait for [`Connection::receive`]. At a limit nothing more is read.
    pub inbox: InboxLimits,
    #[doc(hidden)]
    pub more: More,
}

/// Why a client could not connect.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError<E = ws::Error> {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] crate::ConnectError),
    /// The request for the WebSocket cannot be written.
    #[error("the request for the WebSocket cannot be sent: {0}")]
    Request(#[from] ws::RequestError),
    /// The connection ended before the server took the client.
    #[error(transparent)]
    Ended(#[from] crate::Error<E>),
}

impl ConnectError {
    /// Whether the server refused the WebSocket, and will do so again: it wants another user, path
    /// or host. One that is not ready (408, 425, 429 and 5xx) does not refuse.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Ended(error) if error.protocol().is_some_and(is_rejection))
    }
}

/// Whether the server refused the WebSocket, and will do so again.
pub(crate) fn is_rejection(error: &ws::Error) -> bool {
    match error {
        ws::Error::Refused { status, .. } => {
            (300..500).contains(status) && !matches!(status, 408 | 425 | 429)
        }
        _ => false,
    }
}

/// Connects to the server at `address`, and waits until it takes the WebSocket.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect<R: Runtime>(
    address: impl IntoAddress,
    options: ConnectOptions,
) -> Result<Connection, ConnectError> {
    let ConnectOptions { ws, inbox, more: _ } = options;
    let session = |ws| WsSession::new(ws, inbox, Vec::new());
    Ok(Connection::new(connect_as::<R, _>(address, ws, session).await?))
}

/// As [`connect`], over a stream that there is already: see [`IoStream`](crate::IoStream). Where it
/// is to be TLS, it is that already; of `options.ws`, `tls` and `socket` are not used.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect_on<R: Runtime>(
    stream: impl Stream,
    options: ConnectOptions,
) -> Result<Connection, ConnectError> {
    let ConnectOptions { ws, inbox, more: _ } = options;
    let session = |ws| WsSession::new(ws, inbox, Vec::new());
    Ok(Connection::new(connect_as_on::<R, _>(stream, ws, session).await?))
}

/// A session that begins with a client's WebSocket.
pub(crate) trait Opening: Session {
    /// The server took the WebSocket.
    fn is_open(&self) -> bool;
}

/// Why such a session could not be established.
type NoConnection<S> = ConnectError<<<S as Session>::Protocol as Protocol>::Error>;

/// Connects, starts the driver of what `session` makes of the WebSocket, and waits until the server
/// takes it.
pub(crate) async fn connect_as<R: Runtime, S: Opening>(
    address: impl IntoAddress,
    options: WsOptions,
    session: impl FnOnce(ws::Connection) -> S,
) -> Result<Handle<S>, NoConnection<S>> {
    let address = address.into_address().map_err(crate::ConnectError::from)?;
    let (tls, socket) = (options.tls.clone(), options.socket);
    let session = session(asking::<R>(options, &address.authority(), address.url_path())?);
    let stream = net::connect::<R>(&address.without_path(), tls.as_ref(), &socket).await?;
    opened::<R, S>(stream, session).await
}

/// The same over a stream that there is already.
pub(crate) async fn connect_as_on<R: Runtime, S: Opening>(
    stream: impl Stream,
    options: WsOptions,
    session: impl FnOnce(ws::Connection) -> S,
) -> Result<Handle<S>, NoConnection<S>> {
    opened::<R, S>(stream, session(asking::<R>(options, "localhost", None)?)).await
}

async fn opened<R: Runtime, S: Opening>(
    stream: impl Stream,
    session: S,
) -> Result<Handle<S>, NoConnection<S>> {
    let failed = |error| SessionError::<S>::Io(Arc::new(error));
    let handle = Handle::start::<R>(stream, |_| session, ConnectionSlot::nowhere());
    let handle = handle.map_err(failed)?;
    handle.wait(Wait::Incoming, |session| session.is_open().then_some(())).await?;
    Ok(handle)
}

/// The machine of a client that asks for its WebSocket, at `host` unless the options say, and at
/// their path unless the address has one.
pub(crate) fn asking<R: Runtime>(
    options: WsOptions,
    host: &str,
    path: Option<&str>,
) -> Result<ws::Connection, ws::RequestError> {
    let WsOptions { ws_path, host: given, credentials, mut headers, subprotocols, config, .. } =
        options;
    if let Some((user, password)) = credentials {
        let value = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
        headers.push(("Authorization".into(), value.into()));
    }
    let host = given.unwrap_or_else(|| host.into());
    let ws_path = path.map_or(ws_path, ByteString::from);
    let request = ws::Request { headers, subprotocols, ..ws::Request::new(host, ws_path) };
    let config = ws::Config { mask_seed: R::seed(), ..config };
    // a connection's time begins when it does
    ws::Connection::connect(config, request, Instant::ORIGIN)
}
