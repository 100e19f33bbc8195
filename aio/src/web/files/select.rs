//! Which part of a file a request gets: preconditions and ranges (RFC 9110, sections 13 and 14).

use std::time::{Duration, SystemTime};

use http::header::{self, HeaderName};
use http::{HeaderMap, Method};

use super::super::websocket::only;

/// What a file is, for those who have it already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Validators {
    /// Bytes.
    pub(in super::super) size: u64,
    /// The entity tag, with its quotes, without `W/`.
    pub(in super::super) tag: String,
    /// The file may still change without another tag.
    pub(in super::super) weak: bool,
    /// When it changed last.
    pub(in super::super) modified: Option<SystemTime>,
}

/// What a request gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Selection {
    /// 200.
    Whole,
    /// 206: from this byte, this many, at least one.
    Part { first: u64, len: u64 },
    /// 304.
    NotModified,
    /// 412.
    Failed,
    /// 416.
    Unsatisfiable,
}

/// What a request says about the file that it wants.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Conditions {
    head: bool,
    if_match: Option<String>,
    if_unmodified_since: Option<SystemTime>,
    if_none_match: Option<String>,
    if_modified_since: Option<SystemTime>,
    if_range: Option<String>,
    range: Option<String>,
}

impl Conditions {
    pub(in super::super) fn new(method: &Method, headers: &HeaderMap) -> Self {
        let date = |name| only(headers, name).and_then(date);
        let head = *method == Method::HEAD;
        Self {
            head,
            if_match: list(headers, header::IF_MATCH),
            if_unmodified_since: date(header::IF_UNMODIFIED_SINCE),
            if_none_match: list(headers, header::IF_NONE_MATCH),
            if_modified_since: date(header::IF_MODIFIED_SINCE),
            if_range: only(headers, header::IF_RANGE).map(str::to_owned),
            // ranges are for GET alone
            range: only(headers, header::RANGE).filter(|_| !head).map(str::to_owned),
        }
    }

    /// The request is for the head of the answer alone.
    pub(in super::super) fn head(&self) -> bool {
        self.head
    }

    /// The request is for a range.
    pub(in super::super) fn asks_for_a_part(&self) -> bool {
        self.range.is_some()
    }

    /// In the order of RFC 9110, section 13.2.2.
    pub(in super::super) fn select(&self, file: &Validators) -> Selection {
        // dates in headers are whole seconds
        let modified = file.modified.map(whole_seconds);
        let unchanged = |since: Option<SystemTime>| Some(modified? <= since?);
        let passes = match &self.if_match {
            Some(tags) => names(tags, |tag| !file.weak && tag == file.tag),
            None => unchanged(self.if_unmodified_since) != Some(false),
        };
        if !passes {
            return Selection::Failed;
        }
        let known = match &self.if_none_match {
            Some(tags) => names(tags, |tag| tag.strip_prefix("W/").unwrap_or(tag) == file.tag),
            None => unchanged(self.if_modified_since) == Some(true),
        };
        if known {
            return Selection::NotModified;
        }
        match &self.range {
            Some(range) if self.if_range.as_deref().is_none_or(|tag| same(tag, file)) => {
                part(range, file.size)
            }
            _ => Selection::Whole,
        }
    }
}

/// All values of a header, as the one list that they are.
fn list(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    texts.map(str::to_owned).reduce(|all, text| all + "," + &text)
}

fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// Whether a list of tags is `*`, or one of it `is` the file's. Tags may hold commas; ours never
/// do.
fn names(tags: &str, is: impl Fn(&str) -> bool) -> bool {
    tags.trim() == "*" || tags.split(',').any(|tag| is(tag.trim()))
}

/// Whether `If-Range` names the file as it is, for sure.
fn same(tag: &str, file: &Validators) -> bool {
    match date(tag) {
        Some(time) => !file.weak && file.modified.map(whole_seconds) == Some(time),
        None => !file.weak && tag == file.tag,
    }
}

/// `bytes=0-99`, `bytes=100-` or `bytes=-100`. Anything else, several ranges included, gets the
/// whole file, which is always right.
fn part(range: &str, size: u64) -> Selection {
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        // more than fits is more than any file has
        true if !text.is_empty() => Some(text.parse().unwrap_or(u64::MAX)),
        _ => None,
    };
    let unit = range.split_once('=').filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"));
    let Some((from, to)) = unit.and_then(|(_, range)| range.trim().split_once('-')) else {
        return Selection::Whole;
    };
    let (first, end) = match (number(from), number(to)) {
        (Some(first), Some(last)) if first <= last => (first, size.min(last.saturating_add(1))),
        (Some(first), None) if to.is_empty() => (first, size),
        (None, Some(count)) if from.is_empty() => (size - size.min(count), size),
        _ => return Selection::Whole,
    };
    match end.checked_sub(first) {
        None | Some(0) => Selection::Unsatisfiable,
        Some(len) => Selection::Part { first, len },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Validators {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_500);
        Validators { size: 1000, tag: "\"a1\"".into(), weak: false, modified: Some(modified) }
    }

    fn selected(headers: &str, file: &Validators) -> Selection {
        let mut map = HeaderMap::new();
        for line in headers.lines() {
            let (name, value) = line.split_once(": ").expect("a header");
            let name = name.parse::<HeaderName>().expect("a name");
            map.append(name, value.parse().expect("a value"));
        }
        Conditions::new(&Method::GET, &map).select(file)
    }

    #[test]
    fn ranges() {
        use Selection::{Part, Unsatisfiable, Whole};
        for (range, expected) in [
            ("bytes=0-0", Part { first: 0, len: 1 }),
            ("bytes=0-99", Part { first: 0, len: 100 }),
            ("bytes=500-", Part { first: 500, len: 500 }),
            ("bytes=-100", Part { first: 900, len: 100 }),
            ("bytes=-2000", Part { first: 0, len: 1000 }),
            ("bytes=0-5000", Part { first: 0, len: 1000 }),
            ("Bytes= 1-2", Part { first: 1, len: 2 }),
            ("bytes=999-99999999999999999999999", Part { first: 999, len: 1 }),
            ("bytes=1000-", Unsatisfiable),
            ("bytes=1000-1001", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=2-1", Whole),
            ("bytes=0-1,5-6", Whole),
            ("bytes=-", Whole),
            ("bytes=", Whole),
            ("bytes", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=-1-2", Whole),
            ("bytes=1-2x", Whole),
            ("lines=1-2", Whole),
        ] {
            assert_eq!(selected(&format!("Range: {range}"), &file()), expected, "{range}");
        }
        let empty = Validators { size: 0, ..file() };
        assert_eq!(selected("Range: bytes=0-", &empty), Unsatisfiable);
        assert_eq!(selected("Range: bytes=-1", &empty), Unsatisfiable);
        assert_eq!(selected("Range: bytes=0-0\nRange: bytes=1-1", &file()), Whole);
    }

    #[test]
    fn a_head_has_no_ranges() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=0-0".parse().expect("a value"));
        let conditions = Conditions::new(&Method::HEAD, &headers);
        assert_eq!(conditions.select(&file()), Selection::Whole);
    }

    #[test]
    fn conditions() {
        use Selection::{Failed, NotModified, Part, Whole};
        let before = "Sun, 06 Nov 1994 08:49:36 GMT";
        let exactly = "Sun, 06 Nov 1994 08:49:37 GMT";
        let one = Part { first: 0, len: 1 };
        for (headers, expected) in [
            ("If-None-Match: \"a1\"".to_owned(), NotModified),
            ("If-None-Match: W/\"a1\"".to_owned(), NotModified),
            ("If-None-Match: *".to_owned(), NotModified),
            ("If-None-Match: \"b\", \"a1\"".to_owned(), NotModified),
            ("If-None-Match: \"b\"\nIf-None-Match: \"a1\"".to_owned(), NotModified),
            ("If-None-Match: \"b\"".to_owned(), Whole),
            ("If-None-Match: a1".to_owned(), Whole),
            (format!("If-Modified-Since: {exactly}"), NotModified),
            (format!("If-Modified-Since: {before}"), Whole),
            ("If-Modified-Since: yesterday".to_owned(), Whole),
            (format!("If-None-Match: \"b\"\nIf-Modified-Since: {exactly}"), Whole),
            ("If-None-Match: \"a1\"\nRange: bytes=0-0".to_owned(), NotModified),
            ("If-Match: \"a1\"".to_owned(), Whole),
            ("If-Match: *".to_owned(), Whole),
            ("If-Match: \"b\"".to_owned(), Failed),
            ("If-Match: W/\"a1\"".to_owned(), Failed),
            (format!("If-Unmodified-Since: {exactly}"), Whole),
            (format!("If-Unmodified-Since: {before}"), Failed),
            ("If-Range: \"a1\"\nRange: bytes=0-0".to_owned(), one),
            ("If-Range: \"b\"\nRange: bytes=0-0".to_owned(), Whole),
            (format!("If-Range: {exactly}\nRange: bytes=0-0"), one),
            (format!("If-Range: {before}\nRange: bytes=0-0"), Whole),
        ] {
            assert_eq!(selected(&headers, &file()), expected, "{headers}");
        }
    }

    #[test]
    fn what_may_still_change_is_not_put_together_from_parts() {
        let file = Validators { weak: true, ..file() };
        assert_eq!(selected("If-Range: \"a1\"\nRange: bytes=0-0", &file), Selection::Whole);
        assert_eq!(selected("If-Match: \"a1\"", &file), Selection::Failed);
        assert_eq!(selected("If-Match: *", &file), Selection::Whole);
        assert_eq!(selected("If-None-Match: W/\"a1\"", &file), Selection::NotModified);
    }
}
