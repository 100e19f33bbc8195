//! `hat serve`: an event server over the store in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use hat_core::aio::eventer::{
    ConnectionInfo, Handler, ListenOptions, Notifier, Server, listen_with,
};
use hat_core::aio::tls::Tls;
use hat_core::aio::{Address, Runtime};
use hat_core::eventer::{Event, QueryParams, QueryResult, RegisterEvent, Status, Timestamp};
use tracing::{info, warn};

use crate::args::ServeArgs;
use crate::exit::{Failure, say};
use crate::interrupt::Interrupt;
use crate::store::{Config, Store};

pub(crate) async fn serve<R: Runtime>(args: ServeArgs) -> Result<()> {
    let interrupt = Interrupt::watch()?;
    let config = Config {
        max_events: args.max_events,
        max_results: args.max_results,
        ..Config::new(args.server_id)
    };
    let tls = args.tls.acceptor(&args.listen)?;
    let server = EventServer::start::<R>(args.listen, config, args.token, tls).await?;
    let addresses = server.server.addresses().iter().map(ToString::to_string);
    say(&format!("listening on {}", addresses.collect::<Vec<_>>().join(", ")));
    interrupt.wait().await;
    server.stop().await;
    Ok(())
}

/// A server at work.
pub(super) struct EventServer {
    pub(super) server: Server,
    events: Arc<Events>,
}

impl EventServer {
    pub(super) async fn start<R: Runtime>(
        address: Address,
        config: Config,
        token: Option<String>,
        tls: Option<Tls>,
    ) -> Result<Self> {
        let events = Arc::new(Events {
            store: Mutex::new(Store::new(config)),
            order: smol::lock::Mutex::new(()),
            token,
        });
        let handler = |notifier| EventHandler { events: events.clone(), notifier };
        let options = ListenOptions { status: Status::Starting, tls, ..ListenOptions::default() };
        let server = listen_with::<R, _>(address, handler, options).await;
        let server = server.map_err(Failure::NoConnection)?;
        server.set_status(Status::Operational);
        Ok(Self { server, events })
    }

    /// Tells the clients, lets the registration in hand end, and closes: what is queued to clients is still written.
    pub(super) async fn stop(&self) {
        info!(events = self.events.store().len(), "stopping");
        self.server.set_status(Status::Stopping);
        drop(self.events.order.lock().await);
        self.server.close().await;
    }
}

/// What all clients share.
struct Events {
    store: Mutex<Store>,
    /// Held from a registration to its notification, so that clients are told in the order of sessions; and before the client
    /// that registered is answered, as by the deployed server. A slow client is waited for once, for a second.
    order: smol::lock::Mutex<()>,
    token: Option<String>,
}

impl Events {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct EventHandler {
    events: Arc<Events>,
    notifier: Notifier,
}

impl Handler for EventHandler {
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
                Ok(())
            }
        }
    }

    async fn disconnected(&self, info: &ConnectionInfo) {
        info!(id = %info.id, name = &*info.client_name, "client gone");
    }

    async fn register(
        &self,
        _info: &ConnectionInfo,
        events: Vec<RegisterEvent>,
    ) -> Option<Vec<Event>> {
        let _order = self.events.order.lock().await;
        if self.notifier.status() != Status::Operational {
            return None;
        }
        let registered = self.events.store().register(events, Timestamp::now());
        self.notifier.notify_events(&registered, false, false).await;
        self.notifier.notify_events(&registered, true, false).await;
        Some(registered)
    }

    async fn query(&self, info: &ConnectionInfo, params: QueryParams) -> QueryResult {
        self.events.store().query(&params).unwrap_or_else(|error| {
            warn!(id = %info.id, %error, "a query that has no answer");
            QueryResult::default()
        })
    }
}
