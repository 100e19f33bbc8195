//! The handle for registering and querying events, used by clients, by the page, and by the program
//! that embeds the server.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use hat_aio::Runtime;
use hat_aio::eventer::{ConnectionInfo, Handler, Notifier};
use hat_core::eventer::{Event, EventType, QueryParams, QueryResult, RegisterEvent, Status};
use tracing::{debug, info, warn};

use crate::builtin;
use crate::cluster::ClusterReport;
use crate::engine::{Engine, RegisterError};
use crate::logs::{Logs, Route};
use crate::module::Source;
use crate::page::Live;
use crate::redundancy::{MirrorReport, MirrorReports};
use crate::store::{
    Answer, FoundTypes, Health, Log, LogCounts, QueryError, Stats, Store, StoreError,
};
use crate::token;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// Which types a search is for.
type TypeFilter = Box<dyn Fn(&EventType) -> bool + Send>;
// what the store gives; the outer error is that of the runtime, at its end
type QueryOutcome = io::Result<Result<Answer, QueryError>>;
type SearchOutcome = io::Result<Result<FoundTypes, QueryError>>;
type StatsOutcome = io::Result<Result<Stats, StoreError>>;

/// Where events are registered and asked for. Cheap to clone; it may outlive the server, and then
/// registers nothing.
#[derive(Clone)]
pub struct EngineHandle(Arc<Inner>);

impl fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineHandle").finish_non_exhaustive()
    }
}

struct Inner {
    engine: Arc<Engine>,
    store: Arc<dyn Store>,
    notifier: Notifier,
    token: Option<String>,
    logs: Arc<Logs>,
    live: Option<Live>,
    mirrors: MirrorReports,
    // what asks the store, by `ask_store` on the server's runtime
    query: fn(Arc<dyn Store>, QueryParams) -> BoxFuture<QueryOutcome>,
    search: fn(Arc<dyn Store>, TypeFilter, usize, usize) -> BoxFuture<SearchOutcome>,
    stats: fn(Arc<dyn Store>) -> BoxFuture<StatsOutcome>,
}

/// What a server has done and how it fares, for people and metrics.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Its id.
    pub server_id: i64,
    /// The present status.
    pub status: Status,
    /// Whether what is registered becomes durable.
    pub health: Health,
    /// What there is in the store; `None` where it cannot be read.
    pub stats: Option<Stats>,
    /// Clients that are connected.
    pub clients: usize,
    /// Events registered since the start.
    pub events: u64,
    /// Sessions registered since the start.
    pub sessions: u64,
    /// Registrations that failed since the start, because of the status or the store.
    pub failed: u64,
    /// Registrations that were refused since the start, because no deployed peer could take them.
    pub refused: u64,
    /// Clients that were closed since the start because they could not be told something.
    pub cut: u64,
    /// What the log has done, and what waits for it.
    pub log: LogCounts,
    /// The copies of other servers' events.
    pub mirrors: Vec<MirrorReport>,
    /// How each of its streams is, where the server is in a cluster.
    pub cluster: Vec<ClusterReport>,
}

/// Asks the store: on a thread where that may block, where it does.
fn ask_store<R: Runtime, T: Send + 'static>(
    store: Arc<dyn Store>,
    ask: impl FnOnce(&dyn Store) -> T + Send + 'static,
) -> BoxFuture<io::Result<T>> {
    if store.is_in_memory() {
        return Box::pin(std::future::ready(Ok(ask(&*store))));
    }
    Box::pin(R::unblock(move || ask(&*store)))
}

impl EngineHandle {
    pub(crate) fn new<R: Runtime>(
        engine: Arc<Engine>,
        store: Arc<dyn Store>,
        notifier: Notifier,
        token: Option<String>,
        logs: Arc<Logs>,
        live: Option<Live>,
    ) -> Self {
        let query = |store: Arc<dyn Store>, params: QueryParams| -> BoxFuture<QueryOutcome> {
            ask_store::<R, _>(store, move |store| store.query(&params))
        };
        let search =
            |store: Arc<dyn Store>, finds: TypeFilter, most, bytes| -> BoxFuture<SearchOutcome> {
                ask_store::<R, _>(store, move |store| store.search(&*finds, most, bytes))
            };
        let stats =
            |store| -> BoxFuture<StatsOutcome> { ask_store::<R, _>(store, <dyn Store>::stats) };
        let mirrors = MirrorReports::default();
        Self(Arc::new(Inner {
            engine,
            store,
            notifier,
            token,
            logs,
            live,
            mirrors,
            query,
            search,
            stats,
        }))
    }

    /// Registers `events` as one session, and returns them with their ids and timestamps once they
    /// are as durable as the server promises. Without events there is no session. Where types are
    /// divided among several server ids, there is one session for each id.
    ///
    /// Dropped before it is ready, the events may be registered all the same.
    ///
    /// # Errors
    ///
    /// [`RegisterError`].
    pub async fn register(&self, events: Vec<RegisterEvent>) -> Result<Vec<Event>, RegisterError> {
        self.0.engine.register(Source::Other, events, Route::ByType, None).await
    }

    /// Registers `events` as one session in any case: all of the server id that the first one's
    /// type has. What is not on its way `until` then is not registered.
    pub(crate) async fn register_together(
        &self,
        events: Vec<RegisterEvent>,
        until: Option<Instant>,
    ) -> Result<Vec<Event>, RegisterError> {
        self.0.engine.register(Source::Other, events, Route::Together, until).await
    }

    /// Answers a query, in every status.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub async fn query(&self, params: QueryParams) -> Result<QueryResult, QueryError> {
        let asked = (self.0.query)(self.0.store.clone(), params).await;
        // only at the end of the runtime
        let answer = asked.map_err(|_| QueryError::Store(StoreError::Closed))??;
        Ok(answer.into_result())
    }

    /// Searches all types of the store; see [`Store::search`]. `None` where the store is in memory:
    /// it has no more types than pages are shown.
    pub(crate) async fn search(
        &self,
        finds: TypeFilter,
        most: usize,
        bytes: usize,
    ) -> Option<Result<FoundTypes, QueryError>> {
        if self.0.store.is_in_memory() {
            return None;
        }
        let searched = (self.0.search)(self.0.store.clone(), finds, most, bytes).await;
        // only at the end of the runtime
        Some(searched.unwrap_or(Err(QueryError::Store(StoreError::Closed))))
    }

    /// What the server has done and how it fares.
    pub async fn report(&self) -> Report {
        let stats = (self.0.stats)(self.0.store.clone()).await;
        let counts = &self.0.engine.counts;
        Report {
            server_id: self.0.engine.server_id(),
            status: self.0.engine.status(),
            health: self.0.logs.health(),
            stats: stats.ok().and_then(Result::ok),
            clients: self.0.notifier.connections().len(),
            events: counts.events.load(Ordering::Relaxed),
            sessions: counts.sessions.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            refused: counts.refused.load(Ordering::Relaxed),
            cut: self.0.notifier.cut(),
            log: self.0.logs.counts(),
            mirrors: self.0.mirrors.all(),
            cluster: self.0.logs.cluster(),
        }
    }

    /// What the log has done, and what waits for it: cheap, and never waits for a disk.
    #[must_use]
    pub fn log_counts(&self) -> LogCounts {
        self.0.logs.counts()
    }

    /// The present status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.engine.status()
    }

    /// How the copies of other servers' events are.
    pub(crate) fn mirrors(&self) -> &MirrorReports {
        &self.0.mirrors
    }

    /// The store.
    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.0.store
    }

    /// Who orders sessions of the server's own id.
    pub(crate) fn log(&self) -> &Arc<dyn Log> {
        self.0.logs.first()
    }
}

impl Handler for EngineHandle {
    /// As the deployed server does: who has no token is taken.
    async fn connected(&self, info: &ConnectionInfo) -> Result<(), String> {
        let name = &*info.client_name;
        match &info.client_token {
            Some(token) if !token::is(self.0.token.as_deref(), token) => {
                warn!(id = %info.id, address = %info.remote_address, name, "wrong token");
                return Err("invalid client token".into());
            }
            _ => info!(id = %info.id, address = %info.remote_address, name, "client connected"),
        }
        if let Some(live) = &self.0.live {
            live.client_came(info);
        }
        // told before the client is among those who are told: it does not see its own
        let event = builtin::client(self.0.engine.server_id(), name, true);
        self.0.engine.register_own(Source::Client(info.id.get()), event).await;
        Ok(())
    }

    async fn disconnected(&self, info: &ConnectionInfo) {
        info!(id = %info.id, name = &*info.client_name, "client disconnected");
        if let Some(live) = &self.0.live {
            live.client_went(info);
        }
        let event = builtin::client(self.0.engine.server_id(), &info.client_name, false);
        self.0.engine.register_own(Source::Client(info.id.get()), event).await;
    }

    async fn register(
        &self,
        info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> Option<Vec<Event>> {
        let status = self.status();
        if status != Status::Operational && builtin::are_synced(&events) {
            // a mirror says how far it is to whoever it mirrors, a standby included
            debug!(id = %info.id, name = &*info.client_name, %status, "a server that mirrors this one");
            return None;
        }
        let registered = self
            .0
            .engine
            .register(Source::Client(info.id.get()), events, Route::ByType, None)
            .await;
        registered
            .inspect_err(|error| {
                let (id, name) = (info.id, &*info.client_name);
                warn!(%id, address = %info.remote_address, name, %error, "registration refused");
            })
            .ok()
    }

    /// A query without an answer ends the connection, as with the deployed server: an empty answer
    /// would be taken for the truth.
    async fn query(&self, info: &ConnectionInfo, params: QueryParams) -> QueryResult {
        EngineHandle::query(self, params).await.unwrap_or_else(|error| {
            let (id, name) = (info.id, &*info.client_name);
            warn!(%id, address = %info.remote_address, name, %error, "a query cannot be answered: the client is disconnected");
            self.0.notifier.disconnect(info.id);
            QueryResult::default()
        })
    }
}
