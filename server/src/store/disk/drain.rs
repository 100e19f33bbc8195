//! What the journal holds goes into the tables, beside the work.
//!
//! ```text
//! tail, journal file ── full ─> sealed, and the other file is written
//!                                └─ one commit ─> what was sealed is found in the tables
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hat_core::eventer::{Event, EventId, OrderBy, Timestamp};
use hat_core::sbs;
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};

use super::blocks::{self, Damaged};
use super::pending::Waiting;
use super::retain::Rules;
use super::tables::{self, JOURNAL, PARTS, Position, SERVERS, STORE, Server, TYPES, Type};
use super::tail::{Tail, TailType};
use super::write::{ChangeError, Tables, Writer};
use super::{DiskOptions, DiskStore, part, pending};
use crate::store::index::{Key, Range};
use crate::store::{StoreError, is_later};

/// A tail that takes no more.
#[derive(Debug)]
pub(super) struct SealedTail {
    pub(super) tail: Tail,
    /// The number of the first frame that is not of it.
    pub(super) covers: u64,
    /// What is known of servers by then.
    pub(super) servers: BTreeMap<i64, Server>,
}

impl DiskStore {
    /// Brings everything into the tables, so that nothing has to be read again at the next start.
    /// What is applied meanwhile comes beside it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn drain(&self) -> Result<(), StoreError> {
        self.drain_if(|_| true)
    }

    /// The same for what is due. Where another thread has just done it, what came since then is not
    /// enough for a commit of its own.
    pub(super) fn drain_what_is_due(&self) -> Result<(), StoreError> {
        self.drain_if(|store| store.is_over(1))
    }

    /// Finishes what is sealed, and drains the tail where that is `wanted` then.
    fn drain_if(&self, wanted: impl FnOnce(&Self) -> bool) -> Result<(), StoreError> {
        let mut tables = self.tables();
        self.finish(&mut tables)?;
        if !wanted(self) {
            return Ok(());
        }
        let mut writer = self.writer();
        self.seal(&mut writer)?;
        // who applies goes on beside the commit
        drop(writer);
        self.finish(&mut tables)
    }

    /// Waits until there is room for more, where whoever calls [`tidy`](super::Store::tidy) does
    /// not keep up.
    pub(super) fn make_room(&self) -> Result<(), StoreError> {
        if !self.is_over(2) {
            return Ok(());
        }
        let mut tables = self.tables();
        self.finish(&mut tables)?;
        self.seal(&mut self.writer())
    }

    /// Whether the tail is larger than so many times what the options say.
    pub(super) fn is_over(&self, times: usize) -> bool {
        let state = self.read();
        let DiskOptions { tail_events, tail_bytes, .. } = self.options;
        let journal = usize::try_from(state.journal).unwrap_or(usize::MAX);
        state.tail.len() >= tail_events.saturating_mul(times)
            || state.tail.bytes >= tail_bytes.saturating_mul(times)
            // frames without events count, too; and frames are larger than what they hold
            || journal / 2 >= tail_bytes.saturating_mul(times)
    }

    /// What was applied takes no more, and the other file is written from now on. Nothing else is
    /// sealed.
    fn seal(&self, writer: &mut Writer) -> Result<(), StoreError> {
        self.flush(writer)?;
        if self.read().journal == 0 {
            return Ok(());
        }
        let covers = writer.journal.switch();
        self.seal_up_to(covers);
        Ok(())
    }

    pub(super) fn seal_up_to(&self, covers: u64) {
        let mut state = self.change();
        let next = state.tail.next();
        let tail = std::mem::replace(&mut state.tail, next);
        let servers = state.servers.clone();
        state.journal = 0;
        state.sealed = Some(Arc::new(SealedTail { tail, covers, servers }));
    }

    /// Brings what is sealed into the tables, if anything is.
    pub(super) fn finish(&self, tables: &mut Tables) -> Result<(), StoreError> {
        self.is_ready(tables)?;
        let Some(sealed) = self.read().sealed.clone() else { return Ok(()) };
        let rules = tables.retention.rules();
        let mut counts = Vec::new();
        self.change_file(tables, |transaction| {
            counts.clear();
            // a commit that failed may be on the disk all the same
            if position(transaction)?.next < sealed.covers {
                index(&sealed.tail, transaction, &rules, &mut counts)?;
                advance(transaction, &sealed)?;
            }
            Ok(())
        })?;
        tables.retention.count(&counts, &sealed.tail);
        let mut state = self.change();
        state.sealed = None;
        let lasts = sealed.servers.iter().map(|(id, server)| (*id, server.last));
        for (server_id, last) in lasts {
            let durable = state.durable.entry(server_id).or_insert(last);
            *durable = (*durable).max(last);
        }
        Ok(())
    }
}

fn position(transaction: &WriteTransaction) -> Result<Position, ChangeError> {
    let table = transaction.open_table(JOURNAL)?;
    let record = table.get(())?.ok_or(Damaged)?;
    Ok(Position::from_bytes(record.value())?)
}

/// From now on the journal counts from the first frame that is not of `sealed`.
fn advance(transaction: &WriteTransaction, sealed: &SealedTail) -> Result<(), ChangeError> {
    let mut servers = transaction.open_table(SERVERS)?;
    for (server_id, server) in &sealed.servers {
        servers.insert(server_id, &server.to_bytes()[..])?;
    }
    let position = Position { next: sealed.covers, ..position(transaction)? };
    transaction.open_table(JOURNAL)?.insert((), &position.to_bytes()[..])?;
    Ok(())
}

/// A whole index.
pub(super) const ALL: fn(OrderBy) -> Range = |by| Range {
    by,
    order: hat_core::eventer::Order::Ascending,
    from: Timestamp::MIN,
    to: Timestamp::MAX,
    after: None,
};

/// Brings events into the tables: the records of events, the indexes, and the latest of each type.
/// Of known types with few events each, they wait for more: see [`pending`].
/// Doing it again changes nothing but counts.
fn index(
    tail: &Tail,
    transaction: &WriteTransaction,
    rules: &Rules,
    counts: &mut Vec<(Option<usize>, i64, i64)>,
) -> Result<(), ChangeError> {
    let mut parts = transaction.open_table(PARTS)?;
    for (key, record) in part::records(tail.events().map(|event| (event.id, &event.bytes))) {
        parts.insert(key, &record[..])?;
    }
    drop(parts);
    let mut store = transaction.open_table(STORE)?;
    let mut types = transaction.open_table(TYPES)?;
    let mut last_type = store.get(tables::TYPES_NAME)?.map_or(0, |number| number.value());
    let drain = store.get(tables::DRAINS_NAME)?.map_or(0, |count| count.value()) + 1;
    store.insert(tables::DRAINS_NAME, drain)?;
    let mut numbered: Vec<(u64, bool, &TailType)> = Vec::new();
    let mut waiting: Vec<(u64, Vec<Waiting>)> = Vec::with_capacity(tail.types.len());
    let mut keyed: Vec<_> = tail
        .types
        .iter()
        .map(|(event_type, known)| (tables::type_key(event_type), event_type, known))
        .collect();
    keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut gone: Vec<EventId> = Vec::new();
    for (key, event_type, known) in keyed {
        let before = types.get(&key[..])?.map(|record| Type::from_bytes(&key, record.value()));
        let before = before.transpose()?;
        let (events, bytes) = (known.index.len(), known.bytes);
        counts.push((rules.of(event_type), events as i64, bytes as i64));
        if let Some(before) = &before
            && before.in_series
            && before.latest.is_some()
            && events < pending::MANY
        {
            waiting.push((before.number, waiting_of(tail, known)?));
            continue;
        }
        let is_new = before.is_none();
        let mut record = match before {
            Some(record) => record,
            None => {
                last_type += 1;
                Type { number: last_type, events: 0, bytes: 0, in_series: true, latest: None }
            }
        };
        let previous: Option<Event> = match &record.latest {
            Some(bytes) => Some(sbs::decode(bytes).map_err(|_| Damaged)?),
            None => None,
        };
        let is_later = previous
            .as_ref()
            .is_none_or(|previous| is_later((previous.timestamp, previous.id), known.latest));
        if is_later {
            gone.extend(previous.filter(|_| !record.in_series).map(|previous| previous.id));
            let latest = tail.get(known.latest.1).ok_or(Damaged)?;
            record.latest = Some(latest.bytes.clone());
            record.in_series = true;
        }
        record.events += events as u64;
        record.bytes += bytes as u64;
        types.insert(&key[..], &record.to_bytes(&key)[..])?;
        numbered.push((record.number, is_new, known));
    }
    let type_count = types.len()?;
    store.insert(tables::TYPES_NAME, last_type)?;
    let events = store.get(tables::EVENTS_NAME)?.map_or(0, |count| count.value());
    store.insert(tables::EVENTS_NAME, events + tail.len() as u64)?;

    // in the order of the table, where neighbours are written together
    numbered.sort_unstable_by_key(|(number, _, _)| *number);
    let mut indexes = transaction.open_table(blocks::TABLE)?;
    let mut keys: Vec<Key> = Vec::new();
    for by in [OrderBy::Timestamp, OrderBy::SourceTimestamp] {
        keys.clear();
        keys.extend(tail.index.range(ALL(by)));
        blocks::insert(&mut indexes, tables::prefix(0, by), &keys, false)?;
    }
    for (number, is_new, known) in numbered {
        for by in [OrderBy::Timestamp, OrderBy::SourceTimestamp] {
            keys.clear();
            keys.extend(known.index.range(ALL(by)));
            blocks::insert(&mut indexes, tables::prefix(number, by), &keys, is_new)?;
        }
    }
    waiting.sort_unstable_by_key(|(number, _)| *number);
    pending::add(&mut transaction.open_table(pending::TABLE)?, drain, &waiting)?;
    drop((store, types, indexes));
    pending::bring_in_turn(transaction, drain, type_count)?;
    remove_events(transaction, &gone)
}

/// What the tail has of one type.
fn waiting_of(tail: &Tail, known: &TailType) -> Result<Vec<Waiting>, Damaged> {
    let one = |key: Key| {
        let event = tail.get(key.1).ok_or(Damaged)?;
        Ok(Waiting { key, source: event.source_timestamp, size: event.bytes.len() as u64 })
    };
    known.index.range(ALL(OrderBy::Timestamp)).map(one).collect()
}

/// Removes events from their records.
pub(super) fn remove_events(
    transaction: &WriteTransaction,
    ids: &[EventId],
) -> Result<(), ChangeError> {
    let mut parts = transaction.open_table(PARTS)?;
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let mut left = &ids[..];
    while let Some(first) = left.first() {
        let at = (first.server, first.session, first.instance);
        let from = (first.server, i64::MIN, i64::MIN);
        let found = parts.range(from..=at)?.next_back().transpose()?;
        let found =
            found.map(|(key, record)| (key.value(), Bytes::copy_from_slice(record.value())));
        let Some((key, record)) = found else {
            left = &left[1..];
            continue;
        };
        let events = part::decode(key, &record)?;
        let last = events.last().map_or(*first, |(id, _)| *id).max(*first);
        let (these, rest) = left.split_at(left.partition_point(|id| *id <= last));
        left = rest;
        let kept = events.into_iter().filter(|(id, _)| these.binary_search(id).is_err());
        let kept: Vec<_> = kept.collect();
        let first = kept.first().map(|(id, _)| (id.server, id.session, id.instance));
        if first != Some(key) {
            parts.remove(key)?;
        }
        if let Some(first) = first {
            let stored: Vec<_> = kept.into_iter().map(|(_, stored)| stored).collect();
            parts.insert(first, &part::from_stored(first, &stored)[..])?;
        }
    }
    Ok(())
}
