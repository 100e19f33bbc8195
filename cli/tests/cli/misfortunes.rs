//! What happens to `hat serve` and `hat store` on a bad day: no room, no rights, half a copy, a
//! kill at any moment.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hat_tests::peers::{self, unused_addr};
use serde_json::Value;

use crate::on_every_runtime;
use crate::process::{Hat, Server, hat, hat_with};
use crate::redundancy::{self, DeployedProgram, monitor, until, wait_for_status};
use crate::store::Folder;

/// Many events as `hat store export` prints them, each with some bytes.
fn lines(count: usize) -> String {
    let line = |number: usize| {
        format!(
            concat!(
                r#"{{"id":{{"server":7,"session":{session},"instance":1}},"type":"a/{kind}","#,
                r#""timestamp":[{session},0],"source_timestamp":null,"#,
                r#""payload":{{"kind":"json","data":"{text}"}}}}"#,
                "\n"
            ),
            session = number + 1,
            kind = number % 100,
            text = "x".repeat(100),
        )
    };
    (0..count).map(line).collect()
}

/// Starts `hat`, kills it after a while, and says whether it had ended by itself.
fn killed_after(args: &str, input: &str, time: Duration) -> bool {
    let mut hat = Hat::start_with(args, input);
    let start = Instant::now();
    while start.elapsed() < time {
        if hat.has_ended() {
            return true;
        }
        sleep(Duration::from_millis(1));
    }
    // dropped, it is killed
    false
}

/// Kills `hat` with these arguments at moments all over its life, calls `look` after each, and
/// lets it come to its end at last.
pub(crate) fn killed_at_any_moment(args: &str, input: &str, mut look: impl FnMut()) {
    let mut time = Duration::from_millis(5);
    // each time a little later, until it is done before it is killed
    while !killed_after(args, input, time) {
        look();
        time = time * 3 / 2;
    }
    look();
}

#[track_caller]
pub(crate) fn is_sound(store: &str, events: usize) {
    let ended = hat(&format!("store check {store}"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr[0].starts_with(&format!("{events} events of ")), "{ended:?}");
}

/// A store that was being made is whole, or there is none: no server starts over half of it, and
/// takes it for the whole.
#[track_caller]
pub(crate) fn is_whole_or_none(store: &str, events: usize) {
    let ended = hat(&format!("store check {store}"));
    if ended.code == Some(0) {
        is_sound(store, events);
        return;
    }
    assert!(ended.failed(2).contains("there is no store in"), "{ended:?}");
    if fs::exists(format!("{store}/part/events.redb")).expect("a folder") {
        let ended = hat(&format!("serve --listen 127.0.0.1:0 --store {store}"));
        let line = ended.failed(1);
        assert!(line.contains("was not completed"), "{line}");
    }
}

/// Each command that writes a store: what was there is whole after a kill, a copy is whole or not
/// there, and the command can be run again.
#[test]
fn a_kill_while_a_store_is_looked_after() {
    const EVENTS: usize = 6_000;
    let folder = Folder::new();
    let lines = lines(EVENTS);
    let [store, backup, restored] = ["store", "backup", "restored"].map(|name| folder.of(name));

    for (args, input, made) in [
        (format!("store import {store}"), &*lines, &store),
        (format!("store backup {store} {backup}"), "", &backup),
        (format!("store restore {restored} {backup}"), "", &restored),
    ] {
        killed_at_any_moment(&args, input, || is_whole_or_none(made, EVENTS));
        is_sound(made, EVENTS);
        is_sound(&store, EVENTS);
    }

    killed_at_any_moment(&format!("store compact {store}"), "", || is_sound(&store, EVENTS));
    let export = |store: &str| hat(&format!("store export {store}")).json_lines();
    assert!(export(&store) == export(&restored), "the same in all of them");
}

/// A folder that cannot be looked into is not taken for one with nothing in it.
#[test]
fn what_may_not_be_looked_at_is_not_taken_for_nothing() {
    let folder = Folder::new();
    // under a file there is nothing that anybody may look at, root included
    let file = folder.of("file");
    fs::write(&file, "").expect("a file");
    let nowhere = format!("{file}/store");
    for args in [
        format!("store stats {nowhere}"),
        format!("store backup {nowhere} {}", folder.of("backup")),
        format!("serve --listen 127.0.0.1:0 --store {nowhere}"),
    ] {
        let ended = hat(&args);
        let line = ended.failed(1);
        assert!(line.contains("Not a directory"), "{args}: {line}");
    }
    let store = folder.of("store");
    let serve = format!("serve --listen 127.0.0.1:0 --store {store}");
    for (history, says) in
        [(nowhere, "Not a directory"), (folder.of("event.db"), "it does not exist")]
    {
        let ended = hat(&format!("{serve} --import-lmdb {history}"));
        let line = ended.failed(2);
        assert!(line.contains(&history) && line.contains(says), "{line}");
        assert!(!fs::exists(&store).expect("the folder"), "no store is begun without it");
    }
}

/// `GET path` of a page; the first line of the answer, and its body.
fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("the page");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.lines().next().expect("a line").to_owned(), body.to_owned())
}

/// A server whose disk is a small one in memory, which other programs may fill: its folder, seen
/// from outside. `None` where the system allows no such thing.
fn on_a_small_disk(folder: &Folder, args: &str) -> Option<(Hat, String, String)> {
    let disk = folder.of("disk");
    fs::create_dir(&disk).expect("a folder");
    let script = format!(
        "mount -t tmpfs -o size=4m tmpfs {disk} && exec {} serve --listen 127.0.0.1:0 \
         --store {disk}/store {args}",
        env!("CARGO_BIN_EXE_hat")
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script]);
    command.env_remove("HAT_TOKEN").env_remove("RUST_LOG");
    let probe = ["--mount", "--map-root-user", "mount", "-t", "tmpfs", "tmpfs", &disk];
    if !Command::new("unshare").args(probe).output().is_ok_and(|it| it.status.success()) {
        peers::skip("on_a_small_disk", "no `unshare --mount` with a `mount -t tmpfs` in it");
        return None;
    }
    let server = Hat::spawn(command, "");
    let line = server.error_line();
    let address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
    let disk = format!("/proc/{}/root{disk}", server.id());
    Some((server, address.to_owned(), disk))
}

on_every_runtime! {
    /// Registrations fail and say so, everything else goes on, and with room it works again.
    fn a_disk_that_fills_up(runtime) {
        let folder = Folder::new();
        let args = format!("--no-own-events --web 127.0.0.1:0 --runtime {runtime}");
        let Some((server, address, disk)) = on_a_small_disk(&folder, &args) else { return };
        let page = server.error_line();
        let page = page.strip_prefix("page on http://").expect("a page").trim_end_matches('/');
        let connect = format!("--connect {address} --runtime {runtime}");
        let mut answered = hat(&format!("register first --response {connect}")).json();
        let follower = Hat::start(&format!("subscribe * --status {connect}"));
        assert_eq!(follower.json()["status"], "operational");

        // until nothing more is registered
        let large = format!("{{\"type\":\"large\",\"payload\":{{\"kind\":\"json\",\"data\":\"{}\"}}}}\n", "x".repeat(100_000));
        let refused = loop {
            let ended = hat_with(&format!("register --response {connect}"), &large);
            match ended.code {
                Some(0) => answered.extend(ended.json()),
                _ => break ended,
            }
            assert!(answered.len() < 1_000, "4 MiB are full at some time");
        };
        assert_eq!(refused.code, Some(7), "{refused:?}");
        let (line, body) = get(page, "/healthz");
        assert_eq!(line, "HTTP/1.1 503 Service Unavailable");
        assert!(body.contains("the disk is full"), "{body}");
        assert!(get(page, "/metrics").1.contains("hat_store_working 0"));
        // what was answered is there, and followers were told that and nothing else
        assert_eq!(hat(&format!("query server --all {connect}")).json(), answered);
        for event in &answered[1..] {
            assert_eq!(&follower.json(), event);
        }
        // again and again: nothing of it is there later
        for _ in 0..3 {
            assert_eq!(hat_with(&format!("register --response {connect}"), &large).code, Some(7));
        }

        // room is made, as by who looks after the machine: the disk becomes larger
        let pid = server.id().to_string();
        let path = disk.split_once("/root").expect("a path in it").1;
        let larger = Command::new("nsenter")
            .args(["--target", &pid, "--mount", "--user", "--preserve-credentials"])
            .args(["mount", "-o", "remount,size=64m", path])
            .output()
            .expect("there is nsenter where there is unshare");
        assert!(larger.status.success(), "{larger:?}");
        let start = Instant::now();
        loop {
            let ended = hat(&format!("register again --response {connect}"));
            if ended.code == Some(0) {
                answered.extend(ended.json());
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{ended:?}");
        }
        assert_eq!(get(page, "/healthz").0, "HTTP/1.1 200 OK");
        assert_eq!(&follower.json(), answered.last().expect("an event"));
        assert_eq!(hat(&format!("query server --all {connect}")).json(), answered);
        server.signal("TERM");
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let log = ended.stderr.join("\n");
        assert!(log.contains("the disk is full"), "{log}");
    }

    /// The deployed server ends there, and its monitor blesses another one; ours stays, and gives
    /// the blessing back. It would have kept it, and refused everything.
    fn an_active_server_whose_disk_fills_up_hands_over(runtime) {
        if peers::skipped("an_active_server_whose_disk_fills_up_hands_over") {
            return;
        }
        let folder = Folder::new();
        let [monitor_at, master_at, theirs_at] = [(); 3].map(|()| unused_addr());
        let _monitor = monitor(&folder, monitor_at, master_at);
        let args = format!("--server-id 1 --name ours --monitor {monitor_at} --runtime {runtime}");
        let Some((server, address, _)) = on_a_small_disk(&folder, &args) else { return };
        let ours = format!("--connect {address} --runtime {runtime}");
        wait_for_status(&ours, "operational");
        let theirs_conf = redundancy::theirs(&folder, theirs_at, monitor_at);
        let _python = DeployedProgram::start(&folder, "hat-event-server", &theirs_conf, theirs_at);
        let theirs = format!("--connect {theirs_at} --runtime {runtime}");
        wait_for_status(&theirs, "standby");
        let large = "x".repeat(100_000);
        let large = format!("{{\"type\":\"x\",\"payload\":{{\"kind\":\"json\",\"data\":\"{large}\"}}}}\n");
        let mut answered = Vec::new();
        loop {
            let ended = hat_with(&format!("register --response {ours}"), &large);
            match ended.code {
                Some(0) => answered.extend(ended.json()),
                _ => break,
            }
        }
        wait_for_status(&theirs, "operational");
        wait_for_status(&ours, "standby");
        answered.extend(hat(&format!("register x --response {theirs}")).json());
        until("nothing that was answered is missing there", || {
            let held = hat(&format!("query timeseries x --all {theirs}")).json();
            answered.iter().all(|event| held.contains(event))
        });
        server.signal("TERM");
        let ended = server.end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let log = ended.stderr.join("\n");
        assert!(log.contains("another server of the group is ready"), "{log}");
    }

    /// What was answered and cannot be brought to the disk at the end is no success.
    fn an_end_that_loses_something_is_a_failure(runtime) {
        let folder = Folder::new();
        let args = format!("--no-own-events --durability flush:1h --runtime {runtime}");
        let Some((server, address, disk)) = on_a_small_disk(&folder, &args) else { return };
        let connect = format!("--connect {address} --runtime {runtime}");
        let payload = "x".repeat(1_000_000);
        let line = format!("{{\"type\":\"a\",\"payload\":{{\"kind\":\"json\",\"data\":\"{payload}\"}}}}\n");
        assert_eq!(hat_with(&format!("register --response {connect}"), &line).code, Some(0));
        let mut ballast = fs::File::create(format!("{disk}/ballast")).expect("a file");
        while ballast.write_all(&[0; 4_096]).is_ok() {}
        server.signal("TERM");
        let ended = server.end();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let log = ended.stderr.join("\n");
        assert!(log.contains("error: the disk is full"), "{log}");
        assert!(log.contains("the last acknowledged events are not on the disk"), "{log}");
    }

    /// Who is told when: `--notify early` before the disk has it, else after; those who asked for
    /// persisted events after it in any case.
    fn who_is_told_before_the_disk_has_it(runtime) {
        for early in [true, false] {
            let folder = Folder::new();
            let notify = if early { "--notify early" } else { "" };
            let args = format!("--durability flush:1h --store {} {notify}", folder.of("store"));
            let server = Server::start_of(runtime, &args);
            let connect = format!("--connect {} --runtime {runtime}", server.address);
            let follow = |args: &str| {
                let follower = Hat::start(&format!("subscribe * --status {args} {connect}"));
                assert_eq!(follower.json()["status"], "operational");
                follower
            };
            let (ordinary, persisted) = (follow(""), follow("--persisted"));
            let registered = hat(&format!("register a --response {connect}")).json().remove(0);
            if early {
                assert_eq!(ordinary.json(), registered);
            }
            assert_eq!(hat(&format!("query latest {connect}")).json().remove(0), registered);
            // its end makes it durable
            server.hat.signal("TERM");
            let next = |follower: &Hat| loop {
                let line: Value = follower.json();
                if line.get("status").is_none() {
                    return line;
                }
            };
            if !early {
                assert_eq!(next(&ordinary), registered);
            }
            assert_eq!(next(&persisted), registered);
            assert_eq!(server.hat.end().code, Some(0));
        }
    }
}
