//! Ids of events in the order of time.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;

use hat_core::eventer::{Event, EventId, Order, OrderBy, Timestamp};

/// Where an event stands: by a timestamp, then by id, as the deployed server orders them.
pub(super) type Key = (Timestamp, EventId);

/// Events by timestamp, and those that have a source timestamp by that.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_timestamp: KeySet,
    by_source: KeySet,
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
    pub(super) fn insert(&mut self, key: Key, source: Option<Timestamp>) {
        self.by_timestamp.insert(key);
        if let Some(timestamp) = source {
            self.by_source.insert((timestamp, key.1));
        }
    }

    /// Makes room for so many events, also by their source timestamps.
    pub(super) fn reserve(&mut self, events: usize, with_source: bool) {
        self.by_timestamp.in_order.reserve(events);
        if with_source {
            self.by_source.in_order.reserve(events);
        }
    }

    pub(super) fn remove(&mut self, event: &Event) {
        self.by_timestamp.remove((event.timestamp, event.id));
        if let Some(timestamp) = event.source_timestamp {
            self.by_source.remove((timestamp, event.id));
        }
    }

    pub(super) fn has(&self, event: &Event) -> bool {
        self.by_timestamp.contains((event.timestamp, event.id))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_timestamp.is_empty()
    }

    /// How many events there are.
    pub(super) fn len(&self) -> usize {
        self.by_timestamp.len()
    }

    /// Whether the range would come past `key`, were nothing behind it left out.
    pub(super) fn holds(&self, key: Key, range: Range) -> bool {
        (range.from..=range.to).contains(&key.0) && self.of(range.by).contains(key)
    }

    /// What is in `range`, in order.
    pub(super) fn range(&self, range: Range) -> Keys<'_> {
        self.of(range.by).range(range)
    }

    fn of(&self, by: OrderBy) -> &KeySet {
        match by {
            OrderBy::Timestamp => &self.by_timestamp,
            OrderBy::SourceTimestamp => &self.by_source,
        }
    }
}

/// Keys that nearly all come in their order, and go in the order in which they came: then it costs
/// a push, a pop, and no search.
#[derive(Debug, Default)]
struct KeySet {
    in_order: VecDeque<Key>,
    /// Those that came after one that they stand before.
    others: BTreeSet<Key>,
}

impl KeySet {
    fn insert(&mut self, key: Key) {
        if self.in_order.back().is_none_or(|last| *last < key) {
            self.in_order.push_back(key);
        } else {
            self.others.insert(key);
        }
    }

    fn remove(&mut self, key: Key) {
        if self.in_order.front() == Some(&key) {
            self.in_order.pop_front();
        } else if !self.others.remove(&key)
            && let Ok(at) = self.in_order.binary_search(&key)
        {
            self.in_order.remove(at);
        }
    }

    fn contains(&self, key: Key) -> bool {
        // what was added last is asked for most
        self.in_order.back() == Some(&key)
            || self.in_order.binary_search(&key).is_ok()
            || self.others.contains(&key)
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.in_order.len() + self.others.len()
    }

    fn range(&self, range: Range) -> Keys<'_> {
        use Bound::{Excluded, Included, Unbounded};

        let Some((start, end)) = range.bounds() else { return Box::new(std::iter::empty()) };
        let from = self.in_order.partition_point(|key| match start {
            Included(start) => *key < start,
            Excluded(start) => *key <= start,
            Unbounded => false,
        });
        let to = self.in_order.partition_point(|key| match end {
            Included(end) => *key <= end,
            Excluded(end) => *key < end,
            Unbounded => true,
        });
        let keys = in_order(self.in_order.range(from..to.max(from)).copied(), range.order);
        if self.others.is_empty() {
            return keys;
        }
        let others = in_order(self.others.range((start, end)).copied(), range.order);
        Box::new(merged([keys, others], range.order))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(second: i64, session: i64) -> Key {
        (Timestamp::from_secs(second), EventId::new(1, session, 1))
    }

    /// Whatever order keys come and go in, they are those of a set.
    #[test]
    fn keys_in_any_order_are_those_of_a_set() {
        let mut state = 7_u64;
        let mut dice = |most: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % most
        };
        for most_late in [1, 3, 40] {
            let (mut index, mut set) = (KeySet::default(), BTreeSet::new());
            let mut came = VecDeque::new();
            for number in 0..400 {
                let next = key(number / 3 + 40 - dice(most_late) as i64, number);
                index.insert(next);
                set.insert(next);
                came.push_back(next);
                if came.len() > 60 {
                    // nearly always the one that came first
                    let at = if dice(10) == 0 { dice(60) as usize } else { 0 };
                    let gone = came.remove(at).expect("there are so many");
                    index.remove(gone);
                    set.remove(&gone);
                    assert!(!index.contains(gone));
                }
                assert!(set.iter().all(|key| index.contains(*key)));
                let from = Timestamp::from_secs(number / 3 + 20 - dice(30) as i64);
                let to = Timestamp::from_secs(number / 3 + 60 - dice(60) as i64);
                // one that is in the range, as who asks has made sure
                let last = came.get(dice(60) as usize).copied();
                let last = last.filter(|key| (from..=to).contains(&key.0));
                for order in [Order::Ascending, Order::Descending] {
                    for after in [None, last] {
                        let range = Range { by: OrderBy::Timestamp, order, from, to, after };
                        let found: Vec<Key> = index.range(range).collect();
                        let within = |key: &&Key| (from..=to).contains(&key.0);
                        let behind = |key: &&Key| match (after, order) {
                            (None, _) => true,
                            (Some(after), Order::Ascending) => **key > after,
                            (Some(after), Order::Descending) => **key < after,
                        };
                        let mut expected: Vec<Key> =
                            set.iter().filter(within).filter(behind).copied().collect();
                        if order == Order::Descending {
                            expected.reverse();
                        }
                        assert_eq!(found, expected);
                    }
                }
            }
            assert!(!index.is_empty());
            came.into_iter().for_each(|key| index.remove(key));
            assert!(index.is_empty());
        }
    }
}
