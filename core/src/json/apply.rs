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
    /// nobody else holds is changed in place. Beside the value before and after, what is replaced
    /// and removed takes up to [`Limits::size`] of memory until the patch ends; of a patch that
    /// replaces more than that, the value before is kept instead.
    ///
    /// # Errors
    ///
    /// [`PatchError`]: which operation could not be done, and why.
    pub fn apply(&self, value: &mut Value, limits: &Limits) -> Result<(), PatchError> {
        let mut undo = Undo::new(self.0.len());
        let result = self.run(value, limits, &mut undo);
        if result.is_err() {
            undo.take_back(value);
        }
        result
    }

    /// Makes the changes one after the other; `undo` is what takes back those that were made.
    fn run<'a>(
        &'a self,
        value: &mut Value,
        limits: &Limits,
        undo: &mut Undo<'a>,
    ) -> Result<(), PatchError> {
        self.0.iter().enumerate().try_for_each(|(index, operation)| {
            Step { index, value, undo }.operation(operation)?;
            if value.depth() > limits.depth {
                return Err(PatchError::TooDeep { operation: index, limit: limits.depth });
            }
            if value.size() > limits.size {
                return Err(PatchError::TooLarge { operation: index, limit: limits.size });
            }
            if undo.weight > limits.size {
                undo.keep_before(value);
            }
            Ok(())
        })
    }
}

/// One operation on its way.
struct Step<'a, 'v> {
    index: usize,
    value: &'v mut Value,
    undo: &'v mut Undo<'a>,
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
        self.undo.push(added.unwrap_or_else(|| Err(self.missing(path)))?);
        Ok(())
    }

    fn remove(&mut self, path: &'a Pointer) -> Result<Value, PatchError> {
        let removed = self.value.remove(path).ok_or_else(|| self.missing(path))?;
        self.undo.push(match path.tokens().is_empty() {
            true => Done::Replaced(path, removed.clone()),
            false => Done::Removed(path, removed.clone()),
        });
        Ok(removed)
    }

    fn replace(&mut self, path: &'a Pointer, value: Value) -> Result<(), PatchError> {
        let replaced = self.value.modify(path.tokens(), |old| mem::replace(old, value));
        let old = replaced.ok_or_else(|| self.missing(path))?;
        self.undo.push(Done::Replaced(path, old));
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

/// What takes the operations back that were done.
///
/// It is what each of them has done, and not the value before, as long as that is little: a value
/// that is held twice is copied where it is changed, and most patches change one leaf.
///
/// Each change may hold a version of its own of all that a path leads through, hundreds of
/// kilobytes for a hundred bytes on the wire. So what is held is weighed, and with too much of it
/// the value before is made of it, which weighs no more than any value may.
struct Undo<'a> {
    done: Vec<Done<'a>>,
    /// Bytes of memory that the values in `done` take, parts that are shared counted as often as
    /// they occur.
    weight: usize,
    /// The value before the first operation, in the place of `done`.
    before: Option<Value>,
}

impl<'a> Undo<'a> {
    fn new(operations: usize) -> Self {
        Self { done: Vec::with_capacity(operations), weight: 0, before: None }
    }

    fn push(&mut self, done: Done<'a>) {
        if self.before.is_none() {
            self.weight = self.weight.saturating_add(done.weight());
            self.done.push(done);
        }
    }

    /// Holds the value before instead of what was done to it; `value` is the value now.
    #[cold]
    fn keep_before(&mut self, value: &Value) {
        let mut before = value.clone();
        self.take_back_done(&mut before);
        *self = Self { done: Vec::new(), weight: 0, before: Some(before) };
    }

    #[cold]
    fn take_back(mut self, value: &mut Value) {
        match self.before.take() {
            Some(before) => *value = before,
            None => self.take_back_done(value),
        }
    }

    fn take_back_done(&mut self, value: &mut Value) {
        mem::take(&mut self.done).into_iter().rev().for_each(|done| done.take_back(value));
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
    /// Bytes of memory that the value in it takes.
    fn weight(&self) -> usize {
        match self {
            Self::Replaced(_, old) | Self::Removed(_, old) => old.size(),
            Self::Added(_) | Self::Appended(_) => 0,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::sync::Arc;

    fn value(text: &str) -> Value {
        Value::parse(text, &Limits::default()).expect("JSON of the tests")
    }

    /// Objects inside each other under `v`, with `v` copied to `w`, and a leaf of that copy
    /// replaced, again and again: what `w` was is another version of all of it each time.
    #[test]
    fn versions_that_were_overwritten_are_not_kept_beyond_the_limit() {
        const LEVELS: usize = 60;
        let members: alloc::string::String = (0..30).map(|n| format!(r#""m{n}":{n},"#)).collect();
        let nest = |inner: &str| format!(r#"{{{members}"a":{inner}}}"#);
        let nested = (0..LEVELS).fold("0".to_string(), |inner, _| nest(&inner));
        let mut document = value(&format!(r#"{{"v":{nested},"w":0}}"#));
        let (before, one) = (document.clone(), document.size());
        let limits = Limits::new(128, 4 * one);
        let deep = "/a".repeat(LEVELS);
        let pair = format!(
            r#"{{"op":"copy","from":"/v","path":"/w"}},{{"op":"replace","path":"/w{deep}","value":1}},"#
        );
        let text = format!(r#"[{}{{"op":"remove","path":"/w"}}]"#, pair.repeat(100));
        let patch = Patch::from_value(&value(&text), &Limits::default()).expect("a patch");

        // the innermost object has a name that each of its versions holds
        let name = |document: &Value| {
            let inner = document.pointer(&format!("/v{}", "/a".repeat(LEVELS - 1)));
            let members = inner.and_then(Value::as_object).expect("an object").iter();
            members.map(|(name, _)| name.clone()).next().expect("a member")
        };
        let name = name(&document);
        let held = Arc::strong_count(&name);
        let mut undo = Undo::new(patch.0.len());
        patch.run(&mut document, &limits, &mut undo).expect("within the limits");
        let versions = Arc::strong_count(&name) - held;
        assert!(versions <= 4, "{versions} versions");
        undo.take_back(&mut document);
        assert_eq!(document, before);
        drop(before);

        patch.apply(&mut document, &limits).expect("within the limits");
        assert!(document.pointer("/w").is_none());
    }
}
