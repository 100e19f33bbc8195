//! Pings and pongs, to the millisecond, in both dialects; conversation timeouts.

use std::time::Duration;

use hat_core::chatter::{Config, Data, Dialect, Error, Incoming, PingRule, SendFault, SendOptions};
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;
use hat_tests::pair::GRAINS;

use super::{connection, data, message, pair, pair_of, quiet};

const MS: Duration = Duration::from_millis(1);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn idle_connections_stay_up_for_months_and_the_application_sees_nothing() {
    for dialect in [Dialect::Hat, Dialect::HatChatter] {
        for grain in GRAINS {
            let mut pair = pair_of(&Config::new(dialect), grain);
            pair.wait(seconds(100_000));
            assert!(pair.a.error.is_none() && pair.b.error.is_none());
            assert!(pair.a.incoming.is_empty() && pair.b.incoming.is_empty());
            assert_eq!(pair.a.machine.open_conversations(), 0);
        }
    }
}

#[test]
fn hat_chatter_pings_after_the_delay_and_gives_up_after_the_timeout() {
    let ping = PingRule::WhenIdle { delay: seconds(20), timeout: seconds(5) };
    let mut pair = pair_of(&Config { ping, ..quiet() }, usize::MAX);
    pair.b.stalled = true;
    pair.wait(seconds(20) - MS);
    assert!(pair.a.take_tx().is_empty());
    pair.wait(MS);
    assert_eq!(pair.a.take_tx(), b"\x01\x16\x81\x81\x01\x01\x00\x8fHatChatter.Ping\x80");
    pair.wait(seconds(5) - MS);
    assert_eq!(pair.a.error, None);
    pair.wait(MS);
    assert_eq!(pair.a.error, Some(Error::PingTimeout));
}

#[test]
fn hat_chatter_takes_anything_for_a_sign_of_life() {
    let ping = PingRule::WhenIdle { delay: seconds(20), timeout: seconds(5) };
    let mut pair = pair_of(&Config { ping, ..quiet() }, usize::MAX);
    pair.b.stalled = true;
    pair.wait(seconds(24));
    // half of a message, which no ping of ours asked for
    pair.a.feed(&[1, 8, 0x81], pair.now);
    pair.wait(seconds(20) - MS);
    assert_eq!(pair.a.take_tx().len(), 24, "one ping");
    pair.wait(MS);
    assert_eq!(pair.a.take_tx().len(), 24, "another");
    assert_eq!(pair.a.error, None);
}

#[test]
fn hat_pings_every_interval_whatever_arrives_and_wants_an_answer_to_each() {
    let mut pair = pair_of(&Config::new(Dialect::Hat), usize::MAX);
    pair.b.stalled = true;
    pair.wait(seconds(20));
    assert_eq!(pair.a.take_tx(), b"\x01\x17\x81\x81\x01\x01\x00\x81\x87HatPing\x87MsgPing\x80");
    // a pong in the conversation 1, then messages of other conversations only
    pair.a.feed(b"\x01\x17\x81\x81\x00\x01\x01\x81\x87HatPing\x87MsgPong\x80", pair.now);
    pair.wait(seconds(20));
    assert_eq!(pair.a.take_tx().len(), 25, "the next ping");
    pair.a.feed(b"\x01\x09\x82\x82\x01\x01\x01\x80\x81T\x80", pair.now);
    message(pair.a.take());
    pair.wait(seconds(20) - MS);
    assert_eq!(pair.a.error, None);
    pair.wait(MS);
    assert_eq!(pair.a.error, Some(Error::PingTimeout));
}

#[test]
fn pings_are_answered_even_with_pings_of_our_own_switched_off() {
    let mut pair = pair(usize::MAX);
    pair.a.feed(b"\x01\x16\x83\x83\x01\x01\x00\x8fHatChatter.Ping\x80", Instant::ORIGIN);
    assert_eq!(pair.a.take_tx(), b"\x01\x16\x81\x83\x00\x01\x01\x8fHatChatter.Pong\x80");
    assert!(pair.a.incoming.is_empty());
}

#[test]
fn a_peer_that_pings_and_never_reads_is_not_read_any_more() {
    let mut connection = connection(&quiet());
    let mut rx = hat_core::buffer::RecvBuf::new();
    for _ in 0..100 {
        rx.feed(b"\x01\x16\x83\x83\x01\x01\x00\x8fHatChatter.Ping\x80");
    }
    assert_eq!(connection.poll(&mut rx, Instant::ORIGIN), Ok(Polled::HeldUp), "pongs wait");
    assert_eq!(rx.bytes.len(), (100 - 16) * 24);
    bytes::Buf::advance(connection.tx(), 24);
    assert_eq!(connection.poll(&mut rx, Instant::ORIGIN), Ok(Polled::HeldUp));
    assert_eq!(rx.bytes.len(), (100 - 17) * 24, "one pong written, one more ping taken");
}

#[test]
fn pings_and_pongs_go_out_over_a_full_queue() {
    let config = Config { max_queued: 10, ..quiet() };
    let mut pair = pair_of(&config, usize::MAX);
    pair.b.stalled = true;
    pair.a.machine.send(data("T", b"0123456789"), SendOptions::default()).expect("empty queue");
    pair.a.feed(b"\x01\x16\x83\x83\x01\x01\x00\x8fHatChatter.Ping\x80", Instant::ORIGIN);
    let error = pair.a.machine.send(data("T", b""), SendOptions::default()).expect_err("full");
    assert_eq!(error.fault, SendFault::QueueFull { limit: 10 });
    assert!(pair.a.take_tx().ends_with(b"HatChatter.Pong\x80"));
}

#[test]
fn a_peer_that_takes_a_large_message_slowly_lives() {
    for dialect in [Dialect::Hat, Dialect::HatChatter] {
        let config = Config { max_queued: 1 << 20, ..Config::new(dialect) };
        let (mut connection, mut rx) = (connection(&config), hat_core::buffer::RecvBuf::new());
        let large = data("T", &[0; 1 << 20]);
        connection.send(large, SendOptions::default()).expect("sent");
        let mut now = Instant::ORIGIN;
        // 100 octets a second for half an hour, and not one of them reaches the ping
        for _ in 0..1800 {
            now += seconds(1);
            bytes::Buf::advance(connection.tx(), 100);
            assert!(connection.poll(&mut rx, now).is_ok(), "{dialect:?} at {now:?}");
        }
        let waiting = connection.tx().len();
        assert!(waiting < (1 << 20) - 180_000 + 100, "one ping waits, not one for each delay");
        // it takes nothing any more: what it took since the last look gives it one look more
        let stopped = now;
        let error = loop {
            now += seconds(1);
            if let Err(error) = connection.poll(&mut rx, now) {
                break error;
            }
        };
        assert_eq!(error, Error::PingTimeout);
        let took = now.since(stopped);
        assert!(took >= seconds(20) && took <= seconds(40), "{took:?}");
    }
}

#[test]
fn a_ping_behind_a_large_message_has_its_time_once_it_has_left() {
    let ping = PingRule::WhenIdle { delay: seconds(20), timeout: seconds(5) };
    let config = Config { ping, max_queued: 1 << 20, ..quiet() };
    let (mut connection, mut rx) = (connection(&config), hat_core::buffer::RecvBuf::new());
    connection.send(data("T", &[0; 1 << 20]), SendOptions::default()).expect("sent");
    let at = |time| Instant::ORIGIN + time;
    assert!(connection.poll(&mut rx, at(seconds(20))).is_ok());
    let all = connection.tx().len();
    bytes::Buf::advance(connection.tx(), all);
    // it left at some time before this look
    assert!(connection.poll(&mut rx, at(seconds(25))).is_ok());
    assert_eq!(connection.deadline(), Some(at(seconds(30))));
    assert!(connection.poll(&mut rx, at(seconds(30) - MS)).is_ok());
    assert_eq!(connection.poll(&mut rx, at(seconds(30))), Err(Error::PingTimeout));
}

#[test]
fn a_conversation_timeout_is_reported_once() {
    for dialect in [Dialect::Hat, Dialect::HatChatter] {
        for grain in GRAINS {
            let config = Config { ping: PingRule::Off, ..Config::new(dialect) };
            let mut pair = pair_of(&config, grain);
            let timeout = Some(pair.now + seconds(3));
            let options = SendOptions { last: false, timeout, ..SendOptions::default() };
            let conversation = pair.a.machine.send(data("Ask", b""), options).expect("sent");
            pair.wait(seconds(3) - MS);
            assert!(pair.a.incoming.is_empty());
            pair.wait(MS);
            assert_eq!(pair.a.take(), Incoming::Timeout(conversation));
            pair.wait(seconds(100));
            assert!(pair.a.incoming.is_empty());
        }
    }
}

#[test]
fn the_next_message_in_either_direction_cancels_a_timeout() {
    for grain in GRAINS {
        let mut pair = pair(grain);
        let timeout = Some(pair.now + seconds(3));
        let ask = SendOptions { last: false, timeout, ..SendOptions::default() };
        let keep = SendOptions { token: false, ..ask };
        let answered = pair.a.machine.send(data("Ask", b""), ask).expect("sent");
        let continued = pair.a.machine.send(data("Begin", b""), keep).expect("sent");
        pair.drive();
        let request = message(pair.b.take());
        assert_eq!(request.conversation.first_id, answered.first_id);
        let answer = SendOptions {
            conversation: Some(request.conversation),
            last: false,
            ..SendOptions::default()
        };
        pair.b.machine.send(Data::new("Wait", ""), answer).expect("sent");
        let more = SendOptions { conversation: Some(continued), timeout: None, ..keep };
        pair.a.machine.send(data("More", b""), more).expect("sent");
        pair.wait(seconds(10));
        assert_eq!(message(pair.a.take()).data.r#type, "Wait");
        assert!(pair.a.incoming.is_empty());
    }
}

#[test]
fn timeouts_are_silent_once_the_connection_is_closed() {
    let mut pair = pair(usize::MAX);
    let timeout = Some(pair.now + seconds(3));
    let ask = SendOptions { last: false, timeout, ..SendOptions::default() };
    pair.a.machine.send(data("Ask", b""), ask).expect("sent");
    pair.a.machine.close();
    pair.wait(seconds(10));
    assert!(pair.a.incoming.is_empty());
}

/// Of a connection that reads nothing, because its pongs are not written, the peer's silence is its
/// own doing, and so is a message that does not go on.
#[test]
fn a_connection_that_its_own_pongs_hold_up_does_not_give_its_peer_up() {
    let hat_ping = b"\x01\x17\x83\x83\x01\x01\x00\x81\x87HatPing\x87MsgPing\x80";
    let ping = b"\x01\x16\x83\x83\x01\x01\x00\x8fHatChatter.Ping\x80";
    for (dialect, ping) in [(Dialect::Hat, &hat_ping[..]), (Dialect::HatChatter, ping)] {
        let mut pair = pair_of(&Config::new(dialect), usize::MAX);
        pair.b.stalled = true;
        let rule = pair.a.machine.config().ping;
        let (before, timeout) = match rule {
            PingRule::Every { interval } => (interval, interval),
            PingRule::WhenIdle { delay, timeout } => (delay, timeout),
            PingRule::Off => panic!("on by default"),
        };
        // a ping of ours waits for its answer
        pair.wait(before);
        pair.a.take_tx();
        pair.a.feed(&[&ping.repeat(17)[..], &ping[..5]].concat(), pair.now);
        assert_eq!(pair.a.machine.deadline(), None, "nothing is due before they are written");
        pair.wait(seconds(1000));
        assert_eq!(pair.a.error, None);
        assert_eq!(pair.a.take_tx().len(), 16 * ping.len(), "pongs, and no ping");
        // it reads again, and the peer has all of its time
        pair.a.feed(&[], pair.now);
        pair.wait(timeout - MS);
        assert_eq!(pair.a.error, None);
        pair.wait(seconds(1000));
        assert_eq!(pair.a.error, Some(Error::PingTimeout));
    }
}
