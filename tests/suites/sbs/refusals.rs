//! Every refusal of a value or of bytes, one test each.

use hat_core::sbs::{DecodeError, EncodeError, Repository, Value, ValueDecodeError};

use super::{hex, prepared, repository};

#[track_caller]
fn decoding(definitions: &str, bytes: &str, error: DecodeError) {
    assert_eq!(prepared(definitions).decode(&hex(bytes)), Err(error));
}

#[test]
fn negative_count() {
    let error = DecodeError::NegativeCount { at: 0 };
    decoding("T = Array(Integer)", "ff", error);
    decoding("T = String", "ff616263", error);
    decoding("T = Bytes", "ff616263", error);
    // of more than 64 bits
    decoding("T = Bytes", "7e7f7f7f7f7f7f7f7f7f7f7fff", error);
}

#[test]
fn count_past_the_end() {
    decoding("T = Bytes", "84616263", DecodeError::CountTooLarge { at: 0, count: 4, most: 3 });
    decoding("T = String", "84616263", DecodeError::CountTooLarge { at: 0, count: 4, most: 3 });
    // eight bytes each
    decoding(
        "T = Array(Float)",
        "820000000000000000ff",
        DecodeError::CountTooLarge { at: 0, count: 2, most: 1 },
    );
    // two bytes each, found in a recursive type
    let tree = "T = Record { label: String, children: Array(T) }";
    decoding(tree, "80828080", DecodeError::CountTooLarge { at: 1, count: 2, most: 1 });
}

#[test]
fn count_of_elements_without_bytes() {
    // 2^21 elements
    let error = DecodeError::CountTooLarge { at: 0, count: 1 << 21, most: 65_536 };
    decoding("T = Array(None)", "01000080", error);
    decoding("T = Array(Record { a: None, b: Record { c: None } })", "01000080", error);
}

#[test]
fn elements_without_bytes_add_up() {
    // 65 536 in each of three
    decoding(
        "T = Array(Array(None))",
        "83040080040080040080",
        DecodeError::TooManyEmpty { at: 7, limit: 65_546 },
    );
}

#[test]
fn negative_index() {
    decoding("T = Choice { a: None }", "ff", DecodeError::NegativeIndex { at: 0 });
}

#[test]
fn index_past_the_last_entry() {
    decoding("T = Optional(None)", "82", DecodeError::NoSuchEntry { at: 0, index: 2, entries: 2 });
}

#[test]
fn bytes_that_end_early() {
    let missing = |at, missing| DecodeError::UnexpectedEnd { at, missing };
    decoding("T = Integer", "", missing(0, 1));
    decoding("T = Integer", "01", missing(0, 1));
    decoding("T = Boolean", "", missing(0, 1));
    decoding("T = Float", "00000000000000", missing(0, 1));
    decoding("T = Choice { a: Integer }", "80", missing(1, 1));
}

#[test]
fn text_that_is_not_utf_8() {
    for bytes in ["82c328", "83eda080", "82c080"] {
        decoding("T = String", bytes, DecodeError::NotUtf8 { at: 1 });
    }
}

#[test]
fn bytes_left_over() {
    decoding("T = Integer", "8155", DecodeError::TrailingBytes { at: 1, left: 1 });
    decoding("T = None", "00", DecodeError::TrailingBytes { at: 0, left: 1 });
}

#[test]
fn integer_too_long() {
    let long = "01".repeat(1171) + "81";
    decoding("T = Integer", &long, DecodeError::IntegerTooLong { at: 0, limit: 1171 });
}

#[test]
fn nested_too_deep() {
    let error = DecodeError::TooDeep { at: 256, limit: 256 };
    decoding("T = Choice { end: None, more: T }", &"81".repeat(1000), error);
}

#[test]
fn type_that_cannot_be_used() {
    let nothing = Repository::new();
    assert!(matches!(nothing.decode("M.T", &hex("80")), Err(ValueDecodeError::Type(_))));
    assert!(matches!(nothing.encode("M.T", &Value::None), Err(EncodeError::Type(_))));
    assert!(matches!(nothing.decode("Integer", &hex("")), Err(ValueDecodeError::Bytes(_))));
}

const NESTED: &str = "module M
    T = Record { data: Choice { items: Array(Point), none: None }, name: Optional(String) }
    Point = Record { x: Integer, y: Integer }";

#[track_caller]
fn encoding(data: Value, message: &str) -> EncodeError {
    let value = Value::record([("data", data), ("name", Value::optional(Some("n")))]);
    let error = repository(NESTED).encode("M.T", &value).expect_err("no value of the type");
    assert_eq!(error.to_string(), message);
    error
}

fn point(x: impl Into<Value>) -> Value {
    Value::record([("x", x.into()), ("y", 2.into())])
}

#[test]
fn value_of_another_kind() {
    let items = vec![point(1), point(1), point(1), point("one")];
    let error =
        encoding(Value::choice("items", items), "data.items[3].x: expected Integer, got String");
    assert!(matches!(error, EncodeError::Kind { .. }));

    let error = Repository::new().encode("Integer", &2.5.into()).expect_err("no integer");
    assert_eq!(error.to_string(), "the value: expected Integer, got Float");
    encoding(Value::None, "data: expected Choice, got None");
    encoding(Value::choice("items", ()), "data.items: expected Array, got None");
    encoding(
        Value::choice("items", vec![Value::from(true)]),
        "data.items[0]: expected Record, got Boolean",
    );
}

#[test]
fn record_without_an_entry() {
    let items = vec![Value::record([("x", Value::from(1))])];
    let error =
        encoding(Value::choice("items", items), "data.items[0]: the record has no entry `y`");
    assert!(matches!(error, EncodeError::MissingEntry { .. }));
}

#[test]
fn record_with_an_unknown_entry() {
    let items = vec![Value::record([("x", Value::from(1)), ("y", 2.into()), ("z", 3.into())])];
    let error = encoding(
        Value::choice("items", items),
        "data.items[0]: the type of the record has no entry `z`",
    );
    assert!(matches!(error, EncodeError::UnknownEntry { .. }));
}

#[test]
fn choice_of_an_unknown_entry() {
    let error = encoding(Value::choice("other", ()), "data: the choice has no entry `other`");
    assert!(matches!(error, EncodeError::NoSuchChoice { .. }));
}

#[test]
fn value_nested_too_deep() {
    let list = prepared("T = Optional(T)");
    let nested = |levels| {
        (0..levels).fold(Value::optional(None::<Value>), |inner, _| Value::optional(Some(inner)))
    };
    let deepest = nested(255);
    let bytes = list.encode(&deepest).expect("256 levels");
    assert_eq!(list.decode(&bytes), Ok(deepest));
    let error = list.encode(&nested(256)).expect_err("257 levels");
    assert_eq!(error.to_string(), "the value: nested deeper than 256 levels");
}
