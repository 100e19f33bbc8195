//! The close handshake, from either side, and what becomes of it when the peer does not play along.
//! Time is virtual.

use std::time::Duration;

use bytes::Buf;
use hat_core::protocol::Protocol;
use hat_core::ws::{Config, Connection, Error, Incoming, Role, SendError};
use hat_tests::pair::{GRAINS, Pair};

use crate::{CLOSE, FIN, PING, TEXT, closed, connection, frame, pair, read, read_as, text};

/// The payload of the peer's Close, that of the answer, and what the application sees.
type PeerCloses = (&'static [u8], &'static [u8], Option<u16>, &'static str);

const PEER_CLOSES: [PeerCloses; 5] = [
    (b"", b"", None, ""),
    (b"\x03\xe8", b"\x03\xe8", Some(1000), ""),
    (b"\x03\xe9bye", b"\x03\xe9", Some(1001), "bye"),
    (b"\x0f\xa0\xce\xba", b"\x0f\xa0", Some(4000), "κ"),
    (b"\x03\xf3", b"\x03\xf3", Some(1011), ""),
];

#[test]
fn the_peer_closes() {
    for (payload, answer, code, reason) in PEER_CLOSES {
        for grain in GRAINS {
            // what stands behind its Close is not looked at
            let stream = [frame(Role::Client, FIN | CLOSE, payload), vec![0xff; 3]].concat();
            let got = read_as(Role::Server, &stream, grain);
            assert_eq!(got.incoming, [closed(code, reason)]);
            assert_eq!(got.written, frame(Role::Server, FIN | CLOSE, answer));
            assert_eq!(got.error, Error::Closed);
        }
    }
}

#[test]
fn we_close() {
    for (payload, _, code, reason) in PEER_CLOSES {
        for grain in GRAINS {
            let mut server = connection(Role::Server, &Config::default());
            server.close_with(4999, "enough").expect("valid");
            assert!(!server.is_closed() && !server.is_open());
            // messages on their way are dropped, pings answered, as long as the peer has not closed
            let stream = [
                frame(Role::Client, FIN | TEXT, b"late"),
                frame(Role::Client, FIN | PING, b"?"),
                frame(Role::Client, FIN | CLOSE, payload),
            ]
            .concat();
            let got = read(&mut server, &stream, grain);
            assert_eq!(got.incoming, [closed(code, reason)]);
            let ours = frame(Role::Server, FIN | CLOSE, b"\x13\x87enough");
            assert_eq!(got.written, [ours, b"\x8a\x01?".to_vec()].concat());
            assert_eq!(got.error, Error::Closed);
            assert!(server.is_closed());
        }
    }
}

#[test]
fn either_side_or_both() {
    for grain in GRAINS {
        for (a, b) in [(true, false), (false, true), (true, true)] {
            let mut pair = pair(grain);
            pair.a.machine.send_text(&"last".into()).expect("room");
            if a {
                pair.a.machine.close();
            }
            if b {
                pair.b.machine.close();
            }
            pair.drive();
            let expected = if b { vec![] } else { vec![text("last")] };
            assert_eq!(pair.b.incoming, [expected, vec![closed(1000, "")]].concat());
            assert_eq!(pair.a.incoming, [closed(1000, "")]);
            assert_eq!((pair.a.error, pair.b.error), (Some(Error::Closed), Some(Error::Closed)));
        }
    }
}

#[test]
fn what_was_queued_is_written_before_the_close() {
    let mut pair = pair(7);
    let large = "x".repeat(100_000);
    pair.b.machine.send_text(&large.clone().into()).expect("room");
    pair.b.machine.close();
    pair.drive();
    assert_eq!(pair.a.take(), Incoming::Text(large.into()));
    assert_eq!(pair.a.take(), closed(1000, ""));
}

#[test]
fn a_peer_that_does_not_answer_our_close() {
    let mut pair = pair(usize::MAX);
    pair.b.stalled = true;
    pair.wait(Duration::from_secs(100));
    pair.a.machine.close();
    pair.wait(Duration::from_millis(4999));
    assert_eq!(pair.a.error, None);
    assert!(!pair.a.machine.is_closed());
    pair.wait(Duration::from_millis(1));
    assert_eq!(pair.a.error, Some(Error::CloseTimeout));
    assert!(pair.a.machine.is_closed());
    assert_eq!(pair.a.machine.deadline(), None);
}

#[test]
fn a_peer_that_goes_on_sending_does_not_hold_the_close_up() {
    let mut pair = pair(usize::MAX);
    pair.b.stalled = true;
    pair.a.machine.close();
    pair.drive();
    for _ in 0..6 {
        pair.wait(Duration::from_secs(1));
        pair.b.machine.send_text(&"more".into()).expect("room");
    }
    assert_eq!(pair.a.error, Some(Error::CloseTimeout));
    assert_eq!(pair.a.incoming, []);
}

/// A long queue over a slow line: the time runs from the last byte that went out.
#[test]
fn a_peer_that_reads_slowly_gets_all_before_the_close() {
    let mut server = connection(Role::Server, &Config::default());
    server.send_binary(&vec![7; 1000].into()).expect("room");
    server.close();
    let mut pair = Pair::new(server, connection(Role::Client, &Config::default()), usize::MAX);
    pair.b.stalled = true;
    let mut written = Vec::new();
    while pair.a.machine.tx().has_remaining() {
        pair.wait(Duration::from_secs(4));
        let count = pair.a.machine.queued().min(100);
        written.extend_from_slice(&pair.a.machine.tx().copy_to_bytes(count));
    }
    assert_eq!(pair.a.error, None);
    assert_eq!(read_as(Role::Client, &written, 7).incoming.last(), Some(&closed(1000, "")));
    // from here on the peer owes us its Close; that it pings, and reads the pongs, does not help it
    for _ in 0..5 {
        assert_eq!(pair.a.error, None);
        pair.a.feed(&frame(Role::Client, FIN | PING, b""), pair.now);
        pair.a.take_tx();
        pair.wait(Duration::from_secs(1));
    }
    assert_eq!(pair.a.error, Some(Error::CloseTimeout));
}

/// The peer closed, and does not read what we still have for it.
#[test]
fn a_peer_that_closes_and_does_not_read() {
    let mut server = connection(Role::Server, &Config::default());
    server.send_text(&"unread".into()).expect("room");
    let mut pair = Pair::new(server, connection(Role::Client, &Config::default()), usize::MAX);
    pair.b.stalled = true;
    let close = frame(Role::Client, FIN | CLOSE, b"");
    pair.a.feed(&close, pair.now);
    assert_eq!(pair.a.take(), closed(None, ""));
    assert_eq!(pair.a.machine.send_text(&"a".into()), Err(SendError::Closed));
    assert_eq!(pair.a.machine.deadline(), Some(pair.now + Duration::from_secs(5)));
    assert!(!pair.a.machine.is_closed(), "its answer is not written");
    assert!(pair.a.machine.tx().has_remaining());
    let now = pair.now + Duration::from_secs(5);
    assert_eq!(pair.a.machine.poll(&mut pair.a.rx, now), Err(Error::CloseTimeout));
}

#[test]
fn the_stream_ends_instead_of_a_close() {
    for (grain, cut) in GRAINS.into_iter().zip([0, 1, 3, 7, 8]) {
        let stream = &frame(Role::Client, FIN | TEXT, b"late")[..cut];
        let mut server = connection(Role::Server, &Config::default());
        server.close();
        assert_eq!(read(&mut server, stream, grain).error, Error::Closed);
        let lost = read_as(Role::Server, stream, grain).error;
        assert!(matches!(lost, Error::Lost | Error::Truncated { .. }), "{lost:?}");
    }
}

#[test]
fn what_a_close_cannot_carry() {
    let mut server = connection(Role::Server, &Config::default());
    assert_eq!(server.close_with(1005, ""), Err(SendError::CloseCode(1005)));
    let long = "x".repeat(124);
    assert_eq!(
        server.close_with(1000, &long),
        Err(SendError::ControlTooLong { size: 124, limit: 123 })
    );
    assert!(server.is_open() && server.queued() == 0);
    server.close_with(1000, &long[1..]).expect("fits");
    assert_eq!(server.queued(), 127);
    // closing again changes nothing
    server.close();
    assert_eq!(server.queued(), 127);
}

#[test]
fn a_close_in_the_handshake() {
    let at = hat_core::time::Instant::ORIGIN;
    let mut waiting = Connection::accept(Config::default(), at);
    waiting.close();
    assert!(waiting.is_closed());
    assert_eq!(read(&mut waiting, b"", 1).error, Error::Closed);

    let request = hat_core::ws::Request::new("a", "/");
    let mut client = Connection::connect(Config::default(), request, at).expect("fits");
    client.close();
    assert!(!client.is_closed(), "its request is on its way");
    assert_eq!(read(&mut client, b"", 1).error, Error::Closed);
}
