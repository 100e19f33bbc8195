//! Clients that reconnect after every outage, for every protocol.
//!
//! ```text
//! application <──Update── queue <── task ──> one connection after the other
//!      └──── calls ─────────────────────────────^
//! ```

mod options;
mod shared;
mod task;

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

pub use options::{StopReason, WhileDisconnected};
pub(crate) use shared::Shared;
pub(crate) use task::{Either, Outcome, Work, first};

use crate::runtime::Runtime;
use hat_core::retry::{Retry, RetryConfig};

/// A kind of client that comes back.
pub(crate) trait ClientKind: Sized + Send + Sync + 'static {
    /// The handle of one connection.
    type Client: Clone + Send;
    /// What the application is told.
    type Update: Send;
    /// Why a connection could not be established.
    type Failure: Clone + Send;
    /// What is known of the server, even while there is no connection.
    type Known: Default + Send;

    /// There is no connection, and the next try is made in so long, if there will be one.
    fn disconnected(reason: Self::Failure, retry_in: Option<Duration>) -> Self::Update;

    /// Whether a connection has ended: what it has told may still wait to be handed on.
    fn is_over(client: &Self::Client) -> bool;

    /// What a connection knows of the server, if anything.
    fn known_of(client: &Self::Client) -> Option<Self::Known>;

    /// Closes a connection, and waits until that is done.
    fn close(client: Self::Client) -> impl Future<Output = ()> + Send;
}

/// The handles' end of a client that comes back. When the last clone is dropped, it closes.
pub(crate) struct Kept<K: ClientKind> {
    shared: Arc<Shared<K>>,
    _close: Arc<CloseOnDrop<K>>,
}

impl<K: ClientKind> Kept<K> {
    /// Starts the task that does `work`.
    pub(crate) fn start<R: Runtime>(
        shared: Shared<K>,
        retry: RetryConfig,
        work: impl Work<K>,
    ) -> Self {
        let shared = Arc::new(shared);
        let retry = Retry::new(retry, R::seed());
        R::spawn(task::Task::new(shared.clone(), retry, work).run::<R>());
        Self { _close: Arc::new(CloseOnDrop(shared.clone())), shared }
    }
}

impl<K: ClientKind> Clone for Kept<K> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone(), _close: self._close.clone() }
    }
}

impl<K: ClientKind> Deref for Kept<K> {
    type Target = Shared<K>;

    fn deref(&self) -> &Shared<K> {
        &self.shared
    }
}

impl<K: ClientKind> fmt::Debug for Kept<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.live().is_some();
        f.debug_struct("Kept").field("is_connected", &connected).finish_non_exhaustive()
    }
}

struct CloseOnDrop<K: ClientKind>(Arc<Shared<K>>);

impl<K: ClientKind> Drop for CloseOnDrop<K> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What every client that comes back has, and its stream of updates: for a module with `Update`,
/// `StopReason`, `Error`, and `ReconnectingClient` that has a `kept`, whose connections are
/// `$client`.
macro_rules! of_every_reconnecting {
    ($client:ty) => {
        impl ReconnectingClient {
            /// What there is to know next. Cancel safe.
            ///
            /// # Errors
            ///
            /// Why the client is over, once all that came before is taken.
            pub async fn next(&self) -> Result<Update, StopReason> {
                self.kept.next().await
            }

            /// All that [`next`](Self::next) gives, as a stream. It ends when the client does.
            #[must_use]
            pub fn updates(&self) -> UpdateStream {
                UpdateStream { client: self.clone() }
            }

            /// Whether there is a connection.
            #[must_use]
            pub fn is_connected(&self) -> bool {
                self.kept.live().is_some()
            }

            /// The connection of now; waits for one, if there is none. What it receives is not
            /// there to be taken: it comes as updates. Where one has ended and updates wait to be
            /// taken before another is made, that one is given. Cancel safe.
            ///
            /// # Errors
            ///
            /// Why the client is over.
            pub async fn connected(&self) -> Result<$client, StopReason> {
                self.kept.connected().await
            }

            /// Waits until all that was sent up to now on the connection of now is with the
            /// system; ready at once where there is none, for nothing is kept for a later one. A
            /// program that sends and ends calls it, or [`close`](Self::close), before it does.
            ///
            /// Cancel safe.
            ///
            /// # Errors
            ///
            /// Why that connection is over: what was sent on it may not have arrived.
            pub async fn drain(&self) -> Result<(), Error> {
                match self.kept.client() {
                    Some(client) => client.drain().await,
                    None => Ok(()),
                }
            }

            /// Closes the connection, if there is one, and makes no other. Gives the reason why
            /// the client is over once all of it is gone.
            ///
            /// Cancel safe: the closing goes on when this is dropped.
            pub async fn close(&self) -> StopReason {
                self.kept.close();
                self.closed().await
            }

            /// Waits until the client is over, and says why. Cancel safe.
            pub async fn closed(&self) -> StopReason {
                self.kept.stopped().await
            }
        }

        /// What a [`ReconnectingClient`] is told, as a stream.
        #[derive(Debug)]
        pub struct UpdateStream {
            client: ReconnectingClient,
        }

        impl futures_core::Stream for UpdateStream {
            type Item = Update;

            fn poll_next(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Update>> {
                self.client.kept.poll_next(cx).map(Result::ok)
            }
        }
    };
}
pub(crate) use of_every_reconnecting;
