//! What the client asks: registrations and queries.

use hat_core::eventer::client::{self, Incoming};
use hat_core::eventer::server::{self, RequestId};
use hat_core::eventer::{
    Event, EventId, LatestParams, Order, OrderBy, QueryParams, QueryResult, RegisterEvent,
    SendFault, ServerParams, TimeseriesParams, Timestamp,
};
use hat_core::protocol::Protocol;
use hat_tests::pair::GRAINS;

use super::{
    Pair, client_config, event, event_type, frame, init, nothing_is_open, ready, ready_of,
    server_config, to_register,
};

#[track_caller]
fn registration(pair: &mut Pair) -> (Vec<RegisterEvent>, Option<RequestId>) {
    match pair.b.take() {
        server::Incoming::Register { events, request, size } => {
            assert_eq!(size, hat_core::sbs::encode(&events).len());
            (events, request)
        }
        other => panic!("not a registration: {other:?}"),
    }
}

#[track_caller]
fn question(pair: &mut Pair) -> (QueryParams, RequestId) {
    match pair.b.take() {
        server::Incoming::Query { params, request } => (params, request),
        other => panic!("not a query: {other:?}"),
    }
}

fn result(instances: &[i64]) -> QueryResult {
    let events = instances.iter().map(|&instance| event(1, instance, "a")).collect();
    QueryResult { events, more_follows: false }
}

#[test]
fn registering_without_an_answer() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        let sent = [to_register("a"), to_register("b/c")];
        pair.a.machine.register(&sent).expect("ready");
        pair.drive();
        let (events, request) = registration(&mut pair);
        assert_eq!((&events[..], request), (&sent[..], None));
        nothing_is_open(&pair);
    }
}

#[track_caller]
fn registers(answer: Option<Vec<Event>>) {
    for grain in GRAINS {
        let mut pair = ready(grain);
        let sent = [to_register("a"), to_register("b")];
        let asked = pair.a.machine.register_with_response(&sent).expect("ready");
        pair.drive();
        assert_eq!((pair.a.machine.open_requests(), pair.b.machine.open_requests()), (1, 1));
        let (events, request) = registration(&mut pair);
        assert_eq!(&events[..], &sent[..]);
        let request = request.expect("an answer is wanted");
        pair.b.machine.register_response(request, answer.as_deref()).expect("ready");
        pair.drive();
        assert_eq!(pair.a.take(), Incoming::Registered { request: asked, events: answer.clone() });
        nothing_is_open(&pair);
    }
}

#[test]
fn registering_with_an_answer() {
    registers(Some(vec![event(1, 1, "a"), event(1, 2, "b")]));
    registers(Some(Vec::new()));
    registers(None);
}

#[test]
fn queries_of_all_kinds() {
    let time = |seconds| Some(Timestamp::from_secs(seconds));
    let queries: [QueryParams; 5] = [
        LatestParams::default().into(),
        LatestParams { event_types: Some(vec![event_type("a/*"), event_type("b")]) }.into(),
        TimeseriesParams::default().into(),
        TimeseriesParams {
            event_types: Some(Vec::new()),
            t_from: time(-1),
            t_to: time(2),
            source_t_from: time(3),
            source_t_to: time(4),
            order: Order::Ascending,
            order_by: OrderBy::SourceTimestamp,
            max_results: Some(1000),
            last_event_id: Some(EventId::new(1, 2, 3)),
        }
        .into(),
        ServerParams { server_id: 9, persisted: true, max_results: Some(0), last_event_id: None }
            .into(),
    ];
    for grain in GRAINS {
        for query in &queries {
            let mut pair = ready(grain);
            let asked = pair.a.machine.query(query).expect("ready");
            pair.drive();
            let (params, request) = question(&mut pair);
            assert_eq!(params, *query);
            let result = QueryResult { more_follows: true, ..result(&[1, 2, 3]) };
            pair.b.machine.query_response(request, &result).expect("ready");
            pair.drive();
            assert_eq!(pair.a.take(), Incoming::Queried { request: asked, result });
            nothing_is_open(&pair);
        }
    }
}

#[test]
fn many_requests_open_at_once_are_answered_in_any_order() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        let ask = |at: i64| match at % 2 {
            0 => pair.a.machine.query(&LatestParams::default().into()).expect("ready"),
            _ => pair.a.machine.register_with_response(&[to_register("a")]).expect("ready"),
        };
        let asked: Vec<client::RequestId> = (0..50).map(ask).collect();
        pair.drive();
        assert_eq!((pair.a.machine.open_requests(), pair.b.machine.open_requests()), (50, 50));
        // the newest request first; each answer names the place of its question
        let requests: Vec<_> = pair.b.incoming.drain(..).enumerate().collect();
        for (at, incoming) in requests.into_iter().rev() {
            let answer = result(&[at as i64]);
            match incoming {
                server::Incoming::Query { request, .. } => {
                    pair.b.machine.query_response(request, &answer).expect("open");
                }
                server::Incoming::Register { request, .. } => {
                    let request = request.expect("an answer is wanted");
                    let events = Some(&answer.events[..]);
                    pair.b.machine.register_response(request, events).expect("open");
                }
                other => panic!("not a request: {other:?}"),
            }
        }
        pair.drive();
        for at in (0..50).rev() {
            let request = asked[at];
            let result = result(&[at as i64]);
            let expected = match at % 2 {
                0 => Incoming::Queried { request, result },
                _ => Incoming::Registered { request, events: Some(result.events) },
            };
            assert_eq!(pair.a.take(), expected);
        }
        nothing_is_open(&pair);
    }
}

#[test]
fn the_answer_of_a_forgotten_request_is_dropped() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        let forgotten = pair.a.machine.query(&LatestParams::default().into()).expect("ready");
        let kept = pair.a.machine.query(&LatestParams::default().into()).expect("ready");
        pair.drive();
        pair.a.machine.forget(forgotten);
        assert_eq!(pair.a.machine.open_requests(), 1);
        for instance in [1, 2] {
            let (_, request) = question(&mut pair);
            pair.b.machine.query_response(request, &result(&[instance])).expect("open");
        }
        pair.drive();
        assert_eq!(pair.a.take(), Incoming::Queried { request: kept, result: result(&[2]) });
        assert!(pair.a.incoming.is_empty());
        pair.a.machine.forget(kept);
        nothing_is_open(&pair);
    }
}

#[test]
fn an_answer_to_no_question_is_ignored() {
    for grain in GRAINS {
        let mut pair = ready(grain);
        let asked = pair.a.machine.query(&LatestParams::default().into()).expect("ready");
        pair.a.take_tx();
        let answer =
            |id, first, owner| frame(id, first, owner, true, "HatEventer.MsgQueryRes", b"\x80\x00");
        // of a conversation that never was, of one that the server itself started, of the
        // initialization
        for frame in [answer(7, 9, false), answer(8, 8, true), answer(9, 1, false)] {
            pair.a.feed(&frame, pair.now);
        }
        assert!(pair.a.incoming.is_empty() && pair.a.error.is_none());
        pair.a.feed(&answer(10, 2, false), pair.now);
        assert_eq!(pair.a.take(), Incoming::Queried { request: asked, result: result(&[]) });
    }
}

#[test]
fn a_request_is_answered_once() {
    let mut pair = ready(usize::MAX);
    pair.a.machine.query(&LatestParams::default().into()).expect("ready");
    pair.drive();
    let (_, request) = question(&mut pair);
    pair.b.machine.query_response(request, &result(&[])).expect("open");
    let over = hat_core::chatter::SendFault::NotOpen;
    assert_eq!(pair.b.machine.query_response(request, &result(&[])), Err(over.into()));
    pair.drive();
    assert_eq!(pair.a.incoming.len(), 1);
}

#[test]
fn the_client_limits_its_own_requests() {
    let config = client::Config { max_requests: 2, ..client_config() };
    let mut pair = ready_of(config, server_config(), &init(&["*"]), usize::MAX);
    let query = LatestParams::default().into();
    let first = pair.a.machine.query(&query).expect("ready");
    pair.a.machine.register_with_response(&[]).expect("ready");
    let fault = SendFault::TooManyRequests { limit: 2 };
    assert_eq!(pair.a.machine.query(&query), Err(fault));
    assert_eq!(pair.a.machine.register_with_response(&[]), Err(fault));
    pair.a.machine.register(&[]).expect("nothing waits for an answer of this one");
    pair.drive();
    let (_, request) = question(&mut pair);
    pair.b.machine.query_response(request, &result(&[])).expect("open");
    pair.drive();
    assert_eq!(pair.a.take(), Incoming::Queried { request: first, result: result(&[]) });
    pair.a.machine.query(&query).expect("one is answered");
    pair.a.machine.close();
}
