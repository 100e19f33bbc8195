//! Messages both ways, whole and in fragments, with control frames between.

use bytes::{Buf, Bytes};
use bytestring::ByteString;
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{Config, Connection, Error, Incoming, Role, SendError};
use hat_tests::pair::GRAINS;

use crate::{
    BINARY, CONTINUATION, FIN, PING, PONG, TEXT, binary, connection, frame, pair, read_as, text,
};

#[test]
fn both_ways_at_once() {
    for grain in GRAINS {
        let mut pair = pair(grain);
        let large = Bytes::from((0..100_000).map(|n| n as u8).collect::<Vec<_>>());
        pair.a.machine.send_text(&"κόσμε".into()).expect("room");
        pair.a.machine.send_binary(&large).expect("room");
        pair.a.machine.send_text(&"".into()).expect("room");
        pair.b.machine.send_binary(&Bytes::new()).expect("room");
        pair.b.machine.send_binary(&large).expect("room");
        pair.b.machine.ping(b"there?").expect("room");
        pair.drive();
        let of = |incoming: &mut dyn Iterator<Item = Incoming>| incoming.collect::<Vec<_>>();
        assert_eq!(
            of(&mut pair.b.incoming.drain(..)),
            [text("κόσμε"), binary(&large), text(""), Incoming::Pong("there?".into())]
        );
        assert_eq!(of(&mut pair.a.incoming.drain(..)), [binary(b""), binary(&large)]);
    }
}

#[test]
fn fragments_with_control_frames_between() {
    let of = |first, payload: &[u8]| frame(Role::Client, first, payload);
    let stream = [
        of(TEXT, "κό".as_bytes()),
        of(FIN | PING, b"1"),
        of(CONTINUATION, b""),
        of(FIN | PONG, b"unasked"),
        of(CONTINUATION, &"σ".as_bytes()[..1]),
        of(FIN | PING, b"2"),
        of(FIN | CONTINUATION, &"σμε".as_bytes()[1..]),
        of(BINARY, b""),
        of(CONTINUATION, b"\xff"),
        of(FIN | CONTINUATION, b""),
        of(FIN | TEXT, b"next"),
    ]
    .concat();
    for grain in GRAINS {
        let got = read_as(Role::Server, &stream, grain);
        assert_eq!(
            got.incoming,
            [Incoming::Pong("unasked".into()), text("κόσμε"), binary(b"\xff"), text("next")]
        );
        assert_eq!(got.written, b"\x8a\x011\x8a\x012");
        assert_eq!(got.error, Error::Lost);
    }
}

#[test]
fn the_end_of_the_stream() {
    let stream = frame(Role::Client, FIN | BINARY, b"abc");
    for cut in 0..stream.len() {
        let expected = match cut {
            0 => Error::Lost,
            1 => Error::Truncated { have: 1, need: 2 },
            header @ 2..=5 => Error::Truncated { have: header, need: 6 },
            payload => Error::Truncated { have: payload - 6, need: 3 },
        };
        assert_eq!(read_as(Role::Server, &stream[..cut], usize::MAX).error, expected);
    }
    // between two fragments
    assert_eq!(read_as(Role::Server, &frame(Role::Client, TEXT, b"a"), 1).error, Error::Lost);
}

/// A payload is a slice of what was read, unmasked in place.
#[test]
fn a_message_of_one_frame_is_not_copied() {
    let mut server = connection(Role::Server, &Config::default());
    let mut rx = RecvBuf::new();
    rx.feed(&frame(Role::Client, FIN | BINARY, &[7; 5000]));
    let payload_at = rx.bytes[8..].as_ptr();
    let polled = server.poll(&mut rx, Instant::ORIGIN);
    let Ok(Polled::Incoming(Incoming::Binary(data))) = polled else { panic!() };
    assert_eq!(data, vec![7; 5000]);
    assert_eq!(data.as_ptr(), payload_at);
}

#[test]
fn a_server_queues_large_parts_by_reference() {
    let parts: [ByteString; 4] =
        ["[".into(), "1".repeat(5000).into(), ",".repeat(4500).into(), "]".into()];
    let mut server = connection(Role::Server, &Config::default());
    server.send_text_parts(&parts).expect("room");
    let mut written = Vec::new();
    let mut chunks = Vec::new();
    while server.tx().has_remaining() {
        let tx = server.tx();
        let chunk = tx.chunk();
        chunks.push(chunk.as_ptr());
        written.extend_from_slice(chunk);
        let len = chunk.len();
        tx.advance(len);
    }
    assert!(chunks.contains(&parts[1].as_ptr()) && chunks.contains(&parts[2].as_ptr()));
    assert_eq!(written, frame(Role::Server, FIN | TEXT, parts.concat().as_bytes()));
}

#[test]
fn parts_are_one_message_from_either_side() {
    let parts: [ByteString; 5] =
        ["a".into(), "".into(), "b".repeat(1023).into(), "κ".repeat(70_000).into(), "c".into()];
    for grain in GRAINS {
        let mut pair = pair(grain);
        pair.a.machine.send_text_parts(&parts).expect("room");
        pair.b.machine.send_text_parts(&parts).expect("room");
        pair.b.machine.send_text_parts(&[]).expect("room");
        pair.drive();
        assert_eq!(pair.b.take(), Incoming::Text(parts.concat().into()));
        assert_eq!(pair.a.take(), Incoming::Text(parts.concat().into()));
        assert_eq!(pair.a.take(), text(""));
    }
}

#[test]
fn masks_come_from_the_seed() {
    let written = |mask_seed| {
        let mut client = connection(Role::Client, &Config { mask_seed, ..Config::default() });
        client.send_text(&"Hello".into()).expect("room");
        client.send_text(&"Hello".into()).expect("room");
        let queued = client.tx().remaining();
        client.tx().copy_to_bytes(queued)
    };
    assert_eq!(written(1), written(1));
    assert_ne!(written(1), written(2));
    let twice = written(1);
    assert_ne!(twice[..11], twice[11..], "each frame has its own mask");
}

#[test]
fn before_the_handshake_and_after_the_end_nothing_is_sent() {
    let all = |connection: &mut Connection| {
        [
            connection.send_text(&"a".into()),
            connection.send_text_parts(&[]),
            connection.send_binary(&Bytes::new()),
            connection.ping(b""),
            connection.close_with(1000, ""),
        ]
    };
    let mut server = Connection::accept(Config::default(), Instant::ORIGIN);
    assert_eq!(all(&mut server), [Err(SendError::NotOpen); 5]);
    let mut server = connection(Role::Server, &Config::default());
    server.close();
    let queued = server.queued();
    assert_eq!(all(&mut server), [Err(SendError::Closed); 5]);
    assert_eq!(server.queued(), queued);
}
