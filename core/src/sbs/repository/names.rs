//! What a name in a schema means, and what is wrong with it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::TypeError;
use crate::sbs::schema::{Module, Reference, Type, TypeDef};

/// The types that every schema has without parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sbs) enum Builtin {
    None,
    Boolean,
    Integer,
    Float,
    String,
    Bytes,
}

impl Builtin {
    pub(in crate::sbs) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "None" => Self::None,
            "Boolean" => Self::Boolean,
            "Integer" => Self::Integer,
            "Float" => Self::Float,
            "String" => Self::String,
            "Bytes" => Self::Bytes,
            _ => return None,
        })
    }

    pub(in crate::sbs) fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Boolean => "Boolean",
            Self::Integer => "Integer",
            Self::Float => "Float",
            Self::String => "String",
            Self::Bytes => "Bytes",
        }
    }
}

/// What a reference leads to. The count of its arguments was checked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    /// The parameter with this index.
    Parameter(usize),
    Builtin(Builtin),
    Array,
    /// `Choice { none: None, value: a }`
    Optional,
    /// `Choice { Nothing: None, Just: a }`
    Maybe,
    Definition(Definition<'a>),
}

/// A definition, with its full name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Definition<'a> {
    pub(super) module: &'a Module,
    pub(super) name: &'a str,
    pub(super) is: &'a TypeDef,
}

impl<'a> Definition<'a> {
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.module.name, self.name)
    }

    /// What `reference`, which stands in this definition, leads to.
    pub(super) fn target(
        &self,
        modules: &'a BTreeMap<String, Module>,
        reference: &'a Reference,
    ) -> Result<Target<'a>, TypeError> {
        let (target, parameters) = self.target_and_parameters(modules, reference)?;
        let found = reference.arguments.len();
        match target {
            Target::Parameter(_) if found > 0 => Err(TypeError::ArgumentsForParameter {
                definition: self.full_name(),
                parameter: reference.name.clone(),
            }),
            _ if found != parameters => Err(TypeError::ArgumentCount {
                definition: self.full_name(),
                name: reference.name.clone(),
                expected: parameters,
                found,
            }),
            _ => Ok(target),
        }
    }

    fn target_and_parameters(
        &self,
        modules: &'a BTreeMap<String, Module>,
        reference: &'a Reference,
    ) -> Result<(Target<'a>, usize), TypeError> {
        let name = reference.name.as_str();
        let Some(module) = &reference.module else {
            // of two parameters with one name, the later is meant
            if let Some(index) = self.is.parameters.iter().rposition(|other| other == name) {
                return Ok((Target::Parameter(index), 0));
            }
            if let Some(builtin) = Builtin::named(name) {
                return Ok((Target::Builtin(builtin), 0));
            }
            return match name {
                "Array" => Ok((Target::Array, 1)),
                "Optional" => Ok((Target::Optional, 1)),
                "Record" | "Choice" => {
                    Err(TypeError::NoEntries { definition: self.full_name(), keyword: name.into() })
                }
                // unknown to the deployed peer, where a schema may well have one of its own
                "Maybe" if !self.module.types.contains_key(name) => Ok((Target::Maybe, 1)),
                _ => {
                    let target = find(self.module, name, || self.full_name())?;
                    Ok((Target::Definition(target), target.is.parameters.len()))
                }
            };
        };
        let module = modules.get(module).ok_or_else(|| TypeError::UnknownModule {
            definition: self.full_name(),
            module: module.clone(),
        })?;
        let target = find(module, name, || self.full_name())?;
        Ok((Target::Definition(target), target.is.parameters.len()))
    }

    /// Every reference in this definition that leads nowhere, into `faults`.
    pub(super) fn check_names(
        &self,
        modules: &'a BTreeMap<String, Module>,
        faults: &mut Vec<TypeError>,
    ) {
        let mut left = Vec::from([&self.is.body]);
        while let Some(of) = left.pop() {
            match of {
                Type::Record(entries) | Type::Choice(entries) => {
                    left.extend(entries.iter().rev().map(|entry| &entry.of));
                }
                Type::Reference(reference) => {
                    faults.extend(self.target(modules, reference).err());
                    left.extend(reference.arguments.iter().rev());
                }
            }
        }
    }
}

/// The type `name` in `module`, on behalf of the definition `wanted_by`.
pub(super) fn find<'a>(
    module: &'a Module,
    name: &str,
    wanted_by: impl FnOnce() -> String,
) -> Result<Definition<'a>, TypeError> {
    match module.types.get_key_value(name) {
        Some((name, is)) => Ok(Definition { module, name, is }),
        None => Err(TypeError::UnknownType {
            definition: wanted_by(),
            module: module.name.clone(),
            name: name.into(),
        }),
    }
}
