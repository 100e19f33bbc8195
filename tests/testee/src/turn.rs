//! Turns: what was asked for in an order is done in that order, also where it has to wait.

use std::sync::{Mutex, PoisonError};

use smol::channel::{Receiver, Sender, bounded};

/// A line of those who want to do something one after the other.
#[derive(Default)]
pub(crate) struct Turns {
    /// Closes when the last in the line is done.
    last: Mutex<Option<Receiver<()>>>,
}

/// A place in the line. Dropped, the next one has its turn.
pub(crate) struct Turn {
    before: Option<Receiver<()>>,
    _done: Sender<()>,
}

impl Turns {
    /// Takes the next place.
    pub(crate) fn take(&self) -> Turn {
        let (_done, done) = bounded(1);
        let before = self.last.lock().unwrap_or_else(PoisonError::into_inner).replace(done);
        Turn { before, _done }
    }
}

impl Turn {
    /// Waits until all who came before are done.
    pub(crate) async fn wait(&self) {
        if let Some(before) = &self.before {
            // an error is the sign: the sender is gone
            let _ = before.recv().await;
        }
    }
}
