//! TPDUs into messages (RFC 905 clause 6.3).

use bytes::{Bytes, BytesMut};

use super::tpdu::Segment;
use super::{Error, Receive};

/// The message that is coming in.
#[derive(Debug)]
pub(super) struct Assembly {
    receive: Receive,
    limit: usize,
    /// What is here of a message that is given whole.
    gathered: BytesMut,
    /// Octets of the message that arrived; `None` between messages.
    received: Option<u64>,
}

impl Assembly {
    pub(super) fn new(receive: Receive, limit: usize) -> Self {
        Self { receive, limit, gathered: BytesMut::new(), received: None }
    }

    /// Octets of a message whose end is not here yet.
    pub(super) fn received(&self) -> Option<u64> {
        self.received
    }

    /// Whether it keeps a message whose end is not here yet.
    pub(super) fn is_keeping(&self) -> bool {
        self.received.is_some() && self.receive == Receive::Whole
    }

    /// Takes a segment, which is empty only at the end of a message. `None`: there is nothing to
    /// give yet.
    pub(super) fn push(&mut self, segment: Segment) -> Result<Option<(Bytes, bool)>, Error> {
        let Segment { data, end, .. } = segment;
        let earlier = self.received.unwrap_or(0);
        self.received = (!end).then_some(earlier + data.len() as u64);
        match self.receive {
            Receive::Parts => return Ok(Some((data, end))),
            Receive::Whole if data.len() > self.limit - self.gathered.len() => {
                return Err(Error::TsduTooLarge { limit: self.limit });
            }
            Receive::Whole if end && earlier == 0 => return Ok(Some((data, true))),
            Receive::Whole => self.gather(&data),
        }
        Ok(end.then(|| (core::mem::take(&mut self.gathered).freeze(), true)))
    }

    /// Appends `data`, which fits the limit. The room grows with what is really here, twofold, and
    /// never over the limit.
    fn gather(&mut self, data: &[u8]) {
        let have = self.gathered.len();
        if self.gathered.capacity() - have < data.len() {
            let room = have.max(data.len()).min(self.limit - have);
            self.gathered.reserve(room.max(data.len()));
        }
        self.gathered.extend_from_slice(data);
    }
}
