//! Answers to queries.

use bytes::Bytes;
use hat_core::eventer::{Event, QueryResult};
use hat_core::sbs::{self, Encode, Writer};

use super::cut::Cut;

/// The answer to a query: events as they are stored, which is as they travel. [`Encode`] writes it
/// as `HatEventer.QueryResult`, without decoding what is encoded already.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    events: Vec<Stored>,
    more_follows: bool,
}

/// An event as its store keeps it.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    /// Its bytes, which were an event when they were written.
    Bytes(Bytes),
    Event(Event),
}

impl Answer {
    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// There is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// A limit cut the answer short.
    #[must_use]
    pub fn more_follows(&self) -> bool {
        self.more_follows
    }

    /// The events themselves. What is damaged is left out; [`Store::query`](super::Store::query)
    /// has checked what it gives.
    #[must_use]
    pub fn into_result(self) -> QueryResult {
        let event = |stored| match stored {
            Stored::Event(event) => Some(event),
            Stored::Bytes(bytes) => sbs::decode(&bytes).ok(),
        };
        QueryResult {
            events: self.events.into_iter().filter_map(event).collect(),
            more_follows: self.more_follows,
        }
    }
}

impl From<Cut<Stored>> for Answer {
    fn from(cut: Cut<Stored>) -> Self {
        let (events, more_follows) = cut.into_parts();
        Self { events, more_follows }
    }
}

impl From<QueryResult> for Answer {
    fn from(result: QueryResult) -> Self {
        let events = result.events.into_iter().map(Stored::Event).collect();
        Self { events, more_follows: result.more_follows }
    }
}

impl Encode for Answer {
    fn encoded_len(&self) -> usize {
        let events: usize = self.events.iter().map(Encode::encoded_len).sum();
        (self.events.len() as i64).encoded_len() + events + self.more_follows.encoded_len()
    }

    fn encode(&self, out: &mut impl Writer) {
        (self.events.len() as i64).encode(out);
        self.events.iter().for_each(|event| event.encode(out));
        self.more_follows.encode(out);
    }
}

impl Encode for Stored {
    fn encoded_len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Event(event) => event.encoded_len(),
        }
    }

    fn encode(&self, out: &mut impl Writer) {
        match self {
            Self::Bytes(bytes) => out.put_bytes(bytes),
            Self::Event(event) => event.encode(out),
        }
    }
}
