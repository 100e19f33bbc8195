//! What a person sees who has a terminal: progress, and `hat top`.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::process::{Hat, RunOutput, Server, hat, hat_with};
use crate::store::Folder;

/// What `commands` of a shell show on a terminal of 100 columns.
fn on_a_terminal(commands: &str) -> RunOutput {
    Hat::spawn(terminal(commands), "").end()
}

/// A terminal that `script` of util-linux makes.
fn terminal(commands: &str) -> Command {
    let mut command = Command::new("script");
    let shell = format!("stty cols 100; {commands}");
    command.args(["--quiet", "--return", "--command", &shell, "/dev/null"]);
    command.env("HAT", env!("CARGO_BIN_EXE_hat")).env("TERM", "xterm");
    command.env_remove("HAT_TOKEN").env_remove("HAT_SERVER").env_remove("HAT_CONNECT");
    command
}

fn shows(ended: &RunOutput, expected: &str) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.join("\n").contains(expected), "{expected}: {ended:?}");
}

#[test]
fn a_terminal_shows_how_far_an_export_and_an_import_are() {
    let folder = Folder::new();
    let [store, file, other, third, backup] =
        ["store", "file", "other", "third", "backup"].map(|name| folder.of(name));
    let server = Server::start_of("tokio", &format!("--server-id 7 --store {store}"));
    for _ in 0..3 {
        hat(&format!("register a/b --json 1 --response --connect {}", server.address)).json();
    }
    server.hat.signal("TERM");
    assert_eq!(server.hat.end().code, Some(0));

    let export = format!("\"$HAT\" store export {store}");
    shows(&on_a_terminal(&format!("{export} > {file}")), " of 3 events exported in ");
    assert_eq!(std::fs::read_to_string(&file).expect("a file").lines().count(), 3);
    let ended = on_a_terminal(&format!("\"$HAT\" store import {other} < {file}"));
    shows(&ended, " events imported in ");
    shows(&ended, "3 events imported, 0 skipped");
    let ended = on_a_terminal(&format!("\"$HAT\" store check {other}"));
    shows(&ended, " of 3 events checked in ");
    let ended = on_a_terminal(&format!("\"$HAT\" store backup {other} {backup}"));
    shows(&ended, " of 3 events copied in ");

    // the events are printed to the same terminal: nothing is drawn between them
    let ended = on_a_terminal(&export);
    shows(&ended, "\"type\":");
    assert!(!ended.stdout.join("\n").contains("exported in"), "{ended:?}");
    // and where standard error is no terminal, nothing is shown
    let ended = on_a_terminal(&format!("\"$HAT\" store import {third} < {file} 2>&1 | cat"));
    assert_eq!(ended.stdout.len(), 1, "{ended:?}");
}

/// Rates and latest values fill the terminal, keys stop and end it, and what was there before is
/// there again.
#[test]
fn top_fills_the_terminal_until_q() {
    let server = Server::start("tokio", "");
    for event in ["a/first --json 17", "a/second --json 18"] {
        hat(&format!("register {event} --response --connect {}", server.address)).json();
    }
    let mut command = terminal(&format!("stty rows 20; \"$HAT\" top --connect {}", server.address));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`script` starts");
    let mut keys = child.stdin.take().expect("a pipe");
    let mut screen = child.stdout.take().expect("a pipe");
    let mut shown = String::new();
    // a program that shows something else has ended, or is ended by the runner of the tests
    let mut until = |part: &str| {
        let mut some = [0; 4096];
        loop {
            if let Some(at) = shown.find(part) {
                return shown.drain(..at + part.len()).collect::<String>();
            }
            let count = screen.read(&mut some).expect("the terminal is read");
            assert_ne!(count, 0, "{part}: {shown:?}");
            shown.push_str(&String::from_utf8_lossy(&some[..count]));
        }
    };
    until("\u{1b}[?1049h");
    let first = until("q quit");
    for part in
        [" operational", "2 types", "by rate", "EVENTS/S", "a/first", "17", "a/second", "18"]
    {
        assert!(first.contains(part), "{part}: {first:?}");
    }
    keys.write_all(b" ").expect("the terminal takes keys");
    until("PAUSED");
    keys.write_all(b"q").expect("the terminal takes keys");
    until("\u{1b}[?1049l");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

/// What an event, or a Juggler server, says is not for the terminal that it is printed to. A pipe
/// gets it as it is.
#[test]
fn what_peers_say_does_not_control_a_terminal() {
    // CSI 2 J, in one character, and DEL
    const TEXT: &str = "a\u{9b}2Jb\u{7f}c";
    const CONTROLS: [char; 3] = ['\u{9b}', '\u{7f}', '\u{1b}'];
    let server = Server::start("tokio", "");
    let connect = format!("--connect {}", server.address);
    hat_with(&format!("register a/json --response {connect}"), &format!("\"{TEXT}\"")).json();
    let binary = format!("\u{1b}[2J{TEXT}\nnext");
    hat_with(&format!("register a/binary --binary t --response {connect}"), &binary).json();
    let juggler = Hat::start("juggler serve --listen 127.0.0.1:0");
    let line = juggler.error_line();
    let address = line.strip_prefix("listening on ").expect("listens");

    let query =
        |kind: &str, format: &str| format!("query latest a/{kind} --format {format} {connect}");
    let json = r"a\u009b2Jb\u007fc";
    for (args, raw, shown) in [
        (query("json", "jsonl"), TEXT, json),
        (query("json", "payload"), TEXT, json),
        (query("json", "csv"), TEXT, r"a\u{9b}2Jb\u{7f}c"),
        (query("binary", "payload"), &*binary, r"\u{1b}[2Ja\u{9b}2Jb\u{7f}c"),
        (format!("juggler call {address} x '\"{TEXT}\"'"), TEXT, json),
    ] {
        let ended = on_a_terminal(&format!("\"$HAT\" {args}"));
        shows(&ended, shown);
        assert!(!ended.stdout.join("\n").contains(CONTROLS), "{args}: {ended:?}");
        let mut piped = Command::new("sh");
        piped.args(["-c", &format!("{} {args}", env!("CARGO_BIN_EXE_hat"))]);
        shows(&Hat::spawn(piped, "").end(), raw);
    }
    let ended = on_a_terminal(&format!("\"$HAT\" {}", query("binary", "payload")));
    assert!(ended.stdout.last().is_some_and(|line| line.starts_with("next")), "{ended:?}");
}
