//! A map for keys that are inserted in ascending order and removed in about the same order, such as
//! ids of messages.
//!
//! ```text
//! ring    7 ·  9 open  10 ·  12 open  15 open  <── 16 goes to the back
//!         · has ended, and goes with its neighbours
//! rest    keys that came late: 8, 11          what a peer that does not count upwards gets
//! ```
//!
//! The ring allocates nothing once it has its size, and gives it back when a burst is over.
//! Whatever the order, each operation takes logarithmic time, and there are never more than twice
//! as many places as there are values, or a few.

use alloc::collections::{BTreeMap, VecDeque};

/// So many places without a value are never worth to be cleared away.
const FEW: usize = 32;

/// Places whose memory an empty ring keeps: more is that of a burst.
const KEPT: usize = 1024;

/// A map by `i64`.
#[derive(Debug)]
pub(crate) struct Ascending<V> {
    /// Ascending by key; the first one has a value.
    ring: VecDeque<(i64, Option<V>)>,
    /// How many of the ring have a value.
    filled: usize,
    /// Keys that came after a higher one, and are not in the ring.
    rest: BTreeMap<i64, V>,
}

impl<V> Default for Ascending<V> {
    fn default() -> Self {
        Self { ring: VecDeque::new(), filled: 0, rest: BTreeMap::new() }
    }
}

impl<V> Ascending<V> {
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.filled + self.rest.len()
    }

    #[inline]
    pub(crate) fn get(&self, key: i64) -> Option<&V> {
        if self.len() == 0 {
            return None;
        }
        match self.find(key) {
            Some(at) => self.ring[at].1.as_ref(),
            None => self.rest.get(&key),
        }
    }

    pub(crate) fn get_mut(&mut self, key: i64) -> Option<&mut V> {
        match self.find(key) {
            Some(at) => self.ring[at].1.as_mut(),
            None => self.rest.get_mut(&key),
        }
    }

    /// Sets the value of `key`, and gives the one that it had.
    pub(crate) fn insert(&mut self, key: i64, value: V) -> Option<V> {
        let is_next = self.ring.back().is_none_or(|&(last, _)| last < key)
            && (self.rest.is_empty()
                || self.rest.last_key_value().is_none_or(|(&last, _)| last < key));
        if is_next {
            // mostly one is open, and an idle connection should hold no places for four
            if self.ring.capacity() == 0 {
                self.ring.reserve_exact(1);
            }
            self.ring.push_back((key, Some(value)));
            self.filled += 1;
            return None;
        }
        let Some(at) = self.find(key) else { return self.rest.insert(key, value) };
        let earlier = self.ring[at].1.replace(value);
        self.filled += usize::from(earlier.is_none());
        earlier
    }

    pub(crate) fn remove(&mut self, key: i64) -> Option<V> {
        let Some(at) = self.find(key) else { return self.rest.remove(&key) };
        let value = self.ring[at].1.take()?;
        self.filled -= 1;
        while let Some((_, None)) = self.ring.front() {
            self.ring.pop_front();
        }
        if self.ring.len() > 2 * self.filled + FEW {
            self.ring.retain(|(_, value)| value.is_some());
        }
        if self.ring.is_empty() && self.ring.capacity() > KEPT {
            self.ring = VecDeque::new();
        }
        Some(value)
    }

    /// Where in the ring the key is, with a value or without.
    #[inline]
    fn find(&self, key: i64) -> Option<usize> {
        // what came first is mostly what goes first
        let &(first, _) = self.ring.front()?;
        if key <= first {
            return (key == first).then_some(0);
        }
        let &(last, _) = self.ring.back()?;
        if key > last {
            return None;
        }
        // keys ascend by one at least, which says where the key is at most and at least: in a ring
        // without gaps that is one place
        let end = self.ring.len() - 1;
        let most = key.abs_diff(first).min(end as u64) as usize;
        let least = end - last.abs_diff(key).min(end as u64) as usize;
        if self.ring[most].0 == key { Some(most) } else { self.search(key, least, most) }
    }

    /// The same in a ring with gaps, between two places.
    fn search(&self, key: i64, mut least: usize, mut most: usize) -> Option<usize> {
        while least < most {
            let middle = least.midpoint(most);
            if self.ring[middle].0 < key {
                least = middle + 1;
            } else {
                most = middle;
            }
        }
        (self.ring[least].0 == key).then_some(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_map(calls in proptest::collection::vec((0_u8..4, -8_i64..40), 0..200)) {
            let (mut map, mut model) = (Ascending::default(), BTreeMap::new());
            for (count, (call, key)) in calls.into_iter().enumerate() {
                match call {
                    0 => prop_assert_eq!(map.insert(key, count), model.insert(key, count)),
                    // most come in order
                    1 => prop_assert_eq!(map.insert(100 + count as i64, count), model.insert(100 + count as i64, count)),
                    2 => prop_assert_eq!(map.remove(key), model.remove(&key)),
                    _ => {
                        let first = model.keys().copied().next().unwrap_or(key);
                        prop_assert_eq!(map.remove(first), model.remove(&first));
                    }
                }
                prop_assert_eq!(map.len(), model.len());
                prop_assert_eq!(map.get(key), model.get(&key));
                prop_assert_eq!(map.get_mut(key), model.get_mut(&key));
            }
            prop_assert!(model.iter().all(|(&key, value)| map.get(key) == Some(value)));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow there")]
    fn one_that_stays_keeps_no_place_for_those_that_went() {
        let mut map = Ascending::default();
        map.insert(0, ());
        for key in 1..10_000 {
            map.insert(key, ());
            map.remove(key);
        }
        assert_eq!(map.len(), 1);
        assert!(map.ring.len() <= 2 + FEW, "{} places", map.ring.len());
    }

    #[test]
    fn a_late_key_has_one_place_when_the_ring_shrinks() {
        let mut map = Ascending::default();
        [10, 1000, 15].iter().for_each(|&key| assert_eq!(map.insert(key, "first"), None));
        // enough that ended to be cleared away, the highest among them
        (1001..1100).for_each(|key| assert_eq!(map.insert(key, "more"), None));
        (1000..1100).rev().for_each(|key| assert!(map.remove(key).is_some()));
        assert_eq!(map.insert(15, "second"), Some("first"));
        assert_eq!((map.remove(15), map.remove(15)), (Some("second"), None));
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow there")]
    fn a_burst_leaves_no_memory_behind() {
        let mut map = Ascending::default();
        (0..10 * KEPT as i64).for_each(|key| assert_eq!(map.insert(key, key), None));
        (0..10 * KEPT as i64).for_each(|key| assert_eq!(map.remove(key), Some(key)));
        assert!(map.ring.capacity() <= KEPT, "{} places", map.ring.capacity());
    }

    #[test]
    fn keys_in_any_order_have_their_places() {
        let mut map = Ascending::default();
        let keys: Vec<i64> = (0..100).map(|key| key * 37 % 101).collect();
        keys.iter().for_each(|&key| assert_eq!(map.insert(key, key), None));
        assert_eq!(map.len(), keys.len());
        keys.iter().for_each(|&key| assert_eq!(map.remove(key), Some(key)));
        assert_eq!((map.len(), map.ring.len(), map.rest.len()), (0, 0, 0));
    }
}
