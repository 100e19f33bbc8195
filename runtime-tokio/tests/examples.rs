//! The examples, which the README shows, run against each other.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// An example that runs, until this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts an example, which cargo builds with the tests, and gives the first line that it prints.
fn start(name: &str, address: &str) -> (Running, String) {
    let mut path: PathBuf = std::env::current_exe().expect("this test");
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    let child = Command::new(path).arg(address).stdout(Stdio::piped()).spawn();
    let mut running = Running(child.expect("cargo has built the examples"));
    let mut lines = BufReader::new(running.0.stdout.take().expect("a pipe")).lines();
    let line = lines.next().expect("a line").expect("text");
    (running, line)
}

#[test]
fn a_client_is_told_what_it_registers() {
    let (_server, listening) = start("event_server", "127.0.0.1:0");
    let address = listening.strip_prefix("listening on ").expect("an address");
    let (_client, told) = start("event_client", address);
    assert!(told.starts_with("plant/boiler/temperature: "), "{told}");
    assert!(told.contains("81.5"), "{told}");
}
