//! The contract with whoever drives the machine.

use core::time::Duration;

use super::super::{Error, Reason};
use super::{Connection, Incoming, Phase};
use crate::buffer::{RecvBuf, SendQueue};
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::time::Instant;

impl Protocol for Connection {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        if let Some(diagnostic) = self.report.next() {
            return Ok(Polled::Incoming(Incoming::Diagnostic(diagnostic)));
        }
        if let Some(incoming) = self.pending.take() {
            return Ok(Polled::Incoming(incoming));
        }
        match &self.phase {
            Phase::Over(error) => return Err(error.clone()),
            Phase::Closing if self.tx.is_empty() => return Err(self.end(Error::Closed)),
            Phase::Closing => return Ok(Polled::HeldUp),
            _ => {}
        }
        let polled = self.step(rx, now).map_err(|error| self.end(error));
        match self.report.next() {
            None => polled,
            Some(first) => {
                // an error is in the phase
                self.pending = polled.ok().and_then(Polled::incoming);
                Ok(Polled::Incoming(Incoming::Diagnostic(first)))
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::AwaitRequest { deadline } | Phase::AwaitConfirm { deadline } => Some(deadline),
            _ => self.message_time.deadline(),
        }
    }

    fn stood_still(&mut self, time: Duration) {
        if let Phase::AwaitRequest { deadline } | Phase::AwaitConfirm { deadline } = &mut self.phase
        {
            *deadline += time;
        }
        self.message_time.stood_still(time);
    }

    fn too_large(&self) -> Option<TooLarge> {
        match self.phase {
            Phase::Over(Error::TsduTooLarge { limit }) => {
                Some(TooLarge::Received { size: limit as u64 + 1, limit })
            }
            Phase::Open | Phase::HalfClosed | Phase::Over(Error::Closed | Error::Tpkt(_)) => {
                self.large.unanswered()
            }
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
        self.forget_pending();
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
