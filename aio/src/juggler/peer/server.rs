//! The server's side, behind a web server.

use std::sync::Arc;

use super::{ConnectOptions, Connection, PeerSession};
use crate::IntoAddress;
use crate::inbox::InboxLimits;
use crate::runtime::Runtime;
use crate::web::{self, ListenError, Origins, PendingUpgrade, WebOptions};
use hat_core::juggler::rpc::Config;
use hat_core::options::More;
use hat_core::ws::{self, Agreement};
use http::{Request, Response};

/// A server whose connections the application accepts one by one.
pub type Server = crate::server::Server<Connection>;

/// Options of a server and its connections.
#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    /// The web server: paths, files, passwords.
    pub web: WebOptions,
    /// The protocol: the delay of data, limits.
    pub config: Config,
    /// Limits of the WebSocket below it, and whether messages are compressed where clients can:
    /// its `deflate` is what the web server answers the handshake by.
    pub ws: ws::Config,
    /// Limits of what may wait for [`Connection::receive`]. At a limit nothing more is read.
    pub inbox: InboxLimits,
    /// Every change of the other side's data is kept for [`Connection::next_change`] from the
    /// beginning, and nothing more is read while as many wait as `inbox` allows. Default: off; they
    /// are kept from the first call of it on.
    pub every_change: bool,
    #[doc(hidden)]
    pub more: More,
}

/// Listens on `address`, on every address of its host, with a web server.
///
/// # Errors
///
/// [`ListenError`].
pub async fn listen<R: Runtime>(
    address: impl IntoAddress,
    options: ListenOptions,
) -> Result<Server, ListenError> {
    let ListenOptions { web, config, ws, inbox, every_change, more: _ } = options;
    let session = move |ws| PeerSession::new(ws, config.clone(), inbox, every_change);
    let connection =
        |handle, client| Connection { client: Some(Arc::new(client)), ..Connection::new(handle) };
    web::listen_for::<R, _, _>(address, web, ws, session, connection).await
}

/// The answer of another HTTP server, hyper's or one that stands on it, to a request for a
/// WebSocket: as [`web::upgrade`], which also agrees with the client on compression, where
/// `options.ws.config` has `deflate`.
///
/// Gives the answer, the connection to come, and what was agreed on: for
/// [`accept`](super::accept), with the same options.
///
/// # Errors
///
/// The answer to a request that is none for a WebSocket, or of a page that may not.
pub fn upgrade<B>(
    request: &mut Request<B>,
    origins: &Origins,
    options: &ConnectOptions,
) -> Result<(Response<()>, PendingUpgrade, Agreement), Box<Response<String>>> {
    web::upgrade_with(request, origins, &[], options.ws.config.deflate)
}
