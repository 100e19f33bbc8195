//! From an [`Address`] to sockets: every resolved address is tried.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::socket::{Security, Socket};
use crate::tls::Tls;
use crate::{Address, ConnectError, Runtime};

async fn resolve<R: Runtime>(address: &Address) -> Result<Vec<SocketAddr>, ConnectError> {
    if let Some(literal) = address.literal() {
        return Ok(vec![literal]);
    }
    let failed = |error| ConnectError::Resolve { address: address.clone(), error: Arc::new(error) };
    let found = R::resolve(address.host(), address.port()).await.map_err(failed)?;
    if found.is_empty() {
        return Err(failed(io::Error::new(io::ErrorKind::NotFound, "the name has no address")));
    }
    Ok(found)
}

/// Connects to the first address of the host that takes the connection, and does the TLS handshake where `tls` is given.
pub(crate) async fn connect<R: Runtime>(
    address: &Address,
    tls: Option<&Tls>,
) -> Result<Socket<R::Stream>, ConnectError> {
    let security = Security::to_connect(address, tls)?;
    let stream = dial::<R>(address).await?;
    let secured = security.secure::<R>(stream, address.host()).await;
    secured.map_err(|error| ConnectError::Tls { address: address.clone(), error })
}

async fn dial<R: Runtime>(address: &Address) -> Result<R::Stream, ConnectError> {
    let mut last = None;
    for target in resolve::<R>(address).await? {
        match R::connect(target).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    let error = Arc::new(last.unwrap_or_else(|| io::ErrorKind::NotFound.into()));
    Err(ConnectError::Connect { address: address.clone(), error })
}

/// Listens on every address of the host.
pub(crate) async fn bind<R: Runtime>(address: &Address) -> Result<Vec<R::Listener>, ConnectError> {
    let mut listeners = Vec::new();
    for target in resolve::<R>(address).await? {
        let listener = R::bind(target).await.map_err(|error| ConnectError::Listen {
            address: address.clone(),
            error: Arc::new(error),
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}
