//! Files: from a folder or from the program itself, whole or in part, with what caches need.

mod embedded;
mod folder;
mod select;

use std::path::PathBuf;
use std::sync::Arc;

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};

use super::super::Runtime;
use super::super::trace;
use super::answer::Answer;
use super::body::Body;
use super::options::EmbeddedFile;
use super::path::FilePath;
use embedded::EmbeddedEntry;
pub(super) use folder::Content;
pub(super) use select::{Conditions, Selection, Validators};

/// All files of a server.
#[derive(Debug)]
pub(super) struct Files {
    embedded: Vec<Arc<EmbeddedEntry>>,
    folder: Option<PathBuf>,
}

impl Files {
    pub(super) fn new(embedded: &'static [EmbeddedFile], folder: Option<PathBuf>) -> Self {
        let embedded = embedded.iter().map(|file| Arc::new(EmbeddedEntry::new(file)));
        Self { embedded: embedded.collect(), folder }
    }

    pub(super) async fn answer<R: Runtime>(&self, path: &FilePath, head: &Parts) -> Response<Body> {
        let conditions = Conditions::new(&head.method, &head.headers);
        let named =
            |embedded: &&Arc<EmbeddedEntry>| embedded.path.strip_prefix('/') == Some(path.as_str());
        if let Some(embedded) = self.embedded.iter().find(named) {
            return embedded.answer::<R>(head, &conditions).await;
        }
        let Some(folder) = self.folder.clone() else {
            return Answer::not_found().into();
        };
        let wanted = path.as_str().to_owned();
        let found = R::unblock(move || folder::find(&folder, &wanted, &conditions)).await;
        match found.and_then(|found| found) {
            Ok(Some(found)) => {
                let body = found.content.map_or_else(Body::empty, Body::file::<R>);
                respond(found.selection, &found.validators, content_type(path.as_str()), body)
            }
            Ok(None) => Answer::not_found().into(),
            Err(error) => {
                trace::file_failed(path.as_str(), &error);
                Answer::failed().into()
            }
        }
    }
}

fn respond(
    selection: Selection,
    file: &Validators,
    content_type: HeaderValue,
    body: Body,
) -> Response<Body> {
    let (status, len) = match selection {
        Selection::Whole => (StatusCode::OK, file.size),
        Selection::Part { len, .. } => (StatusCode::PARTIAL_CONTENT, len),
        Selection::NotModified => (StatusCode::NOT_MODIFIED, 0),
        Selection::Failed => {
            let reason = "the file has changed";
            return Answer::new(StatusCode::PRECONDITION_FAILED, reason).into();
        }
        Selection::Unsatisfiable => {
            let reason = "the file is shorter than the range";
            let size = text_value(format!("bytes */{}", file.size));
            let answer = Answer::new(StatusCode::RANGE_NOT_SATISFIABLE, reason);
            return answer.with(header::CONTENT_RANGE, size).into();
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let weak = if file.weak { "W/" } else { "" };
    headers.insert(header::ETAG, text_value(format!("{weak}{}", file.tag)));
    if let Some(modified) = file.modified {
        headers.insert(header::LAST_MODIFIED, text_value(httpdate::fmt_http_date(modified)));
    }
    if selection == Selection::NotModified {
        return response;
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_LENGTH, len.into());
    if let Selection::Part { first, len } = selection {
        let range = format!("bytes {first}-{}/{}", first + len - 1, file.size);
        headers.insert(header::CONTENT_RANGE, text_value(range));
    }
    response
}

fn text_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits, letters and a few signs are fit for a header")
}

/// By the extension. Text is said to be UTF-8, which all text is by now.
fn content_type(path: &str) -> HeaderValue {
    let mime = mime_guess::from_path(path).first_or_octet_stream();
    let text = mime.type_() == "text" || mime.subtype() == "javascript" || mime.subtype() == "json";
    let charset = if text && mime.get_param("charset").is_none() { "; charset=utf-8" } else { "" };
    text_value(format!("{mime}{charset}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for (path, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("a/page.css", "text/css; charset=utf-8"),
            ("page.js", "text/javascript; charset=utf-8"),
            ("page.mjs", "application/javascript; charset=utf-8"),
            ("data.JSON", "application/json; charset=utf-8"),
            ("icon.svg", "image/svg+xml"),
            ("x.wasm", "application/wasm"),
            ("x.unknown-extension", "application/octet-stream"),
            ("none", "application/octet-stream"),
        ] {
            assert_eq!(content_type(path), expected, "{path}");
        }
    }
}
