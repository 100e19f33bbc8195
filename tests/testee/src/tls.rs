//! `TLS` of the line protocol, and the `pem_file` of `chatter05`: a file with key and certificate, and whether the peer is verified.

use std::path::Path;

use hat_aio::tls::{
    ClientCertificates, ClientOptions, ConfigError, Identity, Roots, ServerOptions, Tls,
};

use crate::answer::Failure;
use crate::params::Params;

/// Which side of a connection is ours.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The parameter `tls`, if it is there.
pub(crate) fn read(params: &Params, side: Side) -> Result<Option<Tls>, Failure> {
    if params.any("tls").is_none() {
        return Ok(None);
    }
    let tls = params.object("tls")?;
    side.tls(tls.optional_text("cert")?, tls.boolean_or("verify", false)?).map(Some)
}

impl Side {
    /// Peers are verified by the system's roots, as at the deployed peers; a server by its name too, which those leave out.
    pub(crate) fn tls(self, pem_file: Option<&str>, verify: bool) -> Result<Tls, Failure> {
        let certificate = pem_file.map(|path| Identity::new(Path::new(path)));
        let built: Result<Tls, ConfigError> = match (self, certificate) {
            (Self::Client, certificate) => {
                let dangerous_accept_any_certificate = !verify;
                let options = ClientOptions {
                    certificate,
                    dangerous_accept_any_certificate,
                    ..ClientOptions::default()
                };
                options.build().map(Tls::from)
            }
            (Self::Server, Some(certificate)) => {
                let mut options = ServerOptions::new(certificate);
                if verify {
                    options.client_certificates = ClientCertificates::Required(Roots::System);
                }
                options.build().map(Tls::from)
            }
            (Self::Server, None) => {
                return Err(Failure::value("a server of TLS needs a certificate"));
            }
        };
        built.map_err(Failure::value)
    }
}
