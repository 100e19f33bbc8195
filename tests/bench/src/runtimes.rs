//! The runtimes of a side: one thread does the work; and what a server does without work.

use std::sync::mpsc;
use std::thread;

use anyhow::Context;
use clap::ValueEnum;

/// Who a side is of, where that is nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// Tokio's TCP with the same bytes, and no protocol.
    Raw,
    /// This library on Tokio.
    Tokio,
    /// This library on smol.
    Smol,
    /// This library on compio.
    #[cfg(target_os = "linux")]
    Compio,
}

/// On this thread, as a task like those that it spawns: the future in `block_on` itself is woken
/// through the system.
pub(crate) fn tokio<T: Send + 'static>(
    future: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { tokio::spawn(future).await? })
}

/// On so many threads.
pub(crate) fn tokio_on<T: Send + 'static>(
    threads: usize,
    future: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> anyhow::Result<T> {
    if threads == 1 {
        return tokio(future);
    }
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(threads).enable_all().build()?;
    runtime.block_on(async { tokio::spawn(future).await? })
}

/// On the threads of smol's executor, one or as many as `SMOL_THREADS` says, where what is spawned
/// runs too: a future in `block_on` would be on another one than its connections.
pub(crate) fn smol<T: Send + 'static>(
    future: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> anyhow::Result<T> {
    let (sender, receiver) = mpsc::channel();
    // the receiver waits for it, so it is there
    smol::spawn(async move { drop(sender.send(future.await)) }).detach();
    receiver.recv().context("the task panicked")?
}

/// On a ring of this thread, as a task like those that it spawns: the future in `block_on` itself
/// is polled with every turn of the ring.
#[cfg(target_os = "linux")]
pub(crate) fn compio<T: Send + 'static>(
    future: impl Future<Output = anyhow::Result<T>> + Send + 'static,
) -> anyhow::Result<T> {
    use compio::driver::ProactorBuilder;
    use compio::runtime::{RuntimeBuilder, spawn};

    let mut ring = ProactorBuilder::new();
    // what completes waits until the thread asks, instead of interrupting it
    ring.single_issuer(true).coop_taskrun(true).taskrun_flag(true);
    let runtime = RuntimeBuilder::new().with_proactor(ring).build()?;
    runtime.block_on(async { spawn(future).await.map_err(std::io::Error::from)? })
}

/// What a server does when it has nothing more to do: it is looked at before it ends.
pub(crate) fn stay() -> ! {
    loop {
        thread::park();
    }
}
