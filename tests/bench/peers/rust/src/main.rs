//! What a person would pick instead of Hat, in Rust, as sides of the runs of `hat-bench`: it builds
//! and starts this.
//!
//! A package of its own, which is not in the workspace: gRPC and NATS are many crates, and only the
//! bench wants them.

mod call;
mod encoding;
mod grpc;
mod nats;
mod rpc;
#[path = "../../../src/side/mod.rs"]
mod side;
mod websocket;

use clap::{Parser, Subcommand};

use self::side::load::Load;

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
enum Serve {
    Tonic,
    Tarpc,
    /// `nats-server` must be on the PATH.
    Nats,
    Tungstenite,
}

#[derive(Subcommand)]
enum Drive {
    Tonic(Load),
    Tarpc(Load),
    Nats(Load),
    Tungstenite(Load),
    Encoding(encoding::Drive),
}

fn main() -> anyhow::Result<()> {
    // one core a side; and a task like others: the future in `block_on` itself is woken through the
    // system
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { tokio::spawn(run()).await? })
}

async fn run() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Serve(Serve::Tonic) => grpc::serve().await,
        Command::Serve(Serve::Tarpc) => rpc::serve().await,
        Command::Serve(Serve::Nats) => nats::serve().await,
        Command::Serve(Serve::Tungstenite) => websocket::serve().await,
        Command::Drive(Drive::Tonic(load)) => grpc::drive(&load).await,
        Command::Drive(Drive::Tarpc(load)) => call::run::<rpc::Client>(&load).await,
        Command::Drive(Drive::Nats(load)) => nats::drive(&load).await,
        Command::Drive(Drive::Tungstenite(load)) => websocket::drive(&load).await,
        Command::Drive(Drive::Encoding(it)) => encoding::drive(&it),
    }
}
