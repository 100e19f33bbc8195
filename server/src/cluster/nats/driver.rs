//! The task with the outbox: what is published, who is answered, and whether this node registers.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{ConnectOptions, ServerAddr, jetstream};
use hat_core::eventer::Timestamp;
use hat_core::time::Instant;
use smol::channel::Sender;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch as latest};
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::super::outbox::{GivenUp, Outbox, OutboxOptions};
use super::super::replica::{Outcome, Replica};
use super::super::role::{Role, RoleChange};
use super::mark::StoredPosition;
use super::publisher::{FailureKind, Publication, Publisher};
use super::reader::Reader;
use super::shared::Shared;
use super::watch::{JoinedStream, Watch};
use super::{ClusterError, ClusterOptions, Request, applier, nodes};
use crate::store::{AppendError, LogOptions, Promise, SessionUpdate, Store, StoreError};

/// How long the cluster may take to acknowledge a message before it is published again.
pub(super) const ACKNOWLEDGED: Duration = Duration::from_secs(2);

/// The shortest time between two looks at what takes too long.
const ROUND: Duration = Duration::from_millis(20);

/// What a node starts with.
pub(super) struct Start {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Arc<dyn Store>,
    pub(super) log: LogOptions,
    pub(super) options: ClusterOptions,
    pub(super) connect: ConnectOptions,
    pub(super) servers: Vec<ServerAddr>,
    pub(super) known: StoredPosition,
    pub(super) tell: Sender<SessionUpdate>,
    pub(super) asked: mpsc::UnboundedReceiver<Request>,
}

/// Starts the threads and the tasks.
pub(super) fn start(runtime: &Handle, start: Start) -> Result<(), ClusterError> {
    let Start { shared, store, log, options, connect, servers, known, tell, asked } = start;
    let (batches, applied) = applier::start(shared.clone(), store, &log, tell)?;
    runtime.spawn(async move {
        let mut tasks = JoinSet::new();
        let (publish, publishes) = mpsc::unbounded_channel();
        let (results, published) = mpsc::unbounded_channel();
        let (join, joined) = latest::channel(None::<JoinedStream>);
        // a node that has stopped is no fault of the program: the applier waits for its end
        let mut unused = None;
        match connect.connect(servers).await {
            Ok(client) => {
                let context = jetstream::ContextBuilder::new()
                    .timeout(ACKNOWLEDGED)
                    .max_ack_inflight(1 << 16)
                    .build(client.clone());
                let restart = Arc::new(tokio::sync::Notify::new());
                let replica = Replica::new(log.server_id, known.state.clone());
                let reader = Reader {
                    replica,
                    shared: shared.clone(),
                    joined: joined.clone(),
                    batches,
                    restart: restart.clone(),
                    said_ahead: None,
                };
                tasks.spawn(reader.run());
                tasks.spawn(nodes::answer(client.clone(), log.server_id, shared.clone()));
                // all nodes have the stream of the server's own id in common
                let is_own = !options.shards.iter().any(|shard| shard.server_id == log.server_id);
                let following =
                    nodes::follow(client.clone(), log.server_id, shared.clone(), is_own);
                tasks.spawn(following);
                let publisher =
                    Publisher::new(context.clone(), shared.clone(), log.server_id, results);
                tasks.spawn(publisher.run(publishes));
                let watch = Watch::new(client, context, &options, log.server_id, known, join);
                tasks.spawn(watch.run(shared.clone(), restart));
            }
            Err(error) => {
                shared.stop(error.to_string());
                unused = Some(batches);
            }
        }
        let driver = Driver {
            outbox: Outbox::new(
                writer(),
                OutboxOptions { limit: options.limit, ..OutboxOptions::default() },
            ),
            role: match (options.is_monitored, options.unfences) {
                (true, _) => Role::Standby,
                (false, true) => Role::Lifting,
                (false, false) => Role::Free,
            },
            claim: None,
            releasing: Vec::new(),
            shared,
            joined,
            publish,
            published,
            applied,
            asked,
            clock: log.clock,
            start: std::time::Instant::now(),
            limit: options.limit,
            failure: None,
            closing: None,
        };
        driver.run(&mut tasks).await;
        // the reader goes, with the only way to the applier: that ends, and says so
        tasks.shutdown().await;
        drop(unused);
    });
    Ok(())
}

/// A number that nobody else has, at no time.
fn writer() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    // keyed by the system
    std::hash::RandomState::new().build_hasher().finish()
}

/// Who wants this node to be the one that registers.
struct Claim {
    promise: Promise,
    since: std::time::Instant,
    /// What is to be applied before it is published, once the leader has been asked: behind a fence
    /// that came before, and is not seen yet, it would be refused.
    target: Option<u64>,
}

struct Driver {
    outbox: Outbox<Promise>,
    role: Role,
    claim: Option<Claim>,
    /// Who waits until all is settled.
    releasing: Vec<Promise>,
    shared: Arc<Shared>,
    joined: latest::Receiver<Option<JoinedStream>>,
    publish: mpsc::UnboundedSender<Publication>,
    published: mpsc::UnboundedReceiver<Publication>,
    applied: mpsc::UnboundedReceiver<Vec<Outcome>>,
    asked: mpsc::UnboundedReceiver<Request>,
    clock: fn() -> Timestamp,
    start: std::time::Instant,
    limit: Duration,
    /// Why the last message was not stored.
    failure: Option<Arc<str>>,
    /// When what is not settled is given up, because the log is closed.
    closing: Option<Instant>,
}

impl Driver {
    /// Until the node ends. Where a fault ends one of `tasks`, the node stops: what that did,
    /// nobody does any more.
    async fn run(mut self, tasks: &mut JoinSet<()>) {
        loop {
            self.step();
            if self.outbox.is_empty() {
                self.releasing.drain(..).for_each(|promise| promise.settle(Ok(None)));
            }
            if self.closing.is_some() && self.outbox.is_empty() {
                return;
            }
            let due = self.outbox.deadline().into_iter().chain(self.closing);
            let due = due.chain(self.claim.is_some().then(|| self.now() + ROUND)).min();
            let due = due.unwrap_or(self.now() + Duration::from_secs(1)).max(self.now() + ROUND);
            let due = self.start + due.since_origin();
            tokio::select! {
                biased;
                Some(taken) = self.applied.recv() => self.on_applied(taken),
                Some(published) = self.published.recv() => self.on_published(published),
                request = self.asked.recv() => match request {
                    Some(request) => self.request(request),
                    // the log was dropped: nobody waits any more
                    None => return,
                },
                // it ends with its task, and then nothing is published any more
                Ok(()) = self.joined.changed() => {}
                Some(Err(error)) = tasks.join_next() => {
                    if error.is_panic() {
                        self.shared.fault("a task of the node");
                    }
                }
                () = tokio::time::sleep_until(due.into()) => {}
            }
            self.take_the_rest();
        }
    }

    /// What has arrived meanwhile goes into the same step.
    fn take_the_rest(&mut self) {
        while let Ok(taken) = self.applied.try_recv() {
            self.on_applied(taken);
        }
        while let Ok(published) = self.published.try_recv() {
            self.on_published(published);
        }
        while let Ok(request) = self.asked.try_recv() {
            self.request(request);
        }
    }

    fn now(&self) -> Instant {
        Instant::from_origin(self.start.elapsed())
    }

    fn step(&mut self) {
        let now = self.now();
        if let Some(stopped) = self.shared.has_stopped() {
            let given_up = self.outbox.drain();
            self.claim_failed(&stopped);
            return self.give_up(given_up, &stopped);
        }
        if self.closing.is_some_and(|at| at <= now) {
            let given_up = self.outbox.drain();
            self.give_up(given_up, "the server is stopping");
        }
        for promise in self.outbox.late(now) {
            self.shared.give_place();
            promise.settle(Err(AppendError::Late));
        }
        let given_up = self.outbox.expire(now);
        if !given_up.is_empty() {
            let (stored, unknown): (Vec<_>, Vec<_>) =
                given_up.into_iter().partition(|one| one.is_stored);
            let seconds = self.limit.as_secs_f32();
            let text = format!(
                "acknowledged by the cluster, but not applied by this node within {seconds} s"
            );
            self.give_up(stored, &text);
            let failure = self.failure.as_deref().unwrap_or("no answer");
            let text = format!("not acknowledged by the cluster within {seconds} s: {failure}");
            self.give_up(unknown, &text);
        }
        if self.claim.as_ref().is_some_and(|claim| claim.since.elapsed() > self.limit) {
            self.role.release(&mut self.outbox);
            let failure = self.failure.as_deref().unwrap_or("no answer of the cluster");
            self.claim_failed(&format!("not within {} s: {failure}", self.limit.as_secs_f32()));
        }
        if self.joined.borrow().is_none() {
            return;
        }
        let (applied, fence) = self.shared.applied_fence();
        if let Some(claim) = &mut self.claim
            && claim.target.is_none()
        {
            claim.target = self.shared.last_since(claim.since);
        }
        let target = match &self.claim {
            Some(claim) => claim.target,
            None => Some(self.shared.last()),
        };
        let caught_up = target.is_some_and(|target| applied >= target);
        let change = self.role.step(fence, caught_up, &mut self.outbox);
        self.on_change(change, Vec::new());
        while let Some(publish) = self.outbox.next(now, self.clock) {
            // where it is gone, what waits is given up in time
            let _ = self.publish.send(Publication {
                publish,
                since: std::time::Instant::now(),
                failure: None,
            });
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            // its promise says that the log is closed
            Request::Append(..) if self.closing.is_some() => self.shared.give_place(),
            Request::Append(.., promise)
                if !self.role.may_register(self.shared.applied_fence().1) =>
            {
                self.shared.give_place();
                promise.settle(Err(not_active()));
            }
            Request::Append(body, until, promise) => {
                let until =
                    until.map(|at| Instant::from_origin(at.saturating_duration_since(self.start)));
                self.outbox.push(promise, body, until, self.now());
            }
            Request::Claim(promise) if self.shared.is_monitored() && self.role != Role::Active => {
                self.role.claim();
                self.shared.forget_fence();
                let (since, target) = (std::time::Instant::now(), None);
                self.claim = Some(Claim { promise, since, target });
            }
            Request::Claim(promise) => promise.settle(Ok(None)),
            Request::Release(promise) => {
                self.role.release(&mut self.outbox);
                self.shared.set_may_register(!self.shared.is_monitored());
                self.shared.forget_fence();
                self.claim_failed("it is not wanted any more");
                self.releasing.push(promise);
            }
            Request::Close => {
                self.closing.get_or_insert(Instant::from_origin(self.start.elapsed()) + self.limit);
            }
        }
    }

    fn on_published(&mut self, published: Publication) {
        let key = published.publish.key;
        match published.failure {
            None => {
                self.outbox.stored(key);
                if self.failure.take().is_some() {
                    self.shared.set_refusal(None);
                }
            }
            Some(failure) if failure.kind == FailureKind::Impossible => {
                if let Some(promise) = self.outbox.impossible(key) {
                    self.shared.give_place();
                    promise.settle(Err(AppendError::Store(StoreError::Cluster(failure.text))));
                }
            }
            Some(failure) => {
                self.outbox.failed(key, self.now());
                if failure.kind == FailureKind::Refusal {
                    self.shared.set_refusal(Some(failure.text.clone()));
                }
                self.failure = Some(failure.text);
            }
        }
    }

    fn on_applied(&mut self, taken: Vec<Outcome>) {
        for one in taken {
            match one {
                Outcome::Session { place, session } => {
                    if let Some(promise) = self.outbox.applied(place) {
                        self.shared.give_place();
                        promise.settle(Ok(Some(session)));
                    }
                }
                Outcome::Void(place) => self.outbox.void(place),
                one @ (Outcome::Opened { .. }
                | Outcome::TakenOver { .. }
                | Outcome::Refused { .. }) => {
                    let (change, lost) = self.role.saw(&one, &mut self.outbox);
                    self.on_change(change, lost);
                }
                Outcome::Known | Outcome::Again | Outcome::Part | Outcome::Foreign => {}
            }
        }
    }

    /// What the stream has made of the node, and of who waited.
    fn on_change(&mut self, change: Option<RoleChange>, lost: Vec<Promise>) {
        match change {
            Some(RoleChange::Claimed) => {
                self.shared.set_may_register(true);
                info!(
                    stream = self.shared.stream(),
                    "this node is active: only what it registers counts"
                );
                if let Some(claim) = self.claim.take() {
                    claim.promise.settle(Ok(None));
                }
            }
            Some(RoleChange::Refused) => {
                self.claim_failed("another server was faster, or the fence was not stored in time");
            }
            Some(RoleChange::Fenced) => self.shared.fence(lost.len()),
            None => {}
        }
        if lost.is_empty() {
            return;
        }
        let (registrations, reason) = (lost.len(), "another server has taken over");
        warn!(registrations, uncertain = 0, reason, "registrations given up");
        for promise in lost {
            self.shared.give_place();
            self.shared.gave_up();
            let text = format!("{reason}; the events are not registered");
            promise.settle(Err(AppendError::Store(StoreError::Cluster(text.into()))));
        }
    }

    fn claim_failed(&mut self, reason: &str) {
        if let Some(claim) = self.claim.take() {
            claim.promise.settle(Err(AppendError::Store(StoreError::Cluster(reason.into()))));
        }
    }

    fn give_up(&self, given_up: Vec<GivenUp<Promise>>, reason: &str) {
        if given_up.is_empty() {
            return;
        }
        let uncertain = given_up.iter().filter(|one| one.uncertain).count();
        warn!(registrations = given_up.len(), uncertain, reason, "registrations given up");
        for GivenUp { ticket, uncertain, .. } in given_up {
            self.shared.give_place();
            self.shared.gave_up();
            let certainty = match uncertain {
                true => "it is not known whether the events are registered",
                false => "the events are not registered",
            };
            let text = format!("{reason}; {certainty}");
            ticket.settle(Err(AppendError::Store(StoreError::Cluster(text.into()))));
        }
    }
}

/// What is appended to a node that does not register.
pub(super) fn not_active() -> AppendError {
    let text = "this node is not the active one; the events are not registered";
    AppendError::Store(StoreError::Cluster(text.into()))
}

impl Drop for Driver {
    fn drop(&mut self) {
        // those who wait are told by their promises
        for _ in self.outbox.drain() {
            self.shared.give_place();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::replica::State;
    use super::*;

    #[test]
    fn a_fault_of_a_task_stops_the_node() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(async {
            let options = ClusterOptions::new(vec!["nats://127.0.0.1:1".into()], "a node");
            let shared = Arc::new(Shared::new(&options, 1, &State::behind(0)));
            let (request, asked) = mpsc::unbounded_channel();
            let (publish, _publishes) = mpsc::unbounded_channel();
            let (_results, published) = mpsc::unbounded_channel();
            let (_applied, applied) = mpsc::unbounded_channel();
            let (_join, joined) = latest::channel(None);
            let driver = Driver {
                outbox: Outbox::new(1, OutboxOptions::default()),
                role: Role::Free,
                claim: None,
                releasing: Vec::new(),
                shared: shared.clone(),
                joined,
                publish,
                published,
                applied,
                asked,
                clock: || Timestamp::MIN,
                start: std::time::Instant::now(),
                limit: Duration::from_secs(3_600),
                failure: None,
                closing: None,
            };
            let (promise, answer) = crate::store::pending();
            request.send(Request::Append(b"events"[..].into(), None, promise)).expect("it asks");
            let mut tasks = JoinSet::new();
            tasks.spawn(async { panic!("a task with a fault") });
            let driver = tokio::spawn(async move { driver.run(&mut tasks).await });
            // by a thread: it blocks
            let answer = tokio::task::spawn_blocking(|| answer.wait()).await.expect("an answer");
            let Err(AppendError::Store(StoreError::Cluster(reason))) = answer else {
                panic!("{answer:?}")
            };
            assert!(reason.contains("a bug in this program"), "{reason}");
            assert!(shared.has_stopped().is_some());
            drop(request);
            driver.await.expect("it ends");
        });
    }
}
