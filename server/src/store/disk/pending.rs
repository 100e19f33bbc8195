//! What waits to change the indexes of types: of most types a drain has an event or two.
//!
//! ```text
//! key of the record    bucket u64 │ came or gone, number of the drain u64
//! record               crc32c u32 │ base: time, source time, session │ type │ type │ …
//! type                 number within the bucket u8, length │ event │ event │ …
//! event                what it differs in from the one before, or from the base; its size
//! ```
//!
//! A bucket is the types of some numbers that follow each other. A drain writes one record for each
//! bucket, where it would change two records of an index for each type. Of every so many buckets,
//! [`period`], it takes one and brings what has come together there into the indexes. Events that
//! are removed wait in the same way.
//!
//! Only for a type whose latest event is known, is in the series and stays something may wait: so
//! nobody has to look for what waits who asks whether a type has events at all, or removes the last
//! of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use hat_core::eventer::{Event, EventId, OrderBy, Timestamp};
use hat_core::sbs;
use redb::{ReadableTable, StorageError, Table, TableDefinition, WriteTransaction};

use super::blocks::{self, Damaged, put, take, unzigzag, zigzag};
use super::part::{PartKey, Parts};
use super::tables::{self, PARTS, TYPES, Type};
use super::write::ChangeError;
use crate::store::index::Key;
use crate::store::is_later;

pub(super) type RecordKey = (u64, u64);
pub(super) const TABLE: TableDefinition<'static, RecordKey, &[u8]> =
    TableDefinition::new("pending");

/// Types of a bucket. Of 100 000 types, of which each has an event at a time, a drain writes a page
/// for each bucket.
const BUCKET: u64 = 64;

/// Events of a type in one drain that go into its index at once: what waits for a type stays few.
pub(super) const MANY: usize = 16;

/// Bytes of a record of what is gone, above which it does not wait: there may be a drain only after
/// many steps of cleaning.
const GONE_BYTES: usize = 4_096;

/// In the key of a record of what came. So what is gone is read before it.
const CAME: u64 = 1 << 63;

/// An event, as indexes know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) key: Key,
    pub(super) source: Option<Timestamp>,
    /// Its bytes as it is stored.
    pub(super) size: u64,
}

/// What comes before the first one.
const START: Waiting =
    Waiting { key: (EPOCH, EventId::new(0, 0, 0)), source: Some(EPOCH), size: 0 };
const EPOCH: Timestamp = Timestamp::from_secs(0);

/// Drains after which a bucket is brought in: so that one brings in some thousand types, however
/// many there are; and few enough that a query reads all that waits for a type.
fn period(types: u64) -> u64 {
    (types / 6_250).next_power_of_two().clamp(8, 64)
}

fn put_one(out: &mut Vec<u8>, before: &Waiting, one: &Waiting) {
    let ((at, id), (at_before, id_before)) = (one.key, before.key);
    let elapsed = zigzag(blocks::micros(at) - blocks::micros(at_before));
    let same_server = id.server == id_before.server;
    put(out, elapsed << 2 | u128::from(one.source.is_some()) << 1 | u128::from(!same_server));
    if !same_server {
        put(out, zigzag(i128::from(id.server)));
    }
    put(out, zigzag(i128::from(id.session) - i128::from(id_before.session)));
    let base = if id.session == id_before.session { id_before.instance } else { 0 };
    put(out, zigzag(i128::from(id.instance) - i128::from(base)));
    if let Some(source) = one.source {
        let base = before.source.unwrap_or(EPOCH);
        put(out, zigzag(blocks::micros(source) - blocks::micros(base)));
    }
    put(out, u128::from(one.size));
}

fn take_one(rest: &mut &[u8], before: &Waiting) -> Result<Waiting, Damaged> {
    let (at_before, id_before) = before.key;
    let elapsed = take(rest)?;
    let server = match elapsed & 1 {
        0 => id_before.server,
        _ => blocks::integer(unzigzag(take(rest)?))?,
    };
    let session = blocks::integer(plus(id_before.session.into(), take(rest)?)?)?;
    let base = if session == id_before.session { id_before.instance } else { 0 };
    let instance = blocks::integer(plus(base.into(), take(rest)?)?)?;
    let source = match elapsed & 2 {
        0 => None,
        _ => Some(moved(before.source.unwrap_or(EPOCH), take(rest)?)?),
    };
    let size = u64::try_from(take(rest)?).map_err(|_| Damaged)?;
    let key = (moved(at_before, elapsed >> 2)?, EventId::new(server, session, instance));
    Ok(Waiting { key, source, size })
}

fn moved(from: Timestamp, by: u128) -> Result<Timestamp, Damaged> {
    blocks::timestamp(plus(blocks::micros(from), by)?)
}

fn plus(from: i128, by: u128) -> Result<i128, Damaged> {
    from.checked_add(unzigzag(by)).ok_or(Damaged)
}

/// A record of types, which ascend, each with what waits.
fn encode(key: RecordKey, types: &[(u64, Vec<Waiting>)]) -> Vec<u8> {
    let mut out = vec![0; 4];
    let first = types.iter().find_map(|(_, waiting)| waiting.first()).copied().unwrap_or(START);
    let base = Waiting { size: 0, ..first };
    put_one(&mut out, &START, &base);
    let mut entry = Vec::new();
    for (number, waiting) in types {
        entry.clear();
        let mut before = base;
        for one in waiting {
            put_one(&mut entry, &before, one);
            before = *one;
        }
        out.push((number % BUCKET) as u8);
        put(&mut out, entry.len() as u128);
        out.extend_from_slice(&entry);
    }
    let crc = checksum(key, &out[4..]);
    out[..4].copy_from_slice(&crc.to_le_bytes());
    out
}

/// What a record has of the types that are `wanted`.
fn decode(
    key: RecordKey,
    record: &[u8],
    wanted: impl Fn(u64) -> bool,
    mut each: impl FnMut(u64, Waiting),
) -> Result<(), Damaged> {
    let (crc, mut rest) = record.split_at_checked(4).ok_or(Damaged)?;
    if crc != checksum(key, rest).to_le_bytes() {
        return Err(Damaged);
    }
    let base = take_one(&mut rest, &START)?;
    while let Some((low, behind)) = rest.split_first() {
        rest = behind;
        let len = usize::try_from(take(&mut rest)?).map_err(|_| Damaged)?;
        let (mut entry, behind) = rest.split_at_checked(len).ok_or(Damaged)?;
        rest = behind;
        let number = key.0.checked_mul(BUCKET).ok_or(Damaged)? + u64::from(*low);
        if u64::from(*low) >= BUCKET {
            return Err(Damaged);
        }
        if !wanted(number) {
            continue;
        }
        let mut before = base;
        while !entry.is_empty() {
            before = take_one(&mut entry, &before)?;
            each(number, before);
        }
    }
    Ok(())
}

fn checksum((bucket, drain): RecordKey, rest: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&bucket.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(crc, &drain.to_le_bytes()), rest)
}

/// Adds what a drain has, by the numbers of types, which ascend.
pub(super) fn add(
    table: &mut Table<'_, RecordKey, &'static [u8]>,
    drain: u64,
    types: &[(u64, Vec<Waiting>)],
) -> Result<(), StorageError> {
    for types in types.chunk_by(|(one, _), (other, _)| are_together(*one, *other)) {
        let key = (types[0].0 / BUCKET, drain | CAME);
        table.insert(key, &encode(key, types)[..])?;
    }
    Ok(())
}

/// Whether two types, by their numbers, share their records.
pub(super) fn are_together(one: u64, other: u64) -> bool {
    one / BUCKET == other / BUCKET
}

/// Removes events of types that share their records, by their numbers, which ascend, unless there
/// is too much of it already: then nothing is done, and what waits for them has to be brought in.
pub(super) fn take_out(
    table: &mut Table<'_, RecordKey, &'static [u8]>,
    drain: u64,
    types: &[(u64, Vec<Waiting>)],
) -> Result<bool, ChangeError> {
    let Some((first, _)) = types.first() else { return Ok(true) };
    let key = (first / BUCKET, drain);
    let mut gone: BTreeMap<u64, Vec<Waiting>> = BTreeMap::new();
    if let Some(record) = table.get(key)? {
        let each = |number, one| gone.entry(number).or_default().push(one);
        decode(key, record.value(), |_| true, each)?;
    }
    for (number, waiting) in types {
        gone.entry(*number).or_default().extend(waiting);
    }
    let types: Vec<_> = gone.into_iter().collect();
    let record = encode(key, &types);
    if record.len() > GONE_BYTES {
        return Ok(false);
    }
    table.insert(key, &record[..])?;
    Ok(true)
}

/// What waits: which events, of which type by its number, came or are gone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Came(u64, Waiting),
    Gone(u64, Waiting),
}

impl Change {
    fn new((_, drain): RecordKey, number: u64, one: Waiting) -> Self {
        if drain & CAME == 0 { Self::Gone(number, one) } else { Self::Came(number, one) }
    }
}

/// What waits for types, by their numbers, which ascend: of each what is gone before what came.
pub(super) fn of_types(
    table: &impl ReadableTable<RecordKey, &'static [u8]>,
    numbers: &[u64],
    mut each: impl FnMut(Change),
) -> Result<(), ChangeError> {
    for numbers in numbers.chunk_by(|one, other| are_together(*one, *other)) {
        let bucket = numbers[0] / BUCKET;
        for entry in table.range((bucket, 0)..=(bucket, u64::MAX))? {
            let (key, record) = entry?;
            let (key, wanted) = (key.value(), |number| numbers.binary_search(&number).is_ok());
            let each = |number, one| each(Change::new(key, number, one));
            decode(key, record.value(), wanted, each)?;
        }
    }
    Ok(())
}

/// The latest of what waits for types, by their numbers, which ascend, without what is gone.
pub(super) fn latest_of(
    table: &impl ReadableTable<RecordKey, &'static [u8]>,
    numbers: &[u64],
) -> Result<HashMap<u64, Key>, ChangeError> {
    let mut latest: HashMap<u64, Key> = HashMap::new();
    let mut gone: HashSet<EventId> = HashSet::new();
    of_types(table, numbers, |change| match change {
        Change::Gone(_, one) => drop(gone.insert(one.key.1)),
        // what is gone was read before
        Change::Came(_, one) if gone.contains(&one.key.1) => {}
        Change::Came(number, one) => {
            let known = latest.entry(number).or_insert(one.key);
            if is_later(*known, one.key) {
                *known = one.key;
            }
        }
    })?;
    Ok(latest)
}

/// All that waits, record by record; a record that is not what was written is told as such.
pub(super) fn all(
    table: &impl ReadableTable<RecordKey, &'static [u8]>,
    mut each: impl FnMut(Result<&[Change], RecordKey>),
) -> Result<(), ChangeError> {
    let mut changes = Vec::new();
    for entry in table.range::<RecordKey>(..)? {
        let (key, record) = entry?;
        let key = key.value();
        changes.clear();
        let push = |number, one| changes.push(Change::new(key, number, one));
        let decoded = decode(key, record.value(), |_| true, push);
        each(decoded.map(|()| &changes[..]).map_err(|_| key));
    }
    Ok(())
}

/// Brings into the indexes what waits in the buckets whose turn it is at a drain.
pub(super) fn bring_in_turn(
    transaction: &WriteTransaction,
    drain: u64,
    types: u64,
) -> Result<(), ChangeError> {
    let period = period(types);
    let buckets = in_turn(&transaction.open_table(TABLE)?, drain % period, period)?;
    bring_in(transaction, buckets)
}

/// The buckets in which something waits, of every `period` one. Those of all types that there ever
/// were are more: numbers of types are not given twice.
fn in_turn(
    table: &impl ReadableTable<RecordKey, &'static [u8]>,
    turn: u64,
    period: u64,
) -> Result<Vec<u64>, ChangeError> {
    let (mut buckets, mut from) = (Vec::new(), Some(turn));
    while let Some(at) = from {
        let Some(entry) = table.range((at, 0)..)?.next() else { break };
        let (bucket, _) = entry?.0.value();
        let is_its_turn = bucket % period == turn;
        if is_its_turn {
            buckets.push(bucket);
        }
        // up to the next one
        let left = (turn + period - bucket % period) % period;
        from = bucket.checked_add(if is_its_turn { period } else { left });
    }
    Ok(buckets)
}

/// Brings into the indexes what waits for types, by their numbers, and for their neighbours.
pub(super) fn bring_in_types(
    transaction: &WriteTransaction,
    numbers: impl Iterator<Item = u64>,
) -> Result<(), ChangeError> {
    let buckets: BTreeSet<u64> = numbers.map(|number| number / BUCKET).collect();
    bring_in(transaction, buckets)
}

fn bring_in(
    transaction: &WriteTransaction,
    buckets: impl IntoIterator<Item = u64>,
) -> Result<(), ChangeError> {
    let mut pending = transaction.open_table(TABLE)?;
    let mut indexes = transaction.open_table(blocks::TABLE)?;
    let mut types = transaction.open_table(TYPES)?;
    let mut parts = Parts::new(transaction.open_table(PARTS)?);
    let mut waiting: BTreeMap<u64, Changes> = BTreeMap::new();
    let mut records = Vec::new();
    for bucket in buckets {
        records.clear();
        waiting.clear();
        for entry in pending.range((bucket, 0)..=(bucket, u64::MAX))? {
            let (key, record) = entry?;
            let key = key.value();
            records.push(key);
            let each = |number, one| {
                waiting.entry(number).or_default().add(Change::new(key, number, one));
            };
            decode(key, record.value(), |_| true, each)?;
        }
        for key in &records {
            pending.remove(key)?;
        }
        for (number, waiting) in &waiting {
            bring(&mut types, &mut indexes, &mut parts, *number, waiting)?;
        }
    }
    Ok(())
}

/// What waits for one type.
#[derive(Debug, Default)]
struct Changes {
    /// Without what is gone.
    came: Vec<Waiting>,
    gone: HashMap<EventId, Waiting>,
    /// Events that came, and their bytes, less those that are gone.
    events: i64,
    bytes: i64,
}

impl Changes {
    fn add(&mut self, change: Change) {
        let (by, one) = match change {
            Change::Came(_, one) => (1, one),
            Change::Gone(_, one) => (-1, one),
        };
        self.events += by;
        self.bytes += by * one.size as i64;
        match change {
            Change::Gone(..) => drop(self.gone.insert(one.key.1, one)),
            // what is gone comes before
            Change::Came(..) if self.gone.remove(&one.key.1).is_some() => {}
            Change::Came(..) => self.came.push(one),
        }
    }
}

type Types<'a> = Table<'a, &'static [u8], &'static [u8]>;
type Indexes<'a> = Table<'a, blocks::Raw, &'static [u8]>;
type Records<'a> = Table<'a, PartKey, &'static [u8]>;

/// Brings in what waits for one type.
fn bring(
    types: &mut Types<'_>,
    indexes: &mut Indexes<'_>,
    parts: &mut Parts<Records<'_>>,
    number: u64,
    changes: &Changes,
) -> Result<(), ChangeError> {
    let later = |one: Key, other: Key| if is_later(one, other) { other } else { one };
    let latest = changes.came.iter().map(|one| one.key).reduce(later);
    // an event that is there says of which type it is
    let known = match latest {
        Some(key) => key,
        None => one_left(indexes, number, &changes.gone)?.ok_or(Damaged)?,
    };
    let stored = parts.find(known.1)?;
    let event: Event = sbs::decode(&stored).map_err(|_| Damaged)?;
    let key = tables::type_key(&event.event_type);
    let record = types.get(&key[..])?.map(|record| Type::from_bytes(&key, record.value()));
    let mut record = record.ok_or(Damaged)??;
    if record.number != number {
        return Err(Damaged.into());
    }
    if let Some(latest) = latest {
        let before: Event =
            sbs::decode(record.latest.as_ref().ok_or(Damaged)?).map_err(|_| Damaged)?;
        if is_later((before.timestamp, before.id), latest) {
            record.latest = Some(stored);
        }
    }
    record.events = record.events.saturating_add_signed(changes.events);
    record.bytes = record.bytes.saturating_add_signed(changes.bytes);
    types.insert(&key[..], &record.to_bytes(&key)[..])?;
    for by in [OrderBy::Timestamp, OrderBy::SourceTimestamp] {
        let prefix = tables::prefix(number, by);
        let keys = |waiting: &mut dyn Iterator<Item = &Waiting>| {
            let mut keys: Vec<Key> = waiting.filter_map(|one| one.key_by(by)).collect();
            keys.sort_unstable();
            keys
        };
        blocks::insert(indexes, prefix, &keys(&mut changes.came.iter()), false)?;
        blocks::remove(indexes, prefix, &keys(&mut changes.gone.values()))?;
    }
    Ok(())
}

/// An event in the index of a type that is not gone.
fn one_left(
    indexes: &Indexes<'_>,
    number: u64,
    gone: &HashMap<EventId, Waiting>,
) -> Result<Option<Key>, ChangeError> {
    for record in indexes.range(blocks::whole(tables::prefix(number, OrderBy::Timestamp)))?.rev() {
        let (first, record) = record?;
        let (_, keys) = blocks::decode(&first.value(), record.value())?;
        if let Some(key) = keys.into_iter().rev().find(|key| !gone.contains_key(&key.1)) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

impl Waiting {
    /// Where it stands in an index.
    pub(super) fn key_by(&self, by: OrderBy) -> Option<Key> {
        match by {
            OrderBy::Timestamp => Some(self.key),
            OrderBy::SourceTimestamp => Some((self.source?, self.key.1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(s: i64, us: u32, id: (i64, i64, i64), source: Option<i64>, size: u64) -> Waiting {
        let timestamp = Timestamp::new(s, us).expect("a timestamp");
        let key = (timestamp, EventId::new(id.0, id.1, id.2));
        Waiting { key, source: source.map(Timestamp::from_secs), size }
    }

    fn types() -> Vec<(u64, Vec<Waiting>)> {
        let ends = one(i64::MIN, 0, (i64::MIN, i64::MAX, i64::MIN), Some(i64::MAX), u64::MAX);
        vec![
            (128, vec![one(5, 999_999, (1, 7, 1), Some(-9), 100)]),
            (129, vec![one(5, 0, (1, 7, 2), None, 0), ends, one(6, 1, (2, 8, 3), Some(6), 1)]),
            (191, vec![one(i64::MAX, 999_999, (i64::MAX, 1, 1), Some(i64::MIN), 3)]),
        ]
    }

    #[test]
    fn what_waits_comes_back() {
        let types = types();
        let (key, all): (_, Vec<_>) = ((2, 99), types.iter().map(|(number, _)| *number).collect());
        let record = encode(key, &types);
        for wanted in [&all[..], &all[1..2], &[130]] {
            let mut back: Vec<(u64, Waiting)> = Vec::new();
            decode(
                key,
                &record,
                |one| wanted.contains(&one),
                |number, one| {
                    back.push((number, one));
                },
            )
            .expect("sound");
            let of = types.iter().filter(|(number, _)| wanted.contains(number));
            let expected: Vec<_> = of
                .flat_map(|(number, waiting)| waiting.iter().map(|one| (*number, *one)))
                .collect();
            assert_eq!(back, expected);
        }
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let (key, mut record) = ((2, 99), encode((2, 99), &types()));
        let is_damaged = |key, record: &[u8]| decode(key, record, |_| true, |_, _| {}).is_err();
        assert!(is_damaged((2, 98), &record) && is_damaged((3, 99), &record));
        for bit in 0..record.len() * 8 {
            record[bit / 8] ^= 1 << (bit % 8);
            assert!(is_damaged(key, &record), "bit {bit}");
            record[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(!is_damaged(key, &record));
    }

    /// `each` with a table in memory.
    fn with_table(each: impl FnOnce(&mut Table<'_, RecordKey, &'static [u8]>)) {
        let memory = redb::backends::InMemoryBackend::new();
        let database = redb::Database::builder().create_with_backend(memory).expect("in memory");
        let transaction = database.begin_write().expect("in memory");
        each(&mut transaction.open_table(TABLE).expect("in memory"));
    }

    #[test]
    fn what_came_and_is_gone_is_not_the_latest() {
        let kept = one(3, 0, (1, 1, 1), None, 9);
        let gone = one(5, 0, (2, 1, 1), None, 9);
        with_table(|table| {
            add(table, 1, &[(7, vec![kept, gone])]).expect("in memory");
            assert!(take_out(table, 1, &[(7, vec![gone])]).expect("sound"));
            let latest = latest_of(table, &[7]).expect("sound");
            assert_eq!(latest, HashMap::from([(7, kept.key)]));
        });
    }

    #[test]
    fn only_buckets_in_which_something_waits_are_looked_at() {
        let far = (1 << 56) + 1;
        let waits = [0, 1, 3, 9, 10, far - 8, far - 1, far, far + 1, u64::MAX / BUCKET];
        with_table(|table| {
            for bucket in waits {
                let of = one(3, 0, (1, 1, 1), None, 9);
                add(table, 1, &[(bucket * BUCKET, vec![of])]).expect("in memory");
            }
            for turn in 0..8 {
                let expected: Vec<_> =
                    waits.into_iter().filter(|bucket| bucket % 8 == turn).collect();
                assert_eq!(in_turn(table, turn, 8).expect("sound"), expected, "{turn}");
            }
        });
    }

    #[test]
    fn every_bucket_has_its_turn_and_a_drain_brings_in_some_thousand_types() {
        assert_eq!([0, 1, 100_000, 1_000_000, u64::MAX / 2].map(period), [8, 8, 16, 64, 64]);
    }
}
