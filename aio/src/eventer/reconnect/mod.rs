//! An event client that reconnects after every outage: see [`reconnect`](crate::reconnect).

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

/// Keeps a client connected to the event server at `address` as `name`: when a connection ends, it
/// opens another one with the same subscriptions. It does not wait for the first connection.
///
/// # Errors
///
/// [`StartError`]: no attempt could ever succeed.
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
    /// The server's last known status.
    type Known = Option<Status>;

    fn disconnected(reason: ConnectError, retry_in: Option<Duration>) -> Update {
        Update::Disconnected { reason, retry_in }
    }

    fn is_over(client: &Client) -> bool {
        client.end_reason().is_some()
    }

    fn known_of(client: &Client) -> Option<Option<Status>> {
        Some(Some(client.status()))
    }

    async fn close(client: Client) {
        client.close().await;
    }
}

/// A client that reconnects after every outage. Cheap to clone; when the last clone is dropped, it
/// closes.
///
/// Take its updates with [`next`](Self::next): events that are not taken stop the connection, and
/// then the task that reconnects. Updates about the connection never do: if they are not taken,
/// outdated ones are dropped.
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
    /// The server's last known status, possibly from an earlier connection; `standby` before the
    /// first one.
    #[must_use]
    pub fn status(&self) -> Status {
        self.kept.known(|status| status.unwrap_or(Status::Standby))
    }

    /// As [`Client::register`], on the present connection: see
    /// [`WhileDisconnected`](super::WhileDisconnected). `Ok` means only that the events are queued
    /// on that connection: if it ends before they are written, they are lost, and [`Update`]
    /// reports only the end.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn register(&self, events: &[RegisterEvent]) -> Result<(), RequestError> {
        self.to_ask().await?.register(events).await
    }

    /// As [`Client::register_with_response`], on the present connection: see
    /// [`WhileDisconnected`](super::WhileDisconnected).
    ///
    /// # Errors
    ///
    /// [`RequestError`]. If the connection ended, the events may be registered all the same.
    pub async fn register_with_response(
        &self,
        events: &[RegisterEvent],
    ) -> Result<Option<Vec<Event>>, RequestError> {
        self.to_ask().await?.register_with_response(events).await
    }

    /// As [`Client::query`], on the present connection: see
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
