use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use bytestring::ByteString;

use super::PendingAnswer;
use super::head::{self, Field, Fields, Unsendable};
use crate::ws::{AnswerError, Deflate, DeflateAgreement, Error, deflate};

/// What a server answers a request with that it takes, and a client receives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The one of the client's subprotocols that is spoken; `None` where none is.
    pub subprotocol: Option<ByteString>,
    /// Other header fields: `Set-Cookie`, `Server` … Of a received response, values that are not
    /// UTF-8 are read as ISO 8859-1.
    pub headers: Vec<Field>,
}

impl Response {
    /// The value of the first header field called `name`, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        head::lookup(&self.headers, name)
    }
}

/// How a server's answer with status 101 is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeFault {
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
    /// It is no HTTP/1.1.
    #[error(
        "it is not an HTTP/1.1 response: check that the port is that of a web server, and whether it expects TLS"
    )]
    NotHttp,
    /// `Upgrade: websocket` or `Connection: upgrade` is missing.
    #[error("it does not confirm the upgrade (Upgrade: websocket, Connection: upgrade)")]
    NoUpgrade,
    /// `Sec-WebSocket-Accept` does not answer our key: the server, or a cache on the way, does not
    /// speak WebSocket.
    #[error("its Sec-WebSocket-Accept does not answer the key")]
    Accept,
    /// An extension, or one with parameters, that was not offered.
    #[error("it selects an extension that was not offered")]
    Extension,
    /// A subprotocol that was not offered.
    #[error("it selects the subprotocol {0:?}, which was not offered")]
    Subprotocol(ByteString),
}

/// Reads the head of a response, all of `bytes`, to a request that `expected` is the answer to.
pub(in crate::ws) fn parse(
    bytes: &[u8],
    max_headers: usize,
    expected: &PendingAnswer,
) -> Result<(Response, Option<DeflateAgreement>), Error> {
    // a field takes two bytes at least, so that no limit is too large to make room for
    let mut fields = vec![httparse::EMPTY_HEADER; max_headers.min(bytes.len() / 2)];
    let mut parsed = httparse::Response::new(&mut fields);
    let complete = match parsed.parse(bytes) {
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Error::Handshake(HandshakeFault::TooManyHeaders { limit: max_headers }));
        }
        parsed => parsed == Ok(httparse::Status::Complete(bytes.len())),
    };
    let fields = &head::fields(parsed.headers);
    match parsed.code.filter(|_| complete) {
        None => Err(Error::Handshake(HandshakeFault::NotHttp)),
        Some(101) if parsed.version == Some(1) => read(fields, expected).map_err(Error::Handshake),
        Some(101) => Err(Error::Handshake(HandshakeFault::NotHttp)),
        Some(status) => Err(Error::Refused {
            status,
            reason: parsed.reason.unwrap_or_default().into(),
            location: head::only(fields, "location").map(head::text),
        }),
    }
}

fn read<'a>(
    fields: &impl Fields<'a>,
    expected: &PendingAnswer,
) -> Result<(Response, Option<DeflateAgreement>), HandshakeFault> {
    if !head::lists(fields, "upgrade", "websocket") || !head::lists(fields, "connection", "upgrade")
    {
        return Err(HandshakeFault::NoUpgrade);
    }
    if head::only(fields, "sec-websocket-accept") != Some(expected.accept.as_bytes()) {
        return Err(HandshakeFault::Accept);
    }
    let mut extensions = head::members(fields, "sec-websocket-extensions").map(head::text);
    let agreed = match (extensions.next(), expected.deflate) {
        (None, _) => None,
        (Some(answer), Some(deflate)) => {
            Some(deflate::accepted(deflate, &answer).ok_or(HandshakeFault::Extension)?)
        }
        (Some(_), None) => return Err(HandshakeFault::Extension),
    };
    if extensions.next().is_some() {
        return Err(HandshakeFault::Extension);
    }
    let subprotocol = match head::values(fields, "sec-websocket-protocol").next() {
        None => None,
        Some(_) => {
            let taken =
                head::only(fields, "sec-websocket-protocol").map(head::text).unwrap_or_default();
            if !expected.subprotocols.contains(&taken) {
                return Err(HandshakeFault::Subprotocol(taken));
            }
            Some(taken)
        }
    };
    Ok((Response { subprotocol, headers: head::others(fields) }, agreed))
}

/// The head that takes a request.
pub(in crate::ws) fn confirm(
    waiting: &PendingAnswer,
    response: &Response,
    deflate: Option<Deflate>,
) -> Result<(String, Option<DeflateAgreement>), AnswerError> {
    check(&response.headers)?;
    let mut out = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n",
        waiting.accept,
    );
    if let Some(taken) = &response.subprotocol {
        if !waiting.subprotocols.contains(taken) {
            return Err(AnswerError::Subprotocol(taken.clone()));
        }
        out.extend(["Sec-WebSocket-Protocol: ", taken, "\r\n"]);
    }
    let offers = waiting.extensions.iter().map(|offer| &**offer);
    let agreed = deflate.and_then(|deflate| DeflateAgreement::answer(deflate, offers));
    let agreed = agreed.map(|(agreed, answer)| {
        out.extend(["Sec-WebSocket-Extensions: ", &answer, "\r\n"]);
        agreed
    });
    head::write(&response.headers, &mut out);
    Ok((out, agreed))
}

/// The response that refuses a request: `headers` were checked or are our own.
pub(in crate::ws) fn refuse(status: u16, headers: &[Field], body: &str) -> String {
    let mut out = format!(
        "HTTP/1.1 {status} {}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n",
        reason(status),
        body.len(),
    );
    head::write(headers, &mut out);
    out.push_str(body);
    out
}

/// Whether the application's `headers` can be sent.
pub(in crate::ws) fn check(headers: &[Field]) -> Result<(), AnswerError> {
    head::check(headers)
        .map_err(|Unsendable { name, reserved }| AnswerError::Header { name, reserved })
}

/// The usual text of a status; HTTP allows none.
fn reason(status: u16) -> &'static str {
    match status {
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
