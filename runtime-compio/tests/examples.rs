//! The example, which the guide shows, does what it says.
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::process::Command;

#[test]
fn a_chatter_question_is_answered() {
    if let Err(error) = compio::runtime::Runtime::new() {
        eprintln!("skipped: a_chatter_question_is_answered (no io_uring here: {error})");
        return;
    }
    let mut path: PathBuf = std::env::current_exe().expect("this test");
    path.pop();
    path.pop();
    path.push("examples/compio_chatter");
    let output = Command::new(path).output().expect("run `cargo build --examples`");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Example.Answer: IS IT WARM?\n");
    assert!(output.status.success());
}
