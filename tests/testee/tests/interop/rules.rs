//! What the testee alone must keep: what is not there, wrong parameters, and the end.

use std::io::Write;
use std::process::{Command, Stdio};

use hat_tests::peers::chatter::{ASK, How, Layer, ONE};
use hat_tests::peers::{ErrorKind, Peer};
use serde_json::{Value, json};

use super::eventer::link::link;
use super::iso::connected;
use super::juggler::link::Host;
use super::link::Link;
use super::testee;

fn on_both(test: impl Fn(&Peer)) {
    for runtime in ["tokio", "smol"] {
        test(&testee(runtime));
    }
}

#[track_caller]
fn refused(peer: &Peer, method: &str, params: Value) -> ErrorKind {
    let shown = params.to_string();
    match peer.request(method, params) {
        Ok(ok) => panic!("{method} {shown}: {ok}"),
        Err(error) => error.kind,
    }
}

#[test]
fn what_is_not_there_is_unsupported() {
    on_both(|peer| {
        assert_eq!(
            peer.features(),
            ["chatter", "chatter05", "eventer", "tpkt", "cotp", "juggler", "juggler05"]
        );
        let methods = [
            "nonsense",
            "chatter.nonsense",
            "eventer.nonsense",
            "tpkt.nonsense",
            "cotp.nonsense",
            "juggler.nonsense",
            "juggler05.nonsense",
        ];
        for method in methods {
            assert_eq!(refused(peer, method, json!({})), ErrorKind::Unsupported, "{method}");
        }
    });
}

#[test]
fn wrong_parameters_are_values() {
    on_both(|peer| {
        for address in ["tcp://127.0.0.1:80", "tcp+sbs://127.0.0.1", "127.0.0.1:80", "nonsense", ""]
        {
            let connect = json!({"address": address});
            assert_eq!(refused(peer, "chatter05.connect", connect), ErrorKind::Value, "{address}");
        }
        let addr = json!({"host": "127.0.0.1", "port": 0});
        // a server without a certificate, and one whose file is not there
        for cert in [Value::Null, json!("/no/such/file")] {
            let listen = json!({"addr": addr, "tls": {"cert": cert, "verify": false}});
            for method in ["chatter.listen", "eventer.listen", "tpkt.listen", "cotp.listen"] {
                assert_eq!(refused(peer, method, listen.clone()), ErrorKind::Value, "{method}");
            }
            let listen = json!({"address": "ssl+sbs://127.0.0.1:0", "pem_file": cert});
            assert_eq!(refused(peer, "chatter05.listen", listen), ErrorKind::Value);
        }
        let addr = json!({"host": "127.0.0.1", "port": 0});
        for connect in [
            json!({}),
            json!({"addr": "127.0.0.1"}),
            json!({"addr": {"host": "127.0.0.1", "port": 65_536}}),
            json!({"addr": addr, "ping_delay": -1}),
            json!({"addr": addr, "receive_queue_size": "many"}),
        ] {
            assert_eq!(refused(peer, "chatter.connect", connect), ErrorKind::Value);
        }
        let link = Link::new(Layer::Chatter, peer, peer);
        let object = link.client.object;
        for send in [
            json!({"obj": object, "type": "T", "data": "no base64"}),
            json!({"obj": object, "data": ""}),
            json!({"obj": object, "type": "T", "data": "", "conv": {"owner": true}}),
            json!({"obj": link.server, "type": "T", "data": ""}),
            json!({"type": "T", "data": ""}),
        ] {
            assert_eq!(refused(peer, "chatter.send", send), ErrorKind::Value);
        }
    });
}

#[test]
fn wrong_parameters_of_eventer_are_values() {
    on_both(|peer| {
        let addr = json!({"host": "127.0.0.1", "port": 0});
        for (method, params) in [
            ("eventer.connect", json!({"addr": addr})),
            ("eventer.connect", json!({"client_name": "c"})),
            ("eventer.connect", json!({"addr": addr, "client_name": "c", "subscriptions": "a/b"})),
            ("eventer.connect", json!({"addr": addr, "client_name": "c", "server_id": 0.5})),
            ("eventer.listen", json!({"addr": addr, "status": "nonsense"})),
        ] {
            assert_eq!(refused(peer, method, params), ErrorKind::Value, "{method}");
        }
        let (client, host) = link(peer, json!({}), peer, &json!({}));
        let wrong_events = [
            json!(null),
            json!({}),
            json!([{}]),
            json!([{"type": "a/b"}]),
            json!([{"type": [1]}]),
            json!([{"type": [], "source_timestamp": [0, 1_000_000]}]),
            json!([{"type": [], "source_timestamp": [0]}]),
            json!([{"type": [], "payload": {"kind": "nonsense"}}]),
            json!([{"type": [], "payload": {"kind": "binary", "type": "", "data": "no base64"}}]),
        ];
        for events in wrong_events {
            let params = json!({"obj": client.object, "events": events});
            assert_eq!(refused(peer, "eventer.register", params), ErrorKind::Value, "{events}");
            let params = json!({"obj": host.side.object, "events": events, "persisted": true});
            assert_eq!(refused(peer, "eventer.notify_events", params), ErrorKind::Value);
        }
        for query in [json!({}), json!({"kind": "nonsense"}), json!({"kind": "server"})] {
            let params = json!({"obj": client.object, "params": query});
            assert_eq!(refused(peer, "eventer.query", params), ErrorKind::Value, "{query}");
        }
        for (method, object) in [("set_status", host.side), ("conn_infos", client)] {
            let params = json!({"obj": object.object});
            assert_eq!(refused(peer, &format!("eventer.{method}"), params), ErrorKind::Value);
        }
    });
}

/// A callback of a server that raises, or answers what makes no sense, registers and finds nothing.
#[test]
fn callbacks_that_fail_answer_nothing() {
    on_both(|peer| {
        let listen = json!({"has_register_cb": true, "has_query_cb": true});
        let (client, host) = link(peer, json!({}), peer, &listen);
        let query = json!({"params": {"kind": "latest"}});
        for reply in [Err("on purpose"), Ok(Value::Null), Ok(json!({"events": "nonsense"}))] {
            let registered = client.start("register", json!({"events": [], "with_response": true}));
            host.side.call("register").reply(reply.clone());
            assert_eq!(registered.expect(), json!({"events": null}));
            let found = client.start("query", query.clone());
            host.side.call("query").reply(reply);
            assert_eq!(found.expect(), json!({"events": [], "more_follows": false}));
        }
    });
}

/// The deployed peers send whatever they are told to; here the rules of the protocol are kept when
/// sending.
#[test]
fn sending_out_of_turn_is_a_value() {
    on_both(|peer| {
        let Link { client, accepted, .. } = Link::new(Layer::Chatter, peer, peer);
        let kind = |how| client.start_send(b"x", how).wait().map_err(|error| error.kind);
        let conv = client.send(b"x", ASK);
        assert_eq!(kind(How { conv: conv.clone(), ..ONE }), Err(ErrorKind::Value));
        let seen = accepted.receive(b"x")["conv"].take();
        accepted.send(b"y", How { conv: seen, ..ONE });
        client.receive(b"y");
        assert_eq!(kind(How { conv, ..ONE }), Err(ErrorKind::Value));
        assert_eq!(
            kind(How { conv: json!({"owner": true, "first_id": 77}), ..ONE }),
            Err(ErrorKind::Value)
        );
    });
}

/// A peer that takes nothing holds up the sends, which are then done in order, and nothing else.
#[test]
fn sends_wait_for_room_in_order() {
    on_both(|peer| {
        let listen = json!({"receive_queue_size": 1});
        let Link { client, accepted, .. } =
            Link::with(Layer::Chatter, peer, json!({}), peer, listen);
        let data = |index: u8| vec![index; 1 << 20];
        let sends: Vec<_> = (0..40).map(|index| client.start_send(&data(index), ONE)).collect();
        let drained = client.start("drain");
        accepted.send(b"meanwhile", ONE);
        client.receive(b"meanwhile");
        assert!(!drained.is_ready() && !sends[39].is_ready());
        for index in 0..40 {
            accepted.receive(&data(index));
        }
        drained.expect();
        let ids: Vec<_> =
            sends.into_iter().map(|sent| sent.expect()["first_id"].as_i64()).collect();
        assert!(ids.is_sorted(), "{ids:?}");
    });
}

/// Rule 5, also for what waits until all is written: nothing is left to be.
#[test]
fn nothing_drains_once_it_is_closed() {
    on_both(|peer| {
        for layer in [Layer::Chatter, Layer::Chatter05] {
            let Link { client, accepted, .. } = Link::new(layer, peer, peer);
            client.close().expect();
            accepted.closes();
            for side in [client, accepted] {
                let error = side.start("drain").wait().expect_err("it is closed");
                assert_eq!(error.kind, ErrorKind::Connection, "{layer:?}: {error}");
            }
        }
        for layer in ["tpkt", "cotp"] {
            let (ours, theirs, ..) = connected(layer, peer, peer, &json!({}));
            peer.expect("close", json!({"obj": ours}));
            peer.event("closed", theirs);
            for object in [ours, theirs] {
                let kind = refused(peer, &format!("{layer}.drain"), json!({"obj": object}));
                assert_eq!(kind, ErrorKind::Connection, "{layer}");
            }
        }
    });
}

/// A reply of a tester that is no object has no data, as null has none.
#[test]
fn replies_that_are_no_objects() {
    on_both(|peer| {
        for reply in [json!(5), json!("text"), json!([]), json!(null)] {
            let host = Host::listen("juggler", peer, &json!({"has_request_cb": true}));
            let (side, conn) = host.connect(peer, json!({}));
            let asked = side.start("send", json!({"name": "do", "data": 1}));
            conn.call("request").reply(Ok(reply.clone()));
            assert_eq!(asked.expect(), json!({"data": null}), "{reply}");

            let host = Host::listen("juggler05", peer, &json!({}));
            let (side, conn) = host.connect(peer, json!({}));
            conn.expect("rpc_wrap", json!({"actions": ["do"]}));
            side.expect("rpc_wrap", json!({"actions": []}));
            let called = side.start("rpc_call", json!({"action": "do", "args": []}));
            conn.call("rpc").reply(Ok(reply.clone()));
            assert_eq!(called.expect(), json!({"result": null}), "{reply}");
        }
    });
}

/// Everything that was asked for is started before the end, and what is done at once is answered.
#[test]
fn the_end_of_the_input_ends_the_process() {
    for runtime in ["tokio", "smol"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hat-testee"));
        command.args(["--runtime", runtime]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the testee starts");
        let mut input = child.stdin.take().expect("a pipe");
        let lines = [
            json!({"t": "req", "id": 7, "m": "chatter.listen", "p": {"addr": {"host": "127.0.0.1", "port": 0}}}),
            json!({"t": "rep", "id": 1, "ok": null}),
            json!({"t": "req", "id": "x", "m": "hello"}),
        ];
        for line in lines {
            writeln!(input, "{line}").expect("it reads");
        }
        write!(input, "no JSON\n\n").expect("it reads");
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).expect("text");
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!((&lines[0]["id"], &lines[1]["id"], lines.len()), (&json!(7), &json!("x"), 2));
        assert_eq!(lines[1]["ok"]["protocol"], "hat-testee/1");
    }
}
