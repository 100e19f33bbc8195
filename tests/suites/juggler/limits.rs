//! Sizes, queues, open requests: what is refused, what is held up, and what ends a connection.

use hat_core::json::{Limits, ParseError, PatchError};
use hat_core::juggler::{Error, Notification, SendFault};

use super::*;

const REQUEST: &str = r#"0{"type":"request","id":1,"name":"n","data":"0123456789"}"#;

fn narrow(max_queued: usize) -> ws::Connection {
    websocket_of(Role::Server, ws::Config { max_queued, ..ws::Config::default() })
}

#[test]
fn a_message_over_the_limit_whole_or_in_segments() {
    for segments in [&["0{\"type\":\"notify\""][..], &["1{\"type", "1\":\"noti", "0fy\""]] {
        let transport = juggler::Config { max_message: 15, ..quiet() };
        let mut pair = to_client(client::Config { transport, ..client_config() }, 3);
        say(&mut pair, segments);
        assert_eq!(pair.b.error, Some(Error::MessageTooLarge { limit: 15 }));
        assert_eq!(close_of(&pair.a).0, 1009);
    }
    // segments without an end, too
    let transport = juggler::Config { max_message: 15, ..quiet() };
    let mut pair = to_client(client::Config { transport, ..client_config() }, 3);
    say(&mut pair, &["1", "1          ", "1     "]);
    assert_eq!(pair.b.error, None);
    say(&mut pair, &["1 "]);
    assert_eq!(pair.b.error, Some(Error::MessageTooLarge { limit: 15 }));
}

fn limited(limits: Limits) -> client::Config {
    client::Config { transport: juggler::Config { limits, ..quiet() }, ..client_config() }
}

#[test]
fn a_message_or_a_state_that_is_too_deep() {
    let limits = Limits { depth: 10, ..Limits::default() };
    let deep = format!("{}{}", "[".repeat(10), "]".repeat(10));
    let mut pair = to_client(limited(limits), usize::MAX);
    say(&mut pair, &[&format!(r#"0{{"type":"notify","name":"n","data":{deep}}}"#)]);
    assert!(matches!(pair.b.error, Some(Error::Json(ParseError::TooDeep { limit: 10, .. }))));

    // a state that grows a level with each patch
    let mut pair = to_client(limited(limits), usize::MAX);
    for level in 0..11 {
        let path = "/0".repeat(level);
        let patch = format!(r#"[{{"op":"replace","path":"{path}","value":[0]}}]"#);
        say(&mut pair, &[&format!(r#"0{{"type":"state","diff":{patch}}}"#)]);
    }
    let error = Error::Patch(PatchError::TooDeep { operation: 0, limit: 10 });
    assert_eq!(pair.b.error, Some(error));
}

/// Each patch doubles the state, and takes some bytes.
#[test]
fn a_state_that_copies_itself() {
    let limits = Limits { size: 100_000, ..Limits::default() };
    let mut pair = to_client(limited(limits), usize::MAX);
    say(&mut pair, &[r#"0{"type":"state","diff":[{"op":"replace","path":"","value":[[0]]}]}"#]);
    for _ in 0..30 {
        if pair.b.error.is_none() {
            say(&mut pair, &[r#"0{"type":"state","diff":[{"op":"copy","from":"","path":"/-"}]}"#]);
        }
    }
    let error = Error::Patch(PatchError::TooLarge { operation: 0, limit: 100_000 });
    assert_eq!(pair.b.error, Some(error));
    assert!(pair.b.machine.state().size() <= 100_000);
}

#[test]
fn a_full_queue_refuses_and_an_empty_one_takes_anything() {
    let mut pair = Pair::new(
        websocket(Role::Client),
        server::Connection::new(narrow(100), server_config()),
        usize::MAX,
    );
    let large = Notification::new("n", &"x".repeat(1000).into());
    pair.b.machine.notify(&large).expect("an empty queue");
    let full = SendFault::QueueFull { limit: 100 };
    assert_eq!(pair.b.machine.notify(&Notification::new("n", &Value::Null)), Err(full));
    assert!(full.is_queue_full());
    pair.b.machine.change(|state| state.replace(1)).expect("small");
    assert_eq!(pair.b.machine.flush(), Err(full));
    assert!(pair.b.machine.is_behind());
    pair.drive();
    // told as soon as there was room
    assert!(!pair.b.machine.is_behind());
    assert_eq!(joined(&texts(&mut pair.a)).len(), 2);
}

/// In several segments, it is taken whole or not at all.
#[test]
fn a_message_is_never_sent_by_half() {
    let transport = juggler::Config { max_segment_size: 10, ..quiet() };
    let config = server::Config { transport, ..server_config() };
    let mut pair = Pair::new(
        websocket(Role::Client),
        server::Connection::new(narrow(1000), config),
        usize::MAX,
    );
    let mut sent = 0;
    while pair.b.machine.notify(&Notification::new("n", &"x".repeat(100).into())).is_ok() {
        sent += 1;
    }
    assert!(sent > 1);
    assert!(pair.b.machine.queued() <= 1000);
    pair.drive();
    assert_eq!(joined(&texts(&mut pair.a)).len(), sent);
}

#[test]
fn a_response_that_has_no_room_can_be_said_again() {
    let mut pair = Pair::new(
        websocket(Role::Client),
        server::Connection::new(narrow(100), server_config()),
        usize::MAX,
    );
    say(&mut pair, &[REQUEST]);
    let (request, ..) = asked(pair.b.take());
    pair.b.machine.notify(&Notification::new("n", &"x".repeat(90).into())).expect("room");
    let refused = pair.b.machine.respond(request, Ok(&Value::Null));
    assert_eq!(refused, Err(SendFault::QueueFull { limit: 100 }));
    pair.drive();
    pair.b.machine.respond(request, Ok(&Value::Null)).expect("still open");
}

#[test]
fn our_own_requests() {
    let config = client::Config { max_requests: 2, ..client_config() };
    let mut pair = both_of(config, server_config(), 7);
    let first = pair.a.machine.request("n", &Value::Null).expect("room");
    pair.a.machine.request("n", &Value::Null).expect("room");
    let refused = pair.a.machine.request("n", &Value::Null);
    assert_eq!(refused, Err(SendFault::TooManyRequests { limit: 2 }));
    pair.drive();
    let (request, ..) = asked(pair.b.take());
    pair.b.machine.respond(request, Ok(&Value::Null)).expect("open");
    pair.drive();
    assert_eq!(answered(pair.a.take()).0, first);
    pair.a.machine.request("n", &Value::Null).expect("one was answered");
}

/// What nobody answers is not read: not more requests, not more bytes of them.
#[test]
fn a_client_that_asks_faster_than_we_answer() {
    for parallel_requests in [false, true] {
        let config = server::Config { parallel_requests, max_requests: 3, ..server_config() };
        let mut pair = to_server(config, usize::MAX);
        say(&mut pair, &[REQUEST; 10]);
        assert_eq!(pair.b.incoming.len(), if parallel_requests { 3 } else { 1 });
        assert_eq!(pair.b.missing, 0);
        for _ in 0..10 {
            let (request, ..) = asked(pair.b.take());
            pair.b.machine.respond(request, Ok(&Value::Null)).expect("open");
            pair.drive();
        }
        assert_eq!(texts(&mut pair.a).len(), 10);
        assert!(pair.b.missing > 0);
    }
    let config = server::Config { max_waiting: 100, ..server_config() };
    let mut pair = to_server(config, 1);
    say(&mut pair, &[REQUEST; 10]);
    // one is given, two wait and are 100 bytes and more
    assert_eq!(pair.b.missing, 0);
    assert!(pair.a.machine.queued() > 6 * REQUEST.len());
    for _ in 0..10 {
        let (request, ..) = asked(pair.b.take());
        pair.b.machine.respond(request, Ok(&Value::Null)).expect("open");
        pair.drive();
    }
    assert_eq!(texts(&mut pair.a).len(), 10);
}

/// What waits is counted as what it takes in memory: an empty list has two bytes on the wire.
#[test]
fn requests_that_are_small_on_the_wire_and_large_in_memory() {
    let config = server::Config { max_waiting: 100_000, ..server_config() };
    let mut pair = to_server(config, usize::MAX);
    let lists = vec!["[]"; 500].join(",");
    let request = format!(r#"0{{"type":"request","id":1,"name":"n","data":[{lists}]}}"#);
    assert!(json(&format!("[{lists}]")).size() > 25 * request.len());
    say(&mut pair, &[REQUEST]);
    say(&mut pair, &[request.as_str(); 10]);
    // two are 88 000 bytes, and the third is over the limit
    assert_eq!((pair.b.machine.waiting_requests(), pair.b.missing), (3, 0));
    for _ in 0..11 {
        let (request, ..) = asked(pair.b.take());
        pair.b.machine.respond(request, Ok(&Value::Null)).expect("open");
        pair.drive();
    }
    assert_eq!(texts(&mut pair.a).len(), 11);
}

/// A peer that asks for what the machine itself answers, and never reads, is stopped.
#[test]
fn answers_that_nobody_reads() {
    fn stops<P: Protocol>(machine: P, text: &str, count: usize) {
        let mut pair = Pair::new(websocket(Role::Client), machine, usize::MAX);
        pair.a.stalled = true;
        for _ in 0..count + 10 {
            pair.a.machine.send_text(&text.into()).expect("room");
        }
        let bytes = pair.a.take_tx();
        let each = bytes.len() / (count + 10);
        pair.b.feed(&bytes, Instant::ORIGIN);
        assert_eq!(pair.b.missing, 0, "{text}");
        assert_eq!(pair.b.rx.bytes.len(), 10 * each, "{text}");
        // those are written, so as many more are taken
        pair.b.take_tx();
        pair.b.feed(&[], Instant::ORIGIN);
        assert_eq!(pair.b.rx.bytes.len(), 10_usize.saturating_sub(count) * each);
    }
    let echo = r#"0{"type":"request","id":1,"name":"","data":"x"}"#;
    stops(server(server_config()), "2ping", 16);
    stops(server(server_config()), echo, 16);
    stops(server(server_config()), r#"0{"type":"request","id":1,"name":"n"}"#, 16);
    let peer = peer::Connection::new(websocket(Role::Server), peer::Config::default());
    stops(peer, r#"{"type":"PING","payload":{}}"#, 16);
    // large ones by their bytes
    let large = format!("2{}", "x".repeat(400));
    stops(server::Connection::new(narrow(1000), server_config()), &large, 3);
}

/// Answers go out over a full queue, too.
#[test]
fn pings_are_answered_whatever_waits() {
    let mut pair = Pair::new(
        websocket(Role::Client),
        server::Connection::new(narrow(10), server_config()),
        usize::MAX,
    );
    pair.b.machine.notify(&Notification::new("n", &"x".repeat(90).into())).expect("empty");
    pair.a.machine.send_text(&"2p".into()).expect("room");
    pair.drive();
    assert_eq!(texts(&mut pair.a).last().map(String::as_str), Some("3p"));
}
