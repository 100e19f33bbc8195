//! Tokio or smol under a command, and the little time-keeping that commands need.

use std::future::{Future, poll_fn};
use std::time::Duration;

use anyhow::Context;
use hat_core::aio::Runtime;
use hat_core::aio::runtime::Timer;

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

/// Waits until `time` has passed.
pub(crate) async fn sleep<R: Runtime>(time: Duration) {
    let mut timer = R::timer(R::now() + time);
    poll_fn(|cx| timer.poll(cx)).await;
}

/// What `future` gives, or `None` if it takes longer than `time`.
pub(crate) async fn within<R: Runtime, T>(
    time: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let late = async {
        sleep::<R>(time).await;
        None
    };
    smol::future::or(async { Some(future.await) }, late).await
}
