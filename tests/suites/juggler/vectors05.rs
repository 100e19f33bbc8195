//! What `hat-juggler` 0.5.14 writes and reads, text by text.

use std::time::Duration;

use hat_core::juggler::rpc::{self, Actions, CallHandler};
use hat_tests::pair::{GRAINS, Pair};
use hat_tests::vectors::{boolean, list, load, text};

use super::*;

/// Sent at every change.
fn at_once() -> peer::Config {
    peer::Config { autoflush_delay: Some(Duration::ZERO), ..peer::Config::default() }
}

/// A list, which may be empty.
fn items(value: &serde_json::Value) -> &[serde_json::Value] {
    value.as_array().expect("a list")
}

#[test]
fn its_local_data_is_our_remote_data() {
    let vector = load("juggler05");
    for grain in GRAINS {
        for case in list(&vector["local_data_cases"]) {
            let mut pair = to_peer(at_once(), grain);
            for (data, messages) in items(&case["local_data"]).iter().zip(items(&case["messages"]))
            {
                for message in items(messages) {
                    say(&mut pair, &[&message.to_string()]);
                    assert_eq!(pair.b.take(), peer::Incoming::Data);
                }
                assert_eq!(pair.b.machine.remote_data(), &of(data), "{case}");
            }
        }
    }
}

/// As many messages as the deployed peer sends, that say as much.
#[test]
fn our_local_data_is_sent_when_theirs_is() {
    let vector = load("juggler05");
    for case in list(&vector["local_data_cases"]) {
        let mut pair = to_peer(at_once(), 7);
        let mut reader = to_peer(at_once(), 7);
        for (data, messages) in items(&case["local_data"]).iter().zip(items(&case["messages"])) {
            pair.b.machine.set_local_data(of(data)).expect("small");
            pair.drive();
            let sent = texts(&mut pair.a);
            assert_eq!(sent.len(), items(messages).len(), "{case}");
            for (sent, theirs) in sent.iter().zip(items(messages)) {
                let (sent, theirs) = (json(sent), of(theirs));
                if theirs["payload"][0]["path"] == Value::from("") {
                    assert_eq!(sent, theirs);
                }
                say(&mut reader, &[&sent.to_string()]);
            }
            assert_eq!(reader.b.machine.remote_data(), &of(data), "{case}");
        }
    }
}

#[test]
fn its_verdicts() {
    let vector = load("juggler05");
    for grain in GRAINS {
        for case in list(&vector["receive_cases"]) {
            let note = text(&case["note"]);
            let mut pair = to_peer(peer::Config::default(), grain);
            for frame in list(&case["frames"]) {
                match frame.as_str() {
                    Some(text) => pair.a.machine.send_text(&text.into()),
                    None => pair.a.machine.send_binary(&hat_tests::vectors::hex(&frame["binary"])),
                }
                .expect("room");
            }
            pair.drive();
            assert_eq!(pair.b.error.is_some(), boolean(&case["closed"]), "{note}");
            let answers: Vec<_> = items(&case["answers"]).iter().map(|it| json(text(it))).collect();
            let got: Vec<_> = texts(&mut pair.a).iter().map(|text| json(text)).collect();
            assert_eq!(got, answers, "{note}");
            let payload = |incoming| match incoming {
                peer::Incoming::Message { payload, .. } => Some(payload),
                _ => None,
            };
            let got: Vec<_> = pair.b.incoming.drain(..).filter_map(payload).collect();
            let messages: Vec<_> = items(&case["messages"]).iter().map(of).collect();
            assert_eq!(got, messages, "{note}");
            assert_eq!(pair.b.machine.remote_data(), &of(&case["remote_data"]), "{note}");
        }
    }
}

fn to_rpc(grain: usize) -> Pair<ws::Connection, rpc::Connection> {
    let rpc = rpc::Connection::new(websocket(Role::Server), rpc::Config::default());
    Pair::new(websocket(Role::Client), rpc, grain)
}

#[test]
fn our_calls_are_theirs() {
    let vector = load("juggler05");
    for case in list(&vector["rpc_cases"]) {
        let mut pair = to_rpc(7);
        for call in list(&case["calls"]) {
            let args: Vec<_> = items(&call["args"]).iter().map(of).collect();
            pair.b.machine.call(text(&call["action"]), &args).expect("room");
        }
        pair.drive();
        let sent: Vec<_> = texts(&mut pair.a).iter().map(|text| json(text)).collect();
        assert_eq!(sent, items(&case["messages"]).iter().map(of).collect::<Vec<_>>());
    }
}

/// Does what the actions of the deployed peer do, which the vector was made with.
fn serve(pair: &mut Pair<ws::Connection, rpc::Connection>) -> Vec<Value> {
    enum Action {
        Act,
        Fail,
    }
    let actions = Actions::new().with("act", Action::Act).with("fail", Action::Fail);
    let mut received = Vec::new();
    for incoming in std::mem::take(&mut pair.b.incoming) {
        match incoming {
            rpc::Incoming::Message { payload, .. } => received.push(payload),
            rpc::Incoming::Call { request, action, args, .. } => {
                let machine = &mut pair.b.machine;
                match actions.find(&action) {
                    Some(CallHandler::Named(Action::Act)) => {
                        match args.get(0).and_then(Value::as_i64) {
                            Some(x) => machine.respond(request, Ok(&(x + 1).into())),
                            None => machine.respond(request, Err(&"an argument is missing".into())),
                        }
                    }
                    Some(CallHandler::Named(Action::Fail)) => {
                        machine.respond(request, Err(&"abc".into()))
                    }
                    Some(CallHandler::Default(_)) => panic!("there is none"),
                    None => machine.refuse_action(request),
                }
                .expect("it is open");
            }
            other => panic!("not a call: {other:?}"),
        }
    }
    pair.drive();
    received
}

#[test]
fn our_answers_are_theirs() {
    let vector = load("juggler05");
    for grain in GRAINS {
        for case in list(&vector["rpc_answer_cases"]) {
            let mut pair = to_rpc(grain);
            let message = format!(r#"{{"type":"MESSAGE","payload":{}}}"#, case["payload"]);
            say(&mut pair, &[&message]);
            let received = serve(&mut pair);
            assert_eq!(received, items(&case["received"]).iter().map(of).collect::<Vec<_>>());
            assert_eq!(pair.b.error.is_some(), boolean(&case["closed"]), "{case}");
            let answers: Vec<_> = texts(&mut pair.a).iter().map(|text| json(text)).collect();
            let mut expected: Vec<_> = items(&case["answers"]).iter().map(of).collect();
            // the text of a Python error is Python's own
            if case["note"] == "wrong number of args" {
                let result = "/payload/result".parse().expect("a path");
                let limits = Limits::default();
                expected[0].set(&result, "an argument is missing", &limits).expect("small");
            }
            assert_eq!(answers, expected, "{case}");
        }
    }
}
