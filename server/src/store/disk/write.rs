//! What changes the files. One at a time for the journal and one for the tables: their locks are
//! held, that of the tables first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, TryLockError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hat_core::eventer::{Event, EventType, Timestamp};
use redb::{Database, Durability, ReadableTable, StorageBackend as _, WriteTransaction};

use super::blocks::{self, Damaged};
use super::file::{Fault, WatchedBytes};
use super::journal::{self, Journal};
use super::retain::Retention;
use super::tables::{STORE, Server};
use super::tail::TailEvent;
use super::{DiskOptions, DiskStore, guarded, part, wrong};
use crate::store::{Session, StoreError, Sync};

/// What only who applies needs.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) journal: Journal,
    /// Events that are found in the tail and are not in the journal yet, and the servers that have
    /// changed.
    unsynced: Vec<Bytes>,
    unsynced_servers: BTreeSet<i64>,
    /// What the disk did last is uncertain: nothing is written before the tables have everything.
    failed: Option<StoreError>,
}

impl Writer {
    pub(super) fn new(journal: Journal) -> Self {
        Self { journal, unsynced: Vec::new(), unsynced_servers: BTreeSet::new(), failed: None }
    }
}

/// Bytes of the file that are read and written again at once.
const WINDOW: usize = 1 << 20;

/// Time between two attempts to open a file that cannot be opened, while somebody asks.
const PAUSE: Duration = Duration::from_secs(1);

/// What only who changes the tables needs.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) fault: Fault,
    /// What the disk did last is uncertain: nothing is written before the file was opened anew.
    /// [`StoreError::Full`] where there was no room for that only.
    pub(super) failed: Option<StoreError>,
    /// What is read from the file may not be on the disk, and nobody would write it: see
    /// [`DiskStore::write_again`].
    pub(super) is_uncertain: bool,
    /// When who reads last tried in vain to open the file anew.
    tried: Option<Instant>,
    pub(super) retention: Retention,
}

impl Tables {
    pub(super) fn new(fault: Fault, options: &DiskOptions) -> Self {
        let retention = Retention::new(options);
        Self { fault, failed: None, is_uncertain: false, tried: None, retention }
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
pub(super) enum ChangeError {
    Redb(redb::Error),
    Damaged,
}

impl<E: Into<redb::Error>> From<E> for ChangeError {
    fn from(error: E) -> Self {
        Self::Redb(error.into())
    }
}

impl From<Damaged> for ChangeError {
    fn from(_: Damaged) -> Self {
        Self::Damaged
    }
}

impl From<blocks::Fault> for ChangeError {
    fn from(fault: blocks::Fault) -> Self {
        match fault {
            blocks::Fault::Storage(error) => Self::Redb(error.into()),
            blocks::Fault::Damaged => Self::Damaged,
        }
    }
}

/// Sessions, as they are to be written.
#[derive(Default)]
struct PreparedSessions<'a> {
    runs: Vec<Bytes>,
    events: Vec<(&'a EventType, TailEvent)>,
    servers: BTreeMap<i64, Server>,
}

/// What a server's next sessions and timestamps may not be below: its id, the session, the
/// timestamp.
pub(super) type Floor = (i64, i64, Option<Timestamp>);

/// The mark of a server, which takes the place of the one before.
pub(super) type Mark = (i64, Bytes);

impl DiskStore {
    pub(super) fn write(
        &self,
        sessions: &[Arc<Session>],
        floors: &[Floor],
        marks: &[Mark],
        sync: Sync,
    ) -> Result<(), StoreError> {
        self.make_room()?;
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
        for (server_id, mark) in marks {
            self.known(&mut prepared.servers, *server_id).mark = Some(mark.clone());
        }
        {
            let state = self.read();
            prepared.servers.retain(|id, server| state.servers.get(id) != Some(server));
        }
        match sync {
            Sync::Later => {
                writer.unsynced.append(&mut prepared.runs);
                writer.unsynced_servers.extend(prepared.servers.keys());
                // who has a mark can apply again what is lost here: it is durable elsewhere
                let durable: Vec<_> = marks
                    .iter()
                    .filter_map(|(id, _)| Some((*id, prepared.servers.get(id)?.last)))
                    .collect();
                self.publish(prepared, &writer, false);
                self.change().durable.extend(durable);
                Ok(())
            }
            Sync::Now => self.commit(&mut writer, prepared),
        }
    }

    /// Makes durable what was applied and is not yet.
    pub(super) fn flush(&self, writer: &mut Writer) -> Result<(), StoreError> {
        match &writer.failed {
            Some(error) => Err(error.clone()),
            None => self.commit(writer, PreparedSessions::default()),
        }
    }

    /// Whether the journal and, where it is due, the tables take so much more.
    pub(super) fn has_room_for(&self, bytes: usize) -> Result<(), StoreError> {
        self.make_room()?;
        let mut writer = self.writer();
        match &writer.failed {
            Some(error) => Err(error.clone()),
            None => writer.journal.probe(bytes),
        }
    }

    /// One frame of the journal for all that waits.
    fn commit(
        &self,
        writer: &mut Writer,
        prepared: PreparedSessions<'_>,
    ) -> Result<(), StoreError> {
        let mut servers: BTreeMap<i64, Server> = BTreeMap::new();
        {
            let state = self.read();
            let known = |id: &i64| Some((*id, state.servers.get(id)?.clone()));
            servers.extend(writer.unsynced_servers.iter().filter_map(known));
            servers.extend(prepared.servers.clone());
        }
        if servers.is_empty() {
            // events change what is known of their server
            return Ok(());
        }
        let frame = journal::frame(servers.iter(), &[&writer.unsynced, &prepared.runs]);
        match writer.journal.append(frame) {
            Ok(()) => {
                writer.unsynced.clear();
                writer.unsynced_servers.clear();
                self.publish(prepared, writer, true);
                Ok(())
            }
            Err(error) => {
                if !matches!(error, StoreError::Full(_)) {
                    writer.failed = Some(error.clone());
                }
                Err(error)
            }
        }
    }

    /// What of `sessions` is new and is stored at all.
    fn prepare<'a>(&self, sessions: &'a [Arc<Session>]) -> PreparedSessions<'a> {
        let mut prepared = PreparedSessions::default();
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
            let kept: Vec<&Event> =
                new.iter().filter(|it| super::condition::all_hold(conditions, it)).collect();
            let (run, stored) = part::run(&kept);
            prepared.runs.push(run);
            let stored = kept.iter().zip(stored);
            let stored = stored.map(|(it, bytes)| (&it.event_type, TailEvent::new(it, bytes)));
            prepared.events.extend(stored);
        }
        prepared
    }

    fn known<'a>(&self, servers: &'a mut BTreeMap<i64, Server>, server_id: i64) -> &'a mut Server {
        servers.entry(server_id).or_insert_with(|| {
            let known = self.read().servers.get(&server_id).cloned();
            known.unwrap_or_else(|| Server::new(server_id))
        })
    }

    /// From now on it is found.
    fn publish(&self, prepared: PreparedSessions<'_>, writer: &Writer, durable: bool) {
        let mut state = self.change();
        for (event_type, stored) in prepared.events {
            state.tail.add(event_type, stored);
        }
        state.servers.extend(prepared.servers);
        if durable {
            state.journal = writer.journal.size();
            let lasts: Vec<_> =
                state.servers.iter().map(|(id, server)| (*id, server.last)).collect();
            state.durable.extend(lasts);
        }
    }

    /// Changes the tables by one commit. Where that fails, the file is opened anew, so that queries
    /// go on.
    pub(super) fn change_file(
        &self,
        tables: &mut Tables,
        change: impl FnOnce(&WriteTransaction) -> Result<(), ChangeError>,
    ) -> Result<(), StoreError> {
        let database = self.read().database.clone()?;
        let fault = tables.fault.clone();
        let changed = guarded(|| {
            let of = |wrong_: ChangeError| match wrong_ {
                ChangeError::Redb(error) => wrong(&fault, &error),
                ChangeError::Damaged => Damaged.into(),
            };
            let transaction = begin(&database).map_err(|error| of(error.into()))?;
            change(&transaction).map_err(of)?;
            transaction.commit().map_err(|error| of(error.into()))
        });
        drop(database);
        changed.inspect_err(|error| self.after_fault(tables, error))
    }

    /// After a change of the tables that failed: opens them anew. It may be on the disk all the
    /// same.
    pub(super) fn after_fault(&self, tables: &mut Tables, error: &StoreError) {
        tables.retention.forget();
        if !matches!(error, StoreError::Full(_)) {
            tables.failed = Some(error.clone());
        }
        if let Err(again) = self.reopen(tables)
            && tables.failed.is_none()
        {
            tables.failed = Some(again);
        }
    }

    /// Whether the tables may be changed. Where there was no room even to open them anew, there may
    /// be by now.
    pub(super) fn is_ready(&self, tables: &mut Tables) -> Result<(), StoreError> {
        match &tables.failed {
            None => Ok(()),
            Some(StoreError::Full(_)) => {
                self.write_again(tables)?;
                self.reopen(tables)?;
                tables.failed = None;
                Ok(())
            }
            Some(error) => Err(error.clone()),
        }
    }

    /// Opens the tables anew for who reads, if nobody has since they were `opened` so often. If
    /// they are open anew. Who changes the tables is not waited for, and what fails is not tried by
    /// every query.
    pub(super) fn open_for_readers(&self, opened: u64) -> bool {
        let mut tables = match self.tables.try_lock() {
            Ok(tables) => tables,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        if self.read().opened != opened {
            return true;
        }
        if tables.tried.is_some_and(|at| at.elapsed() < PAUSE) {
            return false;
        }
        let done = self.reopen(&mut tables);
        tables.tried = done.is_err().then(Instant::now);
        let is_open = done.is_ok();
        if let Err(error) = done {
            tables.failed.get_or_insert(error);
        }
        is_open
    }

    /// Writes the file as it is read, where it is uncertain, and syncs it. Nobody else may write it
    /// meanwhile.
    pub(super) fn write_again(&self, tables: &mut Tables) -> Result<(), StoreError> {
        if !tables.is_uncertain {
            return Ok(());
        }
        // who has it open could write what this has read before
        tables.fault.retire();
        let fault = Fault::default();
        let inner = self.medium.open().map_err(|error| StoreError::Failed(Arc::new(error)))?;
        let file = WatchedBytes { inner, fault: fault.clone() };
        let again = || -> std::io::Result<()> {
            let len = file.len()?;
            let mut window = vec![0; WINDOW];
            for start in (0..len).step_by(WINDOW) {
                let size = (len - start).min(WINDOW as u64) as usize;
                file.read(start, &mut window[..size])?;
                file.write(start, &window[..size])?;
            }
            file.sync_data()
        };
        let done = again()
            .map_err(|error| fault.error().unwrap_or_else(|| StoreError::Failed(Arc::new(error))));
        tables.is_uncertain = done.is_err();
        done
    }

    /// Opens the tables anew. What is in memory stays.
    fn reopen(&self, tables: &mut Tables) -> Result<(), StoreError> {
        let mut state = self.change();
        // the old one first: both would write. A query may have it for longer, and closes it then
        tables.fault.retire();
        state.opened += 1;
        let before = std::mem::replace(&mut state.database, Err(StoreError::Closed));
        drop(before);
        // without the check: what cannot be read is no reason to answer nothing
        match super::open_tables(&*self.medium, self.options.cache, 0) {
            Ok((database, fault)) => {
                state.database = Ok(Arc::new(database));
                tables.fault = fault;
                Ok(())
            }
            Err(error) => {
                state.database = Err(error.clone());
                Err(error)
            }
        }
    }

    /// After a fault: opens the tables anew, and writes and syncs once before anything counts on
    /// them. A journal that has failed is given up once they have everything that was applied.
    pub(super) fn open_again(&self) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if tables.failed.is_some() {
            self.write_again(&mut tables)?;
            self.reopen(&mut tables)?;
            self.change_file(&mut tables, |transaction| {
                let mut table = transaction.open_table(STORE)?;
                let times = table.get("recovered")?.map_or(0, |times| times.value());
                table.insert("recovered", times + 1)?;
                Ok(())
            })?;
            tables.failed = None;
        }
        let mut writer = self.writer();
        if writer.failed.is_some() {
            self.finish(&mut tables)?;
            // the frame that failed was not answered: from now on it is certainly not there
            let next = writer.journal.next() + 1;
            self.seal_up_to(next);
            self.finish(&mut tables)?;
            writer.journal.start_over(next);
            writer.unsynced.clear();
            writer.unsynced_servers.clear();
            writer.failed = None;
        }
        Ok(())
    }
}
