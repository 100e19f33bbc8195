//! COTP connections whose parts are put together.

use std::time::Duration;

use bytes::BytesMut;
use hat_core::buffer::{RecvBuf, SendQueue};
use hat_core::cotp::{Connection, Error, Incoming};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;

/// A connection whose messages are put together here. In how many parts it gives them is a matter
/// of how their bytes arrive, and nothing else about them may be.
pub(super) struct Gatherer {
    pub(super) machine: Connection,
    coming: BytesMut,
}

impl Gatherer {
    pub(super) fn new(machine: Connection) -> Self {
        Self { machine, coming: BytesMut::new() }
    }
}

impl Protocol for Gatherer {
    type Incoming = Incoming;
    type Error = Error;

    fn poll(&mut self, rx: &mut RecvBuf, now: Instant) -> Result<Polled<Incoming>, Error> {
        loop {
            match self.machine.poll(rx, now)? {
                Polled::Incoming(Incoming::Data { data, end }) => {
                    self.coming.extend_from_slice(&data);
                    if end {
                        let data = self.coming.split().freeze();
                        return Ok(Polled::Incoming(Incoming::Data { data, end }));
                    }
                }
                other => return Ok(other),
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    fn stood_still(&mut self, time: Duration) {
        self.machine.stood_still(time);
    }

    fn tx(&mut self) -> &mut SendQueue {
        self.machine.tx()
    }

    fn close(&mut self) {
        self.machine.close();
    }

    fn is_closed(&self) -> bool {
        self.machine.is_closed()
    }
}
