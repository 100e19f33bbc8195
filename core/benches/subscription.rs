//! Looking one event type up in 10, 1 000 and 100 000 query types.
//!
//! A server does it for every event and every client.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use hat_core::eventer::{EventType, Subscription};

const SIZES: [usize; 3] = [10, 1_000, 100_000];
const LOOKED_UP: usize = 1_000;

fn main() {
    divan::main();
}

/// `gateway/<g>/device/<d>`, ten devices to a gateway.
fn path(index: usize) -> [String; 4] {
    [
        "gateway".to_owned(),
        format!("gateway{}", index / 10),
        "device".to_owned(),
        format!("device{index}"),
    ]
}

fn literal(size: usize) -> Subscription {
    let types: Vec<_> = (0..size).map(|index| EventType::from_segments(path(index))).collect();
    Subscription::new(&types).expect("valid")
}

/// The same, every other one with `?` for its first segment and `*` at its end.
fn mixed(size: usize) -> Subscription {
    let types = (0..size).map(|index| {
        let [first, gateway, kind, device] = path(index);
        match index % 2 {
            0 => EventType::from_segments([first, gateway, kind, device]),
            _ => EventType::from_segments(["?".to_owned(), gateway, kind, device, "*".to_owned()]),
        }
    });
    Subscription::new(types.collect::<Vec<_>>()).expect("valid")
}

/// Types spread over the whole subscription, so that what was looked up last helps little.
fn looked_up(size: usize) -> Vec<EventType> {
    (0..LOOKED_UP).map(|index| EventType::from_segments(path(index * 7919 % size))).collect()
}

/// An iteration looks all of them up: divide the time by [`LOOKED_UP`], or read the items a second.
fn each(bencher: Bencher<'_, '_>, subscription: &Subscription, types: &[EventType], found: bool) {
    bencher.counter(ItemsCount::new(types.len())).bench_local(|| {
        for event_type in types {
            assert_eq!(subscription.matches(black_box(event_type)), found);
        }
    });
}

#[divan::bench(args = SIZES)]
fn literal_hit(bencher: Bencher<'_, '_>, size: usize) {
    each(bencher, &literal(size), &looked_up(size), true);
}

#[divan::bench(args = SIZES)]
fn literal_miss(bencher: Bencher<'_, '_>, size: usize) {
    let missing = |event_type: &EventType| {
        EventType::from_segments(event_type.segments().take(3).chain(["other"]))
    };
    let types: Vec<_> = looked_up(size).iter().map(missing).collect();
    each(bencher, &literal(size), &types, false);
}

#[divan::bench(args = SIZES)]
fn mixed_hit(bencher: Bencher<'_, '_>, size: usize) {
    each(bencher, &mixed(size), &looked_up(size), true);
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn build(bencher: Bencher<'_, '_>, size: usize) {
    let types: Vec<_> = (0..size).map(|index| EventType::from_segments(path(index))).collect();
    bencher.bench_local(|| Subscription::new(black_box(&types)));
}
