//! Juggler 0.5 on any runtime: two peers with data, messages and calls both ways. See
//! [`hat_core::juggler::peer`] for the protocol, and [`hat_core::juggler::rpc`] for calls, which
//! are there for who asks for them: [`RpcConnection`].

mod call;
mod reconnect;
mod rpc;
#[cfg(feature = "web")]
mod server;

#[cfg(feature = "web")]
use std::sync::Arc;
use std::task::Waker;

use bytestring::ByteString;

use super::awaited::Awaited;
use super::changes::Changes;
use super::following::{self, SeenChanges, ValueSession};
use super::{Answer, ConnectError, Error, WsOptions, weight};
use crate::IntoAddress;
use crate::handle::Handle;
use crate::handle::of_every_connection;
use crate::inbox::{Inbox, InboxLimits};
use crate::pending::{PendingRequests, Requests, WAITING};
use crate::runtime::{Runtime, Stream};
use crate::shared::{ConnectionSlot, Delivered, Session, Wait};
#[cfg(feature = "web")]
use crate::web::Client;
use crate::websocket::{Opening, connect_as, connect_as_on, established};
pub use call::Call;
use hat_core::json::{Array, SetError, Value};
use hat_core::juggler::peer::Message;
use hat_core::juggler::rpc::{CallId, Config, Connection as Machine, Incoming, RequestId};
use hat_core::juggler::{SendFault, State};
use hat_core::options::More;
use hat_core::ws::{self, Agreement};
pub use reconnect::{
    ReconnectOptions, ReconnectingClient, StopReason, Update, UpdateStream, keep_connected,
};
pub use rpc::{MessageOrCall, RpcConnection};
#[cfg(feature = "web")]
pub use server::{ListenOptions, Server, listen, upgrade};

/// Options of a connection.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// How it asks for its WebSocket.
    pub ws: WsOptions,
    /// The protocol: the delay of data, limits.
    pub config: Config,
    /// Limits of what may wait for [`Connection::receive`]. At a limit nothing more is read.
    pub inbox: InboxLimits,
    /// Every change of the other side's data is kept for [`Connection::next_change`] from the
    /// beginning, and nothing more is read while as many wait as `inbox` allows. Default: off; they
    /// are kept from the first call of it on.
    pub every_change: bool,
    #[doc(hidden)]
    pub more: More,
}

/// Why a call has no result.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It was not sent: a failure of our own.
    #[error(transparent)]
    Refused(#[from] SendFault),
    /// The other side says that it failed, and why.
    #[error("the peer reports a failure: {0}")]
    Failed(Value),
    /// The connection ended before the result came.
    #[error(transparent)]
    Ended(#[from] Error),
    /// There is no connection at present, or the client has stopped: see [`ReconnectingClient`].
    #[error("there is no connection to the peer")]
    NotConnected,
    /// A client that was to come back without [`calls`](ReconnectOptions::calls).
    #[error("calls are not enabled: set `ReconnectOptions::calls`")]
    NoCalls,
}

/// Connects to the server at `address`, and waits until it takes the WebSocket.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect<R: Runtime>(
    address: impl IntoAddress,
    options: ConnectOptions,
) -> Result<Connection, ConnectError> {
    let ConnectOptions { ws, config, inbox, every_change, more: _ } = options;
    let session = |ws| PeerSession::new(ws, config, inbox, every_change);
    Ok(Connection::new(connect_as::<R, _>(address, ws, session).await?))
}

/// As [`connect`], over a stream that there is already: see [`IoStream`](crate::IoStream). Where it
/// is to be TLS, it is that already; of `options.ws`, `tls` and `socket` are not used.
///
/// # Errors
///
/// [`ConnectError`].
pub async fn connect_on<R: Runtime>(
    stream: impl Stream,
    options: ConnectOptions,
) -> Result<Connection, ConnectError> {
    let ConnectOptions { ws, config, inbox, every_change, more: _ } = options;
    let session = |ws| PeerSession::new(ws, config, inbox, every_change);
    Ok(Connection::new(connect_as_on::<R, _>(stream, ws, session).await?))
}

/// The server's end of a WebSocket whose handshake is done, which another HTTP server took: of the
/// stream that [`upgrade`] gives, or of any other. `agreement` is what its answer said, nothing by
/// default. Of `options.ws`, only `config` is used.
///
/// # Errors
///
/// That of the stream, where it does not know its addresses.
pub fn accept<R: Runtime>(
    stream: impl Stream,
    options: ConnectOptions,
    agreement: Agreement,
) -> std::io::Result<Connection> {
    let ConnectOptions { ws, config, inbox, every_change, more: _ } = options;
    let session = |now| {
        let ws = established(ws.config, agreement.deflate, now);
        PeerSession::new(ws, config, inbox, every_change)
    };
    Ok(Connection::new(Handle::start::<R>(stream, session, ConnectionSlot::nowhere())?))
}

/// One end of a connection. Cheap to clone; when the last clone is dropped, the connection closes.
#[derive(Clone, Debug)]
pub struct Connection {
    handle: Handle<PeerSession>,
    /// On a server's side.
    #[cfg(feature = "web")]
    client: Option<Arc<Client>>,
    /// Changes of the other side's data that this handle has seen.
    seen: SeenChanges,
}

struct PeerSession {
    machine: Machine,
    /// The WebSocket is there.
    open: bool,
    /// Changes of the other side's data so far.
    changes: Changes,
    inbox: Inbox<Received>,
    answers: PendingRequests<CallId, Answer>,
    awaited: Awaited,
}

enum Received {
    Message(Value),
    Call(RequestId, ByteString, Array),
}

impl PeerSession {
    fn new(ws: ws::Connection, config: Config, inbox: InboxLimits, every_change: bool) -> Self {
        Self {
            // nobody has asked for calls yet
            machine: Machine::new(ws, Config { plain: true, ..config }),
            open: false,
            changes: Changes::new(every_change, inbox),
            inbox: Inbox::new(inbox),
            answers: PendingRequests::new(),
            awaited: Awaited::default(),
        }
    }
}

impl Session for PeerSession {
    type Protocol = Machine;

    const NAME: &'static str = "juggler peer";

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        let times = if self.machine.open_calls() > 0 { WAITING } else { 1 };
        // nothing more is given once either side has closed: the end must not wait for who takes
        // what came before
        !self.machine.peer().is_open()
            || (self.inbox.has_room_times(times) && self.changes.has_room())
    }

    fn caught_up(&mut self) -> bool {
        self.awaited.is_over(self.machine.peer().is_behind())
    }

    fn rest(&mut self) {
        self.inbox.rest();
    }

    fn deliver(&mut self, incoming: Incoming, _memory: usize) -> Delivered {
        match incoming {
            Incoming::Open(_) => self.open = true,
            // the web server did the handshake
            Incoming::Upgrade(_) => return Delivered::Nothing,
            Incoming::Data => {
                let peer = self.machine.peer();
                self.changes.push(peer.remote_data(), peer.remote_change_size());
            }
            Incoming::Message { payload, size } => {
                let weight = weight(size, &payload);
                self.inbox.push(Received::Message(payload), weight);
            }
            Incoming::Call { request, action, args, size } => {
                let weight = weight(size, &Value::Array(args.clone()));
                self.inbox.push(Received::Call(request, action, args), weight);
            }
            Incoming::Returned { call, result, .. } => return self.answers.answer(call, result),
        }
        Delivered::Inbox
    }

    fn ended(&mut self, wake: &mut Vec<Waker>) {
        self.answers.ended(wake);
    }
}

impl Opening for PeerSession {
    fn is_open(&self) -> bool {
        self.open
    }
}

impl ValueSession for PeerSession {
    fn changes(&mut self) -> &mut Changes {
        &mut self.changes
    }

    fn value(&self) -> &Value {
        self.machine.peer().remote_data()
    }
}

impl Requests for PeerSession {
    type Id = CallId;
    type Answer = Answer;

    fn answers(&mut self) -> &mut PendingRequests<CallId, Answer> {
        &mut self.answers
    }

    fn forget(&mut self, id: CallId) {
        self.machine.forget(id);
    }
}

impl Connection {
    fn new(handle: Handle<PeerSession>) -> Self {
        Self {
            handle,
            #[cfg(feature = "web")]
            client: None,
            seen: SeenChanges::default(),
        }
    }

    /// Who the client is, on a server's side.
    #[cfg(feature = "web")]
    #[must_use]
    pub fn client(&self) -> Option<&Client> {
        self.client.as_deref()
    }

    /// Our data, changes that were not sent included.
    #[must_use]
    pub fn local_data(&self) -> Value {
        self.handle.look(|session| session.machine.peer().local_data().clone())
    }

    /// Replaces our data. The other side is told after the delay, and only what differs.
    ///
    /// # Errors
    ///
    /// [`SetError`]: the data are beyond the limits of a [`State`]; nothing has changed.
    pub fn set_local_data(&self, data: impl Into<Value>) -> Result<(), SetError> {
        self.change(|state| state.replace(data))
    }

    /// Changes our data, which costs less than to replace them. Nothing else can be done with the
    /// connection meanwhile: `change` must not come back to it.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.handle.call(|session| session.machine.peer_mut().change(change))
    }

    /// Sends what has changed in our data, and waits until it is on its way.
    ///
    /// Cancel safe: what is queued is sent all the same.
    ///
    /// # Errors
    ///
    /// Why the connection ended.
    pub async fn flush(&self) -> Result<(), Error> {
        if self.handle.look(|session| !session.machine.peer().is_open()) {
            // nothing is sent any more
            return Err(self.handle.ended().await);
        }
        // without room in the queue, it is told as soon as there is some
        let _ = self.handle.call(|session| session.machine.peer_mut().flush());
        let told =
            |session: &mut PeerSession| session.awaited.poll(session.machine.peer().is_behind());
        self.handle.wait(Wait::Outgoing, told).await?;
        self.handle.drain().await
    }

    /// The other side's data, as far as we were told; `null` in the beginning. It costs nothing:
    /// the value is shared.
    #[must_use]
    pub fn remote_data(&self) -> Value {
        self.handle.look(|session| session.machine.peer().remote_data().clone())
    }

    /// Waits for a change of the other side's data that this handle has not seen yet, and gives the
    /// newest: who is slow misses what was between. A clone sees what its original has not. Cancel
    /// safe.
    ///
    /// # Errors
    ///
    /// Why the connection ended.
    pub async fn changed(&self) -> Result<Value, Error> {
        self.seen.changed(&self.handle).await
    }

    /// The other side's data after its next change: each change once, in order. Who is slow holds
    /// up what is read. Several callers share the changes. With
    /// [`every_change`](ConnectOptions::every_change), from the beginning of the connection on;
    /// else from the first call on. Cancel safe.
    ///
    /// # Errors
    /// Why the connection ended, after everything that arrived before has been returned.
    pub async fn next_change(&self) -> Result<Value, Error> {
        following::next_change(&self.handle).await
    }

    /// Sends a message; waits while 256 KiB are queued.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn send(&self, message: &Value) -> Result<(), CallError> {
        let message = Message::new(message);
        Ok(self.handle.send(|session| session.machine.peer_mut().send(&message)).await??)
    }

    /// The next message of the other side, whatever it says: one that is a call of `hat-juggler`'s
    /// RPC too, unless an [`RpcConnection`] was asked for. Cancel safe.
    ///
    /// # Errors
    /// Why the connection ended, after everything that arrived before has been returned.
    pub async fn receive(&self) -> Result<Value, Error> {
        let message = |got: &Received| match got {
            Received::Message(message) => Some(message.clone()),
            Received::Call(..) => None,
        };
        self.handle.wait(Wait::Incoming, |session| session.inbox.pop_first(message)).await
    }

    of_every_connection!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use hat_core::time::Instant;

    /// An empty list has two bytes on the wire, and a hundred here.
    #[test]
    fn what_waits_counts_as_what_it_takes_in_memory() {
        let ws = ws::Connection::established(ws::Role::Client, Default::default(), Instant::ORIGIN);
        let inbox = InboxLimits::new(1024, 100_000);
        let mut session = PeerSession::new(ws, Config::default(), inbox, false);
        let text = format!("[{}0]", "[],".repeat(500));
        let payload = Value::parse(&text, &Default::default()).expect("JSON");
        let waiting = std::iter::repeat_with(|| {
            let payload = payload.clone();
            session.deliver(Incoming::Message { payload, size: text.len() }, 0);
            session.has_room()
        });
        assert_eq!(waiting.take(100).take_while(|has_room| *has_room).count(), 2);
    }
}
