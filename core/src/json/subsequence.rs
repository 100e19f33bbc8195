//! What two lists have in common, in order: the longest common subsequence by Myers' algorithm, as
//! long as they differ in little.
//!
//! ```text
//! from   a b c d e       each step of the search allows one more edit; on each diagonal it follows
//! to     x a b d e       what is equal as far as it goes. Pairs: (0,1) (1,2) (3,3) (4,4)
//! ```

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use super::Value;

/// Elements to insert and to remove at the most, before it is given up: the search keeps half of
/// its square in memory, 0.5 MiB.
const MAX_EDITS: usize = 512;

/// Comparisons of two numbers at the most, some 20 ms.
const MAX_STEPS: usize = 16 << 20;

/// Different values of one hash that are told apart. More are an accident that never happens, or an
/// attack; they count as equal to nothing.
const MAX_COLLISIONS: usize = 4;

/// A diagonal that no path has reached.
const NONE: i32 = -1;

/// Pairs of indexes of equal elements, both ascending, as many as there can be; nothing if the
/// lists differ in too much to find out.
pub(super) fn common<'a>(
    from: impl Iterator<Item = &'a Value>,
    to: impl Iterator<Item = &'a Value>,
) -> Option<Vec<(usize, usize)>> {
    let mut classes = Classes::default();
    let from: Vec<_> = from.map(|value| classes.of(value)).collect();
    let to: Vec<_> = to.map(|value| classes.of(value)).collect();
    let search = Search { from: &from, to: &to, reached: Vec::new() };
    search.run()
}

/// Numbers for values: the same for equal ones.
#[derive(Default)]
struct Classes<'a> {
    known: BTreeMap<u64, Vec<(&'a Value, usize)>>,
    next: usize,
}

impl<'a> Classes<'a> {
    fn of(&mut self, value: &'a Value) -> usize {
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        value.hash(&mut hasher);
        let known = self.known.entry(hasher.finish()).or_default();
        if let Some((_, class)) = known.iter().find(|(one, _)| *one == value) {
            return *class;
        }
        let class = self.next;
        self.next += 1;
        if known.len() < MAX_COLLISIONS {
            known.push((value, class));
        }
        class
    }
}

/// FNV-1a: the same on every machine and in every run.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Search<'a> {
    from: &'a [usize],
    to: &'a [usize],
    /// For each number of edits `d`, how far in `from` the best path comes on the diagonals
    /// `-d, -d + 2 … d`: one row after the other.
    reached: Vec<i32>,
}

impl Search<'_> {
    fn run(mut self) -> Option<Vec<(usize, usize)>> {
        let (from_len, to_len) = (self.from.len(), self.to.len());
        let most = MAX_EDITS.min(MAX_STEPS / (from_len + to_len).max(1));
        let end = (i32::try_from(from_len).ok()?, i32::try_from(to_len).ok()?);
        for edits in 0..=i32::try_from(most).ok()? {
            for diagonal in (-edits..=edits).step_by(2) {
                let start = self.after_edit(edits, diagonal);
                let x = if start == NONE { NONE } else { self.follow(start, diagonal) };
                self.reached.push(x);
                if (x, x - diagonal) == end {
                    return Some(self.pairs(edits));
                }
            }
        }
        None
    }

    /// Where the best path comes onto `diagonal` with its last edit.
    fn after_edit(&self, edits: i32, diagonal: i32) -> i32 {
        if edits == 0 {
            return 0;
        }
        let inserted = self.reached(edits - 1, diagonal + 1);
        let fits = inserted != NONE && (inserted - diagonal) as usize <= self.to.len();
        let inserted = if fits { inserted } else { NONE };
        let removed = self.reached(edits - 1, diagonal - 1);
        let fits = removed != NONE && (removed as usize) < self.from.len();
        let removed = if fits { removed + 1 } else { NONE };
        inserted.max(removed)
    }

    fn reached(&self, edits: i32, diagonal: i32) -> i32 {
        if diagonal.abs() > edits {
            return NONE;
        }
        let row = (edits * (edits + 1) / 2) as usize;
        self.reached[row + ((diagonal + edits) / 2) as usize]
    }

    fn follow(&self, mut x: i32, diagonal: i32) -> i32 {
        let equal = |x: i32| {
            let one = self.from.get(x as usize);
            one.is_some() && one == self.to.get((x - diagonal) as usize)
        };
        while equal(x) {
            x += 1;
        }
        x
    }

    /// The equal elements on the path that took so many edits, from its end.
    fn pairs(&self, edits: i32) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        let mut x = self.from.len() as i32;
        let mut diagonal = x - self.to.len() as i32;
        for edits in (0..=edits).rev() {
            let start = self.after_edit(edits, diagonal);
            pairs.extend((start..x).rev().map(|x| (x as usize, (x - diagonal) as usize)));
            x = start;
            if edits > 0 {
                let by_insert = self.reached(edits - 1, diagonal + 1) == start;
                if by_insert {
                    diagonal += 1;
                } else {
                    diagonal -= 1;
                    x -= 1;
                }
            }
        }
        pairs.reverse();
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::collection::vec as vec_of;
    use proptest::prelude::*;

    fn values(numbers: &[u8]) -> Vec<Value> {
        numbers.iter().map(|number| u32::from(*number).into()).collect()
    }

    fn pairs(from: &[u8], to: &[u8]) -> Option<Vec<(usize, usize)>> {
        common(values(from).iter(), values(to).iter())
    }

    /// The length of the longest common subsequence, by the table of all prefixes.
    fn longest(from: &[u8], to: &[u8]) -> usize {
        let mut row = vec![0; to.len() + 1];
        for one in from {
            let above = row.clone();
            for (at, other) in to.iter().enumerate() {
                row[at + 1] = if one == other { above[at] + 1 } else { above[at + 1].max(row[at]) };
            }
        }
        row[to.len()]
    }

    #[test]
    fn the_picture() {
        assert_eq!(pairs(b"abcde", b"xabde"), Some(vec![(0, 1), (1, 2), (3, 3), (4, 4)]));
        assert_eq!(pairs(b"", b""), Some(vec![]));
        assert_eq!(pairs(b"a", b""), Some(vec![]));
        assert_eq!(pairs(b"abc", b"xyz"), Some(vec![]));
    }

    #[test]
    fn too_different() {
        let one: Vec<_> = (0..300_u32).map(Value::from).collect();
        let other: Vec<_> = (300..600_u32).map(Value::from).collect();
        assert_eq!(common(one.iter(), other.iter()), None);
        assert_eq!(common(one.iter(), one[250..].iter()).map(|pairs| pairs.len()), Some(50));
    }

    #[test]
    fn hashes_that_meet() {
        let mut classes = Classes::default();
        let values: Vec<_> = (0..9_u32).map(Value::from).collect();
        // as if all had the hash of 0
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        values[0].hash(&mut hasher);
        let taken = values[1..=MAX_COLLISIONS].iter().zip(100..).collect();
        classes.known.insert(hasher.finish(), taken);
        assert_ne!(classes.of(&values[0]), classes.of(&values[0]));
    }

    proptest! {
        #[test]
        fn pairs_are_equal_ascending_and_as_many_as_there_can_be(
            from in vec_of(0..5_u8, 0..40), to in vec_of(0..5_u8, 0..40),
        ) {
            let pairs = pairs(&from, &to).expect("within the limits");
            prop_assert!(pairs.iter().all(|(old, new)| from[*old] == to[*new]));
            prop_assert!(pairs.is_sorted_by(|one, next| one.0 < next.0 && one.1 < next.1));
            prop_assert_eq!(pairs.len(), longest(&from, &to));
        }
    }
}
