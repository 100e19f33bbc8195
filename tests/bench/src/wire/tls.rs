//! One configuration of TLS for all contenders: the same certificate, versions and cipher suites.

use std::path::Path;
use std::sync::Arc;

use hat_aio::tls::rustls::crypto::ring;
use hat_aio::tls::rustls::pki_types::pem::PemObject;
use hat_aio::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use hat_aio::tls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Of a server, whose certificate and key are in `file`.
pub(super) fn server(file: &Path) -> anyhow::Result<Arc<ServerConfig>> {
    let certificate = CertificateDer::from_pem_file(file)?;
    let key = PrivateKeyDer::from_pem_file(file)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(Arc::new(config))
}

/// Of a client that trusts that server and nobody else.
pub(super) fn client(file: &Path) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
