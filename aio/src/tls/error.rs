//! What goes wrong with TLS, by cause. Nothing of rustls is in the public types.

use std::io;
#[cfg(feature = "tls")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hat_core::time::Utc;

/// Why there is no TLS connection, or why one is over.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The feature `tls` is off.
    #[error("this build has no TLS: enable the feature `tls` of hat-tokio, hat-smol or hat-compio")]
    NotBuilt,
    /// An `ssl+sbs://` address, and nothing that says how.
    #[error(
        "the address asks for TLS: set `tls` in the options, or write tcp+sbs:// for a plain connection"
    )]
    NoOptions,
    /// A Unix socket, and options for TLS.
    #[error("there is no TLS over a Unix socket: leave `tls` out of the options")]
    Unix,
    /// The host, or the `server_name` of the options, cannot stand in a certificate.
    #[error("`{name}` cannot be the name in a certificate: set `server_name` in the TLS options")]
    ServerName {
        /// What was to be verified.
        name: String,
    },
    /// The peer's certificate is too old.
    #[error("the peer's certificate expired on {}; this machine's clock says {}", utc(*.not_after), utc(*.now))]
    Expired {
        /// Its last second, since 1970.
        not_after: u64,
        /// The system's clock, in seconds since 1970.
        now: u64,
    },
    /// The peer's certificate is not valid yet, or a clock is wrong.
    #[error("the peer's certificate is not valid before {}; this machine's clock says {}", utc(*.not_before), utc(*.now))]
    NotYetValid {
        /// Its first second, since 1970.
        not_before: u64,
        /// The system's clock, in seconds since 1970.
        now: u64,
    },
    /// The peer's certificate is of somebody else.
    #[error(
        "the peer's certificate is not for `{expected}`, but for {}: connect by one of these names, or set `server_name` in the \
         TLS options",
        names(.presented)
    )]
    WrongName {
        /// The name that was asked for.
        expected: String,
        /// The names in the certificate.
        presented: Vec<String>,
    },
    /// None of the roots has issued the peer's certificate: also where it is self-signed.
    #[error(
        "the peer's certificate was not issued by a trusted authority, or is self-signed: give the certificate of its issuer as a root"
    )]
    UnknownIssuer,
    /// The peer shows a CA certificate as its own, though it may be among the roots.
    #[error(
        "the peer's certificate is that of a certificate authority, as `openssl req -x509` makes \
         them, and cannot identify a peer: make one with `-addext \
         basicConstraints=critical,CA:FALSE`, or have the authority issue one"
    )]
    CaAsPeer,
    /// The peer's certificate is not made for what the peer does with it.
    #[error(
        "the peer's certificate is not for this side of a connection: its extended key usage must allow {needed}"
    )]
    WrongPurpose {
        /// The usage that is missing.
        needed: String,
    },
    /// Something else about the peer's certificate.
    #[error("the peer's certificate is refused: {reason}")]
    Certificate {
        /// What rustls says.
        reason: String,
    },
    /// A client came without a certificate, which this server asks for.
    #[error("the client has no certificate, and this server requires one")]
    NoClientCertificate,
    /// What arrived first is not TLS.
    #[error(
        "the peer does not speak TLS: its first byte is {first:#04x}, which does not begin a TLS record"
    )]
    NotTls {
        /// The byte.
        first: u8,
    },
    /// The peer refuses us. Its reason is a number of the standard (RFC 8446 section 6).
    #[error("the peer ended TLS with alert {code}: {}", alert(*.code))]
    Alert {
        /// The alert.
        code: u8,
    },
    /// The handshake took too long.
    #[error("the peer did not finish the TLS handshake within {} s", .time.as_secs_f64())]
    TimedOut {
        /// The limit.
        time: Duration,
    },
    /// The peer went away in the handshake.
    #[error(
        "the peer ended the connection in the TLS handshake: it may not speak TLS, or may have refused this side without a reason"
    )]
    Closed,
    /// The stream ended without `close_notify`: what came before may not be all that was sent.
    #[error("the connection was cut off: the peer ended it without TLS's close_notify")]
    Truncated,
    /// This side has written as many records as the keys of a TLS 1.2 connection are good for (2^24
    /// with AES-GCM). TLS 1.2 cannot change them, so nothing more is written, and the stream ends
    /// without `close_notify`: the peer learns that this was not all.
    #[error(
        "this side has written {limit} records, as many as one set of TLS 1.2 keys may protect: \
         connect again, or use TLS 1.3 on both sides, which changes its keys"
    )]
    RecordsUsedUp {
        /// The limit.
        limit: u64,
    },
    /// The socket failed.
    #[error(transparent)]
    Io(Arc<io::Error>),
    /// The peer broke the rules of TLS, or shares no version or cipher suite with us.
    #[error("TLS failed: {reason}")]
    Protocol {
        /// What rustls says.
        reason: String,
    },
}

impl Error {
    /// The cause of an error of a [`TlsStream`](super::TlsStream), where it is one of TLS.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

#[cfg(feature = "tls")]
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        match Self::of(&error) {
            Some(cause) => cause.clone(),
            None => Self::Io(Arc::new(error)),
        }
    }
}

#[cfg(feature = "tls")]
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io(io) => io.kind(),
            Error::Truncated | Error::Closed => io::ErrorKind::UnexpectedEof,
            Error::TimedOut { .. } => io::ErrorKind::TimedOut,
            Error::RecordsUsedUp { .. } => io::ErrorKind::Other,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

/// Why options make no [`Connector`](super::Connector) or [`Acceptor`](super::Acceptor). `pem` is a
/// file, or says how many bytes were given.
#[cfg(feature = "tls")]
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The system's error.
        error: Arc<io::Error>,
    },
    /// The text is damaged.
    #[error("{pem} is not PEM: {reason}")]
    Pem {
        /// Where.
        pem: String,
        /// What is wrong.
        reason: String,
    },
    /// No certificate is in it.
    #[error("{pem} holds no certificate: it must have a BEGIN CERTIFICATE section")]
    NoCertificate {
        /// Where.
        pem: String,
    },
    /// No private key is in it.
    #[error(
        "{pem} holds no private key: add a BEGIN PRIVATE KEY section, or name the file that has one"
    )]
    NoKey {
        /// Where.
        pem: String,
    },
    /// The private key is protected by a password.
    #[error(
        "the private key in {pem} is encrypted, which is not supported: decrypt it with `openssl pkey -in FILE -out FILE`"
    )]
    EncryptedKey {
        /// Where.
        pem: String,
    },
    /// The private key does not fit the certificate, or is of no kind that is supported.
    #[error("the private key in {pem} cannot be used: {reason}")]
    Key {
        /// Where.
        pem: String,
        /// What is wrong.
        reason: String,
    },
    /// A root that is not a certificate.
    #[error("{pem} holds a root that cannot be used: {reason}")]
    Root {
        /// Where.
        pem: String,
        /// What is wrong.
        reason: String,
    },
    /// The system has no roots, or they cannot be read.
    #[error(
        "the system has no root certificates that can be read ({reason}): install them, or give roots"
    )]
    NoSystemRoots {
        /// What was tried.
        reason: String,
    },
}

/// Seconds since 1970 for people.
fn utc(seconds: u64) -> Utc {
    Utc(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn names(presented: &[String]) -> String {
    match presented {
        [] => "no name at all".to_owned(),
        names => names.join(", "),
    }
}

/// What an alert means for who reads it.
fn alert(code: u8) -> &'static str {
    match code {
        10 => "unexpected message",
        20 | 21 | 50 | 51 => "what this side sent could not be decrypted",
        40 => "handshake failure: no cipher suite in common, or a client certificate is asked for",
        42 => "this side's certificate is damaged or was refused",
        43 => "this side's certificate is of an unsupported kind",
        44 => "this side's certificate is revoked",
        45 => "this side's certificate has expired",
        46 => "this side's certificate was refused",
        47 => "illegal parameter",
        48 => "the peer does not trust the issuer of this side's certificate",
        49 => "access denied",
        70 => "no TLS version in common",
        71 => "it requires stronger cipher suites",
        80 => "internal error of the peer",
        90 => "the peer gave up",
        112 => "the peer does not know the requested server name",
        116 => "it requires a client certificate: give one in the TLS options",
        120 => "no application protocol in common",
        _ => "see RFC 8446 section 6",
    }
}
