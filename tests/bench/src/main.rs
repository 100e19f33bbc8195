//! The Hat protocols against other implementations and against the socket.
//!
//! Every figure is of two processes over loopback, an echo server and a client, and every implementation runs in turn within each
//! round: these machines are noisy, so what is printed is the ratio to raw TCP of the same round, its median and its spread.
//!
//! ```text
//! cargo run --release -p hat-bench -- cotp
//! cargo run --release -p hat-bench -- juggler
//! ```

mod cotp;
mod figures;
mod juggler;
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
    /// Juggler 0.7: a state that changes, requests, large messages; and diff and apply alone.
    Juggler {
        /// Rounds: each runs every implementation once.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// How long one run takes, milliseconds; where a server does not keep up, longer.
        #[arg(long, default_value_t = 1000)]
        milliseconds: u64,
    },
    /// One side of a run: an echo server until its standard input ends.
    #[command(hide = true)]
    Serve { peer: cotp::Peer },
    /// One side of a run: a client; prints what it did.
    #[command(hide = true)]
    Drive(cotp::Drive),
    /// One side of a run of `juggler`: a server.
    #[command(hide = true)]
    ServeJuggler(juggler::Serve),
    /// One side of a run of `juggler`: a client; prints what it did.
    #[command(hide = true)]
    DriveJuggler(juggler::Drive),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Cotp { rounds, milliseconds } => cotp::run(rounds, milliseconds),
        Command::Serve { peer } => cotp::serve(peer),
        Command::Drive(drive) => cotp::drive(&drive),
        Command::Juggler { rounds, milliseconds } => juggler::run(rounds, milliseconds),
        Command::ServeJuggler(serve) => juggler::serve(&serve),
        Command::DriveJuggler(drive) => juggler::drive(&drive),
    }
}
