//! An address to connect to or to listen on: a host name or IP address, and a port.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A host and a port. Written `host:port`, IPv6 addresses in brackets. The addresses of
/// `hat-chatter` 0.5, `tcp+sbs://host:port`, are read too, and for Juggler and WebSocket the URLs
/// of browsers, `ws://host/path` and `http://host/path`, whose port is 80 where it is not given;
/// with `ssl+sbs://`, `wss://` and `https://` (port 443) the connection must be one of TLS, see
/// [`tls`](crate::tls). A path other than `/` is where the WebSocket is, whatever the options say;
/// what connects without one refuses the address, and so does what listens.
///
/// `unix:/run/hat.sock`, with a path that begins with `/` or `.`, is a Unix socket of this machine,
/// for clients and servers of every protocol alike, without TLS. Its host is `localhost`. A server
/// takes the place of a file that one has left which is gone, and removes its own at the end; who
/// may connect is what the process' umask leaves and the folder allows. It has no
/// [addresses](crate::server::Server::addresses), and its connections show `0.0.0.0:0` as both.
///
/// ```
/// use hat_aio::Address;
///
/// let address: Address = "tcp+sbs://[::1]:23012".parse()?;
/// assert_eq!((address.host(), address.port()), ("::1", 23012));
/// assert_eq!(address.to_string(), "[::1]:23012");
/// # Ok::<(), hat_aio::address::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    // boxed, because addresses stand in errors
    host: Box<str>,
    port: u16,
    tls: bool,
    unix: Option<Box<Path>>,
    path: Option<Box<str>>,
}

/// Why a text is not an [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// No `:port` at the end.
    #[error("no port in `{0}`: write host:port, or [address]:port for IPv6")]
    NoPort(String),
    /// A port that is not a number from 0 to 65535.
    #[error("`{0}` is not a port: write a number from 0 to 65535")]
    Port(String),
    /// Nothing in front of the port.
    #[error("no host in `{0}`: write host:port")]
    NoHost(String),
    /// A scheme other than those of [`Address`].
    #[error(
        "the scheme `{0}` is not supported: write host:port, unix:/path, or a URL with one of tcp+sbs, ssl+sbs, ws, wss, http and https"
    )]
    Scheme(String),
    /// A URL with more than a host and a port, where no WebSocket is asked for; or with a fragment.
    #[error(
        "`{0}` in an address: only the URL of a WebSocket has a path, and none has what follows a #"
    )]
    Path(String),
}

impl From<Infallible> for AddressError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// What can be an [`Address`]: a text, a host and a port, a socket's address, an [`Address`]. It
/// stands for every type whose `TryInto<Address>` fails with an [`AddressError`], or cannot fail.
///
/// ```
/// use hat_aio::address::{Address, IntoAddress};
///
/// let addresses = [
///     "localhost:23012".into_address()?,
///     "ssl+sbs://plant:23012".into_address()?,
///     ("localhost", 23012).into_address()?,
///     std::net::SocketAddr::from(([127, 0, 0, 1], 23012)).into_address()?,
/// ];
/// assert_eq!(addresses[0], addresses[2]);
/// # Ok::<(), hat_aio::address::AddressError>(())
/// ```
pub trait IntoAddress {
    /// The address.
    ///
    /// # Errors
    ///
    /// [`AddressError`].
    fn into_address(self) -> Result<Address, AddressError>;
}

impl<T: TryInto<Address, Error: Into<AddressError>>> IntoAddress for T {
    fn into_address(self) -> Result<Address, AddressError> {
        self.try_into().map_err(Into::into)
    }
}

impl Address {
    /// An address by parts. `host` is a name, or an IP address without brackets.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into().into(), port, tls: false, unix: None, path: None }
    }

    /// The address of the Unix socket at `path`.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self { unix: Some(path.into().into()), ..Self::new("localhost", 0) }
    }

    /// The path of the Unix socket, if it is one.
    #[must_use]
    pub fn unix_path(&self) -> Option<&Path> {
        self.unix.as_deref()
    }

    /// The same host and port, for TLS only: written `ssl+sbs://host:port`. What has no TLS in its
    /// options refuses it.
    #[must_use]
    pub fn with_tls(self) -> Self {
        Self { tls: true, ..self }
    }

    /// Whether the address is for TLS only. TLS may be in the options all the same.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Path and query of a URL, `/ws?plant=1`, if it has more than `/`.
    #[must_use]
    pub fn url_path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The host and port of a URL, for who has taken its path.
    #[cfg(feature = "websocket")]
    pub(crate) fn without_path(self) -> Self {
        Self { path: None, ..self }
    }

    /// Refuses a path: nobody asks for it.
    pub(crate) fn has_no_path(&self) -> Result<(), AddressError> {
        self.path.clone().map_or(Ok(()), |path| Err(AddressError::Path(path.into())))
    }

    /// The name or IP address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The socket address, where the host is an IP address.
    pub(crate) fn literal(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.host.parse::<IpAddr>().ok()?, self.port))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // a host may be called `unix`: what stands behind it is a port then
        if let Some(path) = text.strip_prefix("unix:").filter(|path| path.starts_with(['/', '.'])) {
            return Ok(Self::unix(path.strip_prefix("//").unwrap_or(path)));
        }
        let (tls, usual, rest) = match text.split_once("://") {
            Some(("tcp+sbs", rest)) => (false, None, rest),
            Some(("ssl+sbs", rest)) => (true, None, rest),
            Some(("ws" | "http", rest)) => (false, Some("80"), rest),
            Some(("wss" | "https", rest)) => (true, Some("443"), rest),
            Some((scheme, _)) => return Err(AddressError::Scheme(scheme.into())),
            None => (false, None, text),
        };
        let (rest, path) = match rest.find(['/', '?', '#']) {
            Some(at) if usual.is_some() => rest.split_at(at),
            _ => (rest, ""),
        };
        if let Some(at) = path.find('#') {
            return Err(AddressError::Path(path[at..].into()));
        }
        let path = match path {
            "" | "/" => None,
            path if path.starts_with('?') => Some(format!("/{path}").into()),
            path => Some(path.into()),
        };
        let (host, port) = match rest.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some(parts) => parts,
            None => (rest, usual.ok_or_else(|| AddressError::NoPort(text.into()))?),
        };
        let number = port.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = port.parse().ok().filter(|_| number);
        let port = parsed.ok_or_else(|| AddressError::Port(port.into()))?;
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if inner.is_none() && host.contains(':') {
            // an IPv6 address without brackets, whose last group is no port
            return Err(AddressError::NoPort(text.into()));
        }
        match inner.unwrap_or(host) {
            "" => Err(AddressError::NoHost(text.into())),
            host => Ok(Self { tls, path, ..Self::new(host, port) }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.unix {
            return write!(f, "unix:{}", path.display());
        }
        match (self.tls, &self.path) {
            (true, None) => f.write_str("ssl+sbs://")?,
            (true, Some(_)) => f.write_str("wss://")?,
            (false, Some(_)) => f.write_str("ws://")?,
            (false, None) => {}
        }
        f.write_str(&self.authority())?;
        f.write_str(self.path.as_deref().unwrap_or_default())
    }
}

impl Address {
    /// `host:port` without a scheme, as in a request's `Host`.
    pub(crate) fn authority(&self) -> String {
        if self.unix.is_some() {
            return self.host.to_string();
        }
        if self.host.parse::<Ipv6Addr>().is_ok() {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::new(address.ip().to_string(), address.port())
    }
}

impl From<&SocketAddr> for Address {
    fn from(address: &SocketAddr) -> Self {
        Self::from(*address)
    }
}

impl From<&Address> for Address {
    fn from(address: &Address) -> Self {
        address.clone()
    }
}

impl From<(&str, u16)> for Address {
    fn from((host, port): (&str, u16)) -> Self {
        Self::new(host, port)
    }
}

impl From<(String, u16)> for Address {
    fn from((host, port): (String, u16)) -> Self {
        Self::new(host, port)
    }
}

impl From<(IpAddr, u16)> for Address {
    fn from(address: (IpAddr, u16)) -> Self {
        SocketAddr::from(address).into()
    }
}

impl TryFrom<&str> for Address {
    type Error = AddressError;

    fn try_from(text: &str) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<&String> for Address {
    type Error = AddressError;

    fn try_from(text: &String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_have_no_scheme() {
        for (text, expected) in [
            ("plant:80", "plant:80"),
            ("ssl+sbs://plant:23012", "plant:23012"),
            ("wss://plant", "plant:443"),
            ("ssl+sbs://[::1]:1", "[::1]:1"),
            ("unix:/run/hat.sock", "localhost"),
        ] {
            assert_eq!(text.parse::<Address>().expect(text).authority(), expected);
        }
    }

    #[test]
    fn texts() {
        let cases = [
            ("localhost:80", "localhost:80"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:1", "[::1]:1"),
            ("tcp+sbs://0.0.0.0:23012", "0.0.0.0:23012"),
            ("ssl+sbs://plant:23012", "ssl+sbs://plant:23012"),
            ("ssl+sbs://[::1]:1", "ssl+sbs://[::1]:1"),
            ("ws://plant", "plant:80"),
            ("http://[::1]:8080/", "[::1]:8080"),
            ("wss://plant/", "ssl+sbs://plant:443"),
            ("ws://plant/ws", "ws://plant:80/ws"),
            ("https://[::1]:8080?a=b", "wss://[::1]:8080/?a=b"),
            ("wss://plant:443/hmi/ws?plant=1", "wss://plant:443/hmi/ws?plant=1"),
            ("unix:/run/hat.sock", "unix:/run/hat.sock"),
            ("unix:///run/hat.sock", "unix:/run/hat.sock"),
            ("unix:./hat.sock", "unix:./hat.sock"),
            // a host of that name
            ("unix:23012", "unix:23012"),
        ];
        for (text, expected) in cases {
            let address = text.parse::<Address>().expect(text);
            assert_eq!(address.to_string(), expected);
            assert_eq!(expected.parse::<Address>().as_ref(), Ok(&address), "read again");
        }
    }

    #[test]
    fn refusals() {
        let error = |text: &str| text.parse::<Address>().expect_err(text);
        assert_eq!(error("host"), AddressError::NoPort("host".into()));
        assert_eq!(error("[::1]"), AddressError::NoPort("[::1]".into()));
        // its last group is no port
        assert_eq!(error("::1:1"), AddressError::NoPort("::1:1".into()));
        assert_eq!(error("host:"), AddressError::Port(String::new()));
        assert_eq!(error("host:+1"), AddressError::Port("+1".into()));
        assert_eq!(error("host:65536"), AddressError::Port("65536".into()));
        assert_eq!(error(":1"), AddressError::NoHost(":1".into()));
        assert_eq!(error("unix:hat.sock"), AddressError::Port("hat.sock".into()));
        assert_eq!(error("unix:"), AddressError::Port(String::new()));
        assert_eq!(error("ftp://host:1"), AddressError::Scheme("ftp".into()));
        assert_eq!(error("ws://host:1/ws#top"), AddressError::Path("#top".into()));
        assert_eq!(error("tcp+sbs://host:1/"), AddressError::Port("1/".into()));
    }
}
