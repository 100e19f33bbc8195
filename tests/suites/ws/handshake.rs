//! The HTTP handshake: what either side takes, refuses, and cannot be made to send.

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{
    AnswerError, Config, Connection, Error, HandshakeFault, Incoming, Request, RequestError,
    RequestFault, Response, accept_key,
};
use hat_tests::pair::{GRAINS, Pair};

use crate::{read, text};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A request of the fewest lines, with one of them replaced (by its start) or one more.
fn request(change: &str) -> String {
    changed(
        &[
            "GET /ws HTTP/1.1",
            "Host: a",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ],
        change,
    )
}

/// `change` is `START` to leave a line out, `START => LINE` to replace one, or one more `LINE`.
fn changed(lines: &[&str], change: &str) -> String {
    let mut lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
    match change.split_once(" => ") {
        Some((start, line)) => {
            let index = lines.iter().position(|old| old.starts_with(start)).expect("a line");
            lines.remove(index);
            if !line.is_empty() {
                lines.insert(index, line.into());
            }
        }
        None if change.is_empty() => {}
        None => lines.push(change.into()),
    }
    lines.join("\r\n") + "\r\n\r\n"
}

fn server() -> Connection {
    Connection::accept(Config::default(), Instant::ORIGIN)
}

fn client(request: Request) -> Connection {
    Connection::connect(Config::default(), request, Instant::ORIGIN).expect("it can be sent")
}

#[test]
fn requests_that_are_taken() {
    let changes = [
        "",
        "Upgrade => upgrade: h2c, WebSocket",
        "Connection => CONNECTION: keep-alive,upgrade",
        "Connection => Connection: keep-alive\r\nConnection: Upgrade",
        "Host => host:   a  ",
        "Content-Length: 0",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ];
    for change in changes {
        for grain in GRAINS {
            let mut server = server();
            let incoming = decide(&mut server, request(change).as_bytes(), grain);
            assert_eq!(incoming.path, "/ws", "{change}");
            assert_eq!(incoming.host, "a", "{change}");
            assert!(incoming.headers.is_empty(), "{incoming:?}");
            server.confirm(&Response::default()).expect("it waits");
            let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
            assert_eq!(server.tx().chunk(), expected.as_bytes(), "no extension is taken");
        }
    }
}

/// A target that is a whole URI (RFC 6455 section 4.2.1), which names the host in place of `Host`
/// (RFC 9112 section 3.2.2).
#[test]
fn targets_in_absolute_form() {
    for (target, host, path) in [
        ("http://plant.example/ws", "plant.example", "/ws"),
        ("HTTPS://plant.example:8080/ws?user=1", "plant.example:8080", "/ws?user=1"),
        ("http://[::1]:80", "[::1]:80", "/"),
        ("http://plant.example?user=a@b", "plant.example", "/?user=a@b"),
    ] {
        for grain in GRAINS {
            let stream = request(&format!("GET => GET {target} HTTP/1.1"));
            let incoming = decide(&mut server(), stream.as_bytes(), grain);
            assert_eq!((&*incoming.host, &*incoming.path), (host, path), "{target}");
        }
        // it is to be there all the same
        let stream = request(&format!("GET => GET {target} HTTP/1.1")).replace("Host: a\r\n", "");
        let error = read(&mut server(), stream.as_bytes(), usize::MAX).error;
        assert_eq!(error, Error::Request(RequestFault::Host));
    }
}

/// Gives a server a request, and the request that it gives to the application.
fn decide(server: &mut Connection, stream: &[u8], grain: usize) -> Request {
    let mut rx = RecvBuf::new();
    for piece in stream.chunks(grain.min(stream.len())) {
        rx.feed(piece);
        let polled = server.poll(&mut rx, Instant::ORIGIN);
        if let Ok(Polled::Incoming(Incoming::Request(request))) = polled {
            return *request;
        }
    }
    panic!("no request")
}

#[test]
fn requests_that_are_refused() {
    let table = [
        ("GET => POST /ws HTTP/1.1", RequestFault::Method, "405 Method Not Allowed"),
        ("GET => GET /ws HTTP/1.0", RequestFault::HttpVersion, "505 HTTP Version Not Supported"),
        ("GET => GET /ws HTTP/2.0", RequestFault::HttpVersion, "505 HTTP Version Not Supported"),
        ("GET => GET http:///ws HTTP/1.1", RequestFault::Target, "400 Bad Request"),
        ("GET => GET http://?x HTTP/1.1", RequestFault::Target, "400 Bad Request"),
        ("GET => GET http:/ws HTTP/1.1", RequestFault::Target, "400 Bad Request"),
        ("GET => GET http://user@a/ws HTTP/1.1", RequestFault::Target, "400 Bad Request"),
        ("GET => GET http://a/ws#x HTTP/1.1", RequestFault::Target, "400 Bad Request"),
        ("GET => GET ftp://a/ws HTTP/1.1", RequestFault::Target, "400 Bad Request"),
        ("GET => GET a:80 HTTP/1.1", RequestFault::Target, "400 Bad Request"),
        ("GET => GET * HTTP/1.1", RequestFault::Target, "400 Bad Request"),
        ("GET => hello", RequestFault::NotHttp, "400 Bad Request"),
        ("GET => \u{16}\u{3}\u{1}", RequestFault::NotHttp, "400 Bad Request"),
        ("Host => ", RequestFault::Host, "400 Bad Request"),
        ("Host: b", RequestFault::Host, "400 Bad Request"),
        ("Content-Length: 5", RequestFault::Body, "400 Bad Request"),
        ("Transfer-Encoding: chunked", RequestFault::Body, "400 Bad Request"),
        ("Upgrade => ", RequestFault::NoUpgrade, "426 Upgrade Required"),
        ("Upgrade => Upgrade: h2c", RequestFault::NoUpgrade, "426 Upgrade Required"),
        ("Connection => Connection: close", RequestFault::NoUpgrade, "426 Upgrade Required"),
        (
            "Sec-WebSocket-Version => Sec-WebSocket-Version: 8",
            RequestFault::Version,
            "426 Upgrade Required",
        ),
        ("Sec-WebSocket-Version => ", RequestFault::Version, "426 Upgrade Required"),
        ("Sec-WebSocket-Key => ", RequestFault::Key, "400 Bad Request"),
        ("Sec-WebSocket-Key => Sec-WebSocket-Key: short", RequestFault::Key, "400 Bad Request"),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", RequestFault::Key, "400 Bad Request"),
        ("X: a\0b", RequestFault::NotHttp, "400 Bad Request"),
    ];
    for (change, fault, status) in table {
        for grain in GRAINS {
            let got = read(&mut server(), request(change).as_bytes(), grain);
            assert_eq!(got.error, Error::Request(fault), "{change}");
            let written = String::from_utf8(got.written).expect("ASCII");
            assert!(
                written.starts_with(&format!("HTTP/1.1 {status}\r\nConnection: close\r\n")),
                "{written}"
            );
            let version = written.contains("\r\nSec-WebSocket-Version: 13\r\n");
            assert_eq!(version, fault.status() == 426);
            assert_eq!(written.contains("\r\nAllow: GET\r\n"), fault == RequestFault::Method);
        }
    }
}

#[test]
fn heads_over_the_limits() {
    let long = request(&format!("Cookie: {}", "x".repeat(16 * 1024)));
    let many = request(&["X: a"; 100].join("\r\n"));
    for grain in [1, 7, usize::MAX] {
        let got = read(&mut server(), long.as_bytes(), grain);
        assert_eq!(got.error, Error::Request(RequestFault::TooLarge { limit: 16384 }));
        assert!(got.written.starts_with(b"HTTP/1.1 431 Request Header Fields Too Large\r\n"));
        if grain == 1 {
            assert_eq!(got.taken, 16384);
        }
        let got = read(&mut server(), many.as_bytes(), grain);
        assert_eq!(got.error, Error::Request(RequestFault::TooManyHeaders { limit: 100 }));

        let got = read(&mut client(Request::new("a", "/")), long.as_bytes(), grain);
        assert_eq!(got.error, Error::Handshake(HandshakeFault::TooLarge { limit: 16384 }));
        let many = many.replace("GET /ws HTTP/1.1", "HTTP/1.1 101 X");
        let got = read(&mut client(Request::new("a", "/")), many.as_bytes(), grain);
        assert_eq!(got.error, Error::Handshake(HandshakeFault::TooManyHeaders { limit: 100 }));
    }
}

/// A head without its end, and none at all.
#[test]
fn the_stream_ends_in_the_handshake() {
    for stream in ["", "G", "GET /ws HTTP/1.1\r\nHost: a\r\n"] {
        assert_eq!(read(&mut server(), stream.as_bytes(), 1).error, Error::ClosedDuringHandshake);
        let mut client = client(Request::new("a", "/"));
        assert_eq!(read(&mut client, stream.as_bytes(), 1).error, Error::ClosedDuringHandshake);
    }
}

/// A response to `client`, whose key it reads.
fn response(client: &mut Connection, change: &str) -> String {
    let written = String::from_utf8(client.tx().chunk().to_vec()).expect("ASCII");
    let key =
        written.split("Key: ").nth(1).and_then(|rest| rest.split("\r\n").next()).expect("a key");
    let accept = format!("Sec-WebSocket-Accept: {}", accept_key(key).expect("a key"));
    let lines =
        ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", &accept];
    changed(&lines, change)
}

#[test]
fn responses_that_are_taken() {
    let table = [
        ("", None, 0),
        ("HTTP => HTTP/1.1 101 ", None, 0),
        ("Upgrade => UPGRADE: WebSocket", None, 0),
        ("Connection => connection: keep-alive, upgrade", None, 0),
        ("Sec-WebSocket-Protocol: b", Some("b"), 0),
        ("Set-Cookie: a=b", None, 1),
    ];
    for (change, subprotocol, headers) in table {
        for grain in GRAINS {
            let request =
                Request { subprotocols: vec!["a".into(), "b".into()], ..Request::new("a", "/") };
            let mut client = client(request);
            // frames may stand right behind the head
            let stream = response(&mut client, change) + "\x01\x01";
            let stream = [stream.as_bytes(), b"a\x80\x01b"].concat();
            let got = read(&mut client, &stream, grain);
            let [Incoming::Open(response), message] = &got.incoming[..] else {
                panic!("{change}: {got:?}")
            };
            assert_eq!(response.subprotocol.as_deref(), subprotocol);
            assert_eq!(response.headers.len(), headers);
            assert_eq!(*message, text("ab"));
        }
    }
}

#[test]
fn responses_that_are_wrong() {
    let table = [
        ("HTTP => HTTP/1.0 101 Switching Protocols", HandshakeFault::NotHttp),
        ("HTTP => SSH-2.0-OpenSSH_9.2", HandshakeFault::NotHttp),
        ("Upgrade => ", HandshakeFault::NoUpgrade),
        ("Upgrade => Upgrade: h2c", HandshakeFault::NoUpgrade),
        ("Connection => Connection: keep-alive", HandshakeFault::NoUpgrade),
        ("Sec-WebSocket-Accept => ", HandshakeFault::Accept),
        (
            "Sec-WebSocket-Accept => Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            HandshakeFault::Accept,
        ),
        ("Sec-WebSocket-Extensions: permessage-deflate", HandshakeFault::Extension),
        ("Sec-WebSocket-Protocol: c", HandshakeFault::Subprotocol("c".into())),
        ("Sec-WebSocket-Protocol: a, b", HandshakeFault::Subprotocol("a, b".into())),
    ];
    for (change, fault) in table {
        for grain in GRAINS {
            let request =
                Request { subprotocols: vec!["a".into(), "b".into()], ..Request::new("a", "/") };
            let mut client = client(request);
            let stream = response(&mut client, change);
            let got = read(&mut client, stream.as_bytes(), grain);
            assert_eq!(got.error, Error::Handshake(fault.clone()), "{change}");
            assert!(got.incoming.is_empty());
        }
    }
}

#[test]
fn refusals_name_the_status() {
    let table = [
        ("HTTP/1.1 401 Unauthorized", "the server refused the WebSocket: 401 Unauthorized"),
        ("HTTP/1.1 403 Forbidden", "the server refused the WebSocket: 403 Forbidden"),
        ("HTTP/1.0 404 Not Found", "the server refused the WebSocket: 404 Not Found"),
        ("HTTP/1.1 200 OK", "the server refused the WebSocket: 200 OK"),
        ("HTTP/1.1 503", "the server refused the WebSocket: 503"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://b/ws",
            "the server refused the WebSocket: 302 Found, see http://b/ws",
        ),
    ];
    for (head, message) in table {
        for grain in GRAINS {
            let stream = format!("{head}\r\n\r\nsome body");
            let got = read(&mut client(Request::new("a", "/")), stream.as_bytes(), grain);
            assert_eq!(got.error.to_string(), message);
        }
    }
}

#[test]
fn the_application_decides() {
    for grain in GRAINS {
        let request = Request {
            headers: vec![("Authorization".into(), "Basic dTpw".into())],
            ..Request::new("a", "/ws?x=1")
        };
        let mut pair = Pair::new(client(request.clone()), server(), grain);
        pair.drive();
        assert_eq!(pair.b.take(), Incoming::Request(Box::new(request)));
        let wrong = Response { subprotocol: Some("x".into()), ..Response::default() };
        assert_eq!(pair.b.machine.confirm(&wrong), Err(AnswerError::Subprotocol("x".into())));
        assert_eq!(pair.b.machine.refuse(200, &[], ""), Err(AnswerError::Status(200)));
        let split = [("X".into(), "a\r\nb".into())];
        assert!(matches!(pair.b.machine.refuse(401, &split, ""), Err(AnswerError::Header { .. })));
        let basic = [("WWW-Authenticate".into(), "Basic realm=\"plant\"".into())];
        pair.b.machine.refuse(401, &basic, "Who are you?").expect("it waits");
        assert_eq!(pair.b.machine.confirm(&Response::default()), Err(AnswerError::NotWaiting));
        let head = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Length: 12\r\nWWW-Authenticate: Basic realm=\"plant\"\r\n\r\nWho are you?";
        assert_eq!(pair.b.machine.tx().chunk(), head.as_bytes());
        pair.drive();
        assert_eq!(pair.b.error, Some(Error::RequestRefused { status: 401 }));
        let refused = Error::Refused { status: 401, reason: "Unauthorized".into(), location: None };
        assert_eq!(pair.a.error, Some(refused));
    }
}

#[test]
fn a_server_that_closes_while_it_decides_says_so() {
    let mut pair = Pair::new(client(Request::new("a", "/")), server(), usize::MAX);
    pair.drive();
    pair.b.machine.close();
    pair.drive();
    assert_eq!(pair.b.error, Some(Error::Closed));
    assert!(matches!(pair.a.error, Some(Error::Refused { status: 503, .. })), "{:?}", pair.a.error);
}

#[test]
fn requests_that_http_cannot_carry() {
    let connect =
        |request| Connection::connect(Config::default(), request, Instant::ORIGIN).map(drop);
    for host in ["", "a b", "a\r\nX: y"] {
        let expected = Err(RequestError::Host(host.into()));
        assert_eq!(connect(Request::new(host, "/")), expected);
    }
    for path in ["", "ws", "/a b", "/a\r\nX: y", "/κ", "/a#b"] {
        let expected = Err(RequestError::Path(path.into()));
        assert_eq!(connect(Request::new("a", path)), expected);
    }
    for (name, value, reserved) in
        [("X", "a\r\nY: b", false), ("X Y", "", false), ("sec-websocket-key", KEY, true)]
    {
        let headers = vec![(name.into(), value.into())];
        let expected = Err(RequestError::Header { name: name.into(), reserved });
        assert_eq!(connect(Request { headers, ..Request::new("a", "/") }), expected);
    }
    for subprotocols in [vec!["a b".into()], vec!["a".into(), "a".into()], vec!["".into()]] {
        let wrong = subprotocols.last().cloned().expect("one");
        let request = Request { subprotocols, ..Request::new("a", "/") };
        assert_eq!(connect(request), Err(RequestError::Subprotocol(wrong)));
    }
}

#[test]
fn values_that_are_not_utf8_are_latin_1() {
    let mut stream = request("X: caf").into_bytes();
    stream.truncate(stream.len() - 4);
    stream.extend(b"\xe9\r\n\r\n");
    assert_eq!(decide(&mut server(), &stream, 1).header("x"), Some("caf\u{e9}"));
}
