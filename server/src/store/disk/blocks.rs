//! Indexes on the disk: keys in order, some hundred to a record.
//!
//! ```text
//! key of the record    prefix u64 │ first key: time 12, server 8, session 8, instance 8
//! record               crc32c u32 │ the keys after the first: what each differs in from the last
//!
//! The bytes of a key sort as the values do.
//! ```
//!
//! An event takes 4 to 8 bytes so, where a key of its own would take 60.

use hat_core::eventer::{EventId, Order, Timestamp};
use redb::{AccessGuard, ReadOnlyTable, ReadableTable, StorageError, Table, TableDefinition};

use crate::store::index::{Key, Range};

/// Keys of a record at most. One is read and written as a whole.
const MOST: usize = 256;
/// Keys of a record that was split, so that it takes some more before the next split.
const SPLIT: usize = 192;

pub(super) type Raw = [u8; 44];
pub(super) const TABLE: TableDefinition<'static, Raw, &[u8]> = TableDefinition::new("indexes");

const FIRST: Key = (Timestamp::MIN, EventId::new(i64::MIN, i64::MIN, i64::MIN));
const LAST: Key = (Timestamp::MAX, EventId::new(i64::MAX, i64::MAX, i64::MAX));

/// A record that is not what was written.
#[derive(Debug)]
pub(super) struct Damaged;

pub(super) fn raw(prefix: u64, (timestamp, id): Key) -> Raw {
    let mut raw = [0; 44];
    raw[..8].copy_from_slice(&prefix.to_be_bytes());
    raw[8..20].copy_from_slice(&timestamp.to_bytes());
    for (at, part) in [(20, id.server), (28, id.session), (36, id.instance)] {
        raw[at..at + 8].copy_from_slice(&((part as u64) ^ (1 << 63)).to_be_bytes());
    }
    raw
}

pub(super) fn key(raw: &Raw) -> Result<(u64, Key), Damaged> {
    let number = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&raw[at..at + 8]);
        u64::from_be_bytes(bytes)
    };
    let mut timestamp = [0; 12];
    timestamp.copy_from_slice(&raw[8..20]);
    let timestamp = Timestamp::from_bytes(timestamp).map_err(|_| Damaged)?;
    let part = |at| (number(at) ^ (1 << 63)) as i64;
    Ok((number(0), (timestamp, EventId::new(part(20), part(28), part(36)))))
}

/// Where the records of the index of `prefix` are.
pub(super) fn whole(prefix: u64) -> std::ops::RangeInclusive<Raw> {
    raw(prefix, FIRST)..=raw(prefix, LAST)
}

/// The keys after the first.
fn encode(prefix: u64, keys: &[Key]) -> Vec<u8> {
    let mut out = vec![0; 4];
    for pair in keys.windows(2) {
        put_key(&mut out, pair[0], pair[1]);
    }
    seal(&raw(prefix, keys[0]), &mut out);
    out
}

/// The prefix and all the keys of a record.
pub(super) fn decode(first: &Raw, record: &[u8]) -> Result<(u64, Vec<Key>), Damaged> {
    let mut keys = Vec::new();
    let prefix = read(first, record, |key| keys.push(key))?;
    Ok((prefix, keys))
}

/// The last key of a record, and how many there are.
fn end(first: &Raw, record: &[u8]) -> Result<(Key, usize), Damaged> {
    let (mut last, mut count) = (FIRST, 0);
    read(first, record, |key| (last, count) = (key, count + 1))?;
    Ok((last, count))
}

/// Gives the keys of a record, in order, and its prefix.
fn read(first: &Raw, record: &[u8], mut each: impl FnMut(Key)) -> Result<u64, Damaged> {
    let (crc, mut rest) = record.split_at_checked(4).ok_or(Damaged)?;
    if crc != checksum(first, rest).to_le_bytes() {
        return Err(Damaged);
    }
    let (prefix, mut last) = key(first)?;
    each(last);
    while !rest.is_empty() {
        last = take_key(&mut rest, last)?;
        each(last);
    }
    Ok(prefix)
}

/// A key that comes after another one.
fn put_key(out: &mut Vec<u8>, (before, from): Key, (at, id): Key) {
    let elapsed = (micros(at) - micros(before)) as u128;
    let same_server = from.server == id.server;
    put(out, elapsed << 1 | u128::from(!same_server));
    if !same_server {
        put(out, zigzag(i128::from(id.server)));
    }
    put(out, zigzag(i128::from(id.session) - i128::from(from.session)));
    let base = if from.session == id.session { from.instance } else { 0 };
    put(out, zigzag(i128::from(id.instance) - i128::from(base)));
}

fn take_key(rest: &mut &[u8], (at, mut id): Key) -> Result<Key, Damaged> {
    let elapsed = take(rest)?;
    if elapsed & 1 == 1 {
        id.server = integer(unzigzag(take(rest)?))?;
    }
    let session = i128::from(id.session) + unzigzag(take(rest)?);
    let base = if session == i128::from(id.session) { id.instance } else { 0 };
    id.session = integer(session)?;
    id.instance = integer(i128::from(base) + unzigzag(take(rest)?))?;
    Ok((later(at, elapsed >> 1)?, id))
}

/// Puts the checksum in front of what is behind it.
fn seal(first: &Raw, record: &mut [u8]) {
    let crc = checksum(first, &record[4..]);
    record[..4].copy_from_slice(&crc.to_le_bytes());
}

fn checksum(first: &Raw, rest: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(first), rest)
}

pub(super) fn micros(at: Timestamp) -> i128 {
    i128::from(at.s()) * 1_000_000 + i128::from(at.us())
}

fn later(at: Timestamp, elapsed: u128) -> Result<Timestamp, Damaged> {
    let elapsed = i128::try_from(elapsed).map_err(|_| Damaged)?;
    timestamp(micros(at).checked_add(elapsed).ok_or(Damaged)?)
}

/// So many microseconds after 1970.
pub(super) fn timestamp(micros: i128) -> Result<Timestamp, Damaged> {
    let s = integer(micros.div_euclid(1_000_000))?;
    Timestamp::new(s, micros.rem_euclid(1_000_000) as u32).map_err(|_| Damaged)
}

pub(super) fn integer(value: i128) -> Result<i64, Damaged> {
    i64::try_from(value).map_err(|_| Damaged)
}

pub(super) fn zigzag(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)) as u128
}

pub(super) fn unzigzag(value: u128) -> i128 {
    (value >> 1) as i128 ^ -((value & 1) as i128)
}

/// Seven bits a byte, the lowest first.
pub(super) fn put(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn take(bytes: &mut &[u8]) -> Result<u128, Damaged> {
    if let [first @ ..0x80, rest @ ..] = *bytes {
        *bytes = rest;
        return Ok(u128::from(*first));
    }
    let mut value = 0_u128;
    for shift in (0..126).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or(Damaged)?;
        *bytes = rest;
        value |= u128::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Damaged)
}

/// What a change of an index can come to.
#[derive(Debug)]
pub(super) enum Fault {
    Storage(StorageError),
    Damaged,
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<Damaged> for Fault {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

type Entry<'a> = (AccessGuard<'a, Raw>, AccessGuard<'a, &'static [u8]>);

/// Adds keys, which ascend, to the index of `prefix`. Those that are there already stay once. Where
/// the index `is_new`, nothing is in it, and nothing is looked for.
pub(super) fn insert(
    table: &mut Table<'_, Raw, &'static [u8]>,
    prefix: u64,
    keys: &[Key],
    is_new: bool,
) -> Result<(), Fault> {
    if is_new {
        return match keys {
            [] => Ok(()),
            keys => write(table, prefix, &[], keys.to_vec()),
        };
    }
    let mut left = append(table, prefix, keys)?;
    while !left.is_empty() {
        let (old, count) = around(table, prefix, left)?;
        let (new, rest) = left.split_at(count);
        left = rest;
        write(table, prefix, &old, merge(&old, new))?;
    }
    Ok(())
}

/// Adds keys that all come after those of the index, as nearly all do: the last record is written
/// on, and is not taken apart. What does not come so is given back.
fn append<'a>(
    table: &mut Table<'_, Raw, &'static [u8]>,
    prefix: u64,
    keys: &'a [Key],
) -> Result<&'a [Key], Fault> {
    let Some(next) = keys.first() else { return Ok(keys) };
    let entry = table.range(whole(prefix))?.next_back().transpose()?;
    let entry = entry.map(|(first, record)| (first.value(), record.value().to_vec()));
    let Some((first, mut record)) = entry.filter(|(first, _)| *first < raw(prefix, *next)) else {
        return Ok(keys);
    };
    let (mut last, count) = end(&first, &record)?;
    if last >= *next {
        return Ok(keys);
    }
    let (new, rest) = keys.split_at(keys.len().min(MOST.saturating_sub(count)));
    if !new.is_empty() {
        for &key in new {
            put_key(&mut record, last, key);
            last = key;
        }
        seal(&first, &mut record);
        table.insert(first, &record[..])?;
    }
    write(table, prefix, &[], rest.to_vec())?;
    Ok(&[])
}

/// Removes keys, which ascend, from the index of `prefix`. Those that are not there are passed
/// over.
pub(super) fn remove(
    table: &mut Table<'_, Raw, &'static [u8]>,
    prefix: u64,
    keys: &[Key],
) -> Result<(), Fault> {
    let mut left = keys;
    while !left.is_empty() {
        let (old, count) = around(table, prefix, left)?;
        let (gone, rest) = left.split_at(count);
        left = rest;
        let kept = old.iter().filter(|key| gone.binary_search(key).is_err()).copied().collect();
        write(table, prefix, &old, kept)?;
    }
    Ok(())
}

/// The keys of the record where the first of `new` belongs, and how many of `new` do: there is one
/// at least.
fn around(
    table: &Table<'_, Raw, &'static [u8]>,
    prefix: u64,
    new: &[Key],
) -> Result<(Vec<Key>, usize), Fault> {
    let keys =
        |(first, record): Entry<'_>| Ok::<_, Damaged>(decode(&first.value(), record.value())?.1);
    let start = raw(prefix, FIRST);
    let before = table.range(start..=raw(prefix, new[0]))?.next_back().transpose()?;
    let old = match before {
        Some(entry) => keys(entry)?,
        None => {
            let first = table.range(start..=raw(prefix, LAST))?.next().transpose()?;
            first.map(keys).transpose()?.unwrap_or_default()
        }
    };
    // where the record ends is looked for only if it matters: of many types few have many keys
    let (Some(first), [_, .., last]) = (old.first(), new) else { return Ok((old, new.len())) };
    if old.last().is_some_and(|end| last <= end) {
        return Ok((old, new.len()));
    }
    let bounds = (
        std::ops::Bound::Excluded(raw(prefix, *first)),
        std::ops::Bound::Included(raw(prefix, LAST)),
    );
    let next = table.range::<Raw>(bounds)?.next().transpose()?;
    let next = next.map(|(first, _)| key(&first.value())).transpose()?;
    let count = next.map_or(new.len(), |(_, next)| new.partition_point(|key| *key < next));
    Ok((old, count))
}

fn merge(old: &[Key], new: &[Key]) -> Vec<Key> {
    let mut keys = Vec::with_capacity(old.len() + new.len());
    keys.extend_from_slice(old);
    keys.extend_from_slice(new);
    if old.last().is_some_and(|last| new.first().is_some_and(|first| first <= last)) {
        keys.sort_unstable();
        keys.dedup();
    }
    keys
}

/// `keys` in the place of the record of `old`.
fn write(
    table: &mut Table<'_, Raw, &'static [u8]>,
    prefix: u64,
    old: &[Key],
    keys: Vec<Key>,
) -> Result<(), Fault> {
    if keys == old {
        return Ok(());
    }
    if let Some(first) = old.first()
        && keys.first() != Some(first)
    {
        table.remove(raw(prefix, *first))?;
    }
    // what grows at its end is left full behind it; what grows inside is left room
    let at_end = old.iter().eq(keys.iter().take(old.len()));
    let size = match keys.len() {
        0..=MOST => MOST,
        _ if at_end => MOST,
        len => len.div_ceil(len.div_ceil(SPLIT)),
    };
    for piece in keys.chunks(size) {
        table.insert(raw(prefix, piece[0]), &encode(prefix, piece)[..])?;
    }
    Ok(())
}

/// How many keys are in the index of `prefix`.
pub(super) fn count(
    table: &impl ReadableTable<Raw, &'static [u8]>,
    prefix: u64,
) -> Result<usize, Fault> {
    let mut count = 0;
    for entry in table.range(whole(prefix))? {
        let (first, record) = entry?;
        count += end(&first.value(), record.value())?.1;
    }
    Ok(count)
}

/// Whether a key is in the index of `prefix`: one record is read.
pub(super) fn contains(
    table: &impl ReadableTable<Raw, &'static [u8]>,
    prefix: u64,
    key: Key,
) -> Result<bool, Fault> {
    let found = table.range(raw(prefix, FIRST)..=raw(prefix, key))?.next_back().transpose()?;
    let Some((first, record)) = found else { return Ok(false) };
    Ok(decode(&first.value(), record.value())?.1.binary_search(&key).is_ok())
}

/// Whether a key is in a range.
pub(super) fn is_within(range: Range, key: Key) -> bool {
    let after = range.after.is_none_or(|after| match range.order {
        Order::Ascending => key > after,
        Order::Descending => key < after,
    });
    after && (range.from..=range.to).contains(&key.0)
}

/// What is in `range` of the index of `prefix`, in order. A record is read when its first key is
/// asked for.
pub(super) struct Keys {
    records: redb::Range<'static, Raw, &'static [u8]>,
    range: Range,
    /// Those of the record at hand, the next one last.
    keys: Vec<Key>,
}

impl Keys {
    pub(super) fn new(
        table: &ReadOnlyTable<Raw, &'static [u8]>,
        prefix: u64,
        range: Range,
    ) -> Result<Self, StorageError> {
        let (mut from, mut to) = ((range.from, FIRST.1), (range.to, LAST.1));
        match (range.after, range.order) {
            (None, _) => {}
            (Some(key), Order::Ascending) => from = from.max(key),
            (Some(key), Order::Descending) => to = to.min(key),
        }
        let (min, mut start, end) = (raw(prefix, FIRST), raw(prefix, from), raw(prefix, to));
        if from > to {
            // a table refuses a range that ends before it starts
            let records = table.range(min..min)?;
            return Ok(Self { records, range, keys: Vec::new() });
        }
        if range.order == Order::Ascending
            && let Some((first, _)) = table.range(min..=start)?.next_back().transpose()?
        {
            start = first.value();
        }
        let records = match range.order {
            Order::Ascending => table.range(start..=end)?,
            Order::Descending => table.range(min..=end)?,
        };
        Ok(Self { records, range, keys: Vec::new() })
    }

    pub(super) fn next(&mut self) -> Result<Option<Key>, Fault> {
        loop {
            while let Some(key) = self.keys.pop() {
                if is_within(self.range, key) {
                    return Ok(Some(key));
                }
                if self.is_past(key) {
                    self.keys.clear();
                    return Ok(None);
                }
            }
            let record = match self.range.order {
                Order::Ascending => self.records.next(),
                Order::Descending => self.records.next_back(),
            };
            let Some((first, record)) = record.transpose()? else { return Ok(None) };
            self.keys = decode(&first.value(), record.value())?.1;
            if self.range.order == Order::Ascending {
                self.keys.reverse();
            }
        }
    }

    /// Nothing within the range comes after this one.
    fn is_past(&self, key: Key) -> bool {
        match self.range.order {
            Order::Ascending => key.0 > self.range.to,
            Order::Descending => key.0 < self.range.from,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_kind_come_back() {
        let key = |s, us, server, session, instance| {
            let timestamp = Timestamp::new(s, us).expect("a timestamp");
            (timestamp, EventId::new(server, session, instance))
        };
        let mut keys = vec![
            FIRST,
            LAST,
            key(-1, 999_999, -5, 1, 1),
            key(0, 0, 1, 1, 1),
            key(0, 0, 1, 1, 2),
            key(0, 0, 1, 2, 1),
            key(0, 0, 2, i64::MAX, 1),
            key(5, 7, i64::MIN, 3, i64::MAX),
        ];
        keys.sort_unstable();
        let record = encode(9, &keys);
        let first = raw(9, keys[0]);
        let (prefix, decoded) = decode(&first, &record).expect("sound");
        assert_eq!((prefix, decoded), (9, keys));
    }

    /// In order or not: the index has all keys once, and where they come in order its records are
    /// full.
    #[test]
    fn records_that_are_written_on_are_full() {
        let memory = redb::backends::InMemoryBackend::new();
        let database = redb::Database::builder().create_with_backend(memory).expect("in memory");
        let transaction = database.begin_write().expect("in memory");
        let mut table = transaction.open_table(TABLE).expect("in memory");
        let key = |n| (Timestamp::from_secs(n / 7), EventId::new(1 + n % 2, n, n % 3));
        let mut keys: Vec<_> = (0..3_000).map(key).collect();
        keys.sort_unstable();
        let read = |table: &Table<'_, Raw, &'static [u8]>, prefix| -> Vec<Vec<Key>> {
            let records = table.range(whole(prefix)).expect("in memory");
            let decoded = records.map(|entry| {
                let (first, record) = entry.expect("in memory");
                decode(&first.value(), record.value()).expect("sound").1
            });
            decoded.collect()
        };
        let mut left = &keys[..];
        for size in [1, 1, 100, 154, 1, 255, 600, 3].into_iter().cycle() {
            let (some, rest) = left.split_at(left.len().min(size));
            insert(&mut table, 3, some, false).expect("in memory");
            left = rest;
            if left.is_empty() {
                break;
            }
        }
        let full: Vec<_> = keys.chunks(MOST).map(<[Key]>::to_vec).collect();
        assert_eq!(read(&table, 3), full);
        // the same, every third of them late, and some of them twice
        let late: Vec<_> = keys.iter().step_by(3).copied().collect();
        for some in keys.chunks(50) {
            let early: Vec<_> = some.iter().filter(|key| !late.contains(key)).copied().collect();
            insert(&mut table, 4, &early, false).expect("in memory");
        }
        for some in [&late[..], &late[500..], &keys[2_990..]] {
            insert(&mut table, 4, some, false).expect("in memory");
        }
        assert_eq!(read(&table, 4).concat(), keys);
        // nothing is written behind damage
        let (first, mut record) = {
            let last = table.range(whole(3)).expect("in memory").next_back();
            let (first, record) = last.expect("one").expect("in memory");
            (first.value(), record.value().to_vec())
        };
        record[5] ^= 1;
        table.insert(first, &record[..]).expect("in memory");
        let refused = insert(&mut table, 3, &[key(4_000)], false);
        assert!(matches!(refused, Err(Fault::Damaged)));
    }

    #[test]
    fn one_record_says_whether_a_key_is_there() {
        let memory = redb::backends::InMemoryBackend::new();
        let database = redb::Database::builder().create_with_backend(memory).expect("in memory");
        let transaction = database.begin_write().expect("in memory");
        let mut table = transaction.open_table(TABLE).expect("in memory");
        let key = |n| (Timestamp::from_secs(9), EventId::new(1, n, 1));
        let keys: Vec<_> = (0..2_000).map(|n| key(2 * n)).collect();
        for prefix in [4, 6] {
            insert(&mut table, prefix, &keys, true).expect("in memory");
        }
        // damage in all records but one, which none of its keys needs
        let records: Vec<Raw> = table
            .range(whole(4))
            .and_then(|records| records.map(|one| Ok(one?.0.value())).collect())
            .expect("in memory");
        assert!(records.len() > 5);
        for (at, first) in records.iter().enumerate() {
            if at != 3 {
                table.insert(first, &[][..]).expect("in memory");
            }
        }
        let is_there = |prefix, n| contains(&table, prefix, key(n));
        for n in 0..4_001 {
            assert_eq!(is_there(6, n).expect("sound"), n % 2 == 0 && n < 4_000);
            assert!(!is_there(5, n).expect("sound"), "an index that is empty");
        }
        assert!(!is_there(6, -1).expect("sound"));
        let (_, (_, start)) = super::key(&records[3]).expect("a key");
        let (_, (_, end)) = super::key(&records[4]).expect("a key");
        for n in start.session..end.session {
            assert_eq!(is_there(4, n).expect("sound"), n % 2 == 0);
        }
        assert!(is_there(4, end.session).is_err());
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let keys: Vec<_> =
            (0..9).map(|n| (Timestamp::from_secs(n), EventId::new(1, n, 1))).collect();
        let (first, record) = (raw(0, keys[0]), encode(0, &keys));
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&first, &flipped).is_err(), "bit {bit}");
        }
    }
}
