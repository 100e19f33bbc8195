//! What changes the file. One at a time: the writer's lock is held.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use hat_core::eventer::{Event, EventId, OrderBy, Timestamp};
use hat_core::sbs;
use redb::{Database, Durability, ReadableTable, WriteTransaction};

use super::blocks::{self, Damaged};
use super::file::Fault;
use super::part::PartKey;
use super::retain::Retention;
use super::tables::{self, PARTS, SERVERS, STORE, Server, TYPES, Type};
use super::tail::TailType;
use super::{DiskOptions, DiskStore, State, guarded, part, wrong};
use crate::store::index::{Key, Range};
use crate::store::{Session, StoreError, Sync, is_later};

/// What only who writes needs.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) fault: Fault,
    /// Records that are found in the tail and are not on the disk yet.
    unsynced: Vec<(PartKey, Bytes)>,
    unsynced_sessions: Vec<Arc<Session>>,
    /// What the disk did last is uncertain: nothing is written before it was opened anew.
    failed: Option<StoreError>,
    pub(super) retention: Retention,
}

impl Writer {
    pub(super) fn new(fault: Fault, options: &DiskOptions) -> Self {
        Self {
            fault,
            unsynced: Vec::new(),
            unsynced_sessions: Vec::new(),
            failed: None,
            retention: Retention::new(options),
        }
    }
}

/// A transaction whose commit is whole or not at all, whatever happens to the disk meanwhile.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    // after a crash the file is open at once, however large it is
    transaction.set_quick_repair(true);
    transaction.set_durability(Durability::Immediate)?;
    Ok(transaction)
}

/// What a change can come to.
#[derive(Debug)]
pub(super) enum Wrong {
    Redb(redb::Error),
    Damaged,
}

impl<E: Into<redb::Error>> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self::Redb(error.into())
    }
}

impl From<Damaged> for Wrong {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

impl From<blocks::Fault> for Wrong {
    fn from(fault: blocks::Fault) -> Self {
        match fault {
            blocks::Fault::Storage(error) => Self::Redb(error.into()),
            blocks::Fault::Damaged => Self::Damaged,
        }
    }
}

/// Sessions, as they are to be written.
#[derive(Default)]
struct Prepared {
    parts: Vec<(PartKey, Bytes)>,
    events: Vec<(Event, Bytes)>,
    servers: BTreeMap<i64, Server>,
}

/// What a server's next sessions and timestamps may not be below: its id, the session, the
/// timestamp.
pub(super) type Floor = (i64, i64, Option<Timestamp>);

impl DiskStore {
    pub(super) fn write(
        &self,
        sessions: &[Arc<Session>],
        floors: &[Floor],
        sync: Sync,
    ) -> Result<(), StoreError> {
        let mut writer = self.writer();
        if let Some(error) = &writer.failed {
            return Err(error.clone());
        }
        let mut prepared = self.prepare(sessions);
        for (server_id, session, timestamp) in floors {
            let server = self.known(&mut prepared.servers, *server_id);
            server.reserved = server.reserved.max(*session);
            server.timestamp = server.timestamp.max(*timestamp);
        }
        if sync == Sync::Later {
            writer.unsynced.append(&mut prepared.parts);
            writer.unsynced_sessions.extend_from_slice(sessions);
            self.publish(prepared, false);
            return Ok(());
        }
        let unsynced = std::mem::take(&mut writer.unsynced);
        let is_nothing =
            unsynced.is_empty() && prepared.parts.is_empty() && prepared.servers.is_empty();
        if is_nothing {
            return Ok(());
        }
        let written = self.change_file(&mut writer, |transaction| {
            let mut parts = transaction.open_table(PARTS)?;
            for (key, record) in unsynced.iter().chain(&prepared.parts) {
                parts.insert(key, &record[..])?;
            }
            let mut servers = transaction.open_table(SERVERS)?;
            let mut all = self.read().servers.clone();
            all.extend(&prepared.servers);
            let durable = self.read().durable.clone();
            for (server_id, server) in all {
                let is_new = prepared.servers.contains_key(&server_id)
                    || durable.get(&server_id) != Some(&server.last);
                if is_new {
                    servers.insert(server_id, &server.to_bytes()[..])?;
                }
            }
            Ok(())
        });
        match written {
            Ok(()) => {
                writer.unsynced_sessions.clear();
                self.publish(prepared, true);
                Ok(())
            }
            Err(error) => {
                if writer.unsynced.is_empty() {
                    writer.unsynced = unsynced;
                }
                Err(error)
            }
        }
    }

    /// What of `sessions` is new and is stored at all.
    fn prepare(&self, sessions: &[Arc<Session>]) -> Prepared {
        let mut prepared = Prepared::default();
        for session in sessions {
            let server = self.known(&mut prepared.servers, session.server_id());
            let events = session.events();
            let known = events.partition_point(|event| event.id <= server.last);
            let new = &events[known..];
            let Some(last) = new.last() else { continue };
            server.last = last.id;
            server.reserved = server.reserved.max(last.id.session);
            server.timestamp = server.timestamp.max(Some(session.timestamp()));
            let conditions = &self.options.conditions;
            let kept: Vec<Event> = new
                .iter()
                .filter(|event| super::retain::all_hold(conditions, event))
                .cloned()
                .collect();
            let (parts, stored) = part::encode(&kept);
            prepared.parts.extend(parts);
            prepared.events.extend(kept.into_iter().zip(stored));
        }
        prepared
    }

    fn known<'a>(&self, servers: &'a mut BTreeMap<i64, Server>, server_id: i64) -> &'a mut Server {
        servers.entry(server_id).or_insert_with(|| {
            let known = self.read().servers.get(&server_id).copied();
            known.unwrap_or_else(|| Server::new(server_id))
        })
    }

    /// From now on it is found.
    fn publish(&self, prepared: Prepared, durable: bool) {
        let mut state = self.change();
        for (event, stored) in prepared.events {
            state.tail.add(event, stored);
        }
        state.servers.extend(prepared.servers);
        if durable {
            let lasts: Vec<_> =
                state.servers.iter().map(|(id, server)| (*id, server.last)).collect();
            state.durable.extend(lasts);
        }
    }

    /// Changes the file by one commit. Where that fails, the file is opened anew, so that queries
    /// go on.
    pub(super) fn change_file(
        &self,
        writer: &mut Writer,
        change: impl FnOnce(&WriteTransaction) -> Result<(), Wrong>,
    ) -> Result<(), StoreError> {
        let database = self.read().database.clone()?;
        let fault = writer.fault.clone();
        let changed = guarded(|| {
            let of = |wrong_: Wrong| match wrong_ {
                Wrong::Redb(error) => wrong(&fault, &error),
                Wrong::Damaged => Damaged.into(),
            };
            let transaction = begin(&database).map_err(|error| of(error.into()))?;
            change(&transaction).map_err(of)?;
            transaction.commit().map_err(|error| of(error.into()))
        });
        drop(database);
        let Err(error) = changed else { return Ok(()) };
        if !matches!(error, StoreError::Full(_)) {
            writer.failed = Some(error.clone());
        }
        if let Err(again) = self.reopen(writer)
            && writer.failed.is_none()
        {
            writer.failed = Some(again);
        }
        Err(error)
    }

    /// Opens the file anew. What was applied and not synced is kept, and written with what comes
    /// next.
    fn reopen(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let sessions = std::mem::take(&mut writer.unsynced_sessions);
        let mut state = self.change();
        // the old one first: both would write
        let before = std::mem::replace(&mut state.database, Err(StoreError::Closed));
        drop(before);
        match State::open(&*self.medium, &self.options) {
            Ok((opened, fault)) => {
                *state = opened;
                drop(state);
                writer.fault = fault;
                let mut prepared = self.prepare(&sessions);
                writer.unsynced = std::mem::take(&mut prepared.parts);
                writer.unsynced_sessions = sessions;
                self.publish(prepared, false);
                Ok(())
            }
            Err(error) => {
                state.database = Err(error.clone());
                drop(state);
                writer.unsynced_sessions = sessions;
                Err(error)
            }
        }
    }

    /// After a fault: opens anew, and writes and syncs once before anything counts on it.
    pub(super) fn open_again(&self) -> Result<(), StoreError> {
        let mut writer = self.writer();
        if writer.failed.is_none() {
            return Ok(());
        }
        self.reopen(&mut writer)?;
        self.change_file(&mut writer, |transaction| {
            let mut table = transaction.open_table(STORE)?;
            let times = table.get("recovered")?.map_or(0, |times| times.value());
            table.insert("recovered", times + 1)?;
            Ok(())
        })?;
        writer.failed = None;
        Ok(())
    }

    /// Brings the tail into the indexes on the disk.
    pub(super) fn drain(&self) -> Result<(), StoreError> {
        self.write(&[], &[], Sync::Now)?;
        let mut writer = self.writer();
        if let Some(error) = &writer.failed {
            return Err(error.clone());
        }
        if self.read().tail.len() == 0 {
            return Ok(());
        }
        let mut counts = Vec::new();
        let rules = writer.retention.rules();
        // only who writes changes the tail, and holds the writer's lock here
        let drained = self.change_file(&mut writer, |transaction| {
            let state = self.read();
            counts.clear();
            index(&state, transaction, &rules, &mut counts)
        });
        drained?;
        writer.retention.count(&counts);
        let mut state = self.change();
        let before = std::mem::take(&mut state.tail);
        for server in state.servers.values_mut() {
            server.indexed = server.last;
        }
        drop(state);
        // takes a while, and nobody needs to wait for it
        drop(before);
        Ok(())
    }
}

const ALL: fn(OrderBy) -> Range = |by| Range {
    by,
    order: hat_core::eventer::Order::Ascending,
    from: Timestamp::MIN,
    to: Timestamp::MAX,
    after: None,
};

fn index(
    state: &State,
    transaction: &WriteTransaction,
    rules: &super::retain::Rules,
    counts: &mut Vec<(Option<usize>, i64, i64)>,
) -> Result<(), Wrong> {
    let tail = &state.tail;
    let mut store = transaction.open_table(STORE)?;
    let mut types = transaction.open_table(TYPES)?;
    let mut last_type = store.get(tables::TYPES_NAME)?.map_or(0, |number| number.value());
    let mut numbered: Vec<(u64, &TailType)> = Vec::with_capacity(tail.types.len());
    let mut keyed: Vec<_> = tail
        .types
        .iter()
        .map(|(event_type, known)| (tables::type_key(event_type), event_type, known))
        .collect();
    keyed.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut gone: Vec<EventId> = Vec::new();
    for (key, event_type, known) in keyed {
        let (latest, stored) = &tail.events[&known.latest];
        let before = types.get(&key[..])?.map(|record| Type::from_bytes(&key, record.value()));
        let mut record = match before.transpose()? {
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
        let is_later = previous.as_ref().is_none_or(|previous| is_later(previous, latest));
        if is_later {
            gone.extend(previous.filter(|_| !record.in_series).map(|previous| previous.id));
            record.latest = Some(stored.clone());
            record.in_series = true;
        }
        let events = known.index.len();
        record.events += events as u64;
        record.bytes += known.bytes as u64;
        types.insert(&key[..], &record.to_bytes(&key)[..])?;
        numbered.push((record.number, known));
        counts.push((rules.of(event_type), events as i64, known.bytes as i64));
    }
    store.insert(tables::TYPES_NAME, last_type)?;
    let events = store.get(tables::EVENTS_NAME)?.map_or(0, |count| count.value());
    store.insert(tables::EVENTS_NAME, events + tail.len() as u64)?;

    // in the order of the table, where neighbours are written together
    numbered.sort_unstable_by_key(|(number, _)| *number);
    let mut indexes = transaction.open_table(blocks::TABLE)?;
    let mut keys: Vec<Key> = Vec::new();
    for by in [OrderBy::Timestamp, OrderBy::SourceTimestamp] {
        keys.clear();
        keys.extend(tail.index.range(ALL(by)));
        blocks::insert(&mut indexes, tables::prefix(0, by), &keys)?;
    }
    for (number, known) in numbered {
        for by in [OrderBy::Timestamp, OrderBy::SourceTimestamp] {
            keys.clear();
            keys.extend(known.index.range(ALL(by)));
            blocks::insert(&mut indexes, tables::prefix(number, by), &keys)?;
        }
    }
    remove_events(transaction, &gone)?;
    let mut servers = transaction.open_table(SERVERS)?;
    for (server_id, server) in &state.servers {
        let indexed = Server { indexed: server.last, ..*server };
        servers.insert(server_id, &indexed.to_bytes()[..])?;
    }
    Ok(())
}

/// Removes events from their parts.
pub(super) fn remove_events(transaction: &WriteTransaction, ids: &[EventId]) -> Result<(), Wrong> {
    let mut parts = transaction.open_table(PARTS)?;
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    let mut left = &ids[..];
    while let Some(first) = left.first() {
        let at = (first.server, first.session, first.instance);
        let from = (first.server, first.session, i64::MIN);
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
