//! From shapes to nodes: places are followed to what they are, and every type is found to have a
//! finite value.

use alloc::vec::Vec;

use super::TypeError;
use super::names::{Builtin, Definition};
use super::plan::{Entries, Id, Node, Plan, Shape};
use bytestring::ByteString;

pub(super) fn resolve(
    shapes: &[Shape],
    places: &[(Id, Definition<'_>)],
    root: Id,
) -> Result<Plan, TypeError> {
    let infinite =
        |definition: &Definition<'_>| TypeError::Infinite { definition: definition.full_name() };
    // `T = T`: places that lead to each other
    if let Some((_, definition)) = places.iter().find(|(place, _)| follow(shapes, *place).is_none())
    {
        return Err(infinite(definition));
    }
    // `T = Record { next: T }`. The last definition that was opened is the nearest to the
    // recursion.
    let least = least_lengths(shapes);
    if let Some((_, definition)) =
        places.iter().rfind(|(place, _)| least[*place as usize].is_none())
    {
        return Err(infinite(definition));
    }

    // numbers without the places
    let mut numbers = Vec::with_capacity(shapes.len());
    let mut next: Id = 0;
    for shape in shapes {
        numbers.push(next);
        next += Id::from(!matches!(shape, Shape::Place(_)));
    }
    let number = |id: Id| numbers[follow(shapes, id).unwrap_or(id) as usize];
    let entries = |entries: &[(ByteString, Id)]| Entries {
        names: entries.iter().map(|(name, _)| name.clone()).collect(),
        of: entries.iter().map(|(_, id)| number(*id)).collect(),
    };
    let nodes = shapes.iter().filter_map(|shape| {
        Some(match shape {
            Shape::Place(_) => return None,
            Shape::Builtin(builtin) => Node::Builtin(*builtin),
            Shape::Array(element) => Node::Array {
                element: number(*element),
                least: least[*element as usize].unwrap_or(0),
            },
            Shape::Record(of) => Node::Record(entries(of)),
            Shape::Choice(of) => Node::Choice(entries(of)),
        })
    });
    Ok(Plan { nodes: nodes.collect(), root: number(root) })
}

/// What a place leads to, or `None` if it leads back to itself.
fn follow(shapes: &[Shape], mut id: Id) -> Option<Id> {
    for _ in 0..=shapes.len() {
        match &shapes[id as usize] {
            Shape::Place(next) => id = *next,
            _ => return Some(id),
        }
    }
    None
}

/// The fewest bytes that a value of each shape takes; `None` where there is no finite value.
fn least_lengths(shapes: &[Shape]) -> Vec<Option<usize>> {
    let mut least: Vec<Option<usize>> = Vec::new();
    least.resize(shapes.len(), None);
    // Lengths only ever get shorter. Inner shapes mostly stand before outer ones, so that a few
    // rounds do.
    loop {
        let mut changed = false;
        for (index, shape) in shapes.iter().enumerate() {
            let of = |id: Id| least[id as usize];
            let length = match shape {
                Shape::Builtin(Builtin::None) => Some(0),
                Shape::Builtin(Builtin::Float) => Some(8),
                Shape::Builtin(_) | Shape::Array(_) => Some(1),
                Shape::Place(id) => of(*id),
                Shape::Record(entries) => entries
                    .iter()
                    .try_fold(0_usize, |sum, (_, id)| Some(sum.saturating_add(of(*id)?))),
                Shape::Choice(entries) => {
                    let shortest = entries.iter().filter_map(|(_, id)| of(*id)).min();
                    shortest.map(|length| length.saturating_add(1))
                }
            };
            changed |= length != least[index];
            least[index] = length;
        }
        if !changed {
            return least;
        }
    }
}
