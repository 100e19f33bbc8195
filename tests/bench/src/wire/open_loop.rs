//! Requests at a fixed rate, over pipes: each is sent when it is due, whether or not others were
//! answered.
//!
//! The client spins: timers of runtimes count in milliseconds, and requests are due every 0.1 ms.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use hat_aio::Runtime;
use smol::channel::{Sender, unbounded};
use smol::future::yield_now;

use crate::side;
use crate::side::latencies::Latencies;
use crate::side::load::Load;
use crate::side::pipe::{Answers, Asker};

/// When the requests in flight on a connection were due.
type Due = Arc<Mutex<VecDeque<Instant>>>;

/// Sends on each of `clients` in turn, and tells how long answers took.
pub(super) async fn latency<R: Runtime, A, B>(
    clients: Vec<(A, B)>,
    load: &Load,
) -> anyhow::Result<()>
where
    A: Asker + Send + 'static,
    B: Answers + Send + 'static,
{
    let (results, latencies) = unbounded();
    let mut asking = Vec::new();
    for (asks, answers) in clients {
        let due = Due::default();
        let (of_client, results) = (due.clone(), results.clone());
        R::spawn(async move {
            // what is missing then is noticed below
            let _ = receive(answers, &of_client, &results).await;
        });
        asking.push((asks, due));
    }
    drop(results);
    side::ready();
    let start = Instant::now();
    for number in 0..load.requests() {
        let at = load.due(start, number);
        while Instant::now() < at {
            yield_now().await;
        }
        let (asks, due) = &mut asking[number as usize % load.count];
        due.lock().unwrap_or_else(PoisonError::into_inner).push_back(at);
        asks.ask(1).await?;
    }
    let mut all = Latencies::default();
    for _ in 0..load.requests() {
        // an error: a client has failed
        all.push(latencies.recv().await?);
    }
    all.tell(start.elapsed().as_secs_f64());
    Ok(())
}

/// Ends with the connection.
async fn receive(
    mut answers: impl Answers,
    due: &Due,
    latencies: &Sender<Duration>,
) -> anyhow::Result<()> {
    loop {
        for _ in 0..answers.answers().await? {
            let at = due.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            latencies.send(at.context("an answer without a request")?.elapsed()).await?;
        }
    }
}
