//! Juggler 0.5: data, messages and calls both ways.

use hat_tests::peers::{ErrorKind, Peer, PendingCall};
use serde_json::{Value, json};

use super::link::{Host, Side};

/// Both ends, each with the other one.
fn both_ways<'a>(
    client: &'a Peer,
    server: &'a Peer,
    options: Value,
) -> (Host<'a>, [(Side<'a>, Side<'a>); 2]) {
    let host = Host::listen("juggler05", server, &options);
    let (one, other) = host.connect(client, options);
    (host, [(one, other), (other, one)])
}

fn start_call<'a>(side: Side<'a>, action: &str, args: Value) -> PendingCall<'a> {
    side.start("rpc_call", json!({"action": action, "args": args}))
}

pub(super) fn data_both_ways(client: &Peer, server: &Peer) {
    for delay in [0.0, 0.05] {
        let (_host, ways) = both_ways(client, server, json!({"autoflush_delay": delay}));
        for (one, other) in ways {
            let datas = [
                json!({"a": [1, 2, {"b": "ž😀"}], "c/~": null}),
                json!({"a": [2, {"b": "ž😀"}, 3], "c/~": false}),
                json!(["whole"]),
                json!(1.5),
            ];
            for data in datas {
                one.expect("set_local_data", json!({"data": data}));
                other.until("remote_data", &data);
            }
        }
    }
}

pub(super) fn messages_both_ways(client: &Peer, server: &Peer) {
    let (_host, ways) = both_ways(client, server, json!({}));
    for (one, other) in ways {
        let waiting = other.start("receive", json!({}));
        let large = "😀ž".repeat(200_000);
        let messages =
            [json!(null), json!({"type": "other", "id": 1}), json!([1, 2.5]), json!(large)];
        for message in &messages {
            one.expect("send", json!({"data": message}));
        }
        assert_eq!(waiting.expect()["data"], messages[0]);
        for message in &messages[1..] {
            assert!(other.expect("receive", json!({}))["data"] == *message);
        }
    }
}

pub(super) fn calls_both_ways(client: &Peer, server: &Peer) {
    let (_host, ways) = both_ways(client, server, json!({}));
    let [(one, other), _] = ways;
    one.expect("rpc_wrap", json!({"actions": ["add", "fail"], "default_action": false}));
    other.expect("rpc_wrap", json!({"actions": ["add", "fail"], "default_action": true}));
    for (caller, callee) in ways {
        let called = start_call(caller, "add", json!([1, {"a": "ž"}]));
        let call = callee.call("rpc");
        assert_eq!(call.params, json!({"action": "add", "args": [1, {"a": "ž"}]}));
        call.reply(Ok(json!({"result": {"sum": 3}})));
        assert_eq!(called.expect(), json!({"result": {"sum": 3}}));

        let called = start_call(caller, "fail", json!([]));
        callee.call("rpc").reply(Err("it fails"));
        let error = called.wait().expect_err("a failure");
        assert_eq!((error.kind, &*error.message), (ErrorKind::Other, "it fails"));

        // what is no call goes its own way
        caller.expect("send", json!({"data": {"type": "rpc?"}}));
        assert_eq!(callee.expect("receive", json!({}))["data"], json!({"type": "rpc?"}));
    }
    // unknown here, and the default action's there
    let error = start_call(other, "fly", json!([])).wait().expect_err("no such action");
    assert_eq!((error.kind, &*error.message), (ErrorKind::Other, "invalid action"));
    let called = start_call(one, "fly", json!([7]));
    let call = other.call("rpc");
    assert_eq!(call.params, json!({"action": "fly", "args": [7]}));
    call.reply(Ok(json!({"result": null})));
    assert_eq!(called.expect(), json!({"result": null}));
}

pub(super) fn calls_at_once(client: &Peer, server: &Peer) {
    let (_host, ways) = both_ways(client, server, json!({}));
    for (caller, _) in ways {
        caller.expect("rpc_wrap", json!({"actions": ["n"]}));
    }
    for (caller, callee) in ways {
        let called: Vec<_> = (0..50).map(|n| start_call(caller, "n", json!([n]))).collect();
        for n in 0..50 {
            // answered one by one: the deployed peer does the next one only then
            let call = callee.call("rpc");
            assert_eq!(call.params["args"], json!([n]));
            call.reply(Ok(json!({"result": n})));
        }
        for (n, called) in (0..50).zip(called) {
            assert_eq!(called.expect(), json!({"result": n}));
        }
    }
    // a call in a call
    let [(one, other), _] = ways;
    let outer = start_call(one, "n", json!(["outer"]));
    let answering = other.call("rpc");
    let inner = start_call(other, "n", json!(["inner"]));
    one.call("rpc").reply(Ok(json!({"result": "inner"})));
    answering.reply(Ok(json!({"result": "outer"})));
    assert_eq!(outer.expect(), json!({"result": "outer"}));
    assert_eq!(inner.expect(), json!({"result": "inner"}));
}

pub(super) fn a_flush_of_data(client: &Peer, server: &Peer) {
    let (_host, ways) = both_ways(client, server, json!({"autoflush_delay": null}));
    for (one, other) in ways {
        one.expect("set_local_data", json!({"data": {"a": 1}}));
        one.expect("set_local_data", json!({"data": {"a": 2}}));
        one.expect("send", json!({"data": "before"}));
        other.expect("receive", json!({}));
        assert_eq!(other.try_event("remote_data"), None);
        one.expect("flush_local_data", json!({}));
        assert_eq!(other.event("remote_data"), json!({"data": {"a": 2}}));
        // data that come before a message are told before it
        one.expect("set_local_data", json!({"data": {"a": 3}}));
        one.expect("flush_local_data", json!({}));
        one.expect("send", json!({"data": "after"}));
        other.expect("receive", json!({}));
        assert_eq!(other.try_event("remote_data"), Some(json!({"data": {"a": 3}})));
    }
}

pub(super) fn ends_of_peers(client: &Peer, server: &Peer) {
    for first in [0, 1] {
        let (_host, ways) = both_ways(client, server, json!({}));
        let (one, other) = ways[first];
        for (side, _) in ways {
            side.expect("rpc_wrap", json!({"actions": ["never"]}));
        }
        let waiting = other.start("receive", json!({}));
        let called = start_call(other, "never", json!([]));
        let _call = one.call("rpc");
        one.close();
        other.closes();
        for open in [waiting, called] {
            assert_eq!(open.wait().map_err(|error| error.kind), Err(ErrorKind::Connection));
        }
        let late = one.start("send", json!({"data": 1})).wait();
        assert_eq!(late.map_err(|error| error.kind), Err(ErrorKind::Connection));
    }
    let (host, [(one, other), _]) = both_ways(client, server, json!({}));
    host.side.close();
    assert!(other.try_event("closed").is_some() && host.side.try_event("closed").is_some());
    one.closes();
}
