//! Texts that no peer should send, each with what comes of it. `end` says how the error starts, `-`
//! that it does not end.

use hat_core::juggler::rpc;

use super::*;

/// Feeds each text to a machine of its own, and compares what became of it.
fn table<P: Protocol>(machine: impl Fn(Role) -> P, role: Role, rows: &[(&str, &str)]) {
    let other = if role == Role::Client { Role::Server } else { Role::Client };
    for grain in [1, usize::MAX] {
        for (text, end) in rows {
            let mut pair = Pair::new(websocket(other), machine(role), grain);
            say(&mut pair, &[text]);
            let error = pair.b.error.as_ref().map(ToString::to_string);
            match (*end, error) {
                ("-", None) => assert!(!pair.b.machine.is_closed()),
                ("-", Some(error)) => panic!("{text}: {error}"),
                (end, None) => panic!("{text}: not the end ({end})"),
                (end, Some(error)) => {
                    assert!(error.starts_with(end), "{text}: {error}");
                    // the other side is told
                    let (code, reason) = close_of(&pair.a);
                    assert!([1002, 1003, 1007, 1009].contains(&code), "{text}: {code}");
                    assert!(error.starts_with(&reason), "{text}: {reason}");
                }
            }
        }
    }
}

#[test]
fn to_a_server() {
    table(
        |_| server(server_config()),
        Role::Server,
        &[
            ("", "an empty text message, but"),
            ("x", "a text message that starts with 'x'"),
            ("4", "a text message that starts with '4'"),
            ("č0", "a text message that starts with 'č'"),
            (
                r#"{"type":"MESSAGE","payload":1}"#,
                "a text message that starts with '{', but Juggler 0.7 starts each with 0, 1, 2 or 3: does the peer speak 0.5?",
            ),
            ("0", "a message was not accepted as JSON"),
            ("0{", "a message was not accepted as JSON"),
            ("0nul", "a message was not accepted as JSON"),
            ("0{}{}", "a message was not accepted as JSON"),
            (
                r#"0{"type":"request","id":NaN,"name":"","data":1}"#,
                "a message was not accepted as JSON",
            ),
            ("0null", "malformed message: no members"),
            ("0[]", "malformed message: no members"),
            (r#"0"request""#, "malformed message: no members"),
            ("0{}", "malformed message: no `type`"),
            (r#"0{"type":1}"#, "malformed message: a `type` that is not a string"),
            (r#"0{"type":""}"#, "a message of the unknown type ``"),
            (
                r#"0{"type":"response","id":1,"success":true,"data":1}"#,
                "a message of the unknown type `response`",
            ),
            (r#"0{"type":"state","diff":[]}"#, "a message of the unknown type `state`"),
            (r#"0{"type":"notify","name":"n","data":1}"#, "a message of the unknown type `notify`"),
            (
                r#"0{"type":"Request","id":1,"name":"n","data":1}"#,
                "a message of the unknown type `Request`",
            ),
            (r#"0{"type":"request","name":"n","data":1}"#, "malformed request: no `id`"),
            (r#"0{"type":"request","id":1,"data":1}"#, "malformed request: no `name`"),
            (r#"0{"type":"request","id":1,"name":""}"#, "malformed request: no `data`"),
            (
                r#"0{"type":"request","id":1,"name":"n","data":1,"type":"x"}"#,
                "a message of the unknown type `x`",
            ),
            (r#"0{"type":"request","id":1,"name":"n"}"#, "-"),
            (r#"0{"type":"request","id":1,"name":5,"data":1}"#, "-"),
            (r#"0{"type":"request","id":null,"name":"n","data":1}"#, "-"),
            (
                r#" 0{"type":"request","id":1,"name":"n","data":1}"#,
                "a text message that starts with ' '",
            ),
            (r#"0 {"type":"request","id":1,"name":"n","data":1} "#, "-"),
            ("3", "-"),
            ("3unasked", "-"),
            ("2", "-"),
            ("1", "-"),
        ],
    );
}

/// We repeat ids, so they must not be of any size.
#[test]
fn an_id_that_is_too_long() {
    let request =
        |len| format!(r#"0{{"type":"request","id":"{}","name":"n","data":1}}"#, "x".repeat(len));
    table(
        |_| server(server_config()),
        Role::Server,
        &[
            (&request(254), "-"),
            (&request(255), "malformed request: an `id` of 257 bytes (limit: 256)"),
        ],
    );
}

/// What an error says of the peer's own text is short.
#[test]
fn a_type_that_is_too_long() {
    let mut pair = to_server(server_config(), usize::MAX);
    say(&mut pair, &[&format!(r#"0{{"type":"{}"}}"#, "č".repeat(100_000))]);
    let error = pair.b.error.as_ref().expect("unknown").to_string();
    assert_eq!(error, format!("a message of the unknown type `{}`", "č".repeat(32)));
    assert!(close_of(&pair.a).1.len() <= 123);
}

#[test]
fn to_a_client() {
    table(
        |_| client(client_config()),
        Role::Client,
        &[
            (
                r#"0{"type":"request","id":1,"name":"n","data":1}"#,
                "a message of the unknown type `request`",
            ),
            (r#"0{"type":"response","success":true,"data":1}"#, "malformed response: no `id`"),
            (r#"0{"type":"response","id":1}"#, "-"),
            (r#"0{"type":"response","id":[],"success":true,"data":1}"#, "-"),
            (r#"0{"type":"state"}"#, "malformed state: no `diff`"),
            (r#"0{"type":"state","diff":{}}"#, "the changes of a state are not a JSON Patch"),
            (r#"0{"type":"state","diff":[1]}"#, "the changes of a state are not a JSON Patch"),
            (
                r#"0{"type":"state","diff":[{"op":"replace","path":""}]}"#,
                "the changes of a state are not a JSON Patch",
            ),
            (
                r#"0{"type":"state","diff":[{"op":"put","path":"","value":1}]}"#,
                "the changes of a state are not a JSON Patch",
            ),
            (
                r#"0{"type":"state","diff":[{"op":"remove","path":"/a"}]}"#,
                "the changes of a state cannot be applied",
            ),
            (
                r#"0{"type":"state","diff":[{"op":"test","path":"","value":1}]}"#,
                "the changes of a state cannot be applied",
            ),
            (r#"0{"type":"state","diff":[{"op":"test","path":"","value":null}]}"#, "-"),
            (r#"0{"type":"state","diff":[]}"#, "-"),
            (r#"0{"type":"notify","data":1}"#, "malformed notify: no `name`"),
            (
                r#"0{"type":"notify","name":1,"data":1}"#,
                "malformed notify: a `name` that is not a string",
            ),
            (r#"0{"type":"notify","name":"n"}"#, "malformed notify: no `data`"),
            (r#"0{"type":"notify","name":"","data":1}"#, "-"),
        ],
    );
}

/// A response is looked at if a request waits for it.
#[test]
fn to_a_client_that_waits() {
    let asking = |_| {
        let mut client = client(client_config());
        client.request("n", &Value::Null).expect("room");
        client
    };
    table(
        asking,
        Role::Client,
        &[
            (r#"0{"type":"response","id":1}"#, "malformed response: no `success`"),
            (r#"0{"type":"response","id":1,"success":true}"#, "malformed response: no `data`"),
            (r#"0{"type":"response","id":1,"success":"yes","data":1}"#, "-"),
        ],
    );
}

#[test]
fn to_a_peer() {
    let peer = |role| peer::Connection::new(websocket(role), peer::Config::default());
    for role in [Role::Client, Role::Server] {
        table(
            peer,
            role,
            &[
                ("", "a message was not accepted as JSON"),
                (
                    r#"0{"type":"request","id":1,"name":"n","data":1}"#,
                    "a message was not accepted as JSON",
                ),
                ("1", "malformed message: no members"),
                (r#"{"type":"PONG","payload":{}}"#, "a message of the unknown type `PONG`"),
                (r#"{"type":"MESSAGE"}"#, "malformed MESSAGE message: no `payload`"),
                (r#"{"type":"DATA"}"#, "malformed DATA message: no `payload`"),
                (r#"{"type":"DATA","payload":1}"#, "the changes of a state are not a JSON Patch"),
                (
                    r#"{"type":"DATA","payload":[{"op":"add","path":"/a/b","value":1}]}"#,
                    "the changes of a state cannot be applied",
                ),
                (r#"{"type":"PING"}"#, "-"),
                (r#"{"type":"PING","payload":[1],"more":2}"#, "-"),
            ],
        );
    }
}

#[test]
fn to_a_peer_with_calls() {
    let rpc = |role| rpc::Connection::new(websocket(role), rpc::Config::default());
    let message = |payload: &str| format!(r#"{{"type":"MESSAGE","payload":{payload}}}"#);
    let rows = [
        (r#"{"type":"rpc"}"#, "malformed rpc message: no `direction`"),
        (
            r#"{"type":"rpc","direction":1}"#,
            "malformed rpc message: a `direction` that is not a string",
        ),
        (
            r#"{"type":"rpc","direction":"both"}"#,
            "malformed rpc message: a `direction` that is not a `request` or `response`",
        ),
        (
            r#"{"type":"rpc","direction":"request","action":"a","args":[]}"#,
            "malformed rpc request: no `id`",
        ),
        (
            r#"{"type":"rpc","direction":"request","id":1,"args":[]}"#,
            "malformed rpc request: no `action`",
        ),
        (
            r#"{"type":"rpc","direction":"request","id":1,"action":"a"}"#,
            "malformed rpc request: no `args`",
        ),
        (
            r#"{"type":"rpc","direction":"response","success":true,"result":1}"#,
            "malformed rpc response: no `id`",
        ),
        (r#"{"type":"rpc","direction":"response","id":1}"#, "-"),
        (r#"{"type":"RPC"}"#, "-"),
    ];
    for (payload, end) in rows {
        table(rpc, Role::Server, &[(&message(payload), end)]);
    }
}

#[test]
fn binary_messages() {
    let mut pair = to_server(server_config(), 1);
    pair.a.machine.send_binary(&b"0{}"[..].into()).expect("room");
    pair.drive();
    assert_eq!(pair.b.error, Some(juggler::Error::Binary { size: 3 }));
    assert_eq!(close_of(&pair.a).0, 1003);
}
