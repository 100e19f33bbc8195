//! The contract with whoever drives the machine.

use super::super::{Error, code};
use super::{Connection, Incoming, Phase};
use crate::buffer::{RecvBuf, SendQueue};
use crate::protocol::Protocol;
use crate::time::Instant;

impl Protocol for Connection {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Option<Incoming>, Error> {
        rx.want(0);
        if let Phase::Closing { deadline } | Phase::Draining { deadline } = &mut self.phase {
            deadline.get_or_insert(now + self.config.close_timeout);
        }
        match self.phase {
            Phase::Over(ref error) => return Err(error.clone()),
            Phase::Draining { .. } if self.tx.is_empty() => return Err(self.end(Error::Closed)),
            Phase::Draining { deadline: Some(deadline) } if now >= deadline => {
                return Err(self.end(Error::CloseTimeout));
            }
            _ => {}
        }
        self.step(rx, now).map_err(|error| self.end(error))
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::AwaitRequest { deadline, .. } | Phase::AwaitResponse { deadline, .. } => {
                Some(deadline)
            }
            Phase::Closing { deadline } | Phase::Draining { deadline } => deadline,
            Phase::Deciding(_) | Phase::Open | Phase::Over(_) => None,
        }
    }

    fn tx(&mut self) -> &mut SendQueue {
        &mut self.tx
    }

    /// Sends a Close with code 1000 and waits for the peer's. In the handshake, a request that waits is refused with 503, and
    /// nothing is waited for.
    fn close(&mut self) {
        match self.phase {
            Phase::Open => self.start_close(code::NORMAL, ""),
            Phase::Deciding(_) => {
                self.put_refusal(503, &[], "The server is closing.\n");
                self.phase = Phase::Draining { deadline: None };
            }
            Phase::AwaitRequest { .. } | Phase::AwaitResponse { .. } => {
                self.phase = Phase::Draining { deadline: None };
            }
            Phase::Closing { .. } | Phase::Draining { .. } | Phase::Over(_) => {}
        }
    }

    fn is_closed(&self) -> bool {
        match self.phase {
            Phase::Draining { .. } => self.tx.is_empty(),
            Phase::Over(_) => true,
            _ => false,
        }
    }
}
