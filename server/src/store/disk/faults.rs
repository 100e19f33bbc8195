//! A disk that fails as disks do, and a store that must not care.
//!
//! ```text
//! write ─> cache ─ sync ─> durable
//!
//! power lost: of what was not synced each sector is there or not, in any order
//! ```
//!
//! A seed says what happens. `HAT_STORE_SEEDS` says how many are tried, and `HAT_STORE_SEED` which
//! one alone.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hat_core::eventer::{
    Event, EventId, EventType, QueryParams, ServerParams, Subscription, Timestamp,
};
use redb::{ReadableDatabase, ReadableTable, StorageBackend};

use super::write::ChangeError;
use super::{DiskOptions, DiskStore, Medium, PARTS, Rule};
use crate::store::{Session, Store, StoreError, Sync};

const SECTOR: usize = 512;

/// A file of it: the tables, or one of the journal.
#[derive(Clone, Debug)]
struct Disk(Arc<Mutex<State>>, usize);

#[derive(Debug)]
struct State {
    dice: u64,
    files: [File; 3],
    /// Operations until the power is lost, or nothing more fails.
    power: Option<u64>,
    is_off: bool,
    /// Operations until a write or a sync fails, and how.
    fault: Option<(u64, Fault)>,
    /// Bytes that there is room for in the tables.
    quota: Option<usize>,
    /// Reads of a file that fail: its number, and how many of the next ones.
    unreadable: Option<(usize, u64)>,
}

#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    cache: Vec<u8>,
    /// What was written since the last sync, by sector.
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Until there is room again.
    Full,
    Write,
    Sync,
}

impl Disk {
    fn new(seed: u64) -> Self {
        let files = Default::default();
        let state = State {
            dice: seed,
            files,
            power: None,
            is_off: false,
            fault: None,
            quota: None,
            unreadable: None,
        };
        Self(Arc::new(Mutex::new(state)), 0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn below(&self, most: u64) -> u64 {
        self.lock().below(most)
    }

    /// The power is lost and comes back.
    fn crash(&self) {
        let mut state = self.lock();
        for file in 0..3 {
            let mut unsynced = std::mem::take(&mut state.files[file].unsynced);
            while !unsynced.is_empty() {
                let at = state.below(unsynced.len() as u64) as usize;
                let (offset, data) = unsynced.swap_remove(at);
                match state.below(4) {
                    0 | 1 => state.files[file].persist(offset, &data),
                    2 => {}
                    // torn within a sector, as few disks do
                    _ => {
                        let part = state.below(data.len() as u64 + 1) as usize;
                        state.files[file].persist(offset, &data[..part]);
                    }
                }
            }
            let file = &mut state.files[file];
            file.cache = file.durable.clone();
        }
        state.is_off = false;
        state.power = None;
        state.fault = None;
    }
}

impl State {
    fn below(&mut self, most: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % most
    }

    /// Whether a file may be so long.
    fn has_room(&self, file: usize, len: usize) -> io::Result<()> {
        let is_full = file == 0 && self.quota.is_some_and(|most| len > most);
        if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn operation(&mut self, file: usize, kind: Fault) -> io::Result<()> {
        let off = || io::Error::other("the power is off");
        if self.is_off {
            return Err(off());
        }
        if let Some(left) = &mut self.power {
            if *left == 0 {
                self.is_off = true;
                return Err(off());
            }
            *left -= 1;
        }
        let Some((left, fault)) = &mut self.fault else { return Ok(()) };
        if *left > 0 {
            *left -= 1;
            return Ok(());
        }
        match (*fault, kind) {
            (Fault::Full, Fault::Write) => Err(io::ErrorKind::StorageFull.into()),
            (Fault::Write, Fault::Write) => {
                self.fault = None;
                Err(io::Error::other("EIO on write"))
            }
            (Fault::Sync, Fault::Sync) => {
                self.fault = None;
                // what could not be written is clean from now on, and in the cache: nobody will
                // write it
                let lost = std::mem::take(&mut self.files[file].unsynced);
                for (offset, data) in lost {
                    if self.below(2) == 0 {
                        self.files[file].persist(offset, &data);
                    }
                }
                Err(io::Error::other("EIO on sync"))
            }
            _ => Ok(()),
        }
    }
}

impl File {
    fn persist(&mut self, offset: usize, data: &[u8]) {
        if self.durable.len() < offset + data.len() {
            self.durable.resize(offset + data.len(), 0);
        }
        self.durable[offset..offset + data.len()].copy_from_slice(data);
    }
}

impl Medium for Disk {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(self.clone()))
    }

    fn journal(&self, number: usize) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(Self(self.0.clone(), 1 + number)))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().files[self.1].cache.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.lock();
        if state.is_off {
            return Err(io::Error::other("the power is off"));
        }
        if let Some((file, left)) = &mut state.unreadable
            && *file == self.1
            && *left > 0
        {
            *left -= 1;
            return Err(io::Error::other("EIO on read"));
        }
        let start = offset as usize;
        let data = state.files[self.1].cache.get(start..start + out.len());
        out.copy_from_slice(data.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.lock();
        state.operation(self.1, Fault::Write)?;
        state.has_room(self.1, len as usize)?;
        // the length is the file system's: its journal keeps it
        let file = &mut state.files[self.1];
        file.cache.resize(len as usize, 0);
        file.durable.resize(len as usize, 0);
        file.unsynced.retain(|(offset, data)| offset + data.len() <= len as usize);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.operation(self.1, Fault::Sync)?;
        let file = &mut state.files[self.1];
        for (offset, data) in std::mem::take(&mut file.unsynced) {
            file.persist(offset, &data);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        state.operation(self.1, Fault::Write)?;
        state.has_room(self.1, offset as usize + data.len())?;
        let file = &mut state.files[self.1];
        let mut at = offset as usize;
        if file.cache.len() < at + data.len() {
            file.cache.resize(at + data.len(), 0);
        }
        file.cache[at..at + data.len()].copy_from_slice(data);
        let mut left = data;
        while !left.is_empty() {
            let size = (SECTOR - at % SECTOR).min(left.len());
            let (sector, rest) = left.split_at(size);
            file.unsynced.push((at, sector.to_vec()));
            at += size;
            left = rest;
        }
        Ok(())
    }
}

fn session(number: i64, count: i64) -> Arc<Session> {
    let event = |instance| Event {
        id: EventId::new(1, number, instance),
        event_type: EventType::from_segments([(instance % 7).to_string()]),
        timestamp: Timestamp::from_secs(number),
        source_timestamp: (instance % 2 == 0).then(|| Timestamp::from_secs(instance)),
        payload: None,
    };
    Arc::new(Session::new((1..=count).map(event).collect()).expect("a session"))
}

/// What the store has, session by session.
fn sessions(store: &DiskStore) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let last_event_id = events.last().map(|event| event.id);
        let params = ServerParams { server_id: 1, last_event_id, ..ServerParams::default() };
        let answer = store.query(&QueryParams::Server(params)).expect("an answer").into_result();
        events.extend(answer.events);
        if !answer.more_follows {
            return events;
        }
    }
}

/// So many are kept that the last session stays, whatever else may be there.
fn newest() -> Rule {
    Rule {
        types: Subscription::new([EventType::from_segments(["*"])]).expect("types"),
        max_entries: Some(300),
        min_entries: 0,
        max_age: None,
        age_by_source: false,
        by_source: None,
        max_bytes: None,
        keep_latest: true,
    }
}

/// Some lives of a store on one disk.
fn lives(seed: u64) {
    let disk = Disk::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..10 {
        disk.below(2);
    }
    // a folder gets its file by a new name, when it is whole
    super::make_on(Box::new(disk.clone())).expect("a new store");
    // and with something to remove
    let keeps_all = !seed.is_multiple_of(3);
    let options = DiskOptions {
        tail_events: 40,
        cache: 1 << 20,
        // checked by redb in its own way, and by us below
        check_below: if seed.is_multiple_of(2) { 0 } else { u64::MAX },
        rules: if keeps_all { Vec::new() } else { vec![newest()] },
        ..DiskOptions::default()
    };
    let mut answered: Vec<Arc<Session>> = Vec::new();
    let mut next = 1;
    for _life in 0..3 + disk.below(3) {
        // also while it opens
        if disk.below(2) == 0 {
            disk.lock().power = Some(disk.below(60));
        }
        let store = match DiskStore::open_on(Box::new(disk.clone()), options.clone()) {
            Ok(store) => store,
            Err(error) => {
                assert!(disk.lock().is_off, "seed {seed}: {error}");
                disk.crash();
                continue;
            }
        };
        let power = disk.below(300);
        disk.lock().power = Some(power);
        if disk.below(2) == 0 {
            let fault = [Fault::Full, Fault::Write, Fault::Sync][disk.below(3) as usize];
            let after = disk.below(100);
            disk.lock().fault = Some((after, fault));
        }
        for _ in 0..60 {
            let session = session(next, 1 + disk.below(12) as i64);
            next += 1;
            match store.apply(std::slice::from_ref(&session), &[], Sync::Now) {
                Ok(()) => answered.push(session),
                Err(StoreError::Full(_)) => {
                    // as the log does
                    let bytes = disk.below(100_000) as usize;
                    if let Err(StoreError::Failed(_)) = store.probe(bytes) {
                        drop(store.recover());
                    }
                    if disk.below(3) == 0 {
                        disk.lock().fault = None;
                    }
                }
                Err(_) => drop(store.recover()),
            }
            if store.is_due() {
                let _ = store.tidy(Timestamp::from_secs(next));
            }
            if disk.lock().is_off {
                break;
            }
        }
        // the end of the process, with or without the power
        let is_clean = !disk.lock().is_off && disk.below(2) == 0;
        if is_clean {
            disk.lock().power = None;
            disk.lock().fault = None;
        } else {
            disk.lock().is_off = true;
        }
        drop(store);
        if !is_clean {
            disk.crash();
        }
    }
    disk.crash();
    let store = DiskStore::open_on(Box::new(disk.clone()), options).unwrap_or_else(|error| {
        panic!("seed {seed}: {error}");
    });
    let report = store.check(|_| {}).expect("readable");
    assert!(report.findings.is_empty(), "seed {seed}: {:?}", report.findings);
    let found = sessions(&store);
    assert!(found.is_sorted_by_key(|event| event.id), "seed {seed}");
    let mut found = found.iter().peekable();
    // of those that a rule keeps, the last are there for certain
    let from = if keeps_all { 0 } else { answered.len().saturating_sub(1) };
    for session in &answered[from..] {
        for event in session.events() {
            // what was refused may be there, too, if the disk was what failed
            while found.next_if(|other| other.id < event.id).is_some() {}
            assert_eq!(found.next(), Some(event), "seed {seed}: an answered event is lost");
        }
    }
}

#[test]
fn no_answered_event_is_lost_whatever_the_disk_does() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = number("HAT_STORE_SEED") {
        return lives(seed);
    }
    for seed in 1..=number("HAT_STORE_SEEDS").unwrap_or(250) {
        lives(seed);
    }
}

/// A new store on a disk that fails when it is told to.
fn new_store(options: DiskOptions) -> (Disk, DiskStore) {
    let disk = Disk::new(1);
    super::make_on(Box::new(disk.clone())).expect("a new store");
    let store = DiskStore::open_on(Box::new(disk.clone()), options).expect("a store");
    (disk, store)
}

#[track_caller]
fn is_sound(store: &DiskStore) {
    let report = store.check(|_| {}).expect("readable");
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

/// Each record of events as it is, or nothing where it cannot be read.
fn records(transaction: &redb::ReadTransaction) -> Option<Vec<Vec<u8>>> {
    let table = transaction.open_table(PARTS).ok()?;
    let records = table.iter().ok()?.map(|entry| Some(entry.ok()?.1.value().to_vec()));
    records.collect()
}

#[test]
fn who_reads_on_while_the_file_is_opened_anew_changes_nothing_when_that_ends() {
    // nothing is read from memory
    let options = || DiskOptions { cache: 0, check_below: 0, ..DiskOptions::default() };
    let (disk, store) = new_store(options());
    let mut answered: Vec<Arc<Session>> = Vec::new();
    let apply = |answered: &mut Vec<Arc<Session>>| {
        for _ in 0..20 {
            let session = session(1 + answered.len() as i64, 12);
            store.apply(std::slice::from_ref(&session), &[], Sync::Now).expect("applied");
            answered.push(session);
        }
    };
    for why in ["a sync", "damage", "a panic", "a sync"] {
        apply(&mut answered);
        store.drain().expect("the disk");
        apply(&mut answered);
        // of the file as it was opened first, and again after a fault
        let mut readers = Vec::new();
        for _ in 0..2 {
            let database = store.read().database.clone().expect("it is open");
            let transaction = database.begin_read().expect("a transaction");
            let before = records(&transaction).expect("it can be read");
            readers.push((transaction, before, database));
            match why {
                "a sync" if readers.len() == 1 => {
                    disk.lock().fault = Some((0, Fault::Sync));
                    store.drain().expect_err("it fails");
                }
                // the second time the fault is still there
                "a sync" => {}
                why => drop(store.change_file(&mut store.tables(), |_| match why {
                    "damage" => Err(ChangeError::Damaged),
                    _ => panic!("as redb may do"),
                })),
            }
            if why != "a sync" || readers.len() == 2 {
                store.recover().expect("the disk works again");
            }
        }
        for _ in 0..2 {
            store.drain().expect("the disk");
            apply(&mut answered);
        }
        for (transaction, before, database) in readers {
            let after = records(&transaction);
            assert!(after.is_none_or(|after| after == before), "{why}: what is read is not that");
            drop((transaction, database));
        }
        store.drain().expect("the disk");
        is_sound(&store);
        let events = answered.iter().flat_map(|session| session.events());
        assert!(sessions(&store).iter().eq(events), "{why}: what was answered is there");
    }
    drop(store);
    disk.crash();
    let store = DiskStore::open_on(Box::new(disk), options()).expect("a store");
    is_sound(&store);
    let events = answered.iter().flat_map(|session| session.events());
    assert!(sessions(&store).iter().eq(events), "what was answered is there");
}

#[test]
fn a_query_begins_anew_where_the_file_is_opened_anew_meanwhile() {
    let options = DiskOptions { cache: 0, check_below: 0, ..DiskOptions::default() };
    let (_, store) = new_store(options);
    let event = |instance: i64| Event {
        id: EventId::new(1, 1, instance),
        event_type: EventType::from_segments([format!("{instance:04}")]),
        timestamp: Timestamp::from_secs(1),
        source_timestamp: None,
        payload: None,
    };
    let session = Arc::new(Session::new((1..=1_000).map(event).collect()).expect("a session"));
    store.apply(&[session], &[], Sync::Now).expect("applied");
    store.drain().expect("the disk");
    for most in [1, 2, super::TRIES, super::TRIES + 1] {
        let times = std::cell::Cell::new(0);
        let finds = |one: &EventType| {
            if one.segments().next() == Some("0001") && times.replace(times.get() + 1) + 1 < most {
                let changed = store.change_file(&mut store.tables(), |_| Err(ChangeError::Damaged));
                changed.expect_err("it is refused");
                store.recover().expect("the disk");
            }
            true
        };
        let found = store.search(&finds, 5_000, 1 << 20);
        if most <= super::TRIES {
            assert_eq!(found.expect("found").events.len(), 1_000);
        } else {
            let error = found.expect_err("three times are enough").to_string();
            assert!(error.contains("opened anew"), "{error}");
        }
        assert_eq!(times.get(), most.min(super::TRIES));
    }
}

#[test]
fn a_rule_holds_after_a_commit_that_failed_and_may_be_there_all_the_same() {
    let mut failed = 0;
    for after in 0..120 {
        let options = DiskOptions {
            tail_events: 40,
            cache: 1 << 20,
            check_below: 0,
            rules: vec![newest()],
            ..DiskOptions::default()
        };
        let (disk, store) = new_store(options);
        let now = Timestamp::from_secs(0);
        let clean = || while store.tidy(now).expect("the disk") {};
        let count = || store.stats().expect("readable").events;
        let sessions: Vec<_> = (1..=30).map(|number| session(number, 12)).collect();
        store.apply(&sessions, &[], Sync::Now).expect("applied");
        clean();
        assert_eq!(count(), 300);
        let sessions: Vec<_> = (31..=36).map(|number| session(number, 12)).collect();
        store.apply(&sessions, &[], Sync::Now).expect("applied");
        // in the commit that brings them in, or in the one that removes as many
        disk.lock().fault = Some((after, Fault::Sync));
        if store.tidy(now).is_err() {
            failed += 1;
            store.recover().expect("the disk works again");
        }
        disk.lock().fault = None;
        clean();
        is_sound(&store);
        assert_eq!(count(), 300, "a sync failed after {after} operations");
        let sessions: Vec<_> = (37..=39).map(|number| session(number, 20)).collect();
        store.apply(&sessions, &[], Sync::Now).expect("applied");
        clean();
        assert_eq!(count(), 300, "a sync failed after {after} operations");
    }
    assert!(failed > 10, "{failed}");
}

/// Nothing of the file is kept in memory, and all of it is in the tables.
fn uncached(sessions: i64) -> (Disk, DiskStore) {
    let options = DiskOptions { cache: 0, check_below: 0, ..DiskOptions::default() };
    let (disk, store) = new_store(options);
    let sessions: Vec<_> = (1..=sessions).map(|number| session(number, 12)).collect();
    store.apply(&sessions, &[], Sync::Now).expect("applied");
    store.drain().expect("the disk");
    (disk, store)
}

fn everything() -> QueryParams {
    ServerParams { server_id: 1, ..ServerParams::default() }.into()
}

#[test]
fn a_disk_that_cannot_be_read_has_failed_and_the_store_is_not_damaged() {
    let (disk, store) = uncached(20);
    disk.lock().unreadable = Some((0, u64::MAX));
    let is_failed = |error: StoreError| {
        let text = error.to_string();
        assert!(matches!(error, StoreError::Failed(_)) && text.contains("EIO on read"), "{text}");
    };
    for _ in 0..3 {
        match store.query(&everything()).expect_err("it cannot be read") {
            crate::store::QueryError::Store(error) => is_failed(error),
            other => panic!("{other}"),
        }
    }
    is_failed(store.check(|_| {}).expect_err("it cannot be read"));
    is_failed(store.stats().expect_err("it cannot be read"));
    let copied: Result<(), StoreError> = store.for_each(|_| Ok(()));
    is_failed(copied.expect_err("it cannot be read"));
    let opened = DiskStore::open_on(Box::new(disk.clone()), DiskOptions::default());
    is_failed(opened.expect_err("it cannot be read"));
    // a file that ends too early is no fault of the disk
    disk.lock().unreadable = None;
    let half = disk.lock().files[0].cache.len() / 2;
    for bytes in [half, half / 2] {
        let state = &mut *disk.lock();
        state.files[0].cache.truncate(bytes);
        state.files[0].durable.truncate(bytes);
    }
    let opened = DiskStore::open_on(Box::new(disk), DiskOptions::default());
    let error = opened.expect_err("half of it is gone");
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
}

#[test]
fn a_read_that_failed_once_is_the_only_query_without_an_answer() {
    let (disk, store) = uncached(20);
    for _ in 0..3 {
        disk.lock().unreadable = Some((0, 1));
        store.query(&everything()).expect_err("it cannot be read");
        assert_eq!(sessions(&store).len(), 240, "it can be read again");
    }
    // and what is registered goes on
    let next = session(21, 12);
    store.apply(&[next], &[], Sync::Now).expect("applied");
    store.drain().expect("the disk");
    assert_eq!(sessions(&store).len(), 252);
    is_sound(&store);
}

#[test]
fn rules_go_on_after_a_read_that_failed() {
    let rules = vec![newest()];
    let options = DiskOptions { cache: 0, check_below: 0, rules, ..DiskOptions::default() };
    let (disk, store) = new_store(options);
    let all: Vec<_> = (1..=40).map(|number| session(number, 12)).collect();
    store.apply(&all, &[], Sync::Now).expect("applied");
    store.drain().expect("the disk");
    let now = Timestamp::from_secs(50);
    disk.lock().unreadable = Some((0, 1));
    let error = store.tidy(now).expect_err("it cannot be read");
    assert!(matches!(error, StoreError::Failed(_)), "{error}");
    // as the log does
    store.recover().expect("the disk works again");
    while store.tidy(now).expect("the disk") {}
    assert_eq!(store.stats().expect("readable").events, 300);
    is_sound(&store);
}

#[test]
fn it_goes_on_when_there_is_room_again() {
    let (disk, store) = uncached(20);
    store.apply(&[session(21, 12)], &[], Sync::Now).expect("applied");
    for after in 0..6 {
        disk.lock().fault = Some((after, Fault::Full));
        let error = store.drain().expect_err("there is no room");
        assert!(matches!(error, StoreError::Full(_)), "{error}");
        disk.lock().fault = None;
        assert_eq!(sessions(&store).len(), 252, "queries go on");
    }
    store.drain().expect("there is room");
    store.apply(&[session(22, 12)], &[], Sync::Now).expect("applied");
    store.drain().expect("the disk");
    assert_eq!(sessions(&store).len(), 264);
    is_sound(&store);
}

/// A full disk is asked for room, also where the file itself is long enough; and a crash finds what
/// is durable where it was asked.
#[test]
fn room_is_asked_for_without_a_trace() {
    let (disk, store) = uncached(3);
    for bytes in [0, 100, 1 << 20] {
        disk.lock().fault = Some((0, Fault::Full));
        let error = store.probe(bytes).expect_err("there is no room");
        assert!(matches!(error, StoreError::Full(_)), "{error}");
        disk.lock().fault = None;
        store.probe(bytes).expect("there is room");
    }
    store.apply(&[session(4, 12)], &[], Sync::Now).expect("applied");
    store.probe(1000).expect("there is room");
    drop(store);
    disk.crash();
    let store = DiskStore::open_on(Box::new(disk), DiskOptions::default()).expect("sound");
    assert_eq!(sessions(&store).len(), 48);
    is_sound(&store);
}

/// A store with these sessions, and a disk that has no room for what came behind them.
fn full(rule: Rule, sessions: &[Arc<Session>]) -> DiskStore {
    let rules = vec![rule];
    let options = DiskOptions { cache: 0, check_below: 0, rules, ..DiskOptions::default() };
    let (disk, store) = new_store(options);
    let mut number = sessions.len() as i64;
    store.apply(sessions, &[], Sync::Now).expect("applied");
    store.drain().expect("there is room");
    let size = disk.lock().files[0].cache.len();
    disk.lock().quota = Some(size);
    while store.drain().is_ok() {
        let more: Vec<_> = (1..=1000).map(|next| session(number + next, 12)).collect();
        number += 1000;
        store.apply(&more, &[], Sync::Now).expect("the journal has room");
    }
    let error = store.drain().expect_err("there is no room");
    assert!(matches!(error, StoreError::Full(_)), "{error}");
    store
}

/// Where there is no room for what came, rules that keep less make some.
#[test]
fn rules_make_room_on_a_full_disk() {
    let sessions: Vec<_> = (1..=1000).map(|number| session(number, 12)).collect();
    let store = full(newest(), &sessions);
    for hour in 1..1000 {
        store.tidy(Timestamp::from_secs(hour * 3600)).expect("rules make room");
    }
    store.drain().expect("there is room");
    assert_eq!(store.stats().expect("readable").events, 300);
    is_sound(&store);
}

#[test]
fn rules_look_past_the_events_of_others_on_a_full_disk() {
    // more events of no rule than are looked at in one go, and some of one behind them
    let others = (1..=4000).map(|number| session(number, 5));
    let sessions: Vec<_> = others.chain((4001..=5000).map(|number| session(number, 12))).collect();
    let types = Subscription::new([EventType::from_segments(["6"])]).expect("types");
    let store = full(Rule { types, max_entries: Some(10), ..newest() }, &sessions);
    let before = store.stats().expect("readable").events;
    for hour in 1..4 {
        store.tidy(Timestamp::from_secs(hour * 3600)).expect("the rule makes room");
    }
    assert!(store.stats().expect("readable").events < before);
}

#[test]
fn a_store_that_was_not_made_compact_is_used_on() {
    // somebody has it open still
    let (_, mut store) = uncached(20);
    let held = store.read().database.clone().expect("it is open");
    let transaction = held.begin_read().expect("a transaction");
    for _ in 0..2 {
        store.compact().expect_err("it is in use");
        assert_eq!(sessions(&store).len(), 240);
    }
    drop((transaction, held));
    store.compact().expect("nobody has it");
    assert_eq!(sessions(&store).len(), 240);
}

#[test]
fn compacting_on_a_disk_that_fails_loses_nothing() {
    let options = || DiskOptions {
        cache: 0,
        check_below: 0,
        rules: vec![newest()],
        ..DiskOptions::default()
    };
    for kind in [Fault::Full, Fault::Write, Fault::Sync] {
        let mut failed = 0;
        for after in 0.. {
            let (disk, mut store) = new_store(options());
            // with something to give back
            let all: Vec<_> = (1..=60).map(|number| session(number, 12)).collect();
            store.apply(&all, &[], Sync::Now).expect("applied");
            store.drain().expect("the disk");
            while store.tidy(Timestamp::from_secs(70)).expect("the disk") {}
            let kept = sessions(&store);
            assert_eq!(kept.len(), 300);

            disk.lock().fault = Some((after, kind));
            let compacted = store.compact();
            let is_over = disk.lock().fault.take().is_some_and(|(left, _)| left > 0);
            assert!(sessions(&store) == kept, "{kind:?} after {after} operations: queries go on");
            if compacted.is_err() {
                failed += 1;
                // the next command, or whoever goes on
                if after % 2 == 0 {
                    drop(store);
                    store = DiskStore::open_on(Box::new(disk.clone()), options()).expect("a store");
                } else {
                    store.recover().expect("the disk works again");
                }
            }
            store.compact().expect("the disk works again");
            let next = session(61, 12);
            store.apply(std::slice::from_ref(&next), &[], Sync::Now).expect("applied");
            is_sound(&store);
            drop(store);
            disk.crash();
            let store = DiskStore::open_on(Box::new(disk), options()).expect("a store");
            is_sound(&store);
            let expected = kept.iter().chain(next.events());
            assert!(sessions(&store).iter().eq(expected), "{kind:?} after {after} operations");
            if is_over {
                break;
            }
        }
        assert!(failed > 5, "{kind:?}: {failed}");
    }
}

/// The disk, of which it is noted what is done after the medium is gone, which has the lock.
#[derive(Debug)]
struct Locked(Disk, Arc<AtomicBool>, Arc<AtomicU64>);

impl Drop for Locked {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
    }
}

impl Medium for Locked {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(Noting(self.0.clone(), self.1.clone(), self.2.clone())))
    }

    fn journal(&self, number: usize) -> io::Result<Box<dyn StorageBackend>> {
        self.0.journal(number)
    }
}

#[derive(Debug)]
struct Noting(Disk, Arc<AtomicBool>, Arc<AtomicU64>);

impl Noting {
    fn note(&self) {
        let is_unlocked = self.1.load(Ordering::Relaxed);
        self.2.fetch_add(u64::from(is_unlocked), Ordering::Relaxed);
    }
}

impl StorageBackend for Noting {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.note();
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.note();
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note();
        self.0.write(offset, data)
    }
}

#[test]
fn nothing_is_written_after_the_lock_was_given_back() {
    let disk = Disk::new(1);
    super::make_on(Box::new(disk.clone())).expect("a new store");
    let written = Arc::<AtomicU64>::default();
    let medium = Locked(disk, Arc::default(), written.clone());
    let store = DiskStore::open_on(Box::new(medium), DiskOptions::default()).expect("a store");
    store.apply(&[session(1, 12)], &[], Sync::Now).expect("applied");
    store.drain().expect("the disk");
    drop(store);
    assert_eq!(written.load(Ordering::Relaxed), 0, "who has the lock by then writes, too");
}
