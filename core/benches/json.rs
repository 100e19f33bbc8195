//! One leaf of a document of about 750 KB that changes, and what is around it: reading, writing,
//! comparing.
//!
//! `json-patch` compares the whole, as the deployed peers do. The profiler counts allocations: what
//! a change copies is in them.

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher, black_box};
use hat_core::json::{Limits, Patch, Pointer, Value, diff};
use hat_core::juggler::State;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Devices of one station beside each other, each with a list of some measurements.
fn document() -> Value {
    let measurement = |device: usize| {
        move |index: usize| {
            let (id, value) = (device * 100 + index, index as f64 * 1.1);
            format!(r#"{{"id":{id},"value":{value},"quality":"good","unit":"kW","valid":true}}"#)
        }
    };
    let device = |device: usize| {
        let measurements: Vec<_> = (0..22).map(measurement(device)).collect();
        let measurements = measurements.join(",");
        format!(r#""device{device}":{{"name":"device {device}","measurements":[{measurements}]}}"#)
    };
    let devices: Vec<_> = (0..450).map(device).collect();
    parse(&format!(r#"{{"devices":{{{}}}}}"#, devices.join(",")))
}

/// One object of many members, as a table of events is.
fn wide() -> Value {
    let members: Vec<_> =
        (0..100_000).map(|at| format!(r#""event/{at}":{{"value":{at}}}"#)).collect();
    parse(&format!("{{{}}}", members.join(",")))
}

fn parse(text: &str) -> Value {
    Value::parse(text, &Limits::default()).expect("JSON")
}

fn leaf() -> Pointer {
    Pointer::root()
        .child("devices")
        .child("device300")
        .child("measurements")
        .child(11)
        .child("value")
}

fn state(value: Value) -> State {
    let mut state = State::default();
    state.replace(value).expect("within the limits");
    state.flush();
    state
}

/// What a server does for each change, whoever holds the state before it.
#[divan::bench]
fn leaf_set_and_flush(bencher: Bencher<'_, '_>) {
    let (mut state, leaf, mut next) = (state(document()), leaf(), 0_i64);
    bencher.bench_local(|| {
        next += 1;
        state.set(&leaf, next).expect("within the limits");
        state.flush().expect("a change")
    });
}

/// The same with a new text of the path each time.
#[divan::bench]
fn leaf_parsed_set_and_flush(bencher: Bencher<'_, '_>) {
    let (mut state, leaf, mut next) = (state(document()), leaf().to_string(), 0_i64);
    bencher.bench_local(|| {
        next += 1;
        let leaf = leaf.parse().expect("a path");
        state.set(&leaf, next).expect("within the limits");
        state.flush().expect("a change")
    });
}

#[divan::bench]
fn wide_leaf_set_and_flush(bencher: Bencher<'_, '_>) {
    let leaf = Pointer::root().child("event/77777").child("value");
    let (mut state, mut next) = (state(wide()), 0_i64);
    bencher.bench_local(|| {
        next += 1;
        state.set(&leaf, next).expect("within the limits");
        state.flush().expect("a change")
    });
}

/// What a server with a state of its own does: the new whole shares what has not changed.
#[divan::bench]
fn leaf_replace_and_flush(bencher: Bencher<'_, '_>) {
    let (mut state, leaf, limits, mut next) = (state(document()), leaf(), Limits::default(), 0_i64);
    bencher.bench_local(|| {
        next += 1;
        let mut value = state.value().clone();
        value.set(&leaf, next, &limits).expect("within the limits");
        state.replace(value).expect("within the limits");
        state.flush().expect("a change")
    });
}

/// The new whole shares nothing: all of it is compared.
#[divan::bench]
fn leaf_diff_of_strangers(bencher: Bencher<'_, '_>) {
    let (from, mut to) = (document(), document());
    to.set(&leaf(), 1, &Limits::default()).expect("within the limits");
    bencher.bench_local(|| diff(black_box(&from), black_box(&to)));
}

#[divan::bench]
fn leaf_diff_by_json_patch(bencher: Bencher<'_, '_>) {
    let (from, mut to) = (document(), document());
    to.set(&leaf(), 1, &Limits::default()).expect("within the limits");
    let (from, to) = (serde_json::Value::from(&from), serde_json::Value::from(&to));
    bencher.bench_local(|| json_patch::diff(black_box(&from), black_box(&to)).to_string());
}

/// A patch that was read, applied where nobody else holds the state.
#[divan::bench]
fn leaf_patch_alone(bencher: Bencher<'_, '_>) {
    let (mut value, limits) = (document(), Limits::default());
    let patch = replacing_leaf();
    bencher.bench_local(|| patch.apply(&mut value, &limits).expect("it fits"));
}

/// The same where the application holds the state before it.
#[divan::bench]
fn leaf_patch_shared(bencher: Bencher<'_, '_>) {
    let (mut value, limits) = (document(), Limits::default());
    let patch = replacing_leaf();
    let mut held = value.clone();
    bencher.bench_local(|| {
        patch.apply(&mut value, &limits).expect("it fits");
        held = value.clone();
    });
}

fn replacing_leaf() -> Patch {
    let text = format!(r#"[{{"op":"replace","path":"{}","value":1.5}}]"#, leaf());
    text.parse().expect("a patch")
}

/// The first of so many elements goes, and another comes at the end: the list stays as long.
#[divan::bench(args = [1_000, 500_000, 1_000_000, 2_000_000, 4_000_000])]
fn list_first_to_last(bencher: Bencher<'_, '_>, len: u64) {
    let mut value: Value = (0..len).collect();
    let limits = Limits::new(128, usize::MAX);
    let patch: Patch = r#"[{"op":"remove","path":"/0"},{"op":"add","path":"/-","value":1}]"#
        .parse()
        .expect("a patch");
    bencher.bench_local(|| patch.apply(&mut value, &limits).expect("it fits"));
}

/// What a client does for each change, while the application holds the state before it.
#[divan::bench]
fn leaf_apply(bencher: Bencher<'_, '_>) {
    let (mut value, limits) = (document(), Limits::default());
    let texts = [1, 2]
        .map(|to| Patch::whole(to.into()).to_string().replace("\"\"", &format!("\"{}\"", leaf())));
    let mut next = 0;
    bencher.bench_local(|| {
        next = 1 - next;
        let held = value.clone();
        let patch = Value::parse(&texts[next], &limits).expect("JSON");
        let patch = Patch::from_value(&patch, &limits).expect("a patch");
        patch.apply(&mut value, &limits).expect("it fits");
        held
    });
}

#[divan::bench]
fn leaf_apply_by_json_patch(bencher: Bencher<'_, '_>) {
    let mut value = serde_json::Value::from(&document());
    let texts = [1, 2]
        .map(|to| Patch::whole(to.into()).to_string().replace("\"\"", &format!("\"{}\"", leaf())));
    let mut next = 0;
    bencher.bench_local(|| {
        next = 1 - next;
        let patch: json_patch::Patch = serde_json::from_str(&texts[next]).expect("a patch");
        json_patch::patch(&mut value, &patch).expect("it fits");
    });
}

#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    let text = document().to_string();
    bencher.counter(BytesCount::of_str(&text)).bench_local(|| parse(black_box(&text)));
}

#[divan::bench]
fn read_by_serde_json(bencher: Bencher<'_, '_>) {
    let text = document().to_string();
    bencher
        .counter(BytesCount::of_str(&text))
        .bench_local(|| serde_json::from_str::<serde_json::Value>(black_box(&text)));
}

#[divan::bench]
fn write(bencher: Bencher<'_, '_>) {
    let value = document();
    let len = value.to_string().len();
    bencher.counter(BytesCount::new(len)).bench_local(|| black_box(&value).to_string());
}

#[divan::bench]
fn write_by_serde_json(bencher: Bencher<'_, '_>) {
    let value = serde_json::Value::from(&document());
    let len = value.to_string().len();
    bencher.counter(BytesCount::new(len)).bench_local(|| black_box(&value).to_string());
}
