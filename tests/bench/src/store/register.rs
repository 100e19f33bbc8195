//! Registering until it is stored; and what the disk can do.

use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use hat_aio::Runtime;
use hat_aio::eventer::Client;
use hat_core::eventer::{EventId, RegisterEvent, ServerParams};
use hat_core::sbs;
use hat_tokio::Tokio;
use smol::channel::unbounded;

use super::{batches, bytes_of, clients};
use crate::side::{self, latencies::Latencies};

/// What clients do.
#[derive(Args, Clone, Debug)]
pub(super) struct Drive {
    pub(super) port: u16,
    /// Events of a request.
    pub(super) batch: usize,
    /// Clients, each with one request.
    pub(super) open: usize,
    pub(super) milliseconds: u64,
    /// Different types.
    pub(super) types: usize,
    /// Where the server keeps them.
    pub(super) folder: PathBuf,
    /// NATS: servers that keep the stream.
    #[arg(long, default_value_t = 1)]
    pub(super) replicas: usize,
}

/// What one client has done.
pub(super) type Done = anyhow::Result<(usize, EventId)>;

pub(super) async fn drive(drive: Drive) -> anyhow::Result<()> {
    let batches = batches(drive.batch, drive.types);
    let mut all = Vec::new();
    for _ in 0..drive.open {
        all.push(clients::connected(drive.port, &batches[0]).await?);
    }
    side::ready();
    let start = Instant::now();
    let until = start + Duration::from_millis(drive.milliseconds);
    let (sender, done) = unbounded();
    let latencies = Arc::new(Mutex::new(Latencies::default()));
    for (at, client) in all.iter().enumerate() {
        let (client, batches, sender) = (client.clone(), batches.clone(), sender.clone());
        let latencies = latencies.clone();
        Tokio::spawn(async move {
            let registered = register(&client, &batches, at, until, &latencies).await;
            // unbounded: it has room
            let _ = sender.send(registered).await;
        });
    }
    let (mut events, mut last) = (0, EventId::new(1, 0, 0));
    for _ in 0..drive.open {
        let (count, id) = done.recv().await??;
        events += count;
        last = last.max(id);
    }
    let answered = start.elapsed().as_secs_f64();
    stored(&all[0], last).await?;
    let seconds = start.elapsed().as_secs_f64();
    // each has registered a batch before
    let bytes = bytes_of(&drive.folder) as f64 / (events + drive.open * drive.batch) as f64;
    let numbers = [("events", events as f64), ("answered", answered), ("bytes", bytes)];
    let percentiles = latencies.lock().unwrap_or_else(PoisonError::into_inner).percentiles();
    side::done(&[&numbers[..], &percentiles, &[("seconds", seconds)]].concat());
    Ok(())
}

/// One request after the other.
async fn register(
    client: &Client,
    batches: &[Vec<RegisterEvent>],
    first: usize,
    until: Instant,
    latencies: &Mutex<Latencies>,
) -> Done {
    let (mut events, mut last) = (0, EventId::new(1, 0, 0));
    for batch in batches.iter().cycle().skip(first % batches.len()) {
        let asked = Instant::now();
        if asked >= until {
            break;
        }
        let answer = client.register_with_response(batch).await?.unwrap_or_default();
        anyhow::ensure!(answer.len() == batch.len(), "not registered");
        latencies.lock().unwrap_or_else(PoisonError::into_inner).push(asked.elapsed());
        events += answer.len();
        last = answer.last().map_or(last, |event| event.id);
    }
    Ok((events, last))
}

/// Waits until an event is on the disk.
pub(super) async fn stored(client: &Client, id: EventId) -> anyhow::Result<()> {
    let start = Instant::now();
    let before = EventId::new(id.server, id.session, id.instance - 1);
    let params = ServerParams {
        server_id: id.server,
        persisted: true,
        max_results: Some(1),
        last_event_id: Some(before),
    };
    while client.query(&params.clone().into()).await?.events.is_empty() {
        anyhow::ensure!(start.elapsed() < Duration::from_secs(50), "{id:?} is not stored");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

/// A file that is written and synced.
#[derive(Args, Clone, Debug)]
pub(super) struct Sync {
    batch: usize,
    open: usize,
    milliseconds: u64,
    types: usize,
    file: PathBuf,
}

pub(super) fn sync(sync: &Sync) -> anyhow::Result<()> {
    const LEN: u64 = 16 << 20;
    let bytes = sbs::encode(&batches(sync.batch, sync.types)[0]).repeat(sync.open);
    let mut file = std::fs::File::create(&sync.file)?;
    file.write_all(&vec![0; LEN as usize + bytes.len()])?;
    file.sync_all()?;
    side::ready();
    let start = Instant::now();
    let (mut count, mut at) = (0, 0);
    while start.elapsed() < Duration::from_millis(sync.milliseconds) {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        at = (at + bytes.len() as u64) % LEN;
        count += sync.batch * sync.open;
    }
    let seconds = start.elapsed().as_secs_f64();
    side::done(&[("events", count as f64), ("answered", seconds), ("seconds", seconds)]);
    Ok(())
}
