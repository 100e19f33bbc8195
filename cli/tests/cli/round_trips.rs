//! Register, subscribe, query, status, against `hat serve`.

use serde_json::{Value, json};

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};

/// The session and instance, which the server counts.
fn number(event: &Value) -> (i64, i64) {
    let part = |name: &str| event["id"][name].as_i64().expect("a number");
    (part("session"), part("instance"))
}

on_every_runtime! {
    fn what_is_registered_is_told_and_found(runtime) {
        let server = Server::start_of(runtime, "--server-id 7");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let told = Hat::start(&format!("subscribe a/? --status {connect}"));
        let stored = Hat::start(&format!("subscribe --persisted --server-id 7 --status {connect}"));
        let others = Hat::start(&format!("subscribe --server-id 8 --status {connect}"));
        for subscriber in [&told, &stored, &others] {
            assert_eq!(subscriber.json(), json!({"status": "operational"}));
        }

        let time = "2023-11-14T22:13:20.000005Z";
        let args = format!("register a/b --json [1.50,{{}}] --source-timestamp {time} --response");
        let registered = hat(&format!("{args} {connect}")).json().remove(0);
        let (session, instance) = number(&registered);
        assert_eq!((&registered["id"]["server"], instance), (&json!(7), 1));
        // no server before this one, were it of the same id, can have given the number
        assert!(session > 1_700_000_000_000_000, "from the clock in microseconds: {session}");
        assert_eq!((&registered["type"], &registered["segments"]), (&json!("a/b"), &json!(["a", "b"])));
        assert_eq!(registered["source_timestamp"], time);
        assert_eq!(registered["payload"], json!({"kind": "json", "data": [1.5, {}]}));
        let binary = Hat::start_with(&format!("register b/c --binary t --file - {connect}"), "čx");
        assert_eq!(binary.end().json(), [""; 0]);

        assert_eq!(told.json(), registered);
        assert_eq!(stored.json(), registered);
        let second = stored.json();
        assert_eq!(second["segments"], json!(["b", "c"]));
        assert_eq!(second["payload"], json!({"kind": "binary", "type": "t", "data": "xI14"}));

        let query = |args: &str| hat(&format!("query {args} {connect}")).json();
        assert_eq!(query("latest"), [registered.clone(), second.clone()]);
        let (only_first, only_second) = (vec![registered.clone()], vec![second.clone()]);
        assert_eq!(query("latest b/*"), only_second);
        assert_eq!(query("timeseries"), [second.clone(), registered.clone()]);
        let ascending = query(&format!("timeseries --order ascending --last-event-id 7,{session},1"));
        assert_eq!(ascending, only_second);
        let source = format!("timeseries --order-by source_timestamp --source-from {time} --source-to {time}");
        assert_eq!(query(&source), only_first);
        assert_eq!(query("server --server-id 7 --max-results 4 --persisted"), [registered, second]);
        assert_eq!(query("server"), [""; 0], "there are no events of server 1");
        assert_eq!(hat(&format!("status {connect}")).json(), [json!({"status": "operational"})]);

        // nothing came to who asked for nothing that happened
        server.hat.signal("INT");
        assert_eq!(others.json(), json!({"status": "stopping"}));
    }

    fn ten_thousand_lines(runtime) {
        let server = Server::start(runtime, "--max-results 1000");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let follower = Hat::start(&format!("subscribe --status --count 10000 {connect}"));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        let line = |index| json!({"type": format!("n/{index}"), "payload": {"kind": "json", "data": index}});
        let lines: String = (0..10_000).map(|index| format!("{}\n", line(index))).collect();

        let registered = hat_with(&format!("register --response {connect}"), &lines).json();
        assert_eq!(registered.len(), 10_000);
        let data = |event: &Value| event["payload"]["data"].as_i64().expect("a number");
        assert!(registered.iter().map(data).eq(0..10_000), "in the order of the lines");
        assert!(registered.is_sorted_by(|a, b| number(a) < number(b)));
        assert_eq!(follower.end().json(), registered, "subscribers are told in that order too");

        let page = hat(&format!("query server {connect}"));
        assert_eq!((page.code, page.stdout.len()), (Some(0), 1000));
        assert!(page.stderr[0].starts_with("note: more events follow"), "{:?}", page.stderr);
        assert_eq!(hat(&format!("query server --all {connect}")).json(), registered);
        // what was printed can be registered
        let printed: Vec<_> = registered[..3].iter().map(Value::to_string).collect();
        let again = hat_with(&format!("register --response {connect}"), &printed.join("\n")).json();
        assert_eq!(again.iter().map(data).collect::<Vec<_>>(), [0, 1, 2]);
    }

    fn sessions_of_many_clients_are_told_in_order(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let follower = Hat::start(&format!("subscribe --status --count 2000 {connect}"));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        let clients: Vec<_> = ["a", "b", "c", "d"]
            .map(|name| {
                let lines = format!("{{\"type\":\"{name}\"}}\n").repeat(500);
                Hat::start_with(&format!("register --batch 1 {connect}"), &lines)
            })
            .into();
        for client in clients {
            assert_eq!(client.end().json(), [""; 0]);
        }
        let told: Vec<_> = follower.end().json().iter().map(number).collect();
        let first = told[0].0;
        assert!(told.iter().copied().eq((first..first + 2000).map(|session| (session, 1))));
    }

    fn tables(runtime) {
        let server = Server::start(runtime, "--token secret");
        let connect = format!("--connect {} --token secret --format table --runtime {runtime}", server.address);
        let follower = Hat::start(&format!("subscribe --status --count 1 {connect}"));
        assert!(follower.line().ends_with("status is operational"));
        let registered = hat(&format!("register a/\u{1b}b --json {{\"x\":1}} --response {connect}"));
        let table = registered.stdout.join("\n");
        for part in ["ID", "SOURCE TIMESTAMP", ",1 ", "a/\\u{1b}b", r#"{"x":1}"#] {
            assert!(table.contains(part), "{part} in\n{table}");
        }
        let told = follower.end();
        assert_eq!((told.code, told.stdout.len()), (Some(0), 2), "{told:?}");
        assert!(told.stdout[0].starts_with("ID "), "{told:?}");
        assert!(told.stdout[1].starts_with("1,"), "{told:?}");
        let found = hat(&format!("query latest {connect}"));
        assert_eq!(found.stdout.join("\n"), table);
        let status = hat(&format!("status {connect}"));
        assert!(status.stdout[0].ends_with("status is operational"), "{status:?}");
    }
}

#[test]
fn the_oldest_events_go_first() {
    let server = Server::start("tokio", "--max-events 2");
    let connect = format!("--connect {}", server.address);
    let lines = "{\"type\":\"a\"}\n".repeat(5);
    assert_eq!(hat_with(&format!("register {connect}"), &lines).json(), [""; 0]);
    assert_eq!(hat(&format!("query timeseries {connect}")).json().len(), 2);
}

#[test]
fn everything_that_is_printed_can_be_registered_again() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let lines = [
        r#"{"type":["a/b","?","*"],"payload":{"kind":"json","data":"\ud83d"}}"#,
        r#"{"type":[]}"#,
        r#"{"type":["",""],"payload":{"kind":"binary","type":"","data":""}}"#,
    ];
    let first = hat_with(&format!("register --response {connect}"), &lines.join("\n")).json_lines();
    assert_eq!(first.len(), 3);
    let again = hat_with(&format!("register --response {connect}"), &first.join("\n")).json_lines();
    let from_type = |lines: &[String]| -> Vec<String> {
        let shown = |line: &String| {
            let (kind, rest) = line.split_once(r#""type""#).expect("a type");
            assert!(kind.starts_with(r#"{"id""#));
            let (kind, rest) = rest.split_once(r#","timestamp":"#).expect("a timestamp");
            format!("{kind}{}", rest.split_once(',').expect("more").1)
        };
        lines.iter().map(shown).collect()
    };
    assert_eq!(from_type(&again), from_type(&first));
    assert!(first[0].contains(r#"["a/b","?","*"]"#) && first[0].contains(r#""\ud83d""#));
}

#[test]
fn a_query_that_is_too_large_for_one_message_comes_in_pages() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    // 80 MB
    let line = format!(
        "{{\"type\":\"big\",\"payload\":{{\"kind\":\"json\",\"data\":\"{}\"}}}}\n",
        "x".repeat(20_000)
    );
    let lines = line.repeat(4_000);
    assert_eq!(hat_with(&format!("register --batch 500 {connect}"), &lines).json_lines(), [""; 0]);
    let all = hat(&format!("query timeseries --all {connect}"));
    assert_eq!((all.code, all.stdout.len()), (Some(0), 4_000), "{:?}", all.stderr);
    let server = hat(&format!("query server --all {connect}"));
    assert_eq!((server.code, server.stdout.len()), (Some(0), 4_000), "{:?}", server.stderr);
    let page = hat(&format!("query timeseries {connect}"));
    assert!((100..4_000).contains(&page.stdout.len()), "{}", page.stdout.len());
    assert!(page.stderr[0].starts_with("note: more events follow"), "{:?}", page.stderr);
}

#[test]
fn types_that_are_too_many_are_forgotten() {
    let server = Server::start("tokio", "--max-events 1 --max-types 2");
    let connect = format!("--connect {}", server.address);
    let lines = ["a", "b", "c"].map(|name| format!("{{\"type\":\"{name}\"}}\n")).concat();
    assert_eq!(hat_with(&format!("register {connect}"), &lines).json(), [""; 0]);
    let latest = hat(&format!("query latest {connect}")).json();
    let types: Vec<_> = latest.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["b", "c"]);
}
