//! The server's side of the WebSocket handshake (RFC 6455, section 4.2), and whose pages may begin
//! it.

use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};

use super::answer::Answer;
use super::host;
use super::options::Origins;
use hat_core::ws;

/// The `Sec-WebSocket-Accept` for a request at the WebSocket's path, or why there is no WebSocket
/// for it.
pub(super) fn handshake(head: &Parts, origins: &Origins) -> Result<HeaderValue, Answer> {
    if head.method != Method::GET {
        return Err(Answer::method_not_allowed("GET"));
    }
    if !has_token(&head.headers, header::UPGRADE, "websocket") {
        return Err(upgrade_required("this is the path of a WebSocket"));
    }
    if head.version < Version::HTTP_11 {
        return Err(Answer::bad_request("a WebSocket needs HTTP/1.1"));
    }
    if !has_token(&head.headers, header::CONNECTION, "upgrade") {
        return Err(Answer::bad_request("`Connection: Upgrade` is missing"));
    }
    let length = only(&head.headers, header::CONTENT_LENGTH).unwrap_or("0");
    if length != "0" || head.headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Answer::bad_request("a WebSocket request has no body").closing());
    }
    if only(&head.headers, header::SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(upgrade_required("version 13 of WebSocket is spoken here"));
    }
    let key = only(&head.headers, header::SEC_WEBSOCKET_KEY);
    let Some(accept) = key.and_then(ws::accept_key) else {
        return Err(Answer::bad_request("`Sec-WebSocket-Key` must be 16 bytes in Base64, once"));
    };
    if !allows(origins, &head.headers, host::site(head)) {
        let reason = "pages of this site may not open the WebSocket";
        return Err(Answer::new(StatusCode::FORBIDDEN, reason));
    }
    Ok(HeaderValue::from_str(&accept).expect("Base64 is fit for a header"))
}

fn upgrade_required(reason: &'static str) -> Answer {
    Answer::new(StatusCode::UPGRADE_REQUIRED, reason)
        .with(header::UPGRADE, HeaderValue::from_static("websocket"))
        .with(header::CONNECTION, HeaderValue::from_static("Upgrade"))
        .with(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
}

/// The value of a header that is there once.
pub(super) fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    value.to_str().ok()
}

/// Whether one of the comma-separated tokens of a header is `token`.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    let mut texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    texts.any(|text| text.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

/// `site`: what the request is for.
fn allows(origins: &Origins, headers: &HeaderMap, site: Option<&str>) -> bool {
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    let Some(origin) = only(headers, header::ORIGIN) else {
        return false;
    };
    match origins {
        Origins::Any => true,
        Origins::List(list) => list.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)),
        Origins::Same => {
            site.zip(origin.split_once("://")).is_some_and(|(host, (scheme, site))| {
                // browsers leave out a scheme's own port
                let port = match scheme {
                    "http" => ":80",
                    "https" => ":443",
                    _ => return false,
                };
                let host = host.strip_suffix(port).unwrap_or(host);
                host.eq_ignore_ascii_case(site.strip_suffix(port).unwrap_or(site))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origins: &Origins, host: &str, origin: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().expect("an origin"));
        allows(origins, &headers, Some(host))
    }

    #[test]
    fn pages_of_the_same_site() {
        for (host, origin, expected) in [
            ("plant:8080", "http://plant:8080", true),
            ("plant", "https://plant", true),
            ("Plant.example", "https://plant.example", true),
            ("plant:443", "https://plant", true),
            ("plant:80", "http://plant", true),
            ("[::1]:8080", "http://[::1]:8080", true),
            ("plant:8080", "http://plant:8081", false),
            ("plant:443", "http://plant", false),
            ("plant", "https://plant.evil.example", false),
            ("plant", "https://evil-plant", false),
            ("plant", "null", false),
            ("plant", "plant", false),
            ("plant", "file://plant", false),
            ("plant", "http://user@plant", false),
        ] {
            assert_eq!(allowed(&Origins::Same, host, origin), expected, "{host} {origin}");
        }
    }

    #[test]
    fn pages_of_listed_sites() {
        let list = Origins::List(vec!["https://desk.example".into()]);
        assert!(allowed(&list, "plant", "https://desk.example"));
        assert!(!allowed(&list, "plant", "http://desk.example"));
        assert!(!allowed(&list, "plant", "https://plant"));
        assert!(allowed(&Origins::Any, "plant", "null"));
        assert!(allows(&list, &HeaderMap::new(), None));
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, HeaderValue::from_static("http://plant"));
        headers.append(header::ORIGIN, HeaderValue::from_static("http://evil"));
        assert!(!allows(&Origins::Any, &headers, None));
    }
}
