use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use hat_core::eventer::{Event, EventId, EventType, QueryParams, RegisterEvent, ServerParams};

use super::*;
use crate::store::fragile::Fragile;
use crate::store::memory::Config;
use crate::store::{Complete, MemoryStore, SessionUpdate, Sync};

fn events(types: &str) -> Vec<RegisterEvent> {
    types.split_whitespace().map(|text| RegisterEvent::new(typed(text))).collect()
}

fn typed(text: &str) -> EventType {
    text.parse().unwrap_or_else(|never| match never {})
}

fn options() -> LogOptions {
    LogOptions { numbering: Numbering::Stored, ..LogOptions::new(7) }
}

fn memory() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(Config::new(7)))
}

fn registered(log: &LocalLog, types: &str) -> Vec<Event> {
    let session = log.append(events(types).into()).wait().expect("registered");
    session.expect("a session").events().to_vec()
}

fn all(store: &dyn Store) -> Vec<EventId> {
    let params = ServerParams { server_id: 7, ..ServerParams::default() };
    let answer = store.query(&QueryParams::Server(params)).expect("an answer");
    answer.into_result().events.iter().map(|event| event.id).collect()
}

#[test]
fn sessions_are_told_in_order_first_ordered_then_durable() {
    let (log, feed) = LocalLog::start(memory(), options()).expect("a log");
    let first = registered(&log, "a b");
    let second = registered(&log, "c");
    assert_eq!(first[1].id, EventId::new(7, 1, 2));
    assert_eq!(second[0].id, EventId::new(7, 2, 1));
    log.close().wait().expect("closed");
    let mut told = Vec::new();
    while let Ok(one) = feed.recv_blocking() {
        told.push(match one {
            SessionUpdate::Ordered(session) => format!("ordered {}", session.number()),
            SessionUpdate::Durable(session) => format!("durable {}", session.number()),
        });
    }
    assert_eq!(told, ["ordered 1", "durable 1", "ordered 2", "durable 2"]);
}

/// Or it could be given again after a start, to other events.
#[test]
fn a_number_that_is_not_reserved_is_told_to_nobody() {
    let store = Fragile::new();
    let (log, feed) = LocalLog::start(store.clone(), options()).expect("a log");
    store.fail(Some(StoreError::Full(Arc::new(std::io::ErrorKind::StorageFull.into()))));
    log.append(events("a").into()).wait().expect_err("there is no room");
    assert!(feed.try_recv().is_err());
    store.fail(None);
    let session = registered(&log, "b")[0].id.session;
    let Ok(SessionUpdate::Ordered(told)) = feed.recv_blocking() else { panic!("not told") };
    assert_eq!(told.number(), session);
}

#[test]
fn what_is_to_be_on_its_way_by_a_time_is_so_by_then_or_never() {
    let store = memory();
    let (log, _) = LocalLog::start(store.clone(), options()).expect("a log");
    let append = |until| log.append(Append { until: Some(until), ..events("a").into() }).wait();
    let late = append(Instant::now());
    assert!(matches!(late, Err(AppendError::Late)), "{late:?}");
    append(Instant::now() + Duration::from_secs(3600)).expect("registered").expect("a session");
    assert_eq!(all(&*store), [EventId::new(7, 1, 1)], "and no number is left out");
}

/// Where nothing waits to be synced, nothing else would find out that there is room again.
#[test]
fn answers_go_on_once_a_full_disk_has_room() {
    let store = Fragile::new();
    let durability = Durability::Flush(Duration::from_secs(3600));
    let options = LogOptions { durability, ..options() };
    let (log, _feed) = LocalLog::start(store.clone(), options).expect("a log");
    store.fail(Some(StoreError::Full(Arc::new(std::io::ErrorKind::StorageFull.into()))));
    log.append(events("a").into()).wait().expect_err("there is no room");
    store.fail(None);
    registered(&log, "b");
    assert!(matches!(log.health(), Health::Good));
}

#[test]
fn nothing_is_no_session_and_after_the_end_nothing_is_taken() {
    let (log, _) = LocalLog::start(memory(), options()).expect("a log");
    assert!(log.append(Vec::new().into()).wait().expect("nothing").is_none());
    assert_eq!(registered(&log, "a")[0].id.session, 1);
    log.close().wait().expect("closed");
    let refused = log.append(events("a").into()).wait();
    assert!(matches!(refused, Err(AppendError::Closed)));
    assert!(matches!(log.health(), Health::Closed));
}

#[test]
fn what_follows_from_events_is_of_their_session() {
    let store = memory();
    let (log, _) = LocalLog::start(store.clone(), options()).expect("a log");
    let mut rounds = 0;
    let complete = move |so_far: &[Event]| {
        rounds += 1;
        assert_eq!(so_far.len(), rounds);
        if rounds < 3 { events("further") } else { Vec::new() }
    };
    let complete: Complete = Box::new(complete);
    let append = Append { complete: Some(complete), ..events("a").into() };
    let session = log.append(append).wait().expect("registered").expect("a session");
    assert_eq!(session.events().len(), 3);
    assert_eq!(all(&*store).len(), 3);
}

#[test]
fn mirrored_sessions_keep_their_ids_and_are_taken_once() {
    let store = memory();
    let (log, _) = LocalLog::start(store.clone(), options()).expect("a log");
    let pieces = || vec![copied(3, &[1, 2]), copied(3, &[2, 3]), copied(2, &[1])];
    assert!(log.mirror(pieces()).wait().expect("mirrored").is_none());
    assert!(log.mirror(pieces()).wait().expect("mirrored").is_none());
    let last = store.last(9).expect("a store");
    assert_eq!((last.id, last.reserved), (EventId::new(9, 3, 3), 3));
    assert_eq!(store.stats().expect("a store").events, 3);
}

/// A session of another server, or a part of one.
fn copied(session: i64, instances: &[i64]) -> Session {
    let event = |instance: &i64| Event {
        id: EventId::new(9, session, *instance),
        event_type: typed("a"),
        timestamp: Timestamp::from_secs(5),
        source_timestamp: None,
        payload: None,
    };
    Session::new(instances.iter().map(event).collect()).expect("a session")
}

/// What was told of the events of other servers, once the log is closed.
fn told_of_copies(log: &LocalLog, feed: &Feed) -> Vec<(&'static str, EventId)> {
    log.close().wait().expect("closed");
    let mut told = Vec::new();
    while let Ok(update) = feed.recv_blocking() {
        let (what, session) = match update {
            SessionUpdate::Ordered(session) => ("ordered", session),
            SessionUpdate::Durable(session) => ("durable", session),
        };
        told.extend(session.events().iter().map(|event| (what, event.id)));
    }
    told
}

/// It is asked for again where it is not known what became of it, by a new connection say.
#[test]
fn what_is_mirrored_again_is_told_once() {
    let store = memory();
    store.apply(&[Arc::new(copied(2, &[1]))], &[], Sync::Now).expect("applied");
    let (log, feed) = LocalLog::start(store, options()).expect("a log");
    // the first is there since before the start
    let attempts =
        [vec![copied(2, &[1]), copied(3, &[1, 2])], vec![copied(3, &[1, 2]), copied(4, &[1])]];
    for sessions in attempts {
        log.mirror(sessions).wait().expect("mirrored");
    }
    log.mirror(vec![copied(4, &[1, 2])]).wait().expect("mirrored");
    let ids = [[3, 1], [3, 2], [4, 1], [4, 2]].map(|[session, no]| EventId::new(9, session, no));
    let mut told = told_of_copies(&log, &feed);
    told.sort();
    let of = |what| ids.map(|id| (what, id));
    assert_eq!(told, [of("durable"), of("ordered")].concat());
}

#[test]
fn a_copy_that_finds_no_room_is_told_once() {
    for durability in [Durability::Commit, Durability::Flush(Duration::from_secs(3600))] {
        let store = Fragile::new();
        let options = LogOptions { durability, ..options() };
        let (log, feed) = LocalLog::start(store.clone(), options).expect("a log");
        store.fail(Some(StoreError::Full(Arc::new(std::io::ErrorKind::StorageFull.into()))));
        for _ in 0..3 {
            log.mirror(vec![copied(3, &[1])]).wait().expect_err("there is no room");
        }
        store.fail(None);
        log.mirror(vec![copied(3, &[1])]).wait().expect("mirrored");
        let id = EventId::new(9, 3, 1);
        assert_eq!(told_of_copies(&log, &feed), [("ordered", id), ("durable", id)]);
    }
}

static CLOCK: AtomicI64 = AtomicI64::new(0);

#[test]
fn neither_time_nor_ids_go_back() {
    let clock = || Timestamp::from_secs(CLOCK.load(Ordering::SeqCst));
    let store = memory();
    let options = LogOptions { numbering: Numbering::Clock, clock, ..options() };
    CLOCK.store(100, Ordering::SeqCst);
    let (log, _) = LocalLog::start(store.clone(), options.clone()).expect("a log");
    let first = registered(&log, "a").remove(0);
    assert_eq!((first.id.session, first.timestamp.s()), (100_000_001, 100));
    CLOCK.store(50, Ordering::SeqCst);
    let second = registered(&log, "a").remove(0);
    assert_eq!((second.id.session, second.timestamp.s()), (100_000_002, 100));
    log.close().wait().expect("closed");

    // numbers that were reserved may have been told
    let (log, _) = LocalLog::start(store, options.clone()).expect("a log");
    let third = registered(&log, "a").remove(0);
    assert_eq!(third.id.session, 100_000_001 + options.lease + 1);
    assert_eq!(third.timestamp.s(), 100);

    // a disk that is lost, and a clock that went on
    CLOCK.store(200, Ordering::SeqCst);
    let (log, _) = LocalLog::start(memory(), options).expect("a log");
    assert_eq!(registered(&log, "a")[0].id.session, 200_000_001);
}

#[test]
fn a_full_disk_refuses_and_takes_again_when_there_is_room() {
    let store = Fragile::new();
    let (log, feed) = LocalLog::start(store.clone(), options()).expect("a log");
    let full = || StoreError::Full(Arc::new(std::io::ErrorKind::StorageFull.into()));
    store.fail(Some(full()));
    let refused = log.append(events("a").into()).wait();
    assert!(matches!(refused, Err(AppendError::Store(StoreError::Full(_)))), "{refused:?}");
    assert!(matches!(log.health(), Health::Failing(StoreError::Full(_))));
    store.fail(None);
    // the number of what was refused is not given again
    assert_eq!(registered(&log, "b")[0].id.session, 2);
    assert!(matches!(log.health(), Health::Good));
    assert_eq!(all(&*store), [EventId::new(7, 2, 1)]);
    assert_eq!(store.recovered.load(Ordering::SeqCst), 0);
    log.close().wait().expect("closed");
    let durable = std::iter::from_fn(|| feed.recv_blocking().ok());
    let durable = durable.filter(|told| matches!(told, SessionUpdate::Durable(_)));
    assert_eq!(durable.count(), 1);
}

/// Small events that still find room do not hide that others are refused.
#[test]
fn a_disk_with_room_for_little_is_full_for_who_found_none() {
    let store = Fragile::new();
    let (log, _) = LocalLog::start(store.clone(), options()).expect("a log");
    let full = || StoreError::Full(Arc::new(std::io::ErrorKind::StorageFull.into()));
    store.fail(Some(full()));
    log.append(events("large").into()).wait().expect_err("no room");
    store.fail_probes(Some(full()));
    store.fail(None);
    registered(&log, "small");
    assert!(matches!(log.health(), Health::Failing(StoreError::Full(_))));
    store.fail_probes(None);
    registered(&log, "small");
    assert!(matches!(log.health(), Health::Good));
}

#[test]
fn room_is_found_although_nobody_registers() {
    let store = Fragile::new();
    let (log, _) = LocalLog::start(store.clone(), options()).expect("a log");
    let full = || StoreError::Full(Arc::new(std::io::ErrorKind::StorageFull.into()));
    store.fail(Some(full()));
    log.append(events("a").into()).wait().expect_err("no room");
    // looked for again and again
    let rounds = log.counts().rounds;
    while log.counts().rounds < rounds + 3 {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(matches!(log.health(), Health::Failing(StoreError::Full(_))));
    store.fail(None);
    while !matches!(log.health(), Health::Good) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(all(&*store), [], "nothing was registered for it");
}

#[test]
fn a_sync_that_failed_is_not_tried_again_before_the_store_was_opened_anew() {
    let store = Fragile::new();
    let (log, _) = LocalLog::start(store.clone(), options()).expect("a log");
    store.fail(Some(StoreError::Failed(Arc::new(std::io::Error::other("EIO")))));
    assert!(log.append(events("a").into()).wait().is_err());
    assert!(log.append(events("a").into()).wait().is_err());
    assert_eq!(store.recovered.load(Ordering::SeqCst), 0);
    store.fail(None);
    registered(&log, "b");
    assert_eq!(store.recovered.load(Ordering::SeqCst), 1);
}

#[test]
fn answered_before_the_disk_has_it_and_told_as_durable_after() {
    let store = Fragile::new();
    let durability = Durability::Flush(Duration::from_secs(3600));
    let options = LogOptions { durability, ..options() };
    let (log, feed) = LocalLog::start(store.clone(), options).expect("a log");
    assert_eq!(registered(&log, "a")[0].id.session, 1);
    assert_eq!(all(&*store).len(), 1, "found at once");
    assert!(matches!(feed.recv_blocking(), Ok(SessionUpdate::Ordered(_))));
    assert!(feed.try_recv().is_err());
    log.close().wait().expect("closed");
    assert!(matches!(feed.recv_blocking(), Ok(SessionUpdate::Durable(_))));
}

#[test]
fn what_was_answered_and_cannot_be_made_durable_at_the_end_is_told() {
    for full in [true, false] {
        let store = Fragile::new();
        let durability = Durability::Flush(Duration::from_secs(3600));
        let options = LogOptions { durability, ..options() };
        let (log, _) = LocalLog::start(store.clone(), options).expect("a log");
        registered(&log, "a");
        let error = Arc::new(std::io::ErrorKind::StorageFull.into());
        store.fail(Some(if full { StoreError::Full(error) } else { StoreError::Failed(error) }));
        // both times: who asks second must not take it for done
        for _ in 0..2 {
            let closed = log.close().wait();
            assert!(matches!(closed, Err(AppendError::Store(_))), "{closed:?}");
        }
    }
}

#[test]
fn a_disk_that_works_again_at_the_end_gets_what_was_answered() {
    let store = Fragile::new();
    let durability = Durability::Flush(Duration::ZERO);
    let (log, feed) =
        LocalLog::start(store.clone(), LogOptions { durability, ..options() }).expect("a log");
    store.fail_syncs(Some(StoreError::Failed(Arc::new(std::io::Error::other("EIO")))));
    registered(&log, "a");
    while !matches!(log.health(), Health::Failing(_)) {
        std::thread::yield_now();
    }
    store.fail_syncs(None);
    log.close().wait().expect("everything is durable");
    assert_eq!(store.recovered.load(Ordering::SeqCst), 1);
    let told = std::iter::from_fn(|| feed.recv_blocking().ok());
    assert_eq!(told.filter(|it| matches!(it, SessionUpdate::Durable(_))).count(), 1);
}

#[test]
fn after_the_last_number_nothing_is_registered() {
    let store = memory();
    let last = Event {
        id: EventId::new(7, i64::MAX, 1),
        event_type: typed("a"),
        timestamp: Timestamp::from_secs(5),
        source_timestamp: None,
        payload: None,
    };
    let session = Session::new(vec![last]).expect("a session");
    store.apply(&[Arc::new(session)], &[], Sync::Now).expect("applied");
    let (log, _) = LocalLog::start(store.clone(), options()).expect("a log");
    for _ in 0..2 {
        let refused = log.append(events("a").into()).wait();
        assert!(matches!(refused, Err(AppendError::NumbersUsedUp)), "{refused:?}");
    }
    assert_eq!(all(&*store), [EventId::new(7, i64::MAX, 1)]);
}

#[test]
fn a_fault_of_the_program_leaves_nobody_waiting() {
    let (log, feed) = LocalLog::start(memory(), options()).expect("a log");
    let complete: Complete = Box::new(|_| panic!("a module with a fault"));
    let append = Append { complete: Some(complete), ..events("a").into() };
    let (faulty, behind) = (log.append(append), log.append(events("b").into()));
    assert!(matches!(faulty.wait(), Err(AppendError::Closed)));
    assert!(matches!(behind.wait(), Err(AppendError::Closed)));
    assert!(matches!(log.append(events("c").into()).wait(), Err(AppendError::Closed)));
    assert!(matches!(log.health(), Health::Closed));
    assert!(log.close().wait().is_ok(), "it is closed");
    assert!(feed.recv_blocking().is_err(), "and nothing is told any more");
}

#[test]
fn a_fault_beside_the_work_closes_the_log() {
    let store = Fragile::new();
    let (log, feed) = LocalLog::start(store.clone(), options()).expect("a log");
    store.panics_tidying.store(true, Ordering::SeqCst);
    assert!(feed.recv_blocking().is_err(), "nothing is told any more");
    assert!(matches!(log.append(events("a").into()).wait(), Err(AppendError::Closed)));
    assert!(matches!(log.health(), Health::Closed));
}

/// All is durable: who ends need not wait for what can be done after the next start.
#[test]
fn the_end_does_not_wait_for_a_long_step_beside_the_work() {
    let store = Fragile::new();
    store.hangs_tidying.store(true, Ordering::SeqCst);
    let (log, _feed) = LocalLog::start(store.clone(), options()).expect("a log");
    registered(&log, "a");
    while store.tidied.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    let (closed, is_closed) = std::sync::mpsc::channel();
    let pending = log.close();
    std::thread::spawn(move || closed.send(pending.wait()));
    let outcome = is_closed.recv_timeout(Duration::from_secs(20));
    store.hangs_tidying.store(false, Ordering::SeqCst);
    outcome.expect("it is closed").expect("everything is durable");
}

#[test]
fn a_fault_of_the_program_before_the_last_sync_is_no_success() {
    let store = Fragile::new();
    let durability = Durability::Flush(Duration::from_secs(3600));
    let (log, _feed) =
        LocalLog::start(store.clone(), LogOptions { durability, ..options() }).expect("a log");
    registered(&log, "a");
    store.panics_syncing.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let closed = log.close().wait();
        assert!(matches!(closed, Err(AppendError::Store(StoreError::Failed(_)))), "{closed:?}");
    }
}
