//! The monitor, the blessing, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use hat_aio::Runtime;
use hat_aio::observer::{Component, ConnectOptions, connect};
use hat_aio::runtime::sleep;
use hat_core::observer::{Incoming, State};
use smol::channel::Receiver;
use smol::future::or;
use tracing::{info, warn};

use super::mirror::Mirror;
use super::mirrors::Mirrors;
use super::{MonitorLost, MonitorOptions, Who, others};
use crate::engine::Engine;
use crate::engine_handle::EngineHandle;
use crate::server::Ended;

/// Time between two attempts to find the monitor.
const RETRY: Duration = Duration::from_secs(1);

/// How a connection to the monitor ended.
enum End {
    Stopped,
    CloseRequest,
    Lost(String),
}

/// What there is to do next.
enum Next {
    Stop,
    OtherChanged,
    Monitor(Result<Incoming, hat_aio::observer::Error>),
}

struct Task {
    options: MonitorOptions,
    who: Arc<Who>,
    engine: Arc<Engine>,
    mirrors: Mirrors,
    stopping: Receiver<()>,
    /// This server is blessed.
    blessed: bool,
    /// The engine was started and not stopped since.
    running: bool,
    /// The monitor last showed another component of the group.
    has_others: bool,
}

/// Runs until it is stopped; says why, where the server must end by itself.
pub(super) async fn run<R: Runtime>(
    options: MonitorOptions,
    who: Who,
    engine: Arc<Engine>,
    handle: EngineHandle,
    stopping: Receiver<()>,
) -> Option<Ended> {
    let who = Arc::new(who);
    let (tls, retry) = (options.tls.clone(), options.retry);
    let mirror = Mirror { who: who.clone(), engine: engine.clone(), handle, tls, retry };
    let mirrors = Mirrors::new(mirror);
    let (blessed, running, has_others) = (false, false, false);
    let mut task = Task { options, who, engine, mirrors, stopping, blessed, running, has_others };
    let ended = task.run::<R>().await;
    task.stand_by().await;
    task.mirrors.stop();
    ended
}

impl Task {
    async fn run<R: Runtime>(&mut self) -> Option<Ended> {
        let mut failed = String::new();
        loop {
            let lost = match self.connect::<R>().await? {
                Ok(component) => {
                    failed.clear();
                    info!(monitor = %self.options.address, group = self.options.group, "connected to the monitor");
                    let end = self.follow::<R>(&component).await;
                    // closed in any case: the monitor must not take us for what we are not
                    drop(component);
                    match (end, self.options.lost) {
                        (End::Stopped, _) => return None,
                        (End::CloseRequest, MonitorLost::Exit) => return Some(Ended::CloseRequest),
                        // a monitor that ends asks all its components to end, too
                        (End::CloseRequest, MonitorLost::Stay) => "it ends".to_owned(),
                        (End::Lost(reason), _) => reason,
                    }
                }
                Err(error) => error.to_string(),
            };
            if self.options.lost == MonitorLost::Exit {
                return Some(Ended::MonitorLost(lost));
            }
            if failed != lost {
                warn!(monitor = %self.options.address, reason = lost, "no monitor: trying again");
                failed = lost;
            }
            let stopped = async { self.stopping.recv().await.is_err() };
            let rested = async {
                sleep::<R>(RETRY).await;
                false
            };
            if or(stopped, rested).await {
                return None;
            }
        }
    }

    /// `None`: it was stopped meanwhile.
    async fn connect<R: Runtime>(
        &self,
    ) -> Option<Result<Component, hat_aio::observer::ConnectError>> {
        let options = ConnectOptions {
            data: others::own_data(&self.who).into(),
            ..ConnectOptions::default()
        };
        let (address, group) = (self.options.address.clone(), self.options.group.clone());
        let connected =
            async { Some(connect::<R>(address, self.who.name.clone(), group, options).await) };
        let stopped = async {
            // closed, never sent to
            let _ = self.stopping.recv().await;
            None
        };
        or(stopped, connected).await
    }

    /// Does what the monitor says, until the connection ends.
    async fn follow<R: Runtime>(&mut self, component: &Component) -> End {
        self.blessed = false;
        component.set_ready(true);
        loop {
            if self.blessed && !self.running && !self.mirrors.other_is_active() {
                info!("blessed, and no other server is active");
                self.engine.start().await;
                self.running = true;
            }
            match self.next(component).await {
                Next::Stop => {
                    component.set_ready(false);
                    self.stand_by().await;
                    component.deactivated();
                    component.close().await;
                    return End::Stopped;
                }
                Next::OtherChanged => {}
                Next::Monitor(Ok(Incoming::State(state))) => {
                    self.state::<R>(component, &state).await;
                }
                Next::Monitor(Ok(Incoming::Activate)) => self.blessed = true,
                Next::Monitor(Ok(Incoming::Deactivate)) => {
                    info!("no longer blessed");
                    self.stand_by().await;
                    component.deactivated();
                }
                Next::Monitor(Ok(Incoming::CloseRequest)) => {
                    self.lost().await;
                    component.deactivated();
                    component.close().await;
                    return End::CloseRequest;
                }
                Next::Monitor(Err(error)) => {
                    self.lost().await;
                    return End::Lost(error.to_string());
                }
            }
        }
    }

    async fn next(&self, component: &Component) -> Next {
        let stop = async {
            let _ = self.stopping.recv().await;
            Next::Stop
        };
        let changed = async {
            self.mirrors.changed().await;
            Next::OtherChanged
        };
        let monitor = async { Next::Monitor(component.next().await) };
        or(stop, or(changed, monitor)).await
    }

    async fn state<R: Runtime>(&mut self, component: &Component, state: &State) {
        let group = &self.options.group;
        self.mirrors.update::<R>(&others::others(&self.who, group, state));
        self.has_others = others::has_others(group, state);
        // an engine that went on without a monitor, while another server was blessed
        if self.running && !component.is_active() && others::other_is_active(group, state) {
            info!("another server was blessed meanwhile");
            self.stand_by().await;
        }
    }

    /// There is no monitor any more. Whether the engine goes on: see [`MonitorLost`].
    async fn lost(&mut self) {
        self.blessed = false;
        if self.has_others || self.options.lost == MonitorLost::Exit {
            self.stand_by().await;
        }
    }

    async fn stand_by(&mut self) {
        self.blessed = false;
        if std::mem::take(&mut self.running) {
            self.engine.stop().await;
        }
    }
}
