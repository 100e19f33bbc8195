//! `hat serve --store`, and `hat store`: what is on the disk after a server has ended, in whatever
//! way.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};

/// A folder of its own for a test, gone after it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hat-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a temporary folder");
        Self(path)
    }

    /// A path in it, as an argument.
    pub(crate) fn of(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn session(event: &Value) -> i64 {
    event["id"]["session"].as_i64().expect("a number")
}

/// The answers to all kinds of queries.
fn everything(connect: &str) -> Vec<Vec<Value>> {
    let queries = [
        "latest",
        "latest a/*",
        "timeseries",
        "timeseries --order ascending a/?",
        "timeseries --order-by sourceTimestamp",
        "server --server-id 7",
        "server --server-id 7 --persisted",
    ];
    queries.map(|query| hat(&format!("query {query} {connect}")).json()).into()
}

/// Three sessions, the second of two events.
fn register_some(connect: &str) -> Vec<Value> {
    let time = "2023-11-14T22:13:20.000005Z";
    let first = hat(&format!(
        "register a/b --json [1.50,{{}}] --source-timestamp {time} --response {connect}"
    ));
    let lines = "{\"type\":\"a/c\"}\n{\"type\":\"b\",\"payload\":{\"kind\":\"binary\",\"type\":\"t\",\"data\":\"AP8=\"}}\n";
    let second = hat_with(&format!("register --response {connect}"), lines);
    let third = hat(&format!("register a/b --json 2 --response {connect}"));
    [first, second, third].into_iter().flat_map(|ended| ended.json()).collect()
}

on_every_runtime! {
    fn events_outlive_their_server(runtime) {
        for (signal, args) in [("TERM", ""), ("KILL", ""), ("KILL", "--numbering stored")] {
            let folder = Folder::new();
            let args = format!("--server-id 7 --store {} {args}", folder.of("store"));
            let server = Server::start_of(runtime, &args);
            let connect = format!("--connect {} --runtime {runtime}", server.address);
            let registered = register_some(&connect);
            let before = everything(&connect);
            assert_eq!(before[5], registered);
            server.hat.signal(signal);
            let code = server.hat.end().code;
            assert_eq!(code, (signal == "TERM").then_some(0));

            let server = Server::start_of(runtime, &args);
            let connect = format!("--connect {} --runtime {runtime}", server.address);
            assert_eq!(everything(&connect), before, "{signal}");
            let next = hat(&format!("register a/b --response {connect}")).json().remove(0);
            assert!(session(&next) > session(&registered[3]), "{signal}: {next}");
            let all = hat(&format!("query server --server-id 7 {connect}")).json();
            assert_eq!((&all[..4], &all[4..]), (&registered[..], &[next][..]));
        }
    }

    fn a_store_has_one_server(runtime) {
        let folder = Folder::new();
        let store = folder.of("store");
        let server = Server::start_of(runtime, &format!("--store {store}"));
        let expected = format!("error: {store} is open in another process; only one server at a time can use a store");
        let serve = format!("serve --listen 127.0.0.1:0 --store {store} --runtime {runtime}");
        assert_eq!(hat(&serve).failed(1), expected);
        assert_eq!(hat(&format!("store stats {store}")).failed(1), expected);
        // the first goes on
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        hat(&format!("register a {connect}")).json();
        drop(server);
        // killed: nothing stays locked
        let server = Server::start_of(runtime, &format!("--store {store}"));
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        assert_eq!(hat(&format!("query latest {connect}")).json().len(), 1);
    }

    /// A follower gets each event that was answered for, once and in order, whatever the server was
    /// doing when it was killed.
    fn a_follower_misses_nothing_when_the_server_is_killed(runtime) {
        let folder = Folder::new();
        let args = format!("--store {}", folder.of("store"));
        let mut server = Server::start_of(runtime, &args);
        let listen = server.address.clone();
        let connect = format!("--connect {listen} --runtime {runtime}");
        let follower = Hat::start(&format!("subscribe a/* --reconnect --status {connect}"));
        assert_eq!(follower.json(), json!({"status": "operational"}));

        let mut answered = Vec::new();
        for round in 0..3 {
            let lines: Vec<_> = (0..20_000).map(|n| format!("{{\"type\":\"a/{round}/{n}\"}}\n")).collect();
            let writer = Hat::start_with(&format!("register --batch 7 --response {connect}"), &lines.concat());
            // in the middle of it
            let some: Vec<_> = (0..50).map(|_| writer.json()).collect();
            server.hat.signal("KILL");
            let ended = writer.end();
            answered.extend(some);
            answered.extend(ended.stdout.iter().map(|line| serde_json::from_str(line).expect("JSON")));
            drop(server);
            server = Server::start_of(runtime, &format!("--listen {listen} {args}"));
            // at once, before the follower is back
            answered.extend(hat(&format!("register a/back --response {connect}")).json());
        }
        answered.extend(hat(&format!("register a/end --response {connect}")).json());

        let mut told = Vec::new();
        while told.last().is_none_or(|event: &Value| event["type"] != "a/end") {
            let line = follower.json();
            if line.get("status").is_none() {
                told.push(line);
            }
        }
        let number = |event: &Value| (session(event), event["id"]["instance"].as_i64());
        assert!(told.is_sorted_by(|a, b| number(a) < number(b)), "in order, and each once");
        // what was in hand when the server was killed may be stored without an answer
        let stored = hat(&format!("query server --all {connect}")).json();
        assert_eq!(told, stored);
        let mut told = told.iter();
        assert!(answered.iter().all(|event| told.any(|it| it == event)), "all that was answered");
        follower.signal("TERM");
        let ended = follower.end();
        assert!(!ended.stderr.iter().any(|line| line.contains("may be missing")), "{ended:?}");
    }
}

/// `hat store export DIR | head`: nobody reads any more, and nothing is wrong with that.
#[test]
fn a_reader_that_goes_is_no_failure_of_a_store() {
    let folder = Folder::new();
    let store = folder.of("store");
    let lines = r#"{"id":{"server":7,"session":1,"instance":1},"type":"a","timestamp":[1,0]}"#;
    assert_eq!(hat_with(&format!("store import {store}"), lines).code, Some(0));
    for args in [
        format!("store export {store}"),
        format!("store stats {store}"),
        "serve --print-conf".to_owned(),
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hat"));
        command.args(args.split_whitespace()).stdout(writer);
        let ended = command.output().expect("the program starts");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), &*said), (Some(0), ""), "{args}");
    }
}

/// Each line that is no event of a store is named, and makes no store.
#[test]
fn a_line_that_cannot_be_imported_is_named() {
    let folder = Folder::new();
    let store = folder.of("store");
    let import = |text: &[u8]| {
        let (mut command, path) =
            (std::process::Command::new(env!("CARGO_BIN_EXE_hat")), folder.of("lines"));
        fs::write(&path, text).expect("a file");
        command.args(["store", "import", &store]).stdin(fs::File::open(path).expect("the file"));
        let ended = command.output().expect("the program starts");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(!fs::exists(format!("{store}/events.redb")).expect("the folder"), "{said}");
        said
    };
    let line = |session: i64, instance: i64| {
        format!(
            r#"{{"id":{{"server":7,"session":{session},"instance":{instance}}},"type":"a","timestamp":[1,0]}}"#
        ) + "\n"
    };
    for (second, why) in [
        ((0, 1), "has a session or an instance below 1"),
        ((2, 0), "has a session or an instance below 1"),
        ((1, 1), "does not come after the one before it"),
    ] {
        for third in [String::new(), line(3, 1)] {
            let said = import(&(line(1, 2) + &line(second.0, second.1) + &third).into_bytes());
            assert!(said.contains("line 2 of standard input: ") && said.contains(why), "{said}");
        }
    }
    let mut bytes = line(1, 1).into_bytes();
    bytes.extend(b"\xff\n");
    assert!(import(&bytes).contains("line 2 of standard input: it is not UTF-8"));
    let long = line(1, 1) + &" ".repeat((128 << 20) + 1);
    assert!(
        import(long.as_bytes()).contains("line 2 of standard input: it is longer than 128 MiB")
    );
}

/// From one store through all of the commands to another, which holds the same.
#[test]
fn a_store_is_looked_after() {
    let folder = Folder::new();
    let [store, backup, restored, imported] =
        ["store", "backup", "restored", "imported"].map(|name| folder.of(name));
    let server = Server::start_of("tokio", &format!("--server-id 7 --store {store}"));
    let registered = register_some(&format!("--connect {}", server.address));
    server.hat.signal("TERM");
    assert_eq!(server.hat.end().code, Some(0));

    let stats = |store: &str| hat(&format!("store stats {store}")).json().remove(0);
    let of = |store: &str| {
        let stats = stats(store);
        assert!(stats["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
        let last = &stats["servers"][0];
        assert_eq!(last["timestamp"], registered[3]["timestamp"]);
        [&stats["events"], &stats["types"], &last["server"], &last["session"], &last["instance"]]
            .map(|it| it.as_i64().expect("a number"))
    };
    let expected = [4, 3, 7, session(&registered[3]), 1];
    assert_eq!(of(&store), expected);

    let said = |args: &str, expected: &str| {
        let ended = hat(args);
        assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &[][..]), "{args}: {ended:?}");
        assert_eq!(ended.stderr, [expected], "{args}");
    };
    let sound = "4 events of 3 types and 1 server: every table agrees with every other";
    said(&format!("store check {store}"), sound);
    said(&format!("store backup {store} {backup}"), &format!("4 events copied to {backup}"));
    said(&format!("store restore {restored} {backup}"), &format!("4 events copied to {restored}"));
    said(&format!("store check {restored}"), sound);
    assert_eq!(of(&restored), expected);

    let exported = hat(&format!("store export {store}"));
    assert_eq!(exported.json(), registered);
    let lines = exported.json_lines().join("\n");
    let import = format!("store import {imported}");
    let ended = hat_with(&import, &lines);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr[0].starts_with("4 events imported, 0 skipped"), "{ended:?}");
    let ended = hat_with(&import, &lines);
    assert!(ended.stderr[0].starts_with("0 events imported, 4 skipped"), "{ended:?}");
    assert_eq!(of(&imported), expected);
    assert!(hat_with(&import, "{}").failed(2).contains("line 1"));

    // a server over the copies answers the same, and goes on above
    for store in [&restored, &imported] {
        let server = Server::start_of("tokio", &format!("--server-id 7 --store {store}"));
        let connect = format!("--connect {}", server.address);
        assert_eq!(hat(&format!("query server --server-id 7 {connect}")).json(), registered);
        let next = hat(&format!("register a --response {connect}")).json().remove(0);
        assert!(session(&next) > session(&registered[3]));
    }

    // nothing is made or written over by mistake
    let nowhere = folder.of("nowhere");
    for command in ["check", "stats", "export", "compact"] {
        let ended = hat(&format!("store {command} {nowhere}"));
        assert_eq!(ended.failed(2), format!("error: there is no store in {nowhere}"));
    }
    assert!(!fs::exists(&nowhere).expect("the folder can be looked into"));
    assert_ne!(hat(&format!("store backup {store} {backup}")).code, Some(0));
    assert_eq!(of(&backup), expected);
}
