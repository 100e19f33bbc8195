//! A notification of 1 000 events: types of 4 segments, JSON payloads of 60 bytes.
//!
//! The profiler counts allocations: decoding takes a fixed number of them for the message, none for
//! a string.

use bytes::Bytes;
use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher, black_box};
use hat_core::eventer::message::EventsNotify;
use hat_core::eventer::{Event, EventId, EventType, Json, Timestamp};
use hat_core::sbs;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const EVENTS: i64 = 1_000;

fn main() {
    divan::main();
}

fn events() -> EventsNotify {
    let event = |index: i64| {
        let device = format!("device{}", index % 50);
        let json = format!(r#"{{"value": {index:>8}, "quality": "good", "unit": "kW", "n": 1}}"#);
        assert_eq!(json.len(), 60);
        Event {
            id: EventId::new(1, 42, index + 1),
            event_type: EventType::from_segments(["gateway", "7", &device, "measurement"]),
            timestamp: Timestamp::from_secs(1_700_000_000),
            source_timestamp: Timestamp::new(1_699_999_999, 999_999).ok(),
            payload: Some(Json::from_text(json).expect("JSON").into()),
        }
    };
    (0..EVENTS).map(event).collect()
}

fn frame() -> Bytes {
    sbs::encode(&events())
}

#[divan::bench]
fn encode(bencher: Bencher<'_, '_>) {
    let events = events();
    bencher
        .counter(ItemsCount::new(EVENTS as usize))
        .counter(BytesCount::new(frame().len()))
        .bench_local(|| sbs::encode(black_box(&events)));
}

#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let frame = frame();
    bencher
        .counter(ItemsCount::new(EVENTS as usize))
        .counter(BytesCount::new(frame.len()))
        .bench_local(|| sbs::decode::<EventsNotify>(black_box(&frame)));
}

/// What a store does with each event that it keeps.
#[divan::bench]
fn detach(bencher: Bencher<'_, '_>) {
    let events: EventsNotify = sbs::decode(&frame()).expect("valid");
    bencher
        .counter(ItemsCount::new(EVENTS as usize))
        .bench_local(|| black_box(&events).iter().map(Event::detached).collect::<Vec<_>>());
}
