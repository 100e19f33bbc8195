//! The server's side of the WebSocket handshake (RFC 6455, section 4.2), and whose pages may begin
//! it.

use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Version};

use super::answer::Answer;
use super::host;
use super::options::Origins;
use hat_core::ws::{self, Agreed, Deflate, RequestFault};

/// The `Sec-WebSocket-Accept` for a request at the WebSocket's path, or why there is no WebSocket
/// for it: by the rules that the machine of a server has.
pub(super) fn handshake(head: &Parts, origins: &Origins) -> Result<HeaderValue, Box<Answer>> {
    let fields = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let fields: Vec<_> = fields.collect();
    let http_1_1 = head.version == Version::HTTP_11;
    let accept = ws::check_request(head.method.as_str(), http_1_1, fields.iter().copied());
    let accept = accept.map_err(|fault| Box::new(refusal(fault)))?;
    if !allows(origins, &head.headers, host::site(head)) {
        let reason = "pages of this site may not open the WebSocket";
        return Err(Box::new(Answer::new(StatusCode::FORBIDDEN, reason)));
    }
    Ok(HeaderValue::from_str(&accept).expect("Base64 is fit for a header"))
}

/// What is agreed on about compression, and the field that says so, where it is on and the client
/// offers it.
pub(super) fn deflate(
    deflate: Option<Deflate>,
    headers: &HeaderMap,
) -> Option<(Agreed, HeaderValue)> {
    let values = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter();
    let offers = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let (agreed, answer) = Agreed::answer(deflate?, offers)?;
    Some((agreed, HeaderValue::from_str(&answer).expect("tokens are fit for a header")))
}

/// What the client is told, with the fields that belong to it.
fn refusal(fault: RequestFault) -> Answer {
    let status = StatusCode::from_u16(fault.status()).expect("a status");
    let mut answer = Answer::new(status, format!("this is the path of a WebSocket: {fault}"));
    for &(name, value) in fault.headers() {
        let name = HeaderName::try_from(name).expect("the name of a field");
        answer = answer.with(name, HeaderValue::from_static(value));
    }
    match fault {
        // its bytes would be taken for the next request
        RequestFault::Body => answer.closing(),
        _ => answer,
    }
}

/// The value of a header that is there once.
pub(super) fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    value.to_str().ok()
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
    fn compression_is_agreed_on_where_it_is_on_and_offered() {
        let mut headers = HeaderMap::new();
        assert_eq!(deflate(Some(Deflate::default()), &headers), None);
        let offers = "x-other; a=1, permessage-deflate; client_max_window_bits";
        headers.append(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(offers));
        assert_eq!(deflate(None, &headers), None);
        let (_, answer) = deflate(Some(Deflate::default()), &headers).expect("agreed on");
        let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        assert_eq!(answer, both);
        // a client of many words gets no answer of its own making
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static("a, \"b, c\""));
        assert_eq!(deflate(Some(Deflate::default()), &headers), None);
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, HeaderValue::from_static("http://plant"));
        headers.append(header::ORIGIN, HeaderValue::from_static("http://evil"));
        assert!(!allows(&Origins::Any, &headers, None));
    }
}
