//! An event server over the store in memory.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hat_aio::eventer::{ConnectionInfo, Handler, ListenOptions, Notifier, Server, listen_with};
use hat_aio::tls::Acceptor;
use hat_aio::{Address, ListenError, Runtime};
use hat_core::eventer::{Event, QueryParams, QueryResult, RegisterEvent, Status, Timestamp};
use tracing::{info, warn};

use crate::page::Live;
use crate::store::memory::{Config, Store};

/// A server at work.
pub struct EventServer {
    server: Server,
    desk: Desk,
}

impl EventServer {
    /// Listens on `address`. What `live` shows is kept as it is.
    pub async fn start<R: Runtime>(
        address: Address,
        config: Config,
        token: Option<String>,
        tls: Option<Acceptor>,
        live: Option<Live>,
    ) -> Result<Self, ListenError> {
        let mut store = Store::new(config);
        // above all that a server before this one can have given: ids are never given twice, though nothing is on a disk
        store.reserve(config.server_id, micros(Timestamp::now()));
        let store = Mutex::new(store);
        let events = Events { store, order: smol::lock::Mutex::new(()), token, live };
        let mut desk = None;
        let handler = |notifier| desk.insert(Desk { events: Arc::new(events), notifier }).clone();
        let options = ListenOptions { status: Status::Starting, tls, ..ListenOptions::default() };
        let server = listen_with::<R, _>(address, handler, options).await?;
        let desk = desk.expect("a server that listens has its handler");
        if let Some(live) = desk.live() {
            live.set_addresses(server.addresses());
        }
        let this = Self { server, desk };
        this.set_status(Status::Operational);
        Ok(this)
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// Where others than clients register, too.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Tells the clients, lets the registration in hand end, and closes: what is queued to clients is still written.
    pub async fn stop(&self) {
        info!(events = self.desk.store().kept(), "stopping");
        self.set_status(Status::Stopping);
        drop(self.desk.events.order.lock().await);
        self.server.close().await;
    }

    fn set_status(&self, status: Status) {
        self.server.set_status(status);
        if let Some(live) = self.desk.live() {
            live.set_status(status);
        }
    }
}

/// Microseconds since 1970, as far as 64 bits go.
fn micros(at: Timestamp) -> i64 {
    at.s().saturating_mul(1_000_000).saturating_add(at.us().into())
}

/// What all clients share.
struct Events {
    store: Mutex<Store>,
    /// Held from a registration to its notification, so that clients are told in the order of sessions; and before the client
    /// that registered is answered, as by the deployed server. A slow client is waited for once, for a second.
    order: smol::lock::Mutex<()>,
    token: Option<String>,
    live: Option<Live>,
}

/// Where events are registered and asked for, by clients and by the page. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    events: Arc<Events>,
    notifier: Notifier,
}

impl Desk {
    /// Registers `events` as one session and tells the clients; `None` where the server is not operational.
    pub async fn register(&self, events: Vec<RegisterEvent>) -> Option<Vec<Event>> {
        let _order = self.events.order.lock().await;
        if self.notifier.status() != Status::Operational {
            return None;
        }
        let registered = self.store().register(events, Timestamp::now());
        if let Some(live) = self.live() {
            live.wake();
        }
        self.notifier.notify_events(&registered, false, false).await;
        self.notifier.notify_events(&registered, true, false).await;
        Some(registered)
    }

    /// The events. Everybody waits for who holds it, so not for long.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.events.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What pages show of the server, where there are any.
    pub fn live(&self) -> Option<&Live> {
        self.events.live.as_ref()
    }
}

impl Handler for Desk {
    /// As the deployed server does: who has no token is taken.
    async fn connected(&self, info: &ConnectionInfo) -> Result<(), String> {
        let name = &*info.client_name;
        match &info.client_token {
            Some(token) if self.events.token.as_deref() != Some(&**token) => {
                warn!(id = %info.id, address = %info.remote_address, name, "wrong token");
                Err("invalid client token".into())
            }
            _ => {
                info!(id = %info.id, address = %info.remote_address, name, "client connected");
                if let Some(live) = self.live() {
                    live.client_came(info);
                }
                Ok(())
            }
        }
    }

    async fn disconnected(&self, info: &ConnectionInfo) {
        info!(id = %info.id, name = &*info.client_name, "client gone");
        if let Some(live) = self.live() {
            live.client_went(info);
        }
    }

    async fn register(
        &self,
        _info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> Option<Vec<Event>> {
        Desk::register(self, events).await
    }

    async fn query(&self, info: &ConnectionInfo, params: QueryParams) -> QueryResult {
        self.store().query(&params).unwrap_or_else(|error| {
            warn!(id = %info.id, %error, "a query that has no answer");
            QueryResult::default()
        })
    }
}
