//! The sequence under lists and objects: a tree of small nodes, shared in parts, so that a change
//! copies a few nodes and not the whole.
//!
//! ```text
//! up to 32 items     Leaf ──> [ item item … ]
//!
//! more               Branch ─> [ up to 24 │ up to 48 │ up to 69 │ … ]         at most 32 each
//!                                 │           │           └─> [ item item … ]
//!                                 │           └─> [ item item … ]
//!                                 └─> [ item item … ]
//! ```
//!
//! Every arrow is an `Arc`, all leaves are at the same depth, and a branch knows how many items are
//! under each of its children. So finding an item, changing it, inserting and removing take one
//! node a level: of four million items, five. Who changes an item while others hold the sequence
//! copies those nodes; who holds it alone changes them in place.
//!
//! Each node also keeps what is under it in sum, so that limits can be held against a value without
//! walking it.

mod branch;
mod iter;
mod leaf;
mod measure;
#[cfg(test)]
mod tests;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use branch::Branch;
use iter::Iter;
use leaf::Leaf;
pub(super) use measure::Measure;

/// Items of a leaf, and children of a branch, at most. With more, copies are dearer; with fewer,
/// there are more levels.
const MAX: usize = 32;

/// As many when a long sequence is made at once: room for some to be inserted before a node is cut.
const FILL: usize = MAX / 4 * 3;

/// Two neighbours with no more than this together become one.
const FEW: usize = MAX / 2;

/// What a sequence can hold.
pub(super) trait Item: Clone {
    /// The item in sum, without a walk.
    fn measure(&self) -> Measure;
}

/// A sequence of items, and any part of one.
#[derive(Debug)]
pub(super) enum Chunks<T> {
    Leaf(Arc<Leaf<T>>),
    /// The whole of a sequence has at least two children. None below has none.
    Branch(Arc<Branch<T>>),
}

impl<T> Clone for Chunks<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(leaf.clone()),
            Self::Branch(branch) => Self::Branch(branch.clone()),
        }
    }
}

impl<T: Item> Chunks<T> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.items().len(),
            Self::Branch(branch) => branch.len(),
        }
    }

    /// All items in sum.
    pub(super) fn measure(&self) -> Measure {
        match self {
            Self::Leaf(leaf) => leaf.sum(),
            Self::Branch(branch) => branch.sum(),
        }
    }

    /// True if both are one and the same memory; false says nothing.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leaf(one), Self::Leaf(other)) => Arc::ptr_eq(one, other),
            (Self::Branch(one), Self::Branch(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        let (items, offset) = self.locate(at);
        items.get(offset)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        Iter::new(self)
    }

    /// Where the item is that `order` calls equal, or where it would be, in a sequence of ascending
    /// order.
    pub(super) fn search(&self, order: impl Fn(&T) -> Ordering) -> Result<usize, usize> {
        let (mut node, mut start) = (self, 0);
        while let Self::Branch(branch) = node {
            let (child, before) = branch.last_that(|child| order(child.first()).is_le());
            (node, start) = (child, start + before);
        }
        let found = node.locate(0).0.binary_search_by(order);
        found.map(|at| start + at).map_err(|at| start + at)
    }

    /// Changes the item at `at`, which must be there.
    pub(super) fn modify<R>(&mut self, at: usize, change: impl FnOnce(&mut T) -> R) -> R {
        match self {
            Self::Leaf(leaf) => Arc::make_mut(leaf).modify(at, change),
            Self::Branch(branch) => {
                let changed = Arc::make_mut(branch).with(at, |child, at| child.modify(at, change));
                changed.1
            }
        }
    }

    /// Inserts before `at`, which is at most the length.
    pub(super) fn insert(&mut self, at: usize, item: T) {
        if let Some(rest) = self.put(at, item) {
            let first = self.clone();
            *self = Self::Branch(Arc::new(Branch::of([first, rest])));
        }
    }

    /// Takes out the item at `at`, which must be there.
    pub(super) fn remove(&mut self, at: usize) -> T {
        let item = self.take(at);
        while let Self::Branch(branch) = self
            && let Some(only) = branch.only()
        {
            *self = only.clone();
        }
        item
    }

    /// How many items from `at` on are one and the same memory as those of `other` from `other_at`
    /// on, as far as that shows at once.
    pub(super) fn shared_ahead(&self, at: usize, other: &Self, other_at: usize) -> usize {
        let shared = self.shared(at, other, other_at);
        shared.map_or(0, |(node, offset)| node.len().saturating_sub(offset))
    }

    /// The same for the items up to and with `at` and `other_at`.
    pub(super) fn shared_behind(&self, at: usize, other: &Self, other_at: usize) -> usize {
        self.shared(at, other, other_at).map_or(0, |(_, offset)| offset + 1)
    }

    /// The largest part that is the same memory in both, and has `at` and `other_at` at the same
    /// place; and that place in it.
    fn shared(
        &self,
        mut at: usize,
        mut other: &Self,
        mut other_at: usize,
    ) -> Option<(&Self, usize)> {
        let mut one = self;
        while !one.same(other) {
            let (height, other_height) = (one.height(), other.height());
            if height == 0 && other_height == 0 {
                return None;
            }
            if height >= other_height {
                (one, at) = one.below(at);
            }
            if other_height >= height {
                (other, other_at) = other.below(other_at);
            }
        }
        (at == other_at).then_some((one, at))
    }

    /// The leaf of item `at`, and where in it; past the end, the last leaf and more than it has.
    fn locate(&self, mut at: usize) -> (&[T], usize) {
        let mut node = self;
        loop {
            match node {
                Self::Leaf(leaf) => return (leaf.items(), at),
                Self::Branch(_) => (node, at) = node.below(at),
            }
        }
    }

    /// The child that has item `at`, and where in it. A leaf is its own.
    fn below(&self, at: usize) -> (&Self, usize) {
        match self {
            Self::Leaf(_) => (self, at),
            Self::Branch(branch) => branch.child(at),
        }
    }

    /// The first item; nothing below a whole sequence is empty.
    fn first(&self) -> &T {
        &self.locate(0).0[0]
    }

    /// Levels of branches above the leaves.
    fn height(&self) -> usize {
        match self {
            Self::Leaf(_) => 0,
            Self::Branch(branch) => branch.height(),
        }
    }

    /// Items of a leaf, children of a branch.
    fn width(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.items().len(),
            Self::Branch(branch) => branch.width(),
        }
    }

    /// Inserts, and gives the rest of a node that is too wide then.
    fn put(&mut self, at: usize, item: T) -> Option<Self> {
        match self {
            Self::Leaf(leaf) => {
                let rest = Arc::make_mut(leaf).insert(at, item);
                rest.map(|rest| Self::Leaf(Arc::new(rest)))
            }
            Self::Branch(branch) => {
                let rest = Arc::make_mut(branch).insert(at, item);
                rest.map(|rest| Self::Branch(Arc::new(rest)))
            }
        }
    }

    /// Takes an item out. The node may be left with few, or with none.
    fn take(&mut self, at: usize) -> T {
        match self {
            Self::Leaf(leaf) => Arc::make_mut(leaf).remove(at),
            Self::Branch(branch) => Arc::make_mut(branch).remove(at),
        }
    }

    /// Appends another node of the same height.
    fn append(&mut self, next: Self) {
        match (self, next) {
            (Self::Leaf(leaf), Self::Leaf(next)) => {
                Arc::make_mut(leaf).append(Arc::unwrap_or_clone(next));
            }
            (Self::Branch(branch), Self::Branch(next)) => {
                Arc::make_mut(branch).append(Arc::unwrap_or_clone(next));
            }
            _ => unreachable!("neighbours are of one height"),
        }
    }
}

impl<T: Item + Eq> Eq for Chunks<T> {}

/// Stops at parts that are shared.
impl<T: Item + PartialEq> PartialEq for Chunks<T> {
    fn eq(&self, other: &Self) -> bool {
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
            return Self::Leaf(Arc::new(items.into()));
        }
        let mut nodes: Vec<Self> =
            cut_up(items).map(|items| Self::Leaf(Arc::new(items.into()))).collect();
        while nodes.len() > 1 {
            let branch = |children| Self::Branch(Arc::new(Branch::of(children)));
            nodes = match nodes.len() <= MAX {
                true => [branch(nodes)].into(),
                false => cut_up(nodes).map(branch).collect(),
            };
        }
        nodes.pop().unwrap_or_default()
    }
}

impl<T: Item> Default for Chunks<T> {
    fn default() -> Self {
        Self::Leaf(Arc::new(Vec::new().into()))
    }
}

/// In runs of [`FILL`], the last of what is left.
fn cut_up<T>(all: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut all = all.into_iter();
    core::iter::from_fn(move || {
        let run: Vec<T> = all.by_ref().take(FILL).collect();
        (!run.is_empty()).then_some(run)
    })
}
