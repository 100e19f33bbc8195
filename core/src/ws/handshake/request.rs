use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use bytestring::ByteString;

use super::head::{self, Field, Unsendable};
use super::key;
use crate::ws::{Deflate, RequestError, deflate};

/// The only version of the protocol there is.
const VERSION: &str = "13";

/// What a client asks for, and a server receives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The `Host` header: name or address, with `:port` where it is not the scheme's usual one. Of
    /// a received request whose target is a whole URI, the host in that.
    pub host: ByteString,
    /// The path, with the query if there is one: `/ws?user=1`. Not decoded.
    pub path: ByteString,
    /// Other header fields, in order: `Authorization`, `Origin`, `Cookie` … Of a received request,
    /// values that are not UTF-8 are read as ISO 8859-1.
    pub headers: Vec<Field>,
    /// The application's protocols, the preferred one first; the server takes one or none.
    pub subprotocols: Vec<ByteString>,
}

impl Request {
    /// A request without headers or subprotocols.
    #[must_use]
    pub fn new(host: impl Into<ByteString>, path: impl Into<ByteString>) -> Self {
        Self { host: host.into(), path: path.into(), ..Self::default() }
    }

    /// The value of the first header field called `name`, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        head::lookup(&self.headers, name)
    }

    /// The head of the request, with `key`.
    pub(in crate::ws) fn write(
        &self,
        key: &str,
        deflate: Option<Deflate>,
    ) -> Result<String, RequestError> {
        self.check()?;
        let mut out = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {VERSION}\r\n",
            self.path, self.host,
        );
        if !self.subprotocols.is_empty() {
            out.extend(["Sec-WebSocket-Protocol: ", &self.subprotocols.join(", "), "\r\n"]);
        }
        if let Some(deflate) = deflate {
            out.extend(["Sec-WebSocket-Extensions: ", &deflate::offer(deflate), "\r\n"]);
        }
        head::write(&self.headers, &mut out);
        Ok(out)
    }

    fn check(&self) -> Result<(), RequestError> {
        let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if self.host.is_empty() || !visible(&self.host) {
            return Err(RequestError::Host(self.host.clone()));
        }
        if !self.path.starts_with('/') || self.path.contains('#') || !visible(&self.path) {
            return Err(RequestError::Path(self.path.clone()));
        }
        for (index, name) in self.subprotocols.iter().enumerate() {
            if !head::is_token(name) || self.subprotocols[..index].contains(name) {
                return Err(RequestError::Subprotocol(name.clone()));
            }
        }
        head::check(&self.headers)
            .map_err(|Unsendable { name, reserved }| RequestError::Header { name, reserved })
    }
}

/// Why a request is refused before the application sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestFault {
    /// The head is over [`Config::max_handshake`](crate::ws::Config::max_handshake).
    #[error("its head has more than {limit} bytes")]
    TooLarge {
        /// The limit, bytes.
        limit: usize,
    },
    /// More header fields than [`Config::max_headers`](crate::ws::Config::max_headers).
    #[error("it has more than {limit} header fields")]
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// It is no HTTP.
    #[error("it is not an HTTP request")]
    NotHttp,
    /// HTTP, but of a version before 1.1.
    #[error("it is not HTTP/1.1")]
    HttpVersion,
    /// Another method than GET.
    #[error("its method is not GET")]
    Method,
    /// The target is neither a path nor an `http` or `https` URI with a host and nothing but a path
    /// and a query behind it: what only a proxy is asked for.
    #[error("its target is neither a path nor an HTTP URI")]
    Target,
    /// No `Host`, or more than one.
    #[error("it does not have exactly one Host")]
    Host,
    /// It has a body, whose bytes would be taken for frames.
    #[error("it has a body")]
    Body,
    /// It does not ask for a WebSocket: `Upgrade: websocket` or `Connection: upgrade` is missing.
    #[error("it does not ask for a WebSocket (Upgrade: websocket, Connection: upgrade)")]
    NoUpgrade,
    /// Another version of WebSocket than 13.
    #[error("its Sec-WebSocket-Version is not 13")]
    Version,
    /// No `Sec-WebSocket-Key`, more than one, or not 16 octets in base64.
    #[error("it does not have exactly one Sec-WebSocket-Key of 16 octets in base64")]
    Key,
}

impl RequestFault {
    /// The HTTP status that the peer is told.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::TooLarge { .. } | Self::TooManyHeaders { .. } => 431,
            Self::Method => 405,
            Self::HttpVersion => 505,
            Self::NoUpgrade | Self::Version => 426,
            _ => 400,
        }
    }

    /// The header fields that belong to the status: of 405 which method is allowed (RFC 9110
    /// section 15.5.6), of 426 what to upgrade to (section 15.5.22) and the version (RFC 6455
    /// section 4.4).
    #[must_use]
    pub fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Method => &[("Allow", "GET")],
            Self::NoUpgrade | Self::Version => &[
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Version", VERSION),
            ],
            _ => &[],
        }
    }
}

/// The `Sec-WebSocket-Accept` that answers the head of a request, or why there is no WebSocket for
/// it: the rules of RFC 6455 section 4.2.1, which [`Connection::accept`](super::super::Connection)
/// keeps too. For HTTP servers that have read the head themselves, and know that the target is the
/// path of a WebSocket.
///
/// `http_1_1` says whether the version is HTTP/1.1; `fields` are all fields, with names in any
/// case.
///
/// ```
/// use hat_core::ws::{RequestFault, check_request};
///
/// let fields: [(&str, &[u8]); 5] = [
///     ("host", b"plant.example"),
///     ("upgrade", b"websocket"),
///     ("connection", b"keep-alive, Upgrade"),
///     ("sec-websocket-version", b"13"),
///     ("sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
/// ];
/// let accept = check_request("GET", true, fields.iter().copied())?;
/// assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// let fault = check_request("POST", true, fields.iter().copied());
/// assert_eq!(fault, Err(RequestFault::Method));
/// # Ok::<(), RequestFault>(())
/// ```
///
/// # Errors
///
/// [`RequestFault`], which knows the status and the fields of the answer.
pub fn check_request<'a>(
    method: &str,
    http_1_1: bool,
    fields: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
) -> Result<String, RequestFault> {
    let fields = &fields;
    if !http_1_1 {
        return Err(RequestFault::HttpVersion);
    }
    if method != "GET" {
        return Err(RequestFault::Method);
    }
    if head::only(fields, "host").is_none() {
        return Err(RequestFault::Host);
    }
    let no_body = head::values(fields, "content-length").all(|length| length == b"0")
        && head::values(fields, "transfer-encoding").next().is_none();
    if !no_body {
        return Err(RequestFault::Body);
    }
    if !head::lists(fields, "upgrade", "websocket") || !head::lists(fields, "connection", "upgrade")
    {
        return Err(RequestFault::NoUpgrade);
    }
    if head::only(fields, "sec-websocket-version") != Some(VERSION.as_bytes()) {
        return Err(RequestFault::Version);
    }
    head::only(fields, "sec-websocket-key")
        .and_then(|key| core::str::from_utf8(key).ok())
        .and_then(key::accept_key)
        .ok_or(RequestFault::Key)
}

/// What is kept of a request until it is answered.
#[derive(Debug)]
pub(in crate::ws) struct PendingAnswer {
    pub(in crate::ws) accept: String,
    pub(in crate::ws) subprotocols: Vec<ByteString>,
    /// Server: the extensions that the client offers.
    pub(in crate::ws) extensions: Vec<ByteString>,
    /// Client: what it offers.
    pub(in crate::ws) deflate: Option<Deflate>,
}

/// Reads the head of a request: all of `bytes`.
pub(in crate::ws) fn parse(
    bytes: &[u8],
    max_headers: usize,
) -> Result<(Request, PendingAnswer), RequestFault> {
    // a field takes two bytes at least, so that no limit is too large to make room for
    let mut fields = vec![httparse::EMPTY_HEADER; max_headers.min(bytes.len() / 2)];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(len)) if len == bytes.len() => {}
        Err(httparse::Error::TooManyHeaders) => {
            return Err(RequestFault::TooManyHeaders { limit: max_headers });
        }
        Err(httparse::Error::Version) => return Err(RequestFault::HttpVersion),
        _ => return Err(RequestFault::NotHttp),
    }
    let fields = &head::fields(parsed.headers);
    let method = parsed.method.unwrap_or_default();
    let accept = check_request(method, parsed.version == Some(1), fields.clone())?;
    let target = parsed.path.and_then(Target::parse).ok_or(RequestFault::Target)?;
    let host = head::only(fields, "host").map(head::text).ok_or(RequestFault::Host)?;
    let subprotocols: Vec<_> =
        head::members(fields, "sec-websocket-protocol").map(head::text).collect();
    let request = Request {
        host: target.host.map_or(host, Into::into),
        path: target.path,
        headers: head::others(fields),
        subprotocols: subprotocols.clone(),
    };
    let extensions = head::members(fields, "sec-websocket-extensions").map(head::text).collect();
    Ok((request, PendingAnswer { accept, subprotocols, extensions, deflate: None }))
}

/// What is asked for.
struct Target<'a> {
    /// The host, where the target says it.
    host: Option<&'a str>,
    path: ByteString,
}

impl<'a> Target<'a> {
    /// The target of a request: a path, or a whole URI of HTTP or HTTPS, as a proxy may send it
    /// (RFC 6455 section 4.2.1). That names the host in the place of `Host` (RFC 9112 section
    /// 3.2.2); one with a user in it is taken for an attempt to deceive (RFC 9110 section 4.2.4).
    fn parse(target: &'a str) -> Option<Self> {
        if target.starts_with('/') {
            return Some(Self { host: None, path: target.into() });
        }
        let (scheme, rest) = target.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if host.is_empty() || host.contains('@') || path.contains('#') {
            return None;
        }
        let path = if path.starts_with('/') { path.into() } else { format!("/{path}").into() };
        Some(Self { host: Some(host), path })
    }
}
