//! The typed codec against the dynamic one: the same bytes, the same values, the same refusals.

use bytes::Bytes;
use hat_core::sbs::{self, ByteString, DecodeError, Integer, PreparedType, Reader, Value};
use proptest::collection::vec;
use proptest::prelude::*;

use super::prepared;

const SCHEMA: &str = "
    T = Record { id: Integer, on: Boolean, level: Float, name: String, data: Bytes
                 tags: Array(String), shape: Shape, next: Optional(Integer), unit: None }
    Shape = Choice { nothing: None, circle: Float, points: Array(Point) }
    Point = Record { x: Integer, y: Integer }
";

sbs::record! {
    #[derive(Clone, Debug, PartialEq)]
    struct Thing {
        id: Integer,
        on: bool,
        level: f64,
        name: ByteString,
        data: Bytes,
        tags: Vec<ByteString>,
        shape: Shape,
        next: Option<Integer>,
        unit: (),
    }
}

sbs::choice! {
    #[derive(Clone, Debug, PartialEq)]
    enum Shape { Nothing, Circle(f64), Points(Vec<Point>) }
}

sbs::record! {
    #[derive(Clone, Debug, PartialEq)]
    struct Point { x: Integer, y: Integer }
}

impl From<Thing> for Value {
    fn from(thing: Thing) -> Self {
        let tags: Vec<_> = thing.tags.into_iter().map(Self::from).collect();
        Self::record([
            ("id", thing.id.into()),
            ("on", thing.on.into()),
            ("level", thing.level.into()),
            ("name", thing.name.into()),
            ("data", thing.data.into()),
            ("tags", tags.into()),
            ("shape", thing.shape.into()),
            ("next", Self::optional(thing.next)),
            ("unit", Self::None),
        ])
    }
}

impl From<Shape> for Value {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Nothing => Self::choice("nothing", ()),
            Shape::Circle(radius) => Self::choice("circle", radius),
            Shape::Points(points) => {
                Self::choice("points", points.into_iter().map(Self::from).collect::<Vec<_>>())
            }
        }
    }
}

impl From<Point> for Value {
    fn from(point: Point) -> Self {
        Self::record([("x", point.x.into()), ("y", point.y.into())])
    }
}

fn integers() -> impl Strategy<Value = Integer> {
    prop_oneof![
        any::<i8>().prop_map(|v| i64::from(v).into()),
        any::<i64>().prop_map_into(),
        any::<i128>().prop_map_into()
    ]
}

fn floats() -> impl Strategy<Value = f64> {
    // NaN is not equal to itself; vectors and properties of bytes cover it
    any::<f64>().prop_filter("comparable", |value| !value.is_nan())
}

fn shapes() -> impl Strategy<Value = Shape> {
    let point = (integers(), integers()).prop_map(|(x, y)| Point { x, y });
    prop_oneof![
        Just(Shape::Nothing),
        floats().prop_map(Shape::Circle),
        vec(point, 0..4).prop_map(Shape::Points)
    ]
}

prop_compose! {
    fn things()(
        id in integers(), on: bool, level in floats(), name: String, data in vec(any::<u8>(), 0..40),
        tags in vec(any::<String>(), 0..4), shape in shapes(), next in proptest::option::of(integers()),
    ) -> Thing {
        let tags = tags.into_iter().map(ByteString::from).collect();
        Thing { id, on, level, name: name.into(), data: data.into(), tags, shape, next, unit: () }
    }
}

/// Both read `bytes` as far, to the same value or to the same refusal.
fn agree(prepared: &PreparedType, bytes: &Bytes) {
    let (mut typed, mut dynamic) = (Reader::new(bytes), Reader::new(bytes));
    let one = <Thing as sbs::Decode>::decode(&mut typed);
    let other = prepared.decode_from(&mut dynamic);
    match (one, other) {
        (Ok(one), Ok(other)) => {
            assert_eq!(typed.position(), dynamic.position());
            // through bytes again, for NaN
            assert_eq!(prepared.encode(&other).expect("was decoded"), sbs::encode(&one));
        }
        (one, other) => assert_eq!(one.err(), other.err()),
    }
}

proptest! {
    #[test]
    fn values(thing in things()) {
        let prepared = prepared(SCHEMA);
        let bytes = sbs::encode(&thing);
        prop_assert_eq!(sbs::decode(&bytes), Ok(thing.clone()));
        let value = Value::from(thing);
        prop_assert_eq!(prepared.encode(&value), Ok(bytes.clone()));
        prop_assert_eq!(prepared.decode(&bytes), Ok(value));
    }

    #[test]
    fn damaged_bytes(thing in things(), at: prop::sample::Index, byte: u8, cut: bool) {
        let mut bytes = sbs::encode(&thing).to_vec();
        let at = at.index(bytes.len());
        match cut {
            true => bytes.truncate(at),
            false => bytes[at] = byte,
        }
        agree(&prepared(SCHEMA), &bytes.into());
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..64)) {
        agree(&prepared(SCHEMA), &bytes.into());
    }
}

#[test]
fn decoding_copies_no_text() {
    let bytes = Bytes::from_static(b"\x83abc");
    let Ok(Value::String(text)) = prepared("T = String").decode(&bytes) else {
        panic!("a string");
    };
    assert!(std::ptr::eq(text.as_bytes().as_ptr(), &raw const bytes[1]));
}

sbs::record! {
    #[derive(Debug, PartialEq)]
    struct List { value: i64, next: Option<Box<List>> }
}

sbs::record! {
    #[derive(Debug, PartialEq)]
    struct Tree { branches: Vec<Fork> }
}

sbs::choice! {
    #[derive(Debug, PartialEq)]
    enum Fork { Leaf, Tree(Tree) }
}

fn list(boxes: usize) -> List {
    let end = List { value: 0, next: None };
    (0..boxes).fold(end, |next, at| List { value: at as i64, next: Some(Box::new(next)) })
}

#[test]
fn what_nests_too_deep_to_be_decoded_is_not_encoded() {
    // 64 levels go, on both sides
    let bytes = sbs::try_encode(&list(64)).expect("not too deep");
    assert_eq!(sbs::decode(&bytes), Ok(list(64)));
    assert_eq!(sbs::encode(&list(64)), bytes);
    assert_eq!(sbs::try_encode(&list(65)), Err(sbs::TooDeep { limit: 64 }));
    // so the limit of the two is one
    let (mut deeper, one) = (Vec::new(), list(65));
    sbs::Encode::encode(&one, &mut deeper);
    let refused = sbs::decode::<List>(&deeper.into());
    assert!(matches!(refused, Err(sbs::DecodeError::TooDeep { limit: 64, .. })), "{refused:?}");

    // one that would take the stack
    let mut long = list(1_000_000);
    assert!(sbs::try_encode(&long).is_err());
    // and so would its drop, level by level
    while let Some(next) = long.next.take() {
        long = *next;
    }
}

#[test]
fn arrays_nest_as_boxes_do() {
    let tree = |levels| {
        let top = Tree { branches: Vec::new() };
        // the array of the innermost is a level too
        (1..levels).fold(top, |tree, _| Tree { branches: vec![Fork::Leaf, Fork::Tree(tree)] })
    };
    let bytes = sbs::try_encode(&tree(64)).expect("not too deep");
    assert_eq!(sbs::decode(&bytes), Ok(tree(64)));
    assert_eq!(sbs::try_encode(&tree(65)), Err(sbs::TooDeep { limit: 64 }));
}

#[test]
#[should_panic(expected = "nested deeper than 64 levels")]
fn encode_says_so() {
    sbs::encode(&list(65));
}

sbs::record! {
    #[derive(Debug, PartialEq)]
    struct Plain { name: String, small: i16, count: u32, all: u64, level: f32 }
}

sbs::record! {
    #[derive(Debug, PartialEq)]
    struct Pair<A: Clone, B> { one: A, other: Option<B> }
}

sbs::choice! {
    #[derive(Debug, PartialEq)]
    enum Either<A, B> { Neither, One(A), Other(Vec<B>) }
}

sbs::record! {
    #[derive(Debug, PartialEq)]
    struct Empty {}
}

/// The bytes of `value`, which is what they decode to.
#[track_caller]
fn bytes<T: sbs::Encode + sbs::Decode + PartialEq + std::fmt::Debug>(value: T) -> Vec<u8> {
    let bytes = sbs::encode(&value);
    assert_eq!(sbs::Encode::encoded_len(&value), bytes.len());
    assert_eq!(sbs::decode(&bytes), Ok(value));
    bytes.to_vec()
}

#[test]
fn the_types_of_rust_have_the_forms_of_the_wide_ones() {
    let plain = Plain { name: "a".into(), small: -1, count: 1, all: u64::MAX, level: 0.5 };
    let all = sbs::encode(&i128::from(u64::MAX));
    let expected = [b"\x81a\xff\x81", &all[..], &sbs::encode(&0.5)].concat();
    assert_eq!(bytes(plain), expected);
    assert_eq!(bytes(Pair { one: String::from("a"), other: Some(-1_i32) }), *b"\x81a\x81\xff");
    assert_eq!(bytes(Either::<bool, u16>::Neither), *b"\x80");
    assert_eq!(bytes(Either::<bool, u16>::One(true)), *b"\x81\x01");
    assert_eq!(bytes(Either::<bool, u16>::Other(vec![1, 2])), *b"\x82\x82\x81\x82");
    assert_eq!(bytes(Empty {}), *b"");
    assert_eq!(bytes(vec![Empty {}, Empty {}]), *b"\x82");
}

#[test]
fn what_a_narrow_type_cannot_hold_is_refused() {
    let at = 0;
    let wide = |value: i128| sbs::encode(&value);
    for (value, bits) in [(-1, 32), (1 << 32, 32), (1 << 70, 32)] {
        let overflow = DecodeError::IntegerOverflow { at, bits };
        assert_eq!(sbs::decode::<u32>(&wide(value)), Err(overflow));
    }
    let overflow = DecodeError::IntegerOverflow { at, bits: 64 };
    assert_eq!(sbs::decode::<u64>(&wide(-1)), Err(overflow));
    assert_eq!(sbs::decode::<u64>(&wide(1 << 64)), Err(overflow));

    let double = |value: f64| sbs::decode::<f32>(&sbs::encode(&value));
    assert_eq!(double(0.1), Ok(0.1));
    assert_eq!(double(f64::INFINITY), Ok(f32::INFINITY));
    assert!(double(f64::NAN).is_ok_and(f32::is_nan));
    let reason = "a number that does not fit in single precision";
    assert_eq!(double(1e39), Err(DecodeError::NotAllowed { at, reason }));
}

#[test]
fn parts_of_a_dynamic_value() {
    let point = Value::record([("x", 1.into()), ("y", Value::from(vec![2.into(), true.into()]))]);
    assert_eq!(point["x"].as_i64(), Some(1));
    assert_eq!(point["y"][1].as_bool(), Some(true));
    assert_eq!(point.pointer("/y/0").and_then(Value::as_i64), Some(2));
    for nowhere in ["y/0", "/y/2", "/y/00", "/y/+0", "/z", "/x/0", "/"] {
        assert_eq!(point.pointer(nowhere), None, "{nowhere}");
    }
    assert_eq!(point.pointer(""), Some(&point));
    assert!(point["z"][0]["x"].is_none());
    let text = Value::optional(Some("a"));
    assert_eq!((text["value"].as_str(), text.get("none")), (Some("a"), None));
}

sbs::record! {
    #[derive(Clone, Debug, PartialEq)]
    struct Boxed { one: Box<i64>, other: Box<bool> }
}

/// A box does not say how few bytes it takes, so that types may be recursive.
#[test]
fn long_arrays_of_boxes() {
    let numbers: Vec<_> = (0..70_000).map(Box::new).collect();
    assert_eq!(sbs::decode::<Vec<Box<i64>>>(&sbs::encode(&numbers)).as_ref(), Ok(&numbers));
    let records = vec![Boxed { one: Box::new(1), other: Box::new(true) }; 70_000];
    assert_eq!(sbs::decode::<Vec<Boxed>>(&sbs::encode(&records)).as_ref(), Ok(&records));
    // the count is held against what is there all the same
    let huge = [&sbs::encode(&(1_i64 << 40))[..], &[0x80; 70_000]].concat();
    let error = DecodeError::CountTooLarge { at: 0, count: 1 << 40, most: 70_000 };
    assert_eq!(sbs::decode::<Vec<Box<i64>>>(&huge.into()), Err(error));
}

/// As many as there are bytes, and 65 536 more, however many arrays they are in.
#[test]
fn typed_elements_without_bytes_add_up() {
    let nothing = |count| vec![Box::new(()); count];
    let few = vec![nothing(65_536)];
    assert_eq!(sbs::decode::<Vec<Vec<Box<()>>>>(&sbs::encode(&few)).as_ref(), Ok(&few));
    // 65 536 in each of three, as in the dynamic decoder
    let many = sbs::encode(&vec![nothing(65_536); 3]);
    let error = DecodeError::TooManyEmpty { at: 7, limit: 65_546 };
    assert_eq!(sbs::decode::<Vec<Vec<Box<()>>>>(&many), Err(error));
}
