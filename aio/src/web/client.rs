//! The address of a client behind a proxy, as `hat-juggler` takes it.

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What the last proxy says, if it says anything: `for` of the last element of `Forwarded` (RFC
/// 7239); or what is last in `X-Forwarded-For`, where there is one such header.
pub(super) fn forwarded(headers: &HeaderMap) -> Option<String> {
    let mut texts = headers.get_all(FORWARDED).iter().filter_map(|value| value.to_str().ok());
    if let Some(last) = texts.next_back().and_then(last_for) {
        return Some(last);
    }
    let mut texts = headers.get_all(X_FORWARDED_FOR).iter();
    let (text, None) = (texts.next()?, texts.next()) else {
        return None;
    };
    let last = text.to_str().ok()?.rsplit(',').next()?.trim();
    (!last.is_empty()).then(|| last.to_owned())
}

/// `for` of the last element of one header: `for=1.2.3.4;proto=http, for="[::1]:80"`.
fn last_for(text: &str) -> Option<String> {
    let element = split_unquoted(text, ',').pop()?;
    split_unquoted(element, ';').into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let found = name.trim().eq_ignore_ascii_case("for");
        Some(unquoted(value.trim())).filter(|value| found && !value.is_empty())
    })
}

/// The parts of `text` between `separator`s that are not in quotes.
fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|char| {
        let plain = !quoted && char == separator;
        if char == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && char == '\\' && !escaped;
        plain
    })
    .collect()
}

fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut escaped = false;
    let keep = |char: &char| {
        escaped = *char == '\\' && !escaped;
        !escaped
    };
    inner.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a value"));
        }
        forwarded(&map)
    }

    #[test]
    fn addresses() {
        let cases: [(&[_], _); 9] = [
            (&[], None),
            (&[("forwarded", "for=1.2.3.4")], Some("1.2.3.4")),
            (
                &[("forwarded", "for=9.9.9.9, For=\"[2001:db8::1]:4711\";proto=https")],
                Some("[2001:db8::1]:4711"),
            ),
            (&[("forwarded", "for=9.9.9.9"), ("forwarded", "by=x;for=1.2.3.4")], Some("1.2.3.4")),
            (&[("forwarded", "for=\"a\\\"b,c;d\"")], Some("a\"b,c;d")),
            (&[("forwarded", "proto=https"), ("x-forwarded-for", "1.2.3.4")], Some("1.2.3.4")),
            (&[("x-forwarded-for", "9.9.9.9, 1.2.3.4")], Some("1.2.3.4")),
            (&[("x-forwarded-for", "9.9.9.9"), ("x-forwarded-for", "1.2.3.4")], None),
            (&[("x-forwarded-for", " ")], None),
        ];
        for (headers, expected) in cases {
            assert_eq!(address(headers).as_deref(), expected, "{headers:?}");
        }
    }
}
