//! Schemas together: what encodes and decodes a [`Value`] of a type by its name.
//!
//! ```text
//! text ── schema::parse ──> Module ─┐
//! file, folder ── load ─────────────┼─> Repository ── type "M.T" ─> PreparedType ── encode, decode
//! JSON ── from_json ────────────────┘
//! ```
//!
//! Names are looked up when a type is used, so that the order in which schemas arrive does not
//! matter and an unfinished schema does not stop the others; [`Repository::check`] finds what is
//! missing up front.

mod error;
#[cfg(feature = "std")]
mod load;
mod names;
mod plan;
mod resolver;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use serde_json::Value as Json;

pub use error::TypeError;
#[cfg(feature = "std")]
pub use load::LoadError;
pub(in crate::sbs) use names::Builtin;
use names::Definition;
pub(in crate::sbs) use plan::{Entries, Id, Node, Plan};

use super::schema::{self, JsonError, Module, SchemaError};
use super::value::{EncodeError, Value, ValueDecodeError};

/// Modules by their names.
///
/// ```
/// use hat_core::sbs::{Repository, Value};
///
/// let repository = Repository::parse("
///     module Example
///     Reading = Record { name: String, value: Optional(Float) }
/// ")?;
/// let reading = Value::record([
///     ("name", Value::from("temperature")),
///     ("value", Value::choice("value", 21.5)),
/// ]);
///
/// let bytes = repository.encode("Example.Reading", &reading)?;
/// assert_eq!(repository.decode("Example.Reading", &bytes)?, reading);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    modules: BTreeMap<String, Module>,
}

impl Repository {
    /// Without any module: only the builtins `None`, `Boolean`, `Integer`, `Float`, `String` and
    /// `Bytes`.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of one schema text. The types that its definitions name may be in modules that are added
    /// later, so they are looked up when a type is used; [`check`](Self::check) looks all
    /// of them up at once.
    ///
    /// # Errors
    ///
    /// [`SchemaError`].
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let mut repository = Self::new();
        repository.add(schema::parse(text)?);
        Ok(repository)
    }

    /// From what [`to_json`](Self::to_json), here or at the deployed peer, made.
    ///
    /// # Errors
    ///
    /// [`JsonError`].
    pub fn from_json(json: &Json) -> Result<Self, JsonError> {
        let modules = json.as_array().ok_or_else(|| JsonError::Unexpected {
            at: String::new(),
            expected: "a list of modules",
        })?;
        let mut repository = Self::new();
        for (index, module) in modules.iter().enumerate() {
            repository.add(schema::module_from_json(module, &format!("/{index}"))?);
        }
        Ok(repository)
    }

    /// All modules as JSON, which the deployed peer reads too. The older spelling `Maybe` leaves as
    /// a Choice.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::Array(self.modules.values().map(schema::module_to_json).collect())
    }

    /// Adds a module, in place of one of the same name.
    pub fn add(&mut self, module: Module) {
        self.modules.insert(module.name.clone(), module);
    }

    /// Adds all modules of `other`, in place of those of the same names.
    pub fn merge(&mut self, other: Self) {
        self.modules.extend(other.modules);
    }

    /// The modules, by name.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.values()
    }

    /// Whether every definition can be used.
    ///
    /// # Errors
    ///
    /// Everything that is wrong: each reference that leads nowhere, in the order of modules and
    /// definitions; if all lead somewhere, each definition without parameters that cannot be used.
    pub fn check(&self) -> Result<(), Vec<TypeError>> {
        let mut faults = Vec::new();
        for definition in self.definitions() {
            definition.check_names(&self.modules, &mut faults);
        }
        if faults.is_empty() {
            let plain = self.definitions().filter(|definition| definition.is.parameters.is_empty());
            faults.extend(plain.filter_map(|one| plan::of_definition(&self.modules, one).err()));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn definitions(&self) -> impl Iterator<Item = Definition<'_>> {
        self.modules.values().flat_map(|module| {
            module.types.iter().map(move |(name, is)| Definition { module, name, is })
        })
    }

    /// A type, ready for use: everything that it refers to is looked up now and never again. Keep
    /// it where values of one type come often.
    ///
    /// `name` is `Module.Type`, or a builtin without a module.
    ///
    /// # Errors
    ///
    /// [`TypeError`]: the type, or one that it refers to, cannot be used. The deployed peer would
    /// notice only when a value gets there.
    pub fn prepare(&self, name: &str) -> Result<PreparedType, TypeError> {
        let plan = match name.split_once('.') {
            None => {
                let builtin = Builtin::named(name);
                plan::of_builtin(builtin.ok_or_else(|| TypeError::NoBuiltin { name: name.into() })?)
            }
            Some((module, of)) => {
                let module = self.modules.get(module).ok_or_else(|| TypeError::UnknownModule {
                    definition: name.into(),
                    module: module.into(),
                })?;
                plan::of_definition(&self.modules, names::find(module, of, || name.into())?)?
            }
        };
        Ok(PreparedType { name: name.into(), plan: Arc::new(plan) })
    }

    /// `value` as bytes of the type `name`; [`prepare`](Self::prepare) and [`PreparedType::encode`]
    /// at once.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]: the type cannot be used, or the value is none of it.
    pub fn encode(&self, name: &str, value: &Value) -> Result<Bytes, EncodeError> {
        self.prepare(name)?.encode(value)
    }

    /// The value of the type `name` that takes all of `bytes`; [`prepare`](Self::prepare) and
    /// [`PreparedType::decode`] at once.
    ///
    /// # Errors
    ///
    /// [`ValueDecodeError`]: the type cannot be used, or the bytes are no value of it.
    pub fn decode(&self, name: &str, bytes: &Bytes) -> Result<Value, ValueDecodeError> {
        Ok(self.prepare(name)?.decode(bytes)?)
    }
}

impl Extend<Module> for Repository {
    fn extend<I: IntoIterator<Item = Module>>(&mut self, modules: I) {
        modules.into_iter().for_each(|module| self.add(module));
    }
}

impl FromIterator<Module> for Repository {
    fn from_iter<I: IntoIterator<Item = Module>>(modules: I) -> Self {
        let mut repository = Self::new();
        repository.extend(modules);
        repository
    }
}

/// A type whose references were looked up, by [`Repository::prepare`]. A clone is cheap.
#[derive(Clone)]
pub struct PreparedType {
    name: Arc<str>,
    pub(in crate::sbs) plan: Arc<Plan>,
}

impl PreparedType {
    /// The name by which it was asked for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for PreparedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PreparedType").field(&self.name).finish()
    }
}
