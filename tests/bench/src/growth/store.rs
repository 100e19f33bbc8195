//! `hat serve` with many event types.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use clap::Args;
use hat_aio::eventer::{Client, ConnectOptions, connect};
use hat_core::eventer::LatestParams;
use hat_tokio::Tokio;

use crate::Bench;
use crate::contenders::Contender;
use crate::eventer::events;
use crate::process::Program;
use crate::side;

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Drive {
    port: u16,
    types: usize,
}

/// Events of a request.
const BATCH: usize = 1000;

/// It takes no longer until the server listens.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn contender(bench: &Bench, name: &'static str, types: usize) -> Contender {
    Contender::apart(
        name,
        server(bench, types),
        &[],
        bench.programs.itself().map(|it| it.with(["drive", "growth", "store"])),
        &[types],
    )
}

/// It tells its port in words and to people, so it gets one.
fn server(bench: &Bench, types: usize) -> Result<Program, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|it| it.local_addr());
    let port = listener.map_err(|error| error.to_string())?.port();
    let limits = format!("--max-events {types} --max-types {types}");
    let serve = format!(r#"echo {port}; exec "$0" serve --listen 127.0.0.1:{port} {limits}"#);
    Ok(Program::new("sh").with(["-c", &serve]).with([bench.programs.hat()?.display()]))
}

pub(super) async fn drive(drive: Drive) -> anyhow::Result<()> {
    let client = connected(drive.port).await?;
    register(&client, drive.types).await?;
    side::ready();
    register(&client, drive.types).await?;
    side::done(&[("types", drive.types as f64)]);
    Ok(())
}

/// Registers an event of each type, and waits until the server has all of them.
async fn register(client: &Client, types: usize) -> anyhow::Result<()> {
    for first in (0..types).step_by(BATCH) {
        client.register(&events::to_register(first..types.min(first + BATCH))).await?;
    }
    // answered after what came before
    let event_types = Some(vec![events::event_type(types - 1)]);
    let latest = client.query(&LatestParams { event_types }.into()).await?;
    anyhow::ensure!(latest.events.len() == 1, "the last type is not there");
    Ok(())
}

async fn connected(port: u16) -> anyhow::Result<Client> {
    let start = Instant::now();
    loop {
        match connect::<Tokio>(("127.0.0.1", port), "bench", ConnectOptions::default()).await {
            Ok(client) => return Ok(client),
            Err(error) if start.elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
