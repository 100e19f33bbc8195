//! The client's side of TLS: the connector.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;

use super::pem::{Identity, Roots};
use super::stream::{TlsStream, provider};
use super::verify::AcceptAny;
use super::{ConfigError, Error, HANDSHAKE_TIMEOUT};
use crate::runtime::{Runtime, Stream};

/// How a client makes sure of the server, and who it is itself.
#[derive(Clone, Debug)]
pub struct ConnectorOptions {
    /// Who may have issued the server's certificate. Default: the system's roots.
    pub roots: Roots,
    /// The name, or IP address, that the server's certificate must have. Default: the host of the
    /// address.
    pub server_name: Option<String>,
    /// Our certificate, where the server asks for one. Default: none.
    pub certificate: Option<Identity>,
    /// Takes any certificate of any server, whatever its name: what is sent is encrypted, and may
    /// be read by whoever answers. The deployed Hat peers verify nothing. Default: false.
    pub dangerous_accept_any_certificate: bool,
    /// Application protocols to offer (ALPN), the best first: `h2`, `http/1.1`. Default: none,
    /// which is right for Hat's protocols.
    pub alpn: Vec<Vec<u8>>,
    /// How long the handshake may take. Default: 10 s.
    pub handshake_timeout: Duration,
}

impl Default for ConnectorOptions {
    fn default() -> Self {
        Self {
            roots: Roots::System,
            server_name: None,
            certificate: None,
            dangerous_accept_any_certificate: false,
            alpn: Vec::new(),
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }
}

impl ConnectorOptions {
    /// Reads the files, and checks what is in them. Blocks for as long as that takes: do it once.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn build(&self) -> Result<Connector, ConfigError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites of both versions");
        let builder = if self.dangerous_accept_any_certificate {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
        } else {
            builder.with_root_certificates(self.roots.load()?)
        };
        let mut config = match &self.certificate {
            Some(identity) => {
                identity.give(|chain, key| builder.with_client_auth_cert(chain, key))?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols.clone_from(&self.alpn);
        Ok(Connector {
            config: Arc::new(config),
            server_name: self.server_name.clone(),
            timeout: self.handshake_timeout,
            records: u64::MAX,
        })
    }
}

/// Makes TLS connections. Cheap to clone; clones share the sessions that can be resumed.
#[derive(Clone)]
pub struct Connector {
    config: Arc<ClientConfig>,
    server_name: Option<String>,
    timeout: Duration,
    /// Records of a TLS 1.2 connection, where its cipher allows more.
    records: u64,
}

impl Connector {
    /// With a configuration of one's own: other cipher suites, a verifier, keys in hardware, a log
    /// of keys. Where the name of the address is not that of the certificate, see
    /// [`with_server_name`](Self::with_server_name). A handshake may take 10 s.
    #[must_use]
    pub fn from_config(config: impl Into<Arc<ClientConfig>>) -> Self {
        Self {
            config: config.into(),
            server_name: None,
            timeout: HANDSHAKE_TIMEOUT,
            records: u64::MAX,
        }
    }

    /// The name, or IP address, that the server's certificate must have, in place of the host of
    /// the address.
    #[must_use]
    pub fn with_server_name(self, name: impl Into<String>) -> Self {
        Self { server_name: Some(name.into()), ..self }
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

    /// Does the handshake over `stream`, with the server at `host` unless the options name another.
    ///
    /// Cancel safe in that nothing goes on when it is dropped; the stream is gone then.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn connect<R: Runtime, S: Stream>(
        &self,
        stream: S,
        host: &str,
    ) -> Result<TlsStream<S>, Error> {
        let name = self.server_name(host)?;
        let tls = ClientConnection::new(self.config.clone(), name)?;
        let fragment = self.config.max_fragment_size;
        TlsStream::handshake::<R>(stream, tls.into(), self.timeout, self.records, fragment).await
    }

    /// The name to verify, for a server at `host`.
    pub(crate) fn server_name(&self, host: &str) -> Result<ServerName<'static>, Error> {
        let name = self.server_name.as_deref().unwrap_or(host);
        ServerName::try_from(name.to_owned())
            .map_err(|_| Error::ServerName { name: name.to_owned() })
    }
}

impl fmt::Debug for Connector {
    /// Without the configuration, which holds the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config: _, server_name, timeout, records: _ } = self;
        f.debug_struct("Connector")
            .field("server_name", server_name)
            .field("handshake_timeout", timeout)
            .finish_non_exhaustive()
    }
}
