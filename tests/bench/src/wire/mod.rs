//! Chatter over loopback against raw TCP of the same bytes, `hat-drivers`, and what a person would
//! pick instead: tonic, tarpc, NATS.

mod each;
mod open_loop;
mod ours;
mod raw;
mod tables;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hat_aio::Runtime;
use hat_aio::runtime::sleep;

use self::each::each;
pub(crate) use self::tables::{chatter, connections, latency, one_way, over_tls, threads};
use crate::runtimes::{self, Peer};
use crate::side::load::{Load, Task};
use crate::side::pipe;

/// A server that answers, counts or floods, as a client asks for.
#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    peer: Peer,
    /// Over TLS, with the certificate and the key in this file.
    #[arg(long)]
    tls: Option<PathBuf>,
    /// Threads of Tokio; those of smol are `SMOL_THREADS`.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

/// A client of such a server.
#[derive(Args, Clone, Debug)]
pub(crate) struct Drive {
    peer: Peer,
    #[command(flatten)]
    load: Load,
}

pub(crate) fn serve(serve: &Serve) -> anyhow::Result<()> {
    let tls = serve.tls.as_deref().map(tls::server).transpose()?;
    match serve.peer {
        Peer::Raw => runtimes::tokio_on(serve.threads, raw::serve(tls)),
        Peer::Tokio => runtimes::tokio_on(serve.threads, ours::serve::<hat_tokio::Tokio>(tls)),
        Peer::Smol => runtimes::smol(ours::serve::<hat_smol::Smol>(tls)),
        #[cfg(target_os = "linux")]
        Peer::Compio => runtimes::compio(ours::serve::<hat_compio::Compio>(tls)),
    }?;
    runtimes::stay()
}

pub(crate) fn drive(drive: &Drive) -> anyhow::Result<()> {
    let load = drive.load.clone();
    match drive.peer {
        Peer::Raw => runtimes::tokio(drive_raw(load)),
        Peer::Tokio => runtimes::tokio(drive_ours::<hat_tokio::Tokio>(load)),
        Peer::Smol => runtimes::smol(drive_ours::<hat_smol::Smol>(load)),
        #[cfg(target_os = "linux")]
        Peer::Compio => runtimes::compio(drive_ours::<hat_compio::Compio>(load)),
    }
}

async fn drive_raw(load: Load) -> anyhow::Result<()> {
    match load.task {
        Task::Echo => {
            let mut halves = raw::echo(&load).await?;
            pipe::echo(&mut halves, &load).await?.tell();
        }
        Task::Each => {
            let mut clients = Vec::new();
            for _ in 0..load.count + load.idle {
                clients.push(raw::echo(&load).await?);
            }
            let _idle = clients.split_off(load.count);
            each::<hat_tokio::Tokio>(clients, &load).await?.tell();
        }
        Task::OneWay => {
            let mut flow = raw::CountedConnection::new(&load).await?;
            pipe::one_way(&mut flow, &load).await?.tell();
        }
        Task::Latency => {
            let mut clients = Vec::new();
            for _ in 0..load.count {
                clients.push(raw::echo(&load).await?);
            }
            open_loop::latency::<hat_tokio::Tokio, _, _>(clients, &load).await?;
        }
        Task::LatencySlow => anyhow::bail!("raw TCP has no messages to be slow with"),
    }
    Ok(())
}

async fn drive_ours<R: Runtime>(load: Load) -> anyhow::Result<()> {
    match load.task {
        Task::Echo => {
            let mut client = ours::Client::new::<R>(&load).await?;
            pipe::echo(&mut client, &load).await?.tell();
        }
        Task::Each => {
            let mut clients = Vec::new();
            for _ in 0..load.count + load.idle {
                clients.push(ours::Client::new::<R>(&load).await?);
            }
            let _idle = clients.split_off(load.count);
            each::<R>(clients, &load).await?.tell();
        }
        Task::OneWay => {
            let mut client = ours::Client::new::<R>(&load).await?;
            pipe::one_way(&mut client, &load).await?.tell();
        }
        Task::Latency | Task::LatencySlow => {
            if load.task == Task::LatencySlow {
                start_slow_client::<R>(&load).await?;
            }
            let mut clients = Vec::new();
            for _ in 0..load.count {
                let client = ours::Client::new::<R>(&load).await?;
                clients.push((client.clone(), client));
            }
            open_loop::latency::<R, _, _>(clients, &load).await?;
        }
    }
    Ok(())
}

/// Bytes of a message that a slow client is sent.
const SLOW_SIZE: usize = 64 * 1024;
/// It receives one in this time: 640 kB/s, of what would be gigabytes.
const SLOW_PAUSE: Duration = Duration::from_millis(100);

/// A client that is sent as much as it takes, receives nothing for half of the time, and then
/// little.
async fn start_slow_client<R: Runtime>(load: &Load) -> anyhow::Result<()> {
    let slow = ours::Client::new::<R>(load).await?;
    slow.flood(SLOW_SIZE).await?;
    let nothing_for = load.time() / 2;
    R::spawn(async move {
        sleep::<R>(nothing_for).await;
        while slow.message().await.is_ok() {
            sleep::<R>(SLOW_PAUSE).await;
        }
    });
    // what the system and both queues hold is full by then, and the steady state is measured
    sleep::<R>(Duration::from_millis(200)).await;
    Ok(())
}
