//! Two subscriptions at once: pairs of nodes that the same segments lead to.
//!
//! ```text
//! first   a/?/*      (●,●) ─a─> (○,○) ─?,b─> (✱,●)      the pair says: first any rest, second ends
//! second  a/b                                           so  a/b  is in both
//! ```

use alloc::vec::Vec;

use super::SubscriptionError;
use super::trie::{ROOT, Trie};
use crate::eventer::EventType;

/// Steps of a search, each a pair of nodes or a segment that is looked up: a second or so, and some
/// hundred megabytes.
const MAX_STEPS: usize = 4 * 1024 * 1024;

/// A pair of nodes, one of each tree.
type Pair = (u32, u32);

/// The query types of what matches both, not reduced.
pub(super) fn intersection(
    first: &Trie,
    second: &Trie,
) -> Result<Vec<EventType>, SubscriptionError> {
    // every pair met, with the place of the one before it and the segment between
    let mut met: Vec<(Pair, usize, &[u8])> = Vec::new();
    met.push(((ROOT, ROOT), 0, b""));
    let mut query_types = Vec::new();
    let (mut size, mut steps) = (0, 0);
    let mut at = 0;
    while let Some(&(pair, ..)) = met.get(at) {
        if let Some(last) = common_end(first, second, pair) {
            let query_type = path(&met, at, last);
            size += crate::sbs::Encode::encoded_len(&query_type);
            query_types.push(query_type);
        }
        steps += below(first, second, pair, |pair, segment| met.push((pair, at, segment)));
        if steps > MAX_STEPS || size > super::MAX_SIZE {
            return Err(SubscriptionError::TooLarge);
        }
        at += 1;
    }
    Ok(query_types)
}

pub(super) fn is_disjoint(first: &Trie, second: &Trie) -> Result<bool, SubscriptionError> {
    let mut stack = Vec::from([(ROOT, ROOT)]);
    let mut steps = 0;
    while let Some(pair) = stack.pop() {
        if common_end(first, second, pair).is_some() {
            return Ok(false);
        }
        steps += below(first, second, pair, |pair, _| stack.push(pair));
        if steps > MAX_STEPS {
            return Err(SubscriptionError::TooLarge);
        }
    }
    Ok(true)
}

/// Whether query types of both end at the pair, and the segment that they end with there: `*` or
/// none.
fn common_end(first: &Trie, second: &Trie, (a, b): Pair) -> Option<&'static [&'static [u8]]> {
    match (first.rest(a), second.rest(b)) {
        (true, true) => Some(&[b"*"]),
        (true, false) => second.ends(b).then_some(&[]),
        (false, true) => first.ends(a).then_some(&[]),
        (false, false) => (first.ends(a) && second.ends(b)).then_some(&[]),
    }
}

/// The pairs that one segment more leads to, and how many steps it took to find them. A node with
/// `*` stays where it is: any segment is within its rest.
fn below<'a>(
    first: &'a Trie,
    second: &'a Trie,
    (a, b): Pair,
    mut found: impl FnMut(Pair, &'a [u8]),
) -> usize {
    const ANY: &[u8] = b"?";
    let (width, other_width) = (first.width(a), second.width(b));
    let mut steps = 1;
    match (first.rest(a), second.rest(b)) {
        (true, true) => {}
        (true, false) => {
            steps += other_width;
            second.children(b).for_each(|(text, child)| found((a, child), text));
            second.any(b).into_iter().for_each(|child| found((a, child), ANY));
        }
        (false, true) => {
            steps += width;
            first.children(a).for_each(|(text, child)| found((child, b), text));
            first.any(a).into_iter().for_each(|child| found((child, b), ANY));
        }
        (false, false) => {
            // the same segment in both: look the fewer ones up in the other
            steps += width.min(other_width);
            if width <= other_width {
                for (text, child) in first.children(a) {
                    let other = second.child(b, text);
                    other.into_iter().for_each(|other| found((child, other), text));
                }
            } else {
                for (text, other) in second.children(b) {
                    let child = first.child(a, text);
                    child.into_iter().for_each(|child| found((child, other), text));
                }
            }
            if let Some(any) = first.any(a) {
                steps += other_width;
                second.children(b).for_each(|(text, child)| found((any, child), text));
            }
            if let Some(any) = second.any(b) {
                steps += width;
                first.children(a).for_each(|(text, child)| found((child, any), text));
            }
            if let (Some(a), Some(b)) = (first.any(a), second.any(b)) {
                found((a, b), ANY);
            }
        }
    }
    steps
}

/// The segments that led to the pair at `at`, then those of `last`.
fn path(met: &[(Pair, usize, &[u8])], at: usize, last: &[&[u8]]) -> EventType {
    let mut segments: Vec<&[u8]> = last.to_vec();
    let mut place = at;
    while place != 0 {
        let (_, before, segment) = met[place];
        segments.push(segment);
        place = before;
    }
    EventType::from_segment_bytes(segments.into_iter().rev())
}
