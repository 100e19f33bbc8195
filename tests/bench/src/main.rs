//! The Hat protocols against other implementations and against the socket.
//!
//! Every figure is of two processes over loopback, an echo server and a client, and every implementation runs in turn within each
//! round: these machines are noisy, so what is printed is the ratio to raw TCP of the same round, its median and its spread.
//!
//! ```text
//! cargo run --release -p hat-bench -- cotp
//! ```

mod cotp;
mod figures;
mod process;

use clap::{Parser, Subcommand};

/// Measures implementations side by side.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// COTP echo: one message in flight and pipelined, 64 B to 1 MiB, TPDU size 2048.
    Cotp {
        /// Rounds: each runs every implementation once.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// How long one run takes, milliseconds.
        #[arg(long, default_value_t = 400)]
        milliseconds: u64,
    },
    /// One side of a run: an echo server until its standard input ends.
    #[command(hide = true)]
    Serve { peer: cotp::Peer },
    /// One side of a run: a client; prints what it did.
    #[command(hide = true)]
    Drive(cotp::Drive),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Cotp { rounds, milliseconds } => cotp::run(rounds, milliseconds),
        Command::Serve { peer } => cotp::serve(peer),
        Command::Drive(drive) => cotp::drive(&drive),
    }
}
