//! The loops of clients that call: each call is a task that waits for its own answer, as an
//! application of these libraries has it.

use std::time::Instant;

use futures_util::future::try_join_all;
use tokio::task::{JoinSet, yield_now};

use crate::side;
use crate::side::latencies::Latencies;
use crate::side::load::{Done, Load, Task};

/// A client of an echo service; clones share a connection.
pub(crate) trait Call: Clone + Send + Sync + 'static {
    fn connect(load: &Load) -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// Asks, and waits for the answer.
    fn call(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Calls as `load` says: with so many in flight, or at a fixed rate.
pub(crate) async fn run<C: Call>(load: &Load) -> anyhow::Result<()> {
    match load.task {
        Task::Echo => echo(C::connect(load).await?, load).await?.tell(),
        Task::Latency => {
            let connects = (0..load.count).map(|_| C::connect(load));
            latency(try_join_all(connects).await?, load).await?;
        }
        Task::Each | Task::OneWay | Task::LatencySlow => anyhow::bail!("it has no such calls"),
    }
    Ok(())
}

async fn echo<C: Call>(mut client: C, load: &Load) -> anyhow::Result<Done> {
    // a connection may be made with the first call
    client.call().await?;
    side::ready();
    let (start, time) = (Instant::now(), load.time());
    let mut calls = JoinSet::new();
    for _ in 0..load.count {
        let mut client = client.clone();
        calls.spawn(async move {
            let mut messages = 0;
            while messages == 0 || start.elapsed() < time {
                client.call().await?;
                messages += 1;
            }
            anyhow::Ok(messages)
        });
    }
    let mut messages = 0;
    while let Some(of_call) = calls.join_next().await {
        messages += of_call??;
    }
    Ok(Done { messages, size: load.size, seconds: start.elapsed().as_secs_f64() })
}

async fn latency<C: Call>(mut clients: Vec<C>, load: &Load) -> anyhow::Result<()> {
    for client in &mut clients {
        client.call().await?;
    }
    side::ready();
    let start = Instant::now();
    let (mut calls, mut latencies) = (JoinSet::new(), Latencies::default());
    for number in 0..load.requests() {
        let due = load.due(start, number);
        // it spins: timers count in milliseconds
        while Instant::now() < due {
            yield_now().await;
            while let Some(answered) = calls.try_join_next() {
                latencies.push(answered??);
            }
        }
        let mut client = clients[number as usize % clients.len()].clone();
        calls.spawn(async move {
            client.call().await?;
            anyhow::Ok(due.elapsed())
        });
    }
    while let Some(answered) = calls.join_next().await {
        latencies.push(answered??);
    }
    latencies.tell(start.elapsed().as_secs_f64());
    Ok(())
}
