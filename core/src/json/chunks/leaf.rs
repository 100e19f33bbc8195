use alloc::vec::Vec;

use super::{Item, MAX, Measure};

/// Items one after the other.
#[derive(Clone, Debug)]
pub(in crate::json) struct Leaf<T> {
    items: Vec<T>,
    sum: Measure,
}

impl<T: Item> Leaf<T> {
    pub(super) fn items(&self) -> &[T] {
        &self.items
    }

    pub(super) fn sum(&self) -> Measure {
        self.sum
    }

    pub(super) fn modify<R>(&mut self, at: usize, change: impl FnOnce(&mut T) -> R) -> R {
        let item = &mut self.items[at];
        let before = item.measure();
        let result = change(item);
        let after = item.measure();
        self.replaced(before, after);
        result
    }

    /// Inserts, and gives the rest if there are too many then: half of them, or one at the end of a
    /// sequence that grows there, so that full ones stay behind.
    pub(super) fn insert(&mut self, at: usize, item: T) -> Option<Self> {
        self.sum.add(item.measure());
        self.items.insert(at, item);
        if self.items.len() <= MAX {
            return None;
        }
        let rest = self.items.split_off(if at == MAX { MAX } else { MAX / 2 });
        self.sum = sum(&self.items);
        Some(rest.into())
    }

    pub(super) fn remove(&mut self, at: usize) -> T {
        let item = self.items.remove(at);
        self.replaced(item.measure(), Measure::default());
        item
    }

    pub(super) fn append(&mut self, mut next: Self) {
        self.items.append(&mut next.items);
        self.sum.add(next.sum);
    }

    fn replaced(&mut self, before: Measure, after: Measure) {
        let items = &self.items;
        self.sum.replace(before, after, || items.iter().map(T::measure));
    }
}

impl<T: Item> From<Vec<T>> for Leaf<T> {
    fn from(mut items: Vec<T>) -> Self {
        items.shrink_to_fit();
        let sum = sum(&items);
        Self { items, sum }
    }
}

fn sum<T: Item>(items: &[T]) -> Measure {
    Measure::sum(items.iter().map(T::measure))
}
