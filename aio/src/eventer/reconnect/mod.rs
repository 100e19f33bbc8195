//! An event client that comes back after every outage: see [`reconnect`](crate::reconnect).

mod options;
mod task;

use std::fmt;
use std::time::Duration;

use bytestring::ByteString;

use super::{Client, ConnectError, Error, RequestError};
use crate::IntoAddress;
use crate::reconnect::{ClientKind, Kept, Shared, of_every_reconnecting};
use crate::runtime::Runtime;
use hat_core::eventer::{Event, QueryParams, QueryResult, RegisterEvent, Status, Subscription};
pub use options::{ReconnectOptions, StartError, StopReason, Update};
use task::EventerWork;

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
) -> Result<ReconnectingClient, StartError> {
    let subscription = Subscription::new(&options.client.subscriptions)?;
    let (address, name) = (address.into_address()?, name.into());
    let (shared, retry) = (Shared::new(options.while_disconnected), options.retry.clone());
    let work = EventerWork::new(address, name, subscription, options);
    Ok(ReconnectingClient { kept: Kept::start::<R>(shared, retry, work) })
}

/// The kind of client that comes back.
struct EventClient;

impl ClientKind for EventClient {
    type Client = Client;
    type Update = Update;
    type Failure = ConnectError;
    /// The server's status, as last told.
    type Known = Option<Status>;

    fn disconnected(reason: ConnectError, retry_in: Option<Duration>) -> Update {
        Update::Disconnected { reason, retry_in }
    }

    async fn close(client: Client) {
        client.close().await;
    }
}

/// A client that comes back after every outage. Cheap to clone; when the last clone is dropped, it
/// closes.
///
/// Its updates are to be taken with [`next`](Self::next): events that nobody takes stop the server,
/// and then the task that connects again. Updates on the connection alone never do: where they are
/// not taken, those that are out of date are left out.
#[derive(Clone)]
pub struct ReconnectingClient {
    kept: Kept<EventClient>,
}

of_every_reconnecting!(Client);

impl fmt::Debug for ReconnectingClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectingClient")
            .field("status", &self.status())
            .field("is_connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

impl ReconnectingClient {
    /// The server's status, as last told, by an earlier connection where there is none now;
    /// `standby` before the first.
    #[must_use]
    pub fn status(&self) -> Status {
        self.kept.known(|status| status.unwrap_or(Status::Standby))
    }

    /// As [`Client::register`], on the connection of now: see
    /// [`WhileDisconnected`](super::WhileDisconnected). `Ok` means
    /// that the events are queued on that connection, and no more: if it ends before they are
    /// written, they are lost, and [`Update`] tells only of the end.
    ///
    /// Cancel safe: dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn register(&self, events: &[RegisterEvent]) -> Result<(), RequestError> {
        self.to_ask().await?.register(events).await
    }

    /// As [`Client::register_with_response`], on the connection of now: see
    /// [`WhileDisconnected`](super::WhileDisconnected).
    ///
    /// # Errors
    ///
    /// [`RequestError`]. Where the connection ended, the events may be registered all the same.
    pub async fn register_with_response(
        &self,
        events: &[RegisterEvent],
    ) -> Result<Option<Vec<Event>>, RequestError> {
        self.to_ask().await?.register_with_response(events).await
    }

    /// As [`Client::query`], on the connection of now: see
    /// [`WhileDisconnected`](super::WhileDisconnected).
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn query(&self, params: impl Into<QueryParams>) -> Result<QueryResult, RequestError> {
        self.to_ask().await?.query(params).await
    }

    async fn to_ask(&self) -> Result<Client, RequestError> {
        self.kept.to_ask().await.ok_or(RequestError::NotConnected)
    }
}
