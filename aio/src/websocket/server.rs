//! The server's side, behind a web server.

use std::sync::Arc;

use super::connection::{Connection, WsSession};
use crate::IntoAddress;
use crate::inbox::InboxLimits;
use crate::runtime::Runtime;
use crate::web::{self, ListenError, WebOptions};
use hat_core::options::More;
use hat_core::ws;

/// A server whose connections the application accepts one by one.
pub type Server = crate::server::Server<Connection>;

/// Options of a server and its connections.
#[derive(Clone, Debug, Default)]
pub struct ListenOptions {
    /// The web server: path, origins, files, passwords, TLS. It takes no subprotocol.
    pub web: WebOptions,
    /// Limits of a WebSocket, and whether messages are compressed where clients can.
    pub config: ws::Config,
    /// Limits of what may wait for [`Connection::receive`]. At a limit nothing more is read.
    pub inbox: InboxLimits,
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
    let ListenOptions { web, config, inbox, more: _ } = options;
    let session = move |ws| WsSession::established(ws, inbox);
    let connection =
        |handle, client| Connection { client: Some(Arc::new(client)), ..Connection::new(handle) };
    web::listen_for::<R, _, _>(address, web, config, session, connection).await
}
