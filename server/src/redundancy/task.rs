//! The monitor, the blessing, and what follows from it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hat_aio::Runtime;
use hat_aio::observer::{Component, ConnectOptions, connect};
use hat_aio::runtime::sleep;
use hat_core::eventer::Status;
use hat_core::observer::{Incoming, State};
use smol::channel::Receiver;
use smol::future::or;
use tracing::{info, warn};

use super::mirror::Mirror;
use super::mirrors::Mirrors;
use super::others::SharedIds;
use super::ready::{Change, Known, Readiness};
use super::rule::{Rule, Step};
use super::{MonitorLost, MonitorOptions, ServerIdentity, others};
use crate::engine::Engine;
use crate::engine_handle::EngineHandle;
use crate::server::EndReason;

/// Time between two attempts to find the monitor.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// How long one attempt may take of a server that stays without a monitor: it must be back before
/// the [grace](MonitorOptions::grace) of one that is new is over, also where an attempt hangs.
pub(super) const CONNECT: Duration = Duration::from_secs(1);

/// Time between two looks at the disk.
const LOOK: Duration = Duration::from_secs(1);

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
    Rested,
    /// The engine is started, or is not.
    Started(bool),
    /// Something is new of the node of a cluster.
    Cluster,
    Monitor(Result<Incoming, hat_aio::observer::Error>),
}

struct Task {
    options: MonitorOptions,
    who: Arc<ServerIdentity>,
    engine: Arc<Engine>,
    mirrors: Mirrors,
    /// Ids that were said to be shared.
    shared_ids: SharedIds,
    stopping: Receiver<()>,
    rule: Rule,
    readiness: Readiness,
    /// Told what is new of the node of a cluster.
    cluster: Option<Receiver<()>>,
    /// The engine, while it starts: a claim takes time, and what the monitor says meanwhile counts.
    starting: Option<Pin<Box<dyn Future<Output = bool> + Send>>>,
    /// Another server has taken over, and the blessing has not changed since.
    fenced: bool,
}

/// Runs until it is stopped; says why, where the server must end by itself.
pub(super) async fn run<R: Runtime>(
    options: MonitorOptions,
    who: ServerIdentity,
    engine: Arc<Engine>,
    handle: EngineHandle,
    cluster: Option<Receiver<()>>,
    stopping: Receiver<()>,
) -> Option<EndReason> {
    let who = Arc::new(who);
    let (tls, retry) = (options.tls.clone(), options.retry);
    let waiting = options.waiting;
    let mirror = Mirror { who: who.clone(), engine: engine.clone(), handle, tls, retry, waiting };
    let mirrors = Mirrors::new(mirror);
    let rule = Rule::new(options.lost, options.grace);
    let readiness = Readiness::new(options.withdraw_after);
    let (shared_ids, starting, fenced) = (SharedIds::new(), None, false);
    let mut task = Task {
        options,
        who,
        engine,
        mirrors,
        shared_ids,
        stopping,
        rule,
        readiness,
        cluster,
        starting,
        fenced,
    };
    let ended = task.run::<R>().await;
    task.stand_by().await;
    task.mirrors.stop();
    ended
}

impl Task {
    async fn run<R: Runtime>(&mut self) -> Option<EndReason> {
        let mut failed = String::new();
        loop {
            // one that goes on without a monitor, too
            self.look_at_fence();
            let lost = match self.connect::<R>().await? {
                Ok(component) => {
                    failed.clear();
                    info!(monitor = %self.options.address, group = self.options.group, "connected to the monitor");
                    let end = self.follow::<R>(&component).await;
                    // closed in any case: the monitor must not take us for what we are not
                    drop(component);
                    match (end, self.options.lost) {
                        (End::Stopped, _) => return None,
                        (End::CloseRequest, MonitorLost::Exit) => {
                            return Some(EndReason::CloseRequest);
                        }
                        // a monitor that ends asks all its components to end, too
                        (End::CloseRequest, MonitorLost::Stay) => "it ends".to_owned(),
                        (End::Lost(reason), _) => reason,
                    }
                }
                Err(error) => error.to_string(),
            };
            if self.options.lost == MonitorLost::Exit {
                return Some(EndReason::MonitorLost(lost));
            }
            if failed != lost {
                warn!(monitor = %self.options.address, reason = lost, "no connection to the monitor: trying again");
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
        &mut self,
    ) -> Option<Result<Component, hat_aio::observer::ConnectError>> {
        let mut options = ConnectOptions {
            data: others::own_data(&self.who).into(),
            ..ConnectOptions::default()
        };
        if self.options.lost == MonitorLost::Stay {
            options.socket.connect_timeout = CONNECT;
        }
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
        self.rule.connected(R::now());
        loop {
            self.look_at_fence();
            self.show_ready::<R>(component);
            let step = self.rule.step(R::now(), self.mirrors.other_is_active());
            if step == Step::Start {
                info!("blessed, and no other server is active");
                let engine = self.engine.clone();
                self.starting = Some(Box::pin(async move { engine.start().await }));
                self.fenced = false;
                self.rule.started();
            }
            match self.next::<R>(component, step).await {
                Next::Stop => {
                    component.set_ready(false);
                    self.stand_by().await;
                    component.deactivated();
                    component.close().await;
                    return End::Stopped;
                }
                Next::OtherChanged | Next::Rested | Next::Cluster => {}
                Next::Started(is_active) => {
                    self.starting = None;
                    if !is_active {
                        self.rule.failed(R::now());
                    }
                }
                Next::Monitor(Ok(Incoming::State(state))) => {
                    self.state::<R>(component, &state).await;
                }
                Next::Monitor(Ok(Incoming::Activate)) => self.rule.blessed(),
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

    /// A server that was fenced stands by, blessed as it is: two monitors may each bless one, and
    /// they would take it from each other for ever.
    fn look_at_fence(&mut self) {
        if self.starting.is_none() && self.engine.is_fenced() {
            self.rule.stand_by();
            self.engine.fenced();
            self.fenced = true;
        }
    }

    /// A server that cannot register would keep others of the group from doing so.
    fn show_ready<R: Runtime>(&mut self, component: &Component) {
        if self.cluster.is_some() {
            return component.set_ready(self.engine.serves());
        }
        let (state, fault) = (component.state(), self.engine.disk_fault());
        if state.own.is_none() {
            // nothing was shown yet: that is not to say that there is no other
            return component.set_ready(self.readiness.is_ready());
        }
        let known = Known {
            disk_fails: fault.is_some(),
            works: component.is_active() || self.engine.status() != Status::Standby,
            other_is_ready: others::other_is_ready(&self.options.group, &state),
        };
        match (self.readiness.look(R::now(), known), fault) {
            (Some(Change::Withdrawn), Some(error)) => warn!(
                %error,
                "nothing can be stored here, and another server of the group is ready: this one \
                 takes no blessing until its disk has worked for half a minute"
            ),
            (Some(Change::Mended), _) => warn!("the disk works again: ready to be blessed"),
            (Some(Change::Needed), _) => {
                warn!("no other server of the group is ready: ready to be blessed");
            }
            _ => {}
        }
        component.set_ready(self.readiness.is_ready());
    }

    async fn next<R: Runtime>(&mut self, component: &Component, step: Step) -> Next {
        let Self { starting, stopping, mirrors, cluster, .. } = self;
        let stop = async {
            let _ = stopping.recv().await;
            Next::Stop
        };
        let changed = async {
            mirrors.changed().await;
            Next::OtherChanged
        };
        let started = async {
            match starting {
                Some(starting) => Next::Started(starting.await),
                None => std::future::pending().await,
            }
        };
        let node = async {
            match cluster {
                Some(cluster) if cluster.recv().await.is_ok() => Next::Cluster,
                _ => std::future::pending().await,
            }
        };
        let rested = async {
            match step {
                Step::In(time) => sleep::<R>(time.min(LOOK)).await,
                Step::Start | Step::Nothing => sleep::<R>(LOOK).await,
            }
            Next::Rested
        };
        let monitor = async { Next::Monitor(component.next().await) };
        or(stop, or(or(or(started, node), or(changed, rested)), monitor)).await
    }

    async fn state<R: Runtime>(&mut self, component: &Component, state: &State) {
        let group = &self.options.group;
        let (others, shared) = others::others(&self.who, group, state);
        // the monitor shows its state at each change of any component
        others::say_shared(&self.who, &self.shared_ids, &shared);
        self.shared_ids = shared;
        self.mirrors.update::<R>(&others);
        let has_others = others::has_others(group, state);
        let other_works = others::other_is_active(group, state);
        if self.rule.shown(has_others, other_works, component.is_active()) {
            info!("another server has been blessed meanwhile");
            self.stop_engine().await;
        }
    }

    /// There is no monitor any more. Whether the engine goes on: see [`MonitorLost`].
    async fn lost(&mut self) {
        let fenced = std::mem::take(&mut self.fenced);
        let must_stop = self.rule.monitor_lost() || fenced;
        // nobody would see to it meanwhile
        let half_started = self.starting.is_some() && self.rule.stand_by();
        if must_stop || half_started {
            self.stop_engine().await;
        }
    }

    async fn stand_by(&mut self) {
        let fenced = std::mem::take(&mut self.fenced);
        if self.rule.stand_by() || fenced {
            self.stop_engine().await;
        }
    }

    async fn stop_engine(&mut self) {
        self.starting = None;
        self.engine.stop().await;
    }
}
