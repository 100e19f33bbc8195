//! The sequence under lists and objects: shared in parts, so that a change copies a part and not
//! the whole.
//!
//! ```text
//! up to 256 items    One ──> [ item item … ]
//!
//! more               Many ─> [ start 0 │ start 128 │ start 256 │ … ]
//!                               │           │           └─> [ item item … ]     at most 256 each
//!                               │           └─> [ item item … ]
//!                               └─> [ item item … ]
//! ```
//!
//! Every arrow is an `Arc`. Who changes an item while others hold the sequence copies the row of
//! chunks and one chunk: about `n / 128 + 256` pointers of a sequence of `n`. Who holds it alone
//! changes it in place. Two levels are not a tree that grows with the logarithm, but at 100 000
//! items the two rows weigh the same, and nothing needs to be balanced.
//!
//! Each level also keeps what is under it in sum, so that limits can be held against a value
//! without walking it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::iter;

/// Items of a chunk at most. A larger one makes copies dearer, a smaller one the row of chunks.
const MAX: usize = 256;

/// Items of a chunk when a long sequence is made at once: room for some to be inserted before the
/// chunk is cut.
const FILL: usize = MAX / 2;

/// What a value is in sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measure {
    /// Bytes of memory; parts that are shared count as often as they occur.
    pub(super) weight: usize,
    /// Levels of lists and objects; nothing for a plain value.
    pub(super) height: usize,
}

/// What a sequence can hold.
pub(super) trait Item: Clone {
    /// The item in sum, without a walk.
    fn measure(&self) -> Measure;
}

/// A sequence of items.
#[derive(Clone, Debug)]
pub(super) enum Chunks<T> {
    One(Arc<Chunk<T>>),
    /// At least two, none of them empty.
    Many(Arc<Row<T>>),
}

#[derive(Clone, Debug)]
pub(super) struct Chunk<T> {
    items: Vec<T>,
    sum: Measure,
}

#[derive(Clone, Debug)]
pub(super) struct Row<T> {
    parts: Vec<Part<T>>,
    len: usize,
    sum: Measure,
}

#[derive(Clone, Debug)]
struct Part<T> {
    /// The index of its first item.
    start: usize,
    chunk: Arc<Chunk<T>>,
}

impl<T: Item> Chunks<T> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(chunk) => chunk.items.len(),
            Self::Many(row) => row.len,
        }
    }

    /// All items in sum.
    pub(super) fn measure(&self) -> Measure {
        match self {
            Self::One(chunk) => chunk.sum,
            Self::Many(row) => row.sum,
        }
    }

    /// True if both are one and the same memory; false says nothing.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One(one), Self::One(other)) => Arc::ptr_eq(one, other),
            (Self::Many(one), Self::Many(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        let (chunk, offset) = self.locate(at);
        chunk.items.get(offset)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        let (one, parts) = match self {
            Self::One(chunk) => (&chunk.items[..], &[][..]),
            Self::Many(row) => (&[][..], &row.parts[..]),
        };
        one.iter().chain(parts.iter().flat_map(|part| part.chunk.items.iter()))
    }

    /// Where the item is that `order` calls equal, or where it would be, in a sequence of ascending
    /// order.
    pub(super) fn search(&self, order: impl Fn(&T) -> Ordering) -> Result<usize, usize> {
        let (start, chunk) = match self {
            Self::One(chunk) => (0, chunk),
            Self::Many(row) => {
                let after = row.parts.partition_point(|part| order(&part.chunk.items[0]).is_le());
                let part = &row.parts[after.saturating_sub(1)];
                (part.start, &part.chunk)
            }
        };
        match chunk.items.binary_search_by(order) {
            Ok(at) => Ok(start + at),
            Err(at) => Err(start + at),
        }
    }

    /// Changes the item at `at`, which must be there.
    pub(super) fn modify<R>(&mut self, at: usize, change: impl FnOnce(&mut T) -> R) -> R {
        match self {
            Self::One(chunk) => Arc::make_mut(chunk).modify(at, change),
            Self::Many(row) => {
                let row = Arc::make_mut(row);
                let part = row.part(at);
                row.with(part, |chunk, start| chunk.modify(at - start, change))
            }
        }
    }

    /// Inserts before `at`, which is at most the length.
    pub(super) fn insert(&mut self, at: usize, item: T) {
        match self {
            Self::One(chunk) => {
                let chunk = Arc::make_mut(chunk);
                chunk.insert(at, item);
                if chunk.items.len() > MAX {
                    *self = core::mem::take(&mut chunk.items).into();
                }
            }
            Self::Many(row) => Arc::make_mut(row).insert(at, item),
        }
    }

    /// Takes out the item at `at`, which must be there.
    pub(super) fn remove(&mut self, at: usize) -> T {
        match self {
            Self::One(chunk) => Arc::make_mut(chunk).remove(at),
            Self::Many(row) => {
                let row = Arc::make_mut(row);
                let item = row.remove(at);
                if let [part] = &row.parts[..] {
                    *self = Self::One(part.chunk.clone());
                }
                item
            }
        }
    }

    /// How many items from `at` on are one and the same memory as those of `other` from `other_at`
    /// on, as far as that shows at once.
    pub(super) fn shared_ahead(&self, at: usize, other: &Self, other_at: usize) -> usize {
        let (chunk, offset) = self.locate(at);
        let (other_chunk, other_offset) = other.locate(other_at);
        let shared = Arc::ptr_eq(chunk, other_chunk) && offset == other_offset;
        if shared { chunk.items.len().saturating_sub(offset) } else { 0 }
    }

    /// The same for the items up to and with `at` and `other_at`.
    pub(super) fn shared_behind(&self, at: usize, other: &Self, other_at: usize) -> usize {
        let (chunk, offset) = self.locate(at);
        let (other_chunk, other_offset) = other.locate(other_at);
        let shared = Arc::ptr_eq(chunk, other_chunk) && offset == other_offset;
        if shared { offset + 1 } else { 0 }
    }

    /// The chunk of item `at`, and where in it; past the end, the last chunk and more than it has.
    fn locate(&self, at: usize) -> (&Arc<Chunk<T>>, usize) {
        match self {
            Self::One(chunk) => (chunk, at),
            Self::Many(row) => {
                let part = &row.parts[row.part(at)];
                (&part.chunk, at - part.start)
            }
        }
    }
}

impl<T: Item + Eq> Eq for Chunks<T> {}

/// Stops at parts that are shared.
impl<T: Item + PartialEq> PartialEq for Chunks<T> {
    fn eq(&self, other: &Self) -> bool {
        if self.same(other) {
            return true;
        }
        if self.len() != other.len() {
            return false;
        }
        let mut at = 0;
        while at < self.len() {
            let shared = self.shared_ahead(at, other, at);
            if shared == 0 && self.get(at) != other.get(at) {
                return false;
            }
            at += shared.max(1);
        }
        true
    }
}

impl<T: Item> From<Vec<T>> for Chunks<T> {
    fn from(items: Vec<T>) -> Self {
        if items.len() <= MAX {
            return Self::One(Arc::new(items.into()));
        }
        let len = items.len();
        let mut items = items.into_iter();
        let next = || {
            let chunk: Vec<T> = items.by_ref().take(FILL).collect();
            (!chunk.is_empty()).then_some(chunk)
        };
        let chunks = iter::from_fn(next).enumerate();
        let part = |(index, chunk): (usize, Vec<T>)| Part {
            start: index * FILL,
            chunk: Arc::new(chunk.into()),
        };
        let parts: Vec<_> = chunks.map(part).collect();
        let sum = Measure::sum(parts.iter().map(|part| part.chunk.sum));
        Self::Many(Arc::new(Row { parts, len, sum }))
    }
}

impl<T: Item> Default for Chunks<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T: Item> Row<T> {
    /// The part that has item `at`; past the end, the last.
    fn part(&self, at: usize) -> usize {
        self.parts.partition_point(|part| part.start <= at) - 1
    }

    /// Changes a chunk and keeps the sum; `change` gets the index of its first item too.
    fn with<R>(&mut self, part: usize, change: impl FnOnce(&mut Chunk<T>, usize) -> R) -> R {
        let Part { start, chunk } = &mut self.parts[part];
        let chunk = Arc::make_mut(chunk);
        let before = chunk.sum;
        let result = change(chunk, *start);
        let after = chunk.sum;
        let parts = &self.parts;
        self.sum.replace(before, after, || parts.iter().map(|part| part.chunk.sum));
        result
    }

    fn insert(&mut self, at: usize, item: T) {
        let part = self.part(at);
        let cut = self.with(part, |chunk, start| {
            chunk.insert(at - start, item);
            (chunk.items.len() > MAX).then(|| chunk.cut())
        });
        if let Some(cut) = cut {
            // `with` took it for lost
            let sum = cut.sum;
            self.parts.insert(part + 1, Part { start: 0, chunk: Arc::new(cut) });
            self.sum.add(sum);
        }
        self.len += 1;
        self.renumber(part);
    }

    fn remove(&mut self, at: usize) -> T {
        let part = self.part(at);
        let item = self.with(part, |chunk, start| chunk.remove(at - start));
        let len = |index: usize| self.parts.get(index).map(|part| part.chunk.items.len());
        if len(part) == Some(0) {
            self.parts.remove(part);
        } else if len(part).zip(len(part + 1)).is_some_and(|(one, next)| one + next <= FILL) {
            let next = self.parts.remove(part + 1);
            Arc::make_mut(&mut self.parts[part].chunk).append(&next.chunk);
        }
        self.len -= 1;
        self.renumber(part.saturating_sub(1));
        item
    }

    /// Sets the starts anew, from part `from` on, whose own is right unless it is the first.
    fn renumber(&mut self, from: usize) {
        let mut start = if from == 0 { 0 } else { self.parts[from].start };
        for part in self.parts.iter_mut().skip(from) {
            part.start = start;
            start += part.chunk.items.len();
        }
    }
}

impl<T: Item> Chunk<T> {
    fn modify<R>(&mut self, at: usize, change: impl FnOnce(&mut T) -> R) -> R {
        let item = &mut self.items[at];
        let before = item.measure();
        let result = change(item);
        let after = item.measure();
        self.replaced(before, after);
        result
    }

    fn insert(&mut self, at: usize, item: T) {
        self.sum.add(item.measure());
        self.items.insert(at, item);
    }

    fn remove(&mut self, at: usize) -> T {
        let item = self.items.remove(at);
        self.replaced(item.measure(), Measure::default());
        item
    }

    fn append(&mut self, other: &Self) {
        self.items.extend_from_slice(&other.items);
        self.sum.add(other.sum);
    }

    /// Cuts the second half off.
    fn cut(&mut self) -> Self {
        let second: Self = self.items.split_off(self.items.len() / 2).into();
        self.sum = Measure::sum(self.items.iter().map(T::measure));
        second
    }

    fn replaced(&mut self, before: Measure, after: Measure) {
        let items = &self.items;
        self.sum.replace(before, after, || items.iter().map(T::measure));
    }
}

impl<T: Item> From<Vec<T>> for Chunk<T> {
    fn from(mut items: Vec<T>) -> Self {
        items.shrink_to_fit();
        let sum = Measure::sum(items.iter().map(T::measure));
        Self { items, sum }
    }
}

impl Measure {
    fn sum(all: impl Iterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        all.for_each(|one| sum.add(one));
        sum
    }

    fn add(&mut self, one: Self) {
        self.weight = self.weight.saturating_add(one.weight);
        self.height = self.height.max(one.height);
    }

    /// One of those in the sum has become another; `all` are the measures that the sum is of now.
    fn replace<I: Iterator<Item = Self>>(
        &mut self,
        before: Self,
        after: Self,
        all: impl FnOnce() -> I,
    ) {
        self.weight = self.weight.saturating_sub(before.weight).saturating_add(after.weight);
        if after.height < before.height && before.height == self.height {
            // the highest has shrunk; mostly the first that is looked at is as high
            let top = self.height;
            let mut highest = 0;
            for one in all() {
                highest = highest.max(one.height);
                if highest == top {
                    break;
                }
            }
            self.height = highest;
        } else {
            self.height = self.height.max(after.height);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    impl Item for u32 {
        fn measure(&self) -> Measure {
            Measure { weight: *self as usize, height: *self as usize % 50 }
        }
    }

    /// How long the sequences are: several parts, and under Miri, which is slow, two or three.
    const LONG: u32 = if cfg!(miri) { MAX as u32 + 50 } else { 900 };
    const MORE: u32 = if cfg!(miri) { 20 } else { 300 };
    const STEPS: usize = if cfg!(miri) { 3 } else { 20 };

    /// What must hold of any sequence, beside that it has these items.
    #[track_caller]
    fn check(chunks: &Chunks<u32>, items: &[u32]) {
        assert!(chunks.iter().eq(items));
        assert!(chunks.iter().rev().eq(items.iter().rev()));
        assert_eq!(chunks.len(), items.len());
        assert_eq!(chunks.measure(), Measure::sum(items.iter().map(Item::measure)));
        assert_eq!(*chunks, Chunks::from(items.to_vec()));
        match chunks {
            Chunks::One(chunk) => assert!(chunk.items.len() <= MAX),
            Chunks::Many(row) => {
                assert!(row.parts.len() > 1);
                let mut start = 0;
                for part in &row.parts {
                    assert_eq!(part.start, start);
                    assert!((1..=MAX).contains(&part.chunk.items.len()));
                    start += part.chunk.items.len();
                }
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Modify(Index, u32),
        Insert(Index, u32),
        Remove(Index),
        /// As many as it takes to empty parts.
        RemoveMany(Index, usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (any::<Index>(), 0..1_000_u32).prop_map(|(at, item)| Step::Modify(at, item)),
            (any::<Index>(), 0..1_000_u32).prop_map(|(at, item)| Step::Insert(at, item)),
            any::<Index>().prop_map(Step::Remove),
            (any::<Index>(), 0..MORE as usize).prop_map(|(at, count)| Step::RemoveMany(at, count)),
        ];
        vec(step, 0..STEPS)
    }

    proptest! {
        #[test]
        fn as_a_vec(len in 0..LONG, at in any::<Index>(), more in 0..MORE, steps in steps()) {
            let mut items: Vec<u32> = (0..len).collect();
            let mut chunks = Chunks::from(items.clone());
            check(&chunks, &items);
            // many at one place, which cuts chunks
            let place = at.index(items.len() + 1);
            for item in 0..more {
                items.insert(place, item);
                chunks.insert(place, item);
            }
            check(&chunks, &items);
            for step in steps {
                let (held, before) = (chunks.clone(), items.clone());
                match step {
                    Step::Insert(at, item) => {
                        let at = at.index(items.len() + 1);
                        items.insert(at, item);
                        chunks.insert(at, item);
                    }
                    _ if items.is_empty() => {}
                    Step::Modify(at, item) => {
                        let at = at.index(items.len());
                        items[at] = item;
                        chunks.modify(at, |old| *old = item);
                    }
                    Step::Remove(at) => {
                        let at = at.index(items.len());
                        prop_assert_eq!(chunks.remove(at), items.remove(at));
                    }
                    Step::RemoveMany(at, count) => {
                        let at = at.index(items.len());
                        for _ in 0..count.min(items.len() - at) {
                            prop_assert_eq!(chunks.remove(at), items.remove(at));
                        }
                    }
                }
                check(&chunks, &items);
                check(&held, &before);
            }
        }

        #[test]
        fn search_finds_what_is_there(mut items in vec(0..2_000_u32, 0..LONG as usize), of in 0..2_000_u32) {
            items.sort_unstable();
            items.dedup();
            let chunks = Chunks::from(items.clone());
            prop_assert_eq!(chunks.search(|item| item.cmp(&of)), items.binary_search(&of));
        }
    }

    /// The parts that are not the same memory.
    fn copied(one: &Chunks<u32>, other: &Chunks<u32>) -> usize {
        let (Chunks::Many(one), Chunks::Many(other)) = (one, other) else { panic!("short ones") };
        let parts = one.parts.iter().zip(&other.parts);
        parts.filter(|(one, other)| !Arc::ptr_eq(&one.chunk, &other.chunk)).count()
    }

    #[test]
    fn a_change_copies_one_part() {
        // Miri is slow
        let len: usize = if cfg!(miri) { 1_000 } else { 100_000 };
        let middle = len / 2;
        let before: Chunks<u32> = (0..len as u32).collect::<Vec<_>>().into();
        let mut after = before.clone();
        after.modify(middle, |item| *item = 0);
        after.remove(middle + 1);
        assert_eq!(copied(&before, &after), 1);
        assert_eq!(before.get(middle + 1), Some(&(middle as u32 + 1)));
        // all before it, and from where the parts meet again
        assert_eq!(after.shared_ahead(0, &before, 0), FILL);
        assert_eq!(after.shared_ahead(middle + 1, &before, middle + 1), 0);
        assert_eq!(after.shared_ahead(len - 2, &before, len - 1), 1);
        assert_eq!(after.shared_behind(len - 2, &before, len - 1), len % FILL);
    }
}
