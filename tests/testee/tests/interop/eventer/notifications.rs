//! What a server tells its clients.

use hat_tests::peers::{Peer, to_base64};
use serde_json::{Value, json};

use super::link::{Side, event, link};

/// Takes the next events, and replies.
#[track_caller]
fn told(side: Side, events: &[&Value]) {
    let call = side.call("events");
    assert_eq!(call.params["events"], json!(events));
    call.reply(Ok(Value::Null));
}

pub(super) fn status_changes(client: &Peer, server: &Peer) {
    let (one, host) = link(client, json!({}), server, &json!({"status": "starting"}));
    let statuses =
        ["starting", "operational", "operational", "stopping", "standby", "standby", "starting"];
    for status in statuses {
        host.side.expect("set_status", json!({"status": status}));
    }
    for status in ["operational", "stopping", "standby", "starting"] {
        let call = one.call("status");
        assert_eq!(call.params, json!({"status": status}));
        call.reply(Ok(Value::Null));
    }
    let (two, status) = host.start_connect(client, json!({})).expect();
    assert_eq!(status, "starting");
    host.side.expect("set_status", json!({"status": "standby"}));
    let mut calls = [client.call(), client.call()];
    calls.sort_by_key(|call| call.object);
    assert_eq!(calls.each_ref().map(|call| call.object), [one.object, two.object]);
    for call in calls {
        assert_eq!((call.method.as_str(), &call.params["status"]), ("status", &json!("standby")));
        call.reply(Ok(Value::Null));
    }
}

pub(super) fn events_go_to_those_who_subscribed(client: &Peer, server: &Peer) {
    let types: [&[&str]; 7] =
        [&[], &["a"], &["a", "b"], &["a", "b", "c"], &["b"], &["b", "b"], &["", "č"]];
    let events = [0, 1, 2, 3, 4, 5, 6].map(|at| event([1, 1, at as i64], types[at], Value::Null));
    let mark = event([1, 2, 1], &["mark"], Value::Null);
    let wanted: [(Value, &[usize]); 8] = [
        (json!([["*"]]), &[0, 1, 2, 3, 4, 5, 6]),
        (json!([[]]), &[0]),
        (json!([["a", "*"]]), &[1, 2, 3]),
        (json!([["?"]]), &[1, 4]),
        (json!([["?", "b"]]), &[2, 5]),
        (json!([["?", "b", "*"], ["b"]]), &[2, 3, 4, 5]),
        (json!([["", "č"], ["x", "?"]]), &[6]),
        (json!([["x"]]), &[]),
    ];
    for (subscriptions, indexes) in wanted {
        let mut subscriptions = subscriptions;
        subscriptions.as_array_mut().expect("a list").push(json!(["mark"]));
        let connect = json!({"subscriptions": subscriptions});
        let (side, host) = link(client, connect, server, &json!({}));
        for events in [json!(events), json!([mark])] {
            host.side.expect("notify_events", json!({"events": events, "persisted": false}));
        }
        if !indexes.is_empty() {
            told(side, &indexes.iter().map(|&index| &events[index]).collect::<Vec<_>>());
        }
        told(side, &[&mark]);
    }
}

pub(super) fn events_go_by_server_and_persistence(client: &Peer, server: &Peer) {
    let connect = |server_id: Value, persisted: bool| json!({"subscriptions": [["*"]], "server_id": server_id, "persisted": persisted});
    let (any, host) = link(client, connect(Value::Null, false), server, &json!({}));
    let second = host.connect(client, connect(json!(2), false));
    let stored = host.connect(client, connect(json!(2), true));
    let events = [1, 2, 3, 2].map(|server| event([server, 1, 1], &["a"], Value::Null));
    let of_second = [&events[1], &events[3]];
    let notify = |persisted: bool| {
        let params = json!({"events": events, "persisted": persisted, "with_ack": false});
        host.side.expect("notify_events", params);
    };
    notify(false);
    let mut calls = [client.call(), client.call()];
    calls.sort_by_key(|call| call.object);
    for (call, (side, events)) in
        calls.into_iter().zip([(any, json!(events)), (second, json!(of_second))])
    {
        assert_eq!((call.object, &call.params["events"]), (side.object, &events));
        call.reply(Ok(Value::Null));
    }
    notify(true);
    told(stored, &of_second);
    // nobody wants these, with an ack as without
    for with_ack in [false, true] {
        let none = json!({"events": [], "persisted": false, "with_ack": with_ack});
        host.side.expect("notify_events", none);
        let other = json!({"events": [events[0]], "persisted": true, "with_ack": with_ack});
        host.side.expect("notify_events", other);
    }
    assert!(client.try_call().is_none());
}

pub(super) fn an_ack_is_sent_after_the_reply(client: &Peer, server: &Peer) {
    let connect = json!({"subscriptions": [["a"]]});
    let (one, host) = link(client, connect.clone(), server, &json!({}));
    let two = host.connect(client, connect);
    let params = json!({"events": [event([1, 1, 1], &["a"], Value::Null)], "persisted": false, "with_ack": true});
    for order in [[one, two], [two, one]] {
        let notified = host.side.start("notify_events", params.clone());
        let mut calls = [client.call(), client.call()];
        calls.sort_by_key(|call| call.object != order[0].object);
        let [first, second] = calls;
        first.reply(Ok(Value::Null));
        // something that is answered behind the ack
        order[0].expect("query", json!({"params": {"kind": "latest", "event_types": null}}));
        assert!(!notified.is_ready());
        second.reply(Ok(Value::Null));
        notified.expect();
    }
}

pub(super) fn an_ack_is_not_waited_for_when_the_client_goes(client: &Peer, server: &Peer) {
    let connect = json!({"subscriptions": [["a"]]});
    let (side, host) = link(client, connect, server, &json!({}));
    let params = json!({"events": [event([1, 1, 1], &["a"], Value::Null)], "persisted": false, "with_ack": true});
    let notified = host.side.start("notify_events", params);
    let call = side.call("events");
    side.close();
    notified.expect();
    host.forgets_all();
    call.reply(Ok(Value::Null));
}

pub(super) fn large_notifications(client: &Peer, server: &Peer) {
    let connect = json!({"subscriptions": [["*"]]});
    let (side, host) = link(client, connect, server, &json!({}));
    let payload = json!({"kind": "binary", "type": "", "data": to_base64(vec![7; 1 << 19])});
    let large =
        json!([event([1, 1, 1], &["a"], payload.clone()), event([1, 1, 2], &["b"], payload)]);
    let many: Value = (1..=2000).map(|at| event([1, 2, at], &["m"], Value::Null)).collect();
    let notified = [&large, &many, &large].map(|events| {
        let params = json!({"events": events, "persisted": false, "with_ack": true});
        host.side.start("notify_events", params)
    });
    for events in [&large, &many, &large] {
        let call = side.call("events");
        assert!(
            &call.params["events"] == events,
            "not the {} events",
            events.as_array().map_or(0, Vec::len)
        );
        call.reply(Ok(Value::Null));
    }
    for notified in notified {
        notified.expect();
    }
}

/// Requests of a client whose callback has replied are answered, however many notifications there
/// are.
pub(super) fn answers_come_between_notifications(client: &Peer, server: &Peer) {
    let connect = json!({"subscriptions": [["*"]]});
    let (side, host) = link(client, connect, server, &json!({"has_query_cb": true}));
    for instance in 1..=100 {
        let events = [event([1, 1, instance], &["a"], Value::Null)];
        let told_soon = json!({"events": events, "persisted": false, "with_ack": false});
        let notified = host.side.start("notify_events", told_soon);
        let query = json!({"params": {"kind": "server", "server_id": instance}});
        let query = side.start("query", query);
        told(side, &[&events[0]]);
        notified.expect();
        let call = host.side.call("query");
        assert_eq!(call.params["params"]["server_id"], instance);
        call.reply(Ok(json!({"events": [], "more_follows": true})));
        assert_eq!(query.expect()["more_follows"], true);
    }
}
