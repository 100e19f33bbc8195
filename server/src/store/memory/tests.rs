use hat_core::eventer::{
    LatestParams, Order, OrderBy, Payload, QueryParams, QueryResult, ServerParams, Subscription,
    TimeseriesParams,
};
use hat_core::sbs::Encode;

use super::*;
use crate::store::QueryError;

fn typed(text: &str) -> EventType {
    text.parse().unwrap_or_else(|never| match never {})
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
}

/// Events of these types, without source timestamps.
fn events(types: &str) -> Vec<RegisterEvent> {
    types.split_whitespace().map(|text| RegisterEvent::new(typed(text))).collect()
}

fn sourced(text: &str, source: i64) -> RegisterEvent {
    RegisterEvent { source_timestamp: Some(at(source)), ..RegisterEvent::new(typed(text)) }
}

/// Session 1 at 10 s: `a b`. Session 2 at 20 s: `a c/1`. Session 3 at 30 s: `c/2 a`.
fn three_sessions() -> Store {
    let mut store = Store::new(Config::new(7));
    store.register(events("a b"), at(10));
    store.register(events("a c/1"), at(20));
    store.register(events("c/2 a"), at(30));
    store
}

/// The answer as `session.instance`, and `…` where more follows.
#[track_caller]
fn answer(store: &Store, params: impl Into<QueryParams>) -> String {
    let QueryResult { events, more_follows } = store.query(&params.into()).expect("a valid query");
    let mut shown: Vec<_> =
        events.iter().map(|event| format!("{}.{}", event.id.session, event.id.instance)).collect();
    shown.extend(more_follows.then(|| "…".to_owned()));
    shown.join(" ")
}

fn asked(types: &str) -> Option<Vec<EventType>> {
    Some(types.split_whitespace().map(typed).collect())
}

fn ascending() -> TimeseriesParams {
    TimeseriesParams { order: Order::Ascending, ..TimeseriesParams::default() }
}

fn server() -> ServerParams {
    ServerParams { server_id: 7, ..ServerParams::default() }
}

#[test]
fn a_registration_is_a_session() {
    let mut store = Store::new(Config::new(7));
    let mut event = sourced("a", 5);
    event.payload = Some(Payload::binary("t", &b"x"[..]));
    let registered = store.register(vec![event.clone(), event.clone()], at(10));

    assert_eq!(registered[0].id, EventId::new(7, 1, 1));
    assert_eq!(registered[1].id, EventId::new(7, 1, 2));
    assert!(registered.iter().all(|one| one.timestamp == at(10)));
    assert!(registered.iter().all(|one| one.source_timestamp == Some(at(5))));
    assert!(registered.iter().all(|one| one.payload == event.payload));

    assert!(store.register(Vec::new(), at(11)).is_empty());
    assert_eq!(store.register(events("b"), at(12))[0].id, EventId::new(7, 2, 1));
}

#[test]
fn the_latest_of_each_type() {
    let store = three_sessions();
    assert_eq!(answer(&store, LatestParams::default()), "3.2 1.2 2.2 3.1");
    assert_eq!(answer(&store, LatestParams { event_types: asked("a nothing") }), "3.2");
    assert_eq!(answer(&store, LatestParams { event_types: asked("c/*") }), "2.2 3.1");
    assert_eq!(answer(&store, LatestParams { event_types: asked("") }), "");
}

#[test]
fn the_newest_come_first_unless_told_otherwise() {
    let store = three_sessions();
    assert_eq!(answer(&store, TimeseriesParams::default()), "3.2 3.1 2.2 2.1 1.2 1.1");
    assert_eq!(answer(&store, ascending()), "1.1 1.2 2.1 2.2 3.1 3.2");
}

#[test]
fn limits_in_time_are_inclusive() {
    let store = three_sessions();
    let between =
        |from, to| TimeseriesParams { t_from: Some(at(from)), t_to: Some(at(to)), ..ascending() };
    assert_eq!(answer(&store, between(10, 20)), "1.1 1.2 2.1 2.2");
    assert_eq!(answer(&store, between(11, 29)), "2.1 2.2");
    assert_eq!(answer(&store, between(30, 10)), "");
}

#[test]
fn some_types_in_the_order_of_time() {
    let store = three_sessions();
    let of = |types| TimeseriesParams { event_types: asked(types), ..ascending() };
    assert_eq!(answer(&store, of("a b")), "1.1 1.2 2.1 3.2");
    assert_eq!(answer(&store, of("c/? b")), "1.2 2.2 3.1");
    assert_eq!(answer(&store, of("")), "");
    let newest = TimeseriesParams { order: Order::Descending, ..of("c/? b") };
    assert_eq!(answer(&store, newest), "3.1 2.2 1.2");
}

#[test]
fn page_by_page() {
    let store = three_sessions();
    for (order, pages) in [
        (Order::Ascending, ["1.1 1.2 …", "2.1 3.2", ""]),
        (Order::Descending, ["3.2 2.1 …", "1.2 1.1", ""]),
    ] {
        let mut params = TimeseriesParams {
            event_types: asked("a b"),
            order,
            max_results: Some(2),
            ..TimeseriesParams::default()
        };
        for page in pages {
            assert_eq!(answer(&store, params.clone()), page);
            let result = store.query(&params.clone().into()).expect("a valid query");
            params.last_event_id = result.events.last().map(|event| event.id);
        }
    }
}

#[test]
fn a_page_after_an_event_that_is_not_there_is_empty() {
    let store = three_sessions();
    let after = |id| TimeseriesParams { last_event_id: Some(id), ..ascending() };
    assert_eq!(answer(&store, after(EventId::new(7, 9, 1))), "");
    let outside = TimeseriesParams { t_from: Some(at(15)), ..after(EventId::new(7, 1, 1)) };
    assert_eq!(answer(&store, outside), "");
    let without_source =
        TimeseriesParams { order_by: OrderBy::SourceTimestamp, ..after(EventId::new(7, 1, 1)) };
    assert_eq!(answer(&store, without_source), "");
    assert_eq!(answer(&store, after(EventId::new(7, 3, 2))), "", "the last one");
}

#[test]
fn the_order_of_the_source() {
    let mut store = Store::new(Config::new(7));
    store.register(vec![sourced("a", 3), sourced("a", 1), sourced("b", 2)], at(10));
    store.register(events("a"), at(20));
    let by_source = TimeseriesParams { order_by: OrderBy::SourceTimestamp, ..ascending() };
    assert_eq!(answer(&store, by_source.clone()), "1.2 1.3 1.1");
    let from_two = TimeseriesParams { source_t_from: Some(at(2)), ..by_source.clone() };
    assert_eq!(answer(&store, from_two), "1.3 1.1");
    let after =
        TimeseriesParams { last_event_id: Some(EventId::new(7, 1, 3)), ..by_source.clone() };
    assert_eq!(answer(&store, after), "1.1");
    let registered_later = TimeseriesParams { t_from: Some(at(11)), ..by_source };
    assert_eq!(answer(&store, registered_later), "");
}

#[test]
fn limits_of_the_source_leave_out_events_without_one() {
    let mut store = Store::new(Config::new(7));
    store.register(vec![sourced("a", 5), RegisterEvent::new(typed("a"))], at(10));
    let from = TimeseriesParams { source_t_from: Some(Timestamp::MIN), ..ascending() };
    let to = TimeseriesParams { source_t_to: Some(Timestamp::MAX), ..ascending() };
    assert_eq!(answer(&store, from), "1.1");
    assert_eq!(answer(&store, to), "1.1");
    assert_eq!(answer(&store, ascending()), "1.1 1.2");
}

#[test]
fn the_store_has_a_limit_of_its_own() {
    let mut store = Store::new(Config { max_results: 3, ..Config::new(7) });
    store.register(events("a a a a"), at(10));
    let most = |max_results| TimeseriesParams { max_results, ..ascending() };
    assert_eq!(answer(&store, most(None)), "1.1 1.2 1.3 …");
    assert_eq!(answer(&store, most(Some(100))), "1.1 1.2 1.3 …");
    assert_eq!(answer(&store, most(Some(1))), "1.1 …");
    assert_eq!(answer(&store, most(Some(0))), "…");
    assert_eq!(answer(&store, most(Some(-1))), "…");
    assert_eq!(answer(&store, server()), "1.1 1.2 1.3 …");
    let all = LatestParams::default();
    assert_eq!(answer(&store, all), "1.4");
}

/// 4 200 events of 20 KB: an answer ends at the limit of bytes, whichever query asks, and its pages
/// are all there is.
#[test]
fn an_answer_is_cut_by_bytes() {
    let mut store = Store::new(Config::new(7));
    let payload = Payload::binary("t", vec![7; 20_000]);
    let large = RegisterEvent { payload: Some(payload), ..RegisterEvent::new(typed("a")) };
    store.register(vec![large.clone(); 4_200], at(10));
    let len = store.series.front().map_or(0, |id| store.events[id].encoded_len());
    let fits = (16 << 20) / len;

    let mut last_event_id = None;
    for page in 0..=4_200 / fits {
        let left = 4_200 - page * fits;
        let asked = [
            TimeseriesParams { last_event_id, ..ascending() }.into(),
            TimeseriesParams { event_types: asked("?"), last_event_id, ..ascending() }.into(),
            ServerParams { last_event_id, ..server() }.into(),
        ];
        for params in asked {
            let result: QueryResult = store.query(&params).expect("a valid query");
            assert_eq!(result.events.len(), left.min(fits));
            assert_eq!(result.more_follows, left > fits);
            let ids = result.events.iter().map(|event| event.id.instance as usize);
            assert!(ids.eq(page * fits + 1..=page * fits + left.min(fits)));
        }
        last_event_id = Some(EventId::new(7, 1, ((page + 1) * fits) as i64));
    }
}

/// Or nobody could ever go on after it.
#[test]
fn one_event_is_answered_whatever_its_size() {
    let mut store = Store::new(Config { max_answer: 10, ..Config::new(7) });
    store.register(events("a a"), at(10));
    assert_eq!(answer(&store, ascending()), "1.1 …");
    let after = |id| TimeseriesParams { last_event_id: Some(id), ..ascending() };
    assert_eq!(answer(&store, after(EventId::new(7, 1, 1))), "1.2");
}

#[test]
fn what_a_server_registered() {
    let store = three_sessions();
    assert_eq!(answer(&store, server()), "1.1 1.2 2.1 2.2 3.1 3.2");
    assert_eq!(answer(&store, ServerParams { persisted: true, ..server() }).len(), 23);
    let after = |last| ServerParams { last_event_id: Some(last), ..server() };
    assert_eq!(answer(&store, after(EventId::new(7, 2, 1))), "2.2 3.1 3.2");
    assert_eq!(answer(&store, after(EventId::new(7, 1, 99))), "2.1 2.2 3.1 3.2");
    assert_eq!(answer(&store, after(EventId::new(7, i64::MAX, i64::MAX))), "");
    assert_eq!(answer(&store, ServerParams { server_id: 8, ..server() }), "");
}

#[test]
fn queries_without_an_answer() {
    let store = three_sessions();
    let other = ServerParams { last_event_id: Some(EventId::new(8, 1, 1)), ..server() };
    let error = store.query(&other.into()).expect_err("another server's event");
    assert!(matches!(error, QueryError::OtherServer { server_id: 7, last: 8 }));
    let invalid = LatestParams { event_types: asked("*/a") };
    assert!(matches!(store.query(&invalid.into()), Err(QueryError::EventTypes(_))));
}

#[test]
fn the_oldest_go_but_the_latest_of_each_type_stays() {
    let mut store = Store::new(Config { max_events: 3, ..Config::new(7) });
    store.register(events("rare a a"), at(10));
    store.register(events("a a"), at(20));
    assert_eq!(answer(&store, ascending()), "1.3 2.1 2.2");
    assert_eq!(answer(&store, LatestParams::default()), "2.2 1.1");
    assert_eq!(answer(&store, server()), "1.1 1.3 2.1 2.2", "what is kept at all");
    assert_eq!(store.kept(), 4);

    store.register(events("rare"), at(30));
    assert_eq!(answer(&store, LatestParams { event_types: asked("rare") }), "3.1");
    assert_eq!(answer(&store, server()), "2.1 2.2 3.1");
}

#[test]
fn only_the_latest_where_the_series_is_empty() {
    let mut store = Store::new(Config { max_events: 0, ..Config::new(7) });
    store.register(events("a b a"), at(10));
    assert_eq!(answer(&store, ascending()), "");
    assert_eq!(answer(&store, LatestParams::default()), "1.3 1.2");
    assert_eq!(store.kept(), 2);
}

#[test]
fn types_without_end_are_forgotten() {
    let mut store = Store::new(Config { max_events: 2, max_types: 3, ..Config::new(7) });
    for index in 0..100 {
        store.register(events(&format!("a/{index}")), at(index));
    }
    assert_eq!(answer(&store, LatestParams::default()), "98.1 99.1 100.1");
    assert_eq!((store.kept(), store.types.len()), (3, 3));
}

/// A session of a hundred times as many events as are kept: what is over is forgotten while more
/// is added.
#[test]
fn a_large_session_takes_no_more_than_what_is_kept() {
    let mut store = Store::new(Config { max_events: 500, max_types: 500, ..Config::new(7) });
    let events = (0..100_000).map(|n| RegisterEvent::new(typed(&format!("type/{n}"))));
    let numbered = |(instance, event): (i64, RegisterEvent)| Event {
        id: EventId::new(7, 1, instance),
        event_type: event.event_type,
        timestamp: at(10),
        source_timestamp: None,
        payload: None,
    };
    let session = Session::new((1..).zip(events).map(numbered).collect()).expect("a session");
    let taken = allocation_counter::measure(|| store.apply(&session));
    assert_eq!((store.kept(), store.types()), (500, 500));
    assert!(taken.bytes_max < 2_000_000, "{} bytes", taken.bytes_max);
}

#[test]
fn a_clock_that_is_set_back() {
    let mut store = Store::new(Config::new(7));
    store.register(events("a"), at(20));
    store.register(events("a"), at(10));
    assert_eq!(answer(&store, ascending()), "2.1 1.1");
    assert_eq!(answer(&store, LatestParams::default()), "2.1", "by session, as on any server");
    assert_eq!(answer(&store, server()), "1.1 2.1");
}

/// Of servers whose clocks do not agree: which of two events follows the other is no order then.
#[test]
fn latest_events_of_many_servers_are_loaded() {
    let numbered = |n: i64| {
        let (server, session) = (1 + n % 3, 1 + n / 3);
        let timestamp = at(if server == 2 { 1_000 - n } else { n % 7 });
        let event_type = typed(&format!("t/{n}"));
        let id = EventId::new(server, session, 1);
        Event { id, event_type, timestamp, source_timestamp: None, payload: None }
    };
    let events: Vec<_> = (0..300).map(numbered).collect();
    let mut store = Store::new(Config { max_events: 0, max_types: 200, ..Config::new(1) });
    store.load(events.clone());
    assert_eq!((store.kept(), store.types(), store.registered()), (200, 200, 0));
    // those that are the youngest by their timestamps
    let kept = |event: &&Event| store.latest_of(&event.event_type).is_some();
    let oldest_kept = events.iter().filter(kept).map(|event| event.timestamp).min();
    let youngest_gone = events.iter().filter(|event| !kept(event)).map(|it| it.timestamp).max();
    assert!(youngest_gone <= oldest_kept);
    assert_eq!(store.last(1).id, EventId::new(1, 100, 1));
    assert_eq!(store.last(2).id, EventId::new(2, 100, 1));

    // what is registered then takes the place of what was loaded
    let next = Event { id: EventId::new(2, 101, 1), timestamp: at(0), ..numbered(298) };
    store.apply(&Session::new(vec![next.clone()]).expect("a session"));
    assert_eq!(store.latest_of(&next.event_type), Some(&next));
}

/// Of more events than are looked at before what is known of types is: patterns that match few of
/// them, in whatever order they are given, and more than once.
#[test]
fn patterns_of_types_find_what_matches_wherever_it_is() {
    let mut store = Store::new(Config::new(7));
    let mut all = Vec::new();
    for number in 0..120 {
        let of = |instance: i64| match (number, instance) {
            (_, 0) if number % 50 == 3 => format!("a/{number}/x"),
            (20 | 70, 1) => "a".to_owned(),
            (_, 1) if number % 50 == 4 => format!("a/b{number}"),
            _ => format!("b/{}", (number * 50 + instance) % 3_000),
        };
        let these = (0..50).map(|instance| RegisterEvent::new(typed(&of(instance)))).collect();
        all.extend(store.register(these, at(number)));
    }
    for types in [
        "a/*",
        "a/?/x",
        "?/?/x",
        "a",
        "a/b4 a/*",
        "a/* a/?/x b/7",
        "a/b*",
        "c/*",
        "b/?",
        "*/x",
        "a/?/x a/b4 a/?",
        "a/*/x",
    ] {
        let types = asked(types);
        // what no query type can be is refused
        let Ok(subscription) = Subscription::new(types.clone().unwrap_or_default()) else {
            continue;
        };
        let matching = |one: &&Event| subscription.matches(&one.event_type);
        for order in [Order::Ascending, Order::Descending] {
            let params = TimeseriesParams {
                event_types: types.clone(),
                order,
                max_results: Some(40),
                ..TimeseriesParams::default()
            };
            let mut expected: Vec<Event> = all.iter().filter(matching).cloned().collect();
            expected.sort_by_key(|event| (event.timestamp, event.id));
            if order == Order::Descending {
                expected.reverse();
            }
            let more_follows = expected.len() > 40;
            expected.truncate(40);
            let found = store.query(&params.into()).expect("a valid query");
            assert_eq!(found, QueryResult { events: expected, more_follows }, "{types:?}");
        }
        let mut latest: BTreeMap<EventType, Event> = BTreeMap::new();
        latest.extend(all.iter().filter(matching).map(|it| (it.event_type.clone(), it.clone())));
        let found = store.query(&LatestParams { event_types: types.clone() }.into());
        let found = found.expect("a valid query").events;
        assert_eq!(found, latest.into_values().collect::<Vec<_>>(), "{types:?}");
    }
}
