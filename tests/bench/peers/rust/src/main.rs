//! What a person would pick instead of Hat, in Rust, as sides of the runs of `hat-bench`: it builds and starts this.
//!
//! A package of its own, which is not in the workspace: gRPC and NATS are many crates, and only the bench wants them.

#[path = "../../../src/side/mod.rs"]
mod side;

mod encoding;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A server, until its standard input ends.
    #[command(subcommand)]
    Serve(Serve),
    /// A client; prints what it did.
    #[command(subcommand)]
    Drive(Drive),
}

#[derive(Subcommand)]
enum Serve {}

#[derive(Subcommand)]
enum Drive {
    Encoding(encoding::Drive),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Serve(it) => match it {},
        Command::Drive(Drive::Encoding(it)) => encoding::drive(&it),
    }
}
