//! A patch applied: every operation, or none.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem;

use super::{Limits, Operation, Patch, Pointer, Token, Value};

/// Why a patch does not fit a value. Nothing has changed then. Operations count from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatchError {
    /// Nothing is where the path leads to, or would lead through.
    #[error("operation {operation}: there is nothing at `{path}`")]
    Missing {
        /// Which operation.
        operation: usize,
        /// The path.
        path: String,
    },
    /// Something was to be added to a list at no index of it and not at its end: past the end,
    /// negative, with leading zeros, or a name.
    #[error(
        "operation {operation}: `{path}` does not end in an index of the list, which has {len} elements"
    )]
    Index {
        /// Which operation.
        operation: usize,
        /// The path.
        path: String,
        /// The length of the list.
        len: usize,
    },
    /// Something was to be added inside a value that is neither a list nor an object.
    #[error(
        "operation {operation}: `{path}` leads into a value that is neither an object nor a list, but of type {kind}"
    )]
    Inside {
        /// Which operation.
        operation: usize,
        /// The path.
        path: String,
        /// What is there.
        kind: &'static str,
    },
    /// A part was to be moved into itself.
    #[error("operation {operation}: `{from}` cannot move into itself, to `{path}`")]
    IntoItself {
        /// Which operation.
        operation: usize,
        /// What was to be moved.
        from: String,
        /// Where to.
        path: String,
    },
    /// A `test` found something else.
    #[error(
        "operation {operation}: the value at `{path}` is not the one that the operation tests for"
    )]
    Test {
        /// Which operation.
        operation: usize,
        /// The path.
        path: String,
    },
    /// Lists and objects inside each other beyond [`Limits::depth`].
    #[error("after operation {operation}, the value is nested deeper than {limit} levels")]
    TooDeep {
        /// Which operation.
        operation: usize,
        /// The limit.
        limit: usize,
    },
    /// More than [`Limits::size`], parts that are shared counted as often as they occur: who copies
    /// the whole into itself gets here soon.
    #[error("after operation {operation}, the value takes more than {limit} bytes of memory")]
    TooLarge {
        /// Which operation.
        operation: usize,
        /// The limit.
        limit: usize,
    },
}

impl Patch {
    /// Makes all changes to `value`, or none: what was done before an operation that fails is taken
    /// back.
    ///
    /// Each operation costs what its path costs, also a copy of something large: it is shared. What
    /// nobody else holds is changed in place.
    ///
    /// # Errors
    ///
    /// [`PatchError`]: which operation could not be done, and why.
    pub fn apply(&self, value: &mut Value, limits: &Limits) -> Result<(), PatchError> {
        let mut done = Vec::with_capacity(self.0.len());
        let result = self.0.iter().enumerate().try_for_each(|(index, operation)| {
            Step { index, value, done: &mut done }.operation(operation)?;
            if value.depth() > limits.depth {
                return Err(PatchError::TooDeep { operation: index, limit: limits.depth });
            }
            if value.size() > limits.size {
                return Err(PatchError::TooLarge { operation: index, limit: limits.size });
            }
            Ok(())
        });
        if result.is_err() {
            done.into_iter().rev().for_each(|change: Done<'_>| change.take_back(value));
        }
        result
    }
}

/// One operation on its way.
struct Step<'a, 'v> {
    index: usize,
    value: &'v mut Value,
    /// What this operation and those before it have done.
    done: &'v mut Vec<Done<'a>>,
}

impl<'a> Step<'a, '_> {
    fn operation(&mut self, operation: &'a Operation) -> Result<(), PatchError> {
        match operation {
            Operation::Add { path, value } => self.add(path, value.clone()),
            Operation::Remove { path } => self.remove(path).map(drop),
            Operation::Replace { path, value } => self.replace(path, value.clone()),
            Operation::Move { from, path } => self.shift(from, path),
            Operation::Copy { from, path } => {
                let value = self.at(from)?.clone();
                self.add(path, value)
            }
            Operation::Test { path, value } => self.test(path, value),
        }
    }

    fn add(&mut self, path: &'a Pointer, value: Value) -> Result<(), PatchError> {
        let Some((last, way)) = path.tokens().split_last() else {
            return self.replace(path, value);
        };
        let operation = self.index;
        let added = self.value.modify(way, |parent| match parent {
            Value::Array(array) => {
                let len = array.len();
                let index = if last.is_end() { Some(len) } else { last.as_index() };
                match index.is_some_and(|index| array.insert(index, value)) {
                    true if last.is_end() => Ok(Done::Appended(way)),
                    true => Ok(Done::Added(path)),
                    false => Err(PatchError::Index { operation, path: path.to_string(), len }),
                }
            }
            Value::Object(object) => Ok(match object.insert(last.as_name(), value) {
                None => Done::Added(path),
                Some(old) => Done::Replaced(path, old),
            }),
            other => {
                let kind = other.kind();
                Err(PatchError::Inside { operation, path: path.to_string(), kind })
            }
        });
        self.done.push(added.unwrap_or_else(|| Err(self.missing(path)))?);
        Ok(())
    }

    fn remove(&mut self, path: &'a Pointer) -> Result<Value, PatchError> {
        let removed = self.value.remove(path).ok_or_else(|| self.missing(path))?;
        self.done.push(match path.tokens().is_empty() {
            true => Done::Replaced(path, removed.clone()),
            false => Done::Removed(path, removed.clone()),
        });
        Ok(removed)
    }

    fn replace(&mut self, path: &'a Pointer, value: Value) -> Result<(), PatchError> {
        let replaced = self.value.modify(path.tokens(), |old| mem::replace(old, value));
        let old = replaced.ok_or_else(|| self.missing(path))?;
        self.done.push(Done::Replaced(path, old));
        Ok(())
    }

    fn shift(&mut self, from: &'a Pointer, path: &'a Pointer) -> Result<(), PatchError> {
        if from.is_above(path) {
            let (from, path) = (from.to_string(), path.to_string());
            return Err(PatchError::IntoItself { operation: self.index, from, path });
        }
        if from == path {
            return self.at(from).map(drop);
        }
        let value = self.remove(from)?;
        self.add(path, value)
    }

    fn test(&self, path: &Pointer, value: &Value) -> Result<(), PatchError> {
        match self.at(path)? == value {
            true => Ok(()),
            false => Err(PatchError::Test { operation: self.index, path: path.to_string() }),
        }
    }

    fn at(&self, path: &Pointer) -> Result<&Value, PatchError> {
        self.value.get(path).ok_or_else(|| self.missing(path))
    }

    #[cold]
    fn missing(&self, path: &Pointer) -> PatchError {
        PatchError::Missing { operation: self.index, path: path.to_string() }
    }
}

/// What was changed, and what takes that back.
enum Done<'a> {
    /// Another value was there.
    Replaced(&'a Pointer, Value),
    /// Nothing was there: no member, or an element that stands behind it now.
    Added(&'a Pointer),
    /// An element is new at the end of the list there.
    Appended(&'a [Token]),
    /// That was there, in a list or an object.
    Removed(&'a Pointer, Value),
}

impl Done<'_> {
    /// Whatever came after it is taken back already, so everything is where it was.
    fn take_back(self, value: &mut Value) {
        match self {
            Self::Replaced(path, old) => {
                value.modify(path.tokens(), |new| *new = old);
            }
            Self::Added(path) => {
                value.remove(path);
            }
            Self::Appended(way) => {
                value.modify(way, |parent| match parent {
                    Value::Array(array) => array.remove(array.len() - 1),
                    _ => None,
                });
            }
            Self::Removed(path, old) => {
                let Some((last, way)) = path.tokens().split_last() else { return };
                value.modify(way, |parent| match (parent, last.as_index()) {
                    (Value::Array(array), Some(index)) => {
                        array.insert(index, old);
                    }
                    (Value::Object(object), _) => {
                        object.insert(last.as_name(), old);
                    }
                    _ => {}
                });
            }
        }
    }
}
