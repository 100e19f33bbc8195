//! History that comes from, or goes to, where a server runs: `--mirror-once`, and a backup beside
//! the work.

use std::net::SocketAddr;
use std::process::Command;

use hat_tests::peers::{self, Environment, unused_addr};
use serde_json::{Value, json};

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};
use crate::redundancy::{DeployedProgram, until};
use crate::store::Folder;

/// The next line that starts so.
fn line_of(hat: &Hat, start: &str) -> String {
    loop {
        let line = hat.error_line();
        if line.starts_with(start) {
            return line;
        }
    }
}

/// A deployed server with everything in partitions by both timestamps.
fn theirs_at(folder: &Folder, at: SocketAddr) -> DeployedProgram {
    let conf = json!({
        "name": "theirs", "server_id": 2, "modules": [],
        "backend": {
            "module": "hat.event.backends.lmdb", "db_path": folder.of("theirs.db"), "identifier": null,
            "flush_period": 0.2, "cleanup_period": 60, "conditions": [],
            "latest": {"subscriptions": [["*"]]},
            "timeseries": [
                {"order_by": "TIMESTAMP", "subscriptions": [["*"]]},
                {"order_by": "SOURCE_TIMESTAMP", "subscriptions": [["*"]]},
            ],
        },
        "eventer_server": {"host": "127.0.0.1", "port": at.port()},
    });
    let path = folder.of("theirs.json");
    std::fs::write(&path, conf.to_string()).expect("a file");
    let theirs = DeployedProgram::start_with(folder, "hat-event-server", &path, at);
    until("it is operational", || {
        let ended = hat(&format!("status --connect {at}"));
        ended.stdout.iter().any(|line| line.contains("operational"))
    });
    theirs
}

/// Runs a script of the deployed packages, and gives what it prints.
fn python(script: &str, args: &[&str]) -> String {
    let environment = Environment::today().unwrap_or_else(|error| panic!("{error}"));
    let script = format!("{}/../tests/peers/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(environment.command().get_program());
    let output = command.arg(script).args(args).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

on_every_runtime! {
    /// Random queries have the same answers from the deployed server and from our store on a disk,
    /// before and after it was opened again. HAT_QUERIES asks more of them than the usual 100.
    fn the_same_questions_have_the_same_answers(runtime) {
        if peers::skipped("the_same_questions_have_the_same_answers") {
            return;
        }
        let (folder, at) = (Folder::new(), unused_addr());
        let _theirs = theirs_at(&folder, at);
        let port = at.port().to_string();
        python("same_answers.py", &["fill", &port, "7", "1000"]);
        let stored = || hat(&format!("query server --server-id 2 --persisted --all --connect {at}")).stdout.len();
        // engine, and who came and went
        until("it has stored all", || stored() > 1_000);
        let queries = std::env::var("HAT_QUERIES").unwrap_or_else(|_| "100".into());
        for seed in ["1", "2"] {
            let args = format!("--store {} --mirror-once {at}", folder.of("ours"));
            let hat = Hat::start(&format!("serve --listen 127.0.0.1:0 --runtime {runtime} --server-id 1 --no-own-events {args}"));
            let line = line_of(&hat, "listening on ");
            let ours = line.rsplit_once(':').expect("a port").1;
            let said = python("same_answers.py", &["ask", ours, &port, seed, &queries]);
            println!("{said}");
            hat.signal("TERM");
            assert_eq!(hat.end().code, Some(0));
        }
    }

    /// Ours begins with what the deployed server has stored, event by event, and goes on where it
    /// was left.
    fn a_running_server_is_copied(runtime) {
        if peers::skipped("a_running_server_is_copied") {
            return;
        }
        let (folder, at) = (Folder::new(), unused_addr());
        let _theirs = theirs_at(&folder, at);
        let theirs = format!("--connect {at} --runtime {runtime}");
        let register = |from: usize, to: usize| {
            let lines: String = (from..to).map(|n| format!("{{\"type\":\"x/{n}\",\"payload\":{{\"kind\":\"json\",\"data\":{n}}}}}\n")).collect();
            let ended = hat_with(&format!("register --batch 50 {theirs}"), &lines);
            assert_eq!(ended.code, Some(0), "{ended:?}");
        };
        let held = |connect: &str| -> Vec<Value> {
            let all = hat(&format!("query server --server-id 2 --persisted --all {connect}")).json();
            all.into_iter().filter(|event| event["segments"][0] == "x").collect()
        };
        register(0, 5_000);
        until("it has stored all", || held(&theirs).len() == 5_000);

        let start = || {
            let args = format!("--store {} --server-id 1 --mirror-once {at}", folder.of("ours"));
            let hat = Hat::start(&format!("serve --listen 127.0.0.1:0 --runtime {runtime} --no-own-events {args}"));
            let copied = line_of(&hat, "");
            let address = line_of(&hat, "listening on ")["listening on ".len()..].to_owned();
            (hat, copied, format!("--connect {address} --runtime {runtime}"))
        };
        let (server, copied, ours) = start();
        assert!(copied.contains("events of 1 server copied from"), "{copied}");
        assert!(copied.contains(", 0 skipped (not after"), "{copied}");
        assert_eq!(held(&ours), held(&theirs));
        server.signal("TERM");
        assert_eq!(server.end().code, Some(0));

        register(5_000, 5_100);
        until("it has stored the rest", || held(&theirs).len() == 5_100);
        let (_server, copied, ours) = start();
        let count: u64 = copied.split(' ').next().and_then(|it| it.parse().ok()).expect("a number");
        assert!((100..200).contains(&count), "only the rest: {copied}");
        assert_eq!(held(&ours), held(&theirs));
    }

    /// Whose events are whose cannot be told, so nothing is left out without a word.
    fn a_store_in_which_its_server_registered_is_no_place_for_events_of_the_same_id(runtime) {
        let (folder, theirs) = (Folder::new(), Server::start(runtime, "--server-id 2"));
        let register = |name| hat(&format!("register {name} --runtime {runtime} --connect {}", theirs.address)).json();
        register("a");
        let args = format!(
            "serve --listen 127.0.0.1:0 --runtime {runtime} --store {} --server-id 2 --mirror-once {}",
            folder.of("ours"), theirs.address
        );
        // as often as it likes while nothing is registered here
        for _ in 0..2 {
            let ours = Hat::start(&format!("{args} --no-own-events"));
            line_of(&ours, "listening on ");
            ours.signal("TERM");
            assert_eq!(ours.end().code, Some(0));
        }
        let ours = Hat::start(&args);
        line_of(&ours, "listening on ");
        ours.signal("TERM");
        assert_eq!(ours.end().code, Some(0));
        register("b");
        let refused = hat(&args);
        let said = refused.failed(1);
        assert!(said.contains("this store has events of server 2"), "{said}");
        assert!(said.contains("give this server another id"), "{said}");
    }

    /// Where `--mirror-once` cannot know all ids, or is to copy some: each server by its id.
    fn servers_that_are_named_are_copied(runtime) {
        let folder = Folder::new();
        let (theirs, ours) = (folder.of("theirs"), folder.of("ours"));
        let line = |server: i64| format!("{{\"id\":{{\"server\":{server},\"session\":1,\"instance\":1}},\"type\":\"x/{server}\",\"timestamp\":[1,0]}}\n");
        let ended = hat_with(&format!("store import {theirs}"), &[4, 5, 6].map(line).concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let server = Server::start_of(runtime, &format!("--store {theirs}"));
        let copy = |args: &str| {
            let args = format!("serve --listen 127.0.0.1:0 --runtime {runtime} --no-own-events --server-id 9 --store {ours} {args}");
            let server = Hat::start(&args);
            let copied = line_of(&server, "");
            line_of(&server, "listening on ");
            server.signal("TERM");
            assert_eq!(server.end().code, Some(0));
            let kept = hat(&format!("store export {ours}")).json();
            (copied, kept.iter().map(|it| it["id"]["server"].as_i64().expect("a number")).collect::<Vec<_>>())
        };
        let once = format!("--mirror-once {}", server.address);
        let (said, kept) = copy(&format!("{once} --mirror-once-server 6 --mirror-once-server 4"));
        assert!(said.starts_with("2 events of 2 servers copied from"), "{said}");
        assert_eq!(kept, [4, 6]);
        let (said, kept) = copy(&once);
        assert!(said.starts_with("1 event of 3 servers copied from"), "{said}");
        assert_eq!(kept, [4, 5, 6]);
        assert!(hat("serve --mirror-once-server 4").stderr.join(" ").contains("--mirror-once <ADDRESS>"));
    }

    /// The events of a server by its id, into a store.
    fn events_of_one_server_go_into_a_store(runtime) {
        let folder = Folder::new();
        let server = Server::start_of(runtime, &format!("--store {}", folder.of("theirs")));
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let lines: String = (0..300).map(|n| format!("{{\"type\":\"x/{n}\",\"payload\":{{\"kind\":\"json\",\"data\":{n}}}}}\n")).collect();
        assert_eq!(hat_with(&format!("register --batch 50 {connect}"), &lines).code, Some(0));
        let stored = hat(&format!("query server --server-id 1 --persisted --all {connect}"));
        let ours = folder.of("ours");
        let ended = hat_with(&format!("store import {ours}"), &stored.stdout.join("\n"));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let kept = hat(&format!("store export {ours}")).json();
        assert!(kept.len() >= 300, "{} events", kept.len());
        assert_eq!(kept, stored.json());
    }

    fn nobody_to_copy_from(runtime) {
        let (folder, at) = (Folder::new(), unused_addr());
        let args = format!("serve --listen 127.0.0.1:0 --runtime {runtime} --mirror-once {at}");
        assert!(hat(&args).failed(2).contains("--mirror-once needs --store DIR"));
        let ended = hat(&format!("{args} --store {}", folder.of("store")));
        assert!(ended.failed(3).contains(&format!("cannot connect to {at}")), "{ended:?}");
    }

    /// A backup of a server at work is whole: everything that was answered before it was asked for,
    /// and no session in parts.
    fn a_running_server_is_backed_up(runtime) {
        let folder = Folder::new();
        let (store, copy) = (folder.of("store"), folder.of("copy"));
        let server = Server::start_of(runtime, &format!("--store {store}"));
        let connect = format!("--connect {} --runtime {runtime}", server.address);
        let lines = |from: usize, to: usize| -> String { (from..to).map(|n| format!("{{\"type\":\"x/{n}\"}}\n")).collect() };
        let first = hat_with(&format!("register --batch 10 --response {connect}"), &lines(0, 500)).json();
        let writer = Hat::start_with(&format!("register --batch 10 --response {connect}"), &lines(500, 20_000));
        // it is at work
        writer.json();
        let ended = hat(&format!("store backup {store} {copy}"));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stderr[0].ends_with("by the server"), "{ended:?}");
        // a backup is never written over
        hat(&format!("store backup {store} {copy}")).failed(1);
        let written = writer.end();
        assert_eq!(written.code, Some(0), "{:?}", written.stderr);

        let ended = hat(&format!("store check {copy}"));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let copied = hat(&format!("store export {copy}")).json();
        assert!(first.iter().all(|event| copied.contains(event)));
        let all = hat(&format!("query server --server-id 1 --all {connect}")).json();
        assert_eq!(copied[..], all[..copied.len()], "the first of all, without a gap");
        let (last, next) = (&copied[copied.len() - 1]["id"]["session"], all.get(copied.len()));
        assert!(next.is_none_or(|next| next["id"]["session"] != *last), "no session in parts");

        server.hat.signal("TERM");
        assert_eq!(server.hat.end().code, Some(0));
        // a server that is gone does not copy; the command does
        let again = folder.of("again");
        let ended = hat(&format!("store backup {store} {again}"));
        assert!(ended.stderr[0].starts_with("20000 events copied"), "{ended:?}");
    }
}
