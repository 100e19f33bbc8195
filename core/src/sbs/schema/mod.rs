//! Schemas: the text in which SBS types are defined, as a tree.
//!
//! ```text
//! module Example                        # white space is space, tab, CR, LF and comma
//!
//! Name        = String
//! Pair(a, b)  = Record { first: a, second: b }
//! Tree        = Record { label: Name, children: Array(Tree) }
//! Shape       = Choice { nothing: None, circle: Float, other: Library.Shape }
//! Row         = Array(Optional(Pair(Name, Integer)))
//! ```
//!
//! [`parse`] reads one text, which is one [`Module`]. A name is only looked up when a type is used,
//! by a [`Repository`](super::Repository): a tree may speak of types and modules that are in other
//! texts.
//!
//! The grammar is that of `hat-sbs` 0.7 with the older spellings `Tuple`, `Union` and `Maybe`
//! beside `Record`, `Choice` and `Optional`. Two texts more are taken, which the deployed parser
//! refuses by accident of its grammar: a comment that ends with the text instead of a line, and
//! references to types whose name starts with a builtin's (`Integerx`).

mod error;
mod json;
mod parser;
mod scan;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub use error::{JsonError, Position, SchemaError};
pub(super) use json::{module_from_json, module_to_json};
pub use parser::parse;

/// Bytes that a schema may have. The largest deployed one has some ten thousand.
pub const MAX_SCHEMA_LEN: usize = 1024 * 1024;

/// Levels of types written inside types. Deployed schemas have four or so; this many still go
/// through JSON text and back, three levels of JSON each, within the 128 that `serde_json` reads.
pub const MAX_NESTING: usize = 32;

/// One schema text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// What other modules call it.
    pub name: String,
    /// The definitions by their names. Where a text defines a name twice, the later one is meant.
    pub types: BTreeMap<String, TypeDef>,
}

/// `(parameters) = type`, without the name, which is the key in [`Module::types`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeDef {
    /// Names that stand for types in `body`; where one comes twice, the later is meant.
    pub parameters: Vec<String>,
    /// What is defined.
    pub body: Type,
}

/// A type as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Type {
    /// `Record { … }`, also spelt `Tuple`. At least one entry.
    Record(Vec<Entry>),
    /// `Choice { … }`, also spelt `Union`. At least one entry.
    Choice(Vec<Entry>),
    /// Any other: a builtin, a parameter, or a definition.
    Reference(Reference),
}

/// `name: Type` in a Record or a Choice. Two entries may have the same name, as at the deployed
/// parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name before the colon.
    pub name: String,
    /// The type after it.
    pub of: Type,
}

/// `[Module.]Name[(arguments)]`.
///
/// Without a module, the name is that of a parameter, else that of a builtin, else that of a
/// definition in the same module: in this order, so that a module's own `Optional` is only ever
/// meant by `Module.Optional`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The module before the dot.
    pub module: Option<String>,
    /// The name of the type.
    pub name: String,
    /// The types in parentheses; `Name()` is the same as `Name`.
    pub arguments: Vec<Type>,
}
