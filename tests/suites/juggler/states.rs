//! States: told once to all that are in step, wholly to newcomers, and to slow readers what they
//! lack.

use std::time::Duration;

use bytes::Buf;
use hat_core::json::Pointer;
use hat_core::juggler::client::Incoming;
use hat_core::juggler::{Notification, State};
use hat_tests::pair::GRAINS;

use super::*;

fn path(text: &str) -> Pointer {
    text.parse().expect("a path")
}

/// A state of about `size` bytes.
fn large(size: usize) -> Value {
    json(&format!(r#"{{"leaf":0,"text":"{}"}}"#, "x".repeat(size)))
}

#[track_caller]
fn in_step(pair: &mut Both, state: &State) {
    pair.drive();
    assert!(pair.a.error.is_none() && pair.b.error.is_none());
    assert!(!pair.b.machine.is_behind());
    assert_eq!(pair.a.machine.state(), state.flushed());
}

#[test]
fn newcomers_get_the_whole_and_all_get_the_same_patches() {
    for grain in GRAINS {
        let mut state = State::default();
        let mut pairs = vec![both(grain)];
        for round in 0..5 {
            state.set(&path("/a/b").child(format!("round {round}")), round).expect("small");
            let flushed = state.flush().expect("a change");
            for pair in &mut pairs {
                pair.b.machine.follow(&mut state, Some(&flushed)).expect("open");
                in_step(pair, &state);
            }
            let mut newcomer = both(grain);
            newcomer.b.machine.follow(&mut state, None).expect("open");
            in_step(&mut newcomer, &state);
            pairs.push(newcomer);
        }
        for (index, pair) in pairs.iter_mut().enumerate() {
            let told = pair.a.incoming.drain(..).filter(|it| *it == Incoming::State).count();
            assert_eq!(told, if index == 0 { 5 } else { 6 - index });
        }
    }
}

/// The text of a patch, of the whole and of a notification exists once, however many connections it
/// goes to.
#[test]
fn one_text_for_all() {
    /// Where the large parts of what waits to be written are.
    fn parts(pair: &mut ToServer) -> Vec<*const u8> {
        let tx = pair.b.machine.tx();
        let mut parts = Vec::new();
        while tx.has_remaining() {
            let len = tx.chunk().len();
            if len >= 4096 {
                parts.push(tx.chunk().as_ptr());
            }
            tx.advance(len);
        }
        parts
    }
    let mut pairs = [(); 3].map(|()| to_server(server_config(), usize::MAX));
    let (mut state, mut all) = (State::default(), Vec::new());
    state.replace(large(200_000)).expect("small");
    state.flush();
    for pair in &mut pairs {
        pair.b.machine.follow(&mut state, None).expect("open");
        all.push(parts(pair));
    }
    state.set(&path("/text"), "y".repeat(200_000)).expect("small");
    let flushed = state.flush().expect("a change");
    let notification = Notification::new("n", &"z".repeat(200_000).into());
    for (pair, parts_of) in pairs.iter_mut().zip(&mut all) {
        // it has seen the first one
        say(pair, &["31"]);
        pair.b.machine.follow(&mut state, Some(&flushed)).expect("open");
        parts_of.extend(parts(pair));
        pair.b.machine.notify(&notification).expect("room");
        parts_of.extend(parts(pair));
    }
    assert!(all[0].len() >= 9, "in segments");
    assert!(all.iter().all(|parts| *parts == all[0]));
}

/// A client that does not read costs its queue, and then nothing more; when it reads again, it gets
/// what it lacks at once.
#[test]
fn a_slow_reader_gets_the_newest_and_no_backlog() {
    let config = ws::Config { max_queued: 10_000, ..ws::Config::default() };
    let slow = server::Connection::new(websocket_of(Role::Server, config), server_config());
    let mut slow = Pair::new(client(client_config()), slow, usize::MAX);
    let mut fast = both(usize::MAX);
    let mut state = State::default();
    state.replace(large(5_000)).expect("small");
    state.flush();
    slow.a.stalled = true;
    for leaf in 1..=1000 {
        state.set(&path("/leaf"), leaf).expect("small");
        let flushed = state.flush().expect("a change");
        for pair in [&mut slow, &mut fast] {
            pair.b.machine.follow(&mut state, Some(&flushed)).expect("open");
        }
        assert!(slow.b.machine.queued() <= 10_000);
        fast.drive();
    }
    in_step(&mut fast, &state);
    assert!(slow.b.machine.is_behind());
    slow.a.stalled = false;
    in_step(&mut slow, &state);
    let told = slow.a.incoming.len();
    assert!(told < 200, "{told} patches for 1000 changes");

    // and it is in step again: it takes the patch that all take
    state.set(&path("/leaf"), -1).expect("small");
    let flushed = state.flush().expect("a change");
    slow.b.machine.follow(&mut state, Some(&flushed)).expect("open");
    in_step(&mut slow, &state);
}

/// Changed and changed back while it was behind: it lacks nothing.
#[test]
fn behind_and_nothing_to_tell() {
    let config = ws::Config { max_queued: 100, ..ws::Config::default() };
    let server = server::Connection::new(websocket_of(Role::Server, config), server_config());
    let mut pair = Pair::new(client(client_config()), server, usize::MAX);
    let mut state = State::default();
    state.replace(json(r#"{"leaf":1}"#)).expect("small");
    state.flush();
    pair.b.machine.follow(&mut state, None).expect("open");
    for leaf in [2, 1] {
        state.set(&path("/leaf"), leaf).expect("small");
        let flushed = state.flush();
        pair.b.machine.follow(&mut state, flushed.as_ref()).expect("open");
        // what it lacks is looked at once there is room
        assert!(pair.b.machine.is_behind());
    }
    in_step(&mut pair, &state);
    assert_eq!(pair.a.incoming.len(), 1);
}

/// A newcomer to a state that is null again need not be told.
#[test]
fn a_state_that_is_null_again() {
    let mut state = State::default();
    state.replace(1).expect("small");
    state.flush();
    state.replace(Value::Null).expect("small");
    state.flush();
    let mut pair = both(7);
    pair.b.machine.follow(&mut state, None).expect("open");
    in_step(&mut pair, &state);
    assert!(pair.a.incoming.is_empty());
}

/// A connection may have a state of its own first, and share one later.
#[test]
fn from_its_own_state_to_a_shared_one() {
    let mut pair = both(7);
    for value in [r#"{"own":1}"#, r#"{"own":2}"#] {
        pair.b.machine.change(|state| state.replace(json(value))).expect("small");
        pair.b.machine.flush().expect("room");
    }
    pair.drive();
    assert_eq!(pair.a.machine.state(), &json(r#"{"own":2}"#));
    let mut state = State::default();
    state.replace(json(r#"{"shared":1}"#)).expect("small");
    // by chance of the same versions
    state.flush();
    state.replace(json(r#"{"shared":2}"#)).expect("small");
    let flushed = state.flush();
    pair.b.machine.change(|state| state.replace("late")).expect("small");
    pair.b.machine.follow(&mut state, flushed.as_ref()).expect("open");
    in_step(&mut pair, &state);
    // its own is not told any more
    pair.b.machine.change(|state| state.replace("later")).expect("small");
    pair.b.machine.flush().expect("open");
    pair.wait(Duration::from_secs(1));
    assert_eq!(pair.a.machine.state(), &json(r#"{"shared":2}"#));
}

/// 10 MB of state in segments of 64 Ki characters.
#[test]
fn a_large_state_in_segments() {
    let mut pair = both(usize::MAX);
    let large = large(10_000_000);
    pair.b.machine.change(|state| state.replace(large.clone())).expect("within the limits");
    pair.b.machine.flush().expect("an empty queue takes anything");
    pair.drive();
    assert_eq!(pair.a.take(), Incoming::State);
    assert_eq!(pair.a.machine.state(), &large);
}
