//! 1.5 stays a number in states, patches, requests and payloads.

use hat_core::buffer::RecvBuf;
use hat_core::eventer::Json;
use hat_core::json::{Limits, Patch, Pointer, Value, diff};
use hat_core::juggler::State;
use hat_core::juggler::client::{self, Client};
use hat_core::juggler::server;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_core::ws::{self, Role};

const NUMBERS: [&str; 6] =
    ["1.5", "-0.25", "1e300", "0", "18446744073709551615", "-9007199254740993"];

fn value(text: &str) -> Value {
    Value::parse(text, &Limits::default()).expect("JSON")
}

/// A test of the other tests: the form of the number is kept, as nothing else keeps it.
#[test]
fn the_feature_is_on() {
    let number: serde_json::Value = serde_json::from_str("1.50").expect("JSON");
    assert_eq!(number.to_string(), "1.50");
}

#[test]
fn values_and_their_texts() {
    for text in NUMBERS {
        let read = value(&format!("[{text}]"));
        assert!(read[0].as_number().is_some(), "{read}");
        let theirs: serde_json::Value = serde_json::from_str(&format!("[{text}]")).expect("JSON");
        assert_eq!(Value::from(theirs.clone()), read);
        let ours = serde_json::Value::from(&read);
        assert!(ours[0].is_number());
        assert_eq!(ours[0].as_f64(), theirs[0].as_f64());
        assert_eq!(value(&read.to_string()), read);
    }
}

#[test]
fn states_and_patches() {
    let path: Pointer = "/boiler/temperature".parse().expect("a path");
    for text in NUMBERS {
        let number = value(text);
        let mut state = State::default();
        state.replace(value(r#"{"boiler": {"temperature": null}}"#)).expect("small");
        let before = state.value().clone();
        state.set(&path, number.clone()).expect("small");
        assert_eq!(state.value().get(&path), Some(&number));
        // as it goes over the wire, and is read there
        let patch: Patch = diff(&before, state.value()).to_string().parse().expect("a patch");
        let mut copy = before;
        patch.apply(&mut copy, &Limits::default()).expect("it fits");
        assert_eq!(copy.get(&path), Some(&number));
        assert!(copy.get(&path).is_some_and(|it| it.as_number().is_some()));
    }
}

/// The next that `machine` gives of what `from` has queued.
fn next<M: Protocol>(from: &mut impl Protocol, machine: &mut M, rx: &mut RecvBuf) -> M::Incoming {
    from.tx().write_to(rx).expect("into memory");
    match machine.poll(rx, Instant::ORIGIN) {
        Ok(Polled::Incoming(incoming)) => incoming,
        _ => panic!("nothing came"),
    }
}

#[test]
fn requests_and_their_answers() {
    let ws = |role| ws::Connection::established(role, ws::Config::default(), Instant::ORIGIN);
    let mut client = Client::new(ws(Role::Client), client::Config::default());
    let mut server = server::Connection::new(ws(Role::Server), server::Config::default());
    let (mut to_client, mut to_server) = (RecvBuf::new(), RecvBuf::new());
    for text in NUMBERS {
        let number = value(text);
        client.request("set", &number).expect("room");
        let server::Incoming::Request { request, data, .. } =
            next(&mut client, &mut server, &mut to_server)
        else {
            panic!("no request")
        };
        assert_eq!(data, number);
        server.respond(request, Ok(&data)).expect("open");
        let client::Incoming::Response { result, .. } =
            next(&mut server, &mut client, &mut to_client)
        else {
            panic!("no answer")
        };
        assert_eq!(result, Ok(number));
    }
}

#[test]
fn payloads() {
    for text in NUMBERS {
        assert_eq!(Json::from_text(text).expect("JSON").text(), text);
    }
}
