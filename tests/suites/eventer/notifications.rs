//! What the server tells on its own: its status, and events.

use hat_core::chatter;
use hat_core::eventer::client::{AckId, Incoming};
use hat_core::eventer::message::InitReq;
use hat_core::eventer::server::{self, NotifyOutcome};
use hat_core::eventer::{Event, SendFault, Status};
use hat_core::protocol::Protocol;
use hat_tests::pair::GRAINS;

use super::{
    Pair, client_config, encoded, event, frame, init, nothing_is_open, ready, ready_of,
    server_config,
};

#[track_caller]
fn events(pair: &mut Pair) -> (Vec<Event>, Option<AckId>) {
    match pair.a.take() {
        Incoming::Events { events, ack, .. } => (events, ack),
        other => panic!("not events: {other:?}"),
    }
}

#[test]
fn the_status_is_told_when_it_changes_only() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        pair.b.machine.set_status(Status::Operational).expect("known already");
        assert!(pair.b.machine.tx().is_empty());
        for status in [Status::Stopping, Status::Stopping, Status::Standby] {
            pair.b.machine.set_status(status).expect("ready");
        }
        pair.drive();
        assert_eq!(pair.a.take(), Incoming::Status(Status::Stopping));
        assert_eq!(pair.a.take(), Incoming::Status(Status::Standby));
        assert!(pair.a.incoming.is_empty());
        nothing_is_open(&pair);
    }
}

#[test]
fn events_without_an_ack() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        let sent = [event(1, 1, "a"), event(2, 2, "b/c")];
        let notified = pair.b.machine.notify(&encoded(&sent), false, false);
        assert_eq!(notified, Ok(NotifyOutcome::Sent));
        pair.drive();
        match pair.a.take() {
            Incoming::Events { events, ack, size } => {
                assert_eq!((&events[..], ack), (&sent[..], None));
                assert_eq!(size, hat_core::sbs::encode(&events).len());
            }
            other => panic!("not events: {other:?}"),
        }
        nothing_is_open(&pair);
    }
}

#[test]
fn events_with_an_ack() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        let notified = pair.b.machine.notify(&encoded(&[event(1, 1, "a")]), false, true);
        let Ok(NotifyOutcome::AwaitsAck(id)) = notified else { panic!("{notified:?}") };
        pair.drive();
        assert!(pair.b.incoming.is_empty(), "no ack before the events are handled");
        let (_, ack) = events(&mut pair);
        let ack = ack.expect("the server waits for it");
        pair.a.machine.ack(ack).expect("ready");
        let again = SendFault::Chatter(chatter::SendFault::NotOpen);
        assert_eq!(pair.a.machine.ack(ack), Err(again));
        pair.drive();
        assert_eq!(pair.b.take(), server::Incoming::Acked(id));
        assert!(pair.b.incoming.is_empty());
        nothing_is_open(&pair);
    }
}

#[test]
fn acks_come_in_any_order() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        let mut notify = |instance| {
            let events = encoded(&[event(1, instance, "a")]);
            match pair.b.machine.notify(&events, false, true) {
                Ok(NotifyOutcome::AwaitsAck(id)) => id,
                other => panic!("{other:?}"),
            }
        };
        let (first, second) = (notify(1), notify(2));
        pair.drive();
        let (_, ack_first) = events(&mut pair);
        let (_, ack_second) = events(&mut pair);
        pair.a.machine.ack(ack_second.expect("waited for")).expect("ready");
        pair.a.machine.ack(ack_first.expect("waited for")).expect("ready");
        pair.drive();
        assert_eq!(pair.b.take(), server::Incoming::Acked(second));
        assert_eq!(pair.b.take(), server::Incoming::Acked(first));
        nothing_is_open(&pair);
    }
}

#[test]
fn an_ack_counts_once() {
    let mut pair = ready(usize::MAX);
    let notified = pair.b.machine.notify(&encoded(&[event(1, 1, "a")]), false, true);
    let ack = frame(2, 2, false, true, "HatEventer.MsgEventsAck", b"");
    pair.b.feed(&[&ack[..], &ack].concat(), pair.now);
    let server::Incoming::Acked(id) = pair.b.take() else { panic!("no ack") };
    assert_eq!(notified, Ok(NotifyOutcome::AwaitsAck(id)));
    assert!(pair.b.incoming.is_empty() && pair.b.error.is_none());
}

#[track_caller]
fn gets(request: &InitReq, persisted: bool, expected: &[i64]) {
    let all = [event(1, 1, "a/x"), event(2, 2, "a/y"), event(1, 3, "b"), event(1, 4, "a")];
    for grain in GRAINS {
        let mut pair = ready_of(client_config(), server_config(), request, grain);
        let notified = pair.b.machine.notify(&encoded(&all), persisted, true);
        if expected.is_empty() {
            assert_eq!(notified, Ok(NotifyOutcome::Nothing));
            assert!(pair.b.machine.tx().is_empty(), "not a byte goes out");
            nothing_is_open(&pair);
            continue;
        }
        pair.drive();
        let (events, _) = events(&mut pair);
        assert_eq!(events.iter().map(|it| it.id.instance).collect::<Vec<_>>(), expected);
        assert!(events.iter().all(|it| all.contains(it)) && pair.a.incoming.is_empty());
    }
}

#[test]
fn a_client_gets_what_it_subscribed_to() {
    gets(&init(&["*"]), false, &[1, 2, 3, 4]);
    gets(&init(&["a/*"]), false, &[1, 2, 4]);
    gets(&init(&["a/?", "b"]), false, &[1, 2, 3]);
    gets(&init(&["c"]), false, &[]);
    gets(&init(&[]), false, &[]);
}

#[test]
fn a_client_gets_events_of_its_server() {
    let of = |server| InitReq { server_id: Some(server), ..init(&["*"]) };
    gets(&of(1), false, &[1, 3, 4]);
    gets(&of(2), false, &[2]);
    gets(&of(3), false, &[]);
    gets(&InitReq { server_id: Some(1), ..init(&["a/*"]) }, false, &[1, 4]);
}

#[test]
fn a_client_gets_events_that_are_stored_or_not_as_it_asked() {
    let persisted = InitReq { persisted: true, ..init(&["*"]) };
    gets(&persisted, true, &[1, 2, 3, 4]);
    gets(&persisted, false, &[]);
    gets(&init(&["*"]), true, &[]);
}

#[test]
fn no_events_are_no_message() {
    let mut pair = ready(usize::MAX);
    assert_eq!(pair.b.machine.notify(&encoded(&[]), false, true), Ok(NotifyOutcome::Nothing));
    assert!(pair.b.machine.tx().is_empty());
}
