//! The server's side of TLS: the acceptor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection};

use super::pem::{Identity, Roots};
use super::stream::{TlsStream, provider};
use super::{ConfigError, Error, HANDSHAKE_TIMEOUT};
use crate::runtime::{Runtime, Stream};

/// Who a server is, and whether clients must say who they are.
#[derive(Clone, Debug)]
pub struct AcceptorOptions {
    /// The server's certificate and its key.
    pub certificate: Identity,
    /// Certificates of clients. Default: none are asked for.
    pub client_certificates: ClientCertificates,
    /// Application protocols to agree to (ALPN), the best first. Default: none, which is right for
    /// Hat's protocols.
    pub alpn: Vec<Vec<u8>>,
    /// How long the handshake may take. Default: 10 s.
    pub handshake_timeout: Duration,
}

/// Whether clients show certificates.
#[derive(Clone, Debug, Default)]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    None,
    /// They are asked, and may have none; one that they have is verified.
    Optional(Roots),
    /// A client without a certificate that verifies is refused.
    Required(Roots),
}

impl AcceptorOptions {
    /// A server with this certificate that asks clients for none.
    #[must_use]
    pub fn new(certificate: Identity) -> Self {
        Self {
            certificate,
            client_certificates: ClientCertificates::None,
            alpn: Vec::new(),
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }

    /// Reads the files, and checks what is in them. Blocks for as long as that takes: do it once.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn build(&self) -> Result<Acceptor, ConfigError> {
        let verifier = |roots: &Roots, required: bool| {
            let builder = WebPkiClientVerifier::builder_with_provider(roots.load()?, provider());
            let builder = if required { builder } else { builder.allow_unauthenticated() };
            Ok(builder.build().expect("there are roots, and no lists of what is revoked"))
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites of both versions");
        let builder = match &self.client_certificates {
            ClientCertificates::None => builder.with_no_client_auth(),
            ClientCertificates::Optional(roots) => {
                builder.with_client_cert_verifier(verifier(roots, false)?)
            }
            ClientCertificates::Required(roots) => {
                builder.with_client_cert_verifier(verifier(roots, true)?)
            }
        };
        let mut config =
            self.certificate.give(|chain, key| builder.with_single_cert(chain, key))?;
        config.alpn_protocols.clone_from(&self.alpn);
        let timeout = self.handshake_timeout;
        Ok(Acceptor { config: Arc::new(config), timeout, records: u64::MAX })
    }
}

/// Takes TLS connections. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    timeout: Duration,
    /// Records of a TLS 1.2 connection, where its cipher allows more.
    records: u64,
}

impl Acceptor {
    /// With a configuration of one's own: several certificates, a verifier of clients, tickets. A
    /// handshake may take 10 s.
    #[must_use]
    pub fn from_config(config: impl Into<Arc<ServerConfig>>) -> Self {
        Self { config: config.into(), timeout: HANDSHAKE_TIMEOUT, records: u64::MAX }
    }

    /// How long the handshake may take.
    #[must_use]
    pub fn with_handshake_timeout(self, time: Duration) -> Self {
        Self { timeout: time, ..self }
    }

    /// The same, with connections of TLS 1.2 that end after so many records, where their cipher
    /// allows more: for tests, which cannot write 2^24.
    #[doc(hidden)]
    #[must_use]
    pub fn with_record_limit(self, records: u64) -> Self {
        Self { records, ..self }
    }

    /// Does the handshake over `stream`, within the time of the options. Servers give each its own
    /// task.
    ///
    /// Cancel safe in that nothing goes on when it is dropped; the stream is gone then.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn accept<R: Runtime, S: Stream>(&self, stream: S) -> Result<TlsStream<S>, Error> {
        let tls = ServerConnection::new(self.config.clone())?;
        let fragment = self.config.max_fragment_size;
        TlsStream::handshake::<R>(stream, tls.into(), self.timeout, self.records, fragment).await
    }
}

impl fmt::Debug for Acceptor {
    /// Without the configuration, which holds the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config: _, timeout, records: _ } = self;
        f.debug_struct("Acceptor").field("handshake_timeout", timeout).finish_non_exhaustive()
    }
}
