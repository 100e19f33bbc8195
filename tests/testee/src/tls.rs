//! `TLS` of the line protocol, and the `pem_file` of `chatter05`: a file with key and certificate,
//! and whether the peer is verified.

use std::path::Path;

use hat_aio::tls::{
    Acceptor, AcceptorOptions, ClientCertificates, Connector, ConnectorOptions, Identity, Roots,
};

use crate::answer::Failure;
use crate::params::Params;

/// Our side, as the parameter `tls` says, if it is there.
fn read<T>(
    params: &Params,
    side: impl Fn(Option<&str>, bool) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    if params.any("tls").is_none() {
        return Ok(None);
    }
    let tls = params.object("tls")?;
    side(tls.optional_text("cert")?, tls.boolean_or("verify", false)?).map(Some)
}

/// A client's side, if the parameter `tls` is there.
pub(crate) fn read_connector(params: &Params) -> Result<Option<Connector>, Failure> {
    read(params, connector)
}

/// A server's side, if the parameter `tls` is there.
pub(crate) fn read_acceptor(params: &Params) -> Result<Option<Acceptor>, Failure> {
    read(params, acceptor)
}

/// Servers are verified by the system's roots, as at the deployed peers, and by their name too,
/// which those leave out.
pub(crate) fn connector(pem_file: Option<&str>, verify: bool) -> Result<Connector, Failure> {
    let options = ConnectorOptions {
        certificate: pem_file.map(|path| Identity::new(Path::new(path))),
        dangerous_accept_any_certificate: !verify,
        ..ConnectorOptions::default()
    };
    options.build().map_err(Failure::value)
}

/// Clients are verified by the system's roots.
pub(crate) fn acceptor(pem_file: Option<&str>, verify: bool) -> Result<Acceptor, Failure> {
    let Some(path) = pem_file else {
        return Err(Failure::value("a server of TLS needs a certificate"));
    };
    let mut options = AcceptorOptions::new(Identity::new(Path::new(path)));
    if verify {
        options.client_certificates = ClientCertificates::Required(Roots::System);
    }
    options.build().map_err(Failure::value)
}
