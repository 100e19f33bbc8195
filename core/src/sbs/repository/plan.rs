//! Types ready for use: a table of nodes that refer to each other by number, parameters filled in,
//! names looked up.
//!
//! ```text
//! Tree = Record { label: String, children: Array(Tree) }
//!
//!   0  String
//!   1  Array of 2, whose values take 2 bytes at least
//!   2  Record  label: 0, children: 1                       <- Tree
//! ```
//!
//! A type is the same node wherever it is written alike. A definition gets a place in the table
//! before its body is looked at, so that recursion finds it; linking then replaces the place by
//! what it turned out to be.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytestring::ByteString;

use super::TypeError;
use super::names::{Builtin, Definition, Target};
use super::resolver;
use crate::sbs::schema::{Entry, Module, Type};

/// Types and entries that one type may consist of.
const MAX_PARTS: usize = 16_384;

/// Levels that definitions and types may be inside each other, a definition and each type in it a
/// level.
const MAX_LEVELS: usize = 256;

/// How often a definition may be open at once, each time with other arguments.
const MAX_OPEN: usize = 32;

/// The number of a node.
pub(in crate::sbs) type Id = u32;

#[derive(Debug)]
pub(in crate::sbs) struct Plan {
    pub(in crate::sbs) nodes: Box<[Node]>,
    pub(in crate::sbs) root: Id,
}

#[derive(Debug)]
pub(in crate::sbs) enum Node {
    Builtin(Builtin),
    /// `least`: the fewest bytes that an element takes.
    Array {
        element: Id,
        least: usize,
    },
    Record(Entries),
    Choice(Entries),
}

#[derive(Debug)]
pub(in crate::sbs) struct Entries {
    /// Shared with every record that is decoded.
    pub(in crate::sbs) names: Arc<[ByteString]>,
    /// As many as there are names.
    pub(in crate::sbs) of: Box<[Id]>,
}

impl Plan {
    pub(in crate::sbs) fn node(&self, id: Id) -> &Node {
        // ids are made together with the nodes, and only for these
        &self.nodes[id as usize]
    }
}

pub(super) fn of_builtin(builtin: Builtin) -> Plan {
    Plan { nodes: Box::new([Node::Builtin(builtin)]), root: 0 }
}

pub(super) fn of_definition<'a>(
    modules: &'a BTreeMap<String, Module>,
    definition: Definition<'a>,
) -> Result<Plan, TypeError> {
    if !definition.is.parameters.is_empty() {
        return Err(TypeError::Parametric { definition: definition.full_name() });
    }
    let mut planner = Planner {
        modules,
        shapes: Vec::new(),
        ids: BTreeMap::new(),
        instances: BTreeMap::new(),
        places: Vec::new(),
        open: Vec::new(),
        parts: 0,
        level: 0,
    };
    let root = planner.instance(definition, Vec::new())?;
    resolver::resolve(&planner.shapes, &planner.places, root)
}

/// A node before linking.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    Builtin(Builtin),
    Array(Id),
    Record(Vec<(ByteString, Id)>),
    Choice(Vec<(ByteString, Id)>),
    /// The place of a definition, which leads to itself while it is open.
    Place(Id),
}

struct Planner<'a> {
    modules: &'a BTreeMap<String, Module>,
    shapes: Vec<Shape>,
    /// The number of every shape but places.
    ids: BTreeMap<Shape, Id>,
    /// Definitions with their arguments: the place while open, then the body.
    instances: BTreeMap<(&'a str, &'a str, Vec<Id>), Id>,
    places: Vec<(Id, Definition<'a>)>,
    /// Definitions that are being looked at, the innermost last.
    open: Vec<Definition<'a>>,
    parts: usize,
    level: usize,
}

impl<'a> Planner<'a> {
    fn instance(
        &mut self,
        definition: Definition<'a>,
        arguments: Vec<Id>,
    ) -> Result<Id, TypeError> {
        let key = (definition.module.name.as_str(), definition.name, arguments);
        if let Some(id) = self.instances.get(&key) {
            return Ok(*id);
        }
        let same = |open: &&Definition<'_>| core::ptr::eq(open.is, definition.is);
        if self.open.iter().filter(same).count() == MAX_OPEN {
            return Err(TypeError::Endless { definition: definition.full_name(), limit: MAX_OPEN });
        }
        self.open.push(definition);
        let place = self.shapes.len() as Id;
        self.push(Shape::Place(place), 0)?;
        self.places.push((place, definition));
        self.instances.insert(key.clone(), place);

        let body = self.type_(definition, &definition.is.body, &key.2)?;
        self.shapes[place as usize] = Shape::Place(body);
        // the body itself from here on, so that `Id(T)` is `T` also as an argument
        self.instances.insert(key, body);
        self.open.pop();
        Ok(body)
    }

    /// A type in the body of `inside`, whose parameters stand for `arguments`.
    fn type_(
        &mut self,
        inside: Definition<'a>,
        of: &'a Type,
        arguments: &[Id],
    ) -> Result<Id, TypeError> {
        if self.level == MAX_LEVELS {
            return Err(TypeError::TooDeep { definition: inside.full_name(), limit: MAX_LEVELS });
        }
        self.level += 1;
        let id = match of {
            Type::Record(entries) => {
                let entries = self.entries(inside, entries, arguments)?;
                self.intern(Shape::Record(entries))?
            }
            Type::Choice(entries) => {
                let entries = self.entries(inside, entries, arguments)?;
                self.intern(Shape::Choice(entries))?
            }
            Type::Reference(reference) => {
                let target = inside.target(self.modules, reference)?;
                let mut given = Vec::with_capacity(reference.arguments.len());
                for argument in &reference.arguments {
                    given.push(self.type_(inside, argument, arguments)?);
                }
                match (target, &given[..]) {
                    (Target::Parameter(index), _) => arguments[index],
                    (Target::Builtin(builtin), _) => self.intern(Shape::Builtin(builtin))?,
                    (Target::Definition(definition), _) => self.instance(definition, given)?,
                    (Target::Array, of) => self.intern(Shape::Array(of[0]))?,
                    (Target::Optional, of) => self.optional("none", "value", of[0])?,
                    (Target::Maybe, of) => self.optional("Nothing", "Just", of[0])?,
                }
            }
        };
        self.level -= 1;
        Ok(id)
    }

    fn entries(
        &mut self,
        inside: Definition<'a>,
        entries: &'a [Entry],
        arguments: &[Id],
    ) -> Result<Vec<(ByteString, Id)>, TypeError> {
        let mut of = Vec::with_capacity(entries.len());
        for entry in entries {
            let name = ByteString::from(entry.name.as_str());
            of.push((name, self.type_(inside, &entry.of, arguments)?));
        }
        Ok(of)
    }

    fn optional(
        &mut self,
        without: &'static str,
        with: &'static str,
        value: Id,
    ) -> Result<Id, TypeError> {
        let none = self.intern(Shape::Builtin(Builtin::None))?;
        let entry = |name, id| (ByteString::from_static(name), id);
        self.intern(Shape::Choice(Vec::from([entry(without, none), entry(with, value)])))
    }

    fn intern(&mut self, shape: Shape) -> Result<Id, TypeError> {
        if let Some(id) = self.ids.get(&shape) {
            return Ok(*id);
        }
        let entries = match &shape {
            Shape::Record(entries) | Shape::Choice(entries) => entries.len(),
            _ => 0,
        };
        let id = self.shapes.len() as Id;
        self.ids.insert(shape.clone(), id);
        self.push(shape, entries)?;
        Ok(id)
    }

    fn push(&mut self, shape: Shape, entries: usize) -> Result<(), TypeError> {
        self.parts += 1 + entries;
        if self.parts > MAX_PARTS {
            let definition = self.open.last().map(Definition::full_name).unwrap_or_default();
            return Err(TypeError::TooLarge { definition, limit: MAX_PARTS });
        }
        self.shapes.push(shape);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::sbs::Repository;
    use alloc::string::ToString;

    fn nodes(text: &str) -> usize {
        let repository = Repository::parse(text).expect("a schema of the tests");
        repository
            .prepare("M.T")
            .map_err(|error| error.to_string())
            .expect("a usable type")
            .plan
            .nodes
            .len()
    }

    #[test]
    fn a_type_is_one_node_however_often_it_is_written() {
        assert_eq!(
            nodes("module M T = Record { a: Array(Integer), b: Array(Integer), c: U } U = Integer"),
            3
        );
        assert_eq!(nodes("module M T = Record { next: Optional(T) }"), 3);
    }

    #[test]
    fn a_name_for_an_argument_does_not_make_it_another() {
        let list = "module M Id(a) = a, L(a) = Record { head: a, tail: Optional(L(Id(a))) } T = L(Integer)";
        assert_eq!(nodes(list), 4);
    }

    #[test]
    fn exponential_types_are_small() {
        let mut text = "module M T0 = None".to_string();
        for level in 1..60 {
            text += &alloc::format!("\nT{level} = Record {{ a: T{0}, b: T{0} }}", level - 1);
        }
        text += "\nT = T59";
        assert_eq!(nodes(&text), 60);
    }
}
