//! What a person sees of progress, who has a terminal.

use std::process::Command;

use crate::process::{Hat, RunOutput, Server, hat};
use crate::store::Folder;

/// What `commands` of a shell show on a terminal of 100 columns, one that `script` of util-linux
/// makes.
fn on_a_terminal(commands: &str) -> RunOutput {
    let mut command = Command::new("script");
    let shell = format!("stty cols 100; {commands}");
    command.args(["--quiet", "--return", "--command", &shell, "/dev/null"]);
    command.env("HAT", env!("CARGO_BIN_EXE_hat")).env("TERM", "xterm");
    Hat::spawn(command, "").end()
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
    shows(&ended, "3 events imported, 0 passed over");
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
