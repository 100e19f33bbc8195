//! Types and values of SBS at random, for the suites that need any.

use bytes::Bytes;
use hat_core::sbs::{Integer, Value};
use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::prelude::*;

/// A type, as a schema can define it.
#[derive(Clone, Debug)]
pub enum Type {
    /// One of the types without parts, by its name.
    Builtin(&'static str),
    /// `Array(…)`
    Array(Box<Type>),
    /// `Optional(…)`
    Optional(Box<Type>),
    /// Entries are named `e0`, `e1` …
    Record(Vec<Type>),
    /// The same.
    Choice(Vec<Type>),
}

impl Type {
    /// The type as schemas write it.
    pub fn text(&self) -> String {
        let entries = |types: &[Self]| {
            let entry = |(index, of): (usize, &Self)| format!("e{index}: {}", of.text());
            types.iter().enumerate().map(entry).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Builtin(name) => (*name).into(),
            Self::Array(of) => format!("Array({})", of.text()),
            Self::Optional(of) => format!("Optional({})", of.text()),
            Self::Record(types) => format!("Record {{ {} }}", entries(types)),
            Self::Choice(types) => format!("Choice {{ {} }}", entries(types)),
        }
    }

    /// Any value of the type.
    pub fn values(&self) -> BoxedStrategy<Value> {
        let named = |index: usize| format!("e{index}");
        match self {
            Self::Builtin("None") => Just(Value::None).boxed(),
            Self::Builtin("Boolean") => any::<bool>().prop_map_into().boxed(),
            Self::Builtin("Integer") => integers().prop_map_into().boxed(),
            Self::Builtin("Float") => any::<f64>().prop_map_into().boxed(),
            Self::Builtin("String") => any::<String>().prop_map_into().boxed(),
            Self::Builtin(_) => vec(any::<u8>(), 0..20).prop_map(|v| Bytes::from(v).into()).boxed(),
            Self::Array(of) => vec(of.values(), 0..5).prop_map_into().boxed(),
            Self::Optional(of) => {
                proptest::option::of(of.values()).prop_map(Value::optional).boxed()
            }
            Self::Record(types) => {
                let values: Vec<_> = types.iter().map(Self::values).collect();
                let record = move |values: Vec<_>| {
                    Value::record(values.into_iter().enumerate().map(|(i, v)| (named(i), v)))
                };
                values.prop_map(record).boxed()
            }
            Self::Choice(types) => {
                let types = types.clone();
                let one = move |index: usize| {
                    types[index].values().prop_map(move |value| Value::choice(named(index), value))
                };
                (0..self.entries()).prop_flat_map(one).boxed()
            }
        }
    }

    fn entries(&self) -> usize {
        match self {
            Self::Record(types) | Self::Choice(types) => types.len(),
            _ => 0,
        }
    }
}

/// Integers of up to 4 096 bits.
pub fn integers() -> impl Strategy<Value = Integer> {
    let big = vec(any::<u8>(), 0..512).prop_map(|v| BigInt::from_signed_bytes_be(&v).into());
    prop_oneof![any::<i64>().prop_map_into(), any::<i128>().prop_map_into(), big]
}

/// Any type of some size.
pub fn types() -> impl Strategy<Value = Type> {
    let builtin = ["None", "Boolean", "Integer", "Float", "String", "Bytes"];
    prop::sample::select(builtin.to_vec()).prop_map(Type::Builtin).prop_recursive(
        4,
        24,
        5,
        |inner| {
            prop_oneof![
                inner.clone().prop_map(|of| Type::Array(of.into())),
                inner.clone().prop_map(|of| Type::Optional(of.into())),
                vec(inner.clone(), 1..5).prop_map(Type::Record),
                vec(inner, 1..5).prop_map(Type::Choice),
            ]
        },
    )
}

/// A type, and a value of it.
pub fn types_with_values() -> impl Strategy<Value = (Type, Value)> {
    types().prop_flat_map(|of| (Just(of.clone()), of.values()))
}
