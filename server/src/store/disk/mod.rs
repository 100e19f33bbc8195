//! A store of events on disk.
//!
//! ```text
//! apply ─> journal: the events as on the wire ── one write, one sync ──> durable
//!      └─> tail:    the same in memory, with indexes
//!                     └── every 65 536 events, beside the work, in one commit
//! tables:  events, indexes, latest, and what waits to go into the indexes of types
//! query ─> tables merged with the tail
//! ```
//!
//! What the tables do not have is read from the journal again at the start. The tables are a file
//! of redb's, written by commits of two phases: a commit is whole or not at all. It takes two
//! syncs, so it is for many events; the journal, which is ours, takes one for those that wait.
//!
//! Every record and every frame of the journal carries a check of its own, so damage is told and
//! not answered. Damage to the tree that holds the records is found when the file is opened, where
//! it has at most [`DiskOptions::check_below`] bytes, and by `hat store check` in any.

mod blocks;
mod check;
mod condition;
mod copy;
mod drain;
#[cfg(test)]
mod faults;
mod file;
mod journal;
mod part;
mod pending;
mod query;
mod retain;
mod tables;
mod tail;
#[cfg(test)]
mod tests;
mod write;

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use hat_core::eventer::{Event, EventId, EventType, QueryParams, Timestamp};
use hat_core::sbs;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::{Answer, FoundTypes, Last, QueryError, Session, Stats, Store, StoreError, Sync};
use blocks::Damaged;
pub use check::{Finding, Report};
pub use condition::{Condition, JsonType, Step, Test};
pub use copy::Import;
use drain::SealedTail;
pub use file::Medium;
use file::{Fault, Folder, WatchedBytes};
use journal::Journal;
pub use retain::{Rule, SourceLimits};
use tables::{JOURNAL, PARTS, Position, SERVERS, STORE, Server, TYPES};
use tail::{Tail, TailEvent};
use write::{Tables, Writer};

/// How a [`DiskStore`] works.
#[derive(Clone, Debug)]
pub struct DiskOptions {
    /// Bytes of the file that are kept in memory, 64 MiB.
    pub cache: usize,
    /// Events that are in memory and in the journal before they go into the tables, 65 536. While
    /// they do, as many more are taken, and then who registers waits. So many are read again at the
    /// start.
    pub tail_events: usize,
    /// Their bytes, 64 MiB: what comes first. The journal may take four times that on the disk.
    pub tail_bytes: usize,
    /// Events in one answer, also where more are asked for: 4 096, as with the deployed server.
    pub max_results: usize,
    /// Bytes of events in one answer, 16 MiB; one event is always answered. What was cut off
    /// follows. Of latest events, which nobody can ask for in parts, as many as a message may have
    /// are answered, 64 MiB, where that is more.
    pub max_answer: usize,
    /// A file of at most so many bytes is checked as a whole when it is opened: 256 MiB, which
    /// takes a second or less. A larger one is checked by `hat store check`.
    pub check_below: u64,
    /// Which events are kept for how long. The first rule that matches an event's type holds for
    /// it; what none matches is kept for ever.
    pub rules: Vec<Rule>,
    /// Which events are stored at all.
    pub conditions: Vec<Condition>,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            cache: 64 << 20,
            tail_events: 65_536,
            tail_bytes: 64 << 20,
            max_results: 4_096,
            max_answer: 16 << 20,
            check_below: 256 << 20,
            rules: Vec::new(),
            conditions: Vec::new(),
        }
    }
}

/// How often who reads begins anew at most where the file is opened anew: that is about once a
/// second where a disk fails.
const TRIES: usize = 3;

/// Events on a disk: see [the module](self). Shared by whoever applies and whoever asks; one
/// process at a time has a folder open.
#[derive(Debug)]
pub struct DiskStore {
    options: DiskOptions,
    tables: Mutex<Tables>,
    writer: Mutex<Writer>,
    state: RwLock<State>,
    /// The last one: it has the lock, and redb writes when its file is closed.
    medium: Box<dyn Medium>,
}

/// What queries see.
#[derive(Debug)]
struct State {
    /// Nothing where it could not be opened again after a fault.
    database: Result<Arc<Database>, StoreError>,
    /// How often it was opened again.
    opened: u64,
    /// What is on its way into the tables.
    sealed: Option<Arc<SealedTail>>,
    /// What came after that.
    tail: Tail,
    /// Bytes of the journal that hold it.
    journal: u64,
    servers: BTreeMap<i64, Server>,
    /// The last event of each server that is on the disk for certain.
    durable: BTreeMap<i64, EventId>,
}

impl DiskStore {
    /// Opens the store in a folder, which is made where there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: [`Locked`](StoreError::Locked) where another process has it open,
    /// [`Damaged`](StoreError::Damaged) where it is not what was written.
    pub fn open(folder: &Path, options: DiskOptions) -> Result<Self, StoreError> {
        Self::open_on(Box::new(Folder::lock(folder)?), options)
    }

    /// Opens the store on any medium. Nothing is locked.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_on(medium: Box<dyn Medium>, options: DiskOptions) -> Result<Self, StoreError> {
        let (database, fault) = open_tables(&*medium, options.cache, options.check_below)?;
        let (servers, position) = guarded(|| known(&database, &fault))?;
        let (journal, replay) = Journal::open(&*medium, position)?;
        let mut state = State {
            database: Ok(Arc::new(database)),
            opened: 0,
            sealed: None,
            tail: Tail::default(),
            journal: journal.size(),
            durable: BTreeMap::new(),
            servers,
        };
        if let Some((covers, bodies)) = replay.sealed {
            state.replay(&bodies)?;
            let (tail, servers) = (std::mem::take(&mut state.tail), state.servers.clone());
            state.sealed = Some(Arc::new(SealedTail { tail, covers, servers }));
        }
        state.replay(&replay.bodies)?;
        state.durable = state.servers.iter().map(|(id, server)| (*id, server.last)).collect();
        let tables = Mutex::new(Tables::new(fault, &options));
        let writer = Mutex::new(Writer::new(journal));
        Ok(Self { options, tables, writer, state: RwLock::new(state), medium })
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the tables. Where that fails and they were opened anew meanwhile, it begins anew: what
    /// was opened before cannot be read any more.
    fn reading<T>(&self, read: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
        for _ in 0..TRIES {
            let opened = self.read().opened;
            let error = match guarded(&read) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if self.read().opened != opened {
                continue;
            }
            // after a read that failed redb reads nothing more
            let is_closed = self.read().database.is_err();
            let is_failed = matches!(error, StoreError::Failed(_)) || is_closed;
            let is_open = is_failed && self.open_for_readers(opened);
            // what failed itself would fail again
            if !(is_open && (is_closed || is_earlier(&error))) {
                return Err(error);
            }
        }
        let what = "the file was opened anew each time that it was read";
        Err(StoreError::Failed(Arc::new(std::io::Error::other(what))))
    }

    fn counts(&self) -> Result<Stats, StoreError> {
        let mut types: HashSet<Vec<u8>> = HashSet::new();
        let (transaction, sealed, tail) = {
            let state = self.read();
            let transaction = state.database.clone()?.begin_read();
            types.extend(state.tail.types.keys().map(tables::type_key));
            (transaction, state.sealed.clone(), state.tail.len() as u64)
        };
        let mut tail = tail;
        let counts = || -> Result<(u64, u64), write::ChangeError> {
            let transaction = transaction?;
            if let Some(sealed) = &sealed
                && !is_in(&transaction, sealed)?
            {
                types.extend(sealed.tail.types.keys().map(tables::type_key));
                tail += sealed.tail.len() as u64;
            }
            let counts = transaction.open_table(STORE)?;
            let events = counts.get(tables::EVENTS_NAME)?.map_or(0, |count| count.value());
            let table = transaction.open_table(TYPES)?;
            let mut count = table.len()?;
            for key in &types {
                // a type that is in both is one
                count += u64::from(table.get(&key[..])?.is_none());
            }
            Ok((events, count))
        };
        let (events, types) = counts().map_err(|error| match error {
            write::ChangeError::Redb(error) => wrong(&Fault::default(), &error),
            write::ChangeError::Damaged => Damaged.into(),
        })?;
        let files = [self.medium.open(), self.medium.journal(0), self.medium.journal(1)];
        let len = |file: std::io::Result<Box<dyn redb::StorageBackend>>| file?.len();
        let disk_bytes = files.into_iter().map(|file| len(file).unwrap_or_default()).sum();
        Ok(Stats { events: events + tail, types, disk_bytes, tail_events: tail })
    }
}

impl State {
    /// Adds what the journal has.
    fn replay(&mut self, bodies: &[Bytes]) -> Result<(), StoreError> {
        for body in bodies {
            let (servers, events) = journal::read_body(body)?;
            for stored in events {
                let event: Event = sbs::decode(&stored).map_err(|_| Damaged)?;
                self.tail.add(&event.event_type, TailEvent::new(&event, stored));
            }
            self.servers.extend(servers.into_iter().map(|server| (server.last.server, server)));
        }
        Ok(())
    }

    /// What the tables do not have, the earlier first.
    fn tails(&self) -> impl Iterator<Item = &Tail> {
        self.sealed.iter().map(|sealed| &sealed.tail).chain([&self.tail])
    }
}

/// Opens the file of the tables.
fn open_tables(
    medium: &dyn Medium,
    cache: usize,
    check_below: u64,
) -> Result<(Database, Fault), StoreError> {
    let fault = Fault::default();
    let inner = medium.open().map_err(|error| StoreError::Failed(Arc::new(error)))?;
    let len = inner.len().map_err(|error| StoreError::Failed(Arc::new(error)))?;
    let watched = WatchedBytes { inner, fault: fault.clone() };
    let of = |error: redb::Error| wrong(&fault, &error);
    let database = guarded(|| {
        let mut builder = Database::builder();
        builder.set_cache_size(cache);
        builder.set_check_integrity_on_open(len > 0 && len <= check_below);
        let database = builder.create_with_backend(watched).map_err(|error| of(error.into()))?;
        match version(&database).map_err(of)? {
            Some(tables::VERSION) => {}
            Some(version) => {
                let known = tables::VERSION;
                let by = if version < known { "an earlier" } else { "a later" };
                let what = format!(
                    "the store has version {version}, which {by} hat created, and this hat knows \
                     version {known}: export it with that hat (hat store export), and import it \
                     with this one (hat store import)"
                );
                return Err(StoreError::Unknown(what.into()));
            }
            None => create(&database).map_err(of)?,
        }
        Ok(database)
    })?;
    Ok((database, fault))
}

/// What the tables say of servers, and where the journal goes on.
fn known(
    database: &Database,
    fault: &Fault,
) -> Result<(BTreeMap<i64, Server>, Position), StoreError> {
    let read = || -> Result<_, write::ChangeError> {
        let transaction = database.begin_read()?;
        let mut servers = BTreeMap::new();
        for entry in transaction.open_table(SERVERS)?.iter()? {
            let (server_id, record) = entry?;
            let server_id = server_id.value();
            servers.insert(server_id, Server::from_bytes(server_id, record.value())?);
        }
        let record = transaction.open_table(JOURNAL)?.get(())?.ok_or(Damaged)?;
        Ok((servers, Position::from_bytes(record.value())?))
    };
    read().map_err(|error| match error {
        write::ChangeError::Redb(error) => wrong(fault, &error),
        write::ChangeError::Damaged => Damaged.into(),
    })
}

/// A new store on bytes that are empty.
fn make_on(inner: Box<dyn redb::StorageBackend>) -> Result<(), StoreError> {
    let fault = Fault::default();
    let of = |error: redb::Error| wrong(&fault, &error);
    let watched = WatchedBytes { inner, fault: fault.clone() };
    let database = Database::builder().create_with_backend(watched);
    create(&database.map_err(|error| of(error.into()))?).map_err(of)
}

fn version(database: &Database) -> Result<Option<u64>, redb::Error> {
    match database.begin_read()?.open_table(STORE) {
        Ok(table) => Ok(table.get(tables::VERSION_NAME)?.map(|value| value.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn create(database: &Database) -> Result<(), redb::Error> {
    let transaction = write::begin(database)?;
    {
        transaction.open_table(STORE)?.insert(tables::VERSION_NAME, tables::VERSION)?;
        transaction.open_table(SERVERS)?;
        transaction.open_table(PARTS)?;
        transaction.open_table(blocks::TABLE)?;
        transaction.open_table(pending::TABLE)?;
        transaction.open_table(TYPES)?;
        // keyed by the system, so that nobody else knows it
        let secret = RandomState::new().build_hasher().finish();
        let position = Position { next: 1, secret };
        transaction.open_table(JOURNAL)?.insert((), &position.to_bytes()[..])?;
    }
    transaction.commit()?;
    Ok(())
}

/// What an error of redb is to us: what the disk said, where it was that.
fn wrong(fault: &Fault, error: &redb::Error) -> StoreError {
    if let Some(fault) = fault.error() {
        return fault;
    }
    match error {
        redb::Error::DatabaseClosed => StoreError::Closed,
        redb::Error::UpgradeRequired(version) => StoreError::Unknown(
            format!("the file is of an older version of redb, {version}").into(),
        ),
        redb::Error::Io(error) => file::of_reading(file::as_it_was(error)),
        redb::Error::PreviousIo => {
            StoreError::Failed(Arc::new(std::io::Error::other(EarlierFailure)))
        }
        error => StoreError::Damaged(error.to_string().into()),
    }
}

/// The error of who reads after somebody whose read failed.
#[derive(Debug, thiserror::Error)]
#[error("it could not be read before")]
struct EarlierFailure;

fn is_earlier(error: &StoreError) -> bool {
    let StoreError::Failed(error) = error else { return false };
    let Some(inner) = error.get_ref() else { return false };
    inner.is::<EarlierFailure>()
}

impl From<Damaged> for StoreError {
    fn from(_: Damaged) -> Self {
        Self::Damaged("a record is damaged".into())
    }
}

/// Whether the tables have what is sealed: it is for a moment in both.
fn is_in(
    transaction: &redb::ReadTransaction,
    sealed: &SealedTail,
) -> Result<bool, write::ChangeError> {
    let table = transaction.open_table(JOURNAL)?;
    let record = table.get(())?.ok_or(Damaged)?;
    Ok(Position::from_bytes(record.value())?.next >= sealed.covers)
}

/// redb may panic over a file that was changed behind its back.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(StoreError::Damaged(text.unwrap_or("it is not valid").into()))
    })
}

impl Store for DiskStore {
    fn apply(
        &self,
        sessions: &[Arc<Session>],
        reserve: &[(i64, i64)],
        sync: Sync,
    ) -> Result<(), StoreError> {
        let floors: Vec<_> =
            reserve.iter().map(|(server_id, session)| (*server_id, *session, None)).collect();
        self.write(sessions, &floors, &[], sync)
    }

    fn apply_marked(
        &self,
        sessions: &[Arc<Session>],
        server_id: i64,
        mark: Bytes,
        sync: Sync,
    ) -> Result<(), StoreError> {
        self.write(sessions, &[], &[(server_id, mark)], sync)
    }

    fn mark(&self, server_id: i64) -> Result<Option<Bytes>, StoreError> {
        Ok(self.read().servers.get(&server_id).and_then(|server| server.mark.clone()))
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.write(&[], &[], &[], Sync::Now)
    }

    fn recover(&self) -> Result<(), StoreError> {
        self.open_again()
    }

    fn probe(&self, bytes: usize) -> Result<(), StoreError> {
        self.has_room_for(bytes)
    }

    fn query(&self, params: &QueryParams) -> Result<Answer, QueryError> {
        self.reading(|| match self.answer(params) {
            Err(QueryError::Store(error)) => Err(error),
            // what is wrong with the query stays so
            answer => Ok(answer),
        })?
    }

    fn search(
        &self,
        finds: &dyn Fn(&EventType) -> bool,
        most: usize,
        bytes: usize,
    ) -> Result<FoundTypes, QueryError> {
        Ok(self.reading(|| self.find_types(finds, most, bytes))?)
    }

    fn last(&self, server_id: i64) -> Result<Last, StoreError> {
        let server = self.read().servers.get(&server_id).cloned();
        let server = server.unwrap_or_else(|| Server::new(server_id));
        Ok(Last { id: server.last, timestamp: server.timestamp, reserved: server.reserved })
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        self.reading(|| self.counts())
    }

    fn tidy(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.tidy_step(now)
    }

    fn is_due(&self) -> bool {
        self.read().sealed.is_some() || self.is_over(1)
    }

    fn is_in_memory(&self) -> bool {
        false
    }
}
