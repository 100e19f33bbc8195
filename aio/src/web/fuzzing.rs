//! What the fuzzers run of this folder: everything that reads bytes of a client, or a file that
//! people write. No part of the API.

use std::path::Path;
use std::time::{Duration, SystemTime};

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request};

use super::auth::{Users, credentials};
use super::client::forwarded;
use super::decide::{Access, Rules, decide};
use super::files::{Conditions, Selection, Validators};
use super::options::Origins;
use super::path::FilePath;

/// A password file: no user of it gets in with a wrong password.
///
/// # Panics
///
/// Where a bug shows.
pub fn htpasswd(file: &[u8]) {
    let Ok(users) = Users::parse(Path::new("htpasswd"), file) else { return };
    // a bcrypt of the usual cost takes far longer than all else
    if file.windows(2).any(|it| it == b"$2") {
        return;
    }
    for user in file.split(|byte| b":\n".contains(byte)) {
        if let Some((hash, _)) = users.find(user) {
            assert!(!hash.verify(b"no such password"));
        }
    }
}

/// The head of a request, as lines: the method, the path, headers.
///
/// # Panics
///
/// Where a bug shows.
pub fn request(lines: &[u8]) {
    let Some(head) = head(lines) else { return };
    let rules = Rules {
        ws_path: Some("/ws".into()),
        index_path: Some(HeaderValue::from_static("./index.html")),
        hosts: Some(Vec::new()),
        origins: Origins::Same,
        routes: false,
        body_size: 1000,
    };
    for access in [Access::Open, Access::Denied, Access::Unavailable, Access::Busy] {
        let _ = decide(&head, &rules, &access);
    }
    let _ = (forwarded(&head.headers), credentials(&head.headers));
    if let Some(path) = FilePath::new(head.uri.path()) {
        let path = path.as_str();
        assert!(!path.contains(['\\', '\0']));
        assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
    }
    let conditions = Conditions::new(&head.method, &head.headers);
    for size in [0, 1, 1000, u64::MAX] {
        let modified = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        let file = Validators { size, tag: "\"tag\"".into(), weak: false, modified };
        if let Selection::Part { first, len } = conditions.select(&file) {
            assert!(len > 0 && first.checked_add(len).is_some_and(|end| end <= size));
        }
    }
}

fn head(lines: &[u8]) -> Option<Parts> {
    let mut lines = lines.split(|byte| *byte == b'\n');
    let method = Method::from_bytes(lines.next()?).ok()?;
    let mut request = Request::builder().method(method).uri(lines.next()?);
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (&line[..at], &line[at + 1..]);
        request = request
            .header(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    Some(request.body(()).ok()?.into_parts().0)
}
