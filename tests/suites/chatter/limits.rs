//! Sizes, queues, ends: what is refused, by whom, and what the connection says then.

use std::time::Duration;

use bytes::Bytes;
use hat_core::chatter::{Config, Data, Error, SendFault, SendOptions};
use hat_core::protocol::Protocol;
use hat_core::sbs::DecodeError;
use hat_core::time::Instant;
use hat_tests::pair::GRAINS;

use super::{data, message, pair, pair_of, quiet};

#[test]
fn a_large_claim_ends_the_connection_before_anything_is_buffered() {
    let config = Config { max_message: 1000, ..quiet() };
    let mut pair = pair_of(&config, usize::MAX);
    pair.a.feed(&[8, 255, 255, 255, 255, 255, 255, 255, 255], Instant::ORIGIN);
    assert_eq!(pair.a.error, Some(Error::TooLarge { size: u64::MAX, limit: 1000 }));
    assert_eq!(pair.a.missing, 0);
}

#[test]
fn a_block_is_asked_for_whole_once_its_length_is_known() {
    let mut pair = pair(usize::MAX);
    pair.a.feed(&[2, 0x01], Instant::ORIGIN);
    assert_eq!(pair.a.missing, 1);
    pair.a.feed(&[0x00], Instant::ORIGIN);
    assert_eq!(pair.a.missing, 256);
}

#[test]
fn a_message_has_a_limited_time_to_arrive() {
    let second = Duration::from_secs(1);
    let config = Config { message_timeout: 10 * second, ..quiet() };
    let mut pair = pair_of(&config, usize::MAX);
    pair.b.stalled = true;
    let message = b"\x01\x08\x81\x81\x01\x01\x01\x81T\x80";
    let mut now = Instant::ORIGIN;
    // a byte a second is just in time, again and again
    for _ in 0..3 {
        for byte in message {
            assert_eq!(pair.a.error, None);
            pair.a.feed(&[*byte], now);
            now += second;
        }
        assert_eq!(pair.a.machine.deadline(), None, "between messages there is no limit");
        now += 1000 * second;
    }
    assert_eq!(pair.a.incoming.len(), 3);
    // a byte slower is not, and no byte has to come to find it out
    let due = now + 10 * second;
    pair.a.feed(&message[..1], now);
    assert_eq!(pair.a.machine.deadline(), Some(due));
    pair.a.feed(&message[1..9], now + Duration::from_millis(9999));
    assert_eq!(pair.a.error, None);
    pair.a.feed(&[], due);
    assert_eq!(pair.a.error, Some(Error::MessageTimeout));
}

#[test]
fn our_own_limits_hand_the_data_back() {
    let config = Config { max_message: 100, max_queued: 150, max_conversations: 1, ..quiet() };
    let mut pair = pair_of(&config, usize::MAX);
    let open = SendOptions { last: false, ..SendOptions::default() };
    let big = Data::new("T", vec![0; 100]);

    let error = pair.a.machine.send(big.clone(), open).expect_err("too large");
    assert_eq!((error.fault, *error.data), (SendFault::TooLarge { size: 109, limit: 100 }, big));

    let half = Data::new("T", vec![0; 80]);
    pair.a.machine.send(half.clone(), open).expect("sent");
    let error = pair.a.machine.send(half.clone(), SendOptions::default()).expect_err("full");
    assert_eq!((error.fault, *error.data), (SendFault::QueueFull { limit: 150 }, half.clone()));

    pair.drive();
    let error = pair.a.machine.send(half, open).expect_err("one is open already");
    assert_eq!(error.fault, SendFault::TooManyConversations { limit: 1 });
}

#[test]
fn the_queue_is_counted_in_bytes_of_the_wire() {
    for (max_queued, fits) in [(2 * 91 - 1, false), (2 * 91, true)] {
        let mut pair = pair_of(&Config { max_queued, ..quiet() }, usize::MAX);
        let message = Data::new("T", vec![0; 80]);
        pair.a.machine.send(message.clone(), SendOptions::default()).expect("sent");
        assert_eq!(pair.a.machine.queued(), 91, "with the front of its block");
        let sent = pair.a.machine.send(message, SendOptions::default());
        assert_eq!(sent.is_ok(), fits);
        assert!(pair.a.machine.queued() <= max_queued);
    }
}

#[test]
fn a_peer_that_opens_conversations_without_end() {
    let ours = Config { max_conversations: 10, ..quiet() };
    let mut pair = pair_of(&ours, usize::MAX);
    let open = SendOptions { last: false, ..SendOptions::default() };
    pair.b.machine = super::connection(&quiet());
    for _ in 0..11 {
        pair.b.machine.send(data("T", b""), open).expect("its own limit is higher");
    }
    pair.drive();
    assert_eq!(pair.a.incoming.len(), 10);
    assert_eq!(pair.a.error, Some(Error::TooManyConversations { limit: 10 }));
}

#[test]
fn the_end_of_the_stream_between_messages_and_inside_one() {
    for grain in GRAINS {
        let mut pair = pair(grain);
        pair.a.machine.send(data("T", b"x"), SendOptions::default()).expect("sent");
        pair.end_a();
        assert_eq!(message(pair.b.take()).data, data("T", b"x"));
        assert_eq!(pair.b.error, Some(Error::Closed));
    }
    for cut in 1..10 {
        let mut pair = pair(usize::MAX);
        pair.a.machine.send(data("T", b"x"), SendOptions::default()).expect("sent");
        let bytes = pair.a.take_tx();
        pair.b.feed(&bytes[..cut], Instant::ORIGIN);
        pair.end_a();
        let need = if cut == 1 { 2 } else { bytes.len() };
        assert_eq!(pair.b.error, Some(Error::Truncated { have: cut, need }));
    }
}

#[test]
fn errors_are_final() {
    let mut pair = pair(usize::MAX);
    pair.a.feed(&[1, 0], Instant::ORIGIN);
    let error = Error::Malformed(DecodeError::UnexpectedEnd { at: 0, missing: 1 });
    assert_eq!(pair.a.error, Some(error.clone()));
    pair.a.rx.feed(&[1, 8, 0x81, 0x81, 1, 1, 1, 0x81, b'T', 0x80]);
    assert_eq!(pair.a.machine.poll(&mut pair.a.rx, Instant::ORIGIN), Err(error));
    assert!(pair.a.machine.is_closed());
    assert_eq!(pair.a.machine.deadline(), None);
}

#[test]
fn closing_writes_what_is_queued_and_reads_nothing_more() {
    let mut pair = pair(3);
    pair.a.machine.send(data("T", b"last words"), SendOptions::default()).expect("sent");
    pair.a.machine.close();
    assert!(!pair.a.machine.is_closed());
    pair.b.machine.send(data("T", b"too late"), SendOptions::default()).expect("sent");
    pair.drive();
    assert!(pair.a.machine.is_closed());
    assert_eq!(pair.a.error, Some(Error::Closed));
    assert!(pair.a.incoming.is_empty());
    assert_eq!(message(pair.b.take()).data, data("T", b"last words"));
}

#[test]
fn payloads_are_neither_copied_in_nor_out() {
    let payload = Bytes::from(vec![7; 100_000]);
    let mut pair = pair(usize::MAX);
    pair.a.machine.send(Data::new("T", payload.clone()), SendOptions::default()).expect("sent");
    let tx = pair.a.machine.tx();
    let front = bytes::Buf::chunk(tx).len();
    bytes::Buf::advance(tx, front);
    assert_eq!(bytes::Buf::chunk(tx).as_ptr(), payload.as_ptr());

    let mut pair = super::pair(usize::MAX);
    pair.a.machine.send(Data::new("T", payload), SendOptions::default()).expect("sent");
    let bytes = pair.a.take_tx();
    pair.b.rx.feed(&bytes);
    let range = pair.b.rx.bytes.as_ptr_range();
    pair.drive();
    assert!(range.contains(&message(pair.b.take()).data.data.as_ptr()));
}
