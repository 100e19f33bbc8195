//! Requests: their order, their answers, and what is answered by the machine.

use hat_core::juggler::SendFault;
use hat_tests::pair::GRAINS;

use super::*;

fn parallel() -> server::Config {
    server::Config { parallel_requests: true, ..server_config() }
}

/// The next request is given once the former is answered.
#[test]
fn one_after_the_other() {
    for grain in GRAINS {
        let mut pair = both(grain);
        let ids =
            ["a", "b", "c"].map(|name| pair.a.machine.request(name, &name.into()).expect("room"));
        pair.drive();
        for (id, expected) in ids.into_iter().zip(["a", "b", "c"]) {
            let (request, name, data) = asked(pair.b.take());
            assert_eq!((name.as_str(), &data), (expected, &expected.into()));
            assert!(pair.b.incoming.is_empty());
            assert_eq!(pair.b.machine.open_requests(), 1);
            pair.b.machine.respond(request, Ok(&data)).expect("it is open");
            pair.drive();
            assert_eq!(answered(pair.a.take()), (id, Ok(expected.into())));
        }
        assert_eq!((pair.a.machine.open_requests(), pair.b.machine.open_requests()), (0, 0));
    }
}

#[test]
fn in_parallel_and_answered_in_any_order() {
    for grain in GRAINS {
        let mut pair = both_of(client_config(), parallel(), grain);
        let ids = [1, 2, 3].map(|data| pair.a.machine.request("n", &data.into()).expect("room"));
        pair.drive();
        let mut given: Vec<_> = pair.b.incoming.drain(..).map(asked).collect();
        given.reverse();
        for (request, _, data) in given {
            let failed = data == 2.into();
            pair.b
                .machine
                .respond(request, if failed { Err(&data) } else { Ok(&data) })
                .expect("open");
        }
        pair.drive();
        assert_eq!(answered(pair.a.take()), (ids[2], Ok(3.into())));
        assert_eq!(answered(pair.a.take()), (ids[1], Err(2.into())));
        assert_eq!(answered(pair.a.take()), (ids[0], Ok(1.into())));
    }
}

#[test]
fn one_answer_to_each() {
    let mut pair = both(usize::MAX);
    pair.a.machine.request("n", &Value::Null).expect("room");
    pair.drive();
    let (request, ..) = asked(pair.b.take());
    pair.b.machine.respond(request, Ok(&1.into())).expect("it is open");
    assert_eq!(pair.b.machine.respond(request, Ok(&2.into())), Err(SendFault::NotAsked));
    pair.drive();
    assert_eq!(answered(pair.a.take()).1, Ok(1.into()));
    assert!(pair.a.incoming.is_empty());
}

/// The application does not see it, and it keeps its place.
#[test]
fn an_empty_name_is_answered_with_its_own_data() {
    for grain in GRAINS {
        let mut pair = both(grain);
        let first = pair.a.machine.request("wait", &Value::Null).expect("room");
        let echo = pair.a.machine.request("", &json(r#"{"a":[1]}"#)).expect("room");
        pair.drive();
        assert!(pair.a.incoming.is_empty(), "not before the one before it");
        let (request, ..) = asked(pair.b.take());
        pair.b.machine.respond(request, Ok(&Value::Null)).expect("it is open");
        pair.drive();
        assert_eq!(answered(pair.a.take()), (first, Ok(Value::Null)));
        assert_eq!(answered(pair.a.take()), (echo, Ok(json(r#"{"a":[1]}"#))));
        assert!(pair.b.incoming.is_empty());

        let mut pair = both_of(client_config(), parallel(), grain);
        pair.a.machine.request("wait", &Value::Null).expect("room");
        let echo = pair.a.machine.request("", &7.into()).expect("room");
        pair.drive();
        assert_eq!(answered(pair.a.take()), (echo, Ok(7.into())));
    }
}

/// The answer that a text gets without the application, if any.
#[track_caller]
fn answer(text: &str) -> Option<Value> {
    let mut pair = to_server(server_config(), usize::MAX);
    say(&mut pair, &[text]);
    assert_eq!(pair.b.error, None);
    joined(&texts(&mut pair.a)).pop()
}

/// Python's peer asks whether the name is true, repeats any id, and refuses what it cannot do.
#[test]
fn answers_without_the_application() {
    for name in [r#""""#, "null", "false", "0", "0.0", "[]", "{}"] {
        let text = format!(r#"0{{"type":"request","id":[1,"x"],"name":{name},"data":5}}"#);
        let expected = r#"{"type":"response","id":[1,"x"],"success":true,"data":5}"#;
        assert_eq!(answer(&text), Some(json(expected)), "{name}");
    }
    for name in ["1", "true", "[0]", r#"{"a":1}"#] {
        let text = format!(r#"0{{"type":"request","id":2,"name":{name},"data":5}}"#);
        let refused = answer(&text).expect("a refusal");
        assert_eq!((&refused["id"], &refused["success"]), (&2.into(), &false.into()), "{name}");
    }
    // what a browser's `send(name)` comes to
    let refused = answer(r#"0{"type":"request","id":3,"name":"n"}"#).expect("a refusal");
    assert_eq!(refused["data"], "the request has no `data`".into());
    assert_eq!(answer(r#"0{"type":"request","id":4,"name":"n","data":1,"more":2}"#), None);
}

/// A response to a request that is answered already, was forgotten, or was never made.
#[test]
fn responses_that_nobody_waits_for() {
    let mut pair = to_client(client_config(), 3);
    let forgotten = pair.b.machine.request("n", &Value::Null).expect("room");
    let kept = pair.b.machine.request("n", &Value::Null).expect("room");
    pair.b.machine.forget(forgotten);
    assert_eq!(pair.b.machine.open_requests(), 1);
    say(
        &mut pair,
        &[
            r#"0{"type":"response","id":1,"success":true,"data":1}"#,
            r#"0{"type":"response","id":2,"success":true,"data":2}"#,
            r#"0{"type":"response","id":2,"success":true,"data":3}"#,
            r#"0{"type":"response","id":99}"#,
            r#"0{"type":"response","id":"2","success":true,"data":4}"#,
        ],
    );
    assert_eq!(answered(pair.b.take()), (kept, Ok(2.into())));
    assert!(pair.b.incoming.is_empty() && pair.b.error.is_none());
}

/// Pings are answered while the application thinks, and what comes meanwhile waits.
#[test]
fn pings_while_a_request_is_open() {
    let mut pair = to_server(server_config(), usize::MAX);
    let request = r#"0{"type":"request","id":1,"name":"slow","data":0}"#;
    say(&mut pair, &[request, "2a", request, "2b"]);
    assert_eq!(texts(&mut pair.a), ["3a", "3b"]);
    assert_eq!(pair.b.incoming.len(), 1);
}
