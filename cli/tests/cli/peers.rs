//! The deployed client, `hat.event.eventer`, against `hat serve`.

use hat_tests::peers::{self, ErrorKind, Handle, Peer};
use serde_json::{Value, json};

use crate::on_every_runtime;
use crate::process::Server;

/// A deployed client of `server`, with these arguments besides.
fn connect(peer: &Peer, server: &Server, name: &str, more: &Value) -> Handle {
    peer.open("eventer.connect", request(server, name, more))
}

fn request(server: &Server, name: &str, more: &Value) -> Value {
    let addr = server.address.parse().map(peers::to_addr).expect("an address");
    let mut request = json!({"addr": addr, "client_name": name});
    for (name, value) in more.as_object().expect("an object") {
        request[name] = value.clone();
    }
    request
}

fn register(peer: &Peer, client: Handle, events: &Value, with_response: bool) -> Value {
    let params = json!({"obj": client, "events": events, "with_response": with_response});
    peer.expect("eventer.register", params)["events"].clone()
}

fn query(peer: &Peer, client: Handle, params: &Value) -> Value {
    peer.expect("eventer.query", json!({"obj": client, "params": params}))
}

fn timeseries(more: &Value) -> Value {
    let mut params = json!({"kind": "timeseries", "event_types": null, "t_from": null, "t_to": null,
        "source_t_from": null, "source_t_to": null, "order": "descending", "order_by": "timestamp",
        "max_results": null, "last_event_id": null});
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    params
}

/// The next events that the client is told.
#[track_caller]
fn told(peer: &Peer, client: Handle) -> Value {
    let call = peer.call_of("events", client);
    let events = call.params["events"].clone();
    call.reply(Ok(Value::Null));
    events
}

on_every_runtime! {
    fn registers_and_queries(runtime) {
        if peers::skipped("registers_and_queries") {
            return;
        }
        let (peer, server) = (Peer::today(), Server::start(runtime, "--server-id 3 --max-results 3"));
        let client = connect(&peer, &server, "c", &json!({}));
        let events = json!([
            {"type": ["a", "b"], "source_timestamp": [-1, 999_999], "payload": {"kind": "json", "data": {"x": [1.5, null]}}},
            {"type": [], "source_timestamp": null, "payload": {"kind": "binary", "type": "t", "data": "AP8="}},
        ]);
        let first = register(&peer, client, &events, true);
        let mut expected = events.clone();
        for (event, instance) in expected.as_array_mut().expect("a list").iter_mut().zip(1..) {
            event["id"] = json!([3, 1, instance]);
            event["timestamp"] = first[0]["timestamp"].clone();
        }
        assert_eq!(first, expected);
        let second = json!([{"type": ["a", "c"], "source_timestamp": [5, 0], "payload": null}]);
        assert_eq!(register(&peer, client, &second, false), Value::Null);
        let third = register(&peer, client, &json!([{"type": ["a", "b"], "source_timestamp": null, "payload": null}]), true);

        // a query sees what was registered before it
        let found = query(&peer, client, &json!({"kind": "latest", "event_types": [["a", "c"]]}));
        let second = found["events"][0].clone();
        assert_eq!((&second["id"], &second["source_timestamp"]), (&json!([3, 2, 1]), &json!([5, 0])));
        let found = |events: &[&Value], more: bool| json!({"events": events, "more_follows": more});
        let (ab, none, third) = (&first[0], &first[1], &third[0]);
        for (params, expected) in [
            (json!({"kind": "latest", "event_types": null}), found(&[none, third, &second], false)),
            (json!({"kind": "latest", "event_types": [["a", "?"]]}), found(&[third, &second], false)),
            (json!({"kind": "latest", "event_types": []}), found(&[], false)),
            // the newest first, within the server's limit
            (timeseries(&json!({})), found(&[third, &second, none], true)),
            (timeseries(&json!({"last_event_id": none["id"]})), found(&[ab], false)),
            (timeseries(&json!({"event_types": [["a", "*"]], "max_results": 2, "order": "ascending"})), found(&[ab, &second], true)),
            (timeseries(&json!({"order_by": "sourceTimestamp", "order": "ascending"})), found(&[ab, &second], false)),
            (timeseries(&json!({"source_t_from": [0, 0], "source_t_to": [5, 0]})), found(&[&second], false)),
            (timeseries(&json!({"t_to": [5, 0]})), found(&[], false)),
            (json!({"kind": "server", "server_id": 3, "persisted": true, "max_results": 2, "last_event_id": ab["id"]}), found(&[none, &second], true)),
            (json!({"kind": "server", "server_id": 4, "persisted": false, "max_results": null, "last_event_id": null}), found(&[], false)),
        ] {
            assert_eq!(query(&peer, client, &params), expected, "{params}");
        }
    }

    fn is_told_what_it_wants(runtime) {
        if peers::skipped("is_told_what_it_wants") {
            return;
        }
        let (peer, server) = (Peer::today(), Server::start(runtime, "--server-id 3"));
        let client = |name, more| connect(&peer, &server, name, &more);
        let one = client("one", json!({"subscriptions": [["a", "?"]]}));
        let any = client("any", json!({"subscriptions": [["a", "*"]]}));
        let stored = client("stored", json!({"subscriptions": [["*"]], "persisted": true}));
        let ours = client("ours", json!({"subscriptions": [["*"]], "server_id": 3}));
        let others = client("others", json!({"subscriptions": [["*"]], "server_id": 4}));
        let types = [json!(["a"]), json!(["a", "b"]), json!(["b"]), json!(["a", "b", "c"])];
        let events = types.map(|it| json!({"type": it, "source_timestamp": null, "payload": null}));
        let params = json!({"obj": one, "events": events, "with_response": true});
        let response = peer.start("eventer.register", params);
        // a client is told before it is answered, and the deployed one reads no answer while it is
        // being told
        let told_one = told(&peer, one);
        let registered = response.expect()["events"].clone();
        assert_eq!(told_one, json!([registered[1]]));
        assert_eq!(told(&peer, any), json!([registered[0], registered[1], registered[3]]));
        assert_eq!(told(&peer, stored), registered);
        assert_eq!(told(&peer, ours), registered);

        // nothing more: what ends the server is told to all of them behind it
        server.hat.signal("INT");
        for client in [one, any, stored, ours, others] {
            let call = peer.call_of("status", client);
            assert_eq!(call.params, json!({"status": "stopping"}));
            call.reply(Ok(Value::Null));
            peer.event("closed", client);
        }
        // and standby, which a deployed client passes over whose connection closes before it was
        // told the status before
        while let Some(call) = peer.try_call() {
            assert_eq!((&*call.method, call.params.clone()), ("status", json!({"status": "standby"})));
            call.reply(Ok(Value::Null));
        }
        assert_eq!(server.hat.end().code, Some(0));
    }

    fn needs_the_token_if_it_gives_one(runtime) {
        if peers::skipped("needs_the_token_if_it_gives_one") {
            return;
        }
        let (peer, server) = (Peer::today(), Server::start(runtime, "--token right"));
        let wrong = request(&server, "c", &json!({"client_token": "wrong"}));
        let error = peer.request("eventer.connect", wrong).expect_err("it is the wrong one");
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Init, "invalid client token"));
        connect(&peer, &server, "right", &json!({"client_token": "right"}));
        connect(&peer, &server, "none", &json!({}));
    }
}
