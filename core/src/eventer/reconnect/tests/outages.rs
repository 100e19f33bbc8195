//! Whole outages, at servers that differ: in what they have stored, in their clocks, and in how
//! large their events are.

use alloc::vec;
use alloc::vec::Vec;

use super::servers::Servers;
use super::{
    CatchUp, CatchUpConfig, Event, EventId, Gap, Interest, Position, QueryResult, Subscription,
    Timestamp, event,
};

fn id(server: i64, session: i64) -> EventId {
    EventId::new(server, session, 1)
}

/// An event of a server whose clock shows `second`.
fn event_at(server: i64, session: i64, second: i64, name: &str) -> Event {
    Event { timestamp: Timestamp::from_secs(second), ..event(server, session, name) }
}

fn client(types: &str, server_id: Option<i64>, persisted: bool) -> CatchUp<()> {
    client_that_saw(types, server_id, persisted, &[])
}

fn client_that_saw(
    types: &str,
    server_id: Option<i64>,
    persisted: bool,
    seen: &[&Event],
) -> CatchUp<()> {
    let subscription = Subscription::new([types]).expect("a query type");
    let wanted = Interest { subscription, server_id, persisted };
    CatchUp::new(CatchUpConfig::default(), wanted, seen.iter().map(|&event| event.into()))
}

#[track_caller]
fn told(catch_up: &mut CatchUp<()>, event: Event) {
    let (events, ()) = catch_up.told(vec![event.clone()], ()).expect("not held");
    assert_eq!(events, [event]);
}

fn positions(catch_up: &CatchUp<()>) -> Vec<EventId> {
    catch_up.positions().map(|position| position.id).collect()
}

// What a client cannot take.

#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn an_event_that_no_answer_can_bring_is_left_out_whatever_is_asked_before_it() {
    // the answers to the search for other servers come, as they have what is subscribed to only
    let events = [
        vec![event(1, 1, "a"), event(1, 2, "a"), event(1, 3, "huge"), event(1, 4, "a")],
        // and some are taken before it, however often
        (1..=100).map(|it| event(1, it, if it == 70 { "huge" } else { "a" })).collect(),
    ];
    for events in events {
        for weight in [5000, 5001] {
            let mut catch_up = client_that_saw("a", None, false, &[&events[0]]);
            let heavy = Some(("huge", weight));
            let servers = Servers { events: events.clone(), heavy, ..Servers::default() };
            let outcome = servers.catch_up(&mut catch_up);
            assert_eq!(outcome.gap, Some(Gap::TooLarge));
            let before =
                events.iter().position(|event| event.event_type == "huge".parse().unwrap());
            assert_eq!(outcome.given.len(), before.expect("one is") - 1);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn many_large_events_of_each_server_come_all() {
    for weight in [10, 13] {
        let mut events = vec![event(1, 1, "large"), event(2, 1, "large")];
        for session in 2..=500 {
            events.extend([event(1, session, "large"), event(2, session, "large")]);
        }
        let mut catch_up = client_that_saw("*", None, false, &[&events[0], &events[1]]);
        let heavy = Some(("large", weight));
        let outcome = Servers { events, heavy, ..Servers::default() }.catch_up(&mut catch_up);
        assert_eq!((outcome.given.len(), outcome.gap), (998, None));
        assert!(outcome.connections < 30, "{} connections", outcome.connections);
    }
}

#[test]
fn an_oldest_event_that_no_answer_can_bring_is_a_gap() {
    for server_id in [None, Some(1)] {
        let events = vec![event(1, 1, "huge"), event(1, 2, "a"), event(1, 3, "a")];
        let mut catch_up = client_that_saw("a", server_id, false, &[&events[1]]);
        let servers = Servers { events, heavy: Some(("huge", 5000)), ..Servers::default() };
        let outcome = servers.catch_up(&mut catch_up);
        assert_eq!((outcome.given, outcome.gap), (vec![id(1, 3)], Some(Gap::TooLarge)));
    }
}

#[test]
fn a_position_that_no_answer_can_bring_is_looked_for_no_more() {
    let mut servers = Servers {
        events: vec![event(1, 1, "huge"), event(1, 2, "huge")],
        heavy: Some(("huge", 5000)),
        ..Servers::default()
    };
    // without series, with them
    for left_series in [vec![id(1, 1), id(1, 2)], vec![]] {
        servers.left_series = left_series.into_iter().collect();
        let mut catch_up = client("*", None, false);
        servers.find_position(&mut catch_up);
        assert!(catch_up.needs_position());
        let outcome = servers.catch_up(&mut catch_up);
        assert_eq!((outcome.given, outcome.gap), (vec![], Some(Gap::TooLarge)));
    }
}

// What is stored later than it is registered.

#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn what_is_not_stored_yet_is_not_lost() {
    // of a long history only the last events are not stored
    for server_id in [None, Some(1)] {
        for unstored in [0, 1, 100, 5000, 20_000] {
            let events: Vec<_> = (1..=20_000).map(|session| event(1, session, "a")).collect();
            let mut servers = Servers { events, ..Servers::default() };
            servers.unstored = (20_001 - unstored..=20_000).map(|session| id(1, session)).collect();
            let mut catch_up = client("a", server_id, true);
            servers.find_position(&mut catch_up);
            let stored = 20_000 - unstored;
            let stored: Vec<_> = (stored > 0).then_some(id(1, stored)).into_iter().collect();
            assert_eq!(positions(&catch_up), stored, "what is stored is the position");
            let outcome = servers.catch_up(&mut catch_up);
            assert_eq!((outcome.given, outcome.gap), (vec![], None));
            assert!(outcome.questions < 20, "{} questions", outcome.questions);
            // stored during an outage, all of it is new
            servers.unstored.clear();
            let outcome = servers.catch_up(&mut catch_up);
            assert_eq!((outcome.given.len() as i64, outcome.gap), (unstored, None));
        }
    }
}

#[test]
fn a_server_whose_first_events_are_not_stored_yet_is_waited_for() {
    let first = event(1, 1, "a");
    let mut servers = Servers { events: vec![first.clone()], ..Servers::default() };
    let mut catch_up = client_that_saw("a", None, true, &[&first]);
    // of the other server nothing was known; its first event is found before it is stored
    servers.events.extend([event(2, 7, "a"), event(2, 8, "a")]);
    servers.unstored = [id(2, 7), id(2, 8)].into();
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![], Some(Gap::NewServer { server: 2 })));
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![], None));
    servers.unstored.clear();
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![id(2, 7), id(2, 8)], None));
    // or it never is: it was lost, and another event has its id
    let mut catch_up = client_that_saw("a", None, true, &[&first]);
    servers.unstored = [id(2, 7), id(2, 8)].into();
    servers.catch_up(&mut catch_up);
    servers.events.truncate(1);
    servers.unstored.clear();
    servers.events.extend([event_at(2, 6, 9, "a"), event_at(2, 7, 10, "a")]);
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!(outcome.given, [id(2, 6), id(2, 7)]);
    assert!(matches!(outcome.gap, Some(Gap::Lost { .. })), "{:?}", outcome.gap);
}

#[test]
fn after_nothing_a_server_whose_events_are_not_stored_yet_is_waited_for() {
    let mut catch_up = client("a", None, true).from_nothing();
    let mut servers = Servers { events: vec![event(1, 1, "a")], ..Servers::default() };
    servers.unstored = [id(1, 1)].into();
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![], None));
    servers.unstored.clear();
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![id(1, 1)], None));
}

// Servers that were not known.

#[test]
fn the_first_event_of_a_server_is_handed_on_once_also_where_its_server_was_not_asked() {
    let known = event(1, 1, "a");
    let mut servers = Servers { events: vec![known.clone()], ..Servers::default() };
    let mut catch_up = client_that_saw("a", None, false, &[&known]);
    catch_up.connected();
    let found = event(5, 3, "a");
    servers.events.push(found.clone());
    assert_eq!(catch_up.told(vec![found.clone()], ()), None, "held");
    assert_eq!(
        catch_up.answered(QueryResult { events: vec![known, found.clone()], more_follows: false }),
        []
    );
    // no answer any more, in time
    catch_up.give_up();
    assert_eq!(catch_up.finish(), Some(Gap::NewServer { server: 5 }));
    let (events, ()) = catch_up.release().expect("what was held");
    assert_eq!(events, [found]);
    assert_eq!(catch_up.release(), None);
    assert_eq!(positions(&catch_up), [id(1, 1), id(5, 3)]);
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![], None));
}

#[test]
fn a_server_that_is_one_too_many_is_told() {
    for from_nothing in [false, true] {
        let events = vec![event(1, 1, "a"), event(1, 2, "a"), event(2, 1, "a"), event(2, 2, "a")];
        let config = CatchUpConfig { max_servers: 1, ..CatchUpConfig::default() };
        let subscription = Subscription::new(["a"]).expect("a query type");
        let wanted = Interest { subscription, server_id: None, persisted: false };
        let seen = (!from_nothing).then(|| Position::from(&events[0]));
        let mut catch_up = CatchUp::new(config, wanted, seen);
        if from_nothing {
            catch_up = catch_up.from_nothing();
        }
        let outcome = Servers { events, ..Servers::default() }.catch_up(&mut catch_up);
        assert!(outcome.given.iter().all(|id| id.server == 1), "{outcome:?}");
        assert!(outcome.gap.is_some(), "the second server was not asked");
    }
}

#[test]
fn a_server_whose_clock_is_behind_is_found_all_the_same() {
    // the clock of the first is 3 s ahead; it dies, and the second takes over
    let first = event_at(1, 9, 100_000, "a");
    let mut servers =
        Servers { events: vec![event_at(1, 8, 50_000, "a"), first.clone()], ..Servers::default() };
    let mut catch_up = client_that_saw("a", None, false, &[&first]);
    servers.events.extend([event_at(2, 1, 99_998, "a"), event_at(2, 2, 99_999, "a")]);
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!(outcome.given, [id(2, 1), id(2, 2)]);
}

#[test]
fn a_server_whose_clock_is_too_far_behind_is_a_gap() {
    // that of the first is years ahead, for one event or for all of them
    for ahead in [event_at(1, 9, 900_000, "a"), event_at(1, 9, i64::MAX, "a")] {
        let events = vec![event_at(1, 8, 50_000, "a"), ahead.clone()];
        let mut servers = Servers { events, ..Servers::default() };
        let mut catch_up = client_that_saw("a", None, false, &[&ahead]);
        servers.events.extend([event_at(2, 1, 100_000, "a"), event_at(2, 2, 100_001, "a")]);
        let outcome = servers.catch_up(&mut catch_up);
        assert_eq!((outcome.given, outcome.gap), (vec![], None), "nobody knows yet");
        // the first event that is told shows it
        told(&mut catch_up, event_at(2, 3, 100_002, "a"));
        servers.events.push(event_at(2, 3, 100_002, "a"));
        // and it is looked for others by a clock that is right
        servers.events.push(event_at(3, 1, 100_003, "a"));
        let outcome = servers.catch_up(&mut catch_up);
        let gap = Some(Gap::NewServer { server: 2 });
        assert_eq!((outcome.given, outcome.gap), (vec![id(3, 1)], gap));
    }
}

#[test]
fn what_was_before_the_position_is_not_new_because_it_is_looked_for_others() {
    // the second server registered something right before
    let events = vec![
        event_at(3, 1, 10, "b"),
        event_at(2, 4, 99_980, "a"),
        event_at(2, 5, 99_990, "b"),
        event_at(1, 7, 100_000, "b"),
    ];
    let mut servers = Servers { events, ..Servers::default() };
    let mut catch_up = client("a", None, false);
    servers.find_position(&mut catch_up);
    assert!(!catch_up.needs_position());
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![], None));
    servers.events.push(event_at(2, 6, 100_010, "a"));
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![id(2, 6)], None));
}

#[test]
fn a_position_that_was_found_in_part_is_none() {
    let events = vec![event_at(2, 5, 99_990, "a"), event_at(1, 7, 100_000, "a")];
    let servers = Servers { events, ..Servers::default() };
    let mut catch_up = client("a", None, false);
    catch_up.position();
    let newest = servers.events[1..].to_vec();
    catch_up.answered(QueryResult { events: newest, more_follows: true });
    catch_up.failed(None);
    assert!(catch_up.needs_position(), "the connection ended before all servers were known");
    servers.find_position(&mut catch_up);
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![], None));
}

// What servers keep.

/// As `hat serve` numbers sessions: by its clock.
fn at(second: i64, name: &str) -> Event {
    event_at(1, second * 1_000_000, second, name)
}

#[test]
fn a_history_that_began_a_moment_ago_is_whole() {
    let mut servers =
        Servers { events: vec![at(1000, "started"), at(1001, "a")], ..Servers::default() };
    let seen = servers.events[1].clone();
    // the position is of an earlier run, or is found here
    let mut found = client("*", None, false);
    servers.find_position(&mut found);
    for mut catch_up in [client_that_saw("*", None, false, &[&seen]), found] {
        let outcome = servers.catch_up(&mut catch_up);
        assert_eq!((outcome.given, outcome.gap), (vec![], None));
    }
    // and where there was nothing at all
    servers.events.clear();
    let mut catch_up = client("*", None, false);
    servers.find_position(&mut catch_up);
    told(&mut catch_up, at(1000, "started"));
    servers.events = vec![at(1000, "started"), at(1001, "a")];
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![servers.events[1].id], None));
}

#[test]
fn a_gap_is_of_its_outage() {
    let mut servers =
        Servers { events: vec![at(1000, "started"), at(1001, "a")], ..Servers::default() };
    let mut catch_up = client("*", None, false);
    servers.find_position(&mut catch_up);
    assert_eq!(servers.catch_up(&mut catch_up).gap, None);
    // it kept nothing
    servers.events = vec![at(1010, "started")];
    let lost = servers.catch_up(&mut catch_up);
    assert_eq!(lost.given, [servers.events[0].id]);
    assert!(matches!(lost.gap, Some(Gap::Lost { .. })), "{lost:?}");
    servers.events.push(at(1020, "a"));
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![servers.events[1].id], None));
}

#[test]
fn answers_in_turn_that_lead_nowhere_end() {
    let (one, other) = (at(1000, "a"), at(1000, "b"));
    let other = Event { id: id(2, 1), ..other };
    for seen in [&[][..], &[&at(999, "a")]] {
        let mut catch_up = client_that_saw("*", None, false, seen);
        match seen.is_empty() {
            true => catch_up.position(),
            false => catch_up.connected(),
        }
        let mut questions = 0;
        while catch_up.query().is_some() {
            questions += 1;
            assert!(questions < 100, "it asks for ever");
            let event = if questions % 2 == 0 { &one } else { &other };
            let result = QueryResult { events: vec![event.clone()], more_follows: true };
            catch_up.answered(result);
        }
        assert!(catch_up.finish().is_some(), "it is said");
    }
}

// Of one server among others.

#[test]
#[cfg_attr(miri, ignore = "slow there")]
fn the_position_of_one_server_where_another_registered_last() {
    for persisted in [false, true] {
        let before = vec![event(2, 3, "a"), event(2, 5, "b"), event(1, 6, "a")];
        let mut busy = vec![event_at(2, 1, 1, "a"), event_at(2, 2, 2, "a"), event_at(2, 9, 3, "a")];
        // so many of the first that the second is on no page, and the latest of the type is its own
        busy.extend((1..=9000).map(|session| event_at(1, session, 10 + session, "a")));
        // it has more events than those of the type
        busy.extend((10..=60).map(|session| event_at(2, session, 3, "b")));
        let mut with_latest = busy.clone();
        with_latest.insert(2, event_at(2, 3, 2, "a/c"));
        for (events, last, types) in [(before, 5, "a"), (busy, 60, "a"), (with_latest, 60, "a/*")] {
            let mut servers = Servers { events, ..Servers::default() };
            let mut catch_up = client(types, Some(2), persisted);
            servers.find_position(&mut catch_up);
            assert_eq!(positions(&catch_up), [id(2, last)]);
            let outcome = servers.catch_up(&mut catch_up);
            assert_eq!((outcome.given, outcome.gap), (vec![], None));
            servers.events.push(event_at(2, last + 1, 20_000, "a"));
            let outcome = servers.catch_up(&mut catch_up);
            assert_eq!((outcome.given, outcome.gap), (vec![id(2, last + 1)], None));
        }
    }
}

#[test]
fn the_position_of_one_server_that_has_nothing() {
    let mut servers = Servers { events: vec![event(1, 1, "a")], ..Servers::default() };
    let mut catch_up = client("a", Some(2), false);
    servers.find_position(&mut catch_up);
    assert!(!catch_up.needs_position(), "it is before its first event");
    servers.events.extend([event_at(2, 1, 2, "a"), event_at(2, 2, 3, "a")]);
    let outcome = servers.catch_up(&mut catch_up);
    assert_eq!((outcome.given, outcome.gap), (vec![id(2, 1), id(2, 2)], None));
}
