//! A file that is compiled into the program: as it is, and compressed for clients that can
//! decompress it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use sha1::{Digest, Sha1};

use super::super::Runtime;
use super::super::body::Body;
use super::super::options::EmbeddedFile;
use super::{Conditions, Selection, Validators, respond};

/// One file, and what it can be sent as.
#[derive(Debug)]
pub(super) struct EmbeddedEntry {
    pub(super) path: &'static str,
    content_type: &'static str,
    plain: Representation,
    /// Made when it is first asked for, and kept: the whole page takes a third of what it is.
    /// `None` where it would be no smaller.
    gzip: OnceLock<Option<Representation>>,
}

/// What is sent, and the tag of just that: caches must not take one for the other (RFC 9110 section
/// 8.8.3).
#[derive(Clone, Debug)]
struct Representation {
    bytes: Bytes,
    validators: Validators,
}

impl EmbeddedEntry {
    pub(super) fn new(file: &'static EmbeddedFile) -> Self {
        let &EmbeddedFile { path, content_type, bytes } = file;
        let plain = Representation::new(Bytes::from_static(bytes), content_tag(bytes));
        Self { path, content_type, plain, gzip: OnceLock::new() }
    }

    pub(super) async fn answer<R: Runtime>(
        self: &Arc<Self>,
        head: &Parts,
        conditions: &Conditions,
    ) -> Response<Body> {
        let has_two = is_text(self.content_type);
        // a part is one of the file as it is
        let gzip = match has_two && !conditions.asks_for_a_part() && takes_gzip(&head.headers) {
            true => self.gzip::<R>().await,
            false => None,
        };
        let encoded = gzip.is_some();
        let Representation { bytes, validators } = gzip.unwrap_or_else(|| self.plain.clone());
        let selection = conditions.select(&validators);
        let body = match selection {
            _ if conditions.head() => Body::empty(),
            Selection::Whole => Body::from(bytes),
            // a part that was selected is within the file
            Selection::Part { first, len } => {
                Body::from(bytes.slice(first as usize..(first + len) as usize))
            }
            _ => Body::empty(),
        };
        let content_type = HeaderValue::from_static(self.content_type);
        let mut response = respond(selection, &validators, content_type, body);
        let headers = response.headers_mut();
        if has_two {
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if encoded && response.status() == StatusCode::OK {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    /// The file compressed. The first time it takes some milliseconds, where blocking stops no
    /// other task.
    async fn gzip<R: Runtime>(self: &Arc<Self>) -> Option<Representation> {
        if let Some(made) = self.gzip.get() {
            return made.clone();
        }
        let file = self.clone();
        let made = R::unblock(move || file.gzip.get_or_init(|| file.plain.gzip()).clone());
        // without a thread to compress it, it is sent as it is
        made.await.ok().flatten()
    }
}

impl Representation {
    fn new(bytes: Bytes, tag: String) -> Self {
        let size = bytes.len() as u64;
        Self { bytes, validators: Validators { size, tag, weak: false, modified: None } }
    }

    fn gzip(&self) -> Option<Self> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&self.bytes).ok()?;
        let bytes = encoder.finish().ok()?;
        let tag = format!("{}-gzip\"", self.validators.tag.trim_end_matches('"'));
        (bytes.len() < self.bytes.len()).then(|| Self::new(bytes.into(), tag))
    }
}

/// Whether the content is of a kind that gets smaller; pictures are compressed as they are.
fn is_text(content_type: &str) -> bool {
    let mime = content_type.split(';').next().unwrap_or_default().trim();
    mime.starts_with("text/")
        || mime.ends_with("+xml")
        || matches!(mime, "application/json" | "application/javascript" | "application/wasm")
}

/// Whether `Accept-Encoding` has gzip, by its name or by `*`, and not with a weight of zero (RFC
/// 9110 section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let members = values.filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(','));
    let (mut named, mut any) = (None, None);
    for member in members {
        let mut parts = member.split(';').map(str::trim);
        let place = match parts.next().unwrap_or_default() {
            name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                &mut named
            }
            "*" => &mut any,
            _ => continue,
        };
        let weight = parts.find_map(|part| {
            let (name, weight) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| weight.trim().parse::<f32>())
        });
        *place = Some(weight.is_none_or(|it| it.is_ok_and(|weight| weight > 0.0)));
    }
    named.or(any).unwrap_or(false)
}

/// A tag that is another for other content.
fn content_tag(bytes: &[u8]) -> String {
    let mut tag = String::from("\"");
    for byte in Sha1::digest(bytes) {
        // writing to a string cannot fail
        let _ = write!(tag, "{byte:02x}");
    }
    tag + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_it_takes_gzip() {
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", true),
            ("GZIP;q=0.1", true),
            ("br, x-gzip", true),
            ("*", true),
            ("*;q=0.5, gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("gzip;q=x", false),
            ("*;q=0, gzip", true),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(takes_gzip(&headers), expected, "{accepted}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn what_gets_no_smaller_is_not_compressed() {
        let plain = |bytes| Representation::new(Bytes::from_static(bytes), "\"a\"".into());
        assert!(plain(b"").gzip().is_none() && plain(b"short").gzip().is_none());
        let gzip = plain(&[b'a'; 1000]).gzip().expect("smaller");
        assert_eq!(gzip.validators.tag, "\"a-gzip\"");
        assert_eq!(gzip.bytes[..4], [0x1f, 0x8b, 8, 0]);
    }
}
