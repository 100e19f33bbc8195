//! The contract with whoever drives the machine.

use core::time::Duration;

use super::super::{Error, code};
use super::{Connection, Incoming, Patience, Phase};
use crate::buffer::{RecvBuf, SendQueue};
use crate::protocol::{Polled, Protocol, TooLarge};
use crate::time::{Instant, earliest};

impl Protocol for Connection {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        let over = match &mut self.phase {
            Phase::Over(error) => Some(error.clone()),
            Phase::Draining(_) if self.tx.is_empty() => Some(Error::Closed),
            Phase::Draining(patience) => {
                let until = patience.until(&self.tx, now, self.config.close_timeout);
                (now >= until).then_some(Error::CloseTimeout)
            }
            _ => None,
        };
        if let Some(error) = over {
            return Err(self.end(error));
        }
        // looked at where it is: what is mapped is moved once more
        let polled = self.step(rx, now);
        if let Err(error) = &polled {
            self.end(error.clone());
        }
        polled
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::AwaitRequest { deadline, .. } | Phase::AwaitResponse { deadline, .. } => {
                Some(deadline)
            }
            Phase::Closing(ref patience) => earliest(patience.until, self.message_time.deadline()),
            Phase::Draining(ref patience) => patience.until,
            Phase::Open => {
                let pings = self.watch.as_ref().and_then(|watch| watch.liveness.deadline());
                earliest(pings, self.message_time.deadline())
            }
            Phase::Deciding(_) | Phase::Over(_) => None,
        }
    }

    fn stood_still(&mut self, time: Duration) {
        match &mut self.phase {
            Phase::AwaitRequest { deadline, .. } | Phase::AwaitResponse { deadline, .. } => {
                *deadline += time;
            }
            Phase::Closing(patience) | Phase::Draining(patience) => {
                patience.until.iter_mut().for_each(|until| *until += time);
            }
            Phase::Deciding(_) | Phase::Open | Phase::Over(_) => {}
        }
        self.message_time.stood_still(time);
        if let Some(watch) = &mut self.watch {
            watch.liveness.stood_still(time);
        }
    }

    fn too_large(&self) -> Option<TooLarge> {
        if let Some(reason) = &self.refused {
            return Some(TooLarge::Refused { size: self.largest, reason: reason.clone() });
        }
        match &self.phase {
            Phase::Over(Error::Protocol(violation)) => {
                let (size, limit) = violation.too_large()?;
                Some(TooLarge::Received { size, limit })
            }
            Phase::Open | Phase::Over(Error::Lost | Error::Truncated { .. }) => {
                self.large.unanswered()
            }
            _ => None,
        }
    }

    fn tx(&mut self) -> &mut SendQueue {
        &mut self.tx
    }

    /// Sends a Close with code 1000 and waits for the peer's. In the handshake, a request that
    /// waits is refused with 503, and nothing is waited for.
    fn close(&mut self) {
        match self.phase {
            Phase::Open => self.start_close(code::NORMAL, ""),
            Phase::Deciding(_) => {
                self.put_refusal(503, &[], "The server is closing.\n");
                self.phase = Phase::Draining(Patience::new(&self.tx));
            }
            Phase::AwaitRequest { .. } | Phase::AwaitResponse { .. } => {
                self.phase = Phase::Draining(Patience::new(&self.tx));
            }
            Phase::Closing(_) | Phase::Draining(_) | Phase::Over(_) => {}
        }
    }

    fn is_closed(&self) -> bool {
        match self.phase {
            Phase::Draining(_) => self.tx.is_empty(),
            Phase::Over(_) => true,
            _ => false,
        }
    }
}
