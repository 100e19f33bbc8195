//! Routes: which of many connections want an event.
//!
//! ```text
//! 1 wants a/b, a/?     2 wants a/*     3 wants a/b       ● ─a─> ○ ─b─> ● 1, 3
//!                                                              │  2: and what is below
//! an event of type a/b goes to 1, 2 and 3                      └─?─> ● 1
//! ```
//!
//! To ask each [`Subscription`] in turn costs as much for those who do not want an event as for
//! those who do. Here one look-up finds who does, and costs what it finds.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::event_type::SegmentBytes;
use super::{EventType, Subscription};

/// The largest subscription that [`Routes`] takes, in segments of its query types, those they start
/// with in common counted once, 4096: it adds 1.5 MB at the most. Those in use have some dozens.
pub const MAX_ROUTED: usize = 4096;

/// The subscriptions of many receivers, looked up as one. Receivers are told apart by keys.
///
/// A segment takes 160 to 360 bytes, as wide or long as the subscription is, and what receivers
/// have in common is there once; a [`Subscription`] takes an eighth to a third of that.
///
/// ```
/// use hat_core::eventer::{Routes, Subscription};
///
/// let mut routes = Routes::default();
/// routes.insert(1, &Subscription::new(["a/*"])?);
/// routes.insert(2, &Subscription::new(["a/b"])?);
///
/// let mut wanted_by = Vec::new();
/// routes.find(&"a/b".into(), &mut wanted_by);
/// assert_eq!(wanted_by, [1, 2]);
/// # Ok::<(), hat_core::eventer::SubscriptionError>(())
/// ```
#[derive(Debug)]
pub struct Routes<K> {
    root: Node<K>,
}

#[derive(Debug)]
struct Node<K> {
    /// Each in a box: a map has room for eleven at once.
    children: BTreeMap<Box<[u8]>, Box<Node<K>>>,
    /// Where `?` leads.
    any: Option<Box<Node<K>>>,
    /// In order: those with a query type that ends here, and those with one that ends here with
    /// `*`.
    ends: Vec<K>,
    rest: Vec<K>,
}

impl<K> Default for Routes<K> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<K> Default for Node<K> {
    fn default() -> Self {
        Self { children: BTreeMap::new(), any: None, ends: Vec::new(), rest: Vec::new() }
    }
}

impl<K: Copy + Ord> Routes<K> {
    /// Events that match `subscription` go to `key` too, which must be new. `false`: it is larger
    /// than [`MAX_ROUTED`] and not taken; it has to be asked by itself.
    #[must_use]
    pub fn insert(&mut self, key: K, subscription: &Subscription) -> bool {
        let fits = subscription.nodes() <= MAX_ROUTED;
        if fits {
            self.change(subscription, &|keys| {
                if let Err(at) = keys.binary_search(&key) {
                    keys.insert(at, key);
                }
            });
        }
        fits
    }

    /// Nothing goes to `key` any more, that was inserted with `subscription`.
    pub fn remove(&mut self, key: K, subscription: &Subscription) {
        if subscription.nodes() <= MAX_ROUTED {
            self.change(subscription, &|keys| {
                if let Ok(at) = keys.binary_search(&key) {
                    keys.remove(at);
                }
            });
        }
    }

    /// Nobody wants anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// Those who want events of this type, in order, each once. Goes through
    /// [`MAX_STEPS`](super::MAX_STEPS) places at the most for each receiver, and once through those
    /// that receivers have in common. They take the place of what was in `found`, whose memory is
    /// used again.
    pub fn find(&self, event_type: &EventType, found: &mut Vec<K>) {
        found.clear();
        let places = self.root.collect(event_type.segment_bytes(), found);
        // what one place gave is in order
        if places > 1 {
            found.sort_unstable();
            found.dedup();
        }
    }

    fn change(&mut self, subscription: &Subscription, change: &impl Fn(&mut Vec<K>)) {
        for query_type in subscription.query_types() {
            self.root.change(query_type.segment_bytes(), change);
        }
    }
}

impl<K: Copy> Node<K> {
    /// Changes the keys where `query_type` ends. Goes as deep as a query type has segments, at most
    /// [`MAX_DEPTH`](super::MAX_DEPTH).
    fn change(&mut self, mut query_type: SegmentBytes<'_>, change: &impl Fn(&mut Vec<K>)) {
        match query_type.next() {
            None => change(&mut self.ends),
            // only in the last place, which was checked
            Some(b"*") => change(&mut self.rest),
            Some(b"?") => {
                let any = self.any.get_or_insert_default();
                any.change(query_type, change);
                if any.is_empty() {
                    self.any = None;
                }
            }
            Some(segment) => {
                let child = self.children.entry(segment.into()).or_default();
                child.change(query_type, change);
                if child.is_empty() {
                    self.children.remove(segment);
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.children.is_empty()
            && self.any.is_none()
            && self.ends.is_empty()
            && self.rest.is_empty()
    }

    /// Appends the keys of all places that the segments lead to, and gives how many places had
    /// some. A segment may lead to two nodes, so this bounds no time by itself; it takes no longer
    /// than to ask each subscription.
    fn collect(&self, mut segments: SegmentBytes<'_>, found: &mut Vec<K>) -> usize {
        found.extend_from_slice(&self.rest);
        let here = usize::from(!self.rest.is_empty());
        let Some(segment) = segments.next() else {
            found.extend_from_slice(&self.ends);
            return here + usize::from(!self.ends.is_empty());
        };
        let child = self.children.get(segment);
        let below = child.map_or(0, |child| child.collect(segments.clone(), found));
        here + below + self.any.as_ref().map_or(0, |any| any.collect(segments, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_type() -> impl Strategy<Value = EventType> {
        let segments = proptest::collection::vec("[abc]|\\?", 0..4);
        (segments, any::<bool>()).prop_map(|(mut segments, rest)| {
            segments.extend(rest.then(|| "*".into()));
            EventType::from_segments(&segments)
        })
    }

    proptest! {
        /// The same as to ask each; and nothing is left of who is gone.
        #[test]
        fn finds_whom_each_subscription_would_say(
            all in proptest::collection::vec(proptest::collection::vec(any_type(), 0..5), 1..8),
            events in proptest::collection::vec(any_type(), 1..20),
            gone in proptest::collection::vec(any::<bool>(), 8),
        ) {
            let all: Vec<_> = all.iter().map(|types| Subscription::new(types).expect("few")).collect();
            let mut routes = Routes::default();
            for (key, subscription) in all.iter().enumerate() {
                prop_assert!(routes.insert(key, subscription));
            }
            for (key, subscription) in all.iter().enumerate().filter(|&(key, _)| gone[key]) {
                routes.remove(key, subscription);
            }
            for event in &events {
                let mut found = Vec::new();
                routes.find(event, &mut found);
                let expected: Vec<_> = (0..all.len()).filter(|&key| !gone[key] && all[key].matches(event)).collect();
                prop_assert_eq!(found, expected);
            }
            for (key, subscription) in all.iter().enumerate() {
                routes.remove(key, subscription);
            }
            prop_assert!(routes.is_empty());
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "slow there")]
    fn a_large_subscription_is_not_taken() {
        let types = |count: usize| -> Vec<_> {
            (0..count).map(|index| EventType::from_segments([alloc::format!("{index}")])).collect()
        };
        let mut routes = Routes::default();
        let fits = Subscription::new(types(MAX_ROUTED)).expect("query types");
        let large = Subscription::new(types(MAX_ROUTED + 1)).expect("query types");
        assert!(routes.insert(1, &fits) && !routes.insert(2, &large));
        routes.remove(2, &large);
        let mut found = Vec::new();
        routes.find(&types(1)[0], &mut found);
        assert_eq!(found, [1]);
    }
}
