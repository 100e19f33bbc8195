//! How connections end, and what is left then.

use bytes::Buf;
use hat_core::juggler::{Error, Notification, SendFault, rpc};
use hat_tests::pair::GRAINS;

use super::*;

/// A person reads it on the other side: words, and nothing of how this side is written.
#[test]
fn the_reason_of_a_close_is_in_words() {
    for (text, expected) in [
        ("4", "a text message that starts with '4', but Juggler 0.7 starts each with 0, 1, 2 or 3"),
        ("", "an empty text message, but Juggler 0.7 starts each with 0, 1, 2 or 3"),
        (
            r#"{"type":"DATA"}"#,
            "a text message that starts with '{', but Juggler 0.7 starts each with 0, 1, 2 or 3: does the peer speak 0.5?",
        ),
    ] {
        let mut pair = to_server(server_config(), usize::MAX);
        say(&mut pair, &[text]);
        assert_eq!(close_of(&pair.a), (1002, expected.to_owned()), "{text}");
    }
}

#[test]
fn errors_are_final() {
    let mut pair = to_server(server_config(), usize::MAX);
    say(&mut pair, &[r#"0{"type":"request","id":1,"name":"n","data":0}"#, "x"]);
    let (request, ..) = asked(pair.b.take());
    let error = Error::Segment { found: Some('x') };
    assert_eq!(pair.b.error, Some(error.clone()));
    let server = &mut pair.b.machine;
    assert_eq!(server.poll(&mut pair.b.rx, Instant::ORIGIN), Err(error.clone()));
    assert!(server.is_closed());
    assert_eq!((server.deadline(), server.open_requests()), (None, 0));
    assert_eq!(server.respond(request, Ok(&Value::Null)), Err(SendFault::Closed));
    assert_eq!(server.notify(&Notification::new("n", &Value::Null)), Err(SendFault::Closed));
    assert_eq!(server.flush(), Err(SendFault::Closed));
    server.change(|state| state.replace(1)).expect("nobody is told");
    assert_eq!(server.poll(&mut pair.b.rx, Instant::ORIGIN), Err(error));
    assert!(!server.tx().has_remaining());
    assert_eq!(pair.b.missing, 0);
}

/// What was queued is written, what comes is not read, and both sides know that it was orderly.
#[test]
fn an_orderly_end_of_either_side() {
    for grain in GRAINS {
        let mut pair = both(grain);
        pair.a.machine.request("n", &Value::Null).expect("room");
        pair.drive();
        pair.b.machine.notify(&Notification::new("last", &"words".into())).expect("room");
        pair.b.machine.close();
        assert!(!pair.b.machine.is_closed());
        assert_eq!(pair.b.machine.open_requests(), 0);
        pair.drive();
        assert_eq!(notified(pair.a.take()), ("last".into(), "words".into()));
        assert!(pair.a.incoming.is_empty(), "the request has failed without an answer");
        assert_eq!(pair.a.machine.open_requests(), 0);
        assert!(pair.a.error.as_ref().is_some_and(Error::is_closed));
        assert!(pair.b.error.as_ref().is_some_and(Error::is_closed));
        assert_eq!(pair.a.machine.request("n", &Value::Null), Err(SendFault::Closed));

        let mut pair = both(grain);
        pair.a.machine.request("n", &Value::Null).expect("room");
        pair.a.machine.close();
        assert_eq!(pair.a.machine.open_requests(), 0);
        pair.drive();
        assert_eq!(asked(pair.b.take()).1, "n", "it was sent before");
        assert!(pair.a.error.as_ref().is_some_and(Error::is_closed));
        assert!(pair.b.error.as_ref().is_some_and(Error::is_closed));
    }
}

/// Who is cut off learns why: the code and the reason of the Close are the error, and no orderly
/// end.
#[test]
fn what_the_peer_says_in_its_close_is_the_error() {
    fn cut<P: Protocol<Error = Error>>(machine: P, grain: usize, code: u16, reason: &str) -> Error {
        let mut pair = Pair::new(websocket(Role::Server), machine, grain);
        pair.drive();
        pair.a.machine.close_with(code, reason).expect("it is open");
        pair.drive();
        assert_eq!(pair.a.error, Some(ws::Error::Closed), "our part is written");
        let error = pair.b.error.expect("it is over");
        let again = pair.b.machine.poll(&mut pair.b.rx, pair.now);
        assert_eq!(again.err().as_ref(), Some(&error), "final");
        error
    }
    fn all<P: Protocol<Error = Error>>(machine: impl Fn() -> P) {
        for grain in GRAINS {
            let slow = "a peer reads more slowly than it is told";
            for (code, reason) in [(1008, slow), (1002, "malformed request: no `id`"), (3000, "")] {
                let error = cut(machine(), grain, code, reason);
                assert_eq!(error, Error::ClosedByPeer { code, reason: reason.into() });
                assert!(!error.is_closed(), "{error}");
            }
            for code in [1000, 1001] {
                assert_eq!(cut(machine(), grain, code, "done"), Error::Ws(ws::Error::Closed));
            }
        }
    }
    all(|| client(client_config()));
    all(|| peer::Connection::new(websocket(Role::Client), peer::Config::default()));
    all(|| rpc::Connection::new(websocket(Role::Client), rpc::Config::default()));
    let error = Error::ClosedByPeer { code: 1008, reason: "\u{1b}[31mtoo slow".into() };
    let text = r#"the peer closed the connection with code 1008, and says "\u{1b}[31mtoo slow""#;
    assert_eq!(error.to_string(), text);
    let error = Error::ClosedByPeer { code: 3000, reason: "".into() };
    assert_eq!(error.to_string(), "the peer closed the connection with code 3000");
    // a Close without a code
    let mut pair = to_client(client_config(), usize::MAX);
    pair.b.feed(&[0x88, 0], Instant::ORIGIN);
    pair.b.take_tx();
    pair.b.feed(&[], Instant::ORIGIN);
    assert_eq!(pair.b.error, Some(Error::Ws(ws::Error::Closed)));
}

/// Who closed first knows why: the other side repeats the code of our Close.
#[test]
fn the_answer_to_our_own_close_is_an_orderly_end() {
    let mut pair = both(usize::MAX);
    pair.drive();
    pair.b.machine.close_with(1008, "too slow").expect("it is open");
    pair.drive();
    assert_eq!(pair.b.error, Some(Error::Ws(ws::Error::Closed)));
    let reason = "too slow".into();
    assert_eq!(pair.a.error, Some(Error::ClosedByPeer { code: 1008, reason }));
}

/// Nor is its reason lost where it does not read what we had queued before.
#[test]
fn the_reason_of_a_peer_that_reads_nothing_more() {
    let mut pair = to_server(server_config(), usize::MAX);
    pair.drive();
    pair.a.machine.close_with(1011, "no disk").expect("it is open");
    let bytes = pair.a.take_tx();
    pair.a.stalled = true;
    pair.b.machine.notify(&Notification::new("n", &Value::Null)).expect("room");
    pair.b.feed(&bytes, Instant::ORIGIN);
    pair.b.feed(&[], Instant::ORIGIN + ws::Config::default().close_timeout);
    let reason = "no disk".into();
    assert_eq!(pair.b.error, Some(Error::ClosedByPeer { code: 1011, reason }));
}

/// A request that waits for an answer, or many that hold reading up, must not keep a connection
/// that closes.
#[test]
fn closing_while_held_up() {
    let config = server::Config { max_requests: 1, ..server_config() };
    let mut pair = both_of(client_config(), config, 7);
    for _ in 0..3 {
        pair.a.machine.request("n", &Value::Null).expect("room");
    }
    pair.drive();
    assert_eq!(pair.b.missing, 0);
    pair.b.machine.close();
    pair.drive();
    assert!(pair.b.error.as_ref().is_some_and(Error::is_closed));
    assert!(pair.a.error.as_ref().is_some_and(Error::is_closed));
}

#[test]
fn the_stream_ends_without_a_close() {
    let mut pair = both(usize::MAX);
    pair.end_a();
    assert_eq!(pair.b.error, Some(Error::Ws(ws::Error::Lost)));
    let mut pair = both(usize::MAX);
    pair.a.machine.request("n", &Value::Null).expect("room");
    let bytes = pair.a.take_tx();
    pair.b.feed(&bytes[..bytes.len() - 1], Instant::ORIGIN);
    pair.end_a();
    assert!(matches!(pair.b.error, Some(Error::Ws(ws::Error::Truncated { .. }))));
}

/// A peer that does not answer our Close is not waited for any longer than the WebSocket allows.
#[test]
fn a_peer_that_does_not_close() {
    let mut pair = to_server(server_config(), usize::MAX);
    pair.a.stalled = true;
    pair.b.machine.close();
    pair.wait(ws::Config::default().close_timeout);
    assert_eq!(pair.b.error, Some(Error::Ws(ws::Error::CloseTimeout)));
}
