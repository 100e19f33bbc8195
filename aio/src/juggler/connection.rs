use std::sync::Arc;
use std::task::Waker;

use bytestring::ByteString;

use super::awaited::Awaited;
use super::shared::SharedState;
use super::{Error, cut, weight};
use crate::ConnectionId;
use crate::handle::Handle;
use crate::handle::of_every_connection;
use crate::inbox::Inbox;
use crate::shared::{Delivered, Session, Wait};
use crate::web;
use hat_core::json::Value;
use hat_core::juggler::server::{Connection as Machine, Incoming, RequestId};
use hat_core::juggler::{Notification, SendFault, State};

pub(super) type ServerHandle = Handle<ServerSession>;

pub(super) struct ServerSession {
    pub(super) machine: Machine,
    pub(super) inbox: Inbox<PendingRequest>,
    pub(super) awaited: Awaited,
}

/// A request that waits for the handler.
pub(super) struct PendingRequest {
    pub(super) request: RequestId,
    pub(super) name: ByteString,
    pub(super) data: Value,
}

impl Session for ServerSession {
    type Protocol = Machine;

    const NAME: &'static str = "juggler server";

    fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        // nothing more is given once either side has closed: the end must not wait for who takes
        // what came before
        !self.machine.is_open() || self.inbox.has_room()
    }

    fn holds_back(&mut self) -> bool {
        self.machine.waiting_requests() > 0
    }

    fn caught_up(&mut self) -> bool {
        self.awaited.is_over(self.machine.is_behind())
    }

    fn rest(&mut self) {
        self.inbox.rest();
    }

    fn deliver(&mut self, incoming: Incoming, _memory: usize) -> Delivered {
        match incoming {
            Incoming::Request { request, name, data, size } => {
                let weight = weight(size, &data);
                self.inbox.push(PendingRequest { request, name, data }, weight);
                Delivered::Inbox
            }
            // the web server did the handshake
            Incoming::Upgrade(_) => Delivered::Nothing,
        }
    }

    fn ended(&mut self, _wake: &mut Vec<Waker>) {
        // nobody can be answered any more
        while self.inbox.pop().is_some() {}
    }
}

/// Why something was not sent.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It cannot be sent.
    #[error(transparent)]
    Refused(#[from] SendFault),
    /// The connection is over.
    #[error(transparent)]
    Ended(#[from] Error),
}

/// A server's end of a connection. Cheap to clone; it stays open until the client or the server
/// closes it, or [`close`](Self::close) does.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) handle: ServerHandle,
    pub(super) id: ConnectionId,
    pub(super) client: Arc<web::Client>,
    pub(super) shared: Option<SharedState>,
}

impl Connection {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The client's IP address, or what a trusted proxy says of it.
    #[must_use]
    pub fn remote(&self) -> &str {
        &self.client.address
    }

    /// The user, where the server asks for passwords.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.client.user.as_deref()
    }

    /// The state that the client follows: the connection's own, or the shared one. Changes that
    /// were not flushed are in it.
    #[must_use]
    pub fn state(&self) -> Value {
        match &self.shared {
            Some(shared) => shared.value(),
            None => self.handle.look(|session| session.machine.state().value().clone()),
        }
    }

    /// Changes the state that the client follows; a shared one changes for all. Nothing else can be
    /// done with the connection meanwhile: `change` must not come back to it.
    pub fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        match &self.shared {
            Some(shared) => shared.change(change),
            None => self.handle.call(|session| session.machine.change(change)),
        }
    }

    /// Sends what has changed in the state, and waits until it is with the system.
    ///
    /// Cancel safe: what is queued is sent all the same.
    ///
    /// # Errors
    ///
    /// Why the connection ended.
    pub async fn flush(&self) -> Result<(), Error> {
        if self.handle.look(|session| !session.machine.is_open()) {
            // nothing is sent any more
            return Err(self.handle.ended().await);
        }
        match &self.shared {
            Some(shared) => shared.flush(),
            None => {
                // without room in the queue, it is told as soon as there is some
                let _ = self.handle.call(|session| session.machine.flush());
            }
        }
        let told = |session: &mut ServerSession| session.awaited.poll(session.machine.is_behind());
        self.handle.wait(Wait::Outgoing, told).await?;
        self.handle.drain().await
    }

    /// Notifies the client; waits while 256 KiB are queued.
    ///
    /// Cancel safe: if the future is dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SendError`].
    pub async fn notify(&self, name: &str, data: &Value) -> Result<(), SendError> {
        let notification = Notification::new(name, data);
        Ok(self.handle.send(|session| session.machine.notify(&notification)).await??)
    }

    /// Closes the connection of a client that cannot be told something.
    pub(super) fn cut(&self, fault: &SendFault) {
        cut(&self.handle, Some(&self.client.address), fault, |session, code, reason| {
            session.machine.close_with(code, reason)
        });
    }

    of_every_connection!();
}
