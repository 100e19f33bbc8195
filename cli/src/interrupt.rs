//! Ctrl-C, and SIGTERM where there is such a thing.

use std::future::Future;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use smol::channel::{Receiver, bounded};

/// Somebody asks the command to end. Asking a second time ends it at once.
pub(crate) struct Interrupt(Receiver<()>);

impl Interrupt {
    /// From now on a Ctrl-C is not the end of the process.
    pub(crate) fn watch() -> anyhow::Result<Self> {
        let (sender, receiver) = bounded(1);
        let asked = AtomicBool::new(false);
        let handler = move || {
            if asked.swap(true, Ordering::Relaxed) {
                process::exit(1);
            }
            // full only if it was told already
            let _ = sender.try_send(());
        };
        ctrlc::set_handler(handler).context("cannot watch for Ctrl-C")?;
        Ok(Self(receiver))
    }

    /// Waits until somebody asks.
    pub(crate) async fn wait(&self) {
        // closed only with the handler, which stays
        let _ = self.0.recv().await;
    }

    /// What `future` gives; `None` if somebody asks first.
    pub(crate) async fn or<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let asked = async {
            self.wait().await;
            None
        };
        // the request first: there may always be one more event
        smol::future::or(asked, async { Some(future.await) }).await
    }
}
