//! The arguments about TLS, of servers and of clients.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hat_aio::Address;
use hat_aio::tls::{
    Acceptor, AcceptorOptions, ClientCertificates, Connector, ConnectorOptions, Identity, Pem,
    Roots,
};

use crate::conf::settings::TlsSettings;
use crate::exit::Failure;

/// Files of either side.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArgs {
    /// The certificate of this side with those of its issuers, in PEM. A server uses TLS if it has
    /// one; a client presents it to a server that requires one.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM, unless it is in the same file.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// The trusted issuers of the peer's certificate, in PEM. With it, a server requires a
    /// certificate of its clients; a client trusts these issuers instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
}

/// How a client makes sure of the server. Any of these asks for TLS.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct ClientTlsArgs {
    /// Use TLS, and trust the issuers that the system trusts.
    #[arg(long)]
    pub(crate) tls: bool,
    #[command(flatten)]
    pub(crate) files: TlsArgs,
    /// The name in the server's certificate, unless it is the host of the address.
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_name: Option<String>,
    /// Use TLS without verifying the server: the connection is encrypted, but the server may be
    /// anyone.
    #[arg(long)]
    pub(crate) dangerous_accept_any_certificate: bool,
}

impl TlsArgs {
    /// TLS of a server towards another one, which trusts the same issuers as it does, and is shown
    /// its certificate.
    pub(crate) fn connector(&self, address: &Address) -> Result<Option<Connector>, Failure> {
        ClientTlsArgs { files: self.clone(), ..ClientTlsArgs::default() }
            .connector(address, CONNECT)
    }

    /// What these settings say.
    pub(crate) fn of(settings: &TlsSettings) -> Self {
        let TlsSettings { cert, key, ca } = settings.clone();
        Self { tls_cert: cert, tls_key: key, tls_ca: ca }
    }

    /// What the arguments say.
    pub(crate) fn settings(&self) -> TlsSettings {
        let Self { tls_cert, tls_key, tls_ca } = self.clone();
        TlsSettings { cert: tls_cert, key: tls_key, ca: tls_ca }
    }

    fn identity(&self) -> Option<Identity> {
        let chain = Pem::File(self.tls_cert.clone()?);
        Some(Identity { chain, key: self.tls_key.clone().map(Pem::File) })
    }

    fn roots(&self) -> Option<Roots> {
        self.tls_ca.clone().map(|path| Roots::Pem(Pem::File(path)))
    }

    /// TLS of a server at `address`, if it is to speak that.
    pub(crate) fn acceptor(&self, address: &Address) -> Result<Option<Acceptor>, Failure> {
        let Some(identity) = self.identity() else {
            return match address.is_tls() || self.tls_ca.is_some() {
                true => Err(Failure::Input("a TLS server needs --tls-cert".into())),
                false => Ok(None),
            };
        };
        let mut options = AcceptorOptions::new(identity);
        if let Some(roots) = self.roots() {
            options.client_certificates = ClientCertificates::Required(roots);
        }
        built(options.build())
    }
}

/// How long TLS with another server may take.
const CONNECT: Duration = Duration::from_secs(10);

impl ClientTlsArgs {
    /// TLS of a client, if it is to speak that, whose handshake takes no longer than `time`.
    pub(crate) fn connector(
        &self,
        address: &Address,
        time: Duration,
    ) -> Result<Option<Connector>, Failure> {
        let Self { tls, files, tls_name, dangerous_accept_any_certificate } = self;
        let asked = *tls || *dangerous_accept_any_certificate || tls_name.is_some();
        let files_given = files.tls_cert.is_some() || files.tls_ca.is_some();
        if !(asked || files_given || address.is_tls()) {
            return Ok(None);
        }
        let options = ConnectorOptions {
            roots: files.roots().unwrap_or_default(),
            server_name: tls_name.clone(),
            certificate: files.identity(),
            dangerous_accept_any_certificate: *dangerous_accept_any_certificate,
            handshake_timeout: time,
            ..ConnectorOptions::default()
        };
        built(options.build())
    }
}

/// A file that is not what it should be is bad input.
fn built<T>(built: Result<T, hat_aio::tls::ConfigError>) -> Result<Option<T>, Failure> {
    built.map(Some).map_err(|error| Failure::Input(error.to_string()))
}
