//! Registering with a response: one client, so many requests open at a time.

use std::time::{Duration, Instant};

use clap::Args;
use hat_aio::Runtime;
use hat_aio::eventer::{Client, ConnectOptions, connect};
use hat_core::eventer::RegisterEvent;
use smol::channel::unbounded;

use super::events;
use crate::side;

/// What a client does.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Drive {
    port: u16,
    /// Events of a request.
    batch: usize,
    /// Requests that are open at a time, each by a task that waits for its answer.
    open: usize,
    milliseconds: u64,
}

pub(super) async fn drive<R: Runtime>(drive: Drive) -> anyhow::Result<()> {
    let client =
        connect::<R>(("127.0.0.1", drive.port), "bench", ConnectOptions::default()).await?;
    let events = events::to_register(0..drive.batch);
    side::ready();
    let start = Instant::now();
    let until = start + Duration::from_millis(drive.milliseconds);
    let (sender, done) = unbounded();
    for _ in 0..drive.open {
        let (client, events, sender) = (client.clone(), events.clone(), sender.clone());
        R::spawn(async move {
            // unbounded: it has room
            let _ = sender.send(register(&client, &events, until).await).await;
        });
    }
    let mut registered = 0;
    for _ in 0..drive.open {
        registered += done.recv().await??;
    }
    let seconds = start.elapsed().as_secs_f64();
    side::done(&[("events", registered as f64), ("seconds", seconds)]);
    Ok(())
}

/// One request after the other; gives how many events were registered.
async fn register(
    client: &Client,
    events: &[RegisterEvent],
    until: Instant,
) -> anyhow::Result<usize> {
    let mut registered = 0;
    while Instant::now() < until {
        let answer = client.register_with_response(events).await?;
        anyhow::ensure!(answer.is_some_and(|it| it.len() == events.len()), "not registered");
        registered += events.len();
    }
    Ok(registered)
}
