use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hat_core::eventer::{
    Event, EventId, EventType, LatestParams, Order, OrderBy, Payload, QueryParams, ServerParams,
    Subscription, TimeseriesParams, Timestamp,
};

use redb::StorageBackend as _;

use super::*;
use crate::store::MemoryStore;
use crate::store::memory::Config;

/// A folder that goes with the test.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("hat-store-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn open(&self, options: DiskOptions) -> DiskStore {
        DiskStore::open(&self.0, options).expect("a store")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

fn typed(text: &str) -> EventType {
    text.parse().unwrap_or_else(|never| match never {})
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(second)
}

const TYPES: [&str; 8] = ["a", "a/b", "a/c", "a/b/d", "b", "b/c", "", "c/\0/d"];

fn random_session(dice: &mut Dice, server: i64, number: i64, timestamp: Timestamp) -> Session {
    let count = if dice.below(9) == 0 { 60 } else { 1 + dice.below(5) };
    let event = |instance| Event {
        id: EventId::new(server, number, instance as i64),
        event_type: typed(dice.one_of(&TYPES)),
        timestamp,
        source_timestamp: (dice.below(3) > 0).then(|| at(dice.below(40) as i64 - 5)),
        payload: (dice.below(2) == 0)
            .then(|| Payload::binary("x", vec![7; dice.below(200) as usize])),
    };
    Session::new((1..=count).map(event).collect()).expect("a session")
}

fn random_query(dice: &mut Dice) -> QueryParams {
    let types = |dice: &mut Dice| {
        let asked = ["a", "a/*", "?/c", "b/?", "*", "?", "a/b/?", "nothing", ""];
        let count = dice.below(3);
        (dice.below(3) > 0).then(|| (0..count).map(|_| typed(dice.one_of(&asked))).collect())
    };
    let some_time = |dice: &mut Dice| (dice.below(3) == 0).then(|| at(dice.below(40) as i64 - 5));
    let last = |dice: &mut Dice, server| {
        let id = EventId::new(server, dice.below(50) as i64, 1 + dice.below(3) as i64);
        (dice.below(3) == 0).then_some(id)
    };
    let max_results = dice.one_of(&[None, None, Some(0), Some(1), Some(7), Some(-1)]);
    match dice.below(5) {
        0 => QueryParams::Latest(LatestParams { event_types: types(dice) }),
        1 => {
            let server_id = 1 + dice.below(2) as i64;
            QueryParams::Server(ServerParams {
                server_id,
                persisted: dice.below(2) == 0,
                max_results,
                last_event_id: last(dice, server_id),
            })
        }
        _ => {
            let server = 1 + dice.below(2) as i64;
            QueryParams::Timeseries(TimeseriesParams {
                event_types: types(dice),
                t_from: some_time(dice),
                t_to: some_time(dice),
                source_t_from: some_time(dice),
                source_t_to: some_time(dice),
                order: dice.one_of(&[Order::Ascending, Order::Descending]),
                order_by: dice.one_of(&[OrderBy::Timestamp, OrderBy::SourceTimestamp]),
                max_results,
                last_event_id: last(dice, server),
            })
        }
    }
}

#[track_caller]
fn same(dice: &mut Dice, memory: &MemoryStore, disk: &DiskStore, queries: usize) {
    for _ in 0..queries {
        let params = random_query(dice);
        let expected = memory.query(&params).expect("an answer").into_result();
        let answer = disk.query(&params).expect("an answer").into_result();
        assert_eq!(answer, expected, "{params:?}");
    }
}

#[test]
fn any_query_is_answered_as_by_the_store_in_memory() {
    for seed in 1..=6_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let scratch = Scratch::new(&format!("random-{seed}"));
        let limit = |dice: &mut Dice| DiskOptions {
            tail_events: dice.one_of(&[1, 20, 100, 100_000]),
            ..DiskOptions::default()
        };
        let mut disk = scratch.open(limit(&mut dice));
        let memory = MemoryStore::new(Config::new(1));
        let mut now = 0;
        let mut numbers = [0, 0];
        // of two servers whose clocks go back, three events can each be before the next: then of
        // one
        let servers = 1 + seed % 2;
        for _ in 0..60 {
            let server = dice.below(servers) as usize;
            numbers[server] += 1 + dice.below(2) as i64;
            now += dice.below(3) as i64 - i64::from(servers == 1 && dice.below(10) == 0);
            let session =
                Arc::new(random_session(&mut dice, server as i64 + 1, numbers[server], at(now)));
            let sync = dice.one_of(&[Sync::Now, Sync::Now, Sync::Later]);
            memory.apply(std::slice::from_ref(&session), &[], sync).expect("memory");
            disk.apply(std::slice::from_ref(&session), &[], sync).expect("the disk");
            // once more changes nothing
            disk.apply(std::slice::from_ref(&session), &[], Sync::Now).expect("the disk");
            while disk.is_due() {
                disk.tidy(at(now)).expect("the disk");
            }
            if dice.below(15) == 0 {
                drop(disk);
                disk = scratch.open(limit(&mut dice));
            }
            same(&mut dice, &memory, &disk, 6);
        }
        same(&mut dice, &memory, &disk, 400);
        let report = disk.check(|_| {}).expect("readable");
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        let counts = |store: &dyn Store| {
            let stats = store.stats().expect("a store");
            (stats.events, stats.types)
        };
        assert_eq!(
            counts(&disk),
            counts(&memory),
            "events and types that are in no index yet count"
        );
        disk.drain().expect("the disk");
        same(&mut dice, &memory, &disk, 400);
        let report = disk.check(|_| {}).expect("readable");
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        assert_eq!(counts(&disk), counts(&memory));
        assert_eq!((report.events, report.types), counts(&memory));
    }
}

/// The most records in which something waits for one type, and how many events that came and that
/// are gone do.
fn waiting(store: &DiskStore) -> (usize, usize, usize) {
    let state = store.read();
    let transaction = state.database.as_ref().expect("open").begin_read().expect("a transaction");
    let table = transaction.open_table(pending::TABLE).expect("a table");
    let mut buckets: BTreeMap<u64, usize> = BTreeMap::new();
    for entry in table.iter().expect("records") {
        let (key, _) = entry.expect("a record");
        *buckets.entry(key.value().0).or_default() += 1;
    }
    let (mut came, mut gone) = (0, 0);
    let count = |record: Result<&[pending::Change], _>| {
        for change in record.expect("sound") {
            match change {
                pending::Change::Came(..) => came += 1,
                pending::Change::Gone(..) => gone += 1,
            }
        }
    };
    pending::all(&table, count).expect("records");
    (buckets.into_values().max().unwrap_or_default(), came, gone)
}

#[test]
fn while_events_come_and_go_each_index_has_what_the_others_have() {
    let scratch = Scratch::new("come-and-go");
    let rules = vec![
        Rule { max_entries: Some(150), keep_latest: false, ..keep("1/*") },
        Rule { max_age: Some(Duration::from_secs(8)), age_by_source: true, ..keep("2/*") },
        Rule { max_entries: Some(1_000), ..keep("*") },
    ];
    let options = || DiskOptions { tail_events: 100, rules: rules.clone(), ..Default::default() };
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut store = scratch.open(options());
    let types: Vec<_> = (0..150).map(|one| typed(&format!("{}/{one}", one % 5))).collect();
    let (mut most, mut most_gone) = (0, 0);
    for number in 1..=48 {
        // what comes from the second server is old: some of it goes before it is in an index
        let (server, second) = if number % 2 == 0 { (1, number) } else { (2, number - 6) };
        let event = |instance| Event {
            id: EventId::new(server, number, instance),
            event_type: types[dice.below(150) as usize].clone(),
            timestamp: at(second),
            source_timestamp: (dice.below(3) > 0).then(|| at(number - dice.below(9) as i64)),
            payload: None,
        };
        let session = Arc::new(Session::new((1..=100).map(event).collect()).expect("a session"));
        store.apply(&[session], &[], Sync::Now).expect("the disk");
        store.tidy(at(number)).expect("the disk");
        let (records, _, gone) = waiting(&store);
        (most, most_gone) = (most.max(records), most_gone.max(gone));
        if number % 20 == 7 {
            drop(store);
            store = scratch.open(options());
        }
        for order_by in [OrderBy::Timestamp, OrderBy::SourceTimestamp] {
            for order in [Order::Ascending, Order::Descending] {
                let events = |event_types| {
                    let params = TimeseriesParams {
                        event_types,
                        order,
                        order_by,
                        ..TimeseriesParams::default()
                    };
                    store.query(&params.into()).expect("an answer").into_result().events
                };
                let mut all = events(None);
                let mut asked = Vec::new();
                for _ in 0..dice.below(40) {
                    asked.push(types[dice.below(150) as usize].clone());
                }
                all.retain(|event| asked.contains(&event.event_type));
                assert_eq!(events(Some(asked)), all);
            }
        }
        if number % 8 == 0 {
            let report = store.check(|_| {}).expect("readable");
            assert!(report.findings.is_empty(), "after {number}: {:?}", report.findings);
        }
    }
    assert!(most_gone > 100, "{most_gone} events that are gone wait together");
    assert!(most <= 16, "{most} records of a bucket");
    cleaned(&store, 49);
    let of = |types: &str| {
        let params = TimeseriesParams { event_types: Some(vec![typed(types)]), ..ascending() };
        store.query(&params.into()).expect("an answer").into_result().events.len()
    };
    assert_eq!((of("1/*"), of("0/*") + of("3/*") + of("4/*")), (150, 1_000));
}

#[test]
fn of_many_types_what_waits_for_more_is_found_counted_and_removed() {
    let scratch = Scratch::new("waiting");
    let rules = || {
        vec![
            Rule { max_entries: Some(40), ..keep("3/*") },
            Rule { max_entries: Some(3), keep_latest: false, ..keep("4/*") },
            Rule { max_age: Some(Duration::from_secs(3)), age_by_source: true, ..keep("5/*") },
        ]
    };
    let options = |rules| DiskOptions { tail_events: 100, rules, ..DiskOptions::default() };
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut store = scratch.open(options(Vec::new()));
    let memory = MemoryStore::new(Config::new(1));
    let types: Vec<_> = (0..300).map(|one| typed(&format!("{}/{one}", one % 10))).collect();
    let asked = |dice: &mut Dice| match dice.below(4) {
        0 => vec![typed(&format!("{}/*", dice.below(10)))],
        1 => types[..dice.below(60) as usize].to_vec(),
        _ => vec![types[dice.below(300) as usize].clone()],
    };
    let (mut most, mut most_came) = (0, 0);
    for number in 1..=60 {
        let server = 1 + number % 2;
        let event = |instance| Event {
            id: EventId::new(server, number, instance),
            event_type: types[dice.below(300) as usize].clone(),
            timestamp: at(number),
            source_timestamp: (dice.below(3) > 0).then(|| at(dice.below(60) as i64)),
            payload: None,
        };
        let session = Arc::new(Session::new((1..=100).map(event).collect()).expect("a session"));
        memory.apply(std::slice::from_ref(&session), &[], Sync::Now).expect("memory");
        store.apply(&[session], &[], Sync::Now).expect("the disk");
        store.tidy(at(number)).expect("the disk");
        let (records, came, _) = waiting(&store);
        (most, most_came) = (most.max(records), most_came.max(came));
        if number % 20 == 7 {
            drop(store);
            store = scratch.open(options(Vec::new()));
        }
        for order in [Order::Ascending, Order::Descending] {
            let order_by = dice.one_of(&[OrderBy::Timestamp, OrderBy::SourceTimestamp]);
            let limit = dice.one_of(&[None, Some(at(30))]);
            let mut params = TimeseriesParams {
                event_types: Some(asked(&mut dice)),
                order,
                order_by,
                t_from: limit.filter(|_| order_by == OrderBy::SourceTimestamp),
                source_t_to: limit.filter(|_| order == Order::Ascending),
                max_results: dice.one_of(&[None, Some(3)]),
                ..TimeseriesParams::default()
            };
            // page by page
            for _ in 0..3 {
                let query = params.clone().into();
                let expected = memory.query(&query).expect("an answer").into_result();
                let answer = store.query(&query).expect("an answer").into_result();
                assert_eq!(answer, expected, "{params:?}");
                let Some(last) = answer.events.last() else { break };
                params.last_event_id = Some(last.id);
            }
        }
        let query = LatestParams { event_types: Some(asked(&mut dice)) }.into();
        let expected = memory.query(&query).expect("an answer").into_result();
        assert_eq!(store.query(&query).expect("an answer").into_result(), expected);
        let found = |store: &dyn Store| {
            let finds = |one: &EventType| one.segments().next() == Some("7");
            let mut found = store.search(&finds, 1_000, 1 << 20).expect("found").events;
            found.sort_unstable_by_key(|event| event.id);
            found
        };
        assert_eq!(found(&store), found(&memory));
    }
    assert!(most_came > 300, "{most_came} events wait together");
    assert!((4..=9).contains(&most), "{most} records of a bucket");
    let report = store.check(|_| {}).expect("readable");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    let counts = |store: &dyn Store| {
        let stats = store.stats().expect("a store");
        (stats.events, stats.types)
    };
    assert_eq!(counts(&store), counts(&memory));

    // rules that were not there before count what waits, and take from it
    drop(store);
    let store = scratch.open(options(rules()));
    cleaned(&store, 62);
    let of = |types: &str| {
        let params = TimeseriesParams { event_types: Some(vec![typed(types)]), ..ascending() };
        store.query(&params.into()).expect("an answer").into_result().events
    };
    assert_eq!((of("3/*").len(), of("4/*").len()), (40, 3));
    let kept = |event: &Event| event.source_timestamp.is_some_and(|source| source >= at(59));
    let kept = of("5/*").iter().filter(|event| !kept(event)).count();
    assert_eq!(kept, of("5/*").iter().filter(|one| one.source_timestamp.is_none()).count());
    let latest = LatestParams { event_types: Some(vec![typed("3/*")]) };
    assert_eq!(ids(&store, latest).split(' ').count(), 30, "the latest of each stays");
}

fn session_of(number: i64, second: i64, types: &str) -> Arc<Session> {
    let event = |(text, instance): (&str, i64)| Event {
        id: EventId::new(1, number, instance),
        event_type: typed(text),
        timestamp: at(second),
        source_timestamp: None,
        payload: None,
    };
    let events = types.split_whitespace().zip(1..).map(event).collect();
    Arc::new(Session::new(events).expect("a session"))
}

fn ids(store: &DiskStore, params: impl Into<QueryParams>) -> String {
    let result = store.query(&params.into()).expect("an answer").into_result();
    let ids =
        result.events.iter().map(|event| format!("{}.{}", event.id.session, event.id.instance));
    let mut ids: Vec<_> = ids.collect();
    ids.extend(result.more_follows.then(|| "…".to_owned()));
    ids.join(" ")
}

fn ascending() -> TimeseriesParams {
    TimeseriesParams { order: Order::Ascending, ..TimeseriesParams::default() }
}

fn server() -> ServerParams {
    ServerParams { server_id: 1, ..ServerParams::default() }
}

fn only(types: &str) -> Subscription {
    Subscription::new(types.split_whitespace().map(typed).collect::<Vec<_>>()).expect("types")
}

fn keep(types: &str) -> Rule {
    Rule {
        types: only(types),
        max_entries: None,
        min_entries: 0,
        max_age: None,
        age_by_source: false,
        by_source: None,
        max_bytes: None,
        keep_latest: true,
    }
}

fn cleaned(store: &DiskStore, second: i64) {
    store.drain().expect("the disk");
    while store.tidy(at(second)).expect("the disk") {}
    let report = store.check(|_| {}).expect("readable");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn what_a_rule_says_goes_and_the_latest_stays() {
    let scratch = Scratch::new("rules");
    let rules = vec![
        Rule { max_entries: Some(2), ..keep("a") },
        Rule { max_age: Some(Duration::from_secs(10)), min_entries: 1, ..keep("b/*") },
        Rule { max_entries: Some(0), keep_latest: false, ..keep("c") },
    ];
    let store = scratch.open(DiskOptions { rules, ..DiskOptions::default() });
    let sessions = [
        session_of(1, 10, "a a a b/1 c other"),
        session_of(2, 11, "b/1 b/2 c"),
        session_of(3, 30, "b/1"),
    ];
    store.apply(&sessions, &[], Sync::Now).expect("the disk");
    cleaned(&store, 25);
    assert_eq!(ids(&store, ascending()), "1.2 1.3 1.6 3.1");
    assert_eq!(ids(&store, LatestParams::default()), "1.3 3.1 2.2 1.6", "b/2 is only the latest");
    assert_eq!(ids(&store, server()), "1.2 1.3 1.6 2.2 3.1");
    let newer = session_of(4, 31, "b/2");
    store.apply(&[newer], &[], Sync::Now).expect("the disk");
    cleaned(&store, 32);
    assert_eq!(ids(&store, server()), "1.2 1.3 1.6 3.1 4.1");
    // of the last of all, min_entries keeps one
    cleaned(&store, 1_000);
    assert_eq!(ids(&store, ascending()), "1.2 1.3 1.6 4.1");
}

/// What a partition of the deployed server keeps: the oldest go as long as a limit says so.
fn trim(partition: &mut BTreeSet<(Timestamp, EventId)>, limits: SourceLimits, now: Timestamp) {
    let most = limits.max_entries.unwrap_or(u64::MAX);
    let before = limits.max_age.map(|age| at(now.s() - age.as_secs() as i64));
    while let Some(oldest) = partition.first()
        && partition.len() as u64 > limits.min_entries
        && (partition.len() as u64 > most || before.is_some_and(|before| oldest.0 < before))
    {
        partition.pop_first();
    }
}

/// As two partitions do, each with events of its own: whatever comes late, without a source
/// timestamp, or with one from long ago.
#[test]
fn events_are_kept_by_both_timestamps_as_by_two_partitions() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let of = |max_entries, min_entries, max_age| SourceLimits {
        max_entries,
        min_entries,
        max_age,
        max_bytes: None,
    };
    let pairs = [
        (of(Some(150), 0, None), of(Some(150), 0, None)),
        (of(Some(0), 0, None), of(Some(90), 0, None)),
        (of(Some(150), 0, None), of(Some(2), 0, None)),
        (of(Some(200), 0, seconds(9)), of(Some(60), 20, seconds(5))),
        (of(None, 0, seconds(6)), of(Some(100), 0, None)),
        (of(Some(80), 30, seconds(4)), of(None, 0, seconds(12))),
    ];
    for (case, (by_timestamp, by_source)) in pairs.into_iter().enumerate() {
        let scratch = Scratch::new(&format!("windows-{case}"));
        let rule = Rule {
            max_entries: by_timestamp.max_entries,
            min_entries: by_timestamp.min_entries,
            max_age: by_timestamp.max_age,
            by_source: Some(by_source),
            keep_latest: case % 2 == 0,
            ..keep("a/*")
        };
        let options = || DiskOptions { rules: vec![rule.clone()], ..DiskOptions::default() };
        let mut dice = Dice(0x2545_f491_4f6c_dd1d ^ case as u64);
        let mut store = scratch.open(options());
        let (mut one, mut other) = (BTreeSet::new(), BTreeSet::new());
        for number in 1..=40 {
            let (server, second) = if number % 3 > 0 { (1, number) } else { (2, number - 7) };
            // for some time nothing has a source timestamp
            let sourced = if (15..25).contains(&number) { 0 } else { 3 };
            let event = |instance| Event {
                id: EventId::new(server, number, instance),
                event_type: typed(&format!("{}/{}", dice.one_of(&["a", "a", "b"]), dice.below(7))),
                timestamp: at(second),
                source_timestamp: (dice.below(4) < sourced).then(|| at(dice.below(45) as i64)),
                payload: None,
            };
            let session = Session::new((1..=50).map(event).collect()).expect("a session");
            for event in session.events() {
                if event.event_type.segments().next() == Some("a") {
                    one.insert((event.timestamp, event.id));
                    other.extend(event.source_timestamp.map(|source| (source, event.id)));
                }
            }
            store.apply(&[Arc::new(session)], &[], Sync::Now).expect("the disk");
            if number % 11 == 5 {
                drop(store);
                store = scratch.open(options());
            }
            if number % 4 == 1 {
                // not cleaned this time
                continue;
            }
            store.drain().expect("the disk");
            while store.tidy(at(number)).expect("the disk") {}
            trim(&mut one, by_timestamp, at(number));
            trim(&mut other, by_source, at(number));
            let expected: BTreeSet<_> = one.iter().chain(&other).map(|(_, id)| *id).collect();
            let params = TimeseriesParams { event_types: Some(vec![typed("a/*")]), ..ascending() };
            let kept = store.query(&params.into()).expect("an answer").into_result().events;
            let kept: BTreeSet<_> = kept.iter().map(|event| event.id).collect();
            assert_eq!(kept, expected, "case {case}, after {number}");
        }
        cleaned(&store, 41);
    }
}

/// In more steps than one, and bytes as events on the average have them.
#[test]
fn many_events_go_by_both_timestamps() {
    let scratch = Scratch::new("windows-many");
    let limits = SourceLimits { max_bytes: Some(10_000), ..SourceLimits::default() };
    let rules = vec![Rule { max_entries: Some(500), by_source: Some(limits), ..keep("*") }];
    let store = scratch.open(DiskOptions { rules, ..DiskOptions::default() });
    for number in 1..=30 {
        let event = |instance| Event {
            id: EventId::new(1, number, instance),
            event_type: typed("a"),
            timestamp: at(number),
            // the first third of the sessions is the newest
            source_timestamp: (number <= 10).then(|| at(100 + number)),
            payload: None,
        };
        let session = Session::new((1..=1_000).map(event).collect()).expect("a session");
        store.apply(&[Arc::new(session)], &[], Sync::Now).expect("the disk");
    }
    cleaned(&store, 31);
    let params = TimeseriesParams { max_results: Some(4_096), ..ascending() };
    let kept = store.query(&params.into()).expect("an answer").into_result().events;
    let (sourced, others): (Vec<_>, Vec<_>) =
        kept.iter().partition(|event| event.source_timestamp.is_some());
    assert_eq!(others.len(), 500);
    assert!((600..1_000).contains(&sourced.len()), "{} of 10 kB", sourced.len());
    assert!(sourced.iter().all(|event| event.id.session == 10), "the newest by their source");
}

#[test]
fn ages_are_counted_from_source_timestamps_where_a_rule_says_so() {
    let scratch = Scratch::new("source-age");
    let age = Some(Duration::from_secs(10));
    let rules = vec![Rule { max_age: age, age_by_source: true, keep_latest: false, ..keep("a") }];
    let store = scratch.open(DiskOptions { rules, ..DiskOptions::default() });
    let mut events = Vec::new();
    // the second has no source timestamp, the third is the oldest, and the last is another's
    for (instance, (event_type, source)) in
        (1..).zip([("a", Some(30)), ("a", None), ("a", Some(3)), ("a", Some(21)), ("b", Some(1))])
    {
        events.push(Event {
            id: EventId::new(1, 1, instance),
            event_type: typed(event_type),
            timestamp: at(25),
            source_timestamp: source.map(at),
            payload: None,
        });
    }
    let session = Arc::new(Session::new(events).expect("a session"));
    store.apply(&[session], &[], Sync::Now).expect("the disk");
    cleaned(&store, 30);
    assert_eq!(ids(&store, server()), "1.1 1.2 1.4 1.5");
    cleaned(&store, 32);
    assert_eq!(ids(&store, server()), "1.1 1.2 1.5");
    cleaned(&store, 36);
    assert_eq!(ids(&store, server()), "1.1 1.5", "what has none goes by its timestamp");
    cleaned(&store, 41);
    assert_eq!(ids(&store, server()), "1.5");
}

#[test]
fn rules_reach_what_is_in_memory_only_within_a_minute() {
    let scratch = Scratch::new("overdue");
    let store = scratch.open(DiskOptions {
        rules: vec![Rule { max_entries: Some(0), keep_latest: false, ..keep("*") }],
        ..DiskOptions::default()
    });
    store.tidy(at(0)).expect("the disk");
    store.apply(&[session_of(1, 1, "a b")], &[], Sync::Now).expect("the disk");
    while store.tidy(at(59)).expect("the disk") {}
    assert_eq!(ids(&store, server()), "1.1 1.2");
    while store.tidy(at(60)).expect("the disk") {}
    assert_eq!(ids(&store, server()), "");
}

#[test]
fn many_steps_clean_up_to_the_bytes_that_a_rule_says() {
    let scratch = Scratch::new("bytes");
    let rules = vec![Rule { max_bytes: Some(10_000), ..keep("*") }];
    let store = scratch.open(DiskOptions { rules, ..DiskOptions::default() });
    let types = "a b c d e f g h i j ".repeat(30);
    for number in 1..=20 {
        store.apply(&[session_of(number, number, &types)], &[], Sync::Now).expect("the disk");
    }
    cleaned(&store, 100);
    let kept = store.stats().expect("the disk").events;
    assert!((500..1_000).contains(&kept), "{kept} of 6 000");
}

#[test]
fn where_there_is_always_something_to_drain_rules_hold_all_the_same() {
    let scratch = Scratch::new("always");
    let rules = vec![Rule { max_entries: Some(2_000), ..keep("*") }];
    let store = scratch.open(DiskOptions { rules, tail_events: 100, ..DiskOptions::default() });
    let types = "a b c d e f g h i j ".repeat(120);
    for number in 1..=20 {
        store.apply(&[session_of(number, number, &types)], &[], Sync::Now).expect("the disk");
        assert!(store.is_due());
        store.tidy(at(number)).expect("the disk");
        let kept = store.stats().expect("the disk").events;
        assert!(kept <= 3_200, "{kept} after {number} sessions");
    }
    cleaned(&store, 100);
    assert_eq!(store.stats().expect("the disk").events, 2_000);
}

#[test]
fn conditions_say_what_is_stored() {
    let scratch = Scratch::new("conditions");
    let test = Test::Json {
        path: vec![Step::Key("a".into()), Step::Index(-1)],
        data_type: Some(JsonType::Number),
        value: Some(serde_json::json!(1)),
    };
    let conditions = vec![Condition { types: only("a"), test }];
    let store = scratch.open(DiskOptions { conditions, ..DiskOptions::default() });
    let mut events = Vec::new();
    for (text, instance) in
        [(r#"{"a": [0, 1.0]}"#, 1), (r#"{"a": [1, 0]}"#, 2), ("null", 3), (r#"{"a":[true]}"#, 4)]
    {
        let json = hat_core::eventer::Json::from_text(text).expect("JSON");
        events.push(Event {
            id: EventId::new(1, 1, instance),
            event_type: typed("a"),
            timestamp: at(1),
            source_timestamp: None,
            payload: Some(json.into()),
        });
    }
    let session = Arc::new(Session::new(events).expect("a session"));
    store.apply(&[session], &[], Sync::Now).expect("the disk");
    assert_eq!(ids(&store, ascending()), "1.1");
    assert_eq!(
        store.last(1).expect("the disk").id,
        EventId::new(1, 1, 4),
        "ids are not given twice"
    );
}

#[test]
fn an_answer_is_cut_by_bytes() {
    let scratch = Scratch::new("answer");
    let store = scratch.open(DiskOptions { max_answer: 25, ..DiskOptions::default() });
    store.apply(&[session_of(1, 10, "a a a a")], &[], Sync::Now).expect("the disk");
    assert_eq!(ids(&store, ascending()), "1.1 1.2 …");
    store.drain().expect("the disk");
    assert_eq!(ids(&store, server()), "1.1 1.2 …");
}

#[test]
fn a_second_process_is_refused() {
    let scratch = Scratch::new("lock");
    let first = scratch.open(DiskOptions::default());
    let second = DiskStore::open(&scratch.0, DiskOptions::default());
    assert!(matches!(second, Err(StoreError::Locked(_))), "{second:?}");
    drop(first);
    scratch.open(DiskOptions::default());
}

#[test]
fn a_store_of_another_version_is_refused_with_what_to_do() {
    let scratch = Scratch::new("version");
    let store = scratch.open(DiskOptions::default());
    store
        .change_file(&mut store.tables(), |transaction| {
            let mut table = transaction.open_table(STORE)?;
            table.insert(tables::VERSION_NAME, tables::VERSION - 1)?;
            Ok(())
        })
        .expect("the disk");
    drop(store);
    let error = DiskStore::open(&scratch.0, DiskOptions::default()).expect_err("it is older");
    assert!(matches!(error, StoreError::Unknown(_)), "{error:?}");
    assert!(error.to_string().contains("hat store export"), "{error}");
}

#[test]
fn what_was_reserved_is_remembered() {
    let scratch = Scratch::new("reserved");
    let store = scratch.open(DiskOptions::default());
    store.apply(&[], &[(5, 1_000)], Sync::Now).expect("the disk");
    drop(store);
    let last = scratch.open(DiskOptions::default()).last(5).expect("the disk");
    assert_eq!((last.id, last.reserved), (EventId::new(5, 0, 0), 1_000));
}

/// Every byte where the environment has `HAT_STORE_EVERY_BYTE`, which takes an hour; else a sample.
#[test]
fn a_flipped_byte_is_refused_or_changes_nothing() {
    let scratch = Scratch::new("flipped");
    let store = scratch.open(DiskOptions::default());
    for number in 1..=5 {
        store.apply(&[session_of(number, number, "a b a/c a")], &[], Sync::Now).expect("the disk");
        // of what comes after the first time, some waits; three times change the journal's file
        if number % 2 == 0 {
            store.drain().expect("the disk");
        }
    }
    store.drain().expect("the disk");
    assert_eq!(waiting(&store), (2, 12, 0));
    store.apply(&[session_of(6, 6, "a")], &[], Sync::Now).expect("the disk");
    let queries: [QueryParams; 4] = [
        ascending().into(),
        server().into(),
        LatestParams::default().into(),
        TimeseriesParams { event_types: Some(vec![typed("a/*")]), ..ascending() }.into(),
    ];
    let expected: Vec<_> = queries.iter().map(|query| ids(&store, query.clone())).collect();
    drop(store);
    let step = if std::env::var_os("HAT_STORE_EVERY_BYTE").is_some() { 1 } else { 331 };
    for name in [file::FILE, file::JOURNAL[0], file::JOURNAL[1]] {
        let path = scratch.0.join(name);
        let sound = std::fs::read(&path).expect("the file");
        // what is not zero is in use; of the rest, a sample
        let used = (0..sound.len()).filter(|at| sound[*at] != 0 || at % 4_099 == 0);
        // the first file of the journal holds what the tables have
        let step = if name == file::JOURNAL[1] { 1 } else { step };
        let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
        for at in used.step_by(step) {
            let mut flipped = sound.clone();
            flipped[at] ^= 0x10;
            std::fs::write(&path, &flipped).expect("the file");
            let outcome = match DiskStore::open(&scratch.0, DiskOptions::default()) {
                Err(_) => "refused",
                Ok(store) => {
                    let mut outcome = "nothing changed";
                    for (query, expected) in queries.iter().zip(&expected) {
                        match store.query(query) {
                            Err(_) => outcome = "refused at a query",
                            Ok(_) => assert_eq!(
                                &ids(&store, query.clone()),
                                expected,
                                "{name}, byte {at}"
                            ),
                        }
                    }
                    outcome
                }
            };
            *outcomes.entry(outcome).or_default() += 1;
        }
        std::fs::write(&path, &sound).expect("the file");
        let refused = outcomes.get("refused").is_some_and(|count| *count > 2);
        assert_eq!(refused, name != file::JOURNAL[0], "{name}: {outcomes:?}");
    }
}

#[test]
fn a_copy_has_everything_and_a_compact_store_too() {
    let (from, to) = (Scratch::new("copy-from"), Scratch::new("copy-to"));
    let mut dice = Dice(99);
    let mut store = from.open(DiskOptions { tail_events: 50, ..DiskOptions::default() });
    for number in 1..=40 {
        for server in 1..=2 {
            let session = Arc::new(random_session(&mut dice, server, number, at(number)));
            store.apply(&[session], &[(server, 1_000)], Sync::Now).expect("the disk");
        }
        while store.is_due() {
            store.tidy(at(number)).expect("the disk");
        }
    }
    let copied = store.copy_to(&to.0, |_| {}).expect("a copy");
    assert_eq!(copied, store.stats().expect("the disk").events);
    let copy = to.open(DiskOptions::default());
    let every = |store: &DiskStore| {
        let mut lines = Vec::new();
        let each = |event: Event| {
            lines.push(crate::json::event(&event));
            Ok::<_, StoreError>(())
        };
        store.for_each(each).expect("the disk");
        lines
    };
    let expected = every(&store);
    assert_eq!(every(&copy), expected);
    assert_eq!(copy.last(2).expect("the disk"), store.last(2).expect("the disk"));
    assert!(matches!(store.copy_to(&to.0, |_| {}), Err(StoreError::Path(..))), "a store is there");
    store.compact().expect("compact");
    assert_eq!(every(&store), expected);
    let report = store.check(|_| {}).expect("readable");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

/// What was written is there after an end without a word, wherever the journal and the tables
/// stood.
#[test]
fn what_is_on_its_way_into_the_tables_is_found_meanwhile_and_after_a_crash() {
    let scratch = Scratch::new("sealed");
    let store = scratch.open(DiskOptions { tail_events: 2, ..DiskOptions::default() });
    let all = "1.1 1.2 2.1 2.2 3.1 3.2 4.1 4.2 5.1 5.2";
    for number in 1..=5 {
        let session = session_of(number, number, "a b");
        // who applies and is never told that it is due waits by itself: one tail is sealed, and
        // then there are two
        store.apply(&[session], &[], Sync::Now).expect("the disk");
    }
    assert!(store.read().sealed.is_some() && store.read().tail.len() > 0);
    assert_eq!(ids(&store, server()), all);
    assert_eq!(ids(&store, ServerParams { persisted: true, ..server() }), all);
    assert_eq!(ids(&store, ascending()), all);
    drop(store);
    let store = scratch.open(DiskOptions::default());
    assert!(store.read().sealed.is_some(), "both files of the journal count");
    assert_eq!(ids(&store, server()), all);
    assert_eq!(ids(&store, LatestParams::default()), "5.1 5.2");
    let stats = store.stats().expect("the disk");
    assert_eq!((stats.events, stats.types), (10, 2));
    store.drain().expect("the disk");
    assert!(store.read().sealed.is_none() && store.read().tail.len() == 0);
    assert_eq!(ids(&store, ascending()), all);
    let report = store.check(|_| {}).expect("readable");
    assert_eq!((report.events, report.findings), (10, Vec::new()));
}

#[test]
fn a_journal_that_is_missing_or_cut_is_told() {
    let scratch = Scratch::new("cut");
    let store = scratch.open(DiskOptions::default());
    for number in 1..=3 {
        store.apply(&[session_of(number, number, "a")], &[], Sync::Now).expect("the disk");
    }
    let written = store.read().journal as usize;
    drop(store);
    let path = scratch.0.join(file::JOURNAL[usize::from(!journal_0_is_used(&scratch))]);
    let sound = std::fs::read(&path).expect("the journal");
    // the last frame, half written: it was never answered, were it the last; but here what is
    // behind it says that it was durable
    let mut torn = sound.clone();
    torn[written - 5] ^= 1;
    std::fs::write(&path, &torn).expect("the journal");
    let opened = DiskStore::open(&scratch.0, DiskOptions::default());
    assert!(matches!(opened, Err(StoreError::Damaged(_))), "{opened:?}");
    // with nothing behind it, it is where a crash was
    torn[written..].fill(0);
    std::fs::write(&path, &torn).expect("the journal");
    assert_eq!(ids(&scratch.open(DiskOptions::default()), server()), "1.1 2.1");
    std::fs::remove_file(&path).expect("the journal");
    let opened = DiskStore::open(&scratch.0, DiskOptions::default());
    assert!(matches!(opened, Err(StoreError::Failed(_))), "{opened:?}");
}

/// Whether the first file of the journal has something.
fn journal_0_is_used(scratch: &Scratch) -> bool {
    std::fs::metadata(scratch.0.join(file::JOURNAL[0])).is_ok_and(|file| file.len() > 0)
}

/// Files in memory, and how much was read of a journal at once.
#[derive(Clone, Debug, Default)]
struct Measured {
    files: [Arc<redb::backends::InMemoryBackend>; 3],
    most: Arc<std::sync::atomic::AtomicUsize>,
}

#[derive(Debug)]
struct MeasuredFile(Measured, usize);

impl Medium for Measured {
    fn open(&self) -> std::io::Result<Box<dyn redb::StorageBackend>> {
        Ok(Box::new(MeasuredFile(self.clone(), 2)))
    }

    fn journal(&self, number: usize) -> std::io::Result<Box<dyn redb::StorageBackend>> {
        Ok(Box::new(MeasuredFile(self.clone(), number)))
    }
}

impl redb::StorageBackend for MeasuredFile {
    fn len(&self) -> std::io::Result<u64> {
        self.0.files[self.1].len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        if self.1 < 2 {
            self.0.most.fetch_max(out.len(), std::sync::atomic::Ordering::Relaxed);
        }
        self.0.files[self.1].read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.0.files[self.1].set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.0.files[self.1].sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        let file = &self.0.files[self.1];
        file.set_len(file.len()?.max(offset + data.len() as u64))?;
        file.write(offset, data)
    }
}

#[test]
fn a_start_has_no_whole_journal_in_memory() {
    let medium = Measured::default();
    make_on(medium.open().expect("a file")).expect("a new store");
    let options = DiskOptions::default();
    let open = || DiskStore::open_on(Box::new(medium.clone()), options.clone());
    let store = open().expect("a store");
    for number in 1..=3 {
        store.apply(&[session_of(number, number, "a")], &[], Sync::Now).expect("applied");
    }
    drop(store);
    // room that was made for more, and never used
    let file = &medium.files[0];
    let end = file.len().expect("in memory");
    file.set_len(20 << 20).expect("in memory");
    let store = open().expect("a store");
    assert_eq!(store.stats().expect("stats").events, 3);
    drop(store);
    let most = medium.most.load(std::sync::atomic::Ordering::Relaxed);
    assert!(most <= 1 << 20, "{most} bytes at once");

    // a frame that comes after one that is gone is found wherever it is
    let mut frames = vec![0; usize::try_from(end).expect("it is short")];
    file.read(0, &mut frames).expect("in memory");
    let second = (1..frames.len() - 20).find(|at| {
        let number = |at: usize| &frames[at + 4..at + 12];
        at.is_multiple_of(4) && number(*at)[1..] == number(0)[1..] && number(*at) != number(0)
    });
    let second = second.expect("there are three frames");
    file.write(0, &vec![0; second]).expect("in memory");
    for at in [(1 << 20) - 20, (1 << 20) - 8, (1 << 20) + 4, (20 << 20) - frames.len() + second] {
        let moved = Measured::default();
        for (to, from) in moved.files.iter().zip(&medium.files) {
            let mut bytes =
                vec![0; usize::try_from(from.len().expect("in memory")).expect("short")];
            from.read(0, &mut bytes).expect("in memory");
            if Arc::ptr_eq(from, file) {
                bytes[..frames.len()].fill(0);
                bytes[at..at + frames.len() - second].copy_from_slice(&frames[second..]);
            }
            to.set_len(bytes.len() as u64).expect("in memory");
            to.write(0, &bytes).expect("in memory");
        }
        let opened = DiskStore::open_on(Box::new(moved), options.clone());
        assert!(matches!(opened, Err(StoreError::Damaged(_))), "at {at}: {opened:?}");
    }
}

#[test]
fn a_mark_is_of_the_sessions_that_are_there_after_any_end_and_in_any_copy() {
    let scratch = Scratch::new("marks");
    let options = || DiskOptions { tail_events: 40, ..DiskOptions::default() };
    let mut dice = Dice(77);
    let (mut number, mut synced) = (0_i64, 0_i64);
    let mut store = scratch.open(options());
    let marked = |store: &DiskStore| -> i64 {
        let mark = store.mark(1).expect("it is read");
        mark.map_or(0, |mark| String::from_utf8_lossy(&mark).parse().expect("a number"))
    };
    let everything = server;
    for _ in 0..400 {
        match dice.below(8) {
            0 => {
                // nothing is synced at the end
                drop(store);
                store = scratch.open(options());
                number = marked(&store);
                assert!(number >= synced, "what was synced is there");
            }
            1 => {
                store.sync().expect("synced");
                synced = number;
            }
            2 => drop(store.tidy(at(number)).expect("it goes on")),
            3 if number > 0 && dice.below(8) == 0 => {
                let copy = Scratch::new("marks-copy");
                store.copy_to(&copy.0, |_| {}).expect("a copy");
                let copied = copy.open(options());
                assert_eq!(marked(&copied), number);
                assert_eq!(ids(&copied, everything()), ids(&store, everything()));
            }
            choice => {
                let sessions: Vec<_> = (1..=dice.below(4) as i64)
                    .map(|more| session_of(number + more, 1, "a b"))
                    .collect();
                // a mark may move without sessions
                number += sessions.len() as i64;
                let sync = if choice == 4 { Sync::Now } else { Sync::Later };
                let mark = Bytes::from(number.to_string());
                store.apply_marked(&sessions, 1, mark, sync).expect("applied");
                if sync == Sync::Now {
                    synced = number;
                }
            }
        }
        assert_eq!(marked(&store), number);
        let last = store.last(1).expect("it is read").id.session;
        assert_eq!(last, number, "the mark and the sessions belong together");
        let persisted = ServerParams { persisted: true, ..everything() };
        assert_eq!(ids(&store, persisted), ids(&store, everything()), "durable elsewhere");
    }
    assert!(number > 50);
}
