//! Which site a request is for, and whether that is this server.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::request::Parts;
use http::{StatusCode, Version, header};

use super::answer::Answer;
use super::websocket::only;

/// The site that a request is for, `host:port`. An absolute target says it in place of `Host` (RFC
/// 9112, section 3.2.2).
pub(super) fn site(head: &Parts) -> Option<&str> {
    match head.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => only(&head.headers, header::HOST),
    }
}

/// Why a request is not answered, if its host is none, or none of `hosts`.
///
/// HTTP/1.1 wants one `Host`, exactly (RFC 9112, section 3.2): with none or two, a proxy and we may
/// not mean the same site. One that is not a host is refused for the same reason.
pub(super) fn check(head: &Parts, hosts: Option<&[String]>) -> Option<Answer> {
    let mut values = head.headers.get_all(header::HOST).iter();
    let (value, more) = (values.next(), values.next().is_some());
    if more {
        return Some(Answer::bad_request("there are several `Host` headers").closing());
    }
    if head.version == Version::HTTP_11 && value.is_none() {
        return Some(Answer::bad_request("the `Host` header is missing").closing());
    }
    // an empty one is that of a client whose target has no host
    let is_host = |text: &str| text.is_empty() || name(text).is_some();
    if value.is_some_and(|value| !value.to_str().is_ok_and(is_host)) {
        return Some(Answer::bad_request("the `Host` header is not a host").closing());
    }
    let site = site(head);
    if site.is_some_and(|site| !is_host(site)) {
        return Some(Answer::bad_request("the request target has no host").closing());
    }
    let allowed = |hosts: &[String]| site.and_then(name).is_some_and(|host| knows(hosts, host));
    if hosts.is_some_and(|hosts| !allowed(hosts)) {
        let reason = "this server does not go by this name: use its IP address, or see its log";
        return Some(Answer::new(StatusCode::MISDIRECTED_REQUEST, reason));
    }
    None
}

/// Whether `host` is among `hosts`, or one that no name server gives for an address of its choice.
fn knows(hosts: &[String], host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is = |name: &String| name.eq_ignore_ascii_case(host);
    host.starts_with('[')
        || host.parse::<Ipv4Addr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || hosts.iter().any(is)
}

/// The host of `host:port` (RFC 3986, section 3.2.2); `None` if it is none.
fn name(site: &str) -> Option<&str> {
    let end = match site.strip_prefix('[') {
        Some(rest) => {
            let len = rest.find(']')?;
            rest[..len].parse::<Ipv6Addr>().ok()?;
            len + 2
        }
        None => site.find(':').unwrap_or(site.len()),
    };
    let (host, port) = site.split_at(end);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte);
    (port && !host.is_empty() && (host.starts_with('[') || host.bytes().all(sign))).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_others() {
        for (site, expected) in [
            ("plant", Some("plant")),
            ("plant:8080", Some("plant")),
            ("plant:", Some("plant")),
            ("127.0.0.1:80", Some("127.0.0.1")),
            ("[::1]:80", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("", None),
            (":80", None),
            ("plant:80:80", None),
            ("plant:x", None),
            ("user@plant", None),
            ("plant/x", None),
            ("a b", None),
            ("a,b c", None),
            ("::1", None),
            ("[::1", None),
            ("[plant]", None),
            ("[::1]80", None),
            ("ssl+sbs://plant:80", None),
        ] {
            assert_eq!(name(site), expected, "{site}");
        }
    }

    #[test]
    fn names_of_this_server() {
        let hosts = ["Plant.example".to_owned()];
        for (host, expected) in [
            ("plant.example", true),
            ("plant.example.", true),
            ("localhost", true),
            ("192.168.1.1", true),
            ("[::1]", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
        ] {
            assert_eq!(knows(&hosts, host), expected, "{host}");
        }
    }
}
