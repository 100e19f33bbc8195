//! How clients and servers end, and what that does to what is under way.

use hat_tests::peers::{ErrorKind, Peer, PeerError};
use serde_json::{Value, json};

use super::link::{Side, event, link, to_register};

fn query(kind: i64) -> Value {
    json!({"params": {"kind": "server", "server_id": kind}})
}

#[track_caller]
fn lost(answer: Result<Value, PeerError>) {
    assert_eq!(answer.map_err(|error| error.kind), Err(ErrorKind::Connection));
}

/// A closed client does nothing any more.
#[track_caller]
fn is_over(side: Side) {
    lost(side.start("query", query(1)).wait());
    for with_response in [false, true] {
        let events = json!([to_register(&["a"], Value::Null)]);
        let params = json!({"events": events, "with_response": with_response});
        lost(side.start("register", params).wait());
    }
    side.close();
    assert_eq!(side.peer.try_event("closing", side.object), None);
}

pub(super) fn a_client_that_closes_fails_its_requests(client: &Peer, server: &Peer) {
    let listen = json!({"has_query_cb": true, "has_register_cb": true});
    let (side, host) = link(client, json!({}), server, &listen);
    let asked = side.start("query", query(1));
    let events = json!([to_register(&["a"], Value::Null)]);
    let registered = side.start("register", json!({"events": events, "with_response": true}));
    let call = host.side.call("query");
    side.close();
    lost(asked.wait());
    lost(registered.wait());
    side.closes();
    is_over(side);

    // the server goes on
    call.reply(Ok(json!({"events": [], "more_follows": false})));
    let next = host.connect(client, json!({}));
    let asked = next.start("query", query(2));
    loop {
        let call = server.call();
        if call.method == "register" {
            // it came before the end
            call.reply(Ok(json!({"events": null})));
            continue;
        }
        assert_eq!(call.params["params"]["server_id"], 2);
        call.reply(Ok(json!({"events": [], "more_follows": true})));
        break;
    }
    assert_eq!(asked.expect()["more_follows"], true);
}

pub(super) fn a_server_that_closes_fails_the_requests_of_clients(client: &Peer, server: &Peer) {
    let listen = json!({"has_query_cb": true, "has_disconnected_cb": true});
    let (side, host) = link(client, json!({"subscriptions": [["*"]]}), server, &listen);
    let events = json!([event([1, 1, 1], &["a"], Value::Null)]);
    let asked = [side.start("query", query(1)), side.start("query", query(2))];
    let unanswered = host.side.call("query");
    let params = json!({"events": events, "persisted": false, "with_ack": true});
    let notified = host.side.start("notify_events", params);
    let told = side.call("events");
    let closed = server.start("close", json!({"obj": host.side.object}));
    let gone = host.side.call("disconnected");
    assert!(!closed.is_ready());
    gone.reply(Ok(Value::Null));
    closed.expect();
    host.side.closes();
    for asked in asked {
        lost(asked.wait());
    }
    // how this ends is not the same everywhere; that it ends is
    let _ = notified.wait();
    side.closes();
    is_over(side);
    for call in [unanswered, told] {
        call.reply(Ok(Value::Null));
    }
    for method in ["conn_infos", "set_status"] {
        lost(host.side.start(method, json!({"status": "standby"})).wait());
    }
    assert!(server.try_call().is_none() && client.try_call().is_none());
}

/// A client whose callback raises is closed, and no ack sent.
pub(super) fn a_callback_that_raises(client: &Peer, server: &Peer) {
    for name in ["status", "events"] {
        let connect = json!({"subscriptions": [["*"]]});
        let (side, host) = link(client, connect, server, &json!({}));
        if name == "status" {
            host.side.expect("set_status", json!({"status": "starting"}));
        } else {
            let params =
                json!({"events": [event([1, 1, 1], &["a"], Value::Null)], "persisted": false});
            host.side.expect("notify_events", params);
        }
        side.call(name).reply(Err("on purpose"));
        side.closes();
        is_over(side);
    }
}

pub(super) fn reset_drops_calls_and_forgets(client: &Peer, server: &Peer) {
    let listen = json!({"has_query_cb": true, "has_disconnected_cb": true});
    let (side, host) = link(client, json!({}), server, &listen);
    let asked = side.start("query", query(1));
    let unanswered = host.side.call("query");
    server.expect("reset", json!({}));
    lost(asked.wait());
    side.closes();
    unanswered.reply(Ok(json!({"events": [], "more_follows": false})));
    assert!(server.try_call().is_none());
    lost(server.request("close", json!({"obj": host.side.object})));
    let (again, new) = link(client, json!({}), server, &listen);
    assert!(again.object > side.object && new.side.object > host.side.object);
}
