//! A store that tests tell to fail.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hat_core::eventer::{QueryParams, Timestamp};

use super::memory::Config;
use super::{Answer, Last, MemoryStore, QueryError, Session, Stats, Store, StoreError, Sync};

/// A disk that can be told to fail.
pub(crate) struct Fragile {
    pub(crate) inner: MemoryStore,
    fault: Mutex<Option<StoreError>>,
    sync_fault: Mutex<Option<StoreError>>,
    probe_fault: Mutex<Option<StoreError>>,
    pub(crate) recovered: AtomicUsize,
    /// A fault of the program, in what is applied or beside that.
    pub(crate) panics_applying: AtomicBool,
    /// See [`panics_applying`](Self::panics_applying).
    pub(crate) panics_tidying: AtomicBool,
    /// A fault of the program in syncs.
    pub(crate) panics_syncing: AtomicBool,
    /// Steps beside the work that were begun.
    pub(crate) tidied: AtomicUsize,
    /// Such a step does not end while this is so.
    pub(crate) hangs_tidying: AtomicBool,
}

impl Fragile {
    pub(crate) fn new() -> Arc<Self> {
        let inner = MemoryStore::new(Config::new(7));
        let [fault, sync_fault, probe_fault] = [(); 3].map(|()| Mutex::default());
        let recovered = AtomicUsize::new(0);
        Arc::new(Self {
            inner,
            fault,
            sync_fault,
            probe_fault,
            recovered,
            panics_applying: AtomicBool::default(),
            panics_tidying: AtomicBool::default(),
            panics_syncing: AtomicBool::default(),
            tidied: AtomicUsize::default(),
            hangs_tidying: AtomicBool::default(),
        })
    }

    pub(crate) fn fail(&self, fault: Option<StoreError>) {
        *self.fault.lock().expect("no panic") = fault;
    }

    pub(crate) fn fail_syncs(&self, fault: Option<StoreError>) {
        *self.sync_fault.lock().expect("no panic") = fault;
    }

    /// No room is found for anything like what found none.
    pub(crate) fn fail_probes(&self, fault: Option<StoreError>) {
        *self.probe_fault.lock().expect("no panic") = fault;
    }

    fn check(&self) -> Result<(), StoreError> {
        self.fault.lock().expect("no panic").clone().map_or(Ok(()), Err)
    }
}

impl Store for Fragile {
    fn probe(&self, _: usize) -> Result<(), StoreError> {
        self.check()?;
        self.probe_fault.lock().expect("no panic").clone().map_or(Ok(()), Err)
    }

    fn apply(
        &self,
        sessions: &[Arc<Session>],
        reserve: &[(i64, i64)],
        sync: Sync,
    ) -> Result<(), StoreError> {
        self.check()?;
        self.inner.apply(sessions, reserve, sync)
    }

    fn apply_marked(
        &self,
        sessions: &[Arc<Session>],
        server_id: i64,
        mark: Bytes,
        sync: Sync,
    ) -> Result<(), StoreError> {
        assert!(!self.panics_applying.load(Ordering::SeqCst), "a store with a fault");
        self.check()?;
        self.inner.apply_marked(sessions, server_id, mark, sync)
    }

    fn mark(&self, server_id: i64) -> Result<Option<Bytes>, StoreError> {
        self.inner.mark(server_id)
    }

    fn sync(&self) -> Result<(), StoreError> {
        assert!(!self.panics_syncing.load(Ordering::SeqCst), "a store with a fault");
        self.check()?;
        self.sync_fault.lock().expect("no panic").clone().map_or(Ok(()), Err)
    }

    fn recover(&self) -> Result<(), StoreError> {
        self.check()?;
        self.recovered.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn query(&self, params: &QueryParams) -> Result<Answer, QueryError> {
        self.inner.query(params)
    }

    fn last(&self, server_id: i64) -> Result<Last, StoreError> {
        self.inner.last(server_id)
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        self.inner.stats()
    }

    fn tidy(&self, now: Timestamp) -> Result<bool, StoreError> {
        assert!(!self.panics_tidying.load(Ordering::SeqCst), "a store with a fault");
        self.tidied.fetch_add(1, Ordering::SeqCst);
        while self.hangs_tidying.load(Ordering::SeqCst) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        self.inner.tidy(now)
    }

    fn is_in_memory(&self) -> bool {
        false
    }
}
