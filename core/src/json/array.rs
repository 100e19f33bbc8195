use alloc::vec::Vec;
use core::fmt;

use super::Value;
use super::chunks::{Chunks, Item, Measure};

/// A list of values. A clone shares the memory; a change copies the part that it is in, unless
/// nobody else holds it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Array {
    pub(super) items: Chunks<Value>,
}

impl Array {
    /// How many values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True if it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `index`, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Value> {
        self.items.get(index)
    }

    /// All values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Value> + Clone {
        self.items.iter()
    }

    /// Appends a value.
    pub fn push(&mut self, value: impl Into<Value>) {
        self.items.insert(self.len(), value.into());
    }

    /// Inserts a value before `index`; false, and nothing done, if that is past the end.
    pub fn insert(&mut self, index: usize, value: impl Into<Value>) -> bool {
        let fits = index <= self.len();
        if fits {
            self.items.insert(index, value.into());
        }
        fits
    }

    /// Puts another value at `index` and returns the one that was there; nothing is done if there
    /// was none.
    pub fn replace(&mut self, index: usize, value: impl Into<Value>) -> Option<Value> {
        self.modify(index, |old| core::mem::replace(old, value.into()))
    }

    /// Takes the value at `index` out, if there is one.
    pub fn remove(&mut self, index: usize) -> Option<Value> {
        (index < self.len()).then(|| self.items.remove(index))
    }

    /// Changes the value at `index`, if there is one.
    pub fn modify<R>(&mut self, index: usize, change: impl FnOnce(&mut Value) -> R) -> Option<R> {
        (index < self.len()).then(|| self.items.modify(index, change))
    }
}

impl Item for Value {
    fn measure(&self) -> Measure {
        Value::measure(self)
    }
}

impl From<Vec<Value>> for Array {
    fn from(values: Vec<Value>) -> Self {
        Self { items: values.into() }
    }
}

impl<V: Into<Value>> FromIterator<V> for Array {
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        values.into_iter().map(Into::into).collect::<Vec<_>>().into()
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
