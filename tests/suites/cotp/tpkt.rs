//! Packets: the vectors of hat-drivers, the errors, and the connection that is packets alone.

use bytes::{Buf, Bytes};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_core::tpkt::{Config, Connection, Error, SendFault};
use hat_tests::pair::{GRAINS, Pair};
use hat_tests::vectors::{hex, list, load};

use super::{end, feed};

fn pair(grain: usize) -> Pair<Connection, Connection> {
    let connection = || Connection::new(Config::default());
    Pair::new(connection(), connection(), grain)
}

#[test]
fn packets_of_hat_drivers() {
    for case in list(&load("tpkt")["cases"]) {
        let tpdu = if case.get("data").is_some() { hex(&case["data"]) } else { hex(case) };
        let frame = match case.get("header") {
            Some(header) => [hex(header), tpdu.clone()].concat().into(),
            None if case.get("frame").is_some() => hex(&case["frame"]),
            None => {
                let refused = pair(1).a.machine.send(tpdu.clone()).expect_err("a ValueError");
                assert_eq!(refused.fault, SendFault::Size { size: tpdu.len() });
                assert_eq!(refused.data, tpdu, "the data comes back");
                continue;
            }
        };
        for grain in GRAINS {
            let mut pair = pair(grain);
            pair.a.machine.send(tpdu.clone()).expect("sent");
            assert_eq!(pair.a.machine.tx().copy_to_bytes(frame.len()), frame);
            feed(&mut pair.b, &frame, grain);
            assert_eq!(pair.b.take(), tpdu);
        }
    }
}

#[test]
fn streams_of_hat_drivers() {
    let expected = [
        Error::Closed,
        Error::Closed,
        Error::Closed,
        Error::Length(6),
        Error::Length(4),
        Error::Length(0),
        Error::Version(0),
        Error::Version(2),
        Error::Version(4),
        Error::Truncated { have: 7, need: 9 },
    ];
    for (case, error) in list(&load("tpkt")["decode_cases"]).iter().zip(expected) {
        for grain in GRAINS {
            let mut pair = pair(grain);
            feed(&mut pair.a, &hex(&case["hex"]), grain);
            end(&mut pair.a);
            let payloads = case["payloads"].as_array().expect("a list");
            let payloads: Vec<Bytes> = payloads.iter().map(hex).collect();
            assert!(pair.a.incoming.iter().eq(&payloads), "{case}");
            assert_eq!(pair.a.error, Some(error), "{case}");
        }
    }
}

#[test]
fn a_packet_is_taken_without_a_copy() {
    let mut pair = pair(usize::MAX);
    pair.a.rx.feed(&[3, 0, 0, 9, 1, 2, 3, 4, 5]);
    let range = pair.a.rx.bytes.as_ptr_range();
    pair.drive();
    assert!(range.contains(&pair.a.take().as_ptr()));
}

#[test]
fn a_full_queue_and_a_close() {
    let tpdu = Bytes::from_static(b"abc");
    let mut pair = pair(2);
    pair.a.machine = Connection::new(Config { max_queued: 10, ..Config::default() });
    pair.a.machine.send(tpdu.clone()).expect("an empty queue takes one");
    let refused = pair.a.machine.send(tpdu.clone()).expect_err("full");
    assert_eq!((refused.fault, &refused.data), (SendFault::QueueFull { limit: 10 }, &tpdu));
    pair.a.machine.close();
    assert_eq!(pair.a.machine.send(tpdu).map_err(|it| it.fault), Err(SendFault::Closed));
    assert!(!pair.a.machine.is_closed());
    pair.drive();
    assert!(pair.a.machine.is_closed());
    assert_eq!(pair.a.machine.poll(&mut pair.a.rx, Instant::ORIGIN), Err(Error::Closed));
    assert_eq!(pair.b.take(), "abc");
}
