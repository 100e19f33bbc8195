//! One driver, polled by hand on a clock that is set by hand.

use super::*;
use crate::by_hand::{End, message, set_clock};
use hat_core::chatter::{Data, SendOptions};

/// The peer sends before a ping of ours is due, so that we never have to send one.
#[test]
fn a_connection_rests_when_its_timer_fires_whether_or_not_it_has_to_ping() {
    let mut end = End::new();
    let mut rested_at = |seconds, sent: &[u8]| {
        set_clock(Duration::from_secs(seconds));
        end.wire.receive(sent);
        end.turn();
        (end.shared.lock().session.rested, end.wire.written() > 0)
    };
    // pings are sent after 20 s without anything received
    assert_eq!(rested_at(0, b""), (0, false), "its first turn");
    assert_eq!(rested_at(15, &message()), (0, false), "something came");
    assert_eq!(rested_at(21, b""), (1, false), "the timer fired, and a ping is due at 35 s");
    assert_eq!(rested_at(30, b""), (2, false), "woken for nothing");
    assert_eq!(rested_at(36, b""), (3, true), "a ping was due, and sent");
}

fn send(end: &End) {
    let mut state = end.shared.lock();
    state.session.machine().send(Data::new("x", "y"), SendOptions::default()).expect("room");
}

fn is_over(end: &End) -> bool {
    end.shared.lock().ended.is_some()
}

/// The driver has its turn at this time.
fn is_over_at(end: &mut End, ms: u64) -> bool {
    set_clock(Duration::from_millis(ms));
    end.turn();
    is_over(end)
}

#[test]
fn a_write_that_fails_is_the_end_though_nothing_is_read() {
    let mut end = End::new();
    end.turn();
    send(&end);
    end.wire.receive(&message()[..4]);
    end.wire.fail(io::ErrorKind::BrokenPipe);
    assert!(!is_over_at(&mut end, 0), "what came before may not be heard of yet");
    assert!(is_over_at(&mut end, 251), "the rest of the message is not waited for");
}

/// What is written first: the socket is read in the first turn, once it is known what for.
#[test]
fn a_write_that_fails_before_the_last_read_is_the_end_too() {
    let mut end = End::new();
    send(&end);
    end.wire.receive(&message());
    end.wire.fail(io::ErrorKind::BrokenPipe);
    assert!(!is_over_at(&mut end, 0) && end.wire.is_read());
    assert!(is_over_at(&mut end, 251));
}

#[test]
fn what_has_arrived_before_a_write_failed_is_waited_for() {
    let mut end = End::new();
    end.turn();
    send(&end);
    end.wire.receive(&message());
    end.wire.unhear(true);
    end.wire.fail(io::ErrorKind::BrokenPipe);
    assert!(!is_over_at(&mut end, 0) && !is_over_at(&mut end, 251));
    end.wire.unhear(false);
    assert!(!is_over_at(&mut end, 252) && end.wire.is_read());
    assert!(is_over_at(&mut end, 502));
}

#[test]
fn what_came_behind_pings_that_cannot_be_answered_is_told() {
    const PING: &[u8] = b"\x01\x16\x81\x81\x01\x01\x00\x8fHatChatter.Ping\x80";
    let mut end = End::new();
    end.turn();
    // of so many answers that wait, nothing more is taken
    let unsent = end.shared.lock().session.machine.config().max_unsent_replies;
    end.wire.receive(&[PING.repeat(unsent), message()].concat());
    end.wire.fail(io::ErrorKind::BrokenPipe);
    end.turn();
    assert_eq!(end.shared.lock().session.delivered, 1);
}
