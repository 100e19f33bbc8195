//! Requests, notifications, pings, passwords and ends.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use hat_tests::peers::{ErrorKind, Peer, PendingCall};
use serde_json::{Value, json};

use super::link::{Host, Side};

fn serving<'a>(server: &'a Peer, more: Value) -> Host<'a> {
    let options = super::link::with(json!({"has_request_cb": true}), more);
    Host::listen("juggler", server, &options)
}

fn ask<'a>(side: Side<'a>, name: &str, data: Value) -> PendingCall<'a> {
    side.start("send", json!({"name": name, "data": data}))
}

pub(super) fn requests_and_their_failures(client: &Peer, server: &Peer) {
    let (side, conn) = serving(server, json!({})).connect(client, json!({}));
    let data = json!({"a": [1, -2.5, "ž😀\u{0}\n", {}, [], null], "9007199254740993": 9_007_199_254_740_993_i64});
    let asked = side.start("send", json!({"name": "do", "data": data}));
    let call = conn.call("request");
    assert_eq!(call.params, json!({"name": "do", "data": data}));
    call.reply(Ok(json!({"data": [data]})));
    assert_eq!(asked.expect(), json!({"data": [data]}));

    let asked = side.start("send", json!({"name": "fail", "data": null}));
    conn.call("request").reply(Err("it fails"));
    let error = asked.wait().expect_err("a failure");
    assert_eq!((error.kind, error.data), (ErrorKind::Juggler, json!("it fails")));

    // an empty name is answered by the library
    assert_eq!(side.expect("send", json!({"name": "", "data": data})), json!({"data": data}));
    assert!(server.try_call().is_none());

    // a server without a callback
    let host = Host::listen("juggler", server, &json!({}));
    let (side, _) = host.connect(client, json!({}));
    let error =
        side.start("send", json!({"name": "do", "data": 1})).wait().expect_err("no callback");
    assert_eq!(
        (error.kind, error.data),
        (ErrorKind::Juggler, json!("request handler not implemented"))
    );
    assert_eq!(side.expect("send", json!({"name": "", "data": 1})), json!({"data": 1}));
}

pub(super) fn requests_one_after_the_other(client: &Peer, server: &Peer) {
    let (side, conn) = serving(server, json!({})).connect(client, json!({}));
    let asked: Vec<_> = (0..50).map(|n| ask(side, "n", json!(n))).collect();
    for n in 0..50 {
        let call = conn.call("request");
        assert_eq!(call.params["data"], n);
        assert!(server.try_call().is_none(), "the one before is not answered");
        call.reply(Ok(json!({"data": n * 2})));
    }
    for (n, asked) in (0..50).zip(asked) {
        assert_eq!(asked.expect(), json!({"data": n * 2}));
    }
}

pub(super) fn requests_in_parallel(client: &Peer, server: &Peer) {
    let (side, conn) =
        serving(server, json!({"parallel_requests": true})).connect(client, json!({}));
    let asked: Vec<_> = (0..20).map(|n| ask(side, "n", json!(n))).collect();
    let mut calls: Vec<_> = (0..20).map(|_| conn.call("request")).collect();
    calls.sort_by_key(|call| call.params["data"].as_i64());
    // the last is answered first
    while let Some(call) = calls.pop() {
        let n = call.params["data"].as_i64().expect("a number");
        call.reply(Ok(json!({"data": n * 2})));
    }
    for (n, asked) in (0..20).zip(asked) {
        assert_eq!(asked.expect(), json!({"data": n * 2}));
    }
}

pub(super) fn notifications_in_order(client: &Peer, server: &Peer) {
    let host = Host::listen("juggler", server, &json!({"autoflush_delay": null}));
    let (side, conn) = host.connect(client, json!({}));
    for n in 0..100 {
        conn.expect("notify", json!({"name": format!("ž{n}"), "data": {"n": n}}));
    }
    for n in 0..100 {
        let call = side.call("notify");
        assert_eq!(call.params, json!({"name": format!("ž{n}"), "data": {"n": n}}));
        call.reply(Ok(Value::Null));
    }
    // a state that comes before a notification is told before it
    conn.expect("state_set", json!({"path": [], "value": 7}));
    conn.expect("flush", json!({}));
    conn.expect("notify", json!({"name": "after", "data": null}));
    let call = side.call("notify");
    assert_eq!(side.try_event("state"), Some(json!({"data": 7})));
    call.reply(Ok(Value::Null));
}

pub(super) fn large_messages(client: &Peer, server: &Peer) {
    for (connect, listen) in [(65536, 65536), (1, 65536), (65536, 999)] {
        let host = serving(server, json!({"max_segment_size": listen}));
        let (side, conn) = host.connect(client, json!({"max_segment_size": connect}));
        let long = if connect == 1 { 2_000 } else { 300_000 };
        let texts = [
            "",
            "😀",
            &"a".repeat(65_500),
            &"😀".repeat(long / 2),
            &format!("x{}", "😀ž".repeat(long / 3)),
        ]
        .map(str::to_owned);
        for text in texts {
            let asked = side.start("send", json!({"name": "echo", "data": text}));
            let call = conn.call("request");
            assert!(call.params["data"] == *text, "{} bytes arrived changed", text.len());
            call.reply(Ok(json!({"data": text})));
            assert!(asked.expect()["data"] == *text, "{} bytes came back changed", text.len());
        }
    }
}

/// Often enough that several go either way, and with time enough for a slow machine.
pub(super) fn pings_both_ways(client: &Peer, server: &Peer) {
    let pings = json!({"ping_delay": 0.2, "ping_timeout": 1});
    let pairs = [(&pings, json!({})), (&json!({}), pings.clone()), (&pings, pings.clone())];
    let ends = pairs.map(|(connect, listen)| {
        Host::listen("juggler", server, &listen).connect(client, connect.clone())
    });
    sleep(Duration::from_millis(1500));
    for (side, conn) in ends {
        assert_eq!((side.try_event("closing"), conn.try_event("closing")), (None, None));
        assert_eq!(side.expect("send", json!({"name": "", "data": 1})), json!({"data": 1}));
    }
}

pub(super) fn passwords(client: &Peer, server: &Peer) {
    let file = std::env::temp_dir().join(format!("hat-juggler-{}", peer_number(server)));
    // `openssl passwd -apr1 -salt 2BQ6FUBU secret`
    fs::write(&file, "ana:$apr1$2BQ6FUBU$E6DdWcsqtjm49ASrL/el90\n").expect("a temporary file");
    let host = Host::listen("juggler", server, &json!({"htpasswd_file": file}));
    let auth = |password: &str| json!({"auth": {"login": "ana", "password": password}});
    for wrong in [json!({}), auth("Secret"), auth("")] {
        let refused = host.start_connect(client, wrong).wait().map_err(|error| error.kind);
        assert_eq!(refused, Err(ErrorKind::Connection));
    }
    let (side, _) = host.connect(client, auth("secret"));
    assert_eq!(side.expect("send", json!({"name": "", "data": 1})), json!({"data": 1}));
    let _ = fs::remove_file(file);
}

/// A number for files that no other test uses.
fn peer_number(peer: &Peer) -> String {
    format!("{}-{:p}", std::process::id(), peer)
}

pub(super) fn ends_from_either_side(client: &Peer, server: &Peer) {
    let host = serving(server, json!({}));
    let (side, conn) = host.connect(client, json!({}));
    let open = side.start("send", json!({"name": "never", "data": null}));
    let call = conn.call("request");
    side.close();
    assert_eq!(open.wait().map_err(|error| error.kind), Err(ErrorKind::Connection));
    // the deployed server reads nothing, the end neither, while it waits for its callback
    call.reply(Ok(json!({"data": null})));
    conn.closes();
    let late = side.start("send", json!({"name": "", "data": 1})).wait();
    assert_eq!(late.map_err(|error| error.kind), Err(ErrorKind::Connection));

    let (side, conn) = host.connect(client, json!({}));
    let open = side.start("send", json!({"name": "never", "data": null}));
    let _call = conn.call("request");
    conn.close();
    assert_eq!(open.wait().map_err(|error| error.kind), Err(ErrorKind::Connection));
    side.closes();

    let (side, conn) = host.connect(client, json!({}));
    host.side.close();
    for name in ["closing", "closed"] {
        assert!(conn.try_event(name).is_some(), "{name} of the connection");
        assert!(host.side.try_event(name).is_some(), "{name} of the server");
    }
    side.closes();
    let refused = host.start_connect(client, json!({})).wait().map_err(|error| error.kind);
    assert_eq!(refused, Err(ErrorKind::Connection));
}
