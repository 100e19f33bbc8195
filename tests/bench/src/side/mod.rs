//! The two processes of a run: what they say on standard output and wait for on standard input, and
//! the loops of clients. Both packages of the bench have this folder.
//!
//! ```text
//! server  40123 ──>                                              … until its standard input ends
//! client  ready ──>  <── go   measures   messages=9 seconds=1 ──>  … until its standard input ends
//! ```
//!
//! The client stays behind its numbers, so that the bench can see the processor time and the memory
//! of both sides from the outside, the same way for every language; and it waits for `go`, so that
//! what a program takes to start and connect does not count.

pub(crate) mod latencies;
pub(crate) mod load;
pub(crate) mod pipe;

use std::io::{self, Read, Write};
use std::thread;

/// Tells the port of a server. The process ends with its standard input: nothing is left behind
/// where the bench is interrupted.
pub(crate) fn listening(port: u16) {
    listening_until(port, || ());
}

/// The same, and does `last` before the process ends.
pub(crate) fn listening_until(port: u16, last: impl FnOnce() + Send + 'static) {
    say(&port.to_string());
    thread::spawn(|| {
        wait_for_the_end();
        last();
        std::process::exit(0);
    });
}

/// Tells that a client is connected, and waits until it shall begin. It blocks: nothing else is to
/// be done by then.
pub(crate) fn ready() {
    say("ready");
    let mut line = String::new();
    // an end instead of a line: what follows is for nobody
    let _ = io::stdin().read_line(&mut line);
}

/// Tells the numbers of a client by their names, and waits until they have been looked at.
pub(crate) fn done(numbers: &[(&str, f64)]) {
    let numbers: Vec<_> = numbers.iter().map(|(name, number)| format!("{name}={number}")).collect();
    say(&numbers.join(" "));
    wait_for_the_end();
}

fn say(line: &str) {
    let mut out = io::stdout().lock();
    // nobody listens any more: the end of standard input will say so
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn wait_for_the_end() {
    let _ = io::stdin().lock().read_to_end(&mut Vec::new());
}
