use std::fmt;

use bytestring::ByteString;

use super::{CallError, PeerSession};
use crate::handle::Handle;
use crate::juggler::cut;
use hat_core::json::{Array, Value};
use hat_core::juggler::rpc::RequestId;

/// A call of the other side. Dropped without an answer, it is answered as that of an action that
/// there is not.
pub struct Call {
    /// What is to be done; [`Actions`](hat_core::juggler::rpc::Actions) finds who does it.
    pub action: ByteString,
    /// With what.
    pub args: Array,
    pub(super) handle: Handle<PeerSession>,
    /// Until it is answered.
    pub(super) request: Option<RequestId>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("action", &self.action)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

impl Call {
    /// Answers with the result, or with what became of it instead, usually a text; waits while 256
    /// KiB are queued.
    ///
    /// Cancel safe: dropped before it is ready, the call is answered as one that was dropped.
    ///
    /// # Errors
    ///
    /// Why the connection is over, or that the answer can never be sent.
    pub async fn respond(mut self, result: Result<&Value, &Value>) -> Result<(), CallError> {
        let Some(request) = self.request else {
            return Ok(());
        };
        let sent = self.handle.send(|session| session.machine.respond(request, result)).await?;
        if sent.is_ok() {
            self.request = None;
        }
        Ok(sent?)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            let refused = self.handle.call(|session| session.machine.refuse_action(request));
            if let Err(fault) = refused
                && fault.is_queue_full()
            {
                // the other side would wait for ever
                cut(&self.handle, None, &fault, |session, code, reason| {
                    session.machine.peer_mut().close_with(code, reason)
                });
            }
        }
    }
}
