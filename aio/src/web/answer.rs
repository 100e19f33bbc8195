//! Answers without a file: a status, what it needs in headers, and a line that says why.

use std::borrow::Cow;
use std::fmt::Write;

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use super::body::Body;

/// An answer that is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// For the person who reads the answer.
    pub(super) reason: Cow<'static, str>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status, headers: HeaderMap::new(), reason: reason.into() }
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same, as the last on its connection: what the client still sends is not read.
    pub(super) fn closing(self) -> Self {
        self.with(header::CONNECTION, HeaderValue::from_static("close"))
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such page")
    }

    pub(super) fn method_not_allowed(allowed: &'static str) -> Self {
        let answer =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not support the method");
        answer.with(header::ALLOW, HeaderValue::from_static(allowed))
    }

    pub(super) fn bad_request(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub(super) fn unauthorized() -> Self {
        let answer = Self::new(StatusCode::UNAUTHORIZED, "a user name and a password are required");
        let challenge = HeaderValue::from_static("Basic realm=\"hat\", charset=\"UTF-8\"");
        answer.with(header::WWW_AUTHENTICATE, challenge)
    }

    pub(super) fn passwords_unavailable() -> Self {
        Self::unavailable("the password file cannot be used: see the server's log")
    }

    pub(super) fn passwords_busy() -> Self {
        Self::unavailable("too many passwords wait to be verified: try again in a moment")
    }

    /// For as long as a client needs to ask again.
    fn unavailable(reason: &'static str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, reason)
            .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    pub(super) fn body_too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large").closing()
    }

    pub(super) fn body_too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time").closing()
    }

    pub(super) fn bad_body() -> Self {
        Self::bad_request("the body does not have the length that its headers announce").closing()
    }

    pub(super) fn failed() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read")
    }

    pub(super) fn redirect(to: HeaderValue) -> Self {
        Self::new(StatusCode::FOUND, "the resource is at another address")
            .with(header::LOCATION, to)
    }
}

impl From<Answer> for Response<Body> {
    fn from(answer: Answer) -> Self {
        Response::<String>::from(answer).map(Body::from)
    }
}

impl From<Answer> for Response<String> {
    fn from(answer: Answer) -> Self {
        let mut text = String::new();
        // writing to a string cannot fail
        let _ = writeln!(text, "{}: {}", answer.status, answer.reason);
        let mut response = Response::new(text);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        response
    }
}
