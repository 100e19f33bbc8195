//! SBS, typed and dynamic: integers, strings, a record.
#![allow(missing_docs, reason = "a bench")]

use bytes::Bytes;
use divan::Bencher;
use divan::counter::BytesCount;
use hat_core::sbs::{self, ByteString, PreparedType, Repository, Value};

fn main() {
    divan::main();
}

const SCHEMA: &str = "
    module Bench
    Integers = Array(Integer)
    Strings = Array(String)
    Events = Array(Event)
    Event = Record {
        id: Integer
        type: Array(String)
        timestamp: Timestamp
        source: Optional(Timestamp)
        payload: Choice { none: None, number: Float, data: Bytes }
    }
    Timestamp = Record { s: Integer, us: Integer }
";

sbs::record! {
    struct Event {
        id: i64,
        kind: Vec<ByteString>,
        timestamp: Timestamp,
        source: Option<Timestamp>,
        payload: Payload,
    }
}

sbs::record! {
    struct Timestamp { s: i64, us: i64 }
}

sbs::choice! {
    enum Payload { None, Number(f64), Data(Bytes) }
}

const COUNT: i64 = 1000;

fn integers() -> Vec<i64> {
    (0..COUNT).map(|n| n << (n % 50)).collect()
}

fn strings() -> Vec<ByteString> {
    (0..COUNT).map(|n| ByteString::from(format!("some text, number {n}"))).collect()
}

fn events() -> Vec<Event> {
    let event = |n| Event {
        id: n,
        kind: ["gateway", "device", "value"].map(ByteString::from_static).into(),
        timestamp: Timestamp { s: 1_700_000_000 + n, us: n },
        source: (n % 2 == 0).then_some(Timestamp { s: n, us: 999_999 }),
        payload: match n % 3 {
            0 => Payload::None,
            1 => Payload::Number(n as f64),
            _ => Payload::Data(Bytes::from_static(b"0123456789")),
        },
    };
    (0..COUNT).map(event).collect()
}

fn prepared(name: &str) -> PreparedType {
    let repository = Repository::parse(SCHEMA).expect("the schema of the bench");
    repository.prepare(name).expect("a type of the bench")
}

fn typed_encode(bencher: Bencher<'_, '_>, value: impl sbs::Encode + Sync) {
    let bytes = sbs::encode(&value).len();
    bencher.counter(BytesCount::new(bytes)).bench(|| sbs::encode(&value));
}

fn typed_decode<T: sbs::Decode>(bencher: Bencher<'_, '_>, value: impl sbs::Encode) {
    let bytes = sbs::encode(&value);
    bencher.counter(BytesCount::new(bytes.len())).bench(|| sbs::decode::<T>(&bytes));
}

fn value(name: &str, value: impl sbs::Encode) -> (PreparedType, Bytes, Value) {
    let (prepared, bytes) = (prepared(name), sbs::encode(&value));
    let value = prepared.decode(&bytes).expect("the schema is that of the types");
    (prepared, bytes, value)
}

fn dynamic_encode(bencher: Bencher<'_, '_>, name: &str, of: impl sbs::Encode) {
    let (prepared, bytes, value) = value(name, of);
    bencher.counter(BytesCount::new(bytes.len())).bench(|| prepared.encode(&value));
}

fn dynamic_decode(bencher: Bencher<'_, '_>, name: &str, of: impl sbs::Encode) {
    let (prepared, bytes, _) = value(name, of);
    bencher.counter(BytesCount::new(bytes.len())).bench(|| prepared.decode(&bytes));
}

macro_rules! benches {
    ($module:ident, $name:literal, $values:expr, $type:ty) => {
        mod $module {
            use super::*;

            #[divan::bench]
            fn typed_encode(bencher: Bencher<'_, '_>) {
                super::typed_encode(bencher, $values);
            }

            #[divan::bench]
            fn typed_decode(bencher: Bencher<'_, '_>) {
                super::typed_decode::<$type>(bencher, $values);
            }

            #[divan::bench]
            fn dynamic_encode(bencher: Bencher<'_, '_>) {
                super::dynamic_encode(bencher, $name, $values);
            }

            #[divan::bench]
            fn dynamic_decode(bencher: Bencher<'_, '_>) {
                super::dynamic_decode(bencher, $name, $values);
            }
        }
    };
}

benches!(a_thousand_integers, "Bench.Integers", integers(), Vec<i64>);
benches!(a_thousand_strings, "Bench.Strings", strings(), Vec<ByteString>);
benches!(a_thousand_events, "Bench.Events", events(), Vec<Event>);

#[divan::bench]
fn parse_schema() -> Repository {
    Repository::parse(divan::black_box(SCHEMA)).expect("the schema of the bench")
}

#[divan::bench]
fn prepare_type(bencher: Bencher<'_, '_>) {
    let repository = Repository::parse(SCHEMA).expect("the schema of the bench");
    bencher.bench(|| repository.prepare("Bench.Events"));
}
