//! Registrations and queries.

use hat_tests::peers::{Peer, to_base64};
use serde_json::{Value, json};

use super::link::{event, link, registered, to_register};

fn latest() -> Value {
    json!({"params": {"kind": "latest", "event_types": null}})
}

pub(super) fn queries_of_every_kind(client: &Peer, server: &Peer) {
    let (side, host) = link(client, json!({}), server, &json!({"has_query_cb": true}));
    let events = json!([event([1, 2, 3], &["a"], Value::Null), event([1, 2, 4], &[], Value::Null)]);
    let asked = [
        json!({"kind": "latest", "event_types": null}),
        json!({"kind": "latest", "event_types": []}),
        json!({"kind": "latest", "event_types": [["a", "?"], [], ["*"]]}),
        json!({"kind": "timeseries", "event_types": null, "t_from": null, "t_to": null, "source_t_from": null,
               "source_t_to": null, "order": "descending", "order_by": "timestamp", "max_results": null,
               "last_event_id": null}),
        json!({"kind": "timeseries", "event_types": [["č"]], "t_from": [-1, 0], "t_to": [1, 999_999],
               "source_t_from": [0, 1], "source_t_to": [3, 4], "order": "ascending",
               "order_by": "sourceTimestamp", "max_results": 0, "last_event_id": [1, 2, 3]}),
        json!({"kind": "server", "server_id": 0, "persisted": false, "max_results": null, "last_event_id": null}),
        json!({"kind": "server", "server_id": -7, "persisted": true, "max_results": 5, "last_event_id": [0, 0, 0]}),
    ];
    for (params, more_follows) in asked.into_iter().zip([true, false].into_iter().cycle()) {
        for events in [json!([]), events.clone()] {
            let query = side.start("query", json!({"params": params}));
            let call = host.side.call("query");
            assert_eq!(call.params["params"], params);
            let result = json!({"events": events, "more_follows": more_follows});
            call.reply(Ok(result.clone()));
            assert_eq!(query.expect(), result);
        }
    }
}

pub(super) fn registrations_with_and_without_response(client: &Peer, server: &Peer) {
    let (side, host) = link(client, json!({}), server, &json!({"has_register_cb": true}));
    let two = json!([to_register(&["a", "b"], Value::Null), to_register(&[], Value::Null)]);
    for (events, session) in [(two, 1), (json!([]), 2)] {
        let done = registered(&events, session);
        for (with_response, reply, answer) in [
            (true, json!(done), json!(done)),
            (true, Value::Null, Value::Null),
            (false, json!(done), Value::Null),
            (false, Value::Null, Value::Null),
        ] {
            let params = json!({"events": events, "with_response": with_response});
            let response = side.start("register", params);
            let call = host.side.call("register");
            assert_eq!(call.params, json!({"info": host.infos()[0], "events": events}));
            call.reply(Ok(json!({"events": reply})));
            assert_eq!(response.expect(), json!({"events": answer}));
        }
    }
}

pub(super) fn without_callbacks_nothing_is_registered_or_found(client: &Peer, server: &Peer) {
    let (side, _) = link(client, json!({}), server, &json!({}));
    for with_response in [false, true] {
        let params =
            json!({"events": [to_register(&["a"], Value::Null)], "with_response": with_response});
        assert_eq!(side.expect("register", params), json!({"events": null}));
    }
    assert_eq!(side.expect("query", latest()), json!({"events": [], "more_follows": false}));
}

/// Those of all kinds, sent without waiting.
pub(super) fn requests_keep_their_order(client: &Peer, server: &Peer) {
    let listen = json!({"has_register_cb": true, "has_query_cb": true});
    let (side, host) = link(client, json!({}), server, &listen);
    let registration = |number: i64, with_response: bool| {
        let events = json!([to_register(&["n"], json!({"kind": "json", "data": number}))]);
        json!({"events": events, "with_response": with_response})
    };
    let requests: Vec<_> = (0..300)
        .map(|number| match number % 3 {
            0 => side.start("register", registration(number, false)),
            1 => side.start("register", registration(number, true)),
            _ => {
                let params = json!({"kind": "server", "server_id": number});
                side.start("query", json!({"params": params}))
            }
        })
        .collect();
    for number in 0..300 {
        if number % 3 == 2 {
            let call = host.side.call("query");
            assert_eq!(call.params["params"]["server_id"], number);
            let events = json!([event([number, 1, 1], &["n"], Value::Null)]);
            call.reply(Ok(json!({"events": events, "more_follows": false})));
        } else {
            let call = host.side.call("register");
            assert_eq!(call.params["events"][0]["payload"]["data"], number);
            let events = registered(&call.params["events"], number);
            call.reply(Ok(json!({"events": events})));
        }
    }
    for (number, request) in (0..).zip(requests) {
        let answer = request.expect();
        match number % 3 {
            0 => assert_eq!(answer["events"], Value::Null),
            1 => assert_eq!(answer["events"][0]["id"], json!([1, number, 1])),
            _ => assert_eq!(answer["events"][0]["id"], json!([number, 1, 1])),
        }
    }
}

pub(super) fn requests_of_clients_do_not_wait_for_each_other(client: &Peer, server: &Peer) {
    let (one, host) = link(client, json!({}), server, &json!({"has_query_cb": true}));
    let two = host.connect(client, json!({}));
    let waits = one.start("query", latest());
    let call = host.side.call("query");
    let result = |number| json!({"events": [event([number, 0, 0], &[], Value::Null)], "more_follows": false});
    for number in 0..3 {
        let quick = two.start("query", latest());
        host.side.call("query").reply(Ok(result(number)));
        assert_eq!(quick.expect(), result(number));
    }
    assert!(!waits.is_ready());
    call.reply(Ok(result(9)));
    assert_eq!(waits.expect(), result(9));
}

/// Each there and back, and told.
pub(super) fn payloads_of_every_kind(client: &Peer, server: &Peer) {
    let connect = json!({"subscriptions": [["*"]]});
    let (side, host) = link(client, connect, server, &json!({"has_register_cb": true}));
    let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let json = |data: Value| json!({"kind": "json", "data": data});
    let binary =
        |name: &str, data: &[u8]| json!({"kind": "binary", "type": name, "data": to_base64(data)});
    let payloads = [
        Value::Null,
        json(Value::Null),
        json(json!([true, false, 0, -1, i64::MIN, i64::MAX, 0.1, -1.5e300, 5e-324])),
        json(
            json!({"": {"ključ": [[], {}, null]}, "\u{0}\"\\/\n": "\u{1F600}\u{2028}\u{FFFF}\u{7F}"}),
        ),
        json("č\u{1F600}".repeat(1 << 14).into()),
        binary("", b""),
        binary("vrsta \u{1F600}", b"\0\xff"),
        binary("big", &bytes),
    ];
    for payload in payloads {
        let events = json!([to_register(&["č", "\u{1F600}", ""], payload)]);
        let response = side.start("register", json!({"events": events, "with_response": true}));
        let call = host.side.call("register");
        assert!(call.params["events"] == events, "{}", shown(&call.params["events"]));
        let done = registered(&events, 1);
        call.reply(Ok(json!({"events": done})));
        let answer = response.expect();
        assert!(answer["events"] == done, "{}", shown(&answer));
        host.side.expect("notify_events", json!({"events": done, "persisted": false}));
        let call = side.call("events");
        assert!(call.params["events"] == done, "{}", shown(&call.params));
        call.reply(Ok(Value::Null));
    }
}

pub(super) fn numbers_of_64_bits(client: &Peer, server: &Peer) {
    let (side, host) = link(client, json!({}), server, &json!({"has_query_cb": true}));
    let ends = [i64::MIN, -(1 << 53) - 1, -1, 0, 1 << 32, (1 << 53) + 1, i64::MAX];
    let numbers = ends.map(|number| {
        json!({"id": [number, number, number], "type": [], "timestamp": [number, 0],
               "source_timestamp": [number, 999_999], "payload": {"kind": "json", "data": number}})
    });
    for number in ends {
        let params = json!({"kind": "timeseries", "event_types": null, "t_from": [number, 0],
                            "t_to": [number, 1], "source_t_from": [number, 2], "source_t_to": [number, 3],
                            "order": "ascending", "order_by": "timestamp", "max_results": number,
                            "last_event_id": [number, number, number]});
        let query = side.start("query", json!({"params": params}));
        let call = host.side.call("query");
        assert_eq!(call.params["params"], params);
        let result = json!({"events": numbers, "more_follows": false});
        call.reply(Ok(result.clone()));
        assert_eq!(query.expect(), result);
    }
}

/// Not a mebibyte of it.
fn shown(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}
