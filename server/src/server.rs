//! An event server over a store.
//!
//! ```text
//! client ─> EngineHandle ─ register ─> Engine ─> Log ──> Store <── query ─ EngineHandle <─ client
//!                                                 │ feed                  mirrors ─> Log::mirror
//!                                                 v
//!                                               Teller ─> clients, pages
//! ```

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hat_aio::eventer::{ListenOptions, Server, listen_with};
use hat_aio::tls::Acceptor;
use hat_aio::{Address, ListenError, Runtime};
use hat_core::eventer::Status;
use smol::channel::{Receiver, Sender, bounded, unbounded};
use tracing::{info, warn};

use crate::check::Limits;
#[cfg(feature = "cluster")]
use crate::cluster::{ClusterError, ClusterLog, ClusterOptions, ShardOptions};
use crate::engine::Engine;
use crate::engine_handle::EngineHandle;
#[cfg(feature = "cluster")]
use crate::logs::Shard;
use crate::logs::{Logs, Started};
use crate::module::{Module, Modules};
use crate::page::Live;
use crate::redundancy::{MonitorOptions, Redundancy};
#[cfg(feature = "cluster")]
use crate::store::Log;
use crate::store::on_panic::OnPanic;
use crate::store::{AppendError, Health, LocalLog, LogOptions, Store, StoreError};
use crate::teller::{Notify, Progress, Teller};

/// How long requests in hand may take once the server stops: clients ask on and on.
const ANSWERING: Duration = Duration::from_secs(1);

/// The longest that the end waits for a disk, 30 s: after that, what is not on it is given up, and
/// said.
const LAST_SYNC: Duration = Duration::from_secs(30);

/// The longest that the end waits for connections where the disk was given up, 5 s: requests in
/// hand wait for it.
const CLOSING: Duration = Duration::from_secs(5);

/// How a server works.
pub struct Options {
    /// Where it listens. With a [`monitor`](Self::monitor), others must be able to connect to this,
    /// so that it is not a Unix socket.
    pub listen: Address,
    /// What it is called at a monitor; towards other event servers it is the client `event/<name>`.
    pub name: String,
    /// The secret that a client may not get wrong. A client without one is taken in any case, as by
    /// the deployed server.
    pub token: Option<String>,
    /// TLS, where connections are to be that: an acceptor.
    pub tls: Option<Acceptor>,
    /// Ids, timestamps, and what an answer promises. Its `server_id` is the server's.
    pub log: LogOptions,
    /// When ordinary subscribers are told.
    pub notify: Notify,
    /// What one registration may hold.
    pub limits: Limits,
    /// Parts of one's own that see events while they are registered.
    pub modules: Vec<Box<dyn Module>>,
    /// Whether the server registers events of itself: see [`builtin`](crate::builtin). Default: it
    /// does, as the deployed one.
    pub own_events: bool,
    /// The monitor that says whether this server of a group is the active one. Without: it always
    /// is.
    pub monitor: Option<MonitorOptions>,
    /// What a page shows of the server; `None` where there is none.
    pub live: Option<Live>,
    /// The cluster that orders events, in place of this process: the server is operational while
    /// its node serves. Tokio only. A server in a cluster has no modules, and registers no events
    /// of its engine: that runs as long as any node does. With a [`monitor`](Self::monitor), only
    /// the node that it blesses is operational, and a second active one is fenced.
    #[cfg(feature = "cluster")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cluster")))]
    pub cluster: Option<ClusterOptions>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// The defaults, for the server `server_id` on `listen`.
    #[must_use]
    pub fn new(listen: impl Into<Address>, server_id: i64) -> Self {
        Self {
            listen: listen.into(),
            name: "hat".into(),
            token: None,
            tls: None,
            log: LogOptions::new(server_id),
            notify: Notify::default(),
            limits: Limits::default(),
            modules: Vec::new(),
            own_events: true,
            monitor: None,
            live: None,
            #[cfg(feature = "cluster")]
            cluster: None,
        }
    }
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot take part in the cluster.
    #[cfg(feature = "cluster")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cluster")))]
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A server with a [`monitor`](Options::monitor) was to listen on a Unix socket.
    #[error(
        "a server of a group cannot listen on {0}, because the other servers connect to it: let it listen on HOST:PORT"
    )]
    UnixInGroup(Address),
}

/// A server at work.
pub struct EventServer {
    server: Server,
    handle: EngineHandle,
    engine: Arc<Engine>,
    logs: Arc<Logs>,
    redundancy: Option<Redundancy>,
    /// Whether all logs take something, where that changes.
    serves: Option<Receiver<bool>>,
    told_all: Receiver<()>,
    /// Closed where a panic has ended a task of the server.
    faults: (Sender<()>, Receiver<()>),
    stopping: AtomicBool,
    sleep: fn(Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl fmt::Debug for EventServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventServer").field("server", &self.server).finish_non_exhaustive()
    }
}

impl EventServer {
    /// Starts a server over `store`: it listens at once, in standby, and is operational when this
    /// returns, unless a monitor or a cluster decides that.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start<R: Runtime>(
        mut options: Options,
        store: Arc<dyn Store>,
    ) -> Result<Self, StartError> {
        if options.monitor.is_some() && options.listen.unix_path().is_some() {
            return Err(StartError::UnixInGroup(options.listen));
        }
        let server_id = options.log.server_id;
        let Started { logs, feeds } = start_logs(&mut options, store.clone())?;
        let logs = Arc::new(logs);
        let serves = all_serve::<R>(&logs);
        let told = Arc::new(Progress::new::<R>());
        let (live, token, modules) =
            (options.live, options.token, Modules::new(options.modules, options.limits));

        let mut made = None;
        let listen = options.listen.clone();
        let handler = |notifier: hat_aio::eventer::Notifier| {
            let engine = Engine::new(
                server_id,
                logs.clone(),
                modules,
                options.limits,
                options.own_events,
                notifier.clone(),
                live.clone(),
                told.clone(),
            );
            let engine = Arc::new(engine);
            let handle = EngineHandle::new::<R>(
                engine.clone(),
                store,
                notifier.clone(),
                token.clone(),
                logs.clone(),
                live.clone(),
            );
            made = Some((engine, notifier, handle.clone()));
            handle
        };
        let eventer =
            ListenOptions { status: Status::Standby, tls: options.tls, ..ListenOptions::default() };
        let server = listen_with::<R, _>(listen.clone(), handler, eventer).await?;
        let (engine, notifier, handle) = made.expect("a server that listens has its handler");
        if let Some(live) = &live {
            live.set_addresses(server.addresses());
            live.load(&handle).await;
        }

        let shown = live.clone();
        let (ended, told_all) = bounded(feeds.len());
        let faults = bounded(1);
        for (number, feed) in feeds.into_iter().enumerate() {
            let (notifier, live, told) = (notifier.clone(), live.clone(), told.clone());
            let teller = Teller {
                feed,
                notifier,
                notify: options.notify,
                live,
                server_id,
                told: told.clone(),
            };
            let ended: Sender<()> = ended.clone();
            let task = async move {
                teller.run().await;
                // the first is of the server's own id, which is what is waited for
                if number == 0 {
                    told.end();
                }
                let _ = ended.try_send(());
            };
            // else the events of this log would be told to nobody any more, without a word
            R::spawn(watched(task, faults.0.clone()));
        }
        drop(ended);
        let (tell, news) = bounded(1);
        for lost in logs.lost() {
            let (logs, live, tell) = (logs.clone(), shown.clone(), tell.clone());
            let task = async move {
                while lost.recv().await.is_ok() {
                    if let Some(live) = &live {
                        live.set_reason(logs.reason());
                    }
                    let _ = tell.try_send(());
                }
            };
            R::spawn(watched(task, faults.0.clone()));
        }
        let redundancy = match options.monitor {
            None if serves.is_some() => None,
            None => {
                engine.start().await;
                None
            }
            Some(monitor) => {
                let addresses = server.addresses();
                let who = crate::redundancy::ServerIdentity {
                    name: options.name,
                    server_id,
                    token,
                    address: announced(&listen, addresses),
                    is_node: serves.is_some(),
                };
                let (engine, handle) = (engine.clone(), handle.clone());
                let news = serves.is_some().then_some(news);
                Some(Redundancy::start::<R>(monitor, who, engine, handle, news))
            }
        };
        if let Some(serves) = serves.clone() {
            let (engine, logs, live) = (engine.clone(), logs.clone(), shown);
            let task = async move {
                loop {
                    if let Some(live) = &live {
                        live.set_reason(logs.reason());
                    }
                    let Ok(serves) = serves.recv().await else { return };
                    engine.follow(serves);
                    // where one is on its way, that is enough
                    let _ = tell.try_send(());
                }
            };
            R::spawn(watched(task, faults.0.clone()));
        }
        let sleep = |time| -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(hat_aio::runtime::sleep::<R>(time))
        };
        let stopping = AtomicBool::new(false);
        Ok(Self {
            server,
            handle,
            engine,
            logs,
            redundancy,
            serves,
            told_all,
            faults,
            stopping,
            sleep,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// Where others than clients register and ask, too.
    pub fn handle(&self) -> EngineHandle {
        self.handle.clone()
    }

    /// The present status.
    pub fn status(&self) -> Status {
        self.engine.status()
    }

    /// Whether what is registered becomes durable.
    pub fn health(&self) -> Health {
        self.logs.health()
    }

    /// Waits until the server must end although nobody stopped it, and says why: its monitor wants
    /// it, or is lost and that is to be the end, or a fault of the program has ended what registers
    /// events. Cancel safe.
    pub async fn ended(&self) -> EndReason {
        let fault = async {
            // each log ends with a word
            let _ = smol::future::or(self.told_all.recv(), self.faults.1.recv()).await;
            if self.stopping.load(Ordering::Relaxed) {
                return std::future::pending().await;
            }
            EndReason::Fault
        };
        match &self.redundancy {
            Some(redundancy) => smol::future::or(redundancy.ended(), fault).await,
            None => fault.await,
        }
    }

    /// Ends the server: registrations in hand are still done, `STOPPED` is registered, everything
    /// is made durable, clients are told, and connections close once what is queued to them is
    /// written.
    ///
    /// # Errors
    ///
    /// [`StoreError`], where what was answered may not be durable. A disk that does not answer is
    /// given up after half a minute, and so are requests that wait for it.
    pub async fn stop(&self) -> Result<(), StoreError> {
        info!("stopping");
        self.stopping.store(true, Ordering::Relaxed);
        // what the engine registers at its end waits for the disk, too
        let last_sync = async {
            if let Some(redundancy) = &self.redundancy {
                redundancy.stop().await;
            }
            match &self.serves {
                Some(serves) => {
                    // whoever listens stops, and does not start the engine again
                    serves.close();
                    self.engine.set_status(Status::Stopping);
                }
                None => self.engine.stop().await,
            }
            let closed = self.logs.close().await;
            // what the logs told last is with the clients' connections
            while self.told_all.recv().await.is_ok() {}
            match closed {
                // what a cluster has acknowledged is durable
                Err(AppendError::Store(StoreError::Cluster(_))) => None,
                Err(AppendError::Store(error)) => Some(error),
                _ => None,
            }
        };
        let patience = async {
            (self.sleep)(LAST_SYNC).await;
            let what =
                format!("it did not accept the remaining events within {} s", LAST_SYNC.as_secs());
            warn!("giving up on the disk: {what}");
            let error = std::io::Error::new(std::io::ErrorKind::TimedOut, what);
            (Some(StoreError::Failed(Arc::new(error))), true)
        };
        let (lost, hangs) = smol::future::or(async { (last_sync.await, false) }, patience).await;
        // who was registered last is answered before its connection is closed
        self.server.answered(ANSWERING).await;
        let left = async {
            (self.sleep)(CLOSING).await;
            let connections = self.server.open_connections();
            warn!(
                connections,
                "not waiting any longer for requests that the disk has not answered"
            );
        };
        match hangs {
            true => smol::future::or(self.server.close(), left).await,
            // who takes slowly what is queued has the time for it
            false => self.server.close().await,
        }
        lost.map_or(Ok(()), Err)
    }
}

/// A task that the server cannot do without: where a panic ends it, `faults` is closed.
async fn watched(task: impl Future<Output = ()>, faults: Sender<()>) {
    let _says = OnPanic(|| {
        faults.close();
    });
    task.await;
}

/// Who orders sessions: this process, or the cluster.
fn start_logs(options: &mut Options, store: Arc<dyn Store>) -> Result<Started, StartError> {
    let server_id = options.log.server_id;
    #[cfg(feature = "cluster")]
    if let Some(cluster) = options.cluster.take() {
        if !options.modules.is_empty() {
            return Err(ClusterError::Modules.into());
        }
        let cluster = ClusterOptions { is_monitored: options.monitor.is_some(), ..cluster };
        let mut feeds = Vec::new();
        let mut start = |server_id| -> Result<Arc<dyn Log>, StartError> {
            let log = LogOptions { server_id, ..options.log.clone() };
            let (log, feed) = ClusterLog::start(store.clone(), log, cluster.clone())?;
            feeds.push(feed);
            Ok(Arc::new(log))
        };
        let first = start(server_id)?;
        let mut shards: Vec<Shard> = Vec::new();
        for ShardOptions { server_id: id, types } in &cluster.shards {
            if *id == server_id || shards.iter().any(|shard| shard.server_id == *id) {
                return Err(ClusterError::Shard(*id).into());
            }
            shards.push(Shard { types: types.clone(), server_id: *id, log: start(*id)? });
        }
        return Ok(Started { logs: Logs::new(server_id, first, shards), feeds });
    }
    let (log, feed) = LocalLog::start(store, options.log.clone())?;
    Ok(Started { logs: Logs::new(server_id, Arc::new(log), Vec::new()), feeds: vec![feed] })
}

/// Tells whether every log takes something, where that changes and at first.
fn all_serve<R: Runtime>(logs: &Logs) -> Option<Receiver<bool>> {
    let each: Vec<_> = logs.all().filter_map(|log| log.serves()).collect();
    if each.len() < 2 {
        return each.into_iter().next();
    }
    let (tell, all) = unbounded();
    let serving = Arc::new(Mutex::new(vec![false; each.len()]));
    for (number, one) in each.into_iter().enumerate() {
        let (tell, serving) = (tell.clone(), serving.clone());
        R::spawn(async move {
            while let Ok(serves) = one.recv().await {
                let mut serving = serving.lock().unwrap_or_else(PoisonError::into_inner);
                serving[number] = serves;
                // under the lock: what is told last is how it is
                if tell.try_send(serving.iter().all(|serves| *serves)).is_err() {
                    // nobody asks any more
                    one.close();
                }
            }
        });
    }
    Some(all)
}

/// Why a server ends that nobody stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndReason {
    /// The monitor wants it.
    #[error("the monitor asks the server to end")]
    CloseRequest,
    /// There is no monitor any more, and the server was to end then.
    #[error("the monitor is lost: {0}")]
    MonitorLost(String),
    /// What registers events, or tells clients of them, has ended: by a panic of a module, say.
    #[error(
        "a task that registers events or tells clients of them has ended because of a bug in this \
         program"
    )]
    Fault,
}

/// The address that others connect to: as it was written, with the port that it became.
fn announced(listen: &Address, addresses: &[SocketAddr]) -> (String, u16) {
    let port = addresses.first().map_or(listen.port(), SocketAddr::port);
    (listen.host().to_owned(), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The others of several go on, so that their end tells nothing.
    #[tokio::test]
    async fn a_task_that_panics_is_told_of() {
        let (fault, faults) = bounded(1);
        let well = tokio::spawn(watched(async {}, fault.clone()));
        well.await.expect("it ends");
        assert!(!faults.is_closed());
        let faulty = tokio::spawn(watched(async { panic!("a task with a fault") }, fault));
        faulty.await.expect_err("it panics");
        assert!(faults.is_closed());
    }
}
