//! This library as a program that test suites in other languages drive: one process, JSON lines on
//! standard input and output, diagnostics on standard error.
//!
//! ```text
//! stdin ──> read (a thread) ──> Session: requests start in the order of lines, and run at once
//!                                  │
//!                                  ├─ chatter, eventer, …  a layer: methods ─> public API
//!                                  ├─ eventer, juggler     the same, with callbacks
//!                                  ├─ calls                callbacks that wait for a reply
//!                                  ├─ objects              handles, and what was reported of each
//!                                  └─ lines ──────────> stdout, a line at a time
//! ```
//!
//! The line protocol is `hat-testee/1`; `hat_tests::peers` is a client of it. What is not there
//! answers `unsupported`.

mod answer;
mod calls;
mod chatter;
mod eventer;
mod iso;
mod juggler;
mod juggler05;
mod lines;
mod objects;
mod params;
mod server;
mod session;
mod tls;
mod turn;

use std::io::BufRead;
use std::thread;

use clap::{Parser, ValueEnum};
use hat_aio::Runtime;
use hat_smol::Smol;
use hat_tokio::Tokio;
use smol::channel::{Receiver, unbounded};

use crate::session::Session;

/// Puts the Hat protocols behind JSON lines on standard input and output.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What the protocols run on
    #[arg(long, value_enum)]
    runtime: RuntimeName,
}

#[derive(Clone, Copy, ValueEnum)]
enum RuntimeName {
    Tokio,
    Smol,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().runtime {
        RuntimeName::Tokio => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(serve::<Tokio>("tokio"));
        }
        RuntimeName::Smol => smol::block_on(serve::<Smol>("smol")),
    }
    // nobody is left to report to: connections that still flush are not waited for
    std::process::exit(0);
}

async fn serve<R: Runtime>(runtime: &str) {
    let session = Session::new(format!("hat-rust {} ({runtime})", env!("CARGO_PKG_VERSION")));
    let lines = standard_input();
    while let Ok(line) = lines.recv().await {
        session.process::<R>(&line);
    }
}

/// The lines of standard input, read in a thread: neither runtime reads from a terminal, a pipe and
/// a file alike.
fn standard_input() -> Receiver<Vec<u8>> {
    let (sender, receiver) = unbounded();
    thread::spawn(move || {
        for line in std::io::stdin().lock().split(b'\n').map_while(Result::ok) {
            if sender.send_blocking(line).is_err() {
                return;
            }
        }
    });
    receiver
}
