//! Two peers of 0.5: data and messages of both.

use hat_core::juggler::State;
use hat_tests::pair::GRAINS;

use super::*;

fn peers(grain: usize) -> Peers {
    let peer = |role| peer::Connection::new(websocket(role), peer::Config::default());
    Pair::new(peer(Role::Client), peer(Role::Server), grain)
}

#[test]
fn both_have_data() {
    for grain in GRAINS {
        let mut pair = peers(grain);
        pair.a.machine.set_local_data(json(r#"{"a":[1,2]}"#)).expect("small");
        pair.b.machine.set_local_data(json(r#"["b"]"#)).expect("small");
        pair.wait(std::time::Duration::from_millis(200));
        assert_eq!(pair.a.machine.remote_data(), &json(r#"["b"]"#));
        assert_eq!(pair.b.machine.remote_data(), &json(r#"{"a":[1,2]}"#));
        let path = "/a/-".parse().expect("a path");
        pair.a.machine.change(|state| state.set(&path, 3)).expect("small");
        pair.a.machine.flush().expect("open");
        pair.drive();
        assert_eq!(pair.b.machine.remote_data(), &json(r#"{"a":[1,2,3]}"#));
    }
}

/// `flush` gives the place behind what it sent; without a change that is what waits already.
#[test]
fn a_flush_says_when_it_is_on_its_way() {
    let mut pair = peers(usize::MAX);
    pair.a.machine.set_local_data(1).expect("small");
    let end = pair.a.machine.flush().expect("open");
    assert!(end > pair.a.machine.tx().sent());
    assert_eq!(pair.a.machine.flush(), Ok(end));
    pair.drive();
    assert_eq!(pair.a.machine.tx().sent(), end);
}

/// Messages keep their place among the changes of data.
#[test]
fn messages_between_data() {
    for grain in GRAINS {
        let mut pair = peers(grain);
        for number in 0..3 {
            pair.a.machine.send(&peer::Message::new(&number.into())).expect("room");
            pair.a.machine.set_local_data(number).expect("small");
            pair.a.machine.flush().expect("room");
        }
        pair.drive();
        for number in 0..3 {
            let peer::Incoming::Message { payload, .. } = pair.b.take() else { panic!("{number}") };
            assert_eq!(payload, number.into());
            assert_eq!(pair.b.take(), peer::Incoming::Data);
        }
    }
}

#[test]
fn several_may_show_one_state() {
    let mut state = State::default();
    let mut pairs = [peers(3), peers(7)];
    for number in 0..3 {
        state.replace(json(&format!(r#"{{"number":{number}}}"#))).expect("small");
        let flushed = state.flush();
        for pair in &mut pairs {
            pair.b.machine.follow(&mut state, flushed.as_ref()).expect("open");
            pair.drive();
            assert_eq!(pair.a.machine.remote_data(), state.flushed());
            assert!(!pair.b.machine.is_behind());
        }
    }
}
