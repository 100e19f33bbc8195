//! Requests at a fixed rate, over pipes: each is sent when it is due, whether or not others were answered.
//!
//! The client spins: timers of runtimes count in milliseconds, and requests are due every 0.1 ms.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hat_core::aio::Runtime;
use smol::channel::unbounded;
use smol::future::yield_now;

use crate::side;
use crate::side::latencies::Latencies;
use crate::side::load::Load;
use crate::side::pipe::{Answers, Asks};

/// When the requests in flight on a connection were due.
type Due = Arc<Mutex<VecDeque<Instant>>>;

/// Sends on each of `clients` in turn, and tells how long answers took.
pub(super) async fn latency<R: Runtime, A, B>(
    clients: Vec<(A, B)>,
    load: &Load,
) -> anyhow::Result<()>
where
    A: Asks + Send + 'static,
    B: Answers + Send + 'static,
{
    let (results, of_each) = unbounded();
    let mut asking = Vec::new();
    let clients_count = u32::try_from(clients.len())?;
    for (index, (asks, answers)) in (0..).zip(clients) {
        let due = Due::default();
        // each client has the requests whose numbers leave its index as the remainder
        let mine = (load.requests() + clients_count - 1 - index) / clients_count;
        let (of_client, results) = (due.clone(), results.clone());
        R::spawn(async move {
            // one that fails is seen by the channel's end
            if let Ok(latencies) = receive(answers, mine as usize, &of_client).await {
                let _ = results.send(latencies).await;
            }
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
        let (asks, due) = &mut asking[number as usize % clients_count as usize];
        due.lock().unwrap_or_else(PoisonError::into_inner).push_back(at);
        asks.ask(1).await?;
    }
    let mut all = Latencies::default();
    while let Ok(latencies) = of_each.recv().await {
        all.extend(latencies);
    }
    anyhow::ensure!(all.len() == load.requests() as usize, "only {} answers", all.len());
    all.tell(start.elapsed().as_secs_f64());
    Ok(())
}

async fn receive(
    mut answers: impl Answers,
    requests: usize,
    due: &Due,
) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::default();
    while latencies.len() < requests {
        for _ in 0..answers.answers().await? {
            let at = due.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some(at) = at {
                latencies.answered(at);
            }
        }
    }
    Ok(latencies)
}
