//! Documents, paths and patches at random.

use hat_core::json::{Limits, Pointer, Token, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Few names, so that they meet: plain ones, those that need escapes, and those that look like an
/// index.
fn names() -> impl Strategy<Value = String> {
    let names = ["a", "b", "c", "", "a/b", "~", "~1", "0", "1", "01", "-", "č\"\\\n", "😀"];
    prop_oneof![9 => select(names.to_vec()).prop_map_into(), 1 => any::<String>()]
}

fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map_into(),
        4 => (-3..4_i64).prop_map_into(),
        1 => select(vec![0.0, -0.0, 1.0, 0.5, 1e300, 5e-324, 9_007_199_254_740_993.0]).prop_map_into(),
        1 => any::<f64>().prop_map_into(),
        1 => any::<i64>().prop_map_into(),
        1 => any::<u64>().prop_map_into(),
        1 => names().prop_map_into(),
    ]
}

/// Any document, small.
pub(crate) fn documents() -> impl Strategy<Value = Value> {
    plain().prop_recursive(4, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map_into(),
            vec((names(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Lists long enough to be kept in several parts, of few different elements.
fn lists() -> impl Strategy<Value = Value> {
    vec((0..40_i64).prop_map(Value::from), 200..700).prop_map_into()
}

/// Two documents that have something in common.
pub(crate) fn pairs() -> impl Strategy<Value = (Value, Value)> {
    let edited = prop_oneof![4 => documents(), 1 => lists()]
        .prop_flat_map(|from| (Just(from), vec(edits(), 0..8)))
        .prop_map(|(from, edits)| {
            let mut to = from.clone();
            edits.iter().for_each(|edit| edit.make(&mut to));
            (from, to)
        });
    prop_oneof![4 => edited, 1 => (documents(), documents())]
}

/// A change of any part of a document.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    at: Index,
    below: Option<String>,
    value: Option<Value>,
    /// Whether an element is inserted, and not set.
    insert: bool,
}

pub(crate) fn edits() -> impl Strategy<Value = Edit> {
    let value = proptest::option::weighted(0.7, documents());
    let edit = |(at, below, value, insert)| Edit { at, below, value, insert };
    (any::<Index>(), proptest::option::weighted(0.3, names()), value, any::<bool>()).prop_map(edit)
}

impl Edit {
    /// Where it is made in that document: at any part, or one step below it.
    pub(crate) fn path(&self, document: &Value) -> Pointer {
        let paths = paths(document);
        let path = self.at.get(&paths).clone();
        match &self.below {
            Some(name) => path.child(name.clone()),
            None => path,
        }
    }

    /// What is set there; nothing if the part is removed.
    pub(crate) fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    pub(crate) fn make(&self, document: &mut Value) {
        let path = self.path(document);
        let Some(value) = &self.value else {
            document.remove(&path);
            return;
        };
        let index = path.tokens().last().and_then(Token::as_index);
        if let (true, Some(index)) = (self.insert, index) {
            let parent = Pointer::new(path.tokens()[..path.tokens().len() - 1].iter().cloned());
            if let Some(Value::Array(array)) = document.get(&parent) {
                let mut array = array.clone();
                array.insert(index, value.clone());
                document.set(&parent, array, &Limits::default()).expect("within the limits");
                return;
            }
        }
        document.set(&path, value.clone(), &Limits::default()).expect("within the limits");
    }
}

/// The paths of all parts, the root first.
pub(crate) fn paths(document: &Value) -> Vec<Pointer> {
    fn collect(value: &Value, path: &Pointer, paths: &mut Vec<Pointer>) {
        paths.push(path.clone());
        match value {
            Value::Array(array) => {
                for (index, child) in array.iter().enumerate() {
                    collect(child, &path.clone().child(index), paths);
                }
            }
            Value::Object(object) => {
                for (name, child) in object.iter() {
                    collect(child, &path.clone().child(name.clone()), paths);
                }
            }
            _ => {}
        }
    }
    let mut paths = Vec::new();
    collect(document, &Pointer::root(), &mut paths);
    paths
}

/// A document and the JSON of a patch that often can be applied to it, at least in part.
pub(crate) fn patches() -> impl Strategy<Value = (Value, Value)> {
    let operations = vec((select(OPERATIONS.to_vec()), any::<Index>(), edits(), documents()), 0..6);
    (documents(), operations).prop_map(|(document, operations)| {
        let operation = |(op, from, edit, value): (&str, Index, Edit, Value)| {
            let path = edit.path(&document).to_string();
            let from = from.get(&paths(&document)).to_string();
            // a test that can hold
            let there = document.get(&edit.path(&document)).cloned();
            let value = if op == "test" { there.unwrap_or(value) } else { value };
            let members: [(&str, Value); 4] =
                [("op", op.into()), ("path", path.into()), ("from", from.into()), ("value", value)];
            Value::Object(members.into())
        };
        let patch = operations.into_iter().map(operation).collect();
        (document, patch)
    })
}

const OPERATIONS: [&str; 6] = ["add", "remove", "replace", "move", "copy", "test"];
