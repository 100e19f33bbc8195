//! Ids of events in the order of time.

use std::collections::BTreeSet;
use std::ops::Bound;

use hat_core::eventer::{Event, EventId, Order, OrderBy, Timestamp};

/// Where an event stands: by a timestamp, then by id, as the deployed server orders them.
pub(super) type Key = (Timestamp, EventId);

/// Events by timestamp, and those that have a source timestamp by that.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_timestamp: BTreeSet<Key>,
    by_source: BTreeSet<Key>,
}

/// Which part of an index to go through, from which end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) by: OrderBy,
    pub(super) order: Order,
    /// Inclusive.
    pub(super) from: Timestamp,
    /// Inclusive.
    pub(super) to: Timestamp,
    /// Only what comes after this one in the order asked for.
    pub(super) after: Option<Key>,
}

impl Range {
    /// The first and the last key. `None` where it ends before it starts, which a set refuses.
    pub(super) fn bounds(&self) -> Option<(Bound<Key>, Bound<Key>)> {
        const FIRST: EventId = EventId::new(i64::MIN, i64::MIN, i64::MIN);
        const LAST: EventId = EventId::new(i64::MAX, i64::MAX, i64::MAX);

        let mut start = Bound::Included((self.from, FIRST));
        let mut end = Bound::Included((self.to, LAST));
        match (self.after, self.order) {
            (None, _) => {}
            (Some(key), Order::Ascending) => start = Bound::Excluded(key),
            (Some(key), Order::Descending) => end = Bound::Excluded(key),
        }
        (self.from <= self.to).then_some((start, end))
    }
}

/// Keys from one end to the other.
pub(super) type Keys<'a> = Box<dyn Iterator<Item = Key> + 'a>;

/// Keys, which ascend, in an order.
pub(super) fn in_order<'a>(
    keys: impl DoubleEndedIterator<Item = Key> + 'a,
    order: Order,
) -> Keys<'a> {
    match order {
        Order::Ascending => Box::new(keys),
        Order::Descending => Box::new(keys.rev()),
    }
}

impl Index {
    pub(super) fn insert(&mut self, event: &Event) {
        self.by_timestamp.insert((event.timestamp, event.id));
        self.by_source.extend(event.source_timestamp.map(|timestamp| (timestamp, event.id)));
    }

    pub(super) fn remove(&mut self, event: &Event) {
        self.by_timestamp.remove(&(event.timestamp, event.id));
        if let Some(timestamp) = event.source_timestamp {
            self.by_source.remove(&(timestamp, event.id));
        }
    }

    pub(super) fn has(&self, event: &Event) -> bool {
        self.by_timestamp.contains(&(event.timestamp, event.id))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_timestamp.is_empty()
    }

    /// Whether the range would come past `key`, were nothing behind it left out.
    pub(super) fn holds(&self, key: Key, range: Range) -> bool {
        (range.from..=range.to).contains(&key.0) && self.of(range.by).contains(&key)
    }

    /// What is in `range`, in order.
    pub(super) fn range(&self, range: Range) -> Keys<'_> {
        match range.bounds() {
            Some(bounds) => in_order(self.of(range.by).range(bounds).copied(), range.order),
            None => Box::new(std::iter::empty()),
        }
    }

    fn of(&self, by: OrderBy) -> &BTreeSet<Key> {
        match by {
            OrderBy::Timestamp => &self.by_timestamp,
            OrderBy::SourceTimestamp => &self.by_source,
        }
    }
}

/// The keys of several ranges, each in `order`, in this order. Takes time for what is taken, not
/// for what is there.
pub(super) fn merged<'a>(
    ranges: impl IntoIterator<Item = Keys<'a>>,
    order: Order,
) -> impl Iterator<Item = Key> + 'a {
    let mut ranges: Vec<_> = ranges.into_iter().collect();
    let mut heads: BTreeSet<(Key, usize)> = BTreeSet::new();
    for (at, range) in ranges.iter_mut().enumerate() {
        heads.extend(range.next().map(|key| (key, at)));
    }
    std::iter::from_fn(move || {
        let (key, at) = match order {
            Order::Ascending => heads.pop_first(),
            Order::Descending => heads.pop_last(),
        }?;
        heads.extend(ranges[at].next().map(|key| (key, at)));
        Some(key)
    })
}
