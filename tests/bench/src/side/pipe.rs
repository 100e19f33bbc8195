//! The loops of clients whose connection is a pipe: messages go in at one end, and answers come
//! back in the same order.

use std::time::Instant;

use super::load::{Done, Load};

/// Sends requests.
pub(crate) trait Asker {
    /// Sends so many requests.
    fn ask(&mut self, count: usize) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Receives the answers.
pub(crate) trait Answers {
    /// Waits for answers, and tells how many came: at least one.
    fn answers(&mut self) -> impl Future<Output = anyhow::Result<usize>> + Send;
}

/// A connection in two halves.
impl<A: Asker + Send, B: Send> Asker for (A, B) {
    async fn ask(&mut self, count: usize) -> anyhow::Result<()> {
        self.0.ask(count).await
    }
}

impl<A: Send, B: Answers + Send> Answers for (A, B) {
    async fn answers(&mut self) -> anyhow::Result<usize> {
        self.1.answers().await
    }
}

/// Asks with `load.count` requests in flight.
///
/// It sends before it reads, so what is in flight must be less than what the system buffers.
pub(crate) async fn echo(pipe: &mut (impl Asker + Answers), load: &Load) -> anyhow::Result<Done> {
    super::ready();
    asked(pipe, load).await
}

/// The same for who has said that it is ready.
pub(crate) async fn asked(pipe: &mut (impl Asker + Answers), load: &Load) -> anyhow::Result<Done> {
    let (start, mut sent, mut received) = (Instant::now(), 0, 0);
    loop {
        if sent == 0 || start.elapsed() < load.time() {
            let more = load.count - (sent - received);
            pipe.ask(more).await?;
            sent += more;
        }
        if received == sent {
            let seconds = start.elapsed().as_secs_f64();
            return Ok(Done { messages: received, size: load.size, seconds });
        }
        received += pipe.answers().await?;
    }
}

/// Sends messages that are not answered, except for all of them at the end.
pub(crate) trait Flow {
    /// Sends so many messages.
    fn send(&mut self, count: usize) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Waits until the other side has everything, and tells how many messages it counted.
    fn finish(&mut self) -> impl Future<Output = anyhow::Result<u64>> + Send;
}

/// Sends for the time of `load`, and until the other side has everything.
pub(crate) async fn one_way(flow: &mut impl Flow, load: &Load) -> anyhow::Result<Done> {
    // the clock takes as long as a small message
    let batch = (256 * 1024 / load.size.max(1)).clamp(1, 64);
    super::ready();
    let (start, mut sent) = (Instant::now(), 0);
    while sent == 0 || start.elapsed() < load.time() {
        flow.send(batch).await?;
        sent += batch;
    }
    let counted = flow.finish().await?;
    anyhow::ensure!(counted == sent as u64, "{counted} of {sent} messages arrived");
    let seconds = start.elapsed().as_secs_f64();
    Ok(Done { messages: sent, size: load.size, seconds })
}
