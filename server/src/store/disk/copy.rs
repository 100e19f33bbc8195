//! The whole of a store, event by event, and into another.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hat_core::eventer::{Event, QueryParams, ServerParams, Timestamp};
use hat_core::sbs::Encode;

use super::write::Tables;
use super::{DiskOptions, DiskStore, StoreError};
use crate::store::{Last, QueryError, Session, SessionError, Store, Sync};

/// Events that share a sync when they are copied, and bytes of their payloads: those are in memory
/// some three times meanwhile.
const BATCH: usize = 32_768;
const BATCH_BYTES: usize = 16 * 1024 * 1024;

impl DiskStore {
    /// The servers whose events there are, and the last of each.
    #[must_use]
    pub fn servers(&self) -> Vec<Last> {
        let state = self.read();
        let last = |server: &super::tables::Server| Last {
            id: server.last,
            timestamp: server.timestamp,
            reserved: server.reserved,
        };
        state.servers.values().map(last).collect()
    }

    /// Every event that is kept, by server, session and instance; what is registered meanwhile may
    /// come, too. Registrations and queries go on beside it.
    ///
    /// # Errors
    ///
    /// Those of the store, and those of `each`.
    pub fn for_each<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        for server in self.servers() {
            let mut params =
                ServerParams { server_id: server.id.server, ..ServerParams::default() };
            loop {
                let answer = self.query(&QueryParams::Server(params.clone()));
                let answer = answer.map_err(|error| match error {
                    QueryError::Store(error) => error,
                    other => StoreError::Damaged(other.to_string().into()),
                })?;
                let answered = answer.len();
                let result = answer.into_result();
                if result.events.len() < answered {
                    return Err(StoreError::from(super::Damaged).into());
                }
                let Some(last) = result.events.last().map(|event| event.id) else { break };
                params.last_event_id = Some(last);
                result.events.into_iter().try_for_each(&mut each)?;
                if !result.more_follows {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Copies everything into a new store in `folder`, beside the work, with the numbers that are
    /// reserved. The copy is as small as a store can be. Events that are kept only as the latest of
    /// their type are in its series, until its rules say otherwise.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; one where the folder has a store already.
    pub fn copy_to(&self, folder: &Path, mut progress: impl FnMut(u64)) -> Result<u64, StoreError> {
        let of = |error| StoreError::Path(folder.into(), Arc::new(error));
        if folder.join(super::file::FILE).try_exists().map_err(of)? {
            return Err(of(std::io::Error::from(std::io::ErrorKind::AlreadyExists)));
        }
        Self::make_whole(folder, |copy| self.copy_into(copy, &mut progress))
    }

    /// Makes a store in `folder`, where there is none, of what `fill` puts into it: all of that, or
    /// none. Half of it must not look like the whole, whatever ends this.
    ///
    /// # Errors
    ///
    /// Those of `fill`, and [`StoreError`].
    pub fn make_whole<T, E: From<StoreError>>(
        folder: &Path,
        fill: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        // nobody begins another store there meanwhile
        let _lock = super::file::lock_folder(folder)?;
        let of = |error| StoreError::Path(folder.into(), Arc::new(error));
        if folder.join(super::file::FILE).try_exists().map_err(of)? {
            return Err(of(std::io::Error::from(std::io::ErrorKind::AlreadyExists)).into());
        }
        let part = folder.join(super::file::PART);
        super::file::remove_begun(&part)?;
        let store = Self::open(&part, DiskOptions::default())?;
        let filled = fill(&store).inspect_err(|_| {
            // nobody goes on with it, and on a disk that is full it would be in the way
            let _ = std::fs::remove_dir_all(&part);
        })?;
        drop(store);
        super::file::take_from(&part, folder)?;
        Ok(filled)
    }

    fn copy_into(&self, copy: &Self, progress: &mut impl FnMut(u64)) -> Result<u64, StoreError> {
        let mut into = Import::new(copy);
        // before the events: what is applied meanwhile may be applied again, and not be left out.
        // A server of which something comes only meanwhile is left out: it would have no mark
        let (known, marks): (BTreeSet<i64>, Vec<_>) = {
            let state = self.read();
            let mark =
                |(id, server): (&i64, &super::tables::Server)| Some((*id, server.mark.clone()?));
            (
                state.servers.keys().copied().collect(),
                state.servers.iter().filter_map(mark).collect(),
            )
        };
        self.for_each(|event| {
            if !known.contains(&event.id.server) {
                return Ok(());
            }
            into.add(event)?;
            if into.taken.is_multiple_of(4_096) {
                progress(into.taken);
            }
            Ok::<_, StoreError>(())
        })?;
        let (taken, _) = into.finish()?;
        let last: Vec<_> = self
            .servers()
            .iter()
            .filter(|last| known.contains(&last.id.server))
            .map(|last| (last.id.server, last.reserved, last.timestamp))
            .collect();
        copy.write(&[], &last, &marks, Sync::Now)?;
        copy.drain()?;
        Ok(taken)
    }

    /// Keeps for servers, by their ids, a session and a timestamp that what they register from now
    /// on has to be above, or not below. Lower ones than what is kept change nothing. It is durable
    /// then.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn go_on_above(&self, servers: &[(i64, i64, Option<Timestamp>)]) -> Result<(), StoreError> {
        self.write(&[], servers, &[], Sync::Now)
    }

    /// Gives unused space back to the disk. Nobody else uses the store meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn compact(&mut self) -> Result<(), StoreError> {
        self.drain()?;
        self.writer().journal.shrink()?;
        let mut tables = self.tables();
        let fault = tables.fault.clone();
        let compacted = {
            let mut state = self.change();
            let held = std::mem::replace(&mut state.database, Err(StoreError::Closed));
            let mut database = match held.map(Arc::try_unwrap) {
                Ok(Ok(database)) => database,
                Ok(Err(held)) => {
                    state.database = Ok(held);
                    let what = "the store is being read; it can be compacted only while it is not";
                    return Err(StoreError::Unknown(what.into()));
                }
                Err(error) => {
                    state.database = Err(error.clone());
                    return Err(error);
                }
            };
            let compacted = super::guarded(|| {
                let wrong = |error: redb::CompactionError| super::wrong(&fault, &error.into());
                while database.compact().map_err(wrong)? {}
                Ok(())
            });
            state.database = Ok(Arc::new(database));
            compacted
        };
        compacted.map_err(|error| self.after_compacting(&mut tables, error))
    }

    /// After a fault while redb made the file compact. It does so by commits of one phase: where
    /// the sync of one fails, that commit is what is read from then on, and its pages may be in the
    /// system's memory only, which believes that they are written. So all of them are written again
    /// before anything counts on them.
    fn after_compacting(&self, tables: &mut Tables, error: StoreError) -> StoreError {
        tables.fault.retire();
        tables.is_uncertain = true;
        let error = match self.write_again(tables) {
            Ok(()) => error,
            Err(again) => {
                let what = format!(
                    "{error}; and {again}: a power failure now may damage the store, so copy it to \
                     another disk (`hat store backup`) before this machine restarts"
                );
                let error = StoreError::Failed(Arc::new(std::io::Error::other(what)));
                // it is done before this process changes anything
                tables.failed = Some(error.clone());
                error
            }
        };
        self.after_fault(tables, &error);
        error
    }
}

/// Events that go into a store with their ids and timestamps, session by session.
pub struct Import<'a> {
    store: &'a DiskStore,
    events: Vec<Event>,
    sessions: Vec<Arc<Session>>,
    waiting: usize,
    waiting_bytes: usize,
    /// Events that were given.
    pub taken: u64,
    before: u64,
}

impl fmt::Debug for Import<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import").field("taken", &self.taken).finish_non_exhaustive()
    }
}

impl<'a> Import<'a> {
    /// Into `store`.
    #[must_use]
    pub fn new(store: &'a DiskStore) -> Self {
        let before = store.stats().map_or(0, |stats| stats.events);
        let (events, sessions) = (Vec::new(), Vec::new());
        Self { store, events, sessions, waiting: 0, waiting_bytes: 0, taken: 0, before }
    }

    /// Whether `event` may be the next: its session and its instance are above 0, and it comes
    /// after the event before it where that is of the same session.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn check(&self, event: &Event) -> Result<(), SessionError> {
        if event.id.session < 1 || event.id.instance < 1 {
            return Err(SessionError::Id(event.id));
        }
        match self.session_of(event) {
            Some(last) if last.id >= event.id => Err(SessionError::Order(event.id)),
            _ => Ok(()),
        }
    }

    /// The last event, where `event` is of the same session.
    fn session_of(&self, event: &Event) -> Option<&Event> {
        self.events.last().filter(|last| {
            (last.id.server, last.id.session, last.timestamp)
                == (event.id.server, event.id.session, event.timestamp)
        })
    }

    /// Adds the next event. Those of a server come by session and instance; what is not above the
    /// last one of its server is passed over.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; [`Unknown`](StoreError::Unknown) where [`check`](Self::check) refuses it.
    pub fn add(&mut self, event: Event) -> Result<(), StoreError> {
        let refused = |error: SessionError| StoreError::Unknown(error.to_string().into());
        self.check(&event).map_err(refused)?;
        if self.session_of(&event).is_none() {
            self.end_session()?;
        }
        self.taken += 1;
        self.waiting += 1;
        self.waiting_bytes += event.payload.as_ref().map_or(0, Encode::encoded_len);
        self.events.push(event);
        Ok(())
    }

    fn end_session(&mut self) -> Result<(), StoreError> {
        if !self.events.is_empty() {
            let session = Session::new(std::mem::take(&mut self.events));
            let session = session.map_err(|error| StoreError::Unknown(error.to_string().into()))?;
            self.sessions.push(Arc::new(session));
        }
        if self.waiting >= BATCH || self.waiting_bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.store.apply(&self.sessions, &[], Sync::Now)?;
        self.sessions.clear();
        (self.waiting, self.waiting_bytes) = (0, 0);
        if self.store.is_due() {
            self.store.drain()?;
        }
        Ok(())
    }

    /// The end: all is durable. Returns how many events were given, and how many of them the store
    /// has taken.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn finish(mut self) -> Result<(u64, u64), StoreError> {
        self.end_session()?;
        self.flush()?;
        self.store.drain()?;
        let after = self.store.stats()?.events;
        Ok((self.taken, after.saturating_sub(self.before)))
    }
}
