//! Catching up, message by message. The contract as a whole is held against simulated servers in
//! `tests/suites/eventer/catching_up`.

mod outages;
mod servers;

use alloc::vec;
use alloc::vec::Vec;

use super::{CatchUp, CatchUpConfig, Gap, Interest, Position};
use crate::eventer::{
    Event, EventId, Order, Payload, QueryParams, QueryResult, Subscription, Timestamp,
};
use crate::sbs;

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

fn at(session: i64) -> Position {
    Position::from(&event(1, session, "a"))
}

/// For events of server 1, of these types.
fn catch_up_with(config: CatchUpConfig, types: &str, seen: &[Position]) -> CatchUp<()> {
    let subscription = Subscription::new([types]).expect("a query type");
    let wanted = Interest { subscription, server_id: Some(1), persisted: false };
    CatchUp::new(config, wanted, seen.iter().copied())
}

fn catch_up(seen: &[Position]) -> CatchUp<()> {
    catch_up_with(CatchUpConfig::default(), "*", seen)
}

fn asked_after(catch_up: &CatchUp<()>) -> Option<EventId> {
    match catch_up.query()? {
        QueryParams::Server(params) => params.last_event_id,
        other => panic!("{other:?}"),
    }
}

/// The server keeps everything from `session` on.
#[track_caller]
fn keeps_since(catch_up: &mut CatchUp<()>, session: i64) {
    match catch_up.query() {
        Some(QueryParams::Timeseries(params)) => {
            assert_eq!((params.order, params.max_results), (Order::Ascending, Some(1)));
        }
        other => panic!("not asked what is kept: {other:?}"),
    }
    assert_eq!(sessions(&catch_up.answered(answer([session], true))), NONE);
    assert_eq!(catch_up.query(), None);
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
fn at_first_the_position_is_asked_for() {
    let mut catch_up = catch_up(&[]);
    assert!(catch_up.needs_position());
    catch_up.position();
    match catch_up.query() {
        Some(QueryParams::Timeseries(params)) => {
            assert_eq!((params.order, params.max_results), (Order::Descending, Some(1)));
        }
        other => panic!("not for the newest event: {other:?}"),
    }
    assert_eq!(sessions(&catch_up.answered(answer([7], true))), NONE);
    assert_eq!(catch_up.query(), None);
    assert!(!catch_up.needs_position());
    catch_up.connected();
    assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 7, 0)));
    assert_eq!(sessions(&catch_up.answered(answer([7], false))), NONE);
    keeps_since(&mut catch_up, 7);
    assert_eq!((catch_up.query(), catch_up.finish()), (None, None));
}

#[test]
fn without_series_the_latest_events_are_the_position_and_without_those_nothing_is() {
    for (latest, after) in [(answer([3, 5, 4], false), 5), (answer([], false), 0)] {
        let mut catch_up = catch_up(&[]);
        catch_up.position();
        catch_up.answered(answer([], false));
        assert!(matches!(catch_up.query(), Some(QueryParams::Latest(_))));
        catch_up.answered(latest);
        // it may have registered more, of types whose latest event is that of another server
        assert_eq!(asked_after(&catch_up), Some(EventId::new(1, after, 0)));
        assert!(catch_up.needs_position());
        catch_up.answered(answer((after > 0).then_some(after), false));
        if after == 0 {
            catch_up.answered(answer([], false));
        }
        assert!(!catch_up.needs_position());
        catch_up.connected();
        assert_eq!(asked_after(&catch_up), Some(EventId::new(1, after, 0)));
    }
}

/// Between the connection that asks for the position and the first one that subscribes.
#[test]
fn what_an_empty_server_registers_before_it_is_subscribed_to_is_asked_for() {
    for registered in [&[][..], &[1], &[1, 2]] {
        let mut catch_up = catch_up(&[]);
        catch_up.position();
        for _ in ["newest", "latest", "last of the server", "oldest"] {
            catch_up.answered(answer([], false));
        }
        assert_eq!(catch_up.query(), None);
        catch_up.connected();
        let given = catch_up.answered(answer(registered.iter().copied(), false));
        assert_eq!(sessions(&given), registered);
        if registered.is_empty() {
            // is there nothing of anybody?
            for _ in ["oldest", "latest"] {
                catch_up.answered(answer([], false));
            }
        } else {
            keeps_since(&mut catch_up, 1);
        }
        assert_eq!((catch_up.query(), catch_up.finish()), (None, None));
    }
}

#[test]
fn a_run_after_one_that_found_nothing_is_given_everything() {
    let mut catch_up = catch_up(&[]).from_nothing();
    assert!(!catch_up.needs_position());
    catch_up.connected();
    assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 0, 0)));
    assert_eq!(sessions(&catch_up.answered(answer(1..=2, false))), [1, 2]);
    keeps_since(&mut catch_up, 1);
    assert_eq!(catch_up.finish(), None);
    // of any server
    let types: crate::eventer::EventType = "*".parse().expect("any text is a type");
    let subscription = Subscription::new([&types]).expect("a query type");
    let wanted = Interest { subscription, server_id: None, persisted: false };
    let catch_up = CatchUp::<()>::new(CatchUpConfig::default(), wanted, []);
    let mut catch_up = catch_up.from_nothing();
    catch_up.connected();
    let mut given = Vec::new();
    while catch_up.query().is_some() {
        given.extend(catch_up.answered(answer(1..=2, false)));
    }
    assert_eq!((sessions(&given), catch_up.finish()), (vec![1, 2], None));
}

#[test]
fn a_position_that_nobody_gives_is_a_gap_at_once() {
    let mut catch_up = catch_up(&[]);
    for _ in ["newest", "latest", "last of the server"].repeat(2) {
        catch_up.position();
        assert!(catch_up.query().is_some());
        catch_up.failed(None);
    }
    catch_up.position();
    assert_eq!(catch_up.query(), None, "what ends every connection is not asked again");
    catch_up.connected();
    assert_eq!(catch_up.query(), None);
    assert!(catch_up.finish().is_some());
    assert!(catch_up.needs_position(), "the next time it is asked again");
}

#[test]
fn the_trace_of_the_documentation() {
    let mut catch_up = catch_up(&[at(6)]);
    catch_up.connected();
    catch_up.answered(answer([6], false));
    keeps_since(&mut catch_up, 6);
    assert_eq!(catch_up.finish(), None);
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
    keeps_since(&mut catch_up, 2);
    assert_eq!(catch_up.finish(), None);
    assert_eq!(released(&mut catch_up), [14]);
    // from here on as before
    assert!(catch_up.told(vec![event(1, 15, "a")], ()).is_some());
    assert_eq!(catch_up.positions().collect::<Vec<_>>(), [at(15)]);
    catch_up.connected();
    assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 15, 0)));
}

#[test]
fn an_answer_may_overtake_what_was_told() {
    let mut catch_up = catch_up(&[at(1)]);
    catch_up.connected();
    assert_eq!(sessions(&catch_up.answered(answer(1..=3, false))), [2, 3]);
    keeps_since(&mut catch_up, 1);
    assert_eq!(released(&mut catch_up), NONE);
    // the server told 3 before it answered, or a moment later
    let (events, ()) = catch_up.told(vec![event(1, 3, "a")], ()).expect("not held");
    assert_eq!(sessions(&events), NONE);
    let (events, ()) = catch_up.told(vec![event(1, 4, "a")], ()).expect("not held");
    assert_eq!(sessions(&events), [4]);
}

#[test]
fn what_nobody_subscribed_to_is_left_out_and_not_asked_for_again() {
    let mut catch_up = catch_up_with(CatchUpConfig::default(), "a", &[at(1)]);
    catch_up.connected();
    let events = vec![event(1, 1, "a"), event(1, 2, "a"), event(1, 3, "b")];
    let new = catch_up.answered(QueryResult { events, more_follows: false });
    assert_eq!(sessions(&new), [2]);
    keeps_since(&mut catch_up, 1);
    assert!(catch_up.told(vec![], ()).is_some());
    catch_up.connected();
    assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 3, 0)));
}

#[test]
fn another_event_under_the_same_id_is_a_gap_and_given() {
    let mut catch_up = catch_up(&[at(5)]);
    catch_up.connected();
    // registered later, after the server had lost its own
    let again = |session, second| Event {
        timestamp: Timestamp::from_secs(second),
        ..event(1, session, "a")
    };
    let has = || QueryResult {
        events: vec![event(1, 3, "a"), again(4, 100), again(5, 101), again(6, 102)],
        more_follows: false,
    };
    let mut from_five = has();
    from_five.events.drain(..2);
    assert_eq!(sessions(&catch_up.answered(from_five)), NONE);
    assert_eq!(asked_after(&catch_up), None, "from the beginning");
    assert_eq!(sessions(&catch_up.answered(has())), [4, 5, 6], "3 is known");
    assert_eq!(catch_up.query(), None);
    assert_eq!(catch_up.finish(), Some(Gap::Lost { last: at(5) }));
}

#[test]
fn a_server_that_forgot_is_told() {
    let mut forgot = catch_up(&[at(500)]);
    forgot.connected();
    assert_eq!(sessions(&forgot.answered(answer(700..=701, false))), NONE);
    assert_eq!(sessions(&forgot.answered(answer(700..=701, false))), [700, 701]);
    assert_eq!(forgot.finish(), Some(Gap::Lost { last: at(500) }));
    // it keeps the position, as the latest of its type, but not what came after it
    let mut keeps = catch_up(&[at(500)]);
    keeps.connected();
    assert_eq!(sessions(&keeps.answered(answer([500, 700], false))), [700]);
    keeps_since(&mut keeps, 600);
    assert_eq!(keeps.finish(), Some(Gap::Trimmed));
}

#[test]
fn from_before_the_first_event_there_is_none_to_find_again() {
    for (first, gap) in [(1, None), (2, Some(Gap::Trimmed))] {
        let mut catch_up = catch_up(&[Position::start(1)]);
        catch_up.connected();
        assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 0, 0)));
        let all = first..=3;
        assert_eq!(
            sessions(&catch_up.answered(answer(all.clone(), false))),
            all.collect::<Vec<_>>()
        );
        keeps_since(&mut catch_up, first);
        assert_eq!(catch_up.finish(), gap, "what was before the first that there is?");
    }
}

#[test]
fn answers_that_do_not_go_on_end() {
    // as the deployed memory backend, which gives the last event again and again
    let mut catch_up = catch_up(&[at(5)]);
    catch_up.connected();
    assert_eq!(sessions(&catch_up.answered(answer([5], true))), NONE);
    assert_eq!(sessions(&catch_up.answered(answer([5], true))), NONE);
    assert_eq!(catch_up.query(), None);
    assert_eq!(catch_up.finish(), Some(Gap::Unanswered));
}

#[test]
fn an_outage_while_catching_up_loses_nothing() {
    let mut catch_up = catch_up(&[at(1)]);
    catch_up.connected();
    assert_eq!(catch_up.told(vec![event(1, 4, "a")], ()), None);
    assert_eq!(sessions(&catch_up.answered(answer(1..=2, true))), [2]);
    catch_up.connected();
    assert_eq!(asked_after(&catch_up), Some(EventId::new(1, 2, 0)));
    assert_eq!(sessions(&catch_up.answered(answer(2..=5, false))), [3, 4, 5]);
    keeps_since(&mut catch_up, 1);
    assert_eq!(released(&mut catch_up), NONE);
}

#[test]
fn a_gap_is_told_once_also_where_the_connection_ended_before() {
    let mut catch_up = catch_up(&[at(5)]);
    catch_up.connected();
    catch_up.answered(answer([], false));
    catch_up.connected();
    // the server has it again: who knows what was before
    catch_up.answered(answer([5], false));
    assert_eq!(catch_up.finish(), Some(Gap::Lost { last: at(5) }));
    catch_up.connected();
    catch_up.answered(answer([5], false));
    assert_eq!(catch_up.finish(), None);
}

#[test]
fn an_answer_that_is_too_large_is_asked_for_in_smaller_pages() {
    let mut catch_up = catch_up(&[at(1)]);
    let size = |catch_up: &CatchUp<()>| match catch_up.query() {
        Some(QueryParams::Server(params)) => params.max_results,
        other => panic!("{other:?}"),
    };
    catch_up.connected();
    assert_eq!(size(&catch_up), None);
    catch_up.failed(Some((80 << 20, 64 << 20)));
    catch_up.connected();
    assert_eq!(size(&catch_up), Some(1638));
    catch_up.failed(None);
    catch_up.connected();
    assert_eq!(size(&catch_up), Some(204));
    catch_up.answered(answer(1..=204, true));
    assert_eq!(size(&catch_up), Some(408), "more again where it fits");
}

/// What is held counts as what it is: the frame, or the block that it was read to, is let go.
#[test]
fn what_is_held_keeps_no_frame() {
    let told = Event { payload: Some(Payload::binary("", "data")), ..event(1, 2, "a") };
    let frame = sbs::encode(&told);
    let decoded: Event = sbs::decode(&frame).expect("an event");
    let is_in_frame = |event: &Event| {
        let data = &event.payload.as_ref().and_then(Payload::as_binary).expect("binary").data;
        frame.as_ptr_range().contains(&data.as_ptr())
    };
    assert!(is_in_frame(&decoded));
    let mut catch_up = catch_up(&[at(1)]);
    catch_up.connected();
    assert_eq!(catch_up.told(vec![decoded], ()), None, "held");
    assert_eq!(sessions(&catch_up.answered(answer([1], false))), NONE);
    keeps_since(&mut catch_up, 1);
    let (events, ()) = catch_up.release().expect("what was held");
    assert!(events == [told] && !is_in_frame(&events[0]));
}

#[test]
fn limits() {
    // held events
    let config = CatchUpConfig { max_held: 1000, ..CatchUpConfig::default() };
    let mut full = catch_up_with(config, "*", &[at(1)]);
    full.connected();
    let mut held = 0;
    while full.query().is_some() {
        held += 1;
        assert_eq!(full.told(vec![event(1, 1 + held, "a")], ()), None);
        assert!(held < 100, "held without end");
    }
    assert_eq!(full.finish(), Some(Gap::TooMuchHeld { limit: 1000 }));
    assert_eq!(released(&mut full).len() as i64, held, "what was told is not lost");
    // servers
    let config = CatchUpConfig { max_servers: 1, ..CatchUpConfig::default() };
    let mut many = catch_up_with(config, "*", &[at(1)]);
    many.told(vec![event(1, 2, "a"), event(2, 1, "a")], ());
    many.connected();
    assert_eq!(asked_after(&many), Some(EventId::new(1, 2, 0)));
    many.answered(answer([2], false));
    assert_eq!(many.query(), None);
    assert_eq!(many.finish(), Some(Gap::TooManyServers { limit: 1 }), "the second is not asked");
}
