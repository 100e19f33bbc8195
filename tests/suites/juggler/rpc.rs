//! Calls over 0.5, in both directions.

use hat_core::json::Array;
use hat_core::juggler::rpc::{
    Actions, CallHandler, CallId, Config, Connection, Incoming, Limits, RequestId,
};
use hat_core::juggler::{Error, SendFault};
use hat_tests::pair::GRAINS;

use super::*;

fn rpcs(grain: usize) -> Pair<Connection, Connection> {
    rpcs_of(Limits::default(), grain)
}

fn rpcs_of(theirs: Limits, grain: usize) -> Pair<Connection, Connection> {
    let of = |role, calls| Connection::new(websocket(role), Config { calls, ..Config::default() });
    Pair::new(of(Role::Client, Limits::default()), of(Role::Server, theirs), grain)
}

#[track_caller]
fn called(incoming: Incoming) -> (RequestId, String, Array) {
    match incoming {
        Incoming::Call { request, action, args, .. } => (request, action.to_string(), args),
        other => panic!("not a call: {other:?}"),
    }
}

#[track_caller]
fn returned(incoming: Incoming) -> (CallId, Result<Value, Value>) {
    match incoming {
        Incoming::Returned { call, result, .. } => (call, result),
        other => panic!("not a result: {other:?}"),
    }
}

#[test]
fn both_sides_call_at_once_and_answer_in_any_order() {
    for grain in GRAINS {
        let mut pair = rpcs(grain);
        let args = [1.into(), json("[2]")];
        let first = pair.a.machine.call("first", &args).expect("room");
        let second = pair.a.machine.call("second", &[]).expect("room");
        let back = pair.b.machine.call("back", &[Value::Null]).expect("room");
        pair.drive();
        let (one, name, got) = called(pair.b.take());
        assert_eq!((name.as_str(), Value::from(got)), ("first", json("[1,[2]]")));
        let (two, name, _) = called(pair.b.take());
        assert_eq!(name, "second");
        let (three, name, _) = called(pair.a.take());
        assert_eq!(name, "back");
        pair.b.machine.respond(two, Ok(&"2".into())).expect("open");
        pair.b.machine.respond(one, Err(&"failed".into())).expect("open");
        assert_eq!(pair.b.machine.respond(one, Ok(&Value::Null)), Err(SendFault::NotAsked));
        pair.a.machine.respond(three, Ok(&Value::Null)).expect("open");
        pair.drive();
        assert_eq!(returned(pair.a.take()), (second, Ok("2".into())));
        assert_eq!(returned(pair.a.take()), (first, Err("failed".into())));
        assert_eq!(returned(pair.b.take()), (back, Ok(Value::Null)));
        assert_eq!((pair.a.machine.open_calls(), pair.b.machine.open_requests()), (0, 0));
    }
}

/// Until calls are asked for, every message is one; what nobody has taken then is looked at again.
#[test]
fn a_plain_connection_passes_calls_until_they_begin() {
    let texts = [
        r#"{"type":"rpc"}"#,
        r#"{"type":"rpc","id":1,"direction":"request","action":"a","args":[1]}"#,
        r#"{"type":"rpc","id":1,"direction":"response","success":true,"result":1}"#,
        r#"{"type":"other"}"#,
    ];
    for grain in GRAINS {
        let config = Config { plain: true, ..Config::default() };
        let mut pair = rpcs(grain);
        pair.b.machine = Connection::new(websocket(Role::Server), config);
        assert!(!pair.b.machine.has_begun());
        let say = |pair: &mut Pair<Connection, Connection>, text: &str| {
            pair.a.machine.peer_mut().send(&peer::Message::new(&json(text))).expect("room");
            pair.drive();
        };
        for text in texts {
            say(&mut pair, text);
            let Incoming::Message { payload, .. } = pair.b.take() else { panic!("{text}") };
            assert_eq!(payload, json(text));
        }
        // two that nobody has taken: a call, which is answered, and a message
        let waiting = [texts[1], texts[3]].map(|text| (json(text), text.len()));
        pair.b.machine.begin(waiting);
        say(&mut pair, texts[1]);
        let (first, name, args) = called(pair.b.take());
        assert_eq!((name.as_str(), Value::from(args)), ("a", json("[1]")));
        assert!(matches!(pair.b.take(), Incoming::Message { size: 16, .. }));
        let (second, ..) = called(pair.b.take());
        assert_ne!(first, second);
        pair.b.machine.begin([(Value::Null, 4)]);
        say(&mut pair, "1");
        assert!(matches!(pair.b.take(), Incoming::Message { payload, .. } if payload == 1.into()));
        // who has asked for calls is told of one that is none
        say(&mut pair, texts[0]);
        assert!(pair.b.error.is_some());
    }
}

/// What is left of those that come again is not given once the connection is over, or closed: the
/// error is final, and nothing could be answered.
#[test]
fn messages_that_come_again_end_with_the_connection() {
    let message = |text: &str| (json(text), text.len());
    let fresh = || {
        let config = Config { plain: true, ..Config::default() };
        let machine = Connection::new(websocket(Role::Server), config);
        Pair::new(websocket(Role::Client), machine, usize::MAX)
    };
    let call = r#"{"type":"rpc","id":1,"direction":"request","action":"a","args":[]}"#;
    let mut pair = fresh();
    pair.b.machine.begin([message(r#"{"type":"rpc"}"#), message("1"), message(call)]);
    pair.drive();
    let error = pair.b.error.clone().expect("a call without a direction");
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
    for _ in 0..3 {
        let again = pair.b.machine.poll(&mut pair.b.rx, pair.now);
        assert_eq!(again, Err(error.clone()));
    }
    // nor what is to come again from then on
    let mut pair = fresh();
    pair.drive();
    pair.a.machine.send_binary(&[1_u8; 3][..].to_vec().into()).expect("room");
    pair.drive();
    assert_eq!(pair.b.error, Some(Error::Binary { size: 3 }));
    pair.b.machine.begin([message("1")]);
    let again = pair.b.machine.poll(&mut pair.b.rx, pair.now);
    assert_eq!(again, Err(Error::Binary { size: 3 }));

    let mut pair = fresh();
    pair.b.machine.begin([message(call), message("1"), message(call)]);
    pair.b.machine.close();
    pair.drive();
    assert!(pair.b.incoming.is_empty(), "{:?}", pair.b.incoming);
    assert!(pair.b.error.as_ref().is_some_and(Error::is_closed));
}

#[test]
fn data_and_messages_pass_through() {
    let mut pair = rpcs(7);
    pair.a.machine.peer_mut().set_local_data(1).expect("small");
    pair.a.machine.peer_mut().flush().expect("open");
    for text in [r#"{"type":"abc"}"#, r#"["rpc"]"#, r#"{"type":["rpc"]}"#, "null"] {
        pair.a.machine.peer_mut().send(&peer::Message::new(&json(text))).expect("room");
        pair.drive();
        if text == r#"{"type":"abc"}"# {
            assert_eq!(pair.b.take(), Incoming::Data);
            assert_eq!(pair.b.machine.peer().remote_data(), &1.into());
        }
        let Incoming::Message { payload, .. } = pair.b.take() else { panic!("{text}") };
        assert_eq!(payload, json(text));
    }
}

#[test]
fn actions_by_name_and_for_all_other_names() {
    let actions = Actions::new().with("add", 1).with("add", 2).with("", 3);
    assert_eq!(actions.find("add"), Some(CallHandler::Named(&2)));
    assert_eq!(actions.find(""), Some(CallHandler::Named(&3)));
    assert_eq!(actions.find("other"), None);
    let actions = actions.with_default(4);
    assert_eq!(actions.find("add"), Some(CallHandler::Named(&2)));
    assert_eq!(actions.find("other"), Some(CallHandler::Default(&4)));
}

/// What nobody can do is refused, by the machine where it is no call that anybody could answer.
#[test]
fn refusals() {
    let mut pair = rpcs(7);
    let call = pair.a.machine.call("unknown", &[]).expect("room");
    pair.drive();
    let (request, ..) = called(pair.b.take());
    pair.b.machine.refuse_action(request).expect("open");
    pair.drive();
    assert_eq!(returned(pair.a.take()), (call, Err("invalid action".into())));

    for payload in [
        r#"{"type":"rpc","id":"x","direction":"request","action":5,"args":[]}"#,
        r#"{"type":"rpc","id":"x","direction":"request","action":"a","args":"b"}"#,
    ] {
        let mut pair = Pair::new(websocket(Role::Client), rpcs(7).b.machine, 7);
        say(&mut pair, &[&format!(r#"{{"type":"MESSAGE","payload":{payload}}}"#)]);
        assert!(pair.b.incoming.is_empty() && pair.b.error.is_none());
        let answer = json(&texts(&mut pair.a)[0]);
        assert_eq!(answer["payload"]["id"], "x".into());
        assert_eq!(answer["payload"]["success"], false.into());
    }
}

#[test]
fn results_that_nobody_waits_for() {
    let mut pair = Pair::new(websocket(Role::Client), rpcs(7).b.machine, 3);
    let forgotten = pair.b.machine.call("a", &[]).expect("room");
    let kept = pair.b.machine.call("b", &[]).expect("room");
    pair.b.machine.forget(forgotten);
    for payload in [
        r#"{"type":"rpc","id":1,"direction":"response","success":true,"result":1}"#,
        r#"{"type":"rpc","id":2,"direction":"response","success":1,"result":2}"#,
        r#"{"type":"rpc","id":2,"direction":"response","success":true,"result":3}"#,
        r#"{"type":"rpc","id":77,"direction":"response"}"#,
    ] {
        say(&mut pair, &[&format!(r#"{{"type":"MESSAGE","payload":{payload}}}"#)]);
    }
    assert_eq!(returned(pair.b.take()), (kept, Ok(2.into())));
    assert!(pair.b.incoming.is_empty() && pair.b.error.is_none());
}

#[test]
fn limits_of_both_sides() {
    let mut pair = rpcs_of(Limits { ours: 1, theirs: 2, ..Limits::default() }, 7);
    let ids: Vec<_> = (0..4).map(|_| pair.a.machine.call("n", &[]).expect("room")).collect();
    pair.b.machine.call("n", &[]).expect("room");
    assert_eq!(pair.b.machine.call("n", &[]), Err(SendFault::TooManyRequests { limit: 1 }));
    pair.drive();
    assert_eq!(pair.b.incoming.len(), 2);
    assert_eq!(pair.b.missing, 0, "nothing is read while two are open");
    // our own data are told all the same
    pair.b.machine.peer_mut().set_local_data(1).expect("small");
    pair.wait(std::time::Duration::from_millis(200));
    called(pair.a.take());
    assert_eq!(pair.a.take(), Incoming::Data);
    for id in ids {
        let (request, ..) = called(pair.b.take());
        pair.b.machine.respond(request, Ok(&Value::Null)).expect("open");
        pair.drive();
        assert_eq!(returned(pair.a.take()).0, id);
    }
}

/// A failure of our own is the error that the connection ended with, and no result.
#[test]
fn the_end_fails_open_calls() {
    let mut pair = rpcs(7);
    pair.a.machine.call("n", &[]).expect("room");
    pair.drive();
    let (request, ..) = called(pair.b.take());
    pair.b.machine.close();
    assert_eq!(pair.b.machine.respond(request, Ok(&Value::Null)), Err(SendFault::Closed));
    pair.drive();
    assert!(pair.a.error.as_ref().is_some_and(Error::is_closed));
    assert!(pair.a.incoming.is_empty());
    assert_eq!(pair.a.machine.open_calls(), 0);
    assert_eq!(pair.a.machine.call("n", &[]), Err(SendFault::Closed));
}

/// The WebSocket's own pings are not due while nothing is read for the application's sake.
#[test]
fn a_side_that_answers_nothing_yet_does_not_take_the_other_for_silent() {
    let second = std::time::Duration::from_secs(1);
    let ping = PingRule::WhenIdle { delay: 20 * second, timeout: 5 * second };
    let ws = websocket_of(Role::Server, ws::Config { ping, ..ws::Config::default() });
    let calls = Limits { theirs: 1, ..Limits::default() };
    let server = Connection::new(ws, Config { calls, ..Config::default() });
    let client = Connection::new(websocket(Role::Client), Config::default());
    let mut pair = Pair::new(client, server, usize::MAX);
    pair.a.machine.call("slow", &[]).expect("room");
    pair.drive();
    let (request, ..) = called(pair.b.take());
    assert_eq!((pair.b.missing, pair.b.machine.deadline()), (0, None));
    pair.wait(1000 * second);
    pair.b.machine.respond(request, Ok(&Value::Null)).expect("open");
    pair.drive();
    assert_eq!((&pair.a.error, &pair.b.error), (&None, &None));
    assert_eq!(pair.b.machine.deadline(), Some(pair.now + 20 * second));
}
