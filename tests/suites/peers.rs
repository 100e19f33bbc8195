//! The deployed peers against each other, through the line protocol: it proves the tools before
//! they judge this library.

use std::{env, process::Command};

use hat_tests::peers::{self, ErrorKind, Handle, Peer};
use serde_json::{Value, json};

/// Both ends of one Chatter connection, each in a process of its own.
struct Pair {
    client_peer: Peer,
    server_peer: Peer,
    server: Handle,
    client: Handle,
    conn: Handle,
}

impl Pair {
    fn chatter() -> Self {
        let (client_peer, server_peer) = (Peer::today(), Peer::today());
        let listening = server_peer
            .expect("chatter.listen", json!({"addr": loopback(), "bind_connections": true}));
        let connect = json!({"addr": listening["addresses"][0]});
        Self::connect(client_peer, server_peer, "chatter.connect", connect, &listening)
    }

    fn chatter05() -> Self {
        let (client_peer, server_peer) = (Peer::chatter05(), Peer::chatter05());
        let listening =
            server_peer.expect("chatter05.listen", json!({"address": "tcp+sbs://127.0.0.1:0"}));
        let connect = json!({"address": listening["addresses"][0]});
        Self::connect(client_peer, server_peer, "chatter05.connect", connect, &listening)
    }

    fn connect(
        client_peer: Peer,
        server_peer: Peer,
        method: &str,
        params: Value,
        listening: &Value,
    ) -> Self {
        let server = peers::handle(&listening["obj"]);
        let client = client_peer.open(method, params);
        let conn = peers::handle(&server_peer.event("accepted", server)["conn"]);
        Self { client_peer, server_peer, server, client, conn }
    }
}

fn loopback() -> Value {
    json!({"host": "127.0.0.1", "port": 0})
}

#[test]
fn chatter_conversation() {
    if peers::skipped("chatter_conversation") {
        return;
    }
    let Pair { client_peer, server_peer, client, conn, .. } = Pair::chatter();

    // a waiting `receive` holds up nothing else
    let received = client_peer.start("chatter.receive", json!({"obj": client}));
    let request = json!({"obj": client, "type": "Test.Req", "data": peers::to_base64("question"), "conv": null,
                         "last": false, "token": true});
    let conv = client_peer.expect("chatter.send", request);
    assert_eq!(conv, json!({"owner": true, "first_id": 1}));
    assert!(!received.is_ready());

    let message = server_peer.expect("chatter.receive", json!({"obj": conn}));
    assert_eq!(peers::from_base64(&message["data"]), b"question");
    assert_eq!(
        message,
        json!({"type": "Test.Req", "data": message["data"], "conv": {"owner": false, "first_id": 1},
               "first": true, "last": false, "token": true})
    );

    let response = json!({"obj": conn, "type": "Test.Res", "data": peers::to_base64(vec![7; 1 << 20]),
                          "conv": message["conv"], "last": true, "token": false});
    assert_eq!(server_peer.expect("chatter.send", response), message["conv"]);
    let message = received.expect();
    assert_eq!(peers::from_base64(&message["data"]), vec![7; 1 << 20]);
    assert_eq!(
        (&message["conv"], &message["first"], &message["last"]),
        (&conv, &json!(false), &json!(true))
    );
}

#[test]
fn chatter_close_reaches_the_other_side() {
    if peers::skipped("chatter_close_reaches_the_other_side") {
        return;
    }
    let Pair { client_peer, server_peer, client, conn, server } = Pair::chatter();

    let send = json!({"obj": client, "type": "Test.Last", "data": "", "conv": null, "last": true, "token": true});
    client_peer.expect("chatter.send", send.clone());
    client_peer.expect("chatter.drain", json!({"obj": client}));
    client_peer.expect("close", json!({"obj": client}));
    // both have come before the response
    assert!(client_peer.try_event("closing", client).is_some());
    assert!(client_peer.try_event("closed", client).is_some());

    server_peer.event("closing", conn);
    server_peer.event("closed", conn);
    let receive = || server_peer.request("chatter.receive", json!({"obj": conn}));
    assert_eq!(receive().expect("what came before the close is received")["type"], "Test.Last");
    assert_eq!(receive().expect_err("the connection is closed").kind, ErrorKind::Connection);
    let error = client_peer.request("chatter.send", send).expect_err("the connection is closed");
    assert_eq!(error.kind, ErrorKind::Connection);
    assert_eq!(server_peer.try_event("closing", server), None);
}

#[test]
fn chatter_server_closes_its_connections_first() {
    if peers::skipped("chatter_server_closes_its_connections_first") {
        return;
    }
    let Pair { client_peer, server_peer, client, conn, server } = Pair::chatter();

    server_peer.expect("close", json!({"obj": server}));
    assert!(server_peer.try_event("closed", conn).is_some());
    assert!(server_peer.try_event("closed", server).is_some());
    client_peer.event("closed", client);
}

#[test]
fn chatter05_conversation() {
    if peers::skipped("chatter05_conversation") {
        return;
    }
    let Pair { client_peer, server_peer, client, conn, .. } = Pair::chatter05();

    let request = json!({"obj": client, "module": "Test", "type": "Req", "data": peers::to_base64([0x85]),
                         "conv": null, "last": false, "token": true, "timeout": null});
    let conv = client_peer.expect("chatter05.send", request);
    let message = server_peer.expect("chatter05.receive", json!({"obj": conn}));
    assert_eq!(
        message,
        json!({"module": "Test", "type": "Req", "data": peers::to_base64([0x85]),
               "conv": {"owner": false, "first_id": 1}, "first": true, "last": false, "token": true})
    );

    let response = json!({"obj": conn, "module": null, "type": "Integer", "data": "", "conv": message["conv"],
                          "last": true, "token": true, "timeout": null});
    server_peer.expect("chatter05.send", response);
    let message = client_peer.expect("chatter05.receive", json!({"obj": client}));
    assert_eq!((&message["module"], &message["conv"]), (&Value::Null, &conv));

    server_peer.expect("close", json!({"obj": conn}));
    client_peer.event("closed", client);
    let error = client_peer
        .request("chatter05.receive", json!({"obj": client}))
        .expect_err("nothing is left");
    assert_eq!(error.kind, ErrorKind::Connection);
}

#[test]
fn chatter05_conversation_timeout() {
    if peers::skipped("chatter05_conversation_timeout") {
        return;
    }
    let Pair { client_peer, server_peer, client, conn, .. } = Pair::chatter05();
    let send = |peer: &Peer, object: Handle, conv: &Value, last: bool, timeout: Option<f64>| {
        let params = json!({"obj": object, "module": "Test", "type": "Msg", "data": "", "conv": conv, "last": last,
                            "token": true, "timeout": timeout});
        peer.expect("chatter05.send", params)
    };

    // the first is answered in time, the second never
    let answered = send(&client_peer, client, &Value::Null, false, Some(0.3));
    let message = server_peer.expect("chatter05.receive", json!({"obj": conn}));
    send(&server_peer, conn, &message["conv"], true, None);
    client_peer.expect("chatter05.receive", json!({"obj": client}));
    let unanswered = send(&client_peer, client, &Value::Null, false, Some(0.3));
    assert_ne!(answered, unanswered);
    assert_eq!(client_peer.event("conv_timeout", client), json!({"conv": unanswered}));
    assert_eq!(client_peer.try_event("conv_timeout", client), None);
}

#[test]
fn chatter05_refuses_bad_addresses() {
    if peers::skipped("chatter05_refuses_bad_addresses") {
        return;
    }
    let peer = Peer::chatter05();
    for address in ["tcp://127.0.0.1:80", "tcp+sbs://127.0.0.1", "nonsense"] {
        let error = peer
            .request("chatter05.connect", json!({"address": address}))
            .expect_err("it is no address");
        assert_eq!(error.kind, ErrorKind::Value, "{address}");
    }
    let address = format!("tcp+sbs://{}", peers::unused_addr());
    let error =
        peer.request("chatter05.connect", json!({"address": address})).expect_err("nobody listens");
    assert_eq!(error.kind, ErrorKind::Connection);
}

#[test]
fn eventer_registers_and_queries() {
    if peers::skipped("eventer_registers_and_queries") {
        return;
    }
    let (peer, addr) = (Peer::today(), peers::to_addr(peers::unused_addr()));
    let listen = json!({"addr": addr, "status": "operational", "has_register_cb": true, "has_query_cb": true});
    let server = peer.open("eventer.listen", listen);
    let connect =
        json!({"addr": addr, "client_name": "c", "subscriptions": [["a", "*"], ["a", "b"]]});
    let connected = peer.expect("eventer.connect", connect);
    assert_eq!(connected["status"], "operational");
    let client = peers::handle(&connected["obj"]);

    let infos = peer.expect("eventer.conn_infos", json!({"obj": server}));
    assert_eq!(
        infos,
        json!([{"id": 1, "client_name": "c", "client_token": null, "subscriptions": [["a", "*"]],
                "server_id": null, "persisted": false}])
    );

    let events = json!([
        {"type": ["a", "b"], "source_timestamp": [-1, 999_999], "payload": {"kind": "json", "data": {"x": [1.5, null]}}},
        {"type": [], "source_timestamp": null, "payload": {"kind": "binary", "type": "t", "data": "AP8="}},
        {"type": ["c"], "source_timestamp": null, "payload": null},
    ]);
    let response = peer
        .start("eventer.register", json!({"obj": client, "events": events, "with_response": true}));
    let call = peer.call_of("register", server);
    assert_eq!(call.params, json!({"info": infos[0], "events": events}));
    let registered = registered(&events);
    call.reply(Ok(json!({"events": registered})));
    assert_eq!(response.expect(), json!({"events": registered}));

    let response =
        peer.start("eventer.register", json!({"obj": client, "events": [], "with_response": true}));
    peer.call_of("register", server).reply(Ok(json!({"events": null})));
    assert_eq!(response.expect(), json!({"events": null}));

    for params in [
        json!({"kind": "latest", "event_types": [["a", "?"]]}),
        json!({"kind": "timeseries", "event_types": null, "t_from": [1, 2], "t_to": null, "source_t_from": null,
               "source_t_to": [3, 4], "order": "ascending", "order_by": "sourceTimestamp", "max_results": 5,
               "last_event_id": [1, 2, 3]}),
        json!({"kind": "server", "server_id": 1, "persisted": true, "max_results": null, "last_event_id": null}),
    ] {
        let response = peer.start("eventer.query", json!({"obj": client, "params": params}));
        let call = peer.call();
        assert_eq!(
            (call.method.as_str(), call.object, &call.params["params"]),
            ("query", server, &params)
        );
        let result = json!({"events": registered, "more_follows": true});
        call.reply(Ok(result.clone()));
        assert_eq!(response.expect(), result);
    }
}

/// What a server makes of events to register.
fn registered(events: &Value) -> Value {
    let events = events.as_array().into_iter().flatten().enumerate();
    let events = events.map(|(index, event)| {
        let mut event = event.clone();
        event["id"] = json!([1, 1, index + 1]);
        event["timestamp"] = json!([100, 5]);
        event
    });
    events.collect()
}

#[test]
fn eventer_notifies_status_and_events() {
    if peers::skipped("eventer_notifies_status_and_events") {
        return;
    }
    let (peer, addr) = (Peer::today(), peers::to_addr(peers::unused_addr()));
    let server = peer.open("eventer.listen", json!({"addr": addr, "status": "standby"}));
    let connect = json!({"addr": addr, "client_name": "c", "subscriptions": [["a", "*"]]});
    let client = peer.open("eventer.connect", connect);

    peer.expect("eventer.set_status", json!({"obj": server, "status": "starting"}));
    let call = peer.call_of("status", client);
    assert_eq!(call.params, json!({"status": "starting"}));
    call.reply(Ok(Value::Null));

    let events = registered(&json!([
        {"type": ["b"], "source_timestamp": null, "payload": null},
        {"type": ["a", "b"], "source_timestamp": null, "payload": null},
    ]));
    let notify = json!({"obj": server, "events": events, "persisted": false, "with_ack": true});
    let notified = peer.start("eventer.notify_events", notify.clone());
    let call = peer.call_of("events", client);
    assert_eq!(call.params, json!({"events": [events[1]]}));
    // the ack waits for the client, and the server for the ack
    assert!(!notified.is_ready());
    call.reply(Ok(Value::Null));
    notified.expect();

    let mut persisted = notify;
    persisted["persisted"] = json!(true);
    peer.expect("eventer.notify_events", persisted);
    assert!(peer.try_call().is_none());
}

#[test]
fn eventer_rejects_a_client() {
    if peers::skipped("eventer_rejects_a_client") {
        return;
    }
    let (peer, addr) = (Peer::today(), peers::to_addr(peers::unused_addr()));
    let server = peer.open(
        "eventer.listen",
        json!({"addr": addr, "has_connected_cb": true, "has_disconnected_cb": true}),
    );
    let connect = json!({"addr": addr, "client_name": "c", "client_token": "t", "server_id": 3, "persisted": true});

    let connecting = peer.start("eventer.connect", connect.clone());
    peer.call_of("connected", server).reply(Err("not you"));
    let error = connecting.wait().expect_err("the server has said no");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Init, "not you"));

    let connecting = peer.start("eventer.connect", connect);
    let call = peer.call_of("connected", server);
    let info = call.params["info"].clone();
    assert_eq!((&info["client_token"], &info["server_id"]), (&json!("t"), &json!(3)));
    call.reply(Ok(Value::Null));
    let client = peers::handle(&connecting.expect()["obj"]);

    peer.expect("close", json!({"obj": client}));
    // only the client that was let in has left
    let call = peer.call_of("disconnected", server);
    assert_eq!(call.params["info"], info);
    call.reply(Ok(Value::Null));
    peer.expect("close", json!({"obj": server}));
    assert!(peer.try_call().is_none());
}

#[test]
fn reset_drops_calls_and_forgets_objects() {
    if peers::skipped("reset_drops_calls_and_forgets_objects") {
        return;
    }
    let (peer, addr) = (Peer::today(), peers::to_addr(peers::unused_addr()));
    let listen = json!({"addr": addr, "has_disconnected_cb": true, "has_query_cb": true});
    let server = peer.open("eventer.listen", listen);
    let client = peer.open("eventer.connect", json!({"addr": addr, "client_name": "c"}));
    let query = json!({"obj": client, "params": {"kind": "latest", "event_types": null}});
    let response = peer.start("eventer.query", query);
    let unanswered = peer.call_of("query", server);

    peer.expect("reset", json!({}));
    assert_eq!(response.wait().expect_err("the connection is closed").kind, ErrorKind::Connection);
    unanswered.reply(Ok(json!({"events": [], "more_follows": false})));
    assert!(peer.try_call().is_none());
    let error = peer.request("close", json!({"obj": server})).expect_err("the handle is forgotten");
    assert_eq!(error.kind, ErrorKind::Connection);

    // the address is free again, and handles are not reused
    let again = peer.open("eventer.listen", json!({"addr": addr}));
    assert!(again > client);
}

#[test]
fn sbs_encodes_and_decodes() {
    if peers::skipped("sbs_encodes_and_decodes") {
        return;
    }
    let peer = Peer::today();
    let schemas = json!([
        "module A T = Record { i: Integer, f: Float, s: Array(String), o: Optional(B.C) }",
        "module B C = Choice { b: Bytes, t: Boolean, n: None }"
    ]);
    let value = json!({"i": "-65", "f": {"bits": "7ff0000000000001"}, "s": ["", "č"], "o": ["value", ["b", "00ff"]]});
    let encoded =
        peer.expect("sbs.encode", json!({"schemas": schemas, "type": "A.T", "value": value}));
    let bytes = b"\x7f\xbf\x7f\xf0\0\0\0\0\0\x01\x82\x80\x82\xc4\x8d\x81\x80\x82\0\xff";
    assert_eq!(peers::from_base64(&encoded["data"]), bytes);
    let decoded = peer
        .expect("sbs.decode", json!({"schemas": schemas, "type": "A.T", "data": encoded["data"]}));
    assert_eq!(decoded, json!({"value": value}));

    let huge = |serializer| json!({"schemas": [], "type": "Integer", "value": "9223372036854775808", "serializer": serializer});
    assert_eq!(
        peer.request("sbs.encode", huge("default")).map_err(|error| error.kind),
        Err(ErrorKind::Value)
    );
    let encoded = peer.expect("sbs.encode", huge("python"));
    assert_eq!(peers::from_base64(&encoded["data"]), b"\x01\0\0\0\0\0\0\0\0\x80");
}

#[test]
fn unknown_methods_are_unsupported() {
    if peers::skipped("unknown_methods_are_unsupported") {
        return;
    }
    let peer = Peer::today();
    assert_eq!(
        peer.features(),
        ["chatter", "eventer", "json", "juggler", "mms", "sbs", "tpkt", "cotp"]
    );
    for method in ["chatter.nonsense", "nonsense", "chatter05.connect", "chatter.__init__"] {
        let error = peer.request(method, json!({})).expect_err("there is no such method");
        assert_eq!(error.kind, ErrorKind::Unsupported, "{method}");
    }
}

#[test]
#[should_panic(expected = "Unrecognized option: 'nonsense'")]
fn a_peer_that_ends_is_reported_with_its_last_words() {
    // this very program does not know the option, says so and ends
    let mut command = Command::new(env::current_exe().expect("this program is a file"));
    command.arg("--nonsense");
    Peer::command(command);
}
