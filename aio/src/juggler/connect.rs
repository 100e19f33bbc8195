//! How clients of both generations get their WebSocket.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytestring::ByteString;

use super::Error;
use crate::handle::Handle;
use crate::runtime::Runtime;
use crate::shared::{ConnectionSlot, Session};
use crate::{IntoAddress, SocketOptions, net, tls};
use hat_core::options::More;
use hat_core::time::Instant;
use hat_core::ws;

/// How a client asks for its WebSocket.
#[derive(Clone, Debug)]
pub struct WsOptions {
    /// Path of the WebSocket, `/ws`.
    pub ws_path: ByteString,
    /// User and password, where the server asks for them. They go over the network as they are: it
    /// needs TLS then.
    pub credentials: Option<(String, String)>,
    /// More headers of the request: `Cookie`, `Origin`.
    pub headers: Vec<ws::Field>,
    /// Our side of TLS, where the server is `wss`. See [`tls`]. Default: none.
    pub tls: Option<tls::Connector>,
    /// The time limit of connecting, and the socket.
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
            credentials: None,
            headers: Vec::new(),
            tls: None,
            socket: SocketOptions::default(),
            config: ws::Config::default(),
            more: More::default(),
        }
    }
}

/// Why there is no client.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] crate::ConnectError),
    /// The request for the WebSocket cannot be written.
    #[error("the request for the WebSocket cannot be sent: {0}")]
    Request(#[from] ws::RequestError),
    /// The connection ended before the server took the client.
    #[error(transparent)]
    Ended(#[from] Error),
}

/// Connects, and starts the driver of what `session` makes of the WebSocket.
pub(super) async fn connect<R: Runtime, S: Session>(
    address: impl IntoAddress,
    options: WsOptions,
    session: impl FnOnce(ws::Connection) -> S,
) -> Result<Handle<S>, ConnectError> {
    let WsOptions { ws_path, credentials, mut headers, tls, socket, config, more: _ } = options;
    let address = address.into_address().map_err(crate::ConnectError::from)?;
    if let Some((user, password)) = credentials {
        let value = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
        headers.push(("Authorization".into(), value.into()));
    }
    let request = ws::Request { headers, ..ws::Request::new(address.authority(), ws_path) };
    let config = ws::Config { mask_seed: R::seed(), ..config };
    // a connection's time begins when it does
    let session = session(ws::Connection::connect(config, request, Instant::ORIGIN)?);
    let stream = net::connect::<R>(&address, tls.as_ref(), &socket).await?;
    let failed = |error| crate::ConnectError::Connect { address, error: Arc::new(error) };
    Ok(Handle::start::<R>(stream, |_| session, ConnectionSlot::nowhere()).map_err(failed)?)
}
