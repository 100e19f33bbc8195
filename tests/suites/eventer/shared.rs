//! Events encoded once for many connections.

use std::ops::Range;

use bytes::Buf;
use hat_core::buffer::SendQueue;
use hat_core::eventer::client::Incoming;
use hat_core::eventer::server::NotifyOutcome;
use hat_core::eventer::{EncodedEvents, Event, Payload};
use hat_core::protocol::Protocol;
use hat_tests::pair::GRAINS;

use super::{Pair, client_config, event, init, ready, ready_of, server_config};

/// Events of types `even` and `odd` in turns, 5 KiB each.
fn many() -> Vec<Event> {
    let large = |at: i64| Event {
        payload: Some(Payload::binary("t", vec![at as u8; 5 * 1024])),
        ..event(1, at, if at % 2 == 0 { "even" } else { "odd" })
    };
    (0..64).map(large).collect()
}

/// Where the queued chunks of 4 KiB and more lie in memory.
fn large_chunks(pair: &mut Pair) -> Vec<Range<*const u8>> {
    let mut slices = [std::io::IoSlice::new(&[]); 1024];
    let tx: &SendQueue = pair.b.machine.tx();
    let count = tx.chunks_vectored(&mut slices);
    assert!(count < slices.len());
    let large = slices[..count].iter().filter(|slice| slice.len() >= 4096);
    large.map(|slice| slice.as_ptr_range()).collect()
}

fn len(chunks: &[Range<*const u8>]) -> usize {
    chunks.iter().map(|chunk| chunk.end as usize - chunk.start as usize).sum()
}

#[test]
fn connections_that_get_all_share_one_buffer() {
    let events = many();
    let encoded = EncodedEvents::new(&events);
    let mut pairs: Vec<Pair> = (0..20).map(|_| ready(usize::MAX)).collect();
    let mut queued = Vec::new();
    for pair in &mut pairs {
        assert_eq!(pair.b.machine.notify(&encoded, false, false), Ok(NotifyOutcome::Sent));
        queued.push(large_chunks(pair));
    }
    assert_eq!(queued[0].len(), 1, "one run");
    assert!(len(&queued[0]) > 64 * 5 * 1024);
    assert!(queued.iter().all(|chunks| *chunks == queued[0]), "the same memory");
    // the queues keep it for as long as they need it
    drop(encoded);
    for mut pair in pairs {
        pair.drive();
        assert!(matches!(pair.a.take(), Incoming::Events { events: got, .. } if got == events));
    }
}

#[test]
fn connections_that_get_some_share_it_too() {
    let encoded = EncodedEvents::new(&many());
    let of = |subscriptions: &[&str]| {
        let init = init(subscriptions);
        let mut pair = ready_of(client_config(), server_config(), &init, usize::MAX);
        pair.b.machine.notify(&encoded, false, true).expect("ready");
        large_chunks(&mut pair)
    };
    let (all, even, odd) = (of(&["*"]), of(&["even"]), of(&["odd"]));
    let whole = &all[0];
    assert_eq!((all.len(), even.len(), odd.len()), (1, 32, 32));
    assert_eq!(len(&even) + len(&odd), len(&all), "no payload was copied");
    for chunk in even.iter().chain(&odd) {
        assert!(whole.start <= chunk.start && chunk.end <= whole.end, "outside the one buffer");
    }
}

#[test]
fn small_events_in_turns_are_gathered() {
    let events: Vec<Event> =
        (0..64).map(|at| event(1, at, if at % 2 == 0 { "even" } else { "odd" })).collect();
    for grain in GRAINS {
        let mut pair = ready_of(client_config(), server_config(), &init(&["odd"]), grain);
        pair.b.machine.notify(&EncodedEvents::new(&events), false, false).expect("ready");
        assert_eq!(pair.b.machine.tx().chunk().len(), pair.b.machine.tx().len(), "one write");
        pair.drive();
        let Incoming::Events { events: got, .. } = pair.a.take() else { panic!("no events") };
        let odd: Vec<_> = events.iter().skip(1).step_by(2).cloned().collect();
        assert_eq!(got, odd);
    }
}
