//! The first exchange: who the client is, and whether the server takes it.

use std::time::Duration;

use hat_core::chatter;
use hat_core::eventer::message::InitReq;
use hat_core::eventer::{Error, SendFault, Status, client, message, server};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_tests::pair::GRAINS;

use super::{
    client_config, encoded, event, event_type, frame, init, initialized, nothing_is_open, pair,
    pair_of, server_config, to_register,
};

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_client_is_accepted() {
    for grain in GRAINS {
        let request = InitReq {
            client_token: Some("token".into()),
            server_id: Some(7),
            persisted: true,
            ..init(&["a/*", "b/?"])
        };
        let mut pair = pair_of(client_config(), server_config(), &request, grain);
        pair.drive();
        let info = initialized(&mut pair);
        assert_eq!(&*info.client_name, "client");
        assert_eq!(info.client_token.as_deref(), Some("token"));
        assert_eq!((info.server_id, info.persisted), (Some(7), true));
        assert!(info.subscription.matches(&event_type("a/x/y")));
        assert!(!info.subscription.matches(&event_type("b/x/y")));
        assert_eq!(pair.b.machine.info(), None);

        pair.b.machine.accept(Status::Starting).expect("a client waits for it");
        assert_eq!(pair.b.machine.info(), Some(&info));
        pair.drive();
        assert_eq!(pair.a.take(), client::Incoming::Ready(Status::Starting));
        assert_eq!((pair.a.machine.deadline(), pair.b.machine.deadline()), (None, None));
        nothing_is_open(&pair);
    }
}

#[test]
fn a_rejected_client_that_closes_ends_the_connection_at_once() {
    for grain in GRAINS {
        let mut pair = pair(grain);
        pair.drive();
        initialized(&mut pair);
        pair.b.machine.reject("go away").expect("a client waits for it");
        pair.drive();
        assert_eq!(pair.a.error, Some(Error::Rejected("go away".into())));
        assert!(pair.a.machine.is_closed() && pair.b.error.is_none());
        pair.end_a();
        assert_eq!(pair.b.error, Some(chatter::Error::Closed.into()));
        nothing_is_open(&pair);
    }
}

#[test]
fn a_rejected_client_that_stays_is_closed_after_the_close_timeout() {
    for grain in GRAINS {
        let mut pair = pair(grain);
        pair.wait(700 * MS);
        initialized(&mut pair);
        pair.b.machine.reject("go away").expect("a client waits for it");
        pair.wait(499 * MS);
        assert_eq!(pair.b.error, None);
        // what it still says changes nothing
        pair.b.feed(&frame(9, 9, true, true, message::QUERY_REQ, b"\x80\x80"), pair.now);
        pair.b.feed(&frame(10, 10, true, true, "Unknown", b""), pair.now);
        pair.wait(MS);
        assert_eq!(pair.b.error, Some(chatter::Error::Closed.into()));
        assert!(pair.b.incoming.is_empty());
    }
}

#[test]
fn a_rejecting_server_may_close_at_once() {
    let mut pair = pair(usize::MAX);
    pair.drive();
    initialized(&mut pair);
    pair.b.machine.reject("go away").expect("a client waits for it");
    pair.b.machine.close();
    pair.drive();
    assert_eq!(pair.a.error, Some(Error::Rejected("go away".into())));
    assert_eq!(pair.b.error, Some(chatter::Error::Closed.into()));
}

#[test]
fn a_subscription_that_is_none_is_rejected_by_itself() {
    for grain in GRAINS {
        let mut pair = pair_of(client_config(), server_config(), &init(&["a/*/b"]), grain);
        pair.wait(499 * MS);
        match &pair.a.error {
            Some(Error::Rejected(text)) => assert!(!text.is_empty()),
            other => panic!("not rejected: {other:?}"),
        }
        assert!(pair.b.incoming.is_empty() && pair.b.error.is_none());
        pair.wait(MS);
        assert_eq!(pair.b.error, Some(chatter::Error::Closed.into()));
        assert_eq!(pair.b.machine.accept(Status::Standby), Err(SendFault::NotReady));
        nothing_is_open(&pair);
    }
}

#[test]
fn a_client_that_says_nothing_is_closed_after_the_init_timeout() {
    let mut pair = pair(usize::MAX);
    pair.a.take_tx();
    pair.wait(29_999 * MS);
    assert_eq!((&pair.a.error, &pair.b.error), (&None, &None));
    pair.wait(MS);
    assert_eq!(pair.b.error, Some(Error::InitTimeout));
    assert_eq!(pair.a.error, Some(Error::InitTimeout));
    nothing_is_open(&pair);
}

#[test]
fn a_decision_may_take_long_but_the_client_waits_no_longer_than_it_wants() {
    let mut pair = pair(usize::MAX);
    pair.wait(29_999 * MS);
    initialized(&mut pair);
    assert_eq!((&pair.a.error, pair.b.machine.deadline()), (&None, None));
    pair.wait(MS);
    assert_eq!((&pair.a.error, &pair.b.error), (&Some(Error::InitTimeout), &None));
    pair.b.machine.accept(Status::Operational).expect("the server does not know");
}

#[test]
fn nothing_is_read_before_the_decision() {
    for grain in GRAINS {
        let mut pair = pair(grain);
        pair.drive();
        pair.b.feed(&frame(2, 2, true, false, message::QUERY_REQ, b"\x80\x80"), pair.now);
        assert_eq!((pair.b.incoming.len(), pair.b.missing), (1, 0));
        initialized(&mut pair);
        pair.b.machine.accept(Status::Operational).expect("a client waits for it");
        pair.drive();
        assert!(matches!(pair.b.take(), server::Incoming::Query { .. }));
    }
}

#[test]
fn calls_before_ready_are_refused() {
    let mut pair = pair(usize::MAX);
    let events = [to_register("a")];
    assert_eq!(pair.a.machine.register(&events), Err(SendFault::NotReady));
    assert_eq!(pair.a.machine.register_with_response(&events), Err(SendFault::NotReady));
    let query = hat_core::eventer::LatestParams::default().into();
    assert_eq!(pair.a.machine.query(&query), Err(SendFault::NotReady));

    let events = encoded(&[event(1, 1, "a")]);
    for _ in 0..2 {
        assert_eq!(pair.b.machine.set_status(Status::Starting), Err(SendFault::NotReady));
        assert_eq!(pair.b.machine.notify(&events, false, true), Err(SendFault::NotReady));
        pair.drive();
    }
    pair.b.machine.accept(Status::Operational).expect("a client waits for it");
    assert_eq!(pair.b.machine.accept(Status::Operational), Err(SendFault::NotReady));
    assert_eq!(pair.b.machine.reject("too late"), Err(SendFault::NotReady));
}

#[test]
fn calls_after_the_end_say_that_it_is_closed() {
    let mut pair = pair(usize::MAX);
    let closed = SendFault::Chatter(chatter::SendFault::Closed);
    // what is queued is not written yet, so it is closing only
    pair.a.machine.close();
    assert!(!pair.a.machine.is_closed());
    assert_eq!(pair.a.machine.register(&[to_register("a")]), Err(closed));
    pair.drive();
    assert_eq!(pair.a.machine.register(&[to_register("a")]), Err(closed));
    pair.b.machine.close();
    assert_eq!(pair.b.machine.accept(Status::Operational), Err(closed));
}

#[test]
fn an_initialization_larger_than_a_message_may_be() {
    let mut config = client_config();
    config.chatter.max_message = 30;
    let made = client::Client::new(config, &init(&["*"]), Instant::ORIGIN);
    let fault = chatter::SendFault::TooLarge { size: 42, limit: 30 };
    assert_eq!(made.err(), Some(fault.into()));
}
