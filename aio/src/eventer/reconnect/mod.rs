//! A client that comes back after every outage.
//!
//! ```text
//! application <──Update── queue <── task ──> Client, one after the other
//!      └──── register, query ───────────────────^
//! ```

mod options;
mod shared;
mod task;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytestring::ByteString;

use super::{Client, Error, RequestError};
use crate::IntoAddress;
use crate::runtime::Runtime;
use hat_core::eventer::{Event, QueryParams, QueryResult, RegisterEvent, Status, Subscription};
pub use options::{ReconnectOptions, StartError, Stopped, Update, WhileDisconnected};
use shared::Shared;
use task::Task;

/// Keeps a client connected to the event server at `address` as `name`: when a connection ends,
/// another one is made, with the same subscriptions. It does not wait for the first one.
///
/// # Errors
///
/// [`StartError`]: no try would ever succeed.
pub async fn keep_connected<R: Runtime>(
    address: impl IntoAddress,
    name: impl Into<ByteString>,
    options: ReconnectOptions,
) -> Result<Reconnecting, StartError> {
    let subscription = Subscription::new(&options.client.subscriptions)?;
    let shared = Arc::new(Shared::new(options.while_disconnected));
    let (address, name) = (address.into_address()?, name.into());
    let task = Task::new(shared.clone(), address, name, subscription, options, R::seed());
    R::spawn(task.run::<R>());
    Ok(Reconnecting { _close: Arc::new(CloseOnDrop(shared.clone())), shared })
}

/// A client that comes back after every outage. Cheap to clone; when the last clone is dropped, it
/// closes.
///
/// Its updates are to be taken with [`next`](Self::next): events that nobody takes stop the server,
/// and then the task that connects again. Updates on the connection alone never do: where they are
/// not taken, those that are out of date are left out.
#[derive(Clone)]
pub struct Reconnecting {
    shared: Arc<Shared>,
    _close: Arc<CloseOnDrop>,
}

impl fmt::Debug for Reconnecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnecting")
            .field("status", &self.status())
            .field("is_connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

struct CloseOnDrop(Arc<Shared>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Reconnecting {
    /// What there is to know next. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the client is over, once all that came before is taken.
    pub async fn next(&self) -> Result<Update, Stopped> {
        self.shared.next().await
    }

    /// All that [`next`](Self::next) gives, as a stream. It ends when the client does.
    #[must_use]
    pub fn updates(&self) -> UpdateStream {
        UpdateStream { client: self.clone() }
    }

    /// The server's status, as last told, by an earlier connection where there is none now;
    /// `standby` before the first.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared.client().is_some()
    }

    /// The connection of now; waits for one, if there is none. Its notifications are not there to
    /// be taken: they come as updates. Cancel safe.
    ///
    /// # Errors
    ///
    /// Why the client is over.
    pub async fn connected(&self) -> Result<Client, Stopped> {
        self.shared.connected().await
    }

    /// As [`Client::register`], on the connection of now: see [`WhileDisconnected`]. `Ok` means
    /// that the events are queued on that connection, and no more: if it ends before they are
    /// written, they are lost, and [`Update`] tells only of the end.
    ///
    /// Cancel safe: dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn register(&self, events: &[RegisterEvent]) -> Result<(), RequestError> {
        self.shared.to_ask().await?.register(events).await
    }

    /// As [`Client::register_with_response`], on the connection of now: see [`WhileDisconnected`].
    ///
    /// # Errors
    ///
    /// [`RequestError`]. Where the connection ended, the events may be registered all the same.
    pub async fn register_with_response(
        &self,
        events: &[RegisterEvent],
    ) -> Result<Option<Vec<Event>>, RequestError> {
        self.shared.to_ask().await?.register_with_response(events).await
    }

    /// As [`Client::query`], on the connection of now: see [`WhileDisconnected`].
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn query(&self, params: impl Into<QueryParams>) -> Result<QueryResult, RequestError> {
        self.shared.to_ask().await?.query(params).await
    }

    /// Waits until all that was sent up to now on the connection of now is with the system; ready
    /// at once where there is none, for nothing is kept for a later one. A program that registers
    /// and ends calls it, or [`close`](Self::close), before it does.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Why that connection is over: what was sent on it may not have arrived.
    pub async fn drain(&self) -> Result<(), Error> {
        match self.shared.client() {
            Some(client) => client.drain().await,
            None => Ok(()),
        }
    }

    /// Closes the connection, if there is one, and makes no other. Gives the reason why the client
    /// is over once all of it is gone.
    ///
    /// Cancel safe: the closing goes on when this is dropped.
    pub async fn close(&self) -> Stopped {
        self.shared.close();
        self.closed().await
    }

    /// Waits until the client is over, and says why. Cancel safe.
    pub async fn closed(&self) -> Stopped {
        self.shared.stopped().await
    }
}

/// What a [`Reconnecting`] client is told, as a stream.
#[derive(Debug)]
pub struct UpdateStream {
    client: Reconnecting,
}

impl futures_core::Stream for UpdateStream {
    type Item = Update;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Update>> {
        let next = std::pin::pin!(self.client.shared.next());
        next.poll(cx).map(Result::ok)
    }
}
