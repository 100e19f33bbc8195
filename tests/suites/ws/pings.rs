//! Pings of the machine's own: when they go out, what counts as a sign of life, and who is given
//! up. Time is virtual.

use std::time::Duration;

use bytes::Buf;
use hat_core::protocol::Protocol;
use hat_core::ws::{Config, Connection, Error, Incoming, PingRule, Role, code};
use hat_tests::pair::{GRAINS, Pair};

use crate::{CLOSE, FIN, PING, PONG, connection, frame};

const SECOND: Duration = Duration::from_secs(1);

/// After 20 s of silence, and given up after 5 s more.
fn pinging() -> Config {
    let ping = PingRule::WhenIdle { delay: 20 * SECOND, timeout: 5 * SECOND };
    Config { ping, ..Config::default() }
}

/// A server with pings and a client without.
fn pair(grain: usize) -> Pair<Connection, Connection> {
    let server = connection(Role::Server, &pinging());
    Pair::new(server, connection(Role::Client, &Config::default()), grain)
}

#[test]
fn a_peer_that_answers_stays() {
    for grain in GRAINS {
        let mut pair = pair(grain);
        pair.wait(1000 * SECOND);
        // a ping each 20 s, answered at once
        assert_eq!(pair.a.incoming.len(), 50);
        assert!(pair.a.incoming.iter().all(|it| *it == Incoming::Pong("".into())));
        assert_eq!((pair.a.error, pair.b.error), (None, None));
    }
}

#[test]
fn a_silent_peer_is_given_up_and_told() {
    let mut pair = pair(usize::MAX);
    pair.b.stalled = true;
    pair.wait(19 * SECOND);
    assert_eq!(pair.a.take_tx(), b"");
    pair.wait(SECOND);
    assert_eq!(pair.a.take_tx(), frame(Role::Server, FIN | PING, b""));
    pair.wait(4 * SECOND);
    assert_eq!(pair.a.error, None);
    pair.wait(SECOND);
    assert_eq!(pair.a.error, Some(Error::PingTimeout));
    let told = code::GOING_AWAY.to_be_bytes();
    assert_eq!(pair.a.take_tx(), frame(Role::Server, FIN | CLOSE, &told));
    assert!(pair.a.machine.is_closed());
    assert_eq!(pair.a.machine.deadline(), None);
}

/// Bytes are a sign of life before they are a frame.
#[test]
fn whatever_comes_puts_the_ping_off() {
    let mut pair = pair(usize::MAX);
    pair.b.stalled = true;
    let long = frame(Role::Client, FIN | PING, &[7; 20]);
    for byte in &long {
        pair.wait(19 * SECOND);
        pair.a.feed(&[*byte], pair.now);
    }
    // nothing but the answer
    assert_eq!(pair.a.take_tx(), frame(Role::Server, FIN | PONG, &[7; 20]));
    assert_eq!(pair.a.error, None);
}

/// What waits in the system leaves only as the peer reads.
#[test]
fn a_peer_that_reads_slowly_lives() {
    let mut pair = pair(usize::MAX);
    pair.b.stalled = true;
    pair.a.machine.send_binary(&vec![7; 1000].into()).expect("room");
    while pair.a.machine.queued() > 100 {
        pair.wait(19 * SECOND);
        pair.a.machine.tx().advance(100);
    }
    assert_eq!(pair.a.error, None);
    pair.wait(25 * SECOND);
    assert_eq!(pair.a.error, Some(Error::PingTimeout));
}

/// The handshake has its own limit, and the end too: no ping is sent in either.
#[test]
fn pings_belong_to_an_open_connection() {
    let mut asked = Connection::accept(pinging(), hat_core::time::Instant::ORIGIN);
    assert_eq!(asked.tx().remaining(), 0);
    let mut pair = pair(usize::MAX);
    pair.b.stalled = true;
    pair.wait(SECOND);
    pair.a.machine.close();
    pair.wait(100 * SECOND);
    assert_eq!(pair.a.error, Some(Error::CloseTimeout));
    assert_eq!(pair.a.take_tx(), frame(Role::Server, FIN | CLOSE, &1000_u16.to_be_bytes()));
}

/// A peer may answer the last of several pings only: then that of the application is in ours.
#[test]
fn the_application_s_ping_is_answered_by_the_answer_to_ours() {
    let mut pair = pair(usize::MAX);
    pair.b.stalled = true;
    pair.a.machine.ping(b"mine").expect("room");
    pair.wait(20 * SECOND);
    let ping = frame(Role::Server, FIN | PING, b"mine");
    assert_eq!(pair.a.take_tx(), [ping.clone(), ping].concat());
    pair.a.feed(&frame(Role::Client, FIN | PONG, b"mine"), pair.now);
    assert_eq!(pair.a.take(), Incoming::Pong("mine".into()));
}

/// Of a machine that reads nothing, because its pongs are not written, the peer's silence is its
/// own doing.
#[test]
fn a_machine_that_its_own_pongs_hold_up_does_not_take_its_peer_for_silent() {
    let mut pair = pair(usize::MAX);
    pair.b.stalled = true;
    let (ping, pong) = (frame(Role::Client, FIN | PING, b""), frame(Role::Server, FIN | PONG, b""));
    pair.a.feed(&ping.repeat(17), pair.now);
    assert_eq!(pair.a.machine.deadline(), None, "nothing is due before the pongs are written");
    pair.wait(1000 * SECOND);
    assert_eq!(pair.a.error, None);
    assert_eq!(pair.a.take_tx(), pong.repeat(16), "and no ping");
    // it reads again, and the peer has all of its time
    pair.a.feed(&[], pair.now);
    assert_eq!(pair.a.take_tx(), pong);
    pair.wait(20 * SECOND);
    assert_eq!(pair.a.take_tx(), frame(Role::Server, FIN | PING, b""));
    pair.wait(5 * SECOND - Duration::from_nanos(1));
    assert_eq!(pair.a.error, None);
    pair.wait(Duration::from_nanos(1));
    assert_eq!(pair.a.error, Some(Error::PingTimeout));
}
