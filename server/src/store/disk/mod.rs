//! Events on a disk.
//!
//! ```text
//! apply ─> parts: the events as on the wire, one record a session ── one commit ──> durable
//!      └─> tail:  the same in memory, with indexes                       │
//!                   └── every 65 536 events ── indexes, latest ── one commit
//! query ─> indexes on the disk merged with those of the tail ─> parts
//! ```
//!
//! What is in the parts is the truth. All else is made from them, and what a crash leaves out of
//! the indexes is read from them again at the start. The file is redb's, written by commits of two
//! phases: a commit is whole or not at all.
//!
//! Every record carries a check of its own, so damage is told and not answered. Damage to the tree
//! that holds the records is found when the file is opened, where it has at most
//! [`DiskOptions::check_below`] bytes, and by `hat store check` in any.

mod blocks;
mod check;
mod copy;
#[cfg(test)]
mod faults;
mod file;
mod part;
mod query;
mod retain;
mod tables;
mod tail;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use hat_core::eventer::{EventId, QueryParams, Timestamp};
use hat_core::sbs;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::{Answer, Last, QueryError, Session, Stats, Store, StoreError, Sync};
use blocks::Damaged;
pub use check::{Finding, Report};
pub use copy::Import;
pub use file::Medium;
use file::{Fault, Folder, Watched};
pub use retain::{Condition, JsonType, Rule, Step, Test};
use tables::{PARTS, SERVERS, STORE, Server, TYPES};
use tail::Tail;
use write::Writer;

/// How a [`DiskStore`] works.
#[derive(Clone, Debug)]
pub struct DiskOptions {
    /// Bytes of the file that are kept in memory, 64 MiB.
    pub cache: usize,
    /// Events that are in memory before they go into the indexes on the disk, 65 536. So many are
    /// read again after a crash.
    pub tail_events: usize,
    /// Their bytes, 64 MiB: what comes first.
    pub tail_bytes: usize,
    /// Events in one answer, also where more are asked for: 4 096, as with the deployed server.
    pub max_results: usize,
    /// Bytes of events in one answer, 16 MiB; one event is always answered. What was cut off
    /// follows.
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

/// Events on a disk: see [the module](self). Shared by whoever applies and whoever asks; one
/// process at a time has a folder open.
#[derive(Debug)]
pub struct DiskStore {
    options: DiskOptions,
    medium: Box<dyn Medium>,
    writer: Mutex<Writer>,
    state: RwLock<State>,
}

/// What queries see.
#[derive(Debug)]
struct State {
    /// Nothing where it could not be opened again after a fault.
    database: Result<Arc<Database>, StoreError>,
    tail: Tail,
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
        let (state, fault) = State::open(&*medium, &options)?;
        let writer = Mutex::new(Writer::new(fault, &options));
        Ok(Self { options, medium, writer, state: RwLock::new(state) })
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
}

impl State {
    /// Opens the file, and reads what is not in its indexes yet.
    fn open(medium: &dyn Medium, options: &DiskOptions) -> Result<(Self, Fault), StoreError> {
        let fault = Fault::default();
        let inner = medium.open().map_err(|error| StoreError::Failed(Arc::new(error)))?;
        let len = inner.len().map_err(|error| StoreError::Failed(Arc::new(error)))?;
        let watched = Watched { inner, fault: fault.clone() };
        let opened = guarded(|| {
            let mut builder = Database::builder();
            builder.set_cache_size(options.cache);
            builder.set_check_integrity_on_open(len > 0 && len <= options.check_below);
            let database = builder.create_with_backend(watched);
            database.map_err(|error| wrong(&fault, &redb::Error::from(error)))
        })?;
        let mut state = Self {
            database: Ok(Arc::new(opened)),
            tail: Tail::default(),
            servers: BTreeMap::new(),
            durable: BTreeMap::new(),
        };
        guarded(|| state.prepare(&fault))?;
        guarded(|| state.load(&fault))?;
        Ok((state, fault))
    }

    fn prepare(&self, fault: &Fault) -> Result<(), StoreError> {
        let of = |error: redb::Error| wrong(fault, &error);
        let database = self.database.clone()?;
        let version = version(&database).map_err(of)?;
        match version {
            Some(tables::VERSION) => Ok(()),
            Some(version) => Err(StoreError::Unknown(
                format!(
                    "the store is of version {version}, and this program knows version {}",
                    tables::VERSION
                )
                .into(),
            )),
            None => create(&database).map_err(of),
        }
    }

    fn load(&mut self, fault: &Fault) -> Result<(), StoreError> {
        let of = |error: redb::Error| wrong(fault, &error);
        let database = self.database.clone()?;
        let transaction = database.begin_read().map_err(|error| of(error.into()))?;
        let servers = transaction.open_table(SERVERS).map_err(|error| of(error.into()))?;
        let parts = transaction.open_table(PARTS).map_err(|error| of(error.into()))?;
        for entry in servers.iter().map_err(|error| of(error.into()))? {
            let (server_id, record) = entry.map_err(|error| of(error.into()))?;
            let server_id = server_id.value();
            let server = Server::from_bytes(server_id, record.value())?;
            self.servers.insert(server_id, server);
            self.durable.insert(server_id, server.last);
            let from = (server_id, server.indexed.session, i64::MIN);
            let to = (server_id, i64::MAX, i64::MAX);
            for entry in parts.range(from..=to).map_err(|error| of(error.into()))? {
                let (key, record) = entry.map_err(|error| of(error.into()))?;
                let record = Bytes::copy_from_slice(record.value());
                for (id, stored) in part::decode(key.value(), &record)? {
                    if id > server.indexed {
                        let event = sbs::decode(&stored).map_err(|_| Damaged)?;
                        self.tail.add(event, stored);
                    }
                }
            }
        }
        Ok(())
    }
}

/// A new store on bytes that are empty.
fn make_on(inner: Box<dyn redb::StorageBackend>) -> Result<(), StoreError> {
    let fault = Fault::default();
    let of = |error: redb::Error| wrong(&fault, &error);
    let watched = Watched { inner, fault: fault.clone() };
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
        transaction.open_table(TYPES)?;
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
        error => StoreError::Damaged(error.to_string().into()),
    }
}

impl From<Damaged> for StoreError {
    fn from(_: Damaged) -> Self {
        Self::Damaged("a record is not what was written".into())
    }
}

/// redb may panic over a file that was changed behind its back.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(StoreError::Damaged(text.unwrap_or("it makes no sense").into()))
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
        self.write(sessions, &floors, sync)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.write(&[], &[], Sync::Now)
    }

    fn recover(&self) -> Result<(), StoreError> {
        self.open_again()
    }

    fn query(&self, params: &QueryParams) -> Result<Answer, QueryError> {
        let mut failed = None;
        let answer = guarded(|| match self.answer(params) {
            Ok(answer) => Ok(Some(answer)),
            Err(QueryError::Store(error)) => Err(error),
            Err(error) => {
                failed = Some(error);
                Ok(None)
            }
        })?;
        answer.ok_or_else(|| failed.expect("there is an answer or an error"))
    }

    fn last(&self, server_id: i64) -> Result<Last, StoreError> {
        let server = self.read().servers.get(&server_id).copied();
        let server = server.unwrap_or_else(|| Server::new(server_id));
        Ok(Last { id: server.last, timestamp: server.timestamp, reserved: server.reserved })
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        let (transaction, tail, in_tail) = {
            let state = self.read();
            let transaction = state.database.clone()?.begin_read();
            let types: Vec<_> = state.tail.types.keys().map(tables::type_key).collect();
            (transaction, state.tail.len() as u64, types)
        };
        let of = |error: redb::Error| wrong(&Fault::default(), &error);
        let counts = || -> Result<(u64, u64), redb::Error> {
            let transaction = transaction?;
            let counts = transaction.open_table(STORE)?;
            let events = counts.get(tables::EVENTS_NAME)?.map_or(0, |count| count.value());
            let types = transaction.open_table(TYPES)?;
            let mut count = types.len()?;
            for key in in_tail {
                // a type that is in both is one
                count += u64::from(types.get(&key[..])?.is_none());
            }
            Ok((events, count))
        };
        let (events, types) = counts().map_err(of)?;
        let disk_bytes = self.medium.open().and_then(|bytes| bytes.len()).unwrap_or_default();
        Ok(Stats { events: events + tail, types, disk_bytes, tail_events: tail })
    }

    fn tidy(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.tidy_step(now)
    }

    fn is_due(&self) -> bool {
        let tail = &self.read().tail;
        tail.len() >= self.options.tail_events || tail.bytes >= self.options.tail_bytes
    }

    fn is_in_memory(&self) -> bool {
        false
    }
}
