//! `hat store`, over what the deployed event server left behind.

use std::path::PathBuf;
use std::process::Command;

use hat_tests::peers::{python_with, skipped};
use serde_json::Value;

use crate::process::{RunOutput, Server, hat, hat_with};

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn scratch(name: &str) -> Scratch {
    let folder = std::env::temp_dir().join(format!("hat-cli-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    Scratch(folder)
}

/// A success that says something on standard error.
#[track_caller]
fn said(ended: &RunOutput, part: &str) {
    assert_eq!((ended.code, &ended.stdout[..]), (Some(0), &[][..]), "{ended:?}");
    assert!(ended.stderr.iter().any(|line| line.contains(part)), "{ended:?}");
}

/// Lets the deployed server's code write a file of so many events, and returns what it says of it.
fn write_lmdb(file: &str, events: usize) -> String {
    let python = python_with("today", "tests/peers/requirements-today.txt");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/peers/lmdb_file.py");
    let mut command = Command::new(python.unwrap_or_else(|error| panic!("{error}")));
    let output = command.args([script, file, &events.to_string()]).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_file_of_the_deployed_server_is_imported_checked_copied_and_served() {
    if skipped("a_file_of_the_deployed_server_is_imported_checked_copied_and_served") {
        return;
    }
    let scratch = scratch("lmdb");
    let path = |name: &str| scratch.0.join(name).display().to_string();
    let (file, store, copy, again) = (path("event.db"), path("store"), path("copy"), path("again"));
    let text = write_lmdb(&file, 200);
    let parse = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let expected: Vec<_> = text.lines().skip(1).map(parse).collect();

    let imported = hat(&format!("store import {store} --from-lmdb {file}"));
    let count = expected.len();
    said(&imported, &format!("{count} events of 2 servers imported, 0 skipped"));
    said(&imported, "had not flushed");
    assert_eq!(hat(&format!("store export {store}")).json(), expected);
    said(&hat(&format!("store check {store}")), &format!("{count} events of"));
    assert_eq!(hat(&format!("store stats {store}")).json()[0]["events"], count);

    said(&hat(&format!("store backup {store} {copy}")), &format!("{count} events copied"));
    said(&hat(&format!("store restore {again} {copy}")), &format!("{count} events copied"));
    hat(&format!("store restore {again} {copy}")).failed(1);
    let lines = hat(&format!("store export {again}")).json_lines().join("\n");
    let anew = hat_with(&format!("store import {}", path("anew")), &lines);
    said(&anew, &format!("{count} events imported"));
    said(&hat(&format!("store compact {again}")), "bytes before");

    let server = Server::start("tokio", &format!("--store {store} --server-id 7"));
    let query = format!("query server --server-id 1 --all --connect {}", server.address);
    let of_one: Vec<_> = expected.iter().filter(|event| event["id"]["server"] == 1).collect();
    assert!(hat(&query).json().iter().eq(of_one));
    // above the last session of the file, whose event is gone from it
    let new = hat(&format!("register --response --connect {} new", server.address)).json();
    let last = parse(text.lines().next().expect("a line"))[1]["id"]["session"].as_i64();
    assert!(new[0]["id"]["session"].as_i64() > last, "{new:?} after {last:?}");
}

/// A server that starts later takes what is there for the whole, and a repeated import passes over
/// what comes before it.
#[test]
fn half_of_a_file_of_the_deployed_server_is_no_store() {
    if skipped("half_of_a_file_of_the_deployed_server_is_no_store") {
        return;
    }
    let scratch = scratch("half-lmdb");
    let path = |name: &str| scratch.0.join(name).display().to_string();
    let (file, damaged, store) = (path("event.db"), path("damaged.db"), path("store"));
    let events = write_lmdb(&file, 3_000).lines().skip(1).count();

    // behind other events there are some that are none any more
    let mut bytes = std::fs::read(&file).expect("the file");
    for at in 1..bytes.len() - 7 {
        if bytes[at..].starts_with(b"limited") && bytes[at - 1] == 0x80 | 7 {
            bytes[at - 1] = 0;
        }
    }
    std::fs::write(&damaged, bytes).expect("a file");
    let ended = hat(&format!("store import {store} --from-lmdb {damaged}"));
    assert!(ended.failed(2).contains("damaged.db"), "{ended:?}");
    assert!(hat(&format!("store check {store}")).failed(2).contains("there is no store in"));

    #[cfg(target_os = "linux")]
    {
        let args = format!("store import {store} --from-lmdb {file}");
        crate::misfortunes::killed_at_any_moment(&args, "", || {
            crate::misfortunes::is_whole_or_none(&store, events);
        });
    }
    let ended = hat(&format!("store import {store} --from-lmdb {file}"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    said(&hat(&format!("store check {store}")), &format!("{events} events of"));
}

#[test]
fn what_is_no_file_of_the_deployed_server_makes_no_store() {
    let scratch = scratch("no-lmdb");
    let (file, store) = (scratch.0.join("event.db"), scratch.0.join("store"));
    let args = format!("store import {} --from-lmdb {}", store.display(), file.display());
    assert!(hat(&args).failed(2).contains("cannot be read"));
    std::fs::write(&file, [b'x'; 20_000]).expect("a file");
    assert!(hat(&args).failed(2).contains("not an LMDB file"));
    assert!(!store.exists());
}
