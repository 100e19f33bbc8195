//! Certificates and keys in PEM, from files or memory.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use rustls::RootCertStore;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::ConfigError;

/// PEM text: where it is, or itself.
#[derive(Clone)]
pub enum Pem {
    /// A file, read when the options are built.
    File(PathBuf),
    /// The text.
    Text(Bytes),
}

/// A certificate with its private key: who we are.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Our certificate, then those of its issuers, without the root.
    pub chain: Pem,
    /// The private key (PKCS #8, PKCS #1 or SEC1, not encrypted). `None`: it is in the same PEM as
    /// the chain.
    pub key: Option<Pem>,
}

/// Who is trusted to issue the peer's certificate.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// The system's: on Linux where OpenSSL has them, and `SSL_CERT_FILE` is heeded.
    #[default]
    System,
    /// The certificates in the PEM, and no others.
    Pem(Pem),
}

impl Pem {
    /// The text. It may hold a key, so it goes nowhere but to the parser.
    fn read(&self) -> Result<Bytes, ConfigError> {
        match self {
            Self::File(path) => std::fs::read(path)
                .map(Bytes::from)
                .map_err(|error| ConfigError::File { path: path.clone(), error: Arc::new(error) }),
            Self::Text(text) => Ok(text.clone()),
        }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
        let text = self.read()?;
        let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        match certificates.map_err(|error| self.damaged(&error))? {
            none if none.is_empty() => Err(ConfigError::NoCertificate { pem: self.to_string() }),
            certificates => Ok(certificates),
        }
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, ConfigError> {
        let text = self.read()?;
        if is_encrypted(&text) {
            return Err(ConfigError::EncryptedKey { pem: self.to_string() });
        }
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
            pem::Error::NoItemsFound => ConfigError::NoKey { pem: self.to_string() },
            error => self.damaged(&error),
        })
    }

    fn damaged(&self, error: &pem::Error) -> ConfigError {
        ConfigError::Pem { pem: self.to_string(), reason: error.to_string() }
    }
}

/// Whether a key is there that only a password opens: in PKCS #8, or in OpenSSL's older form.
fn is_encrypted(text: &[u8]) -> bool {
    let has = |wanted: &[u8]| text.windows(wanted.len()).any(|part| part == wanted);
    has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"Proc-Type: 4,ENCRYPTED")
}

impl fmt::Display for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Text(text) => write!(f, "the PEM text of {} bytes", text.len()),
        }
    }
}

impl fmt::Debug for Pem {
    /// Without the text, which may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pem({self})")
    }
}

impl From<PathBuf> for Pem {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&std::path::Path> for Pem {
    fn from(path: &std::path::Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl Identity {
    /// A chain, and the key in the same PEM: the `pem_file` of the deployed peers.
    pub fn new(pem: impl Into<Pem>) -> Self {
        Self { chain: pem.into(), key: None }
    }

    /// A chain and a key of their own.
    pub fn with_key(chain: impl Into<Pem>, key: impl Into<Pem>) -> Self {
        Self { chain: chain.into(), key: Some(key.into()) }
    }

    /// Hands the chain and the key to `set`, which checks that they fit.
    pub(super) fn give<T>(
        &self,
        set: impl FnOnce(
            Vec<CertificateDer<'static>>,
            PrivateKeyDer<'static>,
        ) -> Result<T, rustls::Error>,
    ) -> Result<T, ConfigError> {
        let of_key = self.key.as_ref().unwrap_or(&self.chain);
        set(self.chain.certificates()?, of_key.key()?).map_err(|error| ConfigError::Key {
            pem: of_key.to_string(),
            reason: match error {
                rustls::Error::InconsistentKeys(_) => {
                    format!("it is not the key of the certificate in {}", self.chain)
                }
                error => error.to_string(),
            },
        })
    }
}

impl From<Pem> for Roots {
    fn from(pem: Pem) -> Self {
        Self::Pem(pem)
    }
}

impl Roots {
    pub(super) fn load(&self) -> Result<Arc<RootCertStore>, ConfigError> {
        let mut store = RootCertStore::empty();
        match self {
            Self::System => {
                let found = rustls_native_certs::load_native_certs();
                // some systems carry roots so old that they cannot be read
                store.add_parsable_certificates(found.certs);
                if store.is_empty() {
                    let tried = found.errors.iter().map(ToString::to_string).collect::<Vec<_>>();
                    let reason =
                        if tried.is_empty() { "none found".into() } else { tried.join("; ") };
                    return Err(ConfigError::NoSystemRoots { reason });
                }
            }
            Self::Pem(pem) => {
                for root in pem.certificates()? {
                    store.add(root).map_err(|error| ConfigError::Root {
                        pem: pem.to_string(),
                        reason: error.to_string(),
                    })?;
                }
            }
        }
        Ok(Arc::new(store))
    }
}
