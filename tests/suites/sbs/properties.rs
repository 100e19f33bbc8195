//! What holds for any schema, any value and any bytes.

use bytes::Bytes;
use hat_core::sbs::{Integer, Repository, Value, schema};
use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::prelude::*;

use super::hostile::parts;
use super::{prepared, repository};

#[derive(Clone, Debug)]
enum Type {
    Builtin(&'static str),
    Array(Box<Type>),
    Optional(Box<Type>),
    Record(Vec<Type>),
    Choice(Vec<Type>),
}

impl Type {
    fn text(&self) -> String {
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

    fn values(&self) -> BoxedStrategy<Value> {
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

fn integers() -> impl Strategy<Value = Integer> {
    let big = vec(any::<u8>(), 0..512).prop_map(|v| BigInt::from_signed_bytes_be(&v).into());
    prop_oneof![any::<i64>().prop_map_into(), any::<i128>().prop_map_into(), big]
}

fn types() -> impl Strategy<Value = Type> {
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

fn types_with_values() -> impl Strategy<Value = (Type, Value)> {
    types().prop_flat_map(|of| (Just(of.clone()), of.values()))
}

/// Words of the grammar, so that some of it is often right.
fn almost_schemas() -> impl Strategy<Value = String> {
    let words = [
        "module", " ", "\r\n", ",", "M", "T", "U", "=", "(", ")", "{", "}", ":", ".", "Array",
        "Record", "Choice", "Optional", "Maybe", "Tuple", "Union", "Integer", "None", "# c\n", "#",
        "é", "a: None", "T = ", "U(a) = a",
    ];
    vec(prop::sample::select(words.to_vec()), 0..40)
        .prop_map(|words| format!("module M {}", words.concat()))
}

proptest! {
    #[test]
    fn values_go_through_bytes_and_back((of, value) in types_with_values()) {
        let prepared = prepared(&format!("T = {}", of.text()));
        let bytes = prepared.encode(&value).expect("a value of the type");
        let again = prepared.decode(&bytes).expect("was encoded");
        // NaN is not equal to itself: as text, where it is
        prop_assert_eq!(format!("{again:?}"), format!("{value:?}"));
        prop_assert_eq!(prepared.encode(&again), Ok(bytes));
    }

    #[test]
    fn damaged_bytes_are_refused_or_mean_something(
        (of, value) in types_with_values(), at: prop::sample::Index, byte: u8, cut: bool,
    ) {
        let prepared = prepared(&format!("T = {}", of.text()));
        let mut bytes = prepared.encode(&value).expect("a value of the type").to_vec();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
        }
        if let Ok(value) = prepared.decode(&bytes.into()) {
            let bytes = prepared.encode(&value).expect("was decoded");
            let again = prepared.decode(&bytes).expect("was encoded");
            prop_assert_eq!(format!("{again:?}"), format!("{value:?}"));
        }
    }

    #[test]
    fn any_bytes_make_a_bounded_value_or_none(of in types(), bytes in vec(any::<u8>(), 0..200)) {
        let most = (bytes.len() + 65_536 + bytes.len()) * 32 + 256;
        if let Ok(value) = prepared(&format!("T = {}", of.text())).decode(&bytes.into()) {
            prop_assert!(parts(&value) <= most, "{} parts", parts(&value));
        }
    }

    #[test]
    fn schemas_go_through_json_and_back(of in types()) {
        let here = repository(&format!("module M T = {}", of.text()));
        prop_assert_eq!(Repository::from_json(&here.to_json()), Ok(here));
    }

    #[test]
    fn any_text_is_a_schema_or_an_error(text in ".*") {
        let _ = schema::parse(&text);
    }

    #[test]
    fn almost_schemas_do_no_harm(text in almost_schemas()) {
        if let Ok(repository) = Repository::parse(&text) {
            let _ = repository.check();
            let _ = repository.prepare("M.T");
            prop_assert!(Repository::from_json(&repository.to_json()).is_ok());
        }
    }
}
