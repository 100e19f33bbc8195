//! The check of a store: every table against every other.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use hat_core::eventer::{Event, EventId, EventType, OrderBy};
use hat_core::sbs;
use redb::{ReadableDatabase, ReadableTable};

use super::blocks;
use super::file::Fault;
use super::pending::Change;
use super::tables::{self, PARTS, SERVERS, STORE, Server, TYPES, Type};
use super::tail::Tail;
use super::write::ChangeError;
use super::{DiskStore, guarded, is_in, part, pending, wrong};
use crate::store::index::Key;
use crate::store::{StoreError, is_later};

/// What a check has found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Events that were read.
    pub events: u64,
    /// Types that were read.
    pub types: u64,
    /// Servers whose events there are.
    pub servers: u64,
    /// What is wrong, at most a hundred of it. Without any, every table agrees with every other.
    pub findings: Vec<Finding>,
}

/// Something that is wrong, for a person to read.
pub type Finding = String;

/// An order of events does not change it, and one that is missing, doubled or changed does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Checksum {
    count: u64,
    hash: u64,
}

impl Checksum {
    fn add(&mut self, prefix: u64, key: Key) {
        self.count = self.count.wrapping_add(1);
        self.hash = self.hash.wrapping_add(Self::of(prefix, key));
    }

    fn take(&mut self, prefix: u64, key: Key) {
        self.count = self.count.wrapping_sub(1);
        self.hash = self.hash.wrapping_sub(Self::of(prefix, key));
    }

    fn of(prefix: u64, key: Key) -> u64 {
        let raw = blocks::raw(prefix, key);
        let low = u64::from(crc32c::crc32c(&raw));
        let high = u64::from(crc32c::crc32c_append(0x5bd1_e995, &raw[8..]));
        (high << 32 | low).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl DiskStore {
    /// Reads everything, and holds every table against every other. Takes some microseconds an
    /// event, and memory for each type. `progress` is told how many events were read, now and then.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where it cannot be read at all. What is wrong in it is in the [`Report`].
    pub fn check(&self, progress: impl FnMut(u64)) -> Result<Report, StoreError> {
        let (progress, found) = (RefCell::new(progress), Cell::new(None));
        let checked = self.reading(|| {
            let mut report = Report::default();
            let checked = self.check_once(&mut report, &mut *progress.borrow_mut());
            found.set(Some(report));
            checked
        });
        let mut report = found.take().unwrap_or_default();
        match checked {
            Err(StoreError::Damaged(what)) => report.findings.push(what.to_string()),
            other => other?,
        }
        Ok(report)
    }

    fn check_once(
        &self,
        report: &mut Report,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), StoreError> {
        let (transaction, sealed, mut in_tail) = {
            let state = self.read();
            let transaction = state.database.clone()?.begin_read();
            let in_tail = JournalContent::of(&state.tail);
            (transaction, state.sealed.clone(), in_tail)
        };
        guarded(|| {
            let run = || {
                let transaction = transaction?;
                if let Some(sealed) = &sealed
                    && !is_in(&transaction, sealed)?
                {
                    in_tail.add(&sealed.tail);
                }
                Check { report, progress }.run(&transaction, in_tail)
            };
            run().map_err(|error| match error {
                ChangeError::Redb(error) => wrong(&Fault::default(), &error),
                ChangeError::Damaged => blocks::Damaged.into(),
            })
        })
    }
}

struct Check<'a> {
    report: &'a mut Report,
    progress: &'a mut dyn FnMut(u64),
}

/// What is in the journal and not in the tables. Its frames were checked when they were read.
#[derive(Default)]
struct JournalContent {
    events: u64,
    types: HashSet<EventType>,
    servers: BTreeSet<i64>,
}

impl JournalContent {
    fn of(tail: &Tail) -> Self {
        let mut all = Self::default();
        all.add(tail);
        all
    }

    fn add(&mut self, tail: &Tail) {
        self.events += tail.len() as u64;
        self.types.extend(tail.types.keys().cloned());
        self.servers.extend(tail.servers());
    }
}

/// What is known of a type, and the latest event of it that was seen.
struct TypeReport {
    known: Type,
    latest: Option<Event>,
    /// The latest event, where it waits.
    waiting: Option<EventId>,
    found_latest: bool,
    events: u64,
    bytes: u64,
}

impl Check<'_> {
    fn finding(&mut self, finding: String) {
        if self.report.findings.len() < 100 {
            self.report.findings.push(finding);
        }
    }

    fn run(
        &mut self,
        transaction: &redb::ReadTransaction,
        tail: JournalContent,
    ) -> Result<(), ChangeError> {
        let mut servers: BTreeMap<i64, Server> = BTreeMap::new();
        for entry in transaction.open_table(SERVERS)?.iter()? {
            let (server_id, record) = entry?;
            servers
                .insert(server_id.value(), Server::from_bytes(server_id.value(), record.value())?);
        }
        let mut types: HashMap<EventType, TypeReport> = HashMap::new();
        let mut outside: BTreeSet<EventId> = BTreeSet::new();
        let mut numbers: HashMap<u64, EventType> = HashMap::new();
        for entry in transaction.open_table(TYPES)?.iter()? {
            let (key, record) = entry?;
            let known = Type::from_bytes(key.value(), record.value())?;
            let event_type = tables::type_of(key.value())?;
            let latest: Option<Event> = match &known.latest {
                Some(stored) => Some(sbs::decode(stored).map_err(|_| ChangeError::Damaged)?),
                None => None,
            };
            if let Some(latest) = &latest {
                if latest.event_type != event_type {
                    self.finding(format!("the latest event of {event_type} is of another type"));
                }
                if !known.in_series {
                    outside.insert(latest.id);
                }
            }
            if let Some(other) = numbers.insert(known.number, event_type.clone()) {
                self.finding(format!("{event_type} and {other} have the same number"));
            }
            let seen = TypeReport {
                known,
                latest,
                waiting: None,
                found_latest: false,
                events: 0,
                bytes: 0,
            };
            types.insert(event_type, seen);
        }
        let pending = self.pending(transaction, &numbers, &mut types)?;
        let expected = self.events(transaction, &servers, &mut types, &outside)?;
        self.indexes(transaction, &numbers, pending, expected)?;
        for (event_type, seen) in &types {
            if seen.known.latest.is_some() && !seen.found_latest {
                self.finding(format!("the latest event of {event_type} is not among the events"));
            }
            if (seen.events, seen.bytes) != (seen.known.events, seen.known.bytes) {
                self.finding(format!("the count of the events of {event_type} is wrong"));
            }
        }
        let store = transaction.open_table(STORE)?;
        let counted = store.get(tables::EVENTS_NAME)?.map_or(0, |count| count.value());
        let series: u64 = types.values().map(|seen| seen.events).sum();
        if counted != series {
            self.finding(format!("the count of events is {counted}, but there are {series}"));
        }
        let new = tail.types.iter().filter(|event_type| !types.contains_key(*event_type)).count();
        self.report.types = (types.len() + new) as u64;
        let new = tail.servers.iter().filter(|server_id| !servers.contains_key(server_id)).count();
        self.report.servers = (servers.len() + new) as u64;
        self.report.events += tail.events;
        Ok(())
    }

    /// What waits to go into the indexes of types: it counts as if it were there.
    fn pending(
        &mut self,
        transaction: &redb::ReadTransaction,
        numbers: &HashMap<u64, EventType>,
        types: &mut HashMap<EventType, TypeReport>,
    ) -> Result<[Checksum; 4], ChangeError> {
        let mut sums = [Checksum::default(); 4];
        let mut latest: HashMap<u64, Key> = HashMap::new();
        // of each bucket it is read before what came
        let mut gone: HashSet<EventId> = HashSet::new();
        pending::all(&transaction.open_table(pending::TABLE)?, |record| {
            let waiting = match record {
                Ok(waiting) => waiting,
                Err(key) => {
                    let finding = format!("the record {key:?} of pending events is damaged");
                    return self.finding(finding);
                }
            };
            for change in waiting {
                let (is_gone, number, one) = match change {
                    Change::Came(number, one) => (false, number, one),
                    Change::Gone(number, one) => (true, number, one),
                };
                let Some(seen) = numbers.get(number).and_then(|one| types.get_mut(one)) else {
                    self.finding(format!(
                        "there are pending events of the unknown type number {number}"
                    ));
                    continue;
                };
                let before = seen.latest.as_ref().map(|latest| latest.id);
                let is_latest = is_gone && before == Some(one.key.1);
                if !seen.known.in_series || before.is_none() || is_latest {
                    let of = &numbers[number];
                    self.finding(format!("there are pending events of {of}, but no latest event"));
                }
                let by: i64 = if is_gone { -1 } else { 1 };
                let Type { events, bytes, .. } = &mut seen.known;
                *events = events.wrapping_add_signed(by);
                *bytes = bytes.wrapping_add_signed(by * one.size as i64);
                if is_gone {
                    gone.insert(one.key.1);
                } else if !gone.contains(&one.key.1) {
                    let known = latest.entry(*number).or_insert(one.key);
                    if is_later(*known, one.key) {
                        *known = one.key;
                    }
                }
                for (at, by) in [OrderBy::Timestamp, OrderBy::SourceTimestamp].iter().enumerate() {
                    let (sum, prefix) = (&mut sums[2 + at], tables::prefix(*number, *by));
                    match one.key_by(*by) {
                        Some(key) if is_gone => sum.take(prefix, key),
                        Some(key) => sum.add(prefix, key),
                        None => {}
                    }
                }
            }
        })?;
        for (number, key) in latest {
            let seen = types.get_mut(&numbers[&number]).ok_or(ChangeError::Damaged)?;
            if seen.latest.as_ref().is_none_or(|one| is_later((one.timestamp, one.id), key)) {
                seen.waiting = Some(key.1);
            }
        }
        Ok(sums)
    }

    /// The events themselves; what the four indexes must have.
    fn events(
        &mut self,
        transaction: &redb::ReadTransaction,
        servers: &BTreeMap<i64, Server>,
        types: &mut HashMap<EventType, TypeReport>,
        outside: &BTreeSet<EventId>,
    ) -> Result<[Checksum; 4], ChangeError> {
        let mut sums = [Checksum::default(); 4];
        let mut before: Option<EventId> = None;
        for entry in transaction.open_table(PARTS)?.iter()? {
            let (key, record) = entry?;
            let key = key.value();
            let Ok(events) = part::decode(key, &Bytes::copy_from_slice(record.value())) else {
                self.finding(format!("the record of events {key:?} is damaged"));
                continue;
            };
            let Some(server) = servers.get(&key.0) else {
                self.finding(format!("there are events of the unknown server {}", key.0));
                continue;
            };
            for (id, stored) in events {
                self.report.events += 1;
                if self.report.events.is_multiple_of(10_000) {
                    (self.progress)(self.report.events);
                }
                if before.is_some_and(|before| before >= id) || id > server.last {
                    self.finding(format!("event {id:?} is out of order"));
                }
                before = Some(id);
                let Ok(event) = sbs::decode::<Event>(&stored) else {
                    self.finding(format!("event {id:?} cannot be read"));
                    continue;
                };
                let Some(seen) = types.get_mut(&event.event_type) else {
                    self.finding(format!("the type of event {id:?} is unknown"));
                    continue;
                };
                if let Some(latest) = &seen.latest {
                    seen.found_latest |=
                        latest.id == id && seen.known.latest.as_ref() == Some(&stored);
                    let last = seen.waiting.unwrap_or(latest.id);
                    if last.server == id.server && last < id {
                        let finding = format!("event {id:?} is later than the latest of its type");
                        self.finding(finding);
                        continue;
                    }
                }
                if outside.contains(&id) {
                    continue;
                }
                seen.events += 1;
                seen.bytes += stored.len() as u64;
                let keys = [Some(event.timestamp), event.source_timestamp];
                for (at, timestamp) in keys.into_iter().enumerate() {
                    let by = [OrderBy::Timestamp, OrderBy::SourceTimestamp][at];
                    if let Some(timestamp) = timestamp {
                        sums[at].add(tables::prefix(0, by), (timestamp, id));
                        sums[2 + at].add(tables::prefix(seen.known.number, by), (timestamp, id));
                    }
                }
            }
        }
        Ok(sums)
    }

    fn indexes(
        &mut self,
        transaction: &redb::ReadTransaction,
        numbers: &HashMap<u64, EventType>,
        mut sums: [Checksum; 4],
        expected: [Checksum; 4],
    ) -> Result<(), ChangeError> {
        let mut before = None;
        for entry in transaction.open_table(blocks::TABLE)?.iter()? {
            let (first, record) = entry?;
            let Ok((prefix, keys)) = blocks::decode(&first.value(), record.value()) else {
                self.finding("a record of an index is damaged".into());
                continue;
            };
            let (number, by) = (prefix >> 1, (prefix & 1) as usize);
            if number != 0 && !numbers.contains_key(&number) {
                self.finding(format!("an index is of the unknown type number {number}"));
            }
            for key in keys {
                if before.is_some_and(|before| before >= (prefix, key)) {
                    self.finding(format!("an index is out of order at event {:?}", key.1));
                }
                before = Some((prefix, key));
                sums[if number == 0 { by } else { 2 + by }].add(prefix, key);
            }
        }
        let names =
            ["timestamp", "source timestamp", "type and timestamp", "type and source timestamp"];
        for ((name, sum), expected) in names.into_iter().zip(sums).zip(expected) {
            if sum != expected {
                self.finding(format!(
                    "the index by {name} has {} events; it should have {}, or other events",
                    sum.count, expected.count
                ));
            }
        }
        Ok(())
    }
}
