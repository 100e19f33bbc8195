//! Literal bytes of the deployed peers: frames, odd input, and whole sessions.

use bytes::Bytes;
use hat_core::chatter::{
    Config, Connection, Conversation, Data, Dialect, Incoming, PingRule, SendOptions,
};
use hat_core::time::Instant;
use hat_tests::pair::{GRAINS, Pair};
use hat_tests::vectors::{boolean, hex, integer, list, load, text};
use serde_json::Value;

fn config(dialect: Dialect) -> Config {
    Config { ping: PingRule::Off, ..Config::new(dialect) }
}

fn data(dialect: Dialect, msg: &Value) -> Data {
    let module = (dialect == Dialect::Hat).then(|| msg["module"].as_str()).flatten();
    Data {
        module: module.map(Into::into),
        r#type: text(&msg["type"]).into(),
        data: hex(&msg["data"]),
    }
}

fn conversation(value: &Value) -> Conversation {
    Conversation { first_id: integer(&value["first_id"]), owner: boolean(&value["owner"]) }
}

/// What one connection gives for `bytes`, fed `grain` bytes at a time.
fn received(dialect: Dialect, bytes: &[u8], grain: usize) -> Pair<Connection, Connection> {
    let connection = || Connection::new(config(dialect), Instant::ORIGIN);
    let mut pair = Pair::new(connection(), connection(), grain);
    for chunk in bytes.chunks(grain.min(bytes.len().max(1))) {
        pair.a.feed(chunk, Instant::ORIGIN);
    }
    pair
}

#[track_caller]
fn is_received(dialect: Dialect, bytes: &[u8], msg: &Value) -> hat_core::chatter::Message {
    let mut first = None;
    for grain in GRAINS {
        let mut pair = received(dialect, bytes, grain);
        let message = super::message(pair.a.take());
        assert_eq!(message.data, data(dialect, msg));
        assert_eq!(message.conversation.first_id, integer(&msg["first"]));
        assert_eq!(message.conversation.owner, !boolean(&msg["owner"]));
        assert_eq!((message.last, message.token), (boolean(&msg["last"]), boolean(&msg["token"])));
        first = Some(message);
    }
    first.expect("there are grains")
}

/// The frame of a case. Of a large one the vectors hold the start, before its data, which ends it.
fn frame(case: &Value) -> Bytes {
    if case.get("frame").is_some() {
        return hex(&case["frame"]);
    }
    let len = usize::try_from(integer(&case["frame_len"])).expect("a length");
    let data = hex(&case["msg"]["data"]);
    let start = hex(&case["frame_prefix"]).slice(..len - data.len());
    [start, data].concat().into()
}

fn frames(name: &str, dialect: Dialect) {
    let vectors = load(name);
    for case in list(&vectors["cases"]) {
        let (msg, frame) = (&case["msg"], frame(case));
        let ping = ["HatChatter.Ping", "HatChatter.Pong"].contains(&text(&msg["type"]));
        if !ping && msg["module"] != "HatPing" {
            let message = is_received(dialect, &frame, msg);
            assert_eq!(message.conversation, conversation(&case["received"]["conv"]));
            assert_eq!(message.first, boolean(&case["received"]["first"]));
        }
        if integer(&msg["id"]) == 1 && boolean(&case["received"]["first"]) {
            let mut pair = received(dialect, &[], 1);
            let options = SendOptions {
                last: boolean(&msg["last"]),
                token: boolean(&msg["token"]),
                ..SendOptions::default()
            };
            pair.a.machine.send(data(dialect, msg), options).expect("sent");
            assert!(pair.a.take_tx() == frame, "{case}");
        }
    }
    for case in list(&vectors["decode_cases"]) {
        let bytes = hex(&case["hex"]);
        if case.get("msg").is_some() {
            is_received(dialect, &bytes, &case["msg"]);
        } else {
            for grain in GRAINS {
                let mut pair = received(dialect, &bytes, grain);
                pair.a.rx.eof = true;
                pair.drive();
                assert!(pair.a.error.is_some() && pair.a.incoming.is_empty(), "{case}");
            }
        }
    }
}

#[test]
fn frames_of_hat_drivers() {
    frames("chatter", Dialect::HatChatter);
}

#[test]
fn frames_of_hat_chatter_05() {
    frames("chatter05", Dialect::Hat);
}

#[test]
fn a_session_of_hat_drivers() {
    let sessions = load("chatter_sessions");
    let session = &list(&sessions["sessions"])[0];
    let mut pair = received(Dialect::HatChatter, &[], 1);
    for step in list(&session["steps"]) {
        let wire = hex(&step["wire"]);
        if step["do"] == "inject" {
            pair.a.feed(&wire, Instant::ORIGIN);
            match step.get("answer") {
                Some(answer) => assert_eq!(pair.a.take_tx(), hex(answer)),
                None => same_message(pair.a.take(), &step["received"]),
            }
            continue;
        }
        let args = &step["args"];
        let continued = args["conv"].is_object().then(|| conversation(&args["conv"]));
        // the peer sends without the token; we get it back first
        if text(&args["type"]) == "C" {
            pair.a.feed(b"\x01\x08\x90\x81\x00\x01\x00\x81-\x80", Instant::ORIGIN);
            super::message(pair.a.take());
        }
        let options = SendOptions {
            conversation: continued,
            last: boolean(&args["last"]),
            token: boolean(&args["token"]),
            timeout: None,
        };
        let sent = pair.a.machine.send(data(Dialect::HatChatter, args), options);
        assert_eq!(sent, Ok(conversation(&step["conv"])));
        assert_eq!(pair.a.take_tx(), wire);
    }
}

#[track_caller]
fn same_message(incoming: Incoming, expected: &Value) {
    let message = super::message(incoming);
    assert_eq!(message.data.r#type, text(&expected["type"]));
    assert_eq!(message.data.module.as_deref(), expected["module"].as_str());
    assert_eq!(message.conversation, conversation(&expected["conv"]));
    assert_eq!(message.first, boolean(&expected["first"]));
    assert_eq!(message.last, boolean(&expected["last"]));
    assert_eq!(message.token, boolean(&expected["token"]));
}

#[test]
fn a_session_of_hat_chatter_05() {
    let sessions = load("chatter05_sessions");
    let steps = list(&list(&sessions["sessions"])[0]["steps"]);
    let test = |name, value: &'static [u8]| Data::with_module("Test", name, value);
    let to = |first_id, owner| Some(Conversation { first_id, owner });
    let (new, first) = (SendOptions::default(), SendOptions { last: false, ..Default::default() });
    let mut sends = [
        (test("Num", b"\x00\xfb"), first),
        (Data::new("Integer", &b"\x85"[..]), new),
        (test("Nothing", b""), SendOptions { conversation: to(1, true), ..new }),
        (test("Data", b"\x81y"), SendOptions { conversation: to(1, false), ..new }),
    ]
    .into_iter();
    let mut pair = received(Dialect::Hat, &[], 1);
    for step in steps {
        let wire: Bytes = hex(&step["wire"]);
        if step["do"] == "inject" {
            pair.a.feed(&wire, Instant::ORIGIN);
            match step.get("answer") {
                Some(answer) => assert_eq!(pair.a.take_tx(), hex(answer)),
                None => same_message(pair.a.take(), &step["received"]),
            }
            continue;
        }
        let (data, options) = sends.next().expect("one send a step");
        if data.r#type == "Nothing" {
            pair.a.feed(b"\x01\x09\x90\x81\x00\x01\x00\x80\x81-\x80", Instant::ORIGIN);
            super::message(pair.a.take());
        }
        let sent = pair.a.machine.send(data, options);
        assert_eq!(sent, Ok(conversation(&step["conv"])));
        assert_eq!(pair.a.take_tx(), wire, "{step}");
    }
    assert!(sends.next().is_none());
}

#[test]
fn the_ping_of_an_idle_connection() {
    for (name, dialect) in
        [("chatter_sessions", Dialect::HatChatter), ("chatter05_sessions", Dialect::Hat)]
    {
        let sessions = load(name);
        let wire = hex(&list(&sessions["sessions"])[1]["steps"][0]["wire"]);
        let connection = || Connection::new(Config::new(dialect), Instant::ORIGIN);
        let mut pair = Pair::new(connection(), connection(), usize::MAX);
        pair.b.stalled = true;
        pair.wait(std::time::Duration::from_secs(20));
        assert_eq!(pair.a.take_tx(), wire);
    }
}
