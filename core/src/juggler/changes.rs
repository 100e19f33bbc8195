//! Where a state was changed since the last flush.
//!
//! ```text
//! set /a/b, set /a/c/2, remove /d/0  root ─ a ─ b *
//!                                       │   └─ c ─ 2 *  * compared as a whole
//!                                       └─ d *          an element that goes moves those behind it
//! ```

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::json::{Operation, Pointer, Token, Value, diff_into, shorten};

/// Places that are remembered one by one; with more, the whole is compared, which stops at parts
/// that have not changed. Each takes some hundred bytes.
const MAX_PLACES: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Changes {
    root: Place,
    /// How many places there are.
    places: usize,
}

#[derive(Debug, Default)]
struct Place {
    /// True if this is compared as a whole; then there is none below.
    whole: bool,
    below: BTreeMap<Key, Place>,
}

/// A token, once it is known what it is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Element(usize),
    Member(Arc<str>),
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        !self.root.whole && self.root.below.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Remembers that the part at `tokens` was set, or taken out of an object; `value` is the
    /// whole, after that.
    pub(super) fn mark(&mut self, value: &Value, tokens: &[Token]) {
        let mut place = &mut self.root;
        let mut here = Some(value);
        for token in tokens {
            if place.whole {
                return;
            }
            let (key, child) = match here {
                Some(Value::Array(array)) => {
                    let last = array.len().saturating_sub(1);
                    let index = token.as_index().unwrap_or(last);
                    (Key::Element(index), array.get(index))
                }
                Some(Value::Object(object)) => {
                    let name = match token {
                        Token::Name(name) => name.clone(),
                        Token::Index(_) => token.as_name().into(),
                    };
                    let child = object.get(&name);
                    (Key::Member(name), child)
                }
                _ => break,
            };
            here = child;
            place = place.below.entry(key).or_insert_with(|| {
                self.places += 1;
                Place::default()
            });
        }
        place.whole = true;
        self.places -= place.len_below();
        place.below.clear();
        if self.places > MAX_PLACES {
            self.root = Place { whole: true, below: BTreeMap::new() };
            self.places = 0;
        }
    }

    /// What makes `to`, which has these changes, of `from`.
    pub(super) fn operations(&self, from: &Value, to: &Value) -> Vec<Operation> {
        let mut operations = Vec::new();
        self.root.compare(from, to, &mut Pointer::root(), &mut operations);
        operations
    }
}

impl Place {
    fn compare(
        &self,
        from: &Value,
        to: &Value,
        path: &mut Pointer,
        operations: &mut Vec<Operation>,
    ) {
        let before = operations.len();
        match (from, to) {
            (Value::Object(from), Value::Object(to)) if !self.whole => {
                for (key, place) in &self.below {
                    let Key::Member(name) = key else { continue };
                    path.push(Token::Name(name.clone()));
                    match (from.get(name), to.get(name)) {
                        (Some(from), Some(to)) => place.compare(from, to, path, operations),
                        (Some(_), None) => {
                            operations.push(Operation::Remove { path: path.clone() });
                        }
                        (None, Some(to)) => {
                            operations
                                .push(Operation::Add { path: path.clone(), value: to.clone() });
                        }
                        (None, None) => {}
                    }
                    path.pop();
                }
            }
            (Value::Array(from), Value::Array(to)) if !self.whole && from.len() == to.len() => {
                for (key, place) in &self.below {
                    let Key::Element(index) = key else { continue };
                    let Some((from, to)) = from.get(*index).zip(to.get(*index)) else { continue };
                    path.push(Token::Index(*index));
                    place.compare(from, to, path, operations);
                    path.pop();
                }
            }
            _ => return diff_into(from, to, path, operations),
        }
        shorten(before, to, path, operations);
    }

    fn len_below(&self) -> usize {
        self.below.values().map(|place| 1 + place.len_below()).sum()
    }
}
