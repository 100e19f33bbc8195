//! From rustls' errors to causes that say what to do.

use rustls::{CertificateError, ExtendedKeyPurpose};

use super::Error;

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => of_certificate(error),
            rustls::Error::NoCertificatesPresented => Self::NoClientCertificate,
            rustls::Error::AlertReceived(alert) => Self::Alert { code: alert.into() },
            error => Self::Protocol { reason: error.to_string() },
        }
    }
}

fn of_certificate(error: CertificateError) -> Error {
    match error {
        CertificateError::ExpiredContext { time, not_after } => {
            Error::Expired { not_after: not_after.as_secs(), now: time.as_secs() }
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            Error::NotYetValid { not_before: not_before.as_secs(), now: time.as_secs() }
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented = presented.iter().map(|name| plain(name)).collect();
            Error::WrongName { expected: expected.to_str().into_owned(), presented }
        }
        CertificateError::UnknownIssuer => Error::UnknownIssuer,
        CertificateError::InvalidPurposeContext { required, .. } => Error::WrongPurpose {
            needed: match required {
                ExtendedKeyPurpose::ClientAuth => "client authentication".to_owned(),
                ExtendedKeyPurpose::ServerAuth => "server authentication".to_owned(),
                other => other.to_string(),
            },
        },
        CertificateError::Other(other) if is_ca(&other) => Error::CaAsPeer,
        error => Error::Certificate { reason: reason(&error) },
    }
}

/// What rustls says, in words where it has none. A plant meets the first when its authority gets a
/// new key and keeps its name.
fn reason(error: &CertificateError) -> String {
    match error {
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the trusted root with the name of its issuer has a different key: give the issuer's \
             current certificate as a root"
                .to_owned()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
            "it is signed with an algorithm that is not supported".to_owned()
        }
        CertificateError::Revoked => "it is revoked".to_owned(),
        CertificateError::BadEncoding => "it is damaged".to_owned(),
        error => error.to_string(),
    }
}

fn is_ca(error: &rustls::OtherError) -> bool {
    matches!(error.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// A name of a certificate as it is written in an address: `DnsName("a.b")` is `a.b`.
fn plain(name: &str) -> String {
    let inner = name.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    let inner = inner.or_else(|| name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')));
    inner.unwrap_or(name).to_owned()
}
