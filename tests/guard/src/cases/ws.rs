//! Messages of 64 bytes through WebSocket, both ways: the frames of a client are masked.

use bytes::Bytes;
use hat_core::ws::{Config, Connection, Incoming, Role};

use super::{COUNT, NOW, Side};
use crate::meter::{counted, done};

/// A connection after its handshake.
#[must_use]
pub fn established(role: Role) -> Side<Connection> {
    Side::new(Connection::established(role, Config::default(), NOW))
}

/// Queues [`COUNT`] messages.
pub fn send(side: &mut Side<Connection>, message: &Bytes) {
    for _ in 0..COUNT {
        side.machine.send_binary(message).expect("there is room");
    }
}

/// Takes [`COUNT`] messages and drops them.
pub fn receive(side: &mut Side<Connection>) {
    for _ in 0..COUNT {
        assert!(matches!(side.poll(), Some(Incoming::Binary(_))));
    }
}

/// Counts the cases.
pub fn run() {
    let message = Bytes::from(vec![7; 64]);
    let ways = [
        ("client-to-server", Role::Client, Role::Server),
        ("server-to-client", Role::Server, Role::Client),
    ];
    for (way, from, to) in ways {
        let (mut from, mut to) = (established(from), established(to));
        for round in ["warm up", "send", "receive"] {
            let part = |part: &str, work: &mut dyn FnMut()| {
                if part == round { counted(work) } else { work() }
            };
            part("send", &mut || send(&mut from, &message));
            from.carry(&mut to);
            part("receive", &mut || receive(&mut to));
            if round != "warm up" {
                done(&format!("ws/{way}/{round}"), COUNT);
            }
        }
    }
}
