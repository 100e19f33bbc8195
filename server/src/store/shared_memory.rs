//! The store in memory, as a [`Store`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hat_core::eventer::{QueryParams, Timestamp};

use super::memory::{self, Config};
use super::type_selection::TypeSelection;
use super::{Answer, Last, QueryError, Session, Stats, Store, StoreError, Sync};

/// Events in memory only, shared: nothing is left of them when the process ends. All that is
/// applied counts as durable.
///
/// ```
/// use hat_server::store::{MemoryStore, memory};
///
/// let mut config = memory::Config::new(1); // the server's id
/// config.max_events = 10_000;
/// let store = MemoryStore::new(config);
/// assert_eq!(store.lock().kept(), 0);
/// ```
#[derive(Debug)]
pub struct MemoryStore(Mutex<memory::Store>);

impl MemoryStore {
    /// Without events. [`Config::new`] takes the server's id, that of
    /// [`Options`](crate::Options).
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self(Mutex::new(memory::Store::new(config)))
    }

    /// The events. Everybody waits for who holds it, so not for long.
    pub fn lock(&self) -> MutexGuard<'_, memory::Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn apply(
        &self,
        sessions: &[Arc<Session>],
        reserve: &[(i64, i64)],
        _sync: Sync,
    ) -> Result<(), StoreError> {
        let mut store = self.lock();
        sessions.iter().for_each(|session| store.apply(session));
        reserve.iter().for_each(|(server_id, session)| store.reserve(*server_id, *session));
        Ok(())
    }

    fn apply_marked(
        &self,
        sessions: &[Arc<Session>],
        server_id: i64,
        mark: Bytes,
        _sync: Sync,
    ) -> Result<(), StoreError> {
        let mut store = self.lock();
        sessions.iter().for_each(|session| store.apply(session));
        store.set_mark(server_id, mark);
        Ok(())
    }

    fn mark(&self, server_id: i64) -> Result<Option<Bytes>, StoreError> {
        Ok(self.lock().mark(server_id))
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn recover(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn query(&self, params: &QueryParams) -> Result<Answer, QueryError> {
        let asked = TypeSelection::of(params)?;
        self.lock().answer(params, &asked).map(Answer::from)
    }

    fn last(&self, server_id: i64) -> Result<Last, StoreError> {
        Ok(self.lock().last(server_id))
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        let store = self.lock();
        let (events, types) = (store.kept() as u64, store.types() as u64);
        Ok(Stats { events, types, ..Stats::default() })
    }

    fn tidy(&self, _now: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn is_in_memory(&self) -> bool {
        true
    }
}
