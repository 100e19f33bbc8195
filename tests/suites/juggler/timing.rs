//! Pings and autoflush, to the millisecond.

use std::time::Duration;

use hat_core::juggler::{Error, SendFault};
use hat_tests::pair::GRAINS;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// With the deployed peers' pings.
fn server_that_pings() -> server::Config {
    server::Config::default()
}

#[test]
fn idle_connections_stay_up_for_months_and_the_application_sees_nothing() {
    for grain in GRAINS {
        let mut pair = both_of(client::Config::default(), server_that_pings(), grain);
        pair.wait(seconds(100_000));
        assert!(pair.a.error.is_none() && pair.b.error.is_none());
        assert!(pair.a.incoming.is_empty() && pair.b.incoming.is_empty());
    }
}

#[test]
fn a_ping_after_30_s_of_silence_and_the_end_after_30_more() {
    let mut pair = to_server(server_that_pings(), usize::MAX);
    pair.wait(seconds(30) - MS);
    assert_eq!(texts(&mut pair.a), [""; 0]);
    pair.wait(MS);
    assert_eq!(texts(&mut pair.a), ["2"]);
    pair.wait(seconds(30) - MS);
    assert_eq!(pair.b.error, None);
    pair.wait(MS);
    assert_eq!(pair.b.error, Some(Error::PingTimeout));
    let (code, reason) = close_of(&pair.a);
    assert_eq!((code, reason.as_str()), (1001, "the peer did not answer a ping in time"));
}

#[test]
fn anything_is_a_sign_of_life() {
    let mut pair = to_server(server_that_pings(), usize::MAX);
    for _ in 0..3 {
        pair.wait(seconds(59));
        assert_eq!(texts(&mut pair.a), ["2"]);
        // half of a message, which is no answer to the ping
        say(&mut pair, &["1"]);
    }
    pair.wait(seconds(30) - MS);
    assert_eq!(texts(&mut pair.a), [""; 0]);
    assert_eq!(pair.b.error, None);
}

/// An application that answers nothing must not make the connection look dead: we do not listen.
#[test]
fn silence_does_not_count_while_we_do_not_listen() {
    let config = server::Config { max_requests: 1, ..server_that_pings() };
    let mut pair = to_server(config, usize::MAX);
    say(&mut pair, &[r#"0{"type":"request","id":1,"name":"slow","data":0}"#]);
    let (request, ..) = asked(pair.b.take());
    pair.wait(seconds(1000));
    assert_eq!(texts(&mut pair.a), [""; 0]);
    pair.b.machine.respond(request, Ok(&Value::Null)).expect("it is open");
    pair.wait(seconds(30) - MS);
    assert_eq!(texts(&mut pair.a).len(), 1, "the response");
    pair.wait(MS);
    assert_eq!(texts(&mut pair.a), ["2"]);
}

#[test]
fn a_ping_carries_any_payload_and_pings_of_ours_may_be_off() {
    let mut pair = to_server(server_config(), 1);
    say(&mut pair, &["2", "2čšž🚀", "3", "3unasked"]);
    assert_eq!(texts(&mut pair.a), ["3", "3čšž🚀"]);
    pair.wait(seconds(1_000_000));
    assert_eq!(pair.b.error, None);
}

fn with_delay(delay: Option<Duration>) -> ToServer {
    to_server(server::Config { autoflush_delay: delay, ..server_config() }, usize::MAX)
}

fn set(pair: &mut ToServer, value: i64) {
    pair.b.machine.change(|state| state.replace(value)).expect("small");
    pair.drive();
}

fn values(pair: &mut ToServer) -> Vec<Value> {
    let messages = joined(&texts(&mut pair.a));
    messages.iter().map(|message| message["diff"][0]["value"].clone()).collect()
}

#[test]
fn the_first_change_opens_the_window_and_the_last_is_sent() {
    let mut pair = with_delay(server::Config::default().autoflush_delay);
    pair.wait(seconds(1));
    set(&mut pair, 1);
    pair.wait(199 * MS);
    set(&mut pair, 2);
    assert_eq!(values(&mut pair), []);
    pair.wait(MS);
    assert_eq!(values(&mut pair), [2.into()]);
    pair.wait(seconds(10));
    assert_eq!(values(&mut pair), []);
    set(&mut pair, 3);
    pair.wait(200 * MS - MS);
    assert_eq!(values(&mut pair), []);
    pair.wait(MS);
    assert_eq!(values(&mut pair), [3.into()]);
}

#[test]
fn a_flush_ends_the_window() {
    let mut pair = with_delay(Some(200 * MS));
    set(&mut pair, 1);
    pair.wait(100 * MS);
    let end = pair.b.machine.flush().expect("room");
    assert!(pair.b.machine.tx().sent() < end, "not on its way yet");
    pair.drive();
    assert_eq!(pair.b.machine.tx().sent(), end);
    assert_eq!(values(&mut pair), [1.into()]);
    set(&mut pair, 2);
    pair.wait(199 * MS);
    assert_eq!(values(&mut pair), []);
    pair.wait(MS);
    assert_eq!(values(&mut pair), [2.into()]);
}

#[test]
fn a_change_that_is_undone_in_its_window_is_not_sent() {
    let mut pair = with_delay(Some(200 * MS));
    set(&mut pair, 1);
    pair.wait(200 * MS);
    assert_eq!(values(&mut pair), [1.into()]);
    set(&mut pair, 2);
    set(&mut pair, 1);
    pair.wait(seconds(1));
    assert_eq!(values(&mut pair), []);
}

#[test]
fn zero_sends_each_change_at_once() {
    let mut pair = with_delay(Some(Duration::ZERO));
    for value in 1..4 {
        pair.b.machine.change(|state| state.replace(value)).expect("small");
    }
    pair.drive();
    assert_eq!(values(&mut pair), [1.into(), 2.into(), 3.into()]);
    set(&mut pair, 3);
    assert_eq!(values(&mut pair), [], "the same again is no change");
}

#[test]
fn none_sends_at_a_flush_only() {
    let mut pair = with_delay(None);
    set(&mut pair, 1);
    set(&mut pair, 2);
    pair.wait(seconds(1_000_000));
    assert_eq!(values(&mut pair), []);
    pair.b.machine.flush().expect("room");
    pair.drive();
    assert_eq!(values(&mut pair), [2.into()]);
}

/// The window that opened before the handshake was done is sent after it.
#[test]
fn a_window_before_the_handshake() {
    let accept = ws::Connection::accept(ws::Config::default(), Instant::ORIGIN);
    let request = ws::Request::new("h", "/ws");
    let connect = ws::Connection::connect(ws::Config::default(), request, Instant::ORIGIN);
    let server = server::Connection::new(accept, server_config());
    let mut pair = Pair::new(connect.expect("a good request"), server, usize::MAX);
    pair.b.machine.change(|state| state.replace(1)).expect("small");
    pair.wait(seconds(5));
    assert!(pair.b.machine.is_behind());
    assert_eq!(pair.b.machine.flush(), Err(SendFault::NotOpen));
    pair.b.machine.confirm(&ws::Response::default()).expect("it waits");
    pair.drive();
    assert!(matches!(pair.a.take(), ws::Incoming::Open(_)));
    assert_eq!(values(&mut pair), [1.into()]);
    assert!(!pair.b.machine.is_behind());
}

/// Nobody flushes a second time what is flushed by hand.
#[test]
fn a_flush_before_the_handshake() {
    let accept = || ws::Connection::accept(ws::Config::default(), Instant::ORIGIN);
    let connect = || {
        let request = ws::Request::new("h", "/ws");
        ws::Connection::connect(ws::Config::default(), request, Instant::ORIGIN).expect("it fits")
    };
    let config = server::Config { autoflush_delay: None, ..server_config() };
    let mut pair = Pair::new(connect(), server::Connection::new(accept(), config), usize::MAX);
    pair.b.machine.change(|state| state.replace(1)).expect("small");
    assert_eq!(pair.b.machine.flush(), Err(SendFault::NotOpen));
    assert!(pair.b.machine.is_behind());
    pair.drive();
    pair.b.machine.confirm(&ws::Response::default()).expect("it waits");
    pair.drive();
    assert!(matches!(pair.a.take(), ws::Incoming::Open(_)));
    assert_eq!(values(&mut pair), [1.into()]);

    let config = peer::Config { autoflush_delay: None, ..peer::Config::default() };
    let mut pair = Pair::new(connect(), peer::Connection::new(accept(), config), usize::MAX);
    pair.b.machine.set_local_data(1).expect("small");
    assert_eq!(pair.b.machine.flush(), Err(SendFault::NotOpen));
    pair.drive();
    pair.b.machine.confirm(&ws::Response::default()).expect("it waits");
    pair.drive();
    assert!(matches!(pair.a.take(), ws::Incoming::Open(_)));
    assert_eq!(texts(&mut pair.a).len(), 1);
}

#[test]
fn peers_of_0_5_flush_by_the_same_rules_and_never_ping() {
    let mut pair = to_peer(peer::Config::default(), 3);
    pair.b.machine.set_local_data(1).expect("small");
    pair.wait(200 * MS - MS);
    assert_eq!(texts(&mut pair.a).len(), 0);
    pair.wait(MS);
    assert_eq!(texts(&mut pair.a).len(), 1);
    pair.wait(seconds(1_000_000));
    assert_eq!(texts(&mut pair.a).len(), 0);
    assert_eq!(pair.b.error, None);
}
