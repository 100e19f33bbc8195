//! The runtime under a command: Tokio or smol.

use std::future::Future;

use anyhow::Context;
use hat_aio::Runtime;
pub(crate) use hat_aio::runtime::{connect_unix, sleep, within};

/// A runtime that can run a command.
pub(crate) trait Run: Runtime {
    /// Its name on the command line.
    const NAME: &str;

    /// Runs `future` on this thread; the tasks that it starts run on others.
    fn run<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T>;
}

impl Run for hat_tokio::Tokio {
    const NAME: &str = "Tokio";

    fn run<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.context("cannot start Tokio")?;
        let result = runtime.block_on(future);
        // a look-up of a host name that was given up would be waited for
        runtime.shutdown_background();
        result
    }
}

impl Run for hat_smol::Smol {
    const NAME: &str = "smol";

    fn run<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        smol::block_on(future)
    }
}
