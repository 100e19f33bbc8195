use super::{Call, CallError, Connection, Error, PeerSession, Received};
use crate::pending::PendingResponse;
use crate::shared::Wait;
use hat_core::json::Value;
use hat_core::juggler::SendFault;

/// A connection whose messages are also calls, both ways, as `RpcConnection` of `hat-juggler` 0.5
/// has them. Cheap to clone.
///
/// From when it is made on, a message `{"type": "rpc", …}` is a call or the answer to one, and one
/// that is neither ends the connection. What came before and was not taken is looked at again.
#[derive(Clone, Debug)]
pub struct RpcConnection {
    connection: Connection,
}

/// What the other side sent.
#[derive(Debug)]
pub enum MessageOrCall {
    /// A message that is not a call.
    Message(Value),
    /// It calls an action of ours.
    Call(Call),
}

impl RpcConnection {
    /// Asks for calls on `connection`, also for its clones: their [`receive`](Connection::receive)
    /// gives what is not a call.
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        connection.handle.call(super::PeerSession::begin_calls);
        Self { connection }
    }

    /// The connection, for its data and its messages.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// What the other side sends next: a message, or a call of an action of ours. Cancel safe.
    ///
    /// # Errors
    /// Why the connection ended, after everything that arrived before has been returned.
    pub async fn receive(&self) -> Result<MessageOrCall, Error> {
        let handle = &self.connection.handle;
        Ok(match handle.wait(Wait::Incoming, |session| session.inbox.pop()).await? {
            Received::Message(message) => MessageOrCall::Message(message),
            Received::Call(request, action, args) => MessageOrCall::Call(Call {
                action,
                args,
                handle: handle.clone(),
                request: Some(request),
            }),
        })
    }

    /// Calls `action` of the other side, and gives its result; waits while 256 KiB are queued.
    ///
    /// Dropped before it is ready, the result is dropped when it comes; what was asked may be done
    /// all the same.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub async fn call(&self, action: &str, args: &[Value]) -> Result<Value, CallError> {
        let handle = &self.connection.handle;
        let call = |session: &mut PeerSession| {
            let id = session.machine.call(action, args)?;
            session.answers.open(id);
            Ok::<_, SendFault>(id)
        };
        let id = handle.send(call).await??;
        PendingResponse::new(handle, id).await?.map_err(CallError::Failed)
    }
}

impl PeerSession {
    /// What waits in the inbox goes back to the machine, which gives it again as what it is now.
    fn begin_calls(&mut self) {
        // a connection that is over answers no call, and nobody asks its machine any more
        if !self.machine.peer().is_open() || self.machine.has_begun() {
            return;
        }
        let waiting = self.inbox.take_all().into_iter().filter_map(|(got, size)| match got {
            Received::Message(message) => Some((message, size)),
            // none before calls have begun
            Received::Call(..) => None,
        });
        self.machine.begin(waiting);
    }
}
