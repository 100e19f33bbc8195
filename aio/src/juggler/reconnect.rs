//! A client that comes back after every outage, and follows the server's state across them: see
//! [`reconnect`](crate::reconnect).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::client::ClientSession;
use super::following::{ValueClient, hand_on, is_current, last_told, told_value};
use super::{Client, ConnectError, ConnectOptions, Error, Notice, RequestError, connect};
use crate::address::AddressError;
use crate::handle::Handle;
use crate::reconnect::{
    ClientKind, Kept, Outcome, Shared, WhileDisconnected, Work, of_every_reconnecting,
};
use crate::runtime::Runtime;
use crate::websocket::asking;
use crate::{Address, IntoAddress};
use hat_core::json::Value;
use hat_core::options::More;
use hat_core::retry::RetryConfig;
use hat_core::ws;

/// How a client is made, and how it comes back.
#[derive(Clone, Debug, Default)]
pub struct ReconnectOptions {
    /// Each connection. With [`every_change`](ConnectOptions::every_change), each change of the
    /// state is an [`Update`], and none is left out.
    pub client: ConnectOptions,
    /// When to try again, and when to give up.
    pub retry: RetryConfig,
    /// What happens to requests while there is no connection.
    pub while_disconnected: WhileDisconnected,
    #[doc(hidden)]
    pub more: More,
}

/// What a [`ReconnectingClient`] is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Update {
    /// There is a connection. What the server's state is, it tells next; a server whose state is
    /// `null` tells nothing.
    Connected,
    /// The server's state has changed, or it is told for the first time on this connection: the
    /// whole of it. Where nobody takes them, a newer one takes the place of an older one.
    State(Value),
    /// The server notifies. What it notified of while there was no connection is not known.
    Notified(Notice),
    /// There is no connection: it ended, or could not be established.
    Disconnected {
        /// Why.
        reason: ConnectError,
        /// The delay before the next attempt; `None` if there will be none.
        retry_in: Option<Duration>,
    },
}

/// Why a [`ReconnectingClient`] cannot even begin.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The given value is not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The request for the WebSocket cannot be written.
    #[error("the request for the WebSocket cannot be sent: {0}")]
    Request(#[from] ws::RequestError),
}

/// Why a [`ReconnectingClient`] is over.
pub type StopReason = crate::reconnect::StopReason<ConnectError>;

/// Keeps a client connected to the server at `address`: when a connection ends, another one is
/// made. It does not wait for the first one.
///
/// # Errors
///
/// [`StartError`]: no attempt could ever succeed.
pub async fn keep_connected<R: Runtime>(
    address: impl IntoAddress,
    options: ReconnectOptions,
) -> Result<ReconnectingClient, StartError> {
    let address = address.into_address()?;
    asking::<R>(options.client.ws.clone(), &address.authority(), address.url_path())?;
    let ReconnectOptions { client, retry, while_disconnected, more: _ } = options;
    let work = ClientWork { address, options: client };
    Ok(ReconnectingClient { kept: Kept::start::<R>(Shared::new(while_disconnected), retry, work) })
}

/// A client that reconnects after every outage. Cheap to clone; when the last clone is dropped, it
/// closes.
///
/// Its updates are to be taken with [`next`](Self::next): notifications that nobody takes stop the
/// server, and then the task that connects again. Updates on the connection and the state never do:
/// where they are not taken, those that are out of date are left out.
#[derive(Clone)]
pub struct ReconnectingClient {
    kept: Kept<JugglerClient>,
}

of_every_reconnecting!(Client);

impl fmt::Debug for ReconnectingClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectingClient")
            .field("is_connected", &self.is_connected())
            .field("is_current", &self.is_current())
            .finish_non_exhaustive()
    }
}

impl ReconnectingClient {
    /// The server's state, as last told: by an earlier connection, where that of now has told none
    /// yet or there is none, which [`is_current`](Self::is_current) says; `null` before the first.
    /// It costs nothing: the value is shared.
    #[must_use]
    pub fn state(&self) -> Value {
        last_told(&self.kept)
    }

    /// Whether [`state`](Self::state) is what the server says on the connection of now.
    #[must_use]
    pub fn is_current(&self) -> bool {
        is_current(&self.kept)
    }

    /// As [`Client::send`], on the present connection: see
    /// [`WhileDisconnected`](super::WhileDisconnected). Where the connection ends before the answer
    /// comes, it fails, and is not sent again: what was asked may be done all the same.
    ///
    /// # Errors
    ///
    /// [`RequestError`].
    pub async fn send(&self, name: &str, data: &Value) -> Result<Value, RequestError> {
        let client = self.kept.to_ask().await.ok_or(RequestError::NotConnected)?;
        client.send(name, data).await
    }
}

/// The kind of client that comes back.
struct JugglerClient;

impl ClientKind for JugglerClient {
    type Client = Client;
    type Update = Update;
    type Failure = ConnectError;
    /// The server's state, as last told by a connection that is over.
    type Known = Value;

    fn disconnected(reason: ConnectError, retry_in: Option<Duration>) -> Update {
        Update::Disconnected { reason, retry_in }
    }

    fn is_over(client: &Client) -> bool {
        client.end_reason().is_some()
    }

    fn known_of(client: &Client) -> Option<Value> {
        told_value(&client.handle)
    }

    async fn close(client: Client) {
        client.close().await;
    }
}

impl ValueClient for JugglerClient {
    type Session = ClientSession;

    fn handle(client: &Client) -> &Handle<ClientSession> {
        &client.handle
    }

    fn changed(value: Value) -> Update {
        Update::State(value)
    }

    fn is_changed(update: &Update) -> bool {
        matches!(update, Update::State(_))
    }

    fn is_connected(update: &Update) -> bool {
        matches!(update, Update::Connected)
    }
}

struct ClientWork {
    address: Address,
    options: ConnectOptions,
}

impl Work<JugglerClient> for ClientWork {
    async fn one_connection<R: Runtime>(
        &mut self,
        shared: &Arc<Shared<JugglerClient>>,
    ) -> (Outcome, ConnectError) {
        let client = match connect::<R>(self.address.clone(), self.options.clone()).await {
            Ok(client) => client,
            Err(error) => return (error.ended(), error),
        };
        let since = R::now();
        shared.set_client(client.clone());
        shared.tell_connection(Update::Connected);
        let notified = |session: &mut ClientSession| session.inbox.pop();
        let every_change = self.options.every_change;
        let error = hand_on(shared, &client, every_change, notified, Update::Notified).await;
        (Outcome::Lost { since }, error.into())
    }
}
