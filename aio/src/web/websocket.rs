//! The server's side of the WebSocket handshake (RFC 6455, section 4.2), and whose pages may begin
//! it.

use bytestring::ByteString;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, Version};

use super::answer::Answer;
use super::host;
use super::options::Origins;
use hat_core::ws::{self, Agreement, Deflate, RequestFault};

/// The `Sec-WebSocket-Accept` for a request at the WebSocket's path, or why there is no WebSocket
/// for it: by the rules that the machine of a server has.
pub(super) fn handshake(head: &Parts, origins: &Origins) -> Result<HeaderValue, Box<Answer>> {
    let fields = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let fields: Vec<_> = fields.collect();
    let http_1_1 = head.version == Version::HTTP_11;
    let accept = ws::check_request(head.method.as_str(), http_1_1, fields.iter().copied());
    let accept = accept.map_err(|fault| Box::new(refusal(fault)))?;
    if !allows(origins, &head.headers, host::site(head)) {
        let reason = "pages of this origin may not open the WebSocket";
        return Err(Box::new(Answer::new(StatusCode::FORBIDDEN, reason)));
    }
    Ok(HeaderValue::from_str(&accept).expect("Base64 is fit for a header"))
}

/// What is agreed on beside the WebSocket, and the answer that says so.
pub(super) fn agree<B>(
    accept: HeaderValue,
    headers: &HeaderMap,
    subprotocols: &[ByteString],
    deflate: Option<Deflate>,
    nothing: B,
) -> (Response<B>, Agreement) {
    let fields = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let fields: Vec<_> = fields.collect();
    let agreement = Agreement::of(fields.iter().copied(), subprotocols, deflate);
    let mut response = Response::new(nothing);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    for (name, value) in agreement.headers() {
        // a subprotocol that was offered in a field is fit for one
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    (response, agreement)
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
    fn compression_and_a_subprotocol_are_agreed_on_where_they_are_ours_and_offered() {
        let accept = HeaderValue::from_static("x");
        let agree = |headers: &HeaderMap, deflate| {
            let ours = ["plant.v1".into()];
            let (response, agreement) = agree(accept.clone(), headers, &ours, deflate, ());
            let value = |name| response.headers().get(name).cloned();
            let extensions = value(header::SEC_WEBSOCKET_EXTENSIONS);
            assert_eq!(extensions.is_some(), agreement.deflate.is_some());
            (value(header::SEC_WEBSOCKET_PROTOCOL), extensions)
        };
        let mut headers = HeaderMap::new();
        assert_eq!(agree(&headers, Some(Deflate::default())), (None, None));
        let offers = "x-other; a=1, permessage-deflate; client_max_window_bits";
        headers.append(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(offers));
        headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("plant.v2"));
        headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("plant.v1"));
        let v1 = HeaderValue::from_static("plant.v1");
        assert_eq!(agree(&headers, None), (Some(v1.clone()), None));
        let (subprotocol, answer) = agree(&headers, Some(Deflate::default()));
        let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        assert_eq!((subprotocol, answer), (Some(v1), Some(HeaderValue::from_static(both))));
        // a client of many words gets no answer of its own making
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static("a, \"b, c\""));
        assert_eq!(agree(&headers, Some(Deflate::default())).1, None);
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, HeaderValue::from_static("http://plant"));
        headers.append(header::ORIGIN, HeaderValue::from_static("http://evil"));
        assert!(!allows(&Origins::Any, &headers, None));
    }
}
