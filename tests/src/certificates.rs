//! Certificates made for a test: an authority, and what it issues.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertifiedIssuer, DnType, KeyPair};
pub use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};

/// Who issues certificates.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct IssuedCertificate {
    /// `BEGIN CERTIFICATE`
    pub certificate: String,
    /// `BEGIN PRIVATE KEY`
    pub key: String,
}

/// A PEM file that goes with the value.
#[derive(Debug)]
pub struct PemFile(PathBuf);

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
    let mut params = CertificateParams::new(hosts).expect("names and addresses");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

impl Authority {
    /// An authority of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key()).expect("a certificate"))
    }

    /// Its certificate, in PEM: a root for those who trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server at `hosts`, or a client.
    #[must_use]
    pub fn issue(&self, hosts: &[&str]) -> IssuedCertificate {
        self.issue_with(hosts, |_| ())
    }

    /// The same with something special about it.
    #[must_use]
    pub fn issue_with(
        &self,
        hosts: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> IssuedCertificate {
        let (mut params, key) = (named("peer", hosts), key());
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        IssuedCertificate { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

impl IssuedCertificate {
    /// Issued by its own key.
    #[must_use]
    pub fn by_itself(hosts: &[&str], is_ca: bool) -> Self {
        let (mut params, key) = (named("itself", hosts), key());
        params.is_ca = match is_ca {
            true => IsCa::Ca(BasicConstraints::Unconstrained),
            false => IsCa::ExplicitNoCa,
        };
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Both in one text: the `pem_file` of the deployed peers.
    #[must_use]
    pub fn pem(&self) -> String {
        format!("{}{}", self.key, self.certificate)
    }
}

impl PemFile {
    /// A new file with that text.
    ///
    /// # Panics
    ///
    /// Where it cannot be written.
    #[must_use]
    pub fn new(text: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hat-{}-{count}.pem", std::process::id()));
        std::fs::write(&path, text).expect("a file for temporary things");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PemFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
