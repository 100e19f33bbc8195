//! What is held against a limit, and when: before it is buffered.

use std::time::Duration;

use bytes::{Buf, Bytes};
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{Config, Connection, Error, Role, SendError, Violation};
use hat_tests::pair::{GRAINS, Pair};

use crate::{BINARY, CLOSE, CONTINUATION, FIN, PING, binary, connection, frame, pair, read};

/// A Close that says that a message is too large, and how large it may be.
fn too_big(reason: &str) -> Vec<u8> {
    frame(Role::Server, FIN | CLOSE, &[&1009_u16.to_be_bytes(), reason.as_bytes()].concat())
}

fn small() -> Config {
    Config { max_frame: 1000, max_message: 1500, max_queued: 2000, ..Config::default() }
}

#[test]
fn a_frame_over_the_limit_ends_by_its_header() {
    for (size, header) in [(1001_u64, 8), (1 << 40, 14), ((1 << 63) - 1, 14)] {
        let mut head = vec![FIN | BINARY];
        match u16::try_from(size) {
            Ok(middle) => {
                head.push(0x80 | 126);
                head.extend(middle.to_be_bytes());
            }
            Err(_) => {
                head.push(0x80 | 127);
                head.extend(size.to_be_bytes());
            }
        }
        head.extend([0; 4]);
        for grain in GRAINS {
            let got = read(&mut connection(Role::Server, &small()), &head, grain);
            assert_eq!(got.error, Error::Protocol(Violation::FrameTooLarge { size, limit: 1000 }));
            let reason = format!("a frame of {size} bytes, but the limit is 1000");
            assert_eq!(got.written, too_big(&reason));
            assert_eq!(got.taken, header);
        }
    }
}

#[test]
fn a_message_over_the_limit_ends_by_the_header_that_shows_it() {
    let first = frame(Role::Client, BINARY, &[1; 1000]);
    let fits = frame(Role::Client, FIN | CONTINUATION, &[2; 500]);
    let over = frame(Role::Client, CONTINUATION, &[2; 501]);
    for grain in GRAINS {
        let got =
            read(&mut connection(Role::Server, &small()), &[&first[..], &fits].concat(), grain);
        assert_eq!(got.incoming, [binary(&[&[1; 1000][..], &[2; 500]].concat())]);
        let stream = [&first[..], &over[..8]].concat();
        let got = read(&mut connection(Role::Server, &small()), &stream, grain);
        assert_eq!(
            got.error,
            Error::Protocol(Violation::MessageTooLarge { size: 1501, limit: 1500 })
        );
        let reason = "a message of at least 1501 bytes, but the limit is 1500";
        assert_eq!(got.written, too_big(reason));
    }
}

#[test]
fn what_is_asked_for_is_the_frame_and_no_more() {
    let mut server = connection(Role::Server, &Config::default());
    let mut rx = RecvBuf::new();
    let mut asked = |bytes: &[u8]| {
        rx.feed(bytes);
        server.poll(&mut rx, Instant::ORIGIN).expect("no error").missing()
    };
    assert_eq!(asked(b""), 2);
    assert_eq!(asked(b"\x82"), 1);
    assert_eq!(asked(b"\xfe"), 6);
    assert_eq!(asked(b"\x10\x00"), 4);
    assert_eq!(asked(b"\0\0\0\0"), 4096);
    assert_eq!(asked(&[7; 4095]), 1);
}

/// A frame, a message of several frames with a ping between them, a control frame: all have to be
/// complete in time.
#[test]
fn a_message_has_to_be_complete_in_time() {
    let second = Duration::from_secs(1);
    let config = Config { message_timeout: 20 * second, ..Config::default() };
    let whole = frame(Role::Client, FIN | BINARY, b"hello");
    let parts = [
        frame(Role::Client, BINARY, b"h"),
        frame(Role::Client, FIN | PING, b""),
        frame(Role::Client, FIN | CONTINUATION, b""),
    ];
    let ping = frame(Role::Client, FIN | PING, b"12345");
    let mut now = Instant::ORIGIN;
    let mut server = connection(Role::Server, &config);
    for stream in [&whole, &parts.concat(), &ping] {
        // a byte a second is just in time, again and again
        let mut rx = RecvBuf::new();
        for _ in 0..3 {
            for byte in stream {
                rx.feed(&[*byte]);
                while let Polled::Incoming(_) = server.poll(&mut rx, now).expect("in time") {}
                let count = server.tx().remaining();
                server.tx().advance(count);
                now += second;
            }
            assert_eq!(server.deadline(), None, "between messages there is no limit");
            now += 1000 * second;
        }
        // slower is not, and no byte has to come to find it out
        let mut slow = connection(Role::Server, &config);
        let mut rx = RecvBuf::new();
        let due = now + 20 * second;
        rx.feed(&stream[..1]);
        let _ = slow.poll(&mut rx, now).expect("in time");
        assert_eq!(slow.deadline(), Some(due));
        rx.feed(&stream[1..stream.len() - 1]);
        let just = now + (20 * second - Duration::from_nanos(1));
        let _ = slow.poll(&mut rx, just).expect("in time");
        assert_eq!(slow.deadline(), Some(due));
        let count = slow.tx().remaining();
        slow.tx().advance(count);
        assert_eq!(slow.poll(&mut rx, due), Err(Error::MessageTimeout));
        let left = slow.tx().remaining();
        let told = slow.tx().copy_to_bytes(left);
        assert_eq!(told, frame(Role::Server, FIN | CLOSE, &1008_u16.to_be_bytes()));
        assert_eq!(slow.deadline(), None);
    }
}

#[test]
fn a_full_queue_refuses_and_an_empty_one_takes_all() {
    let mut server = connection(Role::Server, &small());
    let large = Bytes::from(vec![0; 5000]);
    server.send_binary(&large).expect("an empty queue takes it");
    let full = Err(SendError::QueueFull { limit: 2000 });
    assert_eq!(server.send_binary(&Bytes::new()), full);
    assert_eq!(server.send_text(&"a".into()), full);
    assert_eq!(server.send_text_parts(&["a".into()]), full);
    assert_eq!(server.ping(b""), full);
    let queued = server.queued();
    server.tx().advance(queued);
    server.send_binary(&large).expect("room again");
    // the end goes out over a full queue
    server.close_with(1001, "").expect("room for a Close");
    assert_eq!(server.queued(), queued + 4);
}

#[test]
fn a_ping_holds_125_bytes() {
    let mut server = connection(Role::Server, &small());
    assert_eq!(server.ping(&[0; 126]), Err(SendError::ControlTooLong { size: 126, limit: 125 }));
    server.ping(&[0; 125]).expect("fits");
    assert_eq!(server.queued(), 127);
}

/// A peer that pings and never reads is stopped: no more of it is read once 16 pongs wait.
#[test]
fn pongs_that_nobody_reads_stop_the_reading() {
    let mut pair = pair(usize::MAX);
    for _ in 0..100 {
        pair.a.machine.ping(b"?").expect("room");
    }
    let pings = pair.a.take_tx();
    pair.b.feed(&pings, pair.now);
    assert_eq!(pair.b.machine.queued(), 16 * 3);
    assert_eq!(pair.b.missing, 0);
    assert_eq!(pair.b.rx.bytes.len(), 84 * 7);
    // one is written, one more ping is taken
    pair.b.machine.tx().advance(3);
    pair.b.feed(b"", pair.now);
    assert_eq!(pair.b.rx.bytes.len(), 83 * 7);
    pair.drive();
    assert_eq!(pair.a.incoming.len(), 99);
    assert!(pair.b.rx.bytes.is_empty() && pair.b.missing > 0);
}

/// Pongs go out over a queue that is full of messages.
#[test]
fn a_full_queue_stops_no_pong() {
    let mut server = connection(Role::Server, &small());
    server.send_binary(&vec![0; 5000].into()).expect("an empty queue takes it");
    let queued = server.queued();
    let mut pair = Pair::new(connection(Role::Client, &small()), server, 100);
    let ping = frame(Role::Client, FIN | PING, b"?");
    pair.b.feed(&ping, pair.now);
    assert_eq!(pair.b.machine.queued(), queued + 3);
}

#[test]
fn the_handshake_takes_ten_seconds() {
    let request = hat_core::ws::Request::new("a", "/");
    let client = Connection::connect(Config::default(), request, Instant::ORIGIN).expect("fits");
    let server = Connection::accept(Config::default(), Instant::ORIGIN);
    let mut pair = Pair::new(client, server, usize::MAX);
    // nothing comes: the request is lost
    pair.a.take_tx();
    pair.wait(Duration::from_millis(9999));
    assert_eq!((&pair.a.error, &pair.b.error), (&None, &None));
    pair.wait(Duration::from_millis(1));
    assert_eq!(pair.a.error, Some(Error::HandshakeTimeout));
    assert_eq!(pair.b.error, Some(Error::HandshakeTimeout));
    assert!(pair.b.take_tx().starts_with(b"HTTP/1.1 408 Request Timeout\r\n"));
}

/// While the application decides there is no limit.
#[test]
fn a_decision_takes_as_long_as_it_takes() {
    let request = hat_core::ws::Request::new("a", "/");
    let config = Config { handshake_timeout: Duration::from_secs(100), ..Config::default() };
    let client = Connection::connect(config, request, Instant::ORIGIN).expect("fits");
    let server = Connection::accept(Config::default(), Instant::ORIGIN);
    let mut pair = Pair::new(client, server, 7);
    pair.wait(Duration::from_secs(60));
    pair.b.take();
    pair.b.machine.confirm(&hat_core::ws::Response::default()).expect("it waits");
    pair.drive();
    assert!(pair.a.machine.is_open() && pair.b.machine.is_open());
    pair.wait(Duration::from_secs(3600));
    assert!(pair.a.machine.is_open() && pair.b.machine.is_open());
}
