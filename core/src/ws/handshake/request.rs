use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use bytestring::ByteString;

use super::head::{self, Field, Unsendable};
use super::key;
use crate::ws::RequestError;

/// The only version of the protocol there is.
const VERSION: &str = "13";

/// What a client asks for, and a server receives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The `Host` header: name or address, with `:port` where it is not the scheme's usual one.
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
    pub(in crate::ws) fn write(&self, key: &str) -> Result<String, RequestError> {
        self.check()?;
        let mut out = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {VERSION}\r\n",
            self.path, self.host,
        );
        if !self.subprotocols.is_empty() {
            out.extend(["Sec-WebSocket-Protocol: ", &self.subprotocols.join(", "), "\r\n"]);
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
    #[error("its head takes more than {limit} bytes")]
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
    /// It is not HTTP.
    #[error("it is no HTTP request")]
    NotHttp,
    /// HTTP, but of a version before 1.1.
    #[error("it is not HTTP/1.1")]
    HttpVersion,
    /// Another method than GET.
    #[error("its method is not GET")]
    Method,
    /// The target is not a path: what only a proxy is asked for.
    #[error("its target is not a path")]
    Target,
    /// No `Host`, or more than one.
    #[error("it has not exactly one Host")]
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
    #[error("it has not exactly one Sec-WebSocket-Key of 16 octets in base64")]
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

    /// The header fields that belong to the status.
    pub(in crate::ws) fn headers(self) -> Vec<Field> {
        match self {
            Self::Method => vec![("Allow".into(), "GET".into())],
            Self::NoUpgrade | Self::Version => {
                vec![("Sec-WebSocket-Version".into(), VERSION.into())]
            }
            _ => Vec::new(),
        }
    }
}

/// What is kept of a request until it is answered.
#[derive(Debug)]
pub(in crate::ws) struct Waiting {
    pub(in crate::ws) accept: String,
    pub(in crate::ws) subprotocols: Vec<ByteString>,
}

/// Reads the head of a request: all of `bytes`.
pub(in crate::ws) fn parse(
    bytes: &[u8],
    max_headers: usize,
) -> Result<(Request, Waiting), RequestFault> {
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
    if parsed.version != Some(1) {
        return Err(RequestFault::HttpVersion);
    }
    if parsed.method != Some("GET") {
        return Err(RequestFault::Method);
    }
    let path = parsed.path.filter(|path| path.starts_with('/')).ok_or(RequestFault::Target)?;
    let fields = &*parsed.headers;
    let host = head::only(fields, "host").ok_or(RequestFault::Host)?;
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
    let accept = head::only(fields, "sec-websocket-key")
        .and_then(|key| core::str::from_utf8(key).ok())
        .and_then(key::accept_key)
        .ok_or(RequestFault::Key)?;
    let subprotocols: Vec<_> =
        head::members(fields, "sec-websocket-protocol").map(head::text).collect();
    let request = Request {
        host: head::text(host),
        path: path.into(),
        headers: head::others(fields),
        subprotocols: subprotocols.clone(),
    };
    Ok((request, Waiting { accept, subprotocols }))
}
