//! SBS value by value with the deployed serializer: what is encoded on one side is decoded on the
//! other.

use bytes::Bytes;
use hat_core::sbs::{ByteString, Integer, Repository, Value};
use hat_tests::generated::types_with_values;
use hat_tests::peers::chatter::Layer;
use hat_tests::peers::{Peer, from_base64, skipped, to_base64};
use hat_tests::vectors::{hex, list, load, text};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use super::link::deployed;

/// A value as the line protocol writes it: Integers as decimal text, Floats by their bits, Bytes in
/// hexadecimal, Choices as `[name, value]`.
fn to_json(value: &Value) -> Json {
    match value {
        Value::None => Json::Null,
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => value.to_string().into(),
        Value::Float(value) => json!({"bits": format!("{:016x}", value.to_bits())}),
        Value::String(value) => (**value).into(),
        Value::Bytes(value) => {
            value.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        }
        Value::Array(values) => values.iter().map(to_json).collect(),
        Value::Record(record) => {
            record.iter().map(|(name, value)| ((**name).to_owned(), to_json(value))).collect()
        }
        Value::Choice(choice) => json!([&*choice.name, to_json(&choice.value)]),
        other => panic!("a kind of value that the line protocol does not know: {other:?}"),
    }
}

/// One type of some schemas, here and at the peer.
struct Type<'a> {
    peer: &'a Peer,
    ours: &'a Repository,
    schemas: Json,
    name: &'a str,
}

impl Type<'_> {
    /// `value` goes there and back, in the same bytes. Integers of more than 64 bits need the
    /// peer's plain serializer.
    #[track_caller]
    fn agrees(&self, value: &Value, serializer: &str) {
        let json = to_json(value);
        let shown = || format!("{} of {}: {json}", self.name, self.schemas);
        let bytes = self
            .ours
            .encode(self.name, value)
            .unwrap_or_else(|error| panic!("{error}: {}", shown()));
        let ask = |method, key: &str, what: Json| {
            let mut params =
                json!({"schemas": self.schemas, "type": self.name, "serializer": serializer});
            params[key] = what;
            self.peer.request(method, params).unwrap_or_else(|error| panic!("{error}: {}", shown()))
        };
        let decoded = ask("sbs.decode", "data", to_base64(&bytes).into());
        assert_eq!(decoded["value"], json, "{}", shown());
        let encoded = Bytes::from(from_base64(&ask("sbs.encode", "value", json.clone())["data"]));
        assert_eq!(encoded, bytes, "{}", shown());
        let decoded = self
            .ours
            .decode(self.name, &encoded)
            .unwrap_or_else(|error| panic!("{error}: {}", shown()));
        assert_eq!(to_json(&decoded), json, "{}", shown());
    }
}

fn repository(schemas: &Json) -> Repository {
    let mut all = Repository::new();
    for schema in list(schemas) {
        all.merge(Repository::parse(text(schema)).expect("the peer takes it"));
    }
    all
}

/// The values of the vectors.
#[test]
fn types_of_the_vectors() {
    if skipped("types_of_the_vectors") {
        return;
    }
    let peer = deployed(Layer::Chatter);
    for group in list(&load("sbs_types")["group_cases"]) {
        let ours = repository(&group["schemas"]);
        for case in list(&group["cases"]) {
            let of = Type {
                peer,
                ours: &ours,
                schemas: group["schemas"].clone(),
                name: text(&case["type"]),
            };
            let value = ours.decode(of.name, &hex(&case["hex"])).expect("a vector");
            assert_eq!(to_json(&value), case["value"]);
            of.agrees(&value, "default");
        }
    }
}

/// Types and values that nobody thought of.
#[test]
fn generated_types() {
    if skipped("generated_types") {
        return;
    }
    let peer = deployed(Layer::Chatter);
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let test = |(of, value): (hat_tests::generated::Type, Value)| {
        let schema = format!("module M\nT = {}", of.text());
        let ours = Repository::parse(&schema).expect("a schema");
        let of = Type { peer, ours: &ours, schemas: json!([schema]), name: "M.T" };
        of.agrees(&value, "python");
        if is_small(&value) {
            of.agrees(&value, "default");
        }
        Ok(())
    };
    TestRunner::new(config).run(&types_with_values(), test).expect("both agree");
}

/// Whether all Integers fit 64 bits.
fn is_small(value: &Value) -> bool {
    match value {
        Value::Integer(value) => i64::try_from(value).is_ok(),
        Value::Array(values) => values.iter().all(is_small),
        Value::Record(record) => record.iter().all(|(_, value)| is_small(value)),
        Value::Choice(choice) => is_small(&choice.value),
        _ => true,
    }
}

/// The limits of each form of an Integer, where implementations differ if they do.
#[test]
fn integers() {
    if skipped("integers") {
        return;
    }
    let (peer, ours) = (deployed(Layer::Chatter), Repository::new());
    let of = Type { peer, ours: &ours, schemas: json!([]), name: "Integer" };
    for bits in 0..100 {
        for near in [-1, 0, 1] {
            let value = (1_i128 << bits) + near;
            for value in [value, -value] {
                let serializer = if i64::try_from(value).is_ok() { "default" } else { "python" };
                of.agrees(&Integer::from(value).into(), serializer);
            }
        }
    }
}

#[test]
fn texts_and_floats() {
    if skipped("texts_and_floats") {
        return;
    }
    let (peer, ours) = (deployed(Layer::Chatter), Repository::new());
    let of = |name| Type { peer, ours: &ours, schemas: json!([]), name };
    for text in ["", "\0", "č", "\u{10ffff}", &"x".repeat(64)] {
        of("String").agrees(&ByteString::from(text).into(), "default");
    }
    for float in
        [0.0, -0.0, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN]
    {
        of("Float").agrees(&float.into(), "default");
    }
    let signalling = f64::from_bits(0x7ff0_0000_0000_0001);
    of("Float").agrees(&signalling.into(), "default");
}
