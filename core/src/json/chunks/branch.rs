use alloc::vec::Vec;

use super::{Chunks, FEW, Item, MAX, Measure};

/// Parts of a sequence one after the other, all of one height.
#[derive(Clone, Debug)]
pub(in crate::json) struct Branch<T> {
    children: Vec<Child<T>>,
    height: usize,
    sum: Measure,
}

#[derive(Debug)]
struct Child<T> {
    /// Items up to the end of it.
    end: usize,
    node: Chunks<T>,
}

impl<T> Clone for Child<T> {
    fn clone(&self) -> Self {
        Self { end: self.end, node: self.node.clone() }
    }
}

impl<T: Item> Branch<T> {
    /// Of `nodes`, which are of one height and not empty.
    pub(super) fn of(nodes: impl IntoIterator<Item = Chunks<T>>) -> Self {
        let mut end = 0;
        let child = |node: Chunks<T>| {
            end += node.len();
            Child { end, node }
        };
        let children: Vec<_> = nodes.into_iter().map(child).collect();
        let height = children.first().map_or(0, |child| child.node.height()) + 1;
        let sum = sum(&children);
        Self { children, height, sum }
    }

    pub(super) fn len(&self) -> usize {
        self.children.last().map_or(0, |child| child.end)
    }

    pub(super) fn sum(&self) -> Measure {
        self.sum
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    pub(super) fn width(&self) -> usize {
        self.children.len()
    }

    /// Its child, if it has one and no more.
    pub(super) fn only(&self) -> Option<&Chunks<T>> {
        match &self.children[..] {
            [only] => Some(&only.node),
            _ => None,
        }
    }

    /// The child that has item `at`, and where in it; past the end, the last.
    pub(super) fn child(&self, at: usize) -> (&Chunks<T>, usize) {
        let index = self.index(at);
        (&self.children[index].node, at - self.start(index))
    }

    /// The last child of those that `is_before` holds for, which are the first ones, and how many
    /// items are before it; the first if there is none.
    pub(super) fn last_that(&self, is_before: impl Fn(&Chunks<T>) -> bool) -> (&Chunks<T>, usize) {
        let after = self.children.partition_point(|child| is_before(&child.node));
        let index = after.saturating_sub(1);
        (&self.children[index].node, self.start(index))
    }

    /// Changes the child that has item `at`, and keeps count of it; `change` is told where in it.
    /// Gives which child it was, too.
    pub(super) fn with<R>(
        &mut self,
        at: usize,
        change: impl FnOnce(&mut Chunks<T>, usize) -> R,
    ) -> (usize, R) {
        let index = self.index(at);
        let start = self.start(index);
        let Child { end, node } = &mut self.children[index];
        let before = node.measure();
        let result = change(node, at - start);
        let (len_before, len, after) = (*end - start, node.len(), node.measure());
        if len != len_before {
            for child in &mut self.children[index..] {
                child.end = child.end - len_before + len;
            }
        }
        let children = &self.children;
        self.sum.replace(before, after, || children.iter().map(|child| child.node.measure()));
        (index, result)
    }

    /// Inserts, and gives the rest if there are too many children then.
    pub(super) fn insert(&mut self, at: usize, item: T) -> Option<Self> {
        let (index, rest) = self.with(at, |child, at| child.put(at, item));
        let node = rest?;
        let (len, start) = (node.len(), self.children[index].end);
        self.sum.add(node.measure());
        for child in &mut self.children[index + 1..] {
            child.end += len;
        }
        self.children.insert(index + 1, Child { end: start + len, node });
        // a node that is cut at its end leaves little behind it
        self.join(index + 1);
        (self.children.len() > MAX).then(|| self.cut(index + 1))
    }

    pub(super) fn remove(&mut self, at: usize) -> T {
        let (index, item) = self.with(at, Chunks::take);
        if self.children[index].node.width() == 0 {
            self.children.remove(index);
        } else {
            self.join(index);
            self.join(index.wrapping_sub(1));
        }
        item
    }

    /// Appends the children of another branch of the same height.
    pub(super) fn append(&mut self, next: Self) {
        let (seam, len) = (self.children.len() - 1, self.len());
        let moved = next.children.into_iter();
        self.children.extend(moved.map(|child| Child { end: child.end + len, ..child }));
        self.sum.add(next.sum);
        self.join(seam);
    }

    /// Makes one of child `index` and the next, if there are both and they are small. So any two
    /// neighbours have more than [`FEW`], and the height goes with the logarithm of the length.
    fn join(&mut self, index: usize) {
        let next = index.wrapping_add(1);
        if let (Some(one), Some(other)) = (self.children.get(index), self.children.get(next))
            && one.node.width() + other.node.width() <= FEW
        {
            let next = self.children.remove(next);
            self.children[index].end = next.end;
            self.children[index].node.append(next.node);
        }
    }

    /// Cuts it in two after a child came to `index`: at the end of a sequence that grows there, so
    /// that full ones stay behind.
    fn cut(&mut self, index: usize) -> Self {
        let last = self.children.len() - 1;
        let at = if index == last { last } else { self.children.len() / 2 };
        let rest = self.children.split_off(at);
        self.sum = sum(&self.children);
        Self::of(rest.into_iter().map(|child| child.node))
    }

    /// The child that has item `at`; past the end, the last.
    fn index(&self, at: usize) -> usize {
        let index = self.children.partition_point(|child| child.end <= at);
        index.min(self.children.len() - 1)
    }

    /// Items before child `index`.
    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.children[index - 1].end }
    }

    #[cfg(test)]
    pub(super) fn nodes(&self) -> impl Iterator<Item = (usize, &Chunks<T>)> {
        self.children.iter().map(|child| (child.end, &child.node))
    }
}

fn sum<T: Item>(children: &[Child<T>]) -> Measure {
    Measure::sum(children.iter().map(|child| child.node.measure()))
}
