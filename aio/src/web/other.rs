//! WebSockets of somebody else's HTTP server: hyper's, or one that stands on it, as axum.

use std::io;

use bytestring::ByteString;
use hat_core::ws::{Agreement, Deflate};
use http::{Request, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};

use super::hyper_stream::HyperStream;
use super::options::Origins;
use super::websocket;

/// What a connection becomes once the answer to its request for a WebSocket is sent.
#[derive(Debug)]
pub struct PendingUpgrade(OnUpgrade);

/// The answer to a request for a WebSocket (RFC 6455 section 4.2), for a server that stands on
/// hyper. The server has decided already that the path is that of a WebSocket, and who the client
/// is.
///
/// Gives the answer, 101 with its headers, which the server has to send as it is; and the
/// connection, of which it is the last answer. Nothing is agreed on beside the WebSocket, neither
/// compression nor a subprotocol: [`websocket::upgrade`](crate::websocket::upgrade) does that, and
/// for Juggler [`Server::upgrade`](crate::juggler::Server::upgrade).
///
/// `origins` are those whose pages may open it.
///
/// # Errors
///
/// The answer to a request that is none for a WebSocket, or of a page that may not: a status of 4xx
/// and a line that says why.
pub fn upgrade<B>(
    request: &mut Request<B>,
    origins: &Origins,
) -> Result<(Response<()>, PendingUpgrade), Box<Response<String>>> {
    let (response, upgrading, _) = upgrade_with(request, origins, &[], None)?;
    Ok((response, upgrading))
}

/// The same, with what is agreed on of ours.
pub(crate) fn upgrade_with<B>(
    request: &mut Request<B>,
    origins: &Origins,
    subprotocols: &[ByteString],
    deflate: Option<Deflate>,
) -> Result<(Response<()>, PendingUpgrade, Agreement), Box<Response<String>>> {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = request.method().clone();
    head.uri = request.uri().clone();
    head.version = request.version();
    head.headers = request.headers().clone();
    let accept =
        websocket::handshake(&head, origins).map_err(|refusal| Box::new((*refusal).into()))?;
    let (response, agreement) = websocket::agree(accept, &head.headers, subprotocols, deflate, ());
    Ok((response, PendingUpgrade(hyper::upgrade::on(request)), agreement))
}

impl PendingUpgrade {
    /// Waits until the answer is sent, and gives the stream of the connection. In a task of its
    /// own, since the server sends the answer only once its handler has given it. Cancel safe in
    /// that nothing goes on when it is dropped; the connection ends then.
    ///
    /// # Errors
    ///
    /// The server did not upgrade the connection: it cannot, or the connection ended.
    pub async fn stream(self) -> io::Result<HyperStream<Upgraded>> {
        self.0.await.map(HyperStream::new).map_err(io::Error::other)
    }
}
