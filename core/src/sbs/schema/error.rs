use alloc::string::String;
use core::fmt;

/// A place in a schema's text, as editors count: lines and columns from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1. CR LF, LF and CR end one.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is not a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The text is longer than [`MAX_SCHEMA_LEN`](super::MAX_SCHEMA_LEN).
    #[error("the schema has {len} bytes; the limit is {limit}: split it into modules")]
    TooLong {
        /// Bytes of the text.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The text does not start with `module Name`.
    #[error(
        "{at}: expected `module Name`, found {found}: a schema starts with the name of its module"
    )]
    NoModule {
        /// Where it should be.
        at: Position,
        /// What is there.
        found: String,
    },
    /// Something else than the grammar has at this place.
    #[error("{at}: expected {expected}, found {found}")]
    Unexpected {
        /// Where.
        at: Position,
        /// What may stand there.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// A Record or a Choice with nothing between its braces.
    #[error("{at}: `{keyword}` has no entries: write at least one `name: Type` between the braces")]
    NoEntries {
        /// Where the closing brace is.
        at: Position,
        /// `Record`, `Choice`, or its older spelling.
        keyword: String,
    },
    /// Arguments for `None`, `Boolean`, `Integer`, `Float`, `String` or `Bytes`.
    #[error("{at}: `{name}` takes no arguments: remove the parentheses")]
    ArgumentsForBuiltin {
        /// Where the opening parenthesis is.
        at: Position,
        /// The builtin.
        name: String,
    },
    /// Types inside types past [`MAX_NESTING`](super::MAX_NESTING).
    #[error(
        "{at}: types are nested deeper than {limit} levels: give the inner ones definitions of their own"
    )]
    TooDeep {
        /// Where the level that is too much starts.
        at: Position,
        /// The limit.
        limit: usize,
    },
}

/// Why JSON is not an exported repository. `at` is a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Another kind of JSON value than the form has there, or none.
    #[error("at `{at}`: expected {expected}")]
    Unexpected {
        /// Where.
        at: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A definition under a key that is not its name.
    #[error("at `{at}`: the key is not the name of the definition, `{name}`")]
    NameDiffers {
        /// Where.
        at: String,
        /// The name that the definition gives itself.
        name: String,
    },
    /// Entries in a type that is neither a Record nor a Choice.
    #[error("at `{at}`: `{name}` cannot have entries: only Record and Choice can")]
    EntriesInReference {
        /// Where.
        at: String,
        /// The name of the type.
        name: String,
    },
    /// Types inside types past [`MAX_NESTING`](super::MAX_NESTING).
    #[error("at `{at}`: types are nested deeper than {limit} levels")]
    TooDeep {
        /// Where.
        at: String,
        /// The limit.
        limit: usize,
    },
}
