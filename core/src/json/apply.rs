//! A patch applied: every operation, or none.

use alloc::string::{String, ToString};

use super::{Limits, Operation, Patch, Pointer, Value};

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
    #[error("operation {operation}: `{path}` ends in no index of that list of {len} elements")]
    Index {
        /// Which operation.
        operation: usize,
        /// The path.
        path: String,
        /// The length of the list.
        len: usize,
    },
    /// Something was to be added inside of what is no list and no object.
    #[error("operation {operation}: `{path}` leads into a value of kind {kind}")]
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
    #[error("operation {operation}: the value at `{path}` is not the one to test for")]
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
    /// Makes all changes to `value`, or none.
    ///
    /// Each operation costs what its path costs, also a copy of something large: it is shared.
    ///
    /// # Errors
    ///
    /// [`PatchError`]: which operation could not be done, and why.
    pub fn apply(&self, value: &mut Value, limits: &Limits) -> Result<(), PatchError> {
        let mut patched = value.clone();
        for (index, operation) in self.0.iter().enumerate() {
            Step { index, value: &mut patched }.operation(operation)?;
            if patched.depth() > limits.depth {
                return Err(PatchError::TooDeep { operation: index, limit: limits.depth });
            }
            if patched.size() > limits.size {
                return Err(PatchError::TooLarge { operation: index, limit: limits.size });
            }
        }
        *value = patched;
        Ok(())
    }
}

/// One operation on its way.
struct Step<'a> {
    index: usize,
    value: &'a mut Value,
}

impl Step<'_> {
    fn operation(&mut self, operation: &Operation) -> Result<(), PatchError> {
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

    fn add(&mut self, path: &Pointer, value: Value) -> Result<(), PatchError> {
        let Some((last, way)) = path.tokens().split_last() else {
            *self.value = value;
            return Ok(());
        };
        let operation = self.index;
        let added = self.value.modify(way, |parent| match parent {
            Value::Array(array) => {
                let len = array.len();
                let index = if last.is_end() { Some(len) } else { last.as_index() };
                match index.is_some_and(|index| array.insert(index, value)) {
                    true => Ok(()),
                    false => Err(PatchError::Index { operation, path: path.to_string(), len }),
                }
            }
            Value::Object(object) => {
                object.insert(last.as_name(), value);
                Ok(())
            }
            other => {
                let kind = other.kind();
                Err(PatchError::Inside { operation, path: path.to_string(), kind })
            }
        });
        added.unwrap_or_else(|| Err(self.missing(path)))
    }

    fn remove(&mut self, path: &Pointer) -> Result<Value, PatchError> {
        self.value.remove(path).ok_or_else(|| self.missing(path))
    }

    fn replace(&mut self, path: &Pointer, value: Value) -> Result<(), PatchError> {
        let replaced = self.value.modify(path.tokens(), |old| *old = value);
        replaced.ok_or_else(|| self.missing(path))
    }

    fn shift(&mut self, from: &Pointer, path: &Pointer) -> Result<(), PatchError> {
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
