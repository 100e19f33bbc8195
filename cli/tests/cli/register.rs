//! What `hat register` takes, and `hat query` gives, in the forms that people write.

use serde_json::{Value, json};

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
