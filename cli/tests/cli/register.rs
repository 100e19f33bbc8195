//! What `hat register` takes, and `hat query` gives, in the forms that people write.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use hat_core::eventer::{Event, EventId, RegisterEvent, Status, Timestamp};
use hat_smol::eventer::{ConnectionInfo, Handler, ListenOptions, listen};
use serde_json::{Value, json};

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};

fn payload(event: &Value) -> &Value {
    &event["payload"]
}

#[test]
fn standard_input_is_the_payload() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let register = |args: &str, input: &str| {
        hat_with(&format!("register {args} --response {connect}"), input).json().remove(0)
    };
    let event = register("a/b", "{\"x\":1.50}\n");
    assert_eq!(event["payload"], json!({"kind": "json", "data": {"x": 1.5}}));
    assert_eq!(register("a/b", "")["payload"], Value::Null);
    assert_eq!(register("a/b --no-payload", "{")["payload"], Value::Null);
    let binary = register("a/b --binary t", "čx");
    assert_eq!(binary["payload"], json!({"kind": "binary", "type": "t", "data": "xI14"}));
    let now = register("a/b --source-timestamp 1700000000.5", "1");
    assert_eq!(now["source_timestamp"], "2023-11-14T22:13:20.500000Z");

    let wrong = hat_with(&format!("register a/b {connect}"), "{\"x\":");
    assert!(wrong.failed(2).contains("a payload is JSON, or with --binary NAME any bytes"));
    // quotes in tests are white space
    let empty =
        std::process::Command::new(env!("CARGO_BIN_EXE_hat")).args(["register", ""]).output();
    let empty = empty.expect("the program starts");
    assert_eq!(empty.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&empty.stderr).contains("an event type needs a segment"));
}

#[test]
fn lines_of_other_forms() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let register = |args: &str, input: &str| {
        hat_with(&format!("register {args} --response {connect}"), input).json()
    };
    let texts = register("log/x --input text", "one\n\n\"two\"\n");
    let data: Vec<_> = texts.iter().map(|event| payload(event)["data"].clone()).collect();
    assert_eq!(data, ["one", "", "\"two\""]);
    let values = register("v --input values", "1.5\n[2]\n");
    assert_eq!(
        values.iter().map(|it| it["payload"]["data"].clone()).collect::<Vec<_>>(),
        [json!(1.5), json!([2])]
    );

    let csv = "source_timestamp,celsius,on,note\n2023-11-14,81.5,true,\"a,\n\"\"b\"\"\"\n,7,,\n";
    let rows = register("plant/boiler --input csv", csv);
    assert_eq!(
        payload(&rows[0])["data"],
        json!({"celsius": 81.5, "on": true, "note": "a,\n\"b\""})
    );
    assert_eq!(rows[0]["source_timestamp"], "2023-11-14T00:00:00.000000Z");
    assert_eq!(
        (payload(&rows[1])["data"].clone(), &rows[1]["source_timestamp"]),
        (json!({"celsius": 7}), &Value::Null)
    );
    assert_eq!(rows[1]["type"], "plant/boiler");
}

/// Editors and shells of Windows put a mark of the byte order in front of a file, and files that
/// are put together have it in front of a line.
#[test]
fn a_byte_order_mark_in_front_of_a_line() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let register = |args: &str, input: &str| {
        let events = hat_with(&format!("register {args} --response {connect}"), input).json();
        events.iter().map(|it| it["payload"]["data"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(register("a", "\u{feff}1.5\r\n"), [json!(1.5)]);
    assert_eq!(register("a --input values", "\u{feff}1\n\u{feff}2\n"), [json!(1), json!(2)]);
    let line = r#"{"type":"a","payload":{"kind":"json","data":3}}"#;
    assert_eq!(register("--input jsonl", &format!("\u{feff}{line}\r\n{line}")), [3, 3]);
    assert_eq!(register("a --input csv", "\u{feff}payload\r\n4\r\n"), [json!(4)]);
    // of text, only the file's own
    assert_eq!(register("a --input text", "\u{feff}x\n\u{feff}y\n"), ["x", "\u{feff}y"]);
}

/// CSV and JSON lines as they are printed, and read again.
#[test]
fn what_is_printed_as_csv_can_be_registered() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let lines = [
        r#"{"type":"a/b","source_timestamp":"2023-11-14T22:13:20Z","payload":{"kind":"json","data":{"x":"a,\"b"}}}"#,
        r#"{"type":"a/c","payload":{"kind":"binary","type":"t","data":"AP8="}}"#,
        r#"{"type":"a/d"}"#,
    ];
    let args = format!("register --response --format csv {connect}");
    let first = hat_with(&args, &lines.join("\n")).json_lines();
    assert_eq!(
        first[0],
        "server,session,instance,type,timestamp,source_timestamp,payload_kind,payload_type,payload"
    );
    assert!(
        first[2].starts_with("1,1,2,a/c,") && first[2].ends_with(",,binary,t,AP8="),
        "{first:?}"
    );
    let again = hat_with(&format!("{args} --input csv"), &first.join("\n")).json_lines();
    let rest = |line: &String| {
        line.splitn(6, ',')
            .map(str::to_owned)
            .enumerate()
            .filter(|(at, _)| [3, 5].contains(at))
            .collect::<Vec<_>>()
    };
    assert!(first.iter().map(rest).eq(again.iter().map(rest)), "{first:?} {again:?}");
}

/// A text of the type would say other segments.
#[test]
fn a_type_that_a_text_does_not_say_is_the_same_after_csv() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let types = [
        json!(["event", "1", "eventer", "gateway/gw1"]),
        json!(["a,\"b", "", "?"]),
        json!(["[\"a\"]"]),
        json!(["[a]", "b"]),
    ];
    let lines = types.each_ref().map(|it| json!({"segments": it}).to_string() + "\n").concat();
    let args = format!("register --response --format csv {connect}");
    let csv = hat_with(&args, &lines).json_lines().join("\n");
    assert!(csv.contains(",[a]/b,"), "{csv}");
    let again = hat_with(&format!("register --response --input csv {connect}"), &csv).json();
    assert!(again.iter().map(|event| &event["segments"]).eq(&types), "{csv}: {again:?}");
}

/// Every line is registered, or the command says which one is not.
#[test]
fn no_line_of_csv_is_lost_to_a_quote() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let register = |csv: &str| hat_with(&format!("register --response --input csv {connect}"), csv);
    let csv = "type,name\na/b,5\" pipe\na/c,foo\na/d,6\" pipe\na/e,7\" pipe\n";
    let rows = register(csv).json();
    let names = rows.iter().map(|row| row["payload"]["data"]["name"].as_str().expect("a text"));
    assert!(names.eq(["5\" pipe", "foo", "6\" pipe", "7\" pipe"]), "{rows:?}");

    let ended = register("type,name\na/b,\"5 pipe\na/c,foo\na/d,bar\n");
    let line = ended.failed(2);
    assert!(line.contains("lines 2 to 4 of standard input: a quote is not closed"), "{line}");
    let ended = register("type,name\na/b,\"5 pipe\na/c,\"6 pipe\n");
    let line = ended.failed(2);
    assert!(line.contains("lines 2 to 3 of standard input: text follows a quote"), "{line}");
    for csv in ["type,name\ra/b,1\ra/c,2\r", "type,name\na/b,1\ra/c,2\n"] {
        let ended = register(csv);
        let line = ended.failed(2);
        assert!(line.contains("a carriage return ends the record"), "{csv:?}: {line}");
    }
    assert_eq!(hat(&format!("query timeseries {connect}")).json().len(), rows.len());
}

/// Quotes are looked for once in every line: of a large field, too.
#[test]
fn a_field_of_many_lines_takes_no_longer_than_its_bytes() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let csv = format!("type,text\na/b,\"{}\"\n", "x\n".repeat(400_000));
    let ended = hat_with(&format!("register --response --input csv {connect}"), &csv).json();
    assert_eq!(payload(&ended[0])["data"]["text"].as_str().expect("a text").len(), 800_000);
}

/// Nothing behind names that are wrong has a meaning.
#[test]
fn one_does_not_go_on_after_the_names_of_columns_that_are_wrong() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let ended =
        hat_with(&format!("register t --input csv --keep-going {connect}"), "x,x\n1,2\n3,4\n");
    let line = ended.failed(2);
    assert!(line.contains("line 1 of standard input: two columns have the name `x`"), "{line}");
    assert_eq!(hat(&format!("query latest {connect}")).json().len(), 0);
}

#[test]
fn one_goes_on_after_lines_that_are_wrong() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let lines =
        "{\"type\":\"a\"}\nnonsense\n{\"type\":\"\"}\n{\"type\":\"b\"}\n\n{}\n{\"type\":\"c\"}\n";
    let ended = hat_with(&format!("register --keep-going {connect}"), lines);
    assert_eq!((ended.code, ended.stderr.len()), (Some(2), 4), "{ended:?}");
    assert!(ended.stderr[0].starts_with("line 2 of standard input: "), "{ended:?}");
    assert_eq!(ended.stderr[3], "error: 3 events registered, 3 lines failed: 2 to 3, 6");
    assert_eq!(hat(&format!("query timeseries {connect}")).json().len(), 3);
    let well = hat_with(&format!("register --keep-going {connect}"), "{\"type\":\"a\"}\n");
    assert_eq!(well.json(), [""; 0]);
}

/// How late the events are is the machine's; that none comes sooner is ours.
#[test]
fn a_rate_is_kept() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let lines = "{\"type\":\"a\"}\n".repeat(20);
    let start = std::time::Instant::now();
    assert_eq!(hat_with(&format!("register --rate 40 {connect}"), &lines).json(), [""; 0]);
    assert!(start.elapsed() >= std::time::Duration::from_millis(450), "nine steps of 50 ms");
    let events = hat(&format!("query timeseries --order asc {connect}")).json();
    let sessions: std::collections::BTreeSet<_> =
        events.iter().map(|event| event["id"]["session"].as_i64()).collect();
    assert_eq!((events.len(), sessions.len()), (20, 10), "two at a time");
}

#[test]
fn times_as_people_write_them() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    hat(&format!("register a --source-timestamp yesterday {connect}")).json();
    let count = |args: &str| hat(&format!("query timeseries {args} {connect}")).json().len();
    for (args, expected) in [
        ("--from -1h", 1),
        ("--from=-1h --to now", 1),
        ("--from 2999-01-01", 0),
        ("--to -1d", 0),
        ("--source-from yesterday --source-to today", 1),
        ("--source-from today", 0),
        ("--from 0 --order asc", 1),
        ("--order ascending --order-by source_timestamp", 1),
    ] {
        assert_eq!(count(args), expected, "{args}");
    }
}

/// One event in every form.
#[test]
fn every_format() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let input = r#"{"celsius":81.50,"name":"boiler one"}"#;
    hat_with(&format!("register plant/boiler {connect}"), input).json();
    let latest = |args: &str| hat(&format!("query latest {args} {connect}")).json_lines();
    assert_eq!(latest("--format payload"), [input]);
    assert_eq!(latest("--format payload --path /celsius"), ["81.50"]);
    assert_eq!(
        latest("--format {type}={/celsius}|{/name}|{id}|{/none}"),
        ["plant/boiler=81.50|boiler one|1,1,1|"]
    );
    assert_eq!(
        latest("--format jsonl --path /name")[0].split_once("payload").expect("one").1,
        r#"":{"kind":"json","data":"boiler one"}}"#
    );
    assert!(latest("--path /none")[0].ends_with(r#""payload":null}"#));
    assert!(latest("--format table")[3].contains(r#"{"celsius":81.50"#));
    Hat::start_with(&format!("register fw --binary t {connect}"), "\u{1}\u{2}").end().json();
    assert_eq!(latest("fw --format payload"), ["\u{1}\u{2}"]);
}

/// `count` lines, each with its number.
fn numbered(count: usize) -> Vec<String> {
    let line = |n| format!("{{\"type\":\"n\",\"payload\":{{\"kind\":\"json\",\"data\":{n}}}}}\n");
    (1..=count).map(line).collect()
}

/// The number between two texts.
#[track_caller]
fn between(line: &str, before: &str, after: &str) -> usize {
    let rest = line.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    rest.and_then(|(number, _)| number.parse().ok())
        .unwrap_or_else(|| panic!("{before}…{after}: {line}"))
}

/// Registers everything but events of the type `refused`, about which it thinks for long enough
/// that many others are on their way behind them. Counts what it registered.
#[derive(Clone, Default)]
struct Choosy(Arc<AtomicI64>);

impl Handler for Choosy {
    async fn register(&self, _: &ConnectionInfo, events: Vec<RegisterEvent>) -> Option<Vec<Event>> {
        if events.iter().any(|event| event.event_type.to_string() == "refused") {
            smol::Timer::after(Duration::from_millis(500)).await;
            return None;
        }
        let registered = events.into_iter().map(|event| Event {
            id: EventId::new(1, self.0.fetch_add(1, Ordering::SeqCst) + 1, 1),
            event_type: event.event_type,
            timestamp: Timestamp::now(),
            source_timestamp: event.source_timestamp,
            payload: event.payload,
        });
        Some(registered.collect())
    }
}

on_every_runtime! {
    /// What is on its way behind a batch that is refused is registered: it is waited for, and said.
    fn a_refused_batch_does_not_hide_the_ones_behind_it(runtime) {
        let options = ListenOptions { status: Status::Operational, ..ListenOptions::default() };
        let address: SocketAddr = ([127, 0, 0, 1], 0).into();
        let choosy = Choosy::default();
        let server = smol::block_on(listen(address, choosy.clone(), options)).expect("a free port");
        let connect = format!("--connect {} --runtime {runtime}", server.addresses()[0]);
        let mut lines = numbered(1_000);
        for at in [9, 19] {
            lines[at] = "{\"type\":\"refused\"}\n".to_owned();
        }
        let ended = hat_with(&format!("register --batch 1 {connect}"), &lines.concat());
        assert_eq!((ended.code, ended.stderr.len()), (Some(7), 2), "{ended:?}");
        let refused = "the server did not register the events";
        assert_eq!(ended.stderr[0], format!("lines 20 to 20: {refused}"));
        let line = &ended.stderr[1];
        assert!(line.starts_with(&format!("error: lines 10 to 10: {refused}; ")), "{line}");
        let registered = between(line, "; ", " events registered, 2 lines failed: 10, 20; ");
        let last = between(line, "; nothing after line ", " was sent");
        assert_eq!(registered, choosy.0.load(Ordering::SeqCst) as usize, "{line}");
        assert_eq!(last, registered + 2, "{line}");
        assert!((20..1_000).contains(&last), "{line}");

        // one goes on: the same two, and all the others
        let ended = hat_with(&format!("register --batch 1 --keep-going {connect}"), &lines.concat());
        assert_eq!((ended.code, ended.stderr.len()), (Some(7), 3), "{ended:?}");
        assert_eq!(ended.stderr[2], "error: 998 events registered, 2 lines failed: 10, 20");
    }

    /// Nobody knows of what was on its way, and that is said, with what failed before.
    fn a_lost_connection_leaves_lines_uncertain(runtime) {
        for keep_going in [false, true] {
            let server = Server::start(runtime, "");
            let connect = format!("--connect {} --runtime {runtime}", server.address);
            let mut lines = numbered(5_000);
            let mut options = "--batch 1 --rate 50 --response".to_owned();
            if keep_going {
                lines[1] = "nonsense\n".to_owned();
                options += " --keep-going";
            }
            let register = Hat::start_with(&format!("register {options} {connect}"), &lines.concat());
            for _ in 0..3 {
                register.json();
            }
            server.hat.signal("STOP");
            thread::sleep(Duration::from_secs(1));
            server.hat.signal("KILL");
            let ended = register.end();
            assert_eq!((ended.code, ended.stderr.len()), (Some(6), 1 + usize::from(keep_going)), "{ended:?}");
            let line = ended.stderr.last().expect("one");
            let registered = between(line, "error: ", " events registered");
            assert_eq!(registered, 3 + ended.stdout.len(), "{ended:?}");
            let failed = match keep_going {
                false => "; the lines ",
                true => ", 1 lines failed: 2; the other lines ",
            };
            let first = between(line, &format!(" events registered{failed}"), " to ");
            let last = between(line, &format!(" {first} to "), " may or may not be registered; ");
            assert_eq!(first, registered + 1 + usize::from(keep_going), "{line}");
            assert!(last > first, "{line}");
            let rest = format!("; nothing after line {last} was sent: the connection to {} ended: ", server.address);
            assert!(line.contains(&rest), "{line}");
        }
    }
}

/// What was read before a wrong line is registered, and its count is said.
#[test]
fn a_wrong_line_is_told_with_what_was_registered_before_it() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let lines = numbered(5).concat() + "nonsense\n" + &numbered(5).concat();
    let ended = hat_with(&format!("register --batch 2 {connect}"), &lines);
    let line = ended.failed(2);
    assert!(line.starts_with("error: line 6 of standard input: "), "{line}");
    assert!(line.ends_with("; 5 events registered; nothing after line 5 was sent"), "{line}");
    assert_eq!(hat(&format!("query timeseries {connect}")).json().len(), 5);
}
