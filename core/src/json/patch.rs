use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::str::FromStr;

use super::write::EscapingWriter;
use super::{Limits, ParseError, Pointer, PointerError, Value};

/// What an operation takes in memory beside its value and its paths.
const OPERATION_WEIGHT: usize = 128;

/// What a step of a path takes beside its name.
const TOKEN_WEIGHT: usize = 48;

/// How one value becomes another, by RFC 6902: operations, one after the other.
///
/// Its text is `[{"op":"replace","path":"/a","value":1}, …]`. Values in it are shared with the one
/// that it was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch(pub Vec<Operation>);

/// One operation of a [`Patch`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Inserts before an element, appends at `-`, or sets a member, there or not. At the root, the
    /// new whole.
    Add {
        /// Where the value is afterwards.
        path: Pointer,
        /// What.
        value: Value,
    },
    /// Takes out what is there. At the root, `null` remains.
    Remove {
        /// Where it is.
        path: Pointer,
    },
    /// Puts another value in the place of the one that is there.
    Replace {
        /// Where.
        path: Pointer,
        /// What.
        value: Value,
    },
    /// Takes out here and adds there.
    Move {
        /// Where it is; not above `path`.
        from: Pointer,
        /// Where it is afterwards, when it is gone from `from`.
        path: Pointer,
    },
    /// Adds there what is also here.
    Copy {
        /// Where it is.
        from: Pointer,
        /// Where it is afterwards too.
        path: Pointer,
    },
    /// Fails unless this is there. The deployed Juggler 0.7 peer in Python loses its data over one,
    /// so none is ever sent.
    Test {
        /// Where.
        path: Pointer,
        /// What.
        value: Value,
    },
}

/// Why a value is not a patch. Operations count from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedPatch {
    /// The text is not JSON.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// A patch is a list.
    #[error("a patch must be a list of operations; this is of type {kind}")]
    NotList {
        /// What it is.
        kind: &'static str,
    },
    /// An operation is an object with the members `op`, `path`, and `value` or `from`.
    #[error("operation {operation}: the member `{member}` is missing or is not a string")]
    Member {
        /// Which operation.
        operation: usize,
        /// What it lacks.
        member: &'static str,
    },
    /// Neither `add`, `remove`, `replace`, `move`, `copy` nor `test`.
    #[error("operation {operation}: unknown operation `{name}`")]
    Unknown {
        /// Which operation.
        operation: usize,
        /// Its `op`.
        name: String,
    },
    /// A path that is none.
    #[error("operation {operation}: {error}")]
    Path {
        /// Which operation.
        operation: usize,
        /// What is wrong with the path.
        error: PointerError,
    },
    /// More operations and longer paths than fit in [`Limits::size`].
    #[error("the operations up to {operation} take more than {limit} bytes of memory")]
    TooLarge {
        /// Which operation.
        operation: usize,
        /// The limit.
        limit: usize,
    },
}

impl Patch {
    /// The one that replaces whatever was there.
    #[must_use]
    pub fn whole(value: Value) -> Self {
        Self([Operation::Replace { path: Pointer::root(), value }].into())
    }

    /// True if it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patch that `value` is. Members that mean nothing are passed over, as the RFC says.
    ///
    /// # Errors
    ///
    /// [`MalformedPatch`]: it is none, or takes more memory than the limit. Whether it can be
    /// applied shows when it is.
    pub fn from_value(value: &Value, limits: &Limits) -> Result<Self, MalformedPatch> {
        let list = value.as_array().ok_or(MalformedPatch::NotList { kind: value.kind() })?;
        let mut left = limits.size;
        let operation = |(index, operation)| Reader { index, operation, left: &mut left }.read();
        let operations = list.iter().enumerate().map(operation);
        operations
            .map(|read| {
                read.map_err(|error| match error {
                    MalformedPatch::TooLarge { operation, .. } => {
                        MalformedPatch::TooLarge { operation, limit: limits.size }
                    }
                    error => error,
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Appends the patch's text to `out`.
    ///
    /// # Errors
    ///
    /// Those of `out`; a `String` has none.
    pub fn write(&self, out: &mut impl Write) -> fmt::Result {
        out.write_char('[')?;
        for (index, operation) in self.0.iter().enumerate() {
            if index > 0 {
                out.write_char(',')?;
            }
            operation.write(out)?;
        }
        out.write_char(']')
    }
}

/// Reads an operation from a value.
struct Reader<'a> {
    index: usize,
    operation: &'a Value,
    /// Memory that the limit leaves.
    left: &'a mut usize,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<Operation, MalformedPatch> {
        self.charge(OPERATION_WEIGHT)?;
        let name = self.text("op")?;
        let path = self.path("path")?;
        Ok(match name {
            "add" => Operation::Add { path, value: self.value()? },
            "remove" => Operation::Remove { path },
            "replace" => Operation::Replace { path, value: self.value()? },
            "move" => Operation::Move { from: self.path("from")?, path },
            "copy" => Operation::Copy { from: self.path("from")?, path },
            "test" => Operation::Test { path, value: self.value()? },
            _ => return Err(MalformedPatch::Unknown { operation: self.index, name: name.into() }),
        })
    }

    fn path(&mut self, member: &'static str) -> Result<Pointer, MalformedPatch> {
        let text = self.text(member)?;
        let steps = text.bytes().filter(|byte| *byte == b'/').count();
        self.charge(steps * TOKEN_WEIGHT + text.len())?;
        let path = Pointer::from_str(text);
        path.map_err(|error| MalformedPatch::Path { operation: self.index, error })
    }
}

impl<'a> Reader<'a> {
    fn text(&self, member: &'static str) -> Result<&'a str, MalformedPatch> {
        let value = self.operation.as_object().and_then(|object| object.get(member));
        value.and_then(Value::as_str).ok_or(self.missing(member))
    }

    fn value(&self) -> Result<Value, MalformedPatch> {
        let value = self.operation.as_object().and_then(|object| object.get("value"));
        value.cloned().ok_or(self.missing("value"))
    }

    fn missing(&self, member: &'static str) -> MalformedPatch {
        MalformedPatch::Member { operation: self.index, member }
    }

    fn charge(&mut self, weight: usize) -> Result<(), MalformedPatch> {
        let left = self.left.checked_sub(weight);
        *self.left = left.ok_or(MalformedPatch::TooLarge { operation: self.index, limit: 0 })?;
        Ok(())
    }
}

impl Operation {
    /// Where it changes something.
    #[must_use]
    pub fn path(&self) -> &Pointer {
        match self {
            Self::Add { path, .. }
            | Self::Remove { path }
            | Self::Replace { path, .. }
            | Self::Move { path, .. }
            | Self::Copy { path, .. }
            | Self::Test { path, .. } => path,
        }
    }

    /// Appends the operation's text to `out`.
    pub(super) fn write(&self, out: &mut impl Write) -> fmt::Result {
        let (name, from, value) = match self {
            Self::Add { value, .. } => ("add", None, Some(value)),
            Self::Remove { .. } => ("remove", None, None),
            Self::Replace { value, .. } => ("replace", None, Some(value)),
            Self::Move { from, .. } => ("move", Some(from), None),
            Self::Copy { from, .. } => ("copy", Some(from), None),
            Self::Test { value, .. } => ("test", None, Some(value)),
        };
        write!(out, r#"{{"op":"{name}""#)?;
        if let Some(from) = from {
            out.write_str(r#","from":""#)?;
            write!(EscapingWriter(out), "{from}")?;
            out.write_char('"')?;
        }
        out.write_str(r#","path":""#)?;
        write!(EscapingWriter(out), "{}", self.path())?;
        out.write_char('"')?;
        if let Some(value) = value {
            out.write_str(r#","value":"#)?;
            value.write(out)?;
        }
        out.write_char('}')
    }
}

/// The patch's text.
impl fmt::Display for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

/// Reads a text within the default [`Limits`].
impl FromStr for Patch {
    type Err = MalformedPatch;

    fn from_str(text: &str) -> Result<Self, MalformedPatch> {
        let limits = Limits::default();
        Self::from_value(&Value::parse(text, &limits)?, &limits)
    }
}
