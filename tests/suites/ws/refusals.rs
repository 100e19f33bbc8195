//! What a peer must not send, and the Close that it gets for it.

use hat_core::protocol::Protocol;
use hat_core::ws::{Config, Error, Role, Violation};
use hat_tests::pair::GRAINS;

use crate::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Read, TEXT, connection, frame, other, read,
    read_as, text,
};

/// A stream of a client, its violation, the code of the Close that answers it, and the bytes by
/// which it is known.
fn table() -> Vec<(Vec<u8>, Violation, u16, usize)> {
    let of = |first, payload: &[u8]| frame(Role::Client, first, payload);
    let (begun, header) = (of(TEXT, b"a"), 6);
    let behind = |more: Vec<u8>| [begun.clone(), more].concat();
    vec![
        (of(FIN | 0x40 | TEXT, b"a"), Violation::ReservedBits(4), 1002, 1),
        (of(FIN | 0x20 | TEXT, b"a"), Violation::ReservedBits(2), 1002, 1),
        (of(FIN | 0x10 | PING, b""), Violation::ReservedBits(1), 1002, 1),
        (behind(of(FIN | 0x70, b"")), Violation::ReservedBits(7), 1002, 8),
        (of(FIN | 3, b"a"), Violation::Opcode(3), 1002, 1),
        (of(FIN | 7, b"a"), Violation::Opcode(7), 1002, 1),
        (of(FIN | 11, b"a"), Violation::Opcode(11), 1002, 1),
        (of(15, b"a"), Violation::Opcode(15), 1002, 1),
        (frame(Role::Server, FIN | TEXT, b"a"), Violation::Unmasked, 1002, 2),
        (of(PING, b""), Violation::FragmentedControl, 1002, 1),
        (of(PONG, b""), Violation::FragmentedControl, 1002, 1),
        (of(CLOSE, b""), Violation::FragmentedControl, 1002, 1),
        (of(FIN | PING, &[0; 126]), Violation::ControlTooLong, 1002, 2),
        (of(FIN | PONG, &[0; 126]), Violation::ControlTooLong, 1002, 2),
        (of(FIN | CLOSE, &[0; 70_000]), Violation::ControlTooLong, 1002, 2),
        (b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0".to_vec(), Violation::Length, 1002, 14),
        (of(FIN | CONTINUATION, b"a"), Violation::NothingToContinue, 1002, header),
        (of(CONTINUATION, b"a"), Violation::NothingToContinue, 1002, header),
        (behind(of(FIN | TEXT, b"a")), Violation::InMessage, 1002, 7 + header),
        (behind(of(BINARY, b"a")), Violation::InMessage, 1002, 7 + header),
        (of(FIN | CLOSE, b"\x03"), Violation::CloseLength, 1002, header + 1),
        (of(FIN | CLOSE, b"\x03\xe8\xff"), Violation::CloseReason, 1007, header + 3),
        (of(FIN | CLOSE, b"\x03\xe8a\xce"), Violation::CloseReason, 1007, header + 4),
        // text: whole, across fragments, and at the first byte that shows it
        (of(FIN | TEXT, b"a\xffcdef"), Violation::Text, 1007, header + 2),
        (of(FIN | TEXT, b"abc\xce"), Violation::Text, 1007, header + 4),
        (of(FIN | TEXT, b"\xed\xa0\x80abc"), Violation::Text, 1007, header + 2),
        (of(FIN | TEXT, b"\xf4\x90\x80\x80"), Violation::Text, 1007, header + 2),
        (of(TEXT, b"a\xff"), Violation::Text, 1007, header + 2),
        (
            [
                of(TEXT, b"\xce"),
                of(FIN | PING, b"\xff"),
                of(CONTINUATION, b"\xbaabc"),
                of(CONTINUATION, b"\xba"),
            ]
            .concat(),
            Violation::Text,
            1007,
            7 + 7 + 10 + 7,
        ),
        (
            [of(TEXT, b"\xce"), of(FIN | CONTINUATION, b"")].concat(),
            Violation::Text,
            1007,
            7 + header,
        ),
        (
            [of(TEXT, b"\xf0\x9f"), of(FIN | CONTINUATION, b"abcd")].concat(),
            Violation::Text,
            1007,
            8 + header + 1,
        ),
    ]
}

fn close(role: Role, code: u16) -> Vec<u8> {
    frame(role, FIN | CLOSE, &code.to_be_bytes())
}

#[test]
fn every_violation_of_a_client() {
    for (stream, violation, code, known) in table() {
        for grain in GRAINS {
            let Read { incoming, error, written, taken } = read_as(Role::Server, &stream, grain);
            assert_eq!(error, Error::Protocol(violation), "{stream:x?} at {grain}");
            assert_eq!(incoming, [], "{violation}");
            assert!(written.ends_with(&close(Role::Server, code)), "{violation}: {written:x?}");
            assert_eq!(violation.code(), code);
            if grain == 1 {
                assert_eq!(taken, known, "{violation} is known by this byte");
            }
        }
    }
}

#[test]
fn every_violation_of_a_server() {
    for (_, violation, code, _) in table() {
        // the same frames without masks, where that is no other violation
        let Some(stream) = unmasked(violation) else { continue };
        for grain in GRAINS {
            let got = read_as(Role::Client, &stream, grain);
            assert_eq!(got.error, Error::Protocol(violation), "at {grain}");
            // what a client says is masked: a server reads it
            let heard = read_as(Role::Server, &got.written, grain);
            assert_eq!(heard.incoming, [crate::closed(code, "")], "{violation}");
        }
    }
    let masked = frame(Role::Client, FIN | TEXT, b"a");
    assert_eq!(read_as(Role::Client, &masked, 1).error, Error::Protocol(Violation::Masked));
}

fn unmasked(violation: Violation) -> Option<Vec<u8>> {
    let of = |first, payload: &[u8]| frame(Role::Server, first, payload);
    Some(match violation {
        Violation::ReservedBits(bits) => of(FIN | bits << 4 | TEXT, b"a"),
        Violation::Opcode(code) => of(FIN | code, b"a"),
        Violation::FragmentedControl => of(PONG, b"a"),
        Violation::ControlTooLong => of(FIN | PONG, &[0; 126]),
        Violation::NothingToContinue => of(CONTINUATION, b"a"),
        Violation::InMessage => [of(TEXT, b"a"), of(TEXT, b"a")].concat(),
        Violation::CloseLength => of(FIN | CLOSE, b"a"),
        Violation::CloseReason => of(FIN | CLOSE, b"\x03\xe8\xff"),
        Violation::Text => of(FIN | TEXT, b"\xff"),
        _ => return None,
    })
}

#[test]
fn close_codes() {
    for code in 0..=u16::MAX {
        let valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let stream = close(Role::Server, code);
        let got = read_as(Role::Client, &stream, usize::MAX);
        let expected =
            if valid { Error::Closed } else { Error::Protocol(Violation::CloseCode(code)) };
        assert_eq!(got.error, expected);
        let sent = connection(Role::Server, &Config::default()).close_with(code, "");
        assert_eq!(sent.is_ok(), valid, "{code}");
    }
}

#[test]
fn what_came_before_a_violation_is_given() {
    for role in [Role::Client, Role::Server] {
        let stream = [frame(other(role), FIN | TEXT, b"first"), vec![0xff]].concat();
        for grain in GRAINS {
            assert_eq!(read_as(role, &stream, grain).incoming, [text("first")]);
        }
    }
}

#[test]
fn nothing_is_said_behind_our_close() {
    let mut server = connection(Role::Server, &Config::default());
    server.close();
    let got = read(&mut server, &[0xff], 1);
    assert_eq!(got.error, Error::Protocol(Violation::ReservedBits(7)));
    assert_eq!(got.written, close(Role::Server, 1000));
}
