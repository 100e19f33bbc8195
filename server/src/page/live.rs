//! The state that all pages follow, and what changes it at once: clients, status, addresses.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hat_aio::Runtime;
use hat_aio::eventer::ConnectionInfo;
use hat_aio::juggler::SharedState;
use hat_aio::runtime::sleep;
use hat_core::eventer::{EventType, LatestParams, QueryParams, Status, Timestamp};
use hat_core::json::{Array, Limits, Object, Pointer, Value};
use hat_core::juggler::State;
use smol::channel::{Receiver, Sender, bounded};
use tracing::warn;

use super::latest::{Latest, NewestEvents};
use super::rate;
use super::stream::Streams;
use crate::engine_handle::EngineHandle;
use crate::store::{QueryError, Session};

/// Characters of what a client says of itself. It may say megabytes, and every page would be told.
const MAX_TEXT: usize = 256;

/// Subscriptions of a client that are shown.
const MAX_SUBSCRIPTIONS: usize = 64;

/// Parts that a store with more latest events than one answer holds is read in: each is a look at
/// all its types.
const PARTS: u64 = 16;

/// Bytes of payloads of one part, about. So much is in memory beside what is kept.
const PART_BYTES: usize = 64 << 20;

/// What pages show of a server. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("server_id", &self.0.server_id).finish_non_exhaustive()
    }
}

struct Inner {
    server_id: i64,
    /// Types that pages are shown at the most. Fewer than was said at first, where there was no
    /// room for the bytes of more.
    max_types: AtomicU64,
    state: SharedState,
    /// The latest event of each type: what pages show, whatever the store is.
    latest: Mutex<Latest>,
    /// The pages that follow all events.
    streams: Streams,
    /// Pages that are open.
    viewers: AtomicUsize,
    changed: (Sender<()>, Receiver<()>),
}

impl Live {
    /// Of a server that starts now.
    ///
    /// Pages show the types that changed last, at most `max_types`.
    pub fn new(server_id: i64, max_types: usize) -> Self {
        let now = Timestamp::now();
        let empty = || Value::Object(Object::default());
        let server = Object::from([
            ("name", Value::from(concat!("hat ", env!("CARGO_PKG_VERSION")))),
            ("server_id", server_id.into()),
            ("read_only", false.into()),
            ("status", Status::Starting.to_string().into()),
            ("started", now.as_secs_f64().into()),
            ("addresses", Value::Array(Array::default())),
            ("registered", 0.into()),
            ("events_kept", 0.into()),
            ("event_types", 0.into()),
            ("max_types", max_types.into()),
            ("types_cut", 0.into()),
        ]);
        let whole = Object::from([
            ("server", Value::Object(server)),
            ("clients", empty()),
            ("rate", rate::before(now.s())),
            ("events", empty()),
        ]);
        let mut state = State::new(Limits::default());
        let set = state.replace(whole);
        set.expect("the state of a server without clients and events is small");
        // flushed by hand: the first change at once, the next after a while
        let state = SharedState::new(state, None);
        let latest = Mutex::new(Latest::new(max_types));
        let (viewers, changed) = (AtomicUsize::new(0), bounded(1));
        let streams = Streams::default();
        Self(Arc::new(Inner {
            server_id,
            max_types: AtomicU64::new(max_types as u64),
            state,
            latest,
            streams,
            viewers,
            changed,
        }))
    }

    /// Takes what is in the store when the server starts. Where that cannot be read, pages begin
    /// with nothing.
    pub(crate) async fn load(&self, handle: &EngineHandle) {
        match self.read(handle).await {
            Ok(newest) => {
                let mut latest = self.latest();
                latest.load(newest);
                if latest.has_left_out() {
                    warn!(
                        types = latest.types(),
                        "the latest events are too large for the page: it shows those of as many \
                         types as there is room for, and says how many are missing"
                    );
                }
                self.limit(&latest);
            }
            Err(error) => warn!(%error, "the page cannot show earlier events"),
        }
    }

    /// The newest of the latest events in the store, in one answer or in parts.
    async fn read(&self, handle: &EngineHandle) -> Result<NewestEvents, QueryError> {
        let most = usize::try_from(self.max_types()).unwrap_or(usize::MAX);
        let mut newest = NewestEvents::new(most);
        let found = handle.query(QueryParams::Latest(LatestParams::default())).await?;
        if !found.more_follows {
            newest.take(found.events);
            return Ok(newest);
        }
        drop(found);
        // a type is in the part that its hash says: in which order they come is not said
        let hasher = RandomState::new();
        for part in 0..PARTS {
            let hasher = hasher.clone();
            let is_in = move |one: &EventType| hasher.hash_one(one) % PARTS == part;
            let Some(found) = handle.search(Box::new(is_in), most, PART_BYTES).await else {
                // a store in memory that cuts its answers: ours do not
                newest.miss();
                break;
            };
            let found = found?;
            if found.events.len() < found.found {
                newest.miss();
            }
            newest.take(found.events);
        }
        Ok(newest)
    }

    /// Takes what was registered.
    pub(crate) fn applied(&self, session: &Session) {
        {
            let mut latest = self.latest();
            latest.apply(session);
            self.limit(&latest);
        }
        self.0.streams.applied(session);
        self.wake();
    }

    /// Where types are left out for their bytes, those that are there are the most that are shown:
    /// so pages are told how many are missing, and searches go on in the store.
    fn limit(&self, latest: &Latest) {
        if latest.has_left_out() {
            self.0.max_types.fetch_min(latest.types() as u64, Ordering::Relaxed);
        }
    }

    /// The latest event of each type. Whoever registers waits for who holds it, so not for long.
    pub(super) fn latest(&self) -> MutexGuard<'_, Latest> {
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pages that follow all events.
    pub(super) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// The state itself.
    pub(super) fn state(&self) -> &SharedState {
        &self.0.state
    }

    /// Shows the status of the server, at once.
    pub fn set_status(&self, status: Status) {
        self.set(&Pointer::new(["server", "status"]), status.to_string().into());
        // not later: after the last status nothing follows
        self.flush();
    }

    /// Shows why the server is not operational, where something is known of that.
    pub(crate) fn set_reason(&self, reason: Option<String>) {
        let reason = reason.map_or(Value::Null, Value::from);
        self.set(&Pointer::new(["server", "reason"]), reason);
    }

    /// Whose events are shown.
    pub(super) fn server_id(&self) -> i64 {
        self.0.server_id
    }

    /// Types that pages are shown at the most.
    pub(super) fn max_types(&self) -> u64 {
        self.0.max_types.load(Ordering::Relaxed)
    }

    /// Shows that the page registers nothing.
    pub(super) fn set_read_only(&self, read_only: bool) {
        self.set(&Pointer::new(["server", "read_only"]), read_only.into());
    }

    /// Shows where the server listens.
    pub fn set_addresses(&self, addresses: &[SocketAddr]) {
        let addresses = addresses.iter().map(ToString::to_string);
        self.set(&Pointer::new(["server", "addresses"]), addresses.collect());
    }

    /// A client of the event server is there.
    pub fn client_came(&self, info: &ConnectionInfo) {
        let query_types = info.subscription.query_types();
        let shown = query_types.iter().take(MAX_SUBSCRIPTIONS);
        let mut subscriptions: Vec<_> = shown.map(|it| short(&it.to_string())).collect();
        subscriptions.extend((query_types.len() > MAX_SUBSCRIPTIONS).then(|| "…".into()));
        let client = Object::from([
            ("name", short(&info.client_name)),
            ("address", info.remote_address.to_string().into()),
            ("subscriptions", subscriptions.into()),
            ("connected", Timestamp::now().as_secs_f64().into()),
            ("persisted", info.persisted.into()),
        ]);
        self.set(&client_path(info), client.into());
        self.wake();
    }

    /// A client of the event server is gone.
    pub fn client_went(&self, info: &ConnectionInfo) {
        self.0.state.change(|state| state.remove(&client_path(info)));
        self.wake();
    }

    /// Something has changed in the store. Costs next to nothing while nobody looks.
    pub fn wake(&self) {
        if self.is_watched() {
            // full if it is awake already, closed if there is no page any more
            let _ = self.0.changed.0.try_send(());
        }
    }

    /// Waits until something has changed, or the time is over. False once there is no page any
    /// more.
    pub(super) async fn changed<R: Runtime>(&self, at_most: Duration) -> bool {
        let woken = async { self.0.changed.1.recv().await.is_ok() };
        let over = async {
            sleep::<R>(at_most).await;
            true
        };
        smol::future::or(woken, over).await
    }

    /// There is no page any more.
    pub(super) fn close(&self) {
        self.0.changed.1.close();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.changed.1.is_closed()
    }

    pub(super) fn viewer_came(&self) {
        self.0.viewers.fetch_add(1, Ordering::Relaxed);
        self.wake();
    }

    pub(super) fn viewer_went(&self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Tells the pages what has changed. Where there are none, it is kept for the first.
    pub(super) fn flush(&self) {
        // a page follows before it is counted as a viewer
        if self.0.state.followers() > 0 {
            self.0.state.flush();
        }
    }

    /// Without the lock of the state: who registers must not wait for a refresh.
    fn is_watched(&self) -> bool {
        self.0.viewers.load(Ordering::Relaxed) > 0
    }

    fn set(&self, path: &Pointer, value: Value) {
        if let Err(error) = self.0.state.change(|state| state.set(path, value)) {
            warn!(%error, "the page cannot show the events");
        }
    }
}

fn client_path(info: &ConnectionInfo) -> Pointer {
    Pointer::new(["clients".to_owned(), info.id.to_string()])
}

/// What others say of themselves.
pub(super) fn short(text: &str) -> Value {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use hat_aio::Address;
    use hat_aio::juggler::{ConnectOptions, Connection, Handler, ListenOptions, connect, listen};
    use hat_tokio::Tokio;

    use super::*;

    /// Counts no page as a viewer, as long as it lasts.
    struct Slow;

    impl Handler for Slow {
        async fn connected(&self, _: &Connection) {
            smol::future::pending::<()>().await;
        }

        async fn request(&self, _: &Connection, _: &str, data: Value) -> Result<Value, Value> {
            Ok(data)
        }
    }

    #[test]
    fn a_page_that_is_not_counted_yet_is_told_the_last_status() {
        let body = async {
            let live = Live::new(1, 100);
            let state = Some(live.state().clone());
            let options = ListenOptions { state, ..ListenOptions::default() };
            let server = listen::<Tokio>(("127.0.0.1", 0), Slow, options).await?;
            let address = Address::from(server.addresses()[0]);
            let page = connect::<Tokio>(address, ConnectOptions::default()).await?;
            let status = "/server/status".parse::<Pointer>()?;
            let mut told = page.changed().await?;
            assert_eq!(told.get(&status), Some(&"starting".into()));
            live.set_status(Status::Stopping);
            drop(server);
            while told.get(&status) != Some(&"stopping".into()) {
                told = page.changed().await?;
            }
            anyhow::Ok(())
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.expect("Tokio").block_on(body).expect("told");
    }
}
