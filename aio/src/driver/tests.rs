//! One driver, polled by hand on a clock that is set by hand.

use super::*;
use crate::by_hand::{End, message, set_clock};

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
