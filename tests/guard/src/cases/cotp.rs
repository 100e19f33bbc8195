//! Messages of 64 octets and of 64 KiB, which takes two TPDUs, through COTP.

use bytes::Bytes;
use hat_core::cotp::{Config, Connection, Incoming, TpduSize};

use super::{COUNT, NOW, Side};
use crate::meter::{counted, done};

/// A caller and a called that have agreed on the largest TPDUs.
#[must_use]
pub fn pair() -> [Side<Connection>; 2] {
    let config = Config { offered_size: TpduSize::new(65531), ..Config::default() };
    let mut caller = Side::new(Connection::connect(config, NOW).expect("fits"));
    let mut called = Side::new(Connection::accept(Config::default(), NOW).expect("fits"));
    caller.carry(&mut called);
    while called.poll().is_some() {}
    called.carry(&mut caller);
    while caller.poll().is_some() {}
    assert!(caller.machine.info().is_some() && called.machine.info().is_some());
    [caller, called]
}

/// Queues a message.
pub fn send(side: &mut Side<Connection>, message: &Bytes) {
    side.machine.send(message.clone()).expect("there is room");
}

/// Takes a message of `size` and drops it.
pub fn receive(side: &mut Side<Connection>, size: usize) {
    match side.poll() {
        Some(Incoming::Data { data, end: true, .. }) => assert_eq!(data.len(), size),
        other => panic!("no message but {other:?}"),
    }
}

/// Counts the cases.
pub fn run() {
    for (name, size, count) in [("64", 64, COUNT), ("64KiB", 64 * 1024, 16)] {
        let ([mut caller, mut called], message) = (pair(), Bytes::from(vec![7; size]));
        for round in ["warm up", "send", "receive"] {
            let part = |part: &str, work: &mut dyn FnMut()| {
                if part == round { counted(work) } else { work() }
            };
            part("send", &mut || (0..count).for_each(|_| send(&mut caller, &message)));
            caller.carry(&mut called);
            part("receive", &mut || (0..count).for_each(|_| receive(&mut called, size)));
            if round != "warm up" {
                done(&format!("cotp/{name}/{round}"), count);
            }
        }
    }
}
