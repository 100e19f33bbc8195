//! The files of `server/web/`, compiled in.

use hat_aio::web::EmbeddedFile;
use hat_aio::web::http::header::{CONTENT_SECURITY_POLICY, HeaderMap, HeaderValue};

/// What `index.html` says at its top that it works under: an event has no way to become a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

macro_rules! embedded {
    ($($name:literal: $content_type:expr),+ $(,)?) => {
        &[$(EmbeddedFile {
            path: concat!("/", $name),
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../web/", $name)),
        }),+]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// All that is served.
pub(super) static FILES: &[EmbeddedFile] = embedded! {
    "index.html": HTML,
    "style.css": CSS,
    "icon.svg": "image/svg+xml",
    "uPlot.LICENSE": "text/plain; charset=utf-8",
    "app.js": SCRIPT,
    "chart.js": SCRIPT,
    "cluster.js": SCRIPT,
    "details.js": SCRIPT,
    "export.js": SCRIPT,
    "finding.js": SCRIPT,
    "form.js": SCRIPT,
    "format.js": SCRIPT,
    "history.js": SCRIPT,
    "json.js": SCRIPT,
    "juggler.js": SCRIPT,
    "link.js": SCRIPT,
    "model.js": SCRIPT,
    "names.js": SCRIPT,
    "patch.js": SCRIPT,
    "place.js": SCRIPT,
    "rules.js": SCRIPT,
    "rules_form.js": SCRIPT,
    "search.js": SCRIPT,
    "series.js": SCRIPT,
    "stream.js": SCRIPT,
    "table.js": SCRIPT,
    "trend.js": SCRIPT,
    "uPlot.js": SCRIPT,
    "view.js": SCRIPT,
};

/// What goes with each of them.
pub(super) fn headers() -> HeaderMap {
    [(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// For Node and for people; not served.
    const OTHERS: [&str; 3] = ["README.md", "package.json", "screenshot.png"];

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
        let entries = std::fs::read_dir(folder).expect("the folder");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("an entry").file_name().into_string().expect("a name in UTF-8")
        };
        let there: BTreeSet<_> =
            entries.map(name).filter(|name| !OTHERS.contains(&name.as_str())).collect();
        let served: BTreeSet<_> =
            FILES.iter().map(|file| file.path.trim_start_matches('/').to_owned()).collect();
        assert_eq!(served, there);
    }

    #[test]
    fn the_policy_is_the_one_that_the_page_was_written_for() {
        let page = include_str!("../../web/index.html").replace("\n    ", " ");
        assert!(page.contains(&format!("Content-Security-Policy: {POLICY}\n")));
    }
}
