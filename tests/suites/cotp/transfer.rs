//! Messages: segments, parts, limits, the end of the stream, and what is copied.

use std::time::Duration;

use bytes::{Buf, Bytes};
use hat_core::cotp::{
    Config, Connection, Diagnostic, Error, Incoming, Receive, SendFault, TpduSize,
};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_tests::pair::{GRAINS, Pair};

use super::{connected, data, digits, end, octets};

fn small() -> Config {
    Config { offered_size: Some(TpduSize::MIN), ..Config::default() }
}

fn pattern(len: usize) -> Bytes {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect::<Vec<_>>().into()
}

#[test]
fn a_long_message_in_octets() {
    let mut pair = connected(small(), Config::default(), usize::MAX);
    pair.a.machine.send(pattern(130)).expect("sent");
    let written = digits(&pair.a.take_tx());
    assert!(written.starts_with("0300008402f000"), "a full TPDU of 128: {written}");
    assert!(written[264..].starts_with("0300000c02f080"), "the last: {written}");
    pair.a.machine.send(Bytes::new()).expect("sent");
    assert_eq!(digits(&pair.a.take_tx()), "0300000702f080");
}

#[test]
fn messages_of_any_length_arrive() {
    for grain in GRAINS {
        let mut pair = connected(small(), Config::default(), grain);
        let messages = [0, 1, 124, 125, 126, 249, 250, 251, 1000, 0].map(pattern);
        for message in &messages {
            pair.a.machine.send(message.clone()).expect("sent");
            pair.b.machine.send(message.clone()).expect("sent");
        }
        pair.drive();
        for message in messages {
            assert_eq!(data(pair.a.take()), message);
            assert_eq!(data(pair.b.take()), message);
        }
    }
}

#[test]
fn parts_are_given_as_they_come() {
    let config = Config { receive: Receive::Parts, max_tsdu: 10, ..Config::default() };
    let mut pair = connected(small(), config, usize::MAX);
    let message = pattern(300);
    pair.a.machine.send(message.clone()).expect("sent");
    let bytes = pair.a.take_tx();
    for cut in 0..bytes.len() {
        let mut pair = connected(small(), pair.b.machine.config().clone(), usize::MAX);
        pair.b.feed(&bytes[..cut], Instant::ORIGIN);
        // the TPDUs that are whole, together; what is left of the message behind them
        let here = 125 * (cut / 132).min(2);
        pair.b.feed(&bytes[cut..], Instant::ORIGIN);
        let (mut sizes, mut got) = (Vec::new(), Vec::new());
        while got.len() < message.len() {
            let Incoming::Data { data, end } = pair.b.take() else { panic!("no data") };
            got.extend_from_slice(&data);
            sizes.push(data.len());
            assert_eq!(end, got.len() == message.len());
        }
        assert_eq!(sizes, if here == 0 { vec![300] } else { vec![here, 300 - here] });
        assert_eq!(got, message);
    }
}

#[test]
fn a_message_over_the_limit() {
    for grain in GRAINS {
        for (len, fits) in [(1000, true), (1001, false)] {
            let mut pair =
                connected(small(), Config { max_tsdu: 1000, ..Config::default() }, grain);
            pair.a.machine.send(pattern(len)).expect("sent");
            pair.drive();
            let error = (!fits).then_some(Error::TsduTooLarge { limit: 1000 });
            assert_eq!(pair.b.error, error);
            assert_eq!(pair.b.incoming.len(), usize::from(fits));
        }
    }
    // in one TPDU too
    let mut pair = connected(Config::default(), Config { max_tsdu: 9, ..Config::default() }, 1);
    pair.a.machine.send(pattern(10)).expect("sent");
    pair.drive();
    assert_eq!(pair.b.error, Some(Error::TsduTooLarge { limit: 9 }));
}

/// A message without an end is not kept for as long as its sender likes, however alive that is.
#[test]
fn a_message_that_does_not_end() {
    let part: &[u8] = b"\x03\0\0\x09\x02\xf0\0ab";
    let last: &[u8] = b"\x03\0\0\x08\x02\xf0\x80c";
    let limit = Config::default().message_timeout;
    let later = |time| Instant::ORIGIN + time;
    let second = Duration::from_secs(1);
    for grain in GRAINS {
        let mut pair = connected(small(), Config::default(), grain);
        let b = &mut pair.b;
        assert_eq!(b.machine.deadline(), None);
        b.feed(part, later(second));
        assert_eq!(b.machine.deadline(), Some(later(limit + second)));
        for now in 2..600 {
            b.feed(part, later(now * second));
        }
        assert_eq!(b.error, None);
        b.feed(&part[..3], later(limit + second));
        assert_eq!(b.error, Some(Error::MessageTimeout));
        assert!(b.machine.is_closed() && b.machine.deadline().is_none());
    }
    // each message has its own time, which may stand still, and none is counted between them
    let mut pair = connected(small(), Config::default(), usize::MAX);
    let b = &mut pair.b;
    for round in 0..3 {
        let start = later(round * 3 * limit);
        b.feed(part, start);
        b.machine.stood_still(second);
        b.feed(part, start + limit);
        b.feed(last, start + limit + second);
        assert_eq!((data(b.take()), b.machine.deadline()), ("ababc".into(), None));
        b.feed(&[], start + 2 * limit);
        // the next one begins where the one before it ends
        b.feed(&[part, last, part].concat(), start + 2 * limit);
        assert_eq!(data(b.take()), "abc");
        b.feed(&[part, last].concat(), start + (3 * limit - second));
        assert_eq!(data(b.take()), "ababc");
    }
    // in parts nothing is kept
    let parts = Config { receive: Receive::Parts, ..Config::default() };
    let mut pair = connected(small(), parts, usize::MAX);
    for hour in 0..10 {
        pair.b.feed(part, later(hour * 3600 * second));
        assert_eq!((pair.b.error.as_ref(), pair.b.machine.deadline()), (None, None));
    }
}

/// The application's own limit: what was noticed before is not given behind the error.
#[test]
fn after_a_failure_of_the_application_there_is_its_error_and_nothing_else() {
    let mut pair = connected(small(), Config::default(), usize::MAX);
    // a number, which is reported, and then data
    let numbered = b"\x03\0\0\x08\x02\xf0\x81c";
    pair.b.rx.feed(numbered);
    let now = Instant::ORIGIN;
    let reported = pair.b.machine.poll(&mut pair.b.rx, now).expect("it is open");
    assert!(matches!(reported, Polled::Incoming(Incoming::Diagnostic(_))), "{reported:?}");
    let error = Error::ExpeditedOverflow { limit: 1 };
    pair.b.machine.fail(error.clone());
    for _ in 0..3 {
        assert_eq!(pair.b.machine.poll(&mut pair.b.rx, now), Err(error.clone()));
    }
}

#[test]
fn a_full_queue_hands_the_message_back() {
    let config = Config { max_queued: 1000, ..small() };
    let mut pair = connected(config, Config::default(), usize::MAX);
    let message = pattern(2000);
    pair.a.machine.send(message.clone()).expect("an empty queue takes one of any length");
    let refused = pair.a.machine.send(message.clone()).expect_err("full");
    assert_eq!(
        (refused.fault, refused.data),
        (SendFault::QueueFull { limit: 1000 }, message.clone())
    );
    assert_eq!(pair.a.machine.queued(), 2000 + 16 * 7);
    pair.drive();
    assert_eq!(data(pair.b.take()), message);
    pair.a.machine.send(pattern(900)).expect("room");
    // that is 956 octets in eight TPDUs; its header counts too
    let refused = pair.a.machine.send(pattern(38)).expect_err("45 octets");
    assert_eq!(refused.fault, SendFault::QueueFull { limit: 1000 });
    pair.a.machine.send(pattern(37)).expect("44 octets");
}

#[test]
fn empty_messages_can_be_dropped() {
    let config = Config { deliver_empty: false, ..Config::default() };
    let mut pair = connected(Config::default(), config, 1);
    for message in ["", "a", "", "", "b"] {
        pair.a.machine.send(message.into()).expect("sent");
    }
    pair.drive();
    assert_eq!((data(pair.b.take()), data(pair.b.take())), ("a".into(), "b".into()));
    // an empty last part is no empty message
    pair.b.feed(&octets("03000008 02f000 61 03000007 02f080"), Instant::ORIGIN);
    assert_eq!(data(pair.b.take()), "a");
}

#[test]
fn fast_acknowledgements_are_counted_in_a_row() {
    let mut pair = connected(Config::default(), Config { max_empty: 2, ..Config::default() }, 1);
    let (empty, message) = ("03000007 02f000", "03000008 02f080 61");
    for input in [empty, empty, message, empty, empty, message] {
        pair.b.feed(&octets(input), Instant::ORIGIN);
    }
    assert_eq!(pair.b.take(), Incoming::Diagnostic(Diagnostic::EmptyData));
    assert_eq!((data(pair.b.take()), data(pair.b.take())), ("a".into(), "a".into()));
    assert!(pair.b.incoming.is_empty(), "reported once");
    for _ in 0..3 {
        pair.b.feed(&octets(empty), Instant::ORIGIN);
    }
    assert_eq!(pair.b.error, Some(Error::EmptyDataFlood { limit: 2 }));
}

#[test]
fn half_closed() {
    for grain in GRAINS {
        let half_open = Config { half_close: true, ..Config::default() };
        let mut pair = connected(Config::default(), half_open, grain);
        pair.a.machine.send("request".into()).expect("sent");
        pair.end_a();
        assert_eq!(data(pair.b.take()), "request");
        assert_eq!(pair.b.take(), Incoming::HalfClosed);
        pair.b.machine.send("answer".into()).expect("the other half is open");
        pair.drive();
        assert_eq!(data(pair.a.take()), "answer");
        pair.b.machine.close();
        pair.drive();
        assert_eq!((pair.b.error, pair.b.machine.is_closed()), (Some(Error::Closed), true));
    }
}

#[test]
fn the_end_inside_a_packet_and_inside_a_message() {
    let mut pair = connected(small(), Config::default(), usize::MAX);
    pair.a.machine.send(pattern(130)).expect("sent");
    let bytes = pair.a.take_tx();
    for cut in 1..bytes.len() {
        let mut pair = connected(small(), Config::default(), usize::MAX);
        pair.b.feed(&bytes[..cut], Instant::ORIGIN);
        end(&mut pair.b);
        match pair.b.error {
            Some(Error::Incomplete { received: 125 }) => assert_eq!(cut, 132),
            Some(Error::Tpkt(error)) => {
                let have = if cut < 132 { cut } else { cut - 132 };
                let need = if have < 4 {
                    4
                } else if cut < 132 {
                    132
                } else {
                    12
                };
                assert_eq!(error, hat_core::tpkt::Error::Truncated { have, need });
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn messages_of_one_tpdu_are_neither_copied_in_nor_out() {
    // a smaller one costs less to copy than to write as a part of its own
    let message = pattern(5000);
    let config = Config { offered_size: TpduSize::new(8192), ..Config::default() };
    let mut pair = connected(config.clone(), config.clone(), usize::MAX);
    pair.a.machine.send(message.clone()).expect("sent");
    let tx = pair.a.machine.tx();
    tx.advance(7);
    assert_eq!(tx.chunk().as_ptr(), message.as_ptr());

    let mut pair = connected(config.clone(), config, usize::MAX);
    // several in one read
    for _ in 0..3 {
        pair.a.machine.send(message.clone()).expect("sent");
    }
    let bytes = pair.a.take_tx();
    pair.b.rx.feed(&bytes);
    let range = pair.b.rx.bytes.as_ptr_range();
    pair.drive();
    for _ in 0..3 {
        assert!(range.contains(&data(pair.b.take()).as_ptr()));
    }
}

#[test]
fn both_send_64_mib_before_they_read() {
    let config =
        Config { max_queued: usize::MAX, offered_size: Some(TpduSize::MAX), ..Config::default() };
    let mut pair: Pair<Connection, Connection> = connected(config.clone(), config, usize::MAX);
    let message = Bytes::from(vec![7; 64 * 1024 * 1024]);
    pair.a.machine.send(message.clone()).expect("sent");
    pair.b.machine.send(message.clone()).expect("sent");
    pair.drive();
    assert!(data(pair.a.take()) == message && data(pair.b.take()) == message);
}
