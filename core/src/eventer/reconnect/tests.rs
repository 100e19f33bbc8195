//! Catching up, against a model of a server.

use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{CatchUp, CatchUpConfig};
use crate::eventer::{Event, EventId, QueryParams, QueryResult, Subscription, Timestamp};

const NONE: [i64; 0] = [];

fn event(server: i64, session: i64, name: &str) -> Event {
    Event {
        id: EventId::new(server, session, 1),
        event_type: name.parse().expect("any text is a type"),
        timestamp: Timestamp::from_secs(session),
        source_timestamp: None,
        payload: None,
    }
}

fn all_of(name: &str) -> Subscription {
    Subscription::new([&name.parse().expect("any text is a type")]).expect("a query type")
}

fn catch_up(config: CatchUpConfig, seen: &[EventId]) -> CatchUp<()> {
    CatchUp::new(config, all_of("*"), false, seen.iter().copied())
}

fn asked_after(catch_up: &CatchUp<()>) -> Option<EventId> {
    match catch_up.query()? {
        QueryParams::Server(params) => params.last_event_id,
        other => panic!("{other:?}"),
    }
}

fn answer(sessions: impl IntoIterator<Item = i64>, more_follows: bool) -> QueryResult {
    let events = sessions.into_iter().map(|session| event(1, session, "a")).collect();
    QueryResult { events, more_follows }
}

fn sessions(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.id.session).collect()
}

fn released(catch_up: &mut CatchUp<()>) -> Vec<i64> {
    let mut all = Vec::new();
    while let Some((events, ())) = catch_up.release() {
        all.extend(sessions(&events));
    }
    all
}

#[test]
fn at_first_there_is_nothing_to_ask() {
    let mut catch_up = catch_up(CatchUpConfig::default(), &[]);
    catch_up.connected();
    assert_eq!(catch_up.query(), None);
    let told = vec![event(1, 7, "a")];
    assert_eq!(catch_up.told(told.clone(), ()), Some((told, ())));
}

#[test]
fn the_trace_of_the_documentation() {
    let mut catch_up = catch_up(CatchUpConfig::default(), &[]);
    catch_up.connected();
    for session in [7, 8, 9] {
        assert!(catch_up.told(vec![event(1, session, "a")], ()).is_some());
    }
    catch_up.connected();
    // before the only event of session 9
    assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 9, 0)));
    for session in [12, 13, 14] {
        assert_eq!(catch_up.told(vec![event(1, session, "a")], ()), None, "held");
    }
    assert_eq!(catch_up.release(), None, "not before the answer");
    assert_eq!(sessions(&catch_up.answered(answer(9..=11, true))), [10, 11]);
    assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 11, 1)));
    assert_eq!(sessions(&catch_up.answered(answer(12..=13, false))), [12, 13]);
    assert_eq!(catch_up.query(), None);
    assert!(catch_up.is_complete());
    assert_eq!(released(&mut catch_up), [14]);
    // from here on as before
    assert!(catch_up.told(vec![event(1, 15, "a")], ()).is_some());
    catch_up.connected();
    assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 15, 0)));
}

#[test]
fn an_answer_may_overtake_what_was_told() {
    let mut catch_up = catch_up(CatchUpConfig::default(), &[EventId::new(1, 1, 1)]);
    catch_up.connected();
    assert_eq!(sessions(&catch_up.answered(answer(1..=3, false))), [2, 3]);
    assert_eq!(released(&mut catch_up), NONE);
    // the server told 3 before it answered, or a moment later
    let (events, ()) = catch_up.told(vec![event(1, 3, "a")], ()).expect("not held");
    assert_eq!(sessions(&events), NONE);
    let (events, ()) = catch_up.told(vec![event(1, 4, "a")], ()).expect("not held");
    assert_eq!(sessions(&events), [4]);
}

#[test]
fn what_nobody_subscribed_to_is_left_out_and_not_asked_for_again() {
    let mut catch_up =
        CatchUp::new(CatchUpConfig::default(), all_of("a"), false, [EventId::new(1, 1, 1)]);
    catch_up.connected();
    let events = vec![event(1, 1, "a"), event(1, 2, "a"), event(1, 3, "b")];
    let new = catch_up.answered(QueryResult { events, more_follows: false });
    assert_eq!(sessions(&new), [2]);
    assert!(catch_up.told(vec![], ()).is_some());
    catch_up.connected();
    assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 3, 0)));
}

#[test]
fn a_server_that_forgot_or_started_over_is_told() {
    let seen = [EventId::new(1, 500, 1)];
    // it keeps less
    let mut forgot = catch_up(CatchUpConfig::default(), &seen);
    forgot.connected();
    assert_eq!(sessions(&forgot.answered(answer(700..=701, false))), [700, 701]);
    assert!(!forgot.is_complete());
    // it counts from 1 again
    let mut anew = catch_up(CatchUpConfig::default(), &seen);
    anew.connected();
    assert_eq!(sessions(&anew.answered(answer([], false))), NONE);
    assert!(!anew.is_complete());
    assert!(anew.told(vec![event(1, 2, "a")], ()).is_some());
    anew.connected();
    assert_eq!(asked_after(&anew), Some(EventId::new(1, 2, 0)), "the last, not the greatest");
    assert_eq!(sessions(&anew.answered(answer(2..=3, false))), [3]);
    assert!(anew.is_complete());
}

#[test]
fn from_before_the_first_event_there_is_none_to_find_again() {
    let mut catch_up = catch_up(CatchUpConfig::default(), &[EventId::new(1, 0, 0)]);
    catch_up.connected();
    assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 0, 0)));
    assert_eq!(sessions(&catch_up.answered(answer(1..=2, false))), [1, 2]);
    assert!(catch_up.is_complete());
}

#[test]
fn answers_that_do_not_go_on_end() {
    // as the deployed memory backend, which gives the last event again and again
    let mut catch_up = catch_up(CatchUpConfig::default(), &[EventId::new(1, 5, 1)]);
    catch_up.connected();
    assert_eq!(sessions(&catch_up.answered(answer([5], true))), NONE);
    assert_eq!(sessions(&catch_up.answered(answer([5], true))), NONE);
    assert_eq!(catch_up.query(), None);
    assert!(!catch_up.is_complete());
}

#[test]
fn an_outage_while_catching_up_loses_nothing() {
    let mut catch_up = catch_up(CatchUpConfig::default(), &[EventId::new(1, 1, 1)]);
    catch_up.connected();
    assert_eq!(catch_up.told(vec![event(1, 4, "a")], ()), None);
    assert_eq!(sessions(&catch_up.answered(answer(1..=2, true))), [2]);
    catch_up.connected();
    assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 2, 0)));
    assert_eq!(sessions(&catch_up.answered(answer(2..=5, false))), [3, 4, 5]);
    assert_eq!(released(&mut catch_up), NONE);
}

#[test]
fn limits() {
    // held events
    let config = CatchUpConfig { max_held: 1000, ..CatchUpConfig::default() };
    let mut full = catch_up(config, &[EventId::new(1, 1, 1)]);
    full.connected();
    let mut held = 0;
    while full.query().is_some() {
        held += 1;
        assert_eq!(full.told(vec![event(1, 1 + held, "a")], ()), None);
        assert!(held < 100, "held without end");
    }
    assert!(!full.is_complete());
    assert_eq!(released(&mut full).len() as i64, held, "what was told is not lost");
    // servers
    let config = CatchUpConfig { max_servers: 1, ..CatchUpConfig::default() };
    let mut many = catch_up(config, &[]);
    many.told(vec![event(1, 1, "a"), event(2, 1, "a")], ());
    many.connected();
    assert_eq!(asked_after(&many), Some(EventId::new(1, 1, 0)));
    many.answered(answer([1], false));
    assert_eq!(many.query(), None);
    assert!(!many.is_complete(), "the second server is not asked");
}
