use std::cmp::Ordering;

use super::{event_type, integer, list, text, timestamp, vectors};
use hat_core::eventer::{Event, EventId};

#[test]
fn the_natural_order_of_every_pair() {
    let vectors = vectors!("event_order");
    let events: Vec<Event> = list(&vectors["events"])
        .iter()
        .map(|event| Event {
            id: EventId::new(
                integer(&event["id"][0]),
                integer(&event["id"][1]),
                integer(&event["id"][2]),
            ),
            event_type: event_type(&event["type"]),
            timestamp: timestamp(&event["timestamp"]),
            source_timestamp: None,
            payload: None,
        })
        .collect();
    let cell = |table: &str, row: usize, column: usize| {
        text(&vectors[table][row]).as_bytes()[column] == b'1'
    };
    for (row, first) in events.iter().enumerate() {
        for (column, second) in events.iter().enumerate() {
            let order = first.natural_cmp(second);
            // the peers say 'less' where nothing but the order of arrival decides
            let less = order != Ordering::Greater && first.id != second.id;
            assert_eq!(less, cell("lt_cases", row, column), "{first:?} < {second:?}");
            let greater = order == Ordering::Greater;
            assert_eq!(greater, cell("gt_cases", row, column), "{first:?} > {second:?}");
        }
    }
}
