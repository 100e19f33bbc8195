//! `hat`: event servers and clients of the Hat protocols on the command line.
//!
//! ```text
//! main      arguments ─> runtime ─> command ─> exit code
//! args      what a person may write          exit     what the codes are, and which error has it
//! command   one file a command               client   the connection that most commands start with
//! output    JSON lines or a table            runtime  Tokio or smol under a command
//! conf      configurations of a server      progress bars, for a person who looks
//! log       what -v and RUST_LOG show        interrupt Ctrl-C and SIGTERM
//! listening where a command listens
//! ```

mod args;
mod client;
mod command;
mod conf;
mod exit;
mod interrupt;
mod listening;
mod log;
mod output;
mod progress;
mod runtime;

use std::process::ExitCode;

use args::{Args, RuntimeName};

fn main() -> ExitCode {
    let args = match args::parse() {
        Ok(args) => args,
        Err(code) => return code,
    };
    log::start(args.verbose);
    exit::code(run(args))
}

fn run(args: Args) -> anyhow::Result<()> {
    match args.runtime {
        RuntimeName::Tokio => command::run::<hat_tokio::Tokio>(args.command),
        RuntimeName::Smol => command::run::<hat_smol::Smol>(args.command),
    }
}
