//! What a server's state becomes at its clients.

use hat_tests::peers::Peer;
use serde_json::{Value, json};

use super::link::{Host, Side};

fn set(side: Side<'_>, path: Value, value: Value) {
    side.expect("state_set", json!({"path": path, "value": value}));
}

pub(super) fn a_state_for_each_connection(client: &Peer, server: &Peer) {
    let host =
        Host::listen("juggler", server, &json!({"autoflush_delay": 0.05, "state": {"n": 1}}));
    let (one, to_one) = host.connect(client, json!({}));
    let (two, to_two) = host.connect(client, json!({}));
    for side in [one, two] {
        side.until("state", &json!({"n": 1}));
    }
    set(to_one, json!(["a", "b c/~"]), json!([1, 2.5, null, true, "ž😀"]));
    set(to_two, json!(["n"]), json!(2));
    one.until("state", &json!({"n": 1, "a": {"b c/~": [1, 2.5, null, true, "ž😀"]}}));
    two.until("state", &json!({"n": 2}));
    set(to_one, json!(["a", "b c/~", 1]), json!({"x": []}));
    to_one.expect("state_remove", json!({"path": ["n"]}));
    one.until("state", &json!({"a": {"b c/~": [1, {"x": []}, null, true, "ž😀"]}}));
    to_one.expect("state_remove", json!({"path": ["a", "b c/~", 0]}));
    one.until("state", &json!({"a": {"b c/~": [{"x": []}, null, true, "ž😀"]}}));
    set(to_one, json!([]), json!("whole"));
    one.until("state", &json!("whole"));
}

pub(super) fn a_state_for_all(client: &Peer, server: &Peer) {
    let options =
        json!({"shared_state": true, "autoflush_delay": 0.02, "state": {"list": [1, 2, 3]}});
    let host = Host::listen("juggler", server, &options);
    let (one, _) = host.connect(client, json!({}));
    one.until("state", &json!({"list": [1, 2, 3]}));
    for n in 0..100 {
        set(host.side, json!(["n"]), json!(n));
    }
    set(host.side, json!(["list"]), json!([0, 1, 3, 4]));
    let state = json!({"list": [0, 1, 3, 4], "n": 99});
    one.until("state", &state);
    let (newcomer, to_newcomer) = host.connect(client, json!({}));
    newcomer.until("state", &state);
    // the state of a connection is the one of all
    set(to_newcomer, json!(["list"]), Value::Null);
    host.side.expect("state_remove", json!({"path": ["n"]}));
    for side in [one, newcomer] {
        side.until("state", &json!({"list": null}));
    }
}

pub(super) fn a_flush_only_when_asked(client: &Peer, server: &Peer) {
    let host = Host::listen("juggler", server, &json!({"autoflush_delay": null}));
    let (side, conn) = host.connect(client, json!({}));
    set(conn, json!(["a"]), json!(1));
    set(conn, json!(["a"]), json!(2));
    side.expect("send", json!({"name": "", "data": 1}));
    assert_eq!(side.try_event("state"), None);
    conn.expect("flush", json!({}));
    assert_eq!(side.event("state"), json!({"data": {"a": 2}}));
    // nothing has changed: nothing is told
    conn.expect("flush", json!({}));
    side.expect("send", json!({"name": "", "data": 1}));
    assert_eq!(side.try_event("state"), None);
}

pub(super) fn every_change_at_once(client: &Peer, server: &Peer) {
    let host = Host::listen("juggler", server, &json!({"autoflush_delay": 0}));
    let (side, conn) = host.connect(client, json!({}));
    for n in 0..20 {
        set(conn, json!([]), json!(n));
        // told without anyone waiting for a delay, and each before the next is made
        assert_eq!(side.event("state"), json!({"data": n}));
    }
}

pub(super) fn large_states(client: &Peer, server: &Peer) {
    for max_segment_size in [1000, 65536] {
        let options = json!({"autoflush_delay": 0, "max_segment_size": max_segment_size});
        let host = Host::listen("juggler", server, &options);
        let (side, conn) = host.connect(client, json!({}));
        // of two UTF-16 units each, so that some stand across the end of a segment
        let text = format!("x{}", "😀".repeat(150_000));
        set(conn, json!(["text"]), json!(text));
        side.until("state", &json!({"text": text}));
        set(conn, json!(["more"]), json!(1));
        side.until("state", &json!({"text": text, "more": 1}));
    }
}
