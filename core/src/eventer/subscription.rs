//! Sets of query types.

use alloc::sync::Arc;
use alloc::vec::{self, Vec};
use core::fmt;

use super::EventType;

mod algebra;
mod segment;
mod trie;

use trie::Trie;

/// Segments that a query type of a [`Subscription`] may have. Types in use have fewer than twenty.
pub const MAX_DEPTH: usize = 128;

/// How many different sets of places the `?` of a [`Subscription`]'s query types may stand in:
/// `a/?`, `b/?` and `c/?/*` have one, `?/b` another. A look-up follows at most one path for each,
/// so this bounds its time, whatever a peer subscribes to.
pub const MAX_PATTERNS: usize = 256;

/// Places that a look-up in a [`Subscription`] goes through at the most, one for each way that its
/// `?` lead through the segments of a type: `?/?/a` and `b/c/a` have one each at the start, then
/// two, two and two. Those in use have some dozens. It bounds the time of
/// [`matches`](Subscription::matches) for one event, whatever a peer subscribes to and whatever a
/// peer registers.
pub const MAX_STEPS: usize = 1024;

/// Steps besides the straight way of each query type that finding out which query types cover
/// others may take, 1 048 576: a few hundredths of a second.
const MAX_BRANCHES: usize = 1 << 20;

/// Bytes that the query types of a [`Subscription`] may take in all, encoded: more than a million
/// usual ones.
pub const MAX_SIZE: usize = 64 * 1024 * 1024;

/// Segments that the query types of a [`Subscription`] may have in all, 1 048 576: each takes some
/// hundred bytes while the subscription is made, and may be one of a message that is 64 MiB long.
/// Ten times what a hundred thousand usual query types have.
pub const MAX_SEGMENTS: usize = 1 << 20;

/// Which event types somebody wants: a set of query types, looked up as one.
///
/// ```text
/// a/b   a/?/c   d/*          ● ─a─> ○ ─b─> ●            ● a query type ends here
///                            │      └─?─> ○ ─c─> ●      ✱ any more segments, or none
///                            └─d─> ✱
/// ```
///
/// In a query type `?` stands for exactly one segment of any value, and `*`, in the last place
/// only, for zero or more. A query type without segments matches only the type without segments. A
/// subscription without query types matches nothing. The rules are those of `Subscription` in
/// `hat-event`.
///
/// It holds its query types in reduced form: what another one covers is dropped, as `a/?` covers
/// `a/b`, and `a/*` covers `a`. So two subscriptions of the same reduced query types are equal, in
/// whatever form they were given.
///
/// Its memory is its own: it keeps no frame alive that query types were decoded from. Clones share
/// it.
///
/// ```
/// use hat_core::eventer::Subscription;
///
/// let subscription = Subscription::new(["gateway/7/*", "gateway/?/status"])?;
/// assert!(subscription.matches(&"gateway/1/status".into()));
/// assert!(!subscription.matches(&"gateway/1/value".into()));
/// # Ok::<(), hat_core::eventer::SubscriptionError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Subscription {
    trie: Arc<Trie>,
}

/// Why query types make no [`Subscription`]. Query types are counted from 0, in the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// A `*` with something after it.
    #[error(
        "query type {index} has a * that is not its last segment; to match any one segment, write ?"
    )]
    StarNotLast {
        /// Which query type.
        index: usize,
    },
    /// More than [`MAX_DEPTH`] segments.
    #[error(
        "query type {index} has {depth} segments; the limit is {MAX_DEPTH}: end it earlier with *"
    )]
    TooDeep {
        /// Which query type.
        index: usize,
        /// Its segments.
        depth: usize,
    },
    /// More than [`MAX_PATTERNS`] different sets of places for `?`.
    #[error(
        "the query types have ? in {patterns} different combinations of positions; the limit is {MAX_PATTERNS}: use * instead, or fewer query types"
    )]
    TooManyPatterns {
        /// How many sets of places.
        patterns: usize,
    },
    /// More than [`MAX_STEPS`] places for a look-up to go through.
    #[error(
        "a look-up would take {steps} steps; the limit is {MAX_STEPS}: deep query types have ? in too many different positions; use * instead"
    )]
    TooManySteps {
        /// How many, at least.
        steps: usize,
    },
    /// More than [`MAX_SEGMENTS`] segments in all.
    #[error(
        "the query types have more than {MAX_SEGMENTS} segments in all; name fewer, or end them earlier with *"
    )]
    TooManySegments,
    /// More than [`MAX_SIZE`] bytes of query types, or what two have in common takes too long to
    /// find.
    #[error(
        "the query types take more than {MAX_SIZE} bytes, or have too much in common to be indexed; subscribe to fewer"
    )]
    TooLarge,
}

impl Subscription {
    /// The subscription to `query_types`, in any order. Takes `n log n` time, and no more than some
    /// hundredths of a second beyond that for query types with `?` that cover each other.
    ///
    /// # Errors
    ///
    /// [`SubscriptionError`]. The peers ignore a `*` in a wrong place where an earlier query type
    /// covers it; it is an error here.
    pub fn new<T: Into<EventType>>(
        query_types: impl IntoIterator<Item = T>,
    ) -> Result<Self, SubscriptionError> {
        let mut types: Vec<EventType> = Vec::new();
        let mut patterns = Vec::new();
        let (mut size, mut segments) = (0, 0);
        for (index, query_type) in query_types.into_iter().enumerate() {
            let query_type = query_type.into();
            patterns.push((pattern(index, &query_type)?, query_type.len()));
            size += crate::sbs::Encode::encoded_len(&query_type);
            segments += query_type.len();
            if size > MAX_SIZE {
                return Err(SubscriptionError::TooLarge);
            }
            if segments > MAX_SEGMENTS {
                return Err(SubscriptionError::TooManySegments);
            }
            types.push(query_type);
        }
        let mut sorted: Vec<&EventType> = types.iter().collect();
        patterns.sort_unstable();
        patterns.dedup();
        // of each set of places, the longest
        patterns.dedup_by(|next, one| {
            let same = next.0 == one.0;
            one.1 = if same { one.1.max(next.1) } else { one.1 };
            same
        });
        if patterns.len() > MAX_PATTERNS {
            return Err(SubscriptionError::TooManyPatterns { patterns: patterns.len() });
        }
        let steps = steps(&patterns);
        if steps > MAX_STEPS {
            return Err(SubscriptionError::TooManySteps { steps });
        }
        sorted.sort_unstable();
        sorted.dedup();

        let trie = Trie::new(&sorted);
        let all = sorted.len();
        let mut left = MAX_BRANCHES;
        sorted.retain(|query_type| !trie.covers_besides_itself(query_type, &mut left));
        if left == 0 {
            return Err(SubscriptionError::TooLarge);
        }
        let trie = if sorted.len() == all { trie } else { Trie::new(&sorted) };
        Ok(Self { trie: Arc::new(trie) })
    }

    /// Whether one of the query types matches `event_type`.
    ///
    /// The time depends on the depth of the type and on where the query types have `?` (see
    /// [`MAX_PATTERNS`]), hardly on how many they are. Nothing is allocated unless more than 16
    /// query types with `?` match the start of the type.
    #[must_use]
    pub fn matches(&self, event_type: &EventType) -> bool {
        self.trie.matches(event_type)
    }

    /// How many segments its query types have, those they start with in common counted once.
    pub(super) fn nodes(&self) -> usize {
        self.trie.edges()
    }

    /// The query types in reduced form, in order.
    #[must_use]
    pub fn query_types(&self) -> Vec<EventType> {
        let mut query_types = self.trie.query_types();
        query_types.sort_unstable();
        query_types
    }

    /// Whether nothing matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trie.is_empty()
    }

    /// What matches this subscription or `other`.
    ///
    /// # Errors
    ///
    /// [`SubscriptionError::TooManyPatterns`] or [`SubscriptionError::TooLarge`]: the result is
    /// held to the same limits.
    pub fn union(&self, other: &Self) -> Result<Self, SubscriptionError> {
        let mut query_types = self.trie.query_types();
        query_types.append(&mut other.trie.query_types());
        Self::new(&query_types)
    }

    /// What matches both this subscription and `other`.
    ///
    /// It can have as many query types as the product of both numbers: `?/x1 ?/x2 …` and
    /// `y1/? y2/? …`.
    ///
    /// # Errors
    ///
    /// [`SubscriptionError::TooManyPatterns`] or [`SubscriptionError::TooLarge`]: the result is
    /// held to the same limits, and the search to four million steps.
    pub fn intersection(&self, other: &Self) -> Result<Self, SubscriptionError> {
        Self::new(&algebra::intersection(&self.trie, &other.trie)?)
    }

    /// Whether no event type matches both this subscription and `other`.
    ///
    /// For usual subscriptions the time is that of walking through the smaller one. Where both have
    /// many query types with `?` in different places it can grow to the product of their numbers.
    ///
    /// # Errors
    ///
    /// [`SubscriptionError::TooLarge`]: it is not found out within four million steps.
    pub fn is_disjoint(&self, other: &Self) -> Result<bool, SubscriptionError> {
        algebra::is_disjoint(&self.trie, &other.trie)
    }
}

/// Places that a look-up goes through with query types of these patterns and lengths at the most:
/// on each level as many as there are different starts.
fn steps(patterns: &[(u128, usize)]) -> usize {
    let deepest = patterns.iter().map(|&(_, len)| len).max().unwrap_or(0);
    let mut steps = 0;
    let mut starts = Vec::new();
    for level in 1..=deepest {
        let here = u128::MAX >> (u128::BITS as usize - level);
        starts.clear();
        let long = patterns.iter().filter(|&&(_, len)| len >= level);
        starts.extend(long.map(|&(pattern, _)| pattern & here));
        starts.sort_unstable();
        starts.dedup();
        steps += starts.len();
    }
    steps
}

/// Which places of `query_type` are `?`, a bit each.
fn pattern(index: usize, query_type: &EventType) -> Result<u128, SubscriptionError> {
    const { assert!(MAX_DEPTH <= u128::BITS as usize) }
    if query_type.len() > MAX_DEPTH {
        return Err(SubscriptionError::TooDeep { index, depth: query_type.len() });
    }
    let mut pattern = 0;
    let mut segments = query_type.segment_bytes();
    while let Some(segment) = segments.next() {
        match segment {
            b"*" if segments.left() > 0 => return Err(SubscriptionError::StarNotLast { index }),
            b"?" => pattern |= 1 << segments.left().abs_diff(query_type.len() - 1),
            _ => {}
        }
    }
    Ok(pattern)
}

/// Matches nothing.
impl Default for Subscription {
    fn default() -> Self {
        Self { trie: Arc::new(Trie::new(&[])) }
    }
}

/// The query types in reduced form, in order.
impl IntoIterator for &Subscription {
    type Item = EventType;
    type IntoIter = vec::IntoIter<EventType>;

    fn into_iter(self) -> Self::IntoIter {
        self.query_types().into_iter()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.query_types()).finish()
    }
}

#[cfg(test)]
mod tests;
