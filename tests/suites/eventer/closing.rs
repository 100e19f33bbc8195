//! How a connection ends, and what is left of it.

use hat_core::chatter;
use hat_core::eventer::client::Incoming;
use hat_core::eventer::server::{self, NotifyOutcome};
use hat_core::eventer::{LatestParams, QueryResult, SendFault, Status};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_tests::pair::GRAINS;

use super::{encoded, event, frame, nothing_is_open, pair, ready, to_register};

const CLOSED: SendFault = SendFault::Chatter(chatter::SendFault::Closed);

#[test]
fn the_client_closes_and_what_it_queued_is_delivered() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        pair.a.machine.query(&LatestParams::default().into()).expect("ready");
        pair.a.machine.register(&[to_register("last/words")]).expect("ready");
        pair.a.machine.close();
        assert_eq!(pair.a.machine.open_requests(), 0, "no answer will be read");
        assert_eq!(pair.a.machine.register(&[]), Err(CLOSED));
        pair.drive();
        assert!(pair.a.machine.is_closed());
        assert!(pair.a.error.as_ref().is_some_and(hat_core::eventer::Error::is_closed));
        assert!(matches!(pair.b.take(), server::Incoming::Query { .. }));
        assert!(matches!(pair.b.take(), server::Incoming::Register { .. }));
        pair.end_a();
        assert!(pair.b.error.as_ref().is_some_and(hat_core::eventer::Error::is_closed));
        nothing_is_open(&pair);
    }
}

#[test]
fn the_server_closes_and_what_it_queued_is_delivered() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        pair.a.machine.query(&LatestParams::default().into()).expect("ready");
        pair.drive();
        let server::Incoming::Query { request, .. } = pair.b.take() else { panic!("not a query") };
        let notified = pair.b.machine.notify(&encoded(&[event(1, 1, "a")]), false, true);
        assert!(matches!(notified, Ok(NotifyOutcome::AwaitsAck(_))));
        pair.b.machine.set_status(Status::Stopping).expect("ready");
        pair.b.machine.close();
        let result = QueryResult::default();
        assert_eq!(pair.b.machine.query_response(request, &result), Err(CLOSED));
        assert_eq!(pair.b.machine.set_status(Status::Standby), Err(CLOSED));
        pair.drive();
        assert_eq!(pair.b.error, Some(chatter::Error::Closed.into()));
        assert!(matches!(pair.a.take(), Incoming::Events { .. }));
        assert_eq!(pair.a.take(), Incoming::Status(Status::Stopping));
        pair.a.rx.eof = true;
        pair.drive();
        assert_eq!(pair.a.error, Some(chatter::Error::Closed.into()));
        nothing_is_open(&pair);
    }
}

#[test]
fn closing_before_anything_is_said() {
    for grain in GRAINS {
        let mut pair = pair(grain);
        pair.b.machine.close();
        pair.drive();
        assert_eq!(pair.b.error, Some(chatter::Error::Closed.into()));
        pair.a.machine.close();
        assert_eq!(pair.a.machine.deadline(), None);
        // the server reads nothing any more, so the driver gives up on what the client has queued
        assert!(!pair.a.machine.is_closed());
        nothing_is_open(&pair);
    }
}

#[test]
fn the_end_of_the_stream_inside_a_message() {
    let whole = frame(2, 2, true, false, "HatEventer.MsgQueryReq", b"\x80\x80");
    for cut in 1..whole.len() {
        let mut pair = ready(usize::MAX);
        pair.b.feed(&whole[..cut], pair.now);
        pair.b.rx.eof = true;
        pair.drive();
        let need = if cut == 1 { 2 } else { whole.len() };
        let error = chatter::Error::Truncated { have: cut, need };
        assert_eq!(pair.b.error, Some(error.into()));
        assert!(pair.b.incoming.is_empty());
        nothing_is_open(&pair);
    }
}

#[test]
fn open_requests_end_with_the_connection() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        for _ in 0..3 {
            pair.a.machine.query(&LatestParams::default().into()).expect("ready");
        }
        pair.b.machine.notify(&encoded(&[event(1, 1, "a")]), false, true).expect("ready");
        pair.drive();
        pair.a.rx.eof = true;
        pair.b.rx.eof = true;
        pair.drive();
        assert_eq!(pair.a.error, Some(chatter::Error::Closed.into()));
        assert_eq!(pair.b.error, Some(chatter::Error::Closed.into()));
        nothing_is_open(&pair);
    }
}

#[test]
fn errors_are_final() {
    let mut pair = ready(usize::MAX);
    for side in ["client", "server"] {
        let unknown = frame(9, 9, true, true, "Unknown", b"");
        let status = frame(10, 10, true, true, "HatEventer.MsgStatusNotify", b"\x80");
        let now = pair.now;
        if side == "client" {
            pair.a.feed(&[unknown, status].concat(), now);
            let error = pair.a.error.clone().expect("unexpected");
            assert_eq!(pair.a.machine.poll(&mut pair.a.rx, Instant::ORIGIN), Err(error));
            assert_eq!((pair.a.missing, pair.a.machine.deadline()), (0, None));
            assert!(pair.a.machine.is_closed());
            assert_eq!(pair.a.machine.register(&[]), Err(CLOSED));
        } else {
            pair.b.feed(&[unknown, status].concat(), now);
            let error = pair.b.error.clone().expect("unexpected");
            assert_eq!(pair.b.machine.poll(&mut pair.b.rx, Instant::ORIGIN), Err(error));
            assert_eq!((pair.b.missing, pair.b.machine.deadline()), (0, None));
            assert!(pair.b.machine.is_closed());
            assert_eq!(pair.b.machine.set_status(Status::Standby), Err(CLOSED));
        }
    }
    nothing_is_open(&pair);
}
