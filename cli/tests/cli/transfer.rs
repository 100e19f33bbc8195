//! `hat export`, `import`, `replay`, `load`, `top` and `doctor`.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::on_every_runtime;
use crate::process::{Hat, RunOutput, Server, hat, hat_with};

/// What was printed, and the one line of how many there were.
#[track_caller]
fn counted(ended: RunOutput, text: &str) -> Vec<String> {
    assert_eq!((ended.code, &ended.stderr[..]), (Some(0), &[text.to_owned()][..]), "{ended:?}");
    ended.stdout
}

/// Without what a server gives: type, source timestamp, payload.
fn kept(lines: &[String]) -> Vec<(Value, Value, Value)> {
    let parts = lines.iter().map(|line| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let field = |name: &str| event[name].clone();
        (field("segments"), field("source_timestamp"), field("payload"))
    });
    parts.collect()
}

const LINES: &str = r#"{"type":"a/b","source_timestamp":"2023-11-14T22:13:20.000005Z","payload":{"kind":"json","data":{"x":1.50}}}
{"segments":["a/b","*"],"payload":{"kind":"binary","type":"t","data":"AP8="}}
{"type":"c"}
"#;

on_every_runtime! {
    fn out_of_one_server_and_into_another(runtime) {
        let (one, two) = (Server::start(runtime, "--max-results 2"), Server::start(runtime, ""));
        let from = format!("--connect {} --runtime {runtime}", one.address);
        let into = format!("--connect {} --runtime {runtime}", two.address);
        hat_with(&format!("register {from}"), LINES).json();
        let exported = counted(hat(&format!("export {from}")), "3 events exported");
        assert_eq!(counted(hat(&format!("export c {from}")), "1 events exported"), exported[2..]);

        let text = exported.join("\n");
        counted(hat_with(&format!("import --times source {into}"), &text), "3 events imported");
        let imported = counted(hat(&format!("export {into}")), "3 events exported");
        assert_eq!(kept(&imported), kept(&exported));

        // without a source timestamp, the time it was registered is that
        counted(hat_with(&format!("import {into}"), &text), "3 events imported");
        let imported = counted(hat(&format!("export c {into}")), "2 events exported");
        let (was, now): (Value, Value) = (
            serde_json::from_str(&exported[2]).expect("JSON"),
            serde_json::from_str(&imported[1]).expect("JSON"),
        );
        assert_eq!(now["source_timestamp"], was["timestamp"]);
        let wrong = hat_with(&format!("import --keep-going {into}"), "{}\n");
        assert_eq!((wrong.code, wrong.stderr.len()), (Some(2), 2), "{wrong:?}");
    }

    /// What is kept only as the latest of its type is exported in its place.
    fn latest_events_that_no_series_has_are_exported(runtime) {
        let (one, two) = (Server::start(runtime, "--max-events 3"), Server::start(runtime, ""));
        let from = format!("--connect {} --runtime {runtime}", one.address);
        let into = format!("--connect {} --runtime {runtime}", two.address);
        for event_type in ["slow/a", "slow/b", "x", "x", "x", "x"] {
            hat(&format!("register {event_type} {from}")).json();
        }
        assert_eq!(hat(&format!("query timeseries {from}")).json().len(), 3);
        let exported = counted(hat(&format!("export {from}")), "5 events exported");
        let types = |lines: &[String]| kept(lines).into_iter().map(|it| it.0).collect::<Vec<_>>();
        let expected = [json!(["slow", "a"]), json!(["slow", "b"]), json!(["x"]), json!(["x"]), json!(["x"])];
        assert_eq!(types(&exported), expected);
        assert_eq!(counted(hat(&format!("export x {from}")), "3 events exported"), exported[2..]);
        assert_eq!(counted(hat(&format!("export slow/b {from}")), "1 events exported"), exported[1..2]);
        let event: Value = serde_json::from_str(&exported[1]).expect("JSON");
        let since = event["timestamp"].as_str().expect("a time");
        assert_eq!(counted(hat(&format!("export --from {since} {from}")), "4 events exported"), exported[1..]);

        counted(hat_with(&format!("import {into}"), &exported.join("\n")), "5 events imported");
        assert_eq!(hat(&format!("query latest slow/* {into}")).json().len(), 2);
    }

    /// What is on its way is waited for, and nobody takes the rest for done.
    fn an_interrupted_input_says_what_was_registered(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let follower = Hat::start(&format!("subscribe --status {connect}"));
        assert_eq!(follower.json(), json!({"status": "operational"}));
        let line = |hour: u32| format!(
            "{{\"id\":{{\"server\":1,\"session\":1,\"instance\":1}},\"type\":\"r\",\"timestamp\":\"2023-11-14T{hour}:13:00Z\"}}\n"
        );
        let replay = Hat::start_with(&format!("replay {connect}"), &(line(10) + &line(20)));
        assert_eq!(follower.json()["segments"], json!(["r"]));
        replay.signal("INT");
        let text = "error: interrupted: 1 events were registered, and the ones after them were not";
        assert_eq!(replay.end().failed(1), text);

        // what comes from a pipe may go on for ever, and ends so
        let lines = "{\"type\":\"p\"}\n".repeat(2);
        let register = Hat::start_with(&format!("register --response --batch 1 --rate 0.001 {connect}"), &lines);
        assert_eq!(follower.json()["segments"], json!(["p"]));
        register.signal("INT");
        let ended = register.end();
        let note = "note: interrupted: 1 events registered; nothing after line 1 was sent";
        assert_eq!((ended.code, &ended.stderr[..]), (Some(0), &[note.to_owned()][..]));
        assert_eq!(ended.stdout.len(), 1);
        assert_eq!(hat(&format!("query latest {connect}")).json().len(), 2);
    }

    /// Nobody reads what is exported while somebody asks for the end.
    fn an_interrupted_export_ends_with_a_whole_line(runtime) {
        let server = Server::start(runtime, "--max-results 1000");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let payload = "x".repeat(1_000);
        let line = format!("{{\"type\":\"a\",\"payload\":{{\"kind\":\"json\",\"data\":\"{payload}\"}}}}\n");
        hat_with(&format!("register {connect}"), &line.repeat(4_000)).json();
        for command in ["export", "query timeseries --all"] {
            let mut child = Command::new(env!("CARGO_BIN_EXE_hat"))
                .args(format!("{command} {connect}").split_whitespace())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts");
            let mut stdout = child.stdout.take().expect("a pipe");
            let mut text = vec![0];
            stdout.read_exact(&mut text).expect("it has begun");
            let pid = child.id().to_string();
            assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
            // its thread for signals is told before anybody reads on
            thread::sleep(Duration::from_millis(300));
            stdout.read_to_end(&mut text).expect("the rest");
            let ended = child.wait_with_output().expect("it ends");
            let error = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(1), "{error}");
            assert!(error.starts_with("error: interrupted: "), "{error}");
            let text = String::from_utf8(text).expect("text");
            assert!(text.ends_with("}\n") && text.lines().count() < 4_000, "{}", text.lines().count());
            assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
        }
    }

    fn as_it_was_but_faster(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let line = |second: &str| format!(
            "{{\"id\":{{\"server\":1,\"session\":1,\"instance\":1}},\"type\":\"r\",\"timestamp\":\"2023-11-14T22:13:{second}Z\"}}\n"
        );
        let text = ["00", "01", "03", "59"].map(line).concat();
        let replay = format!("replay --speed 10 --max-pause 4s --times now {connect}");
        let start = std::time::Instant::now();
        counted(hat_with(&replay, &text), "4 events replayed");
        // 0.1, 0.2 and 0.4 s of pauses: how late an event is is the machine's, none comes sooner
        assert!(start.elapsed() >= std::time::Duration::from_millis(700));
        let lines = counted(hat(&format!("export {connect}")), "4 events exported");
        let source = kept(&lines)[3].1.as_str().expect("a text").parse::<hat_core::eventer::Timestamp>();
        assert!(source.expect("a time").as_secs_f64() > 1.7e9, "moved to now");
    }

    fn a_load(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let args = "load --seconds 0.4 --clients 3 --batch 5 --types 7 --follow --format json";
        let line = hat(&format!("{args} {connect}")).json().remove(0);
        let events = line["events"].as_u64().expect("a number");
        assert!(events > 0 && events.is_multiple_of(5), "{line}");
        assert_eq!(line["told_events"], events, "{line}");
        assert!(line["answer_ms"]["p99.9"].as_f64() >= line["answer_ms"]["p50"].as_f64(), "{line}");
        assert_eq!(hat(&format!("query latest load/* {connect}")).json().len(), 7);

        let paced = hat(&format!("load --seconds 0.5 --rate 40 --type x/y {connect}")).json_lines();
        assert!(paced[0].starts_with("registered  20 events in 20 sessions in "), "{paced:?}");
        assert!(paced[1].contains(" ms, p99 "), "{paced:?}");
    }

    fn the_table_once(runtime) {
        let server = Server::start(runtime, "");
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        hat_with(&format!("register a/known {connect}"), "1").json();
        let top = hat(&format!("top --once 0.2 {connect}")).json_lines();
        assert!(top[0].contains(" operational  0.0 events/s  1 types"), "{top:?}");
        assert!(top[1].contains("EVENTS/S") && top[2].ends_with("a/known                         1"), "{top:?}");
        assert!(hat(&format!("top {connect}")).failed(2).contains("this is not a terminal"));
    }

    fn a_server_that_is_well(runtime) {
        let server = Server::start_whole(runtime, "--token s3");
        let ended = hat(&format!("doctor {} --token s3 --runtime {runtime}", server.address));
        let lines = ended.json_lines();
        let steps: Vec<_> = lines.iter().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(steps, ["ok name", "ok TCP", "- TLS", "ok protocol", "ok token", "ok clock", "ok round"], "{lines:?}");
        assert!(lines[5].ends_with(" ms"), "{lines:?}");
    }

    fn what_is_wrong_is_told_with_what_to_do(runtime) {
        let server = Server::start(runtime, "--token s3");
        let web = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let silent = web.local_addr().expect("bound");
        let nobody = hat_tests::peers::unused_addr();
        for (args, code, step, todo) in [
            (format!("{} --token wrong", server.address), 4, "token", "HAT_TOKEN"),
            (format!("{} --dangerous-accept-any-certificate --timeout 1", server.address), 8, "TLS", "a server without TLS"),
            (nobody.to_string(), 3, "TCP", "nothing listens there"),
            ("host.invalid:1".to_owned(), 3, "name", "check the spelling"),
            (format!("{silent} --timeout 0.2"), 5, "protocol", "another program listens there"),
        ] {
            let ended = hat(&format!("doctor {args} --runtime {runtime}"));
            assert_eq!(ended.code, Some(code), "{ended:?}");
            let failed = ended.stdout.iter().position(|line| line.starts_with("FAIL")).expect("one failed");
            assert!(ended.stdout[failed].contains(step), "{ended:?}");
            assert!(ended.stdout[failed + 1].contains(todo), "{ended:?}");
            assert_eq!(ended.stdout.len(), failed + 2, "{ended:?}");
        }
    }
}

#[test]
fn an_output_that_nobody_reads() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    hat_with(&format!("register {connect}"), &"{\"type\":\"a\"}\n".repeat(5000)).json();
    let program = env!("CARGO_BIN_EXE_hat");
    for command in [
        "export",
        "query timeseries --all",
        "subscribe --from 0 --count 5000",
        "top --once 0.1",
        "doctor",
        "man",
        "completions bash",
        "--help",
        "load --seconds 0.1",
        "subscribe --last 5000 --format table",
    ] {
        let connect = if command.starts_with(['m', 'c', '-']) { "" } else { &connect };
        let script = format!("{program} {command} {connect} | true; exit ${{PIPESTATUS[0]}}");
        let ended =
            std::process::Command::new("bash").args(["-c", &script]).output().expect("bash");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(
            ended.status.code() == Some(0) && !said.contains("panicked"),
            "{command}: {ended:?}"
        );
    }
}

/// A log of what comes, with the file of an earlier run.
#[test]
fn a_file_that_is_imported() {
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    let file = std::env::temp_dir().join(format!("hat-import-{}", std::process::id()));
    hat_with(&format!("register {connect}"), LINES).json();
    let lines = hat(&format!("query timeseries --order asc {connect}")).json_lines().join("\n");
    std::fs::write(&file, lines).expect("written");
    let ended = Hat::start(&format!("import {} {connect}", file.display())).end();
    counted(ended, "3 events imported");
    let _ = std::fs::remove_file(&file);
    let missing = hat(&format!("import /nonexistent {connect}"));
    assert!(missing.failed(2).contains("cannot read /nonexistent"));
    assert_eq!(hat(&format!("query timeseries {connect}")).json().len(), 6);
}
