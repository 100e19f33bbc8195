//! A connection that comes back after every outage: the other side's data are followed across them,
//! ours are told anew. See [`reconnect`](crate::reconnect).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{
    Call, CallError, ConnectOptions, Connection, PeerSession, Received, RpcConnection, connect,
};
use crate::handle::Handle;
use crate::juggler::StartError;
use crate::juggler::following::{ValueClient, hand_on, is_current, last_told, told_value};
use crate::juggler::{ConnectError, Error};
use crate::reconnect::{
    ClientKind, Kept, Outcome, Shared, WhileDisconnected, Work, of_every_reconnecting,
};
use crate::runtime::Runtime;
use crate::websocket::asking;
use crate::{Address, IntoAddress};
use hat_core::json::{SetError, Value};
use hat_core::juggler::State;
use hat_core::options::More;
use hat_core::retry::RetryConfig;

/// How a connection is made, and how it comes back.
#[derive(Clone, Debug, Default)]
pub struct ReconnectOptions {
    /// Each connection. With [`every_change`](ConnectOptions::every_change), each change of the
    /// other side's data is an [`Update`], and none is left out.
    pub client: ConnectOptions,
    /// Messages are also calls, both ways, as [`RpcConnection`] has them. Default: off.
    pub calls: bool,
    /// When to try again, and when to give up.
    pub retry: RetryConfig,
    /// What messages and calls of ours do while there is no connection.
    pub while_disconnected: WhileDisconnected,
    #[doc(hidden)]
    pub more: More,
}

/// What a [`ReconnectingClient`] is told.
#[derive(Debug)]
#[non_exhaustive]
pub enum Update {
    /// There is a connection, and our data are told on it. What the other side's are, it tells
    /// next; one whose data are `null` tells nothing.
    Connected,
    /// The other side's data have changed, or are told for the first time on this connection: the
    /// whole of them. Where nobody takes them, newer ones take the place of older ones.
    Data(Value),
    /// A message of the other side. What it sent while there was no connection is not known.
    Message(Value),
    /// The other side calls an action of ours: with [`calls`](ReconnectOptions::calls).
    Call(Call),
    /// There is no connection: it ended, or could not be established.
    Disconnected {
        /// Why.
        reason: ConnectError,
        /// The delay before the next attempt; `None` if there will be none.
        retry_in: Option<Duration>,
    },
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
    let ReconnectOptions { client, calls, retry, while_disconnected, more: _ } = options;
    let local = Arc::new(Local::default());
    let work = PeerWork { address, options: client, calls, local: local.clone() };
    let kept = Kept::start::<R>(Shared::new(while_disconnected), retry, work);
    Ok(ReconnectingClient { kept, local, calls })
}

/// A client that reconnects after every outage. Cheap to clone; when the last clone is dropped, it
/// closes.
///
/// Its updates are to be taken with [`next`](Self::next): messages and calls that nobody takes stop
/// the other side, and then the task that connects again. Updates on the connection and the data
/// never do: where they are not taken, those that are out of date are left out.
#[derive(Clone)]
pub struct ReconnectingClient {
    kept: Kept<Peer>,
    local: Arc<Local>,
    calls: bool,
}

of_every_reconnecting!(Connection);

impl fmt::Debug for ReconnectingClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectingClient")
            .field("is_connected", &self.is_connected())
            .field("is_current", &self.is_current())
            .finish_non_exhaustive()
    }
}

/// Our data, whatever connection there is. While it is locked, no connection is made or told.
#[derive(Debug, Default)]
struct Local(Mutex<State>);

impl Local {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReconnectingClient {
    /// Our data.
    #[must_use]
    pub fn local_data(&self) -> Value {
        self.local.lock().value().clone()
    }

    /// Replaces our data, on this connection and on all that come: see
    /// [`Connection::set_local_data`].
    ///
    /// # Errors
    ///
    /// [`SetError`]: the data are beyond the limits of a [`State`]; nothing has changed.
    pub fn set_local_data(&self, data: impl Into<Value>) -> Result<(), SetError> {
        self.change(|state| state.replace(data))
    }

    /// Changes our data, on this connection and on all that come. Nothing else can be done with the
    /// client meanwhile: `change` must not come back to it.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut local = self.local.lock();
        let changed = change(&mut local);
        if let Some(connection) = self.kept.client() {
            // within the limits that they were held to just now
            let _ = connection.set_local_data(local.value().clone());
        }
        changed
    }

    /// The other side's data, as last told: by an earlier connection, where that of now has told
    /// none yet or there is none, which [`is_current`](Self::is_current) says; `null` before the
    /// first.
    #[must_use]
    pub fn remote_data(&self) -> Value {
        last_told(&self.kept)
    }

    /// Whether [`remote_data`](Self::remote_data) are what the other side says on the connection of
    /// now.
    #[must_use]
    pub fn is_current(&self) -> bool {
        is_current(&self.kept)
    }

    /// As [`Connection::send`], on the present connection: see
    /// [`WhileDisconnected`](crate::juggler::WhileDisconnected).
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn send(&self, message: &Value) -> Result<(), CallError> {
        self.to_ask().await?.send(message).await
    }

    /// As [`RpcConnection::call`], on the present connection: see
    /// [`WhileDisconnected`](crate::juggler::WhileDisconnected). Where the connection ends before
    /// the result comes, it fails, and is not called again: what was asked may be done all the
    /// same.
    ///
    /// # Errors
    ///
    /// [`CallError`]; [`NoCalls`](CallError::NoCalls) without
    /// [`calls`](ReconnectOptions::calls).
    pub async fn call(&self, action: &str, args: &[Value]) -> Result<Value, CallError> {
        if !self.calls {
            return Err(CallError::NoCalls);
        }
        RpcConnection::new(self.to_ask().await?).call(action, args).await
    }

    async fn to_ask(&self) -> Result<Connection, CallError> {
        self.kept.to_ask().await.ok_or(CallError::NotConnected)
    }
}

/// The kind of client that comes back.
struct Peer;

impl ClientKind for Peer {
    type Client = Connection;
    type Update = Update;
    type Failure = ConnectError;
    /// The other side's data, as last told by a connection that is over.
    type Known = Value;

    fn disconnected(reason: ConnectError, retry_in: Option<Duration>) -> Update {
        Update::Disconnected { reason, retry_in }
    }

    fn is_over(connection: &Connection) -> bool {
        connection.end_reason().is_some()
    }

    fn known_of(connection: &Connection) -> Option<Value> {
        told_value(&connection.handle)
    }

    async fn close(connection: Connection) {
        connection.close().await;
    }
}

impl ValueClient for Peer {
    type Session = PeerSession;

    fn handle(connection: &Connection) -> &Handle<PeerSession> {
        &connection.handle
    }

    fn changed(value: Value) -> Update {
        Update::Data(value)
    }

    fn is_changed(update: &Update) -> bool {
        matches!(update, Update::Data(_))
    }

    fn is_connected(update: &Update) -> bool {
        matches!(update, Update::Connected)
    }
}

struct PeerWork {
    address: Address,
    options: ConnectOptions,
    calls: bool,
    local: Arc<Local>,
}

impl Work<Peer> for PeerWork {
    async fn one_connection<R: Runtime>(
        &mut self,
        shared: &Arc<Shared<Peer>>,
    ) -> (Outcome, ConnectError) {
        let connection = match connect::<R>(self.address.clone(), self.options.clone()).await {
            Ok(connection) => connection,
            Err(error) => return (error.ended(), error),
        };
        if self.calls {
            drop(RpcConnection::new(connection.clone()));
        }
        let since = R::now();
        self.tell_local(shared, &connection);
        shared.tell_connection(Update::Connected);
        let other = |got| match got {
            Received::Message(message) => Update::Message(message),
            Received::Call(request, action, args) => {
                let handle = connection.handle.clone();
                Update::Call(Call { action, args, handle, request: Some(request) })
            }
        };
        let got = |session: &mut PeerSession| session.inbox.pop();
        let every_change = self.options.every_change;
        let error = hand_on(shared, &connection, every_change, got, other).await;
        (Outcome::Lost { since }, error.into())
    }
}

impl PeerWork {
    /// Tells our data on `connection`, on which they are changed from now on.
    fn tell_local(&self, shared: &Shared<Peer>, connection: &Connection) {
        let local = self.local.lock();
        if !local.value().is_null() {
            // within the limits that they were held to when they were set
            let _ = connection.set_local_data(local.value().clone());
        }
        shared.set_client(connection.clone());
    }
}
