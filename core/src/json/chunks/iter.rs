use core::slice;

use super::{Chunks, Item};

/// The items in order, from both ends, a leaf at a time.
pub(super) struct Iter<'a, T> {
    all: &'a Chunks<T>,
    /// The leaf that is given from the front.
    front: slice::Iter<'a, T>,
    /// Where the leaves begin and end that neither end has come to.
    next: usize,
    end: usize,
    back: slice::Iter<'a, T>,
}

impl<'a, T: Item> Iter<'a, T> {
    pub(super) fn new(all: &'a Chunks<T>) -> Self {
        Self { all, front: [].iter(), next: 0, end: all.len(), back: [].iter() }
    }
}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Self { front: self.front.clone(), back: self.back.clone(), ..*self }
    }
}

impl<'a, T: Item> Iterator for Iter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        if let Some(item) = self.front.next() {
            return Some(item);
        }
        if self.next == self.end {
            return self.back.next();
        }
        let (leaf, _) = self.all.locate(self.next);
        self.front = leaf.iter();
        self.next += leaf.len();
        self.front.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.front.len() + (self.end - self.next) + self.back.len();
        (left, Some(left))
    }
}

impl<'a, T: Item> DoubleEndedIterator for Iter<'a, T> {
    #[inline]
    fn next_back(&mut self) -> Option<&'a T> {
        if let Some(item) = self.back.next_back() {
            return Some(item);
        }
        if self.next == self.end {
            return self.front.next_back();
        }
        let (leaf, _) = self.all.locate(self.end - 1);
        self.back = leaf.iter();
        self.end -= leaf.len();
        self.back.next_back()
    }
}
