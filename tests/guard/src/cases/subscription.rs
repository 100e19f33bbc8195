//! Looking one event type up in 10, 1 000 and 100 000 query types.

use std::hint::black_box;

use hat_core::eventer::{EventType, Subscription};

use crate::meter::{counted, done};

const LOOKED_UP: usize = 1_000;

/// `gateway/<g>/device/<d>`, ten devices to a gateway.
fn path(index: usize) -> [String; 4] {
    [
        "gateway".to_owned(),
        format!("gateway{}", index / 10),
        "device".to_owned(),
        format!("device{index}"),
    ]
}

/// Counts the cases.
pub fn run() {
    for size in [10, 1_000, 100_000] {
        let types: Vec<_> = (0..size).map(|index| EventType::from_segments(path(index))).collect();
        let subscription = Subscription::new(&types).expect("valid");
        // spread over the whole subscription
        let looked_up: Vec<_> = (0..LOOKED_UP)
            .map(|index| EventType::from_segments(path(index * 7919 % size)))
            .collect();
        counted(|| {
            for event_type in &looked_up {
                assert!(subscription.matches(black_box(event_type)));
            }
        });
        done(&format!("subscription/match-{size}"), LOOKED_UP);
    }
}
