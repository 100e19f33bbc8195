//! What the deployed peer, `hat-sbs` 0.7.6, made of values, bytes and schemas.

use hat_core::sbs::{DecodeError, PreparedType, Reader, Repository, Value, schema};
use serde_json::Value as Json;

use super::{hex, repository};

fn read(text: &str) -> Json {
    serde_json::from_str(text).expect("a vector file is JSON")
}

#[track_caller]
fn list<'a>(json: &'a Json, key: &str) -> &'a [Json] {
    json[key].as_array().unwrap_or_else(|| panic!("no list {key}"))
}

#[track_caller]
fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_else(|| panic!("no text {key}"))
}

fn repository_of(json: &Json) -> Repository {
    let mut all = Repository::new();
    for schema in list(json, "schemas") {
        all.merge(repository(schema.as_str().expect("a schema is text")));
    }
    assert_eq!(all.check(), Ok(()));
    all
}

/// Whether `value` is what the vectors write as `json`: Integers as decimal text, Floats by their
/// bits, Bytes in hexadecimal, Choices as `[name, value]`.
fn is(value: &Value, json: &Json) -> bool {
    match value {
        Value::None => json.is_null(),
        Value::Boolean(value) => json.as_bool() == Some(*value),
        Value::Integer(value) => json.as_str() == Some(&value.to_string()),
        Value::Float(value) => json["bits"].as_str() == Some(&format!("{:016x}", value.to_bits())),
        Value::String(value) => json.as_str() == Some(value),
        Value::Bytes(value) => json.as_str().is_some_and(|text| hex(text) == value),
        Value::Array(values) => json.as_array().is_some_and(|elements| {
            values.len() == elements.len() && values.iter().zip(elements).all(|(v, j)| is(v, j))
        }),
        Value::Record(record) => {
            json.as_object().is_some_and(|entries| entries.len() == record.len())
                && record.iter().all(|(name, value)| is(value, &json[&**name]))
        }
        Value::Choice(choice) => {
            json[0].as_str() == Some(&choice.name) && is(&choice.value, &json[1])
        }
        other => panic!("a kind of value that the vectors do not know: {other:?}"),
    }
}

/// Canonical bytes: they decode to the value, and the value encodes to them.
#[track_caller]
fn both_ways(repository: &Repository, case: &Json) {
    let (name, bytes) = (text(case, "type"), hex(text(case, "hex")));
    let value = repository.decode(name, &bytes).unwrap_or_else(|error| panic!("{case}: {error}"));
    assert!(is(&value, &case["value"]), "{case}: {value:?}");
    assert_eq!(repository.encode(name, &value).expect("was decoded"), bytes, "{case}");
}

#[test]
fn primitives() {
    let file = read(include_str!("../../vectors/sbs_primitives.json"));
    for case in list(&file, "cases") {
        both_ways(&Repository::new(), case);
    }
    assert_eq!(list(&file, "cases").len(), 597);
}

#[test]
fn types() {
    let file = read(include_str!("../../vectors/sbs_types.json"));
    let mut cases = 0;
    for group in list(&file, "group_cases") {
        let repository = repository_of(group);
        for case in list(group, "cases") {
            both_ways(&repository, case);
            cases += 1;
        }
    }
    assert_eq!(cases, 330);
}

/// One value from the start of the bytes; the peer takes no offence at what follows.
fn first(prepared: &PreparedType, text: &str) -> Result<Value, DecodeError> {
    prepared.decode_from(&mut Reader::new(&hex(text)))
}

/// The peer has two serializers: `c` is the one deployed, and wraps integers at 64 bits; `py` is
/// the plain one, and takes counts past the end and negative indexes.
#[test]
fn bytes_that_are_not_canonical_or_not_valid() {
    let file = read(include_str!("../../vectors/sbs_decode.json"));
    let repository = repository_of(&file);
    for case in list(&file, "cases") {
        let prepared = repository.prepare(text(case, "type")).expect("a type of the vectors");
        let expected = match (case["c"].get("value"), &case["py"]["value"]) {
            (None, _) => None,
            (Some(c), py) if c == py => Some(c),
            (Some(_), py) => {
                assert!(text(case, "note").ends_with("C wraps"), "{case}");
                Some(py)
            }
        };
        match (first(&prepared, text(case, "hex")), expected) {
            (Ok(value), Some(expected)) => assert!(is(&value, expected), "{case}: {value:?}"),
            (Err(_), None) => {}
            (other, _) => panic!("{case}: {other:?}"),
        }
    }
    assert_eq!(list(&file, "cases").len(), 113);
}

/// Texts that the deployed parser refuses by accident of its grammar: it wants the end of a line
/// after a comment, and stops reading `Integerx` after the builtin that it starts with.
const TAKEN_HERE: [&str; 3] = [
    "# c\nmodule M # c\nT = None # end",
    "module M # unterminated comment",
    "module M Integerx = String T = Integerx",
];

#[test]
fn schemas() {
    let file = read(include_str!("../../vectors/sbs_schemas.json"));
    for case in list(&file, "cases") {
        let schema = text(case, "schema");
        let here = Repository::parse(schema);
        if case["accepted"] == true {
            let here = here.unwrap_or_else(|error| panic!("{schema}: {error}"));
            assert_eq!(here.to_json(), case["json"], "{schema}");
            assert_eq!(Repository::from_json(&case["json"]), Ok(here), "{schema}");
        } else {
            // what the peer finds out at once here is found out when a type is used, or when asked
            let taken = here.is_ok_and(|repository| repository.check().is_ok());
            assert_eq!(taken, TAKEN_HERE.contains(&schema), "{schema}");
        }
    }
    assert_eq!(list(&file, "cases").len(), 46);
}

#[test]
fn a_name_that_starts_with_a_builtin_s_is_a_name() {
    assert!(schema::parse("module M T = Integerx").is_ok());
    let repository =
        repository("module M T = Record { a: Nonesuch } Nonesuch = Stringy, Stringy = String");
    assert_eq!(repository.check(), Ok(()));
}
