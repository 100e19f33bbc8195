use alloc::format;
use alloc::string::String;
use core::fmt;

use bytestring::ByteString;

use crate::sbs::{DecodeError, TypeError};

/// Why a [`Value`](super::Value) could not be encoded. `path` leads to the part that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The type cannot be used.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// A value of another kind than its type.
    #[error("{path}: expected {expected}, got {got}")]
    Kind {
        /// Where.
        path: Path,
        /// The kind of the type, as schemas name it.
        expected: &'static str,
        /// The kind of the value.
        got: &'static str,
    },
    /// A Record without an entry that its type has.
    #[error("{path}: the record has no entry `{entry}`")]
    MissingEntry {
        /// The record.
        path: Path,
        /// What it lacks.
        entry: ByteString,
    },
    /// A Record with an entry that its type lacks. The deployed peer drops such entries; here none
    /// gets lost in silence.
    #[error("{path}: the type of the record has no entry `{entry}`")]
    UnknownEntry {
        /// The record.
        path: Path,
        /// What is too much.
        entry: ByteString,
    },
    /// A Choice of an entry that its type lacks.
    #[error("{path}: the choice has no entry `{entry}`")]
    NoSuchChoice {
        /// The choice.
        path: Path,
        /// The entry that was chosen.
        entry: ByteString,
    },
    /// Values nested deeper than [`MAX_VALUE_DEPTH`](super::MAX_VALUE_DEPTH). The path is that of
    /// the outermost.
    #[error("{path}: nested deeper than {limit} levels")]
    TooDeep {
        /// The value as a whole: the way down would fill pages.
        path: Path,
        /// The limit.
        limit: u32,
    },
}

impl EncodeError {
    /// The error as it is seen one level further out.
    #[cold]
    pub(super) fn within(mut self, step: fmt::Arguments<'_>) -> Self {
        match &mut self {
            Self::Kind { path, .. }
            | Self::MissingEntry { path, .. }
            | Self::UnknownEntry { path, .. }
            | Self::NoSuchChoice { path, .. } => path.prepend(step),
            Self::Type(_) | Self::TooDeep { .. } => {}
        }
        self
    }
}

/// The way to a part of a value: `items[3].x`. Names of Record entries and of Choices are joined by
/// dots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// The path as text, empty for the value as a whole.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn prepend(&mut self, step: fmt::Arguments<'_>) {
        let dot = if self.0.is_empty() || self.0.starts_with('[') { "" } else { "." };
        self.0 = format!("{step}{dot}{}", self.0);
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "the value" } else { &self.0 })
    }
}

/// Why bytes could not be decoded by the name of a type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueDecodeError {
    /// The type cannot be used.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// The bytes are no value of the type.
    #[error(transparent)]
    Bytes(#[from] DecodeError),
}
