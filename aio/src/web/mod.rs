//! The HTTP server in front of WebSocket servers: static files, passwords, and the upgrade to a
//! WebSocket.
//!
//! ```text
//!  socket ─(TLS)─> hyper ──head──> decide ──┬── answer ───────────────────> socket
//!                                    │      ├── file, routes ─────────────> socket
//!                                 password  └── 101, the stream back ─────> accept()
//! ```
//!
//! HTTP/1.1 and 1.0 by [hyper](https://docs.rs/hyper), on every runtime. What is decided is decided
//! in one place, from the head of the request alone; hyper carries it out. Every answer has
//! `X-Content-Type-Options: nosniff`, unless switched off `Cache-Control: no-cache`, and the
//! [`headers`](WebOptions::headers) of the application's own; but those to requests that are no
//! HTTP (400, 414, 431) are hyper's own and have neither.
//!
//! A request with both `Transfer-Encoding` and `Content-Length` is the last on its connection,
//! which hyper sees to: a proxy in front may have taken the other of the two, so what follows is
//! not trusted.
//!
//! Files are answered to `GET` and `HEAD`, with content type, `ETag`, `Last-Modified`, conditions
//! and single ranges; a request for several ranges gets the whole file. Folders are 404, like
//! everything that is not there: they have no listing and no index. [Embedded](EmbeddedFile) texts
//! are compressed with gzip where the client takes that (`Accept-Encoding`), with an `ETag` of
//! their own; files of a folder are sent as they are.

mod answer;
mod auth;
mod body;
mod client;
mod decide;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod hyper_stream;
mod io;
mod options;
mod other;
mod path;
mod serve;
mod site;
mod upgrade;
mod websocket;

use std::path::PathBuf;
use std::sync::Arc;

pub use auth::HtpasswdError;
pub use http;
pub use hyper;
pub use hyper_stream::HyperStream;
pub use options::{Client, EmbeddedFile, Limits, Origins, Routes, WebOptions};
pub(crate) use other::upgrade_with;
pub use other::{PendingUpgrade, upgrade};
pub use upgrade::{Upgrade, UpgradedStream};

use super::runtime::Runtime;
use super::server::{AcceptedStream, Core, Server};
pub use super::socket::Socket;
use crate::handle::Handle;
use crate::shared::{ConnectionSlot, Session};
use crate::{IntoAddress, establish};
use hat_core::ws;
use serve::{Closer, serve};
use site::Site;

/// A web server. What it gives to the application are its WebSockets.
pub type WebServer<T> = Server<Upgrade<T>>;

/// Bytes that the system takes beyond what it sends at once, 128 KiB: a state of megabytes must not
/// stand there, where nobody sees whether the client reads.
const UNSENT: u32 = 128 * 1024;

/// Why a web server could not be started.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] crate::ListenError),
    /// The password file cannot be used.
    #[error(transparent)]
    Htpasswd(#[from] HtpasswdError),
    /// The folder of files cannot be read.
    #[error("cannot read the folder of files {}: {error}", path.display())]
    StaticDir {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        error: Arc<std::io::Error>,
    },
    /// A path that is not a path of a URL.
    #[error("`{path}` is not a valid {name}: it must begin with `/`, and contain no line breaks")]
    Path {
        /// Which option it is.
        name: &'static str,
        /// What was given.
        path: String,
    },
}

/// Serves HTTP on `address`, on every address of its host. The application takes its WebSockets
/// with `accept`.
///
/// # Errors
///
/// [`ListenError`].
pub async fn listen<R: Runtime>(
    address: impl IntoAddress,
    options: WebOptions,
) -> Result<WebServer<Socket<R::Stream>>, ListenError> {
    let offer = |core: &Arc<Core<_>>, _, upgrade| core.offer(upgrade);
    listen_with::<R, _>(address, options, offer).await
}

/// A server that gives each WebSocket to `take`, with the number of its connection. The connection
/// is counted out when its stream is dropped; what can be closed sooner is given to its
/// [`closer`](UpgradedStream::closer).
pub(crate) async fn listen_with<R: Runtime, C: Send + 'static>(
    address: impl IntoAddress,
    options: WebOptions,
    take: impl Fn(&Arc<Core<C>>, u64, Upgrade<Socket<R::Stream>>) + Clone + Send + 'static,
) -> Result<Server<C>, ListenError> {
    let (mut accept, shutdown_timeout) = (options.accept, options.shutdown_timeout);
    accept.socket.unsent.get_or_insert(UNSENT);
    let tls = options.tls.clone();
    let site = Arc::new(Site::new::<R>(options).await?);
    let served = site.clone();
    let serve_each = move |core: &Arc<Core<C>>, accepted: AcceptedStream<_>| {
        let AcceptedStream { id, stream, slot } = accepted;
        let closer = Arc::new(Closer::default());
        core.register(id, closer.clone());
        let serving = serve::<R, _>(stream, served.clone(), closer, shutdown_timeout, slot);
        let (core, take) = (core.clone(), take.clone());
        R::spawn(async move {
            if let Some(upgrade) = serving.await {
                take(&core, id, upgrade);
            }
        });
    };
    let server = establish::listen_with::<R, C>(address, accept, tls.as_ref(), serve_each).await?;
    if site.auth.is_some() {
        let core = server.core().clone();
        R::spawn(async move {
            if let Some(auth) = &site.auth {
                auth.watch::<R, C>(core).await;
            }
        });
    }
    Ok(server)
}

/// A server of what stands on a WebSocket, of `config`: the application accepts its connections one
/// by one, each made by `connection` of the handle of a `session`.
pub(crate) async fn listen_for<R: Runtime, S: Session, C: Send + 'static>(
    address: impl IntoAddress,
    mut options: WebOptions,
    config: ws::Config,
    session: impl Fn(ws::Connection) -> S + Clone + Send + 'static,
    connection: impl Fn(Handle<S>, Client) -> C + Clone + Send + 'static,
) -> Result<Server<C>, ListenError> {
    options.deflate = options.deflate.or(config.deflate);
    let take = move |core: &Arc<Core<C>>, _, upgrade: Upgrade<Socket<R::Stream>>| {
        let Upgrade { stream, client, deflate, .. } = upgrade;
        // what was gone before it had an address is counted out with its stream
        let closer = stream.closer();
        let session = |now| session(crate::websocket::established(config.clone(), deflate, now));
        if let Ok(handle) = Handle::start::<R>(stream, session, ConnectionSlot::nowhere()) {
            closer.close_too(handle.shared().clone());
            core.offer(connection(handle, client));
        }
    };
    listen_with::<R, _>(address, options, take).await
}
