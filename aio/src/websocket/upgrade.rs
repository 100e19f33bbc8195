//! WebSockets of somebody else's HTTP server: hyper's, or one that stands on it, as axum.

use hat_core::ws::Agreement;
use http::{Request, Response};

use super::ConnectOptions;
use crate::web::{self, Origins, PendingUpgrade};

/// The answer to a request for a WebSocket, as [`web::upgrade`], which also agrees with the client
/// on what `options.ws` has: one of its `subprotocols`, and compression where its `config` has
/// `deflate`.
///
/// Gives the answer, the connection to come, and what was agreed on: for
/// [`accept`](super::accept), with the same options.
///
/// ```
/// # type Failure = Box<dyn std::error::Error>;
/// # async fn of(mut request: http::Request<()>) -> Result<http::Response<()>, Failure> {
/// # use hat_aio::web::Origins;
/// # use hat_aio::websocket::{self, ConnectOptions};
/// # fn spawn(_: impl Future) {}
/// # fn accept<S>(_: S, _: &ConnectOptions, _: hat_core::ws::Agreement) {}
/// let mut options = ConnectOptions::default();
/// options.ws.subprotocols = vec!["plant.v1".into()];
/// let upgraded = websocket::upgrade(&mut request, &Origins::Same, &options);
/// let (answer, upgrading, agreement) = upgraded.map_err(|refusal| refusal.into_body())?;
/// spawn(async move {
///     // `hat_tokio::websocket::accept`, say
///     let connection = accept(upgrading.stream().await?, &options, agreement);
///     // …
///     # Ok::<_, std::io::Error>(())
/// });
/// Ok(answer)
/// # }
/// ```
///
/// # Errors
///
/// The answer to a request that is none for a WebSocket, or of a page that may not.
pub fn upgrade<B>(
    request: &mut Request<B>,
    origins: &Origins,
    options: &ConnectOptions,
) -> Result<(Response<()>, PendingUpgrade, Agreement), Box<Response<String>>> {
    let ws = &options.ws;
    web::upgrade_with(request, origins, &ws.subprotocols, ws.config.deflate)
}
