//! Many connections, each with one request in flight.

use std::time::Instant;

use hat_aio::Runtime;

use crate::side;
use crate::side::load::{Done, Load};
use crate::side::pipe::{Answers, Asker, asked};

/// Asks on every connection at once, each in a task of its own.
pub(super) async fn each<R: Runtime>(
    pipes: Vec<impl Asker + Answers + Send + 'static>,
    load: &Load,
) -> anyhow::Result<Done> {
    side::ready();
    let start = Instant::now();
    let (sender, receiver) = smol::channel::bounded(pipes.len());
    for mut pipe in pipes {
        let (sender, load) = (sender.clone(), Load { count: 1, ..load.clone() });
        R::spawn(async move { drop(sender.send(asked(&mut pipe, &load).await).await) });
    }
    drop(sender);
    let mut messages = 0;
    while let Ok(done) = receiver.recv().await {
        messages += done?.messages;
    }
    Ok(Done { messages, size: load.size, seconds: start.elapsed().as_secs_f64() })
}
