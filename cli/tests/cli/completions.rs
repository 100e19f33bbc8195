//! The completions, as the shells themselves take them.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use hat_tests::peers::skip;

use crate::process::hat;

/// What a shell printed; `None` where it is not installed, which is said.
fn run(command: &mut Command) -> Option<Output> {
    let shell = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) => Some(output),
        Err(_) => {
            let advice = format!("{shell} is not installed; on Debian: apt-get install {shell}");
            skip(&format!("completions::{shell}"), &advice);
            None
        }
    }
}

/// A folder with the script of a shell, under the name that it is to have.
fn script(shell: &str, name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("hat-{shell}-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a folder");
    let text = hat(&format!("completions {shell}")).json_lines().join("\n");
    fs::write(dir.join(name), text).expect("a file");
    dir
}

#[test]
fn bash() {
    let script = format!(
        "source <({hat} completions bash); COMP_WORDS=(hat sub); COMP_CWORD=1; \
         _hat hat sub hat; echo \"${{COMPREPLY[@]}}\"",
        hat = env!("CARGO_BIN_EXE_hat")
    );
    let Some(ended) = run(Command::new("bash").args(["-c", &script])) else { return };
    assert_eq!(String::from_utf8_lossy(&ended.stdout).trim(), "subscribe", "{ended:?}");
}

/// From a folder of `fpath`, by the Tab key at a terminal.
#[test]
fn zsh() {
    if run(Command::new("zsh").arg("--version")).is_none() {
        return;
    }
    let dir = script("zsh", "_hat");
    let keys = format!(
        "fpath=({} $fpath); autoload -U compinit; compinit -D -u; \
         hat() {{ print -r -- \"got:$*:\" }}\nhat subscr\t--la\t3 --runtime to\t\nexit\n",
        dir.display()
    );
    let mut terminal = Command::new("script");
    terminal.args(["-qec", "zsh -f -i", "/dev/null"]).env("TERM", "dumb");
    let terminal = terminal.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = terminal.spawn().expect("script, of util-linux");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(keys.as_bytes()).expect("a shell that reads");
    drop(input);
    let ended = child.wait_with_output().expect("it ends");
    let _ = fs::remove_dir_all(&dir);
    let shown = String::from_utf8_lossy(&ended.stdout);
    assert!(shown.contains("got:subscribe --last=3 --runtime tokio:"), "{shown}");
}

/// It says itself what it would complete.
#[test]
fn fish() {
    let dir = script("fish", "hat.fish");
    let completes = format!(
        "source {}/hat.fish; complete -C 'hat subscr'; complete -C 'hat subscribe --runtime t'",
        dir.display()
    );
    let ended = run(Command::new("fish").args(["--no-config", "-c", &completes]));
    let _ = fs::remove_dir_all(&dir);
    let Some(ended) = ended else { return };
    let shown = String::from_utf8_lossy(&ended.stdout);
    assert!(shown.contains("subscribe\tPrint events") && shown.contains("tokio"), "{shown}");
}
