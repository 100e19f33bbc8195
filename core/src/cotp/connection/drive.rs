//! The contract with whoever drives the machine.

use super::super::{Error, Reason};
use super::{Connection, Incoming, Phase};
use crate::buffer::{RecvBuf, SendQueue};
use crate::protocol::Protocol;
use crate::time::Instant;

impl Protocol for Connection {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Option<Incoming>, Error> {
        rx.want(0);
        if let Some(diagnostic) = self.report.next() {
            return Ok(Some(Incoming::Diagnostic(diagnostic)));
        }
        if let Some(incoming) = self.pending.take() {
            return Ok(Some(incoming));
        }
        match &self.phase {
            Phase::Over(error) => return Err(error.clone()),
            Phase::Closing if self.tx.is_empty() => return Err(self.end(Error::Closed)),
            Phase::Closing => return Ok(None),
            _ => {}
        }
        let polled = self.step(rx, now).map_err(|error| {
            // the end may come while a packet is awaited
            rx.want(0);
            self.end(error)
        });
        match self.report.next() {
            None => polled,
            Some(first) => {
                // an error is in the phase
                self.pending = polled.ok().flatten();
                Ok(Some(Incoming::Diagnostic(first)))
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::AwaitRequest { deadline } | Phase::AwaitConfirm { deadline } => Some(deadline),
            _ => None,
        }
    }

    fn tx(&mut self) -> &mut SendQueue {
        &mut self.tx
    }

    fn close(&mut self) {
        match &self.phase {
            Phase::Closing | Phase::Over(_) => return,
            // a request that waits is refused; class 0 has no DR for one that was not confirmed yet
            Phase::Deciding(request) => {
                self.put_disconnect(request.reference, 0, Reason::NotSpecified);
            }
            Phase::AwaitRequest { .. } | Phase::AwaitConfirm { .. } => {}
            Phase::Open | Phase::HalfClosed => {
                if let Some(info) = self.info.as_deref().filter(|_| self.config.disconnect_on_close)
                {
                    let (ours, theirs) = (info.local_reference, info.remote_reference);
                    self.put_disconnect(theirs, ours, Reason::NotSpecified);
                }
            }
        }
        self.end(Error::Closed);
        self.phase = Phase::Closing;
        self.report.clear();
        self.pending = None;
    }

    fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing | Phase::Over(_))
    }

    fn is_closed(&self) -> bool {
        match self.phase {
            Phase::Closing => self.tx.is_empty(),
            Phase::Over(_) => true,
            _ => false,
        }
    }
}
