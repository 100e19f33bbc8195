//! How connections end, and what is left then.

use bytes::Buf;
use hat_core::juggler::{Error, Notification, SendFault};
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
