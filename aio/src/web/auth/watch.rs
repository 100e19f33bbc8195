//! WebSockets that were opened with a password: they end when it is not right any more.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};

use super::super::super::runtime::{Runtime, sleep};
use super::super::super::server::{Core, unless_closing};
use super::super::super::shared::Close;
use super::super::super::trace;
use super::super::super::wakers::WakerSet;
use super::super::options::Client;
use super::super::serve::Closer;
use super::{Auth, CHECK, Pass};

/// The WebSockets of one server, with what let them in.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: Vec<OpenConnection>,
    /// The task that looks, while there is nothing to look at.
    waiting: WakerSet,
}

#[derive(Debug)]
struct OpenConnection {
    connection: Weak<Closer>,
    client: Client,
    pass: Pass,
    /// The last look found the pass gone.
    gone: bool,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `client` was let in by `pass`.
    pub(super) fn opened(&self, connection: &Arc<Closer>, client: Client, pass: Pass) {
        let connection = Arc::downgrade(connection);
        let mut wake = Vec::new();
        {
            let mut state = self.lock();
            state.open.push(OpenConnection { connection, client, pass, gone: false });
            state.waiting.wake(&mut wake);
        }
        wake.into_iter().for_each(Waker::wake);
    }

    /// Waits until there is something to look at.
    async fn some(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            state.open.retain(|open| open.connection.strong_count() > 0);
            if !state.open.is_empty() {
                return Poll::Ready(());
            }
            state.waiting.add_task(cx);
            Poll::Pending
        })
        .await;
    }

    /// Ends the WebSockets whose pass is gone for the second time in a row: a program that writes
    /// the file anew may be in the middle of it.
    fn look(&self, valid: impl Fn(&Pass) -> bool) {
        let mut ended = Vec::new();
        {
            let mut state = self.lock();
            for open in std::mem::take(&mut state.open) {
                match (valid(&open.pass), open.gone) {
                    (false, true) => ended.push(open),
                    (valid, _) => state.open.push(OpenConnection { gone: !valid, ..open }),
                }
            }
        }
        // outside of the lock: a connection is not ours
        for OpenConnection { connection, client, .. } in ended {
            if let Some(connection) = connection.upgrade() {
                trace::user_gone(&client.address, client.user.as_deref());
                connection.close();
            }
        }
    }
}

impl Auth {
    /// Looks about once a second whether those who are in may still be, until the server closes and
    /// none of them is left.
    pub(in super::super) async fn watch<R: Runtime, C: Send + 'static>(
        &self,
        server: Arc<Core<C>>,
    ) {
        loop {
            let some = async {
                self.watch.some().await;
                sleep::<R>(CHECK).await;
            };
            if unless_closing(&server, some).await.is_none() {
                // connections that are not bound to the server live on
                sleep::<R>(CHECK).await;
                let mut state = self.watch.lock();
                state.open.retain(|open| open.connection.strong_count() > 0);
                if state.open.is_empty() {
                    return;
                }
            }
            self.refresh::<R>().await;
            // a file that cannot be read lets nobody in, and throws nobody out
            let Ok(users) = self.lock().file.clone() else { continue };
            self.watch.look(|pass| {
                users.find(pass.user.as_bytes()).is_some_and(|found| found == (&pass.hash, true))
            });
        }
    }
}
