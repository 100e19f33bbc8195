//! What is kept for how long.

mod windows;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use hat_core::eventer::{Event, EventType, OrderBy, Subscription, Timestamp};
use hat_core::sbs;
use redb::{ReadableDatabase, ReadableTable, WriteTransaction};

use super::blocks::{self, Damaged, Keys};
use super::drain::{ALL, remove_events};
use super::file::Fault;
use super::part::Parts;
use super::pending::{Change, Waiting};
use super::tables::{self, PARTS, STORE, TYPES, Type};
use super::tail::Tail;
use super::write::{ChangeError, Tables};
use super::{DiskOptions, DiskStore, guarded, pending, wrong};
use crate::store::index::{Key, Range};
use crate::store::{StoreError, is_later};
use windows::Windows;

/// Events that one step removes at most, as in the deployed server, while there is nothing to
/// drain: what is registered comes between two steps.
const STEP: usize = 1_024;

/// The same on a disk that is full.
const FEW: usize = 16;

/// Events that one step looks at, or twice as many as it may remove.
const LOOK: usize = 16_384;

/// The longest that events are in memory only where there are rules, which see what is in the
/// indexes on the disk: a minute.
const OVERDUE: Duration = Duration::from_secs(60);

/// How long events of some types are kept. Without a limit they are kept for ever.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The types that it is for.
    pub types: Subscription,
    /// Events that are kept at most: the oldest go first.
    pub max_entries: Option<u64>,
    /// Events that are kept at least, whatever else is said here.
    pub min_entries: u64,
    /// How old they get.
    pub max_age: Option<Duration>,
    /// Ages are counted from source timestamps, and the oldest are those of the lowest. Events
    /// without one are taken last, and by their timestamps.
    pub age_by_source: bool,
    /// Bytes of events that are kept at most, as they are stored, without indexes.
    pub max_bytes: Option<u64>,
    /// Events that have a source timestamp are kept also where these limits keep them: each kind of
    /// limits counts the events that it keeps, and an event goes where neither keeps it.
    /// `age_by_source` means nothing then.
    pub by_source: Option<SourceLimits>,
    /// The latest event of a type stays also where it would have to go: latest queries, and those
    /// of a server, find it.
    pub keep_latest: bool,
}

/// Which events are kept by their source timestamps: those that have none are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceLimits {
    /// Events that are kept at most: those of the lowest go first.
    pub max_entries: Option<u64>,
    /// Events that are kept at least, whatever else is said here.
    pub min_entries: u64,
    /// How old they get, by their source timestamps.
    pub max_age: Option<Duration>,
    /// Bytes of events that are kept at most: so many events as have as many on the average of the
    /// rule.
    pub max_bytes: Option<u64>,
}

/// The rules, to be looked up.
#[derive(Clone, Debug)]
pub(super) struct Rules(std::sync::Arc<Vec<Rule>>);

impl Rules {
    /// The rule that holds for a type.
    pub(super) fn of(&self, event_type: &EventType) -> Option<usize> {
        self.0.iter().position(|rule| rule.types.matches(event_type))
    }
}

/// Where retention stands.
#[derive(Debug)]
pub(super) struct Retention {
    rules: Rules,
    /// Events and bytes that each rule holds for; nothing before they were counted.
    counted: Option<Vec<(i64, i64)>>,
    /// For each rule, where it has looked.
    looked: Vec<RuleProgress>,
    /// The same of those that keep events by both timestamps.
    windows: Vec<Windows>,
    /// When the rules last saw everything.
    drained: Option<Timestamp>,
}

impl Retention {
    pub(super) fn new(options: &DiskOptions) -> Self {
        let rules = Rules(std::sync::Arc::new(options.rules.clone()));
        Self {
            counted: None,
            looked: vec![RuleProgress::default(); options.rules.len()],
            windows: vec![Windows::default(); options.rules.len()],
            drained: None,
            rules,
        }
    }

    pub(super) fn rules(&self) -> Rules {
        self.rules.clone()
    }

    /// What is in the indexes is uncertain: it is counted and looked at anew.
    pub(super) fn forget(&mut self) {
        self.counted = None;
        self.looked.fill(RuleProgress::default());
    }

    /// Events and bytes of `tail` that came into the indexes, by rule. Older ones may be among them
    /// than where a rule has looked.
    pub(super) fn count(&mut self, added: &[(Option<usize>, i64, i64)], tail: &Tail) {
        self.looked.fill(RuleProgress::default());
        let Some(counted) = &mut self.counted else { return };
        for (rule, events, bytes) in added {
            if let Some(rule) = rule {
                counted[*rule].0 += events;
                counted[*rule].1 += bytes;
            }
        }
        let is_any = self.rules.0.iter().any(|rule| rule.by_source.is_some());
        for event_type in tail.types.keys().filter(|_| is_any && !added.is_empty()) {
            let rule = self.rules.of(event_type);
            let Some(rule) = rule.filter(|rule| self.rules.0[*rule].by_source.is_some()) else {
                continue;
            };
            for event in tail.of(event_type) {
                let size = event.bytes.len() as i64;
                self.windows[rule].came(event.key(), event.source_timestamp, size);
            }
        }
    }
}

/// Where a rule has looked, in each order: what is before that is another's, or kept as a latest
/// event.
#[derive(Clone, Copy, Debug, Default)]
struct RuleProgress {
    by_source: Option<Key>,
    by_timestamp: Option<Key>,
}

/// What a step of one rule removes.
#[derive(Default)]
struct Removal {
    picked: Picked,
    looked: RuleProgress,
    more: bool,
}

/// Events that are to be removed: of each only what indexes know, for its bytes are a slice of a
/// whole record.
#[derive(Default)]
struct Picked {
    events: Vec<TypedEvent>,
    types: HashSet<EventType>,
}

impl Picked {
    fn add(&mut self, event: &Event, size: u64) {
        let event_type = match self.types.get(&event.event_type) {
            Some(known) => known.clone(),
            None => {
                let detached = event.event_type.detached();
                self.types.insert(detached.clone());
                detached
            }
        };
        let key = (event.timestamp, event.id);
        self.events.push((event_type, Waiting { key, source: event.source_timestamp, size }));
    }
}

/// What came of a step.
#[derive(Clone, Copy, Default)]
struct Cleaned {
    /// Something was removed.
    any: bool,
    /// There is more to do at once.
    more: bool,
}

impl DiskStore {
    /// A step of cleaning. Whether there is more to do at once.
    pub(super) fn tidy_step(&self, now: Timestamp) -> Result<bool, StoreError> {
        use crate::store::Store as _;
        if self.is_due() {
            let came: usize = self.read().tails().map(Tail::len).sum();
            // twice as many may go: where there is always something to drain, nothing else would
            // keep the disk bounded
            self.clean_behind(self.drain_what_is_due(), now, STEP.max(2 * came))?;
            return Ok(true);
        }
        if self.options.rules.is_empty() {
            return Ok(false);
        }
        let drained = if self.is_overdue(now) { self.drain() } else { Ok(()) };
        self.clean_behind(drained, now, STEP)
    }

    /// Cleans behind a drain. Where that found no room, what the rules remove makes some, in the
    /// file: it is the drain's error where they remove nothing.
    fn clean_behind(
        &self,
        drained: Result<(), StoreError>,
        now: Timestamp,
        mut step: usize,
    ) -> Result<bool, StoreError> {
        let full = match drained {
            Ok(()) => return Ok(self.clean_all(now, step)?.more),
            Err(error @ StoreError::Full(_)) => error,
            Err(error) => return Err(error),
        };
        loop {
            match self.clean_all(now, step) {
                // what is left of a page is written before its place is free: of a few events that
                // fits in more often
                Err(StoreError::Full(_)) if step > FEW => step = FEW,
                Ok(Cleaned { any: true, .. }) => return Ok(true),
                // not in the next round: the drain that fails there makes rules look from the start
                Ok(Cleaned { more: true, .. }) => {}
                Ok(_) => return Err(full),
                Err(error) => return Err(error),
            }
        }
    }

    /// At most `step` events for each rule.
    fn clean_all(&self, now: Timestamp, step: usize) -> Result<Cleaned, StoreError> {
        let mut all = Cleaned::default();
        for rule in 0..self.options.rules.len() {
            let cleaned = self.clean(rule, now, step)?;
            all.any |= cleaned.any;
            all.more |= cleaned.more;
        }
        Ok(all)
    }

    /// Whether rules could not get at what was stored for too long: they see what is in the
    /// indexes.
    fn is_overdue(&self, now: Timestamp) -> bool {
        let mut tables = self.tables();
        // a clock that was set back would put it off for as much
        let since = tables.retention.drained.map_or(now, |since| since.min(now));
        tables.retention.drained = Some(since);
        let is_overdue = now.as_secs_f64() - since.as_secs_f64() >= OVERDUE.as_secs_f64();
        if is_overdue {
            tables.retention.drained = Some(now);
        }
        is_overdue && self.read().tail.len() > 0
    }

    fn clean(&self, rule: usize, now: Timestamp, step: usize) -> Result<Cleaned, StoreError> {
        let mut tables = self.tables();
        self.is_ready(&mut tables)?;
        let rules = tables.retention.rules();
        if tables.retention.counted.is_none() {
            let counted = self.guarded_read(&mut tables, |database| count(database, &rules))?;
            let windows = counted.iter().map(|count| Windows::new(count.sourced));
            tables.retention.windows = windows.collect();
            let counted = counted.iter().map(|count| (count.events, count.bytes));
            tables.retention.counted = Some(counted.collect());
        }
        let counted = tables.retention.counted.as_ref().expect("counted before")[rule];
        let limits = &self.options.rules[rule];
        if let Some(by_source) = limits.by_source {
            let at = tables.retention.windows[rule];
            let mut removal = windows::Step::new(limits, by_source, counted, at, now);
            if !removal.is_anything() {
                return Ok(Cleaned::default());
            }
            self.guarded_read(&mut tables, |database| removal.look(database, &rules, rule, step))?;
            let any = self.take_away(&mut tables, rule, &removal.picked)?;
            tables.retention.windows[rule] = removal.at;
            return Ok(Cleaned { any, more: removal.more });
        }
        let looked = tables.retention.looked[rule];
        let due = DueRemovals::new(limits, counted, now);
        if !due.is_anything() {
            return Ok(Cleaned::default());
        }
        let removal = self.guarded_read(&mut tables, |database| {
            look(database, &rules, rule, looked, due, step)
        })?;
        let any = self.take_away(&mut tables, rule, &removal.picked)?;
        tables.retention.looked[rule] = removal.looked;
        Ok(Cleaned { any, more: removal.more })
    }

    /// Removes what a rule has picked, if it is anything.
    fn take_away(
        &self,
        tables: &mut Tables,
        rule: usize,
        picked: &Picked,
    ) -> Result<bool, StoreError> {
        if picked.events.is_empty() {
            return Ok(false);
        }
        let mut removed = (0, 0);
        self.change_file(tables, |transaction| {
            removed = remove(transaction, &picked.events, self.options.rules[rule].keep_latest)?;
            Ok(())
        })?;
        if let Some(counted) = &mut tables.retention.counted {
            counted[rule].0 -= removed.0;
            counted[rule].1 -= removed.1;
        }
        Ok(true)
    }

    /// Where it cannot be read, nothing is changed before the file was opened anew.
    fn guarded_read<T>(
        &self,
        tables: &mut Tables,
        read: impl FnOnce(&redb::Database) -> Result<T, ChangeError>,
    ) -> Result<T, StoreError> {
        let database = self.read().database.clone()?;
        let done = guarded(|| {
            read(&database).map_err(|error| match error {
                ChangeError::Redb(error) => wrong(&Fault::default(), &error),
                ChangeError::Damaged => Damaged.into(),
            })
        });
        if let Err(error @ StoreError::Failed(_)) = &done {
            tables.failed = Some(error.clone());
        }
        done
    }
}

/// What has to go.
#[derive(Clone, Copy)]
struct DueRemovals {
    /// Events that are too many, and that may go at most.
    too_many: i64,
    at_most: i64,
    bytes: i64,
    before: Option<Timestamp>,
}

impl DueRemovals {
    fn new(rule: &Rule, (events, bytes): (i64, i64), now: Timestamp) -> Self {
        let limit = |limit: u64| i64::try_from(limit).unwrap_or(i64::MAX);
        let before = rule.max_age.and_then(|age| oldest_time(age, now));
        Self {
            too_many: rule.max_entries.map_or(0, |most| events.saturating_sub(limit(most))),
            at_most: events.saturating_sub(limit(rule.min_entries)),
            bytes: rule.max_bytes.map_or(0, |most| bytes.saturating_sub(limit(most))),
            before,
        }
    }

    fn is_anything(&self) -> bool {
        self.at_most > 0 && (self.too_many > 0 || self.bytes > 0 || self.before.is_some())
    }

    /// Whether this event goes; counts it where it does.
    fn takes(&mut self, at: Timestamp, size: usize) -> bool {
        let is_old = self.before.is_some_and(|before| at < before);
        let goes = self.at_most > 0 && (self.too_many > 0 || self.bytes > 0 || is_old);
        if goes {
            self.at_most -= 1;
            self.too_many -= 1;
            self.bytes -= size as i64;
        }
        goes
    }
}

/// What is older than `age` is of before then.
fn oldest_time(age: Duration, now: Timestamp) -> Option<Timestamp> {
    let age = i128::try_from(age.as_micros()).ok()?;
    let at = i128::from(now.s()) * 1_000_000 + i128::from(now.us()) - age;
    let s = i64::try_from(at.div_euclid(1_000_000)).ok()?;
    Timestamp::new(s, at.rem_euclid(1_000_000) as u32).ok()
}

/// What a rule holds for.
#[derive(Clone, Copy, Default)]
struct RuleCount {
    events: i64,
    bytes: i64,
    /// Events with a source timestamp, where the rule counts them.
    sourced: i64,
}

/// Events and bytes of each rule, by what is known of types.
fn count(database: &redb::Database, rules: &Rules) -> Result<Vec<RuleCount>, ChangeError> {
    let mut counted = vec![RuleCount::default(); rules.0.len()];
    let transaction = database.begin_read()?;
    let indexes = transaction.open_table(blocks::TABLE)?;
    let mut ruled: HashMap<u64, usize> = HashMap::new();
    for entry in transaction.open_table(TYPES)?.range::<&[u8]>(..)? {
        let (key, record) = entry?;
        let known = Type::from_bytes(key.value(), record.value())?;
        if let Some(rule) = rules.of(&tables::type_of(key.value())?) {
            ruled.insert(known.number, rule);
            counted[rule].events += known.events as i64;
            counted[rule].bytes += known.bytes as i64;
            if rules.0[rule].by_source.is_some() {
                let prefix = tables::prefix(known.number, OrderBy::SourceTimestamp);
                counted[rule].sourced += blocks::count(&indexes, prefix)? as i64;
            }
        }
    }
    let mut is_damaged = false;
    pending::all(&transaction.open_table(pending::TABLE)?, |record| {
        is_damaged |= record.is_err();
        for change in record.unwrap_or_default() {
            let (by, number, one) = match change {
                Change::Came(number, one) => (1, number, one),
                Change::Gone(number, one) => (-1, number, one),
            };
            if let Some(rule) = ruled.get(number) {
                counted[*rule].events += by;
                counted[*rule].bytes += by * one.size as i64;
                counted[*rule].sourced += by * i64::from(one.source.is_some());
            }
        }
    })?;
    if is_damaged {
        return Err(ChangeError::Damaged);
    }
    Ok(counted)
}

/// The oldest events that a rule holds for, on from where it has looked.
fn look(
    database: &redb::Database,
    rules: &Rules,
    rule: usize,
    looked: RuleProgress,
    mut due: DueRemovals,
    step: usize,
) -> Result<Removal, ChangeError> {
    let transaction = database.begin_read()?;
    let indexes = transaction.open_table(blocks::TABLE)?;
    let mut parts = Parts::new(transaction.open_table(PARTS)?);
    let mut removal = Removal { looked, ..Removal::default() };
    let mut left = LOOK.max(2 * step);
    let by_source = rules.0[rule].age_by_source;
    for by in [OrderBy::SourceTimestamp, OrderBy::Timestamp] {
        if by == OrderBy::SourceTimestamp && !by_source {
            continue;
        }
        let range = Range { after: *removal.looked.by(by), ..ALL(by) };
        let mut keys = Keys::new(&indexes, tables::prefix(0, by), range)?;
        loop {
            if left == 0 || removal.picked.events.len() >= step {
                removal.more = true;
                return Ok(removal);
            }
            left -= 1;
            let Some(key) = keys.next()? else { break };
            let stored = parts.find(key.1)?;
            let event: Event = sbs::decode(&stored).map_err(|_| Damaged)?;
            // those with a source timestamp came before
            let is_other =
                by_source && by == OrderBy::Timestamp && event.source_timestamp.is_some();
            if !is_other && rules.of(&event.event_type) == Some(rule) {
                if !due.takes(key.0, stored.len()) {
                    break;
                }
                removal.picked.add(&event, stored.len() as u64);
            }
            *removal.looked.by(by) = Some(key);
        }
    }
    Ok(removal)
}

impl RuleProgress {
    fn by(&mut self, by: OrderBy) -> &mut Option<Key> {
        match by {
            OrderBy::Timestamp => &mut self.by_timestamp,
            OrderBy::SourceTimestamp => &mut self.by_source,
        }
    }
}

/// Removes events from the indexes, and from their parts unless they are kept as the latest.
/// Returns how many and their bytes.
fn remove(
    transaction: &WriteTransaction,
    events: &[TypedEvent],
    keep_latest: bool,
) -> Result<(i64, i64), ChangeError> {
    let mut removed = (0, 0);
    let mut gone = Vec::new();
    let mut by_type: BTreeMap<&EventType, Vec<Waiting>> = BTreeMap::new();
    for (event_type, one) in events {
        by_type.entry(event_type).or_default().push(*one);
    }
    let (later, at_once) = part_by_what_can_wait(transaction, by_type)?;
    for one in later {
        removed.0 += 1;
        removed.1 += one.size as i64;
        gone.push(one.key.1);
    }
    // what is known of a type is whole then
    pending::bring_in_types(transaction, at_once.iter().map(|(number, ..)| *number))?;
    let mut indexes = transaction.open_table(blocks::TABLE)?;
    let mut types = transaction.open_table(TYPES)?;
    for (_, event_type, events) in at_once {
        let key = tables::type_key(event_type);
        let record = types.get(&key[..])?.map(|record| Type::from_bytes(&key, record.value()));
        let mut record = record.ok_or(ChangeError::Damaged)??;
        let latest: Option<Event> = match &record.latest {
            Some(bytes) => Some(sbs::decode(bytes).map_err(|_| Damaged)?),
            None => None,
        };
        for one in &events {
            let id = one.key.1;
            record.events = record.events.saturating_sub(1);
            record.bytes = record.bytes.saturating_sub(one.size);
            removed.0 += 1;
            removed.1 += one.size as i64;
            let is_latest = latest.as_ref().is_some_and(|latest| latest.id == id);
            match (is_latest, keep_latest) {
                (true, true) => record.in_series = false,
                (true, false) => {
                    record.latest = None;
                    gone.push(id);
                }
                (false, _) => gone.push(id),
            }
        }
        take_out(&mut indexes, record.number, events.iter())?;
        match record.events == 0 && record.latest.is_none() {
            true => drop(types.remove(&key[..])?),
            false => drop(types.insert(&key[..], &record.to_bytes(&key)[..])?),
        }
    }
    take_out(&mut indexes, 0, events.iter().map(|(_, one)| one))?;
    let mut store = transaction.open_table(STORE)?;
    let count = store.get(tables::EVENTS_NAME)?.map_or(0, |count| count.value());
    store.insert(tables::EVENTS_NAME, count.saturating_sub(events.len() as u64))?;
    drop((indexes, types, store));
    remove_events(transaction, &gone)?;
    Ok(removed)
}

/// An event that is to be removed, of some type.
type TypedEvent = (EventType, Waiting);

/// A type by its number and its name, and events of it that are to be removed.
type TypeEvents<'a> = (u64, &'a EventType, Vec<Waiting>);

/// Lets wait what can: events that are certainly not the latest of their types. Returns them, and
/// by types what has to be removed at once.
fn part_by_what_can_wait<'a>(
    transaction: &WriteTransaction,
    by_type: BTreeMap<&'a EventType, Vec<Waiting>>,
) -> Result<(Vec<Waiting>, Vec<TypeEvents<'a>>), ChangeError> {
    let mut numbered: Vec<(bool, TypeEvents<'a>)> = Vec::with_capacity(by_type.len());
    let types = transaction.open_table(TYPES)?;
    for (event_type, events) in by_type {
        let key = tables::type_key(event_type);
        let record = types.get(&key[..])?.ok_or(ChangeError::Damaged)?;
        let record = Type::from_bytes(&key, record.value())?;
        let mut can_wait = false;
        if let Some(latest) = record.latest.as_ref().filter(|_| record.in_series) {
            let latest: Event = sbs::decode(latest).map_err(|_| Damaged)?;
            let latest = (latest.timestamp, latest.id);
            can_wait = events.iter().all(|one| one.key.1 != latest.1 && is_later(one.key, latest));
        }
        numbered.push((can_wait, (record.number, event_type, events)));
    }
    drop(types);
    numbered.sort_unstable_by_key(|(_, (number, ..))| *number);
    let store = transaction.open_table(STORE)?;
    let drain = store.get(tables::DRAINS_NAME)?.map_or(0, |count| count.value());
    let mut pending = transaction.open_table(pending::TABLE)?;
    let (mut later, mut at_once) = (Vec::new(), Vec::new());
    let mut numbered = numbered.into_iter().peekable();
    while let Some((mut can_wait, first)) = numbered.next() {
        let number = first.0;
        let mut together = vec![first];
        while let Some((this_can, one)) =
            numbered.next_if(|(_, one)| pending::are_together(number, one.0))
        {
            can_wait &= this_can;
            together.push(one);
        }
        if can_wait {
            let types: Vec<_> =
                together.iter().map(|(number, _, events)| (*number, events.clone())).collect();
            can_wait = pending::take_out(&mut pending, drain, &types)?;
        }
        match can_wait {
            true => later.extend(together.into_iter().flat_map(|(.., events)| events)),
            false => at_once.extend(together),
        }
    }
    Ok((later, at_once))
}

fn take_out<'a>(
    indexes: &mut redb::Table<'_, blocks::Raw, &'static [u8]>,
    type_number: u64,
    events: impl Iterator<Item = &'a Waiting> + Clone,
) -> Result<(), ChangeError> {
    for by in [OrderBy::Timestamp, OrderBy::SourceTimestamp] {
        let mut keys: Vec<Key> = events.clone().filter_map(|one| one.key_by(by)).collect();
        keys.sort_unstable();
        blocks::remove(indexes, tables::prefix(type_number, by), &keys)?;
    }
    Ok(())
}
