//! Decisions, as a table: the head of a request as it stands on the wire, and what is decided.

use http::{Request, StatusCode, Version};

use super::*;

fn rules() -> Rules {
    Rules {
        ws_path: Some("/ws".into()),
        index_path: Some(HeaderValue::from_static("./index.html")),
        hosts: None,
        origins: Origins::Same,
        routes: false,
        body_size: 1000,
    }
}

/// The head of a request: the first line, then headers, as on the wire. `Host: plant` unless a
/// `Host` is among them.
fn head(text: &str) -> Parts {
    let mut lines = text.lines();
    let mut line = lines.next().expect("a first line").split(' ');
    let mut request = Request::builder()
        .method(line.next().expect("a method"))
        .uri(line.next().expect("a path"))
        .version(if line.next() == Some("HTTP/1.0") { Version::HTTP_10 } else { Version::HTTP_11 });
    if !text.contains("Host:") {
        request = request.header("Host", "plant");
    }
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        if name != "Host" || !value.is_empty() {
            request = request.header(name, value);
        }
    }
    request.body(()).expect("a request").into_parts().0
}

/// A decision in a few words.
fn decided(text: &str, rules: &Rules, access: &Access) -> String {
    let short = |answer: Answer| {
        let mut text = answer.status.as_u16().to_string();
        for (name, value) in &answer.headers {
            text += &format!(" {name}={}", value.to_str().expect("text"));
        }
        text
    };
    match decide(&head(text), rules, access) {
        Decision::Answer(answer) => short(answer),
        Decision::WebSocket(accept) => format!("websocket {}", accept.to_str().expect("text")),
        Decision::File(path) => format!("file {}", path.as_str()),
        Decision::Routes(Otherwise::Answer(answer)) => format!("routes, or {}", short(answer)),
        Decision::Routes(Otherwise::File(path)) => format!("routes, or file {}", path.as_str()),
    }
}

const UPGRADE: &str = "GET /ws HTTP/1.1\nUpgrade: websocket\nConnection: keep-alive, Upgrade\n\
    Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

#[test]
fn paths_and_methods() {
    for (request, expected) in [
        ("GET / HTTP/1.1", "302 location=./index.html"),
        ("HEAD / HTTP/1.1", "302 location=./index.html"),
        ("POST / HTTP/1.1", "405 allow=GET, HEAD"),
        ("GET /index.html HTTP/1.1", "file index.html"),
        ("GET /index.html?x=/../y HTTP/1.1", "file index.html"),
        ("GET http://plant/index.html HTTP/1.1", "file index.html"),
        ("HEAD /a/b HTTP/1.1", "file a/b"),
        ("GET /a/ HTTP/1.1", "404"),
        ("GET /%2e%2e/x HTTP/1.1", "404"),
        ("POST /index.html HTTP/1.1", "405 allow=GET, HEAD"),
        ("PUT /%2e%2e/x HTTP/1.1", "405 allow=GET, HEAD"),
        ("TRACE /index.html HTTP/1.1", "405 allow=GET, HEAD"),
        ("OPTIONS * HTTP/1.1", "405 allow=GET, HEAD"),
        ("CONNECT elsewhere:80 HTTP/1.1", "405 allow=GET, HEAD"),
        ("get /index.html HTTP/1.1", "405 allow=GET, HEAD"),
        ("GET /index.html HTTP/1.0\nHost: ", "file index.html"),
        ("GET /index.html HTTP/1.1\nHost: ", "400 connection=close"),
        ("GET /index.html HTTP/1.1\nHost: a\nHost: b", "400 connection=close"),
        ("GET /index.html HTTP/1.1\nHost: a b", "400 connection=close"),
        ("GET /index.html HTTP/1.1\nHost: ssl+sbs://plant:80", "400 connection=close"),
        ("GET http://user@plant/index.html HTTP/1.1", "400 connection=close"),
    ] {
        assert_eq!(decided(request, &rules(), &Access::Open), expected, "{request}");
    }
}

#[test]
fn without_an_index_the_root_is_a_folder() {
    let rules = Rules { index_path: None, ..rules() };
    assert_eq!(decided("GET / HTTP/1.1", &rules, &Access::Open), "404");
}

#[test]
fn passwords_come_before_all_else() {
    let unauthorized = "401 www-authenticate=Basic realm=\"hat\", charset=\"UTF-8\"";
    for request in ["GET / HTTP/1.1", "GET /none HTTP/1.1", "POST /x HTTP/1.1", UPGRADE] {
        assert_eq!(decided(request, &rules(), &Access::Denied), unauthorized);
        for access in [Access::Unavailable, Access::Busy] {
            assert_eq!(decided(request, &rules(), &access), "503 retry-after=1");
        }
    }
    let user = Access::User("ana".into());
    assert_eq!(decided("GET /x HTTP/1.1", &rules(), &user), "file x");
}

#[test]
fn upgrades() {
    let accepted = "websocket s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    let required = "426 upgrade=websocket connection=Upgrade sec-websocket-version=13";
    for (request, expected) in [
        (UPGRADE.to_owned(), accepted),
        (UPGRADE.replace("Upgrade: websocket", "UPGRADE: h2c, WebSocket"), accepted),
        (UPGRADE.replace("/ws", "/ws?token=1"), accepted),
        (UPGRADE.replace("/ws", "/other"), "file other"),
        (UPGRADE.replace("GET", "POST"), "405 allow=GET"),
        (UPGRADE.replace("HTTP/1.1", "HTTP/1.0"), "505"),
        ("GET /ws HTTP/1.1".to_owned(), required),
        (UPGRADE.replace("Upgrade: websocket", "Upgrade: h2c"), required),
        (UPGRADE.replace("Version: 13", "Version: 8"), required),
        (UPGRADE.replace("Version: 13", "Version: 13\nSec-WebSocket-Version: 8"), required),
        (UPGRADE.replace("keep-alive, Upgrade", "keep-alive"), required),
        (UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), "400"),
        (UPGRADE.replace("dGhlIHNhbXBsZSBub25jZQ==", "not Base64"), "400"),
        (UPGRADE.replace("Sec-WebSocket-Key", "X-Key"), "400"),
        (format!("{UPGRADE}\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), "400"),
        (format!("{UPGRADE}\nContent-Length: 0"), accepted),
        (format!("{UPGRADE}\nContent-Length: 5"), "400 connection=close"),
        (format!("{UPGRADE}\nTransfer-Encoding: chunked"), "400 connection=close"),
        (format!("{UPGRADE}\nOrigin: http://plant"), accepted),
        (format!("{UPGRADE}\nOrigin: http://elsewhere"), "403"),
        // an absolute target is what counts, and not `Host`
        (format!("{UPGRADE}\nOrigin: http://other").replace("/ws", "http://other/ws"), accepted),
        (format!("{UPGRADE}\nOrigin: http://plant").replace("/ws", "http://other/ws"), "403"),
    ] {
        assert_eq!(decided(&request, &rules(), &Access::Open), expected, "{request}");
    }
    let rules = Rules { ws_path: None, ..rules() };
    assert_eq!(decided(UPGRADE, &rules, &Access::Open), "file ws");
}

/// A server that is a machine reads the same head, and says the same to it.
#[test]
fn the_machine_answers_as_the_web_server_does() {
    use hat_core::buffer::RecvBuf;
    use hat_core::protocol::Protocol;
    use hat_core::time::Instant;
    use hat_core::ws::{Config, Connection, Response};

    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let mut differ = Vec::new();
    for request in [
        UPGRADE.to_owned(),
        UPGRADE.replace("GET", "POST"),
        UPGRADE.replace("HTTP/1.1", "HTTP/1.0"),
        UPGRADE.replace("Upgrade: websocket", "Upgrade: h2c"),
        UPGRADE.replace("Upgrade: websocket", "UPGRADE: h2c, WebSocket"),
        UPGRADE.replace("keep-alive, Upgrade", "keep-alive"),
        UPGRADE.replace("Version: 13", "Version: 8"),
        UPGRADE.replace("Version: 13", "Version: 13\nSec-WebSocket-Version: 13"),
        UPGRADE.replace(key, "dGhl"),
        UPGRADE.replace("Sec-WebSocket-Key", "X-Key"),
        format!("{UPGRADE}\nSec-WebSocket-Key: {key}"),
        format!("{UPGRADE}\nContent-Length: 0"),
        format!("{UPGRADE}\nContent-Length: 5"),
        format!("{UPGRADE}\nTransfer-Encoding: chunked"),
        format!("{UPGRADE}\nHost: a\nHost: b"),
        "GET /ws HTTP/1.1".to_owned(),
    ] {
        let mut machine = Connection::accept(Config::default(), Instant::ORIGIN);
        let host = if request.contains("Host:") { "" } else { "\nHost: plant" };
        let mut rx = RecvBuf::new();
        rx.feed(format!("{request}{host}\n\n").replace('\n', "\r\n").as_bytes());
        if machine.poll(&mut rx, Instant::ORIGIN).is_ok() {
            machine.confirm(&Response::default()).expect("a request to confirm");
        }
        let mut written = Vec::new();
        machine.tx().write_to(&mut written).expect("room");
        let written = String::from_utf8(written).expect("ASCII").to_ascii_lowercase();
        let status = written[9..12].to_owned();

        let ours = decided(&request, &rules(), &Access::Open);
        let ours = match ours.strip_prefix("websocket ") {
            Some(accept) => format!("101 sec-websocket-accept={accept}"),
            None => ours,
        };
        let fields = ours.split(' ').skip(1).filter_map(|field| field.split_once('='));
        // the machine closes whatever it refuses
        let fields = fields.filter(|&field| field != ("connection", "close"));
        let said = |(name, value): (&str, &str)| {
            written.contains(&format!("\r\n{name}: {value}\r\n").to_ascii_lowercase())
        };
        if ours[..3] != status || !fields.into_iter().all(said) {
            differ.push((request, ours, written));
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
}

#[test]
fn routes_come_before_files() {
    let rules = Rules { routes: true, ..rules() };
    for (request, expected) in [
        ("GET /x HTTP/1.1", "routes, or file x"),
        ("POST /x HTTP/1.1", "routes, or 405 allow=GET, HEAD"),
        ("GET /../x HTTP/1.1", "routes, or 404"),
        ("GET / HTTP/1.1", "302 location=./index.html"),
        ("GET /ws HTTP/1.1", "426 upgrade=websocket connection=Upgrade sec-websocket-version=13"),
        ("POST /x HTTP/1.1\nContent-Length: 1000", "routes, or 405 allow=GET, HEAD"),
        ("POST /x HTTP/1.1\nContent-Length: 1001", "413 connection=close"),
    ] {
        assert_eq!(decided(request, &rules, &Access::Open), expected, "{request}");
    }
}

/// A name server can give any name for this server's address: a page of that name would be one of
/// the same site.
#[test]
fn names_that_are_not_this_server_s() {
    let rules = Rules { hosts: Some(vec!["plant".into()]), ..rules() };
    for (request, expected) in [
        ("GET /x HTTP/1.1", "file x"),
        ("GET /x HTTP/1.1\nHost: PLANT:8080", "file x"),
        ("GET /x HTTP/1.1\nHost: localhost:8080", "file x"),
        ("GET /x HTTP/1.1\nHost: [::1]:8080", "file x"),
        ("GET /x HTTP/1.1\nHost: evil.example:8080", "421"),
        ("GET http://evil.example/x HTTP/1.1", "421"),
        ("GET http://plant/x HTTP/1.1\nHost: evil.example", "file x"),
        ("GET /x HTTP/1.0\nHost: ", "421"),
    ] {
        assert_eq!(decided(request, &rules, &Access::Open), expected, "{request}");
    }
    let rebound = UPGRADE.to_owned() + "\nHost: evil.example\nOrigin: http://evil.example";
    assert_eq!(decided(&rebound, &rules, &Access::Open), "421");
}

#[test]
fn answers_say_why() {
    let Decision::Answer(answer) = decide(&head("PUT /x HTTP/1.1"), &rules(), &Access::Open) else {
        panic!("decided otherwise")
    };
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.reason, "this path does not support the method");
}
