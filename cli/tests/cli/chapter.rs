//! The guide's chapter on running the event server: its configuration is read, and its commands are
//! run.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{Hat, RunOutput, Server, hat};
use crate::store::Folder;

const CHAPTER: &str = include_str!("../../../docs/src/event-server.md");

/// The fenced blocks of a language. Those within a list are indented.
fn blocks(language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<Vec<&str>> = None;
    for line in CHAPTER.lines().map(str::trim_start) {
        match (&mut block, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(block.take().map(|lines| lines.join("\n"))),
            (Some(lines), None) => lines.push(line),
            (None, Some(of)) if of == language => block = Some(Vec::new()),
            _ => {}
        }
    }
    blocks
}

/// The configuration in the chapter, but for what names files that a test would have to make.
fn configuration(folder: &Folder) -> String {
    let [toml] = &blocks("toml")[..] else { panic!("the chapter has one configuration") };
    let lines = toml.lines().filter(|line| {
        !["htpasswd", "roles", "cert", "key", "ca"].contains(&line.split(" =").next().unwrap_or(""))
    });
    lines.collect::<Vec<_>>().join("\n").replace("/var/lib/hat", &folder.of("store"))
}

#[test]
fn the_configuration_is_one() {
    let folder = Folder::new();
    let path = folder.of("server.toml");
    let written = configuration(&folder);
    fs::write(&path, &written).expect("a file");
    let printed = hat(&format!("serve --conf {path} --print-conf")).json_lines();
    // each key that the chapter explains is there, with the value that it has there
    for line in written.lines().filter(|line| line.contains(" = ") && !line.starts_with("test")) {
        let said = line.split(" #").next().unwrap_or(line).trim_end();
        let values = ["types = ", "origins = "];
        if !values.iter().any(|it| said.starts_with(it)) {
            assert!(printed.iter().any(|it| it == said), "{said}: {printed:#?}");
        }
    }
    fs::write(&path, printed.join("\n")).expect("a file");
    assert_eq!(hat(&format!("serve --conf {path} --print-conf")).json_lines(), printed);
}

/// By a shell, which finds `hat` as a person's does.
#[track_caller]
fn run(line: &str) -> RunOutput {
    let mut command = Command::new("sh");
    let program = Path::new(env!("CARGO_BIN_EXE_hat")).parent().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(["-c", line]).env("PATH", format!("{}:{path}", program.display()));
    for name in ["HAT_TOKEN", "HAT_CONNECT", "HAT_CONFIG", "RUST_LOG"] {
        command.env_remove(name);
    }
    Hat::spawn(command, "").end()
}

/// Each command, its names and addresses replaced. A server that would go on for ever prints its
/// configuration instead.
#[test]
fn the_commands_work() {
    let folder = Folder::new();
    let [store, etc, backup] = ["store", "etc", "backup"].map(|name| folder.of(name));
    for made in [&etc, &backup] {
        fs::create_dir(made).expect("a folder");
    }
    fs::write(format!("{etc}/server.toml"), configuration(&folder)).expect("a file");
    let yaml = format!(
        "{{name: a, server_id: 1, modules: [], eventer_server: {{host: 127.0.0.1, port: 1}}, backend: \
         {{module: hat.event.backends.lmdb, db_path: {}, identifier: null, flush_period: 1, \
         cleanup_period: 1, conditions: [], latest: {{subscriptions: [['*']]}}, timeseries: []}}}}",
        folder.of("event.db")
    );
    fs::write(format!("{etc}/event.yaml"), yaml).expect("a file");
    let server = Server::start_whole("tokio", &format!("--store {store}"));
    hat(&format!("register a --connect {}", server.address)).json();
    server.hat.signal("TERM");
    assert_eq!(server.hat.end().code, Some(0));
    let server = Server::start_whole("tokio", "");

    let replaced = |line: &str| {
        let line = line.replace("/var/lib/hat", &store).replace("/etc/hat", &etc);
        let line = line.replace("/backup", &backup);
        match line.contains("--print-conf") {
            true => line,
            false => line.replace("hat serve", "hat serve --print-conf"),
        }
    };
    // by who looks after the machine
    let of_the_system = ["install", "adduser", "systemctl", "journalctl", "htpasswd"];
    let mut count = 0;
    for line in blocks("sh").join("\n").replace("\\\n", " ").lines() {
        let program = line.split_whitespace().next().unwrap_or_default();
        if of_the_system.contains(&program) {
            continue;
        }
        let line = replaced(line).replace("THEIRS", &server.address);
        let ended = run(&line);
        assert_eq!(ended.code, Some(0), "{line}: {ended:?}");
        count += 1;
    }
    assert!(count > 8, "{count}");

    // within the text, those with names to be replaced; that with FILE has a test of its own
    let mut count = 0;
    for line in CHAPTER.split('`').filter(|span| span.starts_with("hat ")) {
        let has_names = ["DIR", "OURS"].iter().any(|name| line.contains(name));
        if !has_names || line.contains("FILE") || line.contains('\n') {
            continue;
        }
        let dir = if line.contains(" restore ") { "new" } else { "store" };
        let line = replaced(line)
            .replace("HOST:PORT", &server.address)
            .replace("OURS", &server.address)
            .replace("DIR", &folder.of(dir))
            .replace("TO", &folder.of("to"))
            .replace("FROM", &folder.of("to"));
        let ended = run(&line);
        assert_eq!(ended.code, Some(0), "{line}: {ended:?}");
        count += 1;
    }
    assert!(count > 7, "{count}");
}
