//! The bytes that RFC 6455 shows.

use bytes::Buf;
use bytestring::ByteString;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{Config, Connection, Incoming, Response, Role};
use hat_tests::pair::GRAINS;

use crate::{binary, connection, read, read_as, text};

/// Section 1.2, with the key of section 1.3.
const REQUEST: &str = "GET /chat HTTP/1.1\r\n\
    Host: server.example.com\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Origin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// Section 1.2.
const RESPONSE: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: chat\r\n\r\n";

#[test]
fn opening_handshake() {
    for grain in GRAINS {
        let mut server = Connection::accept(Config::default(), Instant::ORIGIN);
        let mut rx = hat_core::buffer::RecvBuf::new();
        let mut polled = Polled::Needs(2);
        for piece in REQUEST.as_bytes().chunks(grain.min(REQUEST.len())) {
            assert!(polled.missing() > 0, "{polled:?}");
            rx.feed(piece);
            polled = server.poll(&mut rx, Instant::ORIGIN).expect("a request");
        }
        let Polled::Incoming(Incoming::Request(request)) = polled else { panic!("{polled:?}") };
        assert_eq!(request.host, "server.example.com");
        assert_eq!(request.path, "/chat");
        assert_eq!(request.headers, [("Origin".into(), "http://example.com".into())]);
        assert_eq!(request.header("origin"), Some("http://example.com"));
        assert_eq!(request.subprotocols, ["chat", "superchat"]);
        let polled = server.poll(&mut rx, Instant::ORIGIN).expect("no error");
        assert_eq!(polled, Polled::HeldUp, "nothing is read while the application decides");

        let response = Response { subprotocol: Some("chat".into()), headers: vec![] };
        server.confirm(&response).expect("it waits");
        assert_eq!(server.tx().chunk(), RESPONSE.as_bytes());
        assert!(server.is_open());
    }
}

/// Section 5.7, and what each of them is.
const FRAMES: [(&[u8], Role); 5] = [
    (b"\x81\x05\x48\x65\x6c\x6c\x6f", Role::Server),
    (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Role::Client),
    (b"\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", Role::Server),
    (b"\x89\x05\x48\x65\x6c\x6c\x6f", Role::Server),
    (b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", Role::Client),
];

#[test]
fn hello() {
    let expected = [
        Some(text("Hello")),
        Some(text("Hello")),
        Some(text("Hello")),
        None,
        Some(Incoming::Pong("Hello".into())),
    ];
    for ((bytes, from), expected) in FRAMES.into_iter().zip(expected) {
        for grain in GRAINS {
            let got = read_as(crate::other(from), bytes, grain);
            assert_eq!(got.incoming, Vec::from_iter(expected.clone()), "{bytes:x?}");
        }
    }
}

#[test]
fn a_ping_is_answered_with_its_bytes() {
    // the Pong of section 5.7 has another mask than ours has
    let got = read_as(Role::Server, b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 1);
    assert_eq!(got.written, b"\x8a\x05\x48\x65\x6c\x6c\x6f");
    let got = read_as(Role::Client, FRAMES[3].0, 1);
    assert_eq!(got.written[..2], [0x8a, 0x85]);
    let back = read_as(Role::Server, &got.written, 1);
    assert_eq!(back.incoming, [Incoming::Pong("Hello".into())]);
}

#[test]
fn the_longer_lengths() {
    let small: Vec<u8> = (0..=255).collect();
    let large = vec![7; 65536];
    for grain in [1, 7, usize::MAX] {
        let stream = [b"\x82\x7e\x01\x00", &small[..]].concat();
        assert_eq!(read_as(Role::Client, &stream, grain).incoming, [binary(&small)]);
        let stream = [b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", &large[..]].concat();
        assert_eq!(read_as(Role::Client, &stream, grain).incoming, [binary(&large)]);
    }
}

#[test]
fn what_a_server_writes() {
    let mut server = connection(Role::Server, &Config::default());
    server.send_text(&ByteString::from_static("Hello")).expect("room");
    server.send_binary(&vec![7; 256].into()).expect("room");
    server.ping(b"Hello").expect("room");
    server.close();
    let expected =
        [FRAMES[0].0, b"\x82\x7e\x01\x00", &[7; 256], FRAMES[3].0, b"\x88\x02\x03\xe8"].concat();
    assert_eq!(read(&mut server, b"", 1).written, expected);
}

#[test]
fn what_a_client_asks_for() {
    let request = hat_core::ws::Request {
        headers: vec![("Origin".into(), "http://example.com".into())],
        subprotocols: vec!["chat".into(), "superchat".into()],
        ..hat_core::ws::Request::new("server.example.com", "/chat")
    };
    let mut client =
        Connection::connect(Config::default(), request, Instant::ORIGIN).expect("fits");
    let written = String::from_utf8(client.tx().chunk().to_vec()).expect("ASCII");
    let key = written.split("Key: ").nth(1).expect("a key").split("\r\n").next().expect("a line");
    assert!(hat_core::ws::accept_key(key).is_some(), "{key}");
    let expected = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: KEY\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, superchat\r\n\
        Origin: http://example.com\r\n\r\n";
    assert_eq!(written, expected.replace("KEY", key));
}
