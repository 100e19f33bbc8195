//! One driver, polled by hand on a clock that is set by hand.

use super::*;
use crate::by_hand::{ByHand, Wire, nowhere, set_clock};

use hat_core::chatter;

/// Chatter, whose messages nobody keeps, and how often it rested.
struct Resting {
    machine: chatter::Connection,
    rested: usize,
}

impl Session for Resting {
    type Protocol = chatter::Connection;

    const NAME: &'static str = "resting";

    fn machine(&mut self) -> &mut chatter::Connection {
        &mut self.machine
    }

    fn has_room(&self) -> bool {
        true
    }

    fn rest(&mut self) {
        self.rested += 1;
    }

    fn deliver(&mut self, _: chatter::Incoming, _: usize) -> Delivered {
        Delivered::Inbox
    }
}

/// A message as a peer sends it.
fn message() -> Vec<u8> {
    let mut peer = chatter::Connection::new(chatter::Config::default(), Instant::ORIGIN);
    peer.send(chatter::Data::new("x", "y"), chatter::SendOptions::default()).expect("room");
    let len = peer.tx().len();
    peer.tx().copy_to_bytes(len).to_vec()
}

/// The peer sends before a ping of ours is due, so that we never have to send one.
#[test]
fn a_connection_rests_when_its_timer_fires_whether_or_not_it_has_to_ping() {
    let (wire, config) = (Wire::default(), chatter::Config::default());
    let session = |now| Resting { machine: chatter::Connection::new(config, now), rested: 0 };
    let shared = Shared::new::<ByHand>(nowhere(), nowhere(), session);
    let slot = ConnectionSlot::nowhere();
    let mut driver = Driver::<ByHand, _, _>::new(wire.clone(), shared.clone(), slot);
    let mut cx = Context::from_waker(Waker::noop());
    let mut turn = |seconds, sent: &[u8]| {
        set_clock(Duration::from_secs(seconds));
        wire.receive(sent);
        assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
        shared.lock().session.rested
    };
    // pings are sent after 20 s without anything received
    assert_eq!(turn(0, b""), 0, "its first turn");
    assert_eq!(turn(15, &message()), 0, "something came");
    assert_eq!(turn(21, b""), 1, "the timer fired, and a ping is due at 35 s");
    assert_eq!(turn(30, b""), 2);
    assert_eq!(shared.lock().session.machine().tx().sent(), 0, "no ping was sent");
    assert_eq!(turn(36, b""), 3, "a ping was due");
    assert!(shared.lock().session.machine().tx().sent() > 0, "it was sent");
}
