//! What is held up, refused, or dropped so that neither side grows.

use std::time::Duration;

use hat_core::chatter;
use hat_core::eventer::client::{Client, Incoming};
use hat_core::eventer::message::{self, InitReq};
use hat_core::eventer::server::{self, NotifyOutcome};
use hat_core::eventer::{Error, LatestParams, QueryResult, SendFault, Status};
use hat_core::protocol::Protocol;
use hat_core::sbs::{self, DecodeError};
use hat_core::time::Instant;
use hat_tests::pair::{GRAINS, Pair};

use super::{
    client_config, encoded, event, frame, init, nothing_is_open, ready, ready_of, server_config,
    to_register,
};

#[test]
fn the_server_reads_no_more_requests_than_it_may_have_open() {
    for grain in GRAINS {
        let config = server::Config { max_requests: 2, ..server_config() };
        let mut pair = ready_of(client_config(), config, &init(&["*"]), grain);
        for _ in 0..5 {
            pair.a.machine.query(&LatestParams::default().into()).expect("ready");
        }
        pair.a.machine.register(&[to_register("a")]).expect("ready");
        pair.drive();
        assert_eq!((pair.b.incoming.len(), pair.b.machine.open_requests()), (2, 2));
        assert_eq!((pair.b.missing, pair.b.machine.deadline()), (0, None));
        // each answer lets one more in
        for waiting in [2, 2, 2, 2, 1] {
            assert_eq!(pair.b.machine.open_requests(), waiting);
            let server::Incoming::Query { request, .. } = pair.b.take() else {
                panic!("not a query")
            };
            pair.b.machine.query_response(request, &QueryResult::default()).expect("open");
            pair.drive();
        }
        assert!(matches!(pair.b.take(), server::Incoming::Register { request: None, .. }));
        assert_eq!(pair.a.incoming.len(), 5);
        nothing_is_open(&pair);
    }
}

#[test]
fn a_server_that_may_have_no_request_open_takes_one_at_a_time() {
    let config = server::Config { max_requests: 0, ..server_config() };
    let mut pair = ready_of(client_config(), config, &init(&["*"]), usize::MAX);
    pair.a.machine.query(&LatestParams::default().into()).expect("ready");
    pair.drive();
    assert_eq!(pair.b.machine.open_requests(), 1);
}

/// A server that reads nothing, because its application answers nothing, does not call the client
/// silent whose answer to a ping it has not read.
#[test]
fn a_held_up_server_does_not_give_its_client_up() {
    let interval = Duration::from_secs(20);
    let mut config = server::Config { max_requests: 1, ..server_config() };
    config.chatter.ping = chatter::PingRule::Every { interval };
    let mut pair = ready_of(client_config(), config, &init(&["*"]), usize::MAX);
    (pair.a.stalled, pair.a.missing) = (true, 0);
    pair.wait(interval);
    pair.a.machine.query(&LatestParams::default().into()).expect("ready");
    pair.drive();
    let server::Incoming::Query { request, .. } = pair.b.take() else { panic!("not a query") };
    assert_eq!((pair.b.missing, pair.b.machine.deadline()), (0, None));
    pair.wait(Duration::from_secs(3600));
    pair.b.machine.query_response(request, &QueryResult::default()).expect("open");
    pair.drive();
    assert_eq!(pair.b.error, None);
    pair.a.stalled = false;
    pair.wait(1000 * interval);
    assert_eq!((&pair.a.error, &pair.b.error), (&None, &None));
    nothing_is_open(&pair);
}

#[test]
fn a_held_up_server_still_closes() {
    let config = server::Config { max_requests: 1, ..server_config() };
    let mut pair = ready_of(client_config(), config, &init(&["*"]), 3);
    pair.a.machine.query(&LatestParams::default().into()).expect("ready");
    pair.drive();
    pair.b.machine.set_status(Status::Stopping).expect("ready");
    pair.b.machine.close();
    pair.drive();
    assert_eq!(pair.b.error, Some(chatter::Error::Closed.into()));
    assert_eq!(pair.a.take(), Incoming::Status(Status::Stopping));
    assert_eq!(pair.b.machine.open_requests(), 0);
}

/// A pair whose queues take 200 bytes, with `register` and `set_status` and so on filling them.
fn narrow() -> super::Pair {
    let (mut client, mut server) = (client_config(), server_config());
    client.chatter.max_queued = 200;
    server.chatter.max_queued = 200;
    ready_of(client, server, &init(&["*"]), usize::MAX)
}

const FULL: SendFault = SendFault::Chatter(chatter::SendFault::QueueFull { limit: 200 });

#[test]
fn a_full_queue_of_the_client() {
    let mut pair = narrow();
    let events = [to_register("a"), to_register("b")];
    while pair.a.machine.register(&events).is_ok() {}
    assert!(pair.a.machine.tx().len() <= 200);
    assert_eq!(pair.a.machine.register(&events), Err(FULL));
    assert!(FULL.is_queue_full());
    assert_eq!(pair.a.machine.register_with_response(&events), Err(FULL));
    assert_eq!(pair.a.machine.query(&LatestParams::default().into()), Err(FULL));
    nothing_is_open(&pair);
    pair.drive();
    assert!(!pair.b.incoming.is_empty());
    pair.a.machine.register(&events).expect("there is room again");
}

#[test]
fn a_full_queue_of_the_server() {
    let mut pair = narrow();
    pair.a.machine.query(&LatestParams::default().into()).expect("ready");
    pair.drive();
    let server::Incoming::Query { request, .. } = pair.b.take() else { panic!("not a query") };

    let events = encoded(&[event(1, 1, "a")]);
    while pair.b.machine.notify(&events, false, false).is_ok() {}
    assert_eq!(pair.b.machine.notify(&events, false, true), Err(FULL));
    let answer = QueryResult { events: vec![event(1, 1, "a")], more_follows: false };
    assert_eq!(pair.b.machine.query_response(request, &answer), Err(FULL));
    assert_eq!(pair.b.machine.open_requests(), 1);
    for at in 0.. {
        let status = [Status::Stopping, Status::Standby][at % 2];
        if let Err(fault) = pair.b.machine.set_status(status) {
            assert_eq!(fault, FULL);
            break;
        }
    }
    pair.drive();
    pair.a.incoming.clear();
    // the same calls go through now: nothing of them was remembered
    pair.b.machine.query_response(request, &answer).expect("still open");
    pair.drive();
    assert!(matches!(pair.a.take(), Incoming::Queried { .. }));
    nothing_is_open(&pair);
}

#[test]
fn a_refused_status_is_not_taken_as_told() {
    let mut pair = narrow();
    let events = encoded(&[event(1, 1, "a")]);
    while pair.b.machine.notify(&events, false, false).is_ok() {}
    let mut told = Status::Operational;
    for status in [Status::Stopping, Status::Standby, Status::Starting, Status::Operational] {
        match pair.b.machine.set_status(status) {
            Ok(()) => told = status,
            Err(fault) => assert_eq!(fault, FULL),
        }
    }
    pair.drive();
    pair.a.incoming.clear();
    let next = if told == Status::Standby { Status::Starting } else { Status::Standby };
    pair.b.machine.set_status(next).expect("room");
    pair.drive();
    assert_eq!(pair.a.take(), Incoming::Status(next));
}

#[test]
fn an_ack_goes_out_over_a_full_queue() {
    let mut pair = narrow();
    let events = encoded(&[event(1, 1, "a")]);
    let Ok(NotifyOutcome::AwaitsAck(id)) = pair.b.machine.notify(&events, false, true) else {
        panic!("not sent")
    };
    pair.drive();
    let Incoming::Events { ack: Some(ack), .. } = pair.a.take() else { panic!("no events") };
    while pair.a.machine.register(&[to_register("a")]).is_ok() {}
    pair.a.machine.ack(ack).expect("it is small and waited for");
    pair.drive();
    assert_eq!(pair.b.incoming.pop_back(), Some(server::Incoming::Acked(id)));
}

#[test]
fn an_answer_that_is_too_large_leaves_room_for_another_one() {
    for grain in GRAINS {
        let mut config = server_config();
        config.chatter.max_message = 200;
        let mut pair = ready_of(client_config(), config, &init(&["*"]), grain);
        pair.a.machine.query(&LatestParams::default().into()).expect("ready");
        pair.a.machine.register_with_response(&[to_register("a")]).expect("ready");
        pair.drive();
        let events: Vec<_> = (1..20).map(|instance| event(1, instance, "a")).collect();

        let server::Incoming::Query { request, .. } = pair.b.take() else { panic!("not a query") };
        let result = QueryResult { events: events.clone(), more_follows: false };
        let refused = pair.b.machine.query_response(request, &result);
        let is_too_large = |refused| {
            matches!(refused, Err(SendFault::Chatter(chatter::SendFault::TooLarge { .. })))
        };
        assert!(is_too_large(refused));
        let result = QueryResult { events: events[..1].to_vec(), more_follows: true };
        pair.b.machine.query_response(request, &result).expect("small enough");

        let server::Incoming::Register { request: Some(request), .. } = pair.b.take() else {
            panic!("not a registration")
        };
        assert!(is_too_large(pair.b.machine.register_response(request, Some(&events))));
        assert_eq!(pair.b.machine.open_requests(), 1);
        pair.b.machine.register_response(request, None).expect("small enough");
        pair.drive();
        assert!(matches!(pair.a.take(), Incoming::Queried { result: got, .. } if got == result));
        assert!(matches!(pair.a.take(), Incoming::Registered { events: None, .. }));
        nothing_is_open(&pair);
    }
}

#[test]
fn events_without_acks_are_limited_by_the_conversations_that_may_be_open() {
    let mut config = server_config();
    config.chatter.max_conversations = 3;
    let mut pair = ready_of(client_config(), config, &init(&["*"]), usize::MAX);
    let events = encoded(&[event(1, 1, "a")]);
    for _ in 0..3 {
        pair.b.machine.notify(&events, false, true).expect("room");
    }
    let fault = SendFault::Chatter(chatter::SendFault::TooManyConversations { limit: 3 });
    assert_eq!(pair.b.machine.notify(&events, false, true), Err(fault));
    pair.b.machine.notify(&events, false, false).expect("nothing is left open by this one");
}

/// What a server remembers of a client for the life of the connection must not hold on to the frame
/// that it came in.
#[test]
fn what_is_known_of_a_client_keeps_no_frame() {
    let request =
        InitReq { client_token: Some("a token, too long to be inline".into()), ..init(&["*"]) };
    let client = hat_core::eventer::client::Client::new(client_config(), &request, Instant::ORIGIN)
        .expect("not too large");
    let server = server::Connection::new(server_config(), Instant::ORIGIN);
    let mut pair = Pair::new(client, server, usize::MAX);
    let bytes = pair.a.take_tx();
    pair.b.rx.feed(&bytes);
    let frame = pair.b.rx.bytes.as_ptr_range();
    pair.drive();
    let info = super::initialized(&mut pair);
    assert!(!frame.contains(&info.client_name.as_ptr()));
    assert!(!frame.contains(&info.client_token.expect("sent").as_ptr()));
}

#[test]
fn pings_are_never_visible() {
    for grain in GRAINS {
        let (mut client, mut server) = (client_config(), server_config());
        client.chatter = chatter::Config::default();
        server.chatter = chatter::Config::default();
        let mut pair = ready_of(client, server, &init(&["*"]), grain);
        pair.wait(std::time::Duration::from_secs(3600));
        assert!(pair.a.incoming.is_empty() && pair.b.incoming.is_empty());
        assert!(pair.a.error.is_none() && pair.b.error.is_none());
        nothing_is_open(&pair);
    }
    let mut pair = ready(usize::MAX);
    pair.b.feed(&frame(5, 5, true, false, "HatChatter.Ping", b""), pair.now);
    assert!(pair.b.incoming.is_empty());
    let pong = pair.b.take_tx();
    assert_eq!(pong, frame(2, 5, false, true, "HatChatter.Pong", b""));
    pair.a.feed(&pong, pair.now);
    assert!(pair.a.incoming.is_empty() && pair.a.error.is_none());
}

/// A message of the client, of `count` elements that are `element` each.
fn many(name: &str, front: &[u8], count: usize, element: &[u8], end: &[u8]) -> Vec<u8> {
    let mut data = front.to_vec();
    data.extend(sbs::encode(&(count as i64)));
    (0..count).for_each(|_| data.extend_from_slice(element));
    data.extend_from_slice(end);
    frame(2, 2, true, false, name, &data)
}

#[test]
fn what_a_message_weighs_decoded_is_limited_before_it_is_made() {
    // events of no type, source timestamp and payload: three bytes each
    for (count, taken) in [(200_000, true), (500_000, false)] {
        let mut pair = ready(usize::MAX);
        let now = pair.now;
        pair.b.feed(&many(message::REGISTER_REQ, b"", count, b"\x80\x80\x80", b""), now);
        if taken {
            assert!(
                matches!(pair.b.take(), server::Incoming::Register { events, .. } if events.len() == count)
            );
        } else {
            let error = pair.b.error.clone().expect("refused");
            let heavy = matches!(error, Error::Malformed { error: DecodeError::TooHeavy { limit, .. }, .. } if limit == 32 << 20);
            assert!(heavy, "{error}");
        }
    }
    // our client does not send what our server does not take
    let mut pair = ready(usize::MAX);
    let fault = pair.a.machine.register(&vec![to_register("a"); 200_001]).expect_err("too many");
    assert_eq!(fault, SendFault::TooManyEvents { limit: 200_000 });
}

#[test]
fn an_initialization_is_limited_before_anybody_knows_whose_it_is() {
    let large = vec![b'x'; 40];
    let one: Vec<_> = [&[0x81][..], &[0x80 | 40], &large].concat();
    // by bytes, and by segments that take one each
    let empty = [&[0x80 | 60][..], &[0x80; 60]].concat();
    for (count, element, reason) in [(30_000, &one[..], "takes"), (3_000, &empty, "segments")] {
        let config = server_config();
        let mut pair = Pair::new(
            Client::new(client_config(), &InitReq::default(), Instant::ORIGIN).expect("small"),
            server::Connection::new(config, Instant::ORIGIN),
            usize::MAX,
        );
        let now = pair.now;
        // name "n", no token, the types, any server, not persisted
        pair.b.feed(&many(message::INIT_REQ, b"\x81n\x80", count, element, b"\x80\x00"), now);
        assert!(pair.b.incoming.is_empty());
        let answer = String::from_utf8_lossy(&pair.b.take_tx()).into_owned();
        assert!(answer.contains(reason) && answer.contains("the limit is "), "{answer}");
    }
}
