//! From the path of a URL to the path of a file below the folder.

use std::path::{Component, Path};

use percent_encoding::percent_decode_str;

/// The path of a file below the folder, `css/page.css`. It has no empty, hidden or upward parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilePath(String);

impl FilePath {
    /// `raw` as it stands in the request, `/css/page.css`: percent signs are decoded once. `None`
    /// for what can be no file, a folder's `/` at the end included.
    pub(super) fn new(raw: &str) -> Option<Self> {
        let mut path = String::new();
        for part in raw.strip_prefix('/')?.split('/') {
            let part = percent_decode_str(part).decode_utf8().ok()?;
            if !is_name(&part) {
                return None;
            }
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(&part);
        }
        Some(Self(path))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `part` names a file or folder that is served.
fn is_name(part: &str) -> bool {
    // `.` and `..` begin with a dot too; files such as `.git` and `.htpasswd` are nobody's business
    let hidden = part.starts_with('.') && part != ".well-known";
    let odd = |char: char| char.is_control() || matches!(char, '/' | '\\');
    // on Windows `C:` and `\\server` are no names either
    let mut components = Path::new(part).components();
    let one = matches!(components.next(), Some(Component::Normal(name)) if name == part);
    !hidden && !part.contains(odd) && one && components.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        let cases = [
            ("/index.html", "index.html"),
            ("/css/page.css", "css/page.css"),
            ("/a%20b.txt", "a b.txt"),
            ("/%C5%BEarulja.svg", "žarulja.svg"),
            ("/100%.txt", "100%.txt"),
            ("/%252e%252e/x", "%2e%2e/x"), // a folder of that name, if there is one
            ("/.well-known/x", ".well-known/x"),
            ("/a..b", "a..b"),
        ];
        for (raw, expected) in cases {
            assert_eq!(FilePath::new(raw).expect(raw).as_str(), expected);
        }
    }

    #[test]
    fn no_files() {
        let cases = [
            "",
            "*",
            "/",
            "//",
            "//x",
            "/css/",
            "/./x",
            "/..",
            "/../x",
            "/css/../../x",
            "/%2e%2e/x",
            "/%2E./x",
            "/..%2fx",
            "/..%5cx",
            "/..\\x",
            "/a%2fb",
            "/x%00.html",
            "/x%0a",
            "/x%7f",
            "/%ff",
            "/%c0%ae%c0%ae/x", // `..` in too many bytes
            "/.git/config",
            "/.htpasswd",
        ];
        for raw in cases {
            assert_eq!(FilePath::new(raw), None, "{raw}");
        }
    }
}
