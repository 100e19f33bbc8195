//! What to do with a request, from its head alone: no sockets, no files, no clock.
//!
//! ```text
//! Host ──> password ──> ws_path ──> / ──> routes ──> files
//!  400, 421 401, 503     101, 4xx   302     413      404, 405
//! ```

use http::header;
use http::request::Parts;
use http::{HeaderValue, Method};

use super::answer::Answer;
use super::host;
use super::options::Origins;
use super::path::FilePath;
use super::websocket;

/// What a server knows before any request.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) ws_path: Option<String>,
    /// Seen from `/`: relative, so that it is right behind a proxy that gives the server a folder.
    pub(super) index_path: Option<HeaderValue>,
    /// Names of this server, if not any.
    pub(super) hosts: Option<Vec<String>>,
    pub(super) origins: Origins,
    /// There are routes to ask.
    pub(super) routes: bool,
    /// Bytes of a body.
    pub(super) body_size: usize,
}

/// What became of the request's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// None is asked for.
    Open,
    /// It is right.
    User(String),
    /// There is none, or it is wrong.
    Denied,
    /// The password file cannot be used.
    Unavailable,
    /// Too many others wait for theirs to be verified.
    Busy,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// To answer this.
    Answer(Answer),
    /// To switch to WebSocket, with this `Sec-WebSocket-Accept`.
    WebSocket(HeaderValue),
    /// To ask the routes, and where they have no answer, to go on so.
    Routes(Otherwise),
    /// To look for a file.
    File(FilePath),
}

/// What to do without an answer of the routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Otherwise {
    Answer(Answer),
    File(FilePath),
}

pub(super) fn decide(head: &Parts, rules: &Rules, access: &Access) -> Decision {
    let path = head.uri.path();
    if let Some(refusal) = host::check(head, rules.hosts.as_deref()) {
        return Decision::Answer(refusal);
    }
    match access {
        Access::Open | Access::User(_) => {}
        Access::Denied => return Decision::Answer(Answer::unauthorized()),
        Access::Unavailable => return Decision::Answer(Answer::passwords_unavailable()),
        Access::Busy => return Decision::Answer(Answer::passwords_busy()),
    }
    if rules.ws_path.as_deref() == Some(path) {
        return match websocket::handshake(head, &rules.origins) {
            Ok(accept) => Decision::WebSocket(accept),
            Err(refusal) => Decision::Answer(*refusal),
        };
    }
    if let Some(index) = rules.index_path.as_ref().filter(|_| path == "/") {
        return Decision::Answer(match is_read(&head.method) {
            true => Answer::redirect(index.clone()),
            false => Answer::method_not_allowed("GET, HEAD"),
        });
    }
    let file = match FilePath::new(path) {
        _ if !is_read(&head.method) => Otherwise::Answer(Answer::method_not_allowed("GET, HEAD")),
        Some(path) => Otherwise::File(path),
        None => Otherwise::Answer(Answer::not_found()),
    };
    if rules.routes {
        return match announced_body(head) {
            Some(size) if size > rules.body_size as u64 => {
                Decision::Answer(Answer::body_too_large())
            }
            _ => Decision::Routes(file),
        };
    }
    match file {
        Otherwise::Answer(answer) => Decision::Answer(answer),
        Otherwise::File(path) => Decision::File(path),
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The size of the body, where the head says it.
fn announced_body(head: &Parts) -> Option<u64> {
    head.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
