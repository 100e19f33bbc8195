//! What all parts of a node know together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use smol::channel::{Receiver, Sender, bounded, unbounded};
use tracing::{error, info, warn};

use super::super::replica::{self, FenceState};
use super::super::report::{ClusterReport, NodeReport, ReplicaReport};
use super::ClusterOptions;
use crate::store::{Health, LogCounts, Promise, StoreError};

#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Told whenever that changes; nobody else ever has it for long.
    serves: (Sender<bool>, Receiver<bool>),
    /// The sequence up to which the store has everything.
    applied: AtomicU64,
    /// The sequence up to which the stream was read.
    read: AtomicU64,
    /// Something is applied and not synced.
    unsynced: AtomicBool,
    /// The most bytes that the stream takes for a message.
    max_message: AtomicUsize,
    /// Something is in hand that the store does not take.
    holds: AtomicBool,
    waiting: AtomicUsize,
    given_up: AtomicU64,
    /// This node may register: see [`Role`](super::super::role::Role).
    may_register: AtomicBool,
    /// How often another node has taken over from this one.
    fenced: AtomicU64,
    /// Told when another node has taken over, and when that is forgotten.
    lost: (Sender<()>, Receiver<()>),
    is_monitored: bool,
    node: String,
    stream: String,
    shards: String,
    silence: Duration,
}

#[derive(Debug, Default)]
struct State {
    /// What keeps the node from serving for good.
    stopped: Option<StopCause>,
    /// The stream may not be the one that it was: nothing of it is used until that is decided.
    doubts: bool,
    /// Why the last question to the leader had no answer.
    silent: Option<Arc<str>>,
    /// When it answered last.
    answered: Option<Instant>,
    /// What has to be applied before the node serves; `None` before the stream is joined.
    target: Option<u64>,
    /// When something was applied last, or nothing was to be.
    moved: Option<Instant>,
    /// CRC-32C of the message that was applied last, 0 where none was.
    crc: u32,
    /// Who may register behind it.
    fence: FenceState,
    /// Another node has taken over from this one, whose blessing has not changed since.
    taken_over: Option<Arc<str>>,
    /// Why the store does not take anything.
    disk: Option<StoreError>,
    /// Why nothing is published.
    refused: Option<Arc<str>>,
    leader: Option<String>,
    replicas: Vec<ReplicaReport>,
    /// Who has answered since the start, by name, and when last.
    nodes: BTreeMap<String, (NodeReport, Instant)>,
    last: u64,
    counts: LogCounts,
    closers: Vec<Promise>,
    closed: bool,
    /// What was told last.
    served: bool,
    /// Since when the node does not serve, and the log was not told.
    unsaid: Option<Instant>,
    /// Whether the log was told that the node does not serve.
    said: bool,
    /// What NATS has said last of why it is not to be had.
    nats: Option<Arc<str>>,
}

impl State {
    /// Why nothing is registered although the node could serve.
    fn hindrance(&self) -> Option<Arc<str>> {
        self.taken_over.clone().or_else(|| self.refused.clone())
    }
}

/// What keeps a node from serving for good.
#[derive(Debug)]
struct StopCause {
    reason: Arc<str>,
    /// The sequence of the last message that is certain, and may still be applied.
    certain: u64,
}

/// Whether messages may be applied.
pub(super) enum Permission {
    Apply,
    /// It is not decided yet.
    Wait,
    Never,
}

/// What the leader of the stream has said.
pub(super) struct Answer {
    pub(super) leader: Option<String>,
    pub(super) replicas: Vec<ReplicaReport>,
    pub(super) last: u64,
}

impl Shared {
    pub(super) fn new(options: &ClusterOptions, server_id: i64, known: &replica::State) -> Self {
        let (applied, crc, fence) = (known.taken, known.crc, known.fence());
        let unsaid = Some(Instant::now());
        Self {
            state: Mutex::new(State { crc, fence, unsaid, ..State::default() }),
            serves: unbounded(),
            applied: AtomicU64::new(applied),
            read: AtomicU64::new(applied),
            unsynced: AtomicBool::new(false),
            max_message: AtomicUsize::new(usize::MAX),
            holds: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            given_up: AtomicU64::new(0),
            may_register: AtomicBool::new(!options.is_monitored),
            fenced: AtomicU64::new(0),
            lost: bounded(1),
            is_monitored: options.is_monitored,
            node: options.node.clone(),
            stream: super::watch::stream_name(server_id),
            shards: options.shards_text(),
            silence: options.silence,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    pub(super) fn shards(&self) -> &str {
        &self.shards
    }

    pub(super) fn serves(&self) -> Receiver<bool> {
        self.serves.1.clone()
    }

    /// A place among those who wait, if there is one.
    pub(super) fn take_place(&self, most: usize) -> bool {
        let taken = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < most).then_some(waiting + 1)
        });
        taken.is_ok()
    }

    pub(super) fn give_place(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn gave_up(&self) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    pub(super) fn set_read(&self, sequence: u64) {
        self.read.store(sequence, Ordering::Relaxed);
    }

    /// The most bytes of a message, as the stream says it: less than one is as many as one likes.
    pub(super) fn set_max_message(&self, size: i32) {
        let most = usize::try_from(size).ok().filter(|size| *size > 0).unwrap_or(usize::MAX);
        self.max_message.store(most, Ordering::Relaxed);
    }

    pub(super) fn max_message(&self) -> usize {
        self.max_message.load(Ordering::Relaxed)
    }

    /// Something is to be synced.
    pub(super) fn set_unsynced(&self) {
        self.unsynced.store(true, Ordering::Release);
    }

    /// Whether something is to be synced; nothing is then.
    pub(super) fn take_unsynced(&self) -> bool {
        self.unsynced.swap(false, Ordering::AcqRel)
    }

    pub(super) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// The message that was applied last: its sequence, and its CRC-32C, 0 where none was.
    pub(super) fn last_applied(&self) -> (u64, u32) {
        let state = self.lock();
        (self.applied(), state.crc)
    }

    /// How far the store is, and who may register behind that.
    pub(super) fn applied_fence(&self) -> (u64, FenceState) {
        let state = self.lock();
        (self.applied(), state.fence)
    }

    pub(super) fn is_monitored(&self) -> bool {
        self.is_monitored
    }

    pub(super) fn may_register(&self) -> bool {
        self.may_register.load(Ordering::Acquire)
    }

    pub(super) fn set_may_register(&self, may: bool) {
        self.may_register.store(may, Ordering::Release);
    }

    pub(super) fn lost(&self) -> Receiver<()> {
        self.lost.1.clone()
    }

    /// Another node has taken over from this one: it registers nothing until that is forgotten.
    pub(super) fn fence(&self, registrations: usize) {
        self.set_may_register(false);
        self.fenced.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        let sequence = state.fence.sequence;
        let reason = format!(
            "another server has taken over, by message {sequence} of the stream: this one stands \
             by until the monitor changes its blessing"
        );
        error!(stream = self.stream, registrations, reason, "this node was fenced");
        state.taken_over = Some(reason.into());
        drop(state);
        // where one is there, that is enough
        let _ = self.lost.0.try_send(());
    }

    /// The blessing has changed, or the node claims anew.
    pub(super) fn forget_fence(&self) {
        if self.lock().taken_over.take().is_some() {
            let _ = self.lost.0.try_send(());
        }
    }

    /// Whether all is applied that the stream had when its leader was last asked.
    pub(super) fn has_caught_up(&self) -> bool {
        let state = self.lock();
        state.answered.is_some() && self.applied() >= state.last
    }

    /// The last message of the stream, when its leader was last asked.
    pub(super) fn last(&self) -> u64 {
        self.lock().last
    }

    /// The same, where it was asked after `asked`.
    pub(super) fn last_since(&self, asked: Instant) -> Option<u64> {
        let state = self.lock();
        state.answered.is_some_and(|at| at > asked).then_some(state.last)
    }

    pub(super) fn set_applied(&self, sequence: u64, crc: u32, fence: FenceState) {
        let mut state = self.lock();
        // under the lock: the two belong together
        self.applied.store(sequence, Ordering::Release);
        (state.crc, state.fence) = (crc, fence);
        state.moved = Some(Instant::now());
        drop(state);
        self.judge();
    }

    /// The leader has answered. Where it had been silent for long, all that it has now comes first.
    pub(super) fn on_answer(&self, answer: Answer) {
        let mut state = self.lock();
        let was_silent = state.answered.is_none_or(|at| at.elapsed() > self.silence);
        if was_silent || state.target.is_none() {
            state.target = Some(answer.last);
        }
        let now = Some(Instant::now());
        if was_silent || self.applied() >= answer.last {
            state.moved = now;
        }
        state.answered = now;
        (state.silent, state.nats) = (None, None);
        state.leader = answer.leader;
        state.replicas = answer.replicas;
        state.last = answer.last;
        drop(state);
        self.judge();
    }

    /// These nodes have just answered. Those that have not stay, and are the older for it, until
    /// there are too many: names are what peers say.
    pub(super) fn set_nodes(&self, answered: Vec<ClusterReport>) {
        let now = Instant::now();
        let mut state = self.lock();
        for ClusterReport { node: name, serves, active, reason, applied, .. } in answered {
            let answered = Duration::ZERO;
            let report =
                NodeReport { name: name.clone(), serves, active, reason, applied, answered };
            state.nodes.insert(name, (report, now));
        }
        while state.nodes.len() > super::nodes::MOST {
            let oldest = state.nodes.iter().min_by_key(|(_, (_, at))| *at);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { break };
            state.nodes.remove(&oldest);
        }
    }

    /// What NATS says of the connection, where it is not good.
    pub(super) fn nats(&self, said: impl Into<Arc<str>>) {
        self.lock().nats = Some(said.into());
    }

    /// The leader has not answered.
    pub(super) fn set_silent(&self, reason: impl Into<Arc<str>>) {
        self.lock().silent = Some(reason.into());
        self.judge();
    }

    /// JetStream has answered that there is no stream.
    pub(super) fn set_absent(&self, reason: impl Into<Arc<str>>) {
        let mut state = self.lock();
        (state.silent, state.nats) = (Some(reason.into()), None);
        drop(state);
        self.judge();
    }

    /// The node must not go on: it would have to guess. What was read and is not applied may be
    /// wrong.
    pub(super) fn stop(&self, reason: impl Into<Arc<str>>) {
        self.stop_behind(0, reason);
    }

    /// A part of the node has ended by a panic.
    pub(super) fn fault(&self, part: &str) {
        self.stop(format!("{part} has ended because of a bug in this program; restart the node"));
    }

    /// The same, where the messages up to `certain` are right.
    pub(super) fn stop_behind(&self, certain: u64, reason: impl Into<Arc<str>>) {
        let reason = reason.into();
        let mut state = self.lock();
        if state.stopped.is_none() {
            error!(
                stream = self.stream,
                reason = &*reason,
                "this node has stopped: it keeps its data and answers queries, but registers nothing"
            );
            state.stopped = Some(StopCause { reason, certain });
        }
        drop(state);
        self.judge();
    }

    pub(super) fn has_stopped(&self) -> Option<Arc<str>> {
        self.lock().stopped.as_ref().map(|stopped| stopped.reason.clone())
    }

    /// Whether the stream may not be the one that it was.
    pub(super) fn doubt(&self, doubts: bool) {
        self.lock().doubts = doubts;
    }

    /// Whether messages of the stream are taken as they come.
    pub(super) fn may_read(&self) -> bool {
        let state = self.lock();
        !state.doubts && state.stopped.is_none()
    }

    /// Whether the messages up to `sequence` may be applied.
    pub(super) fn may_apply(&self, sequence: u64) -> Permission {
        let state = self.lock();
        match &state.stopped {
            Some(stopped) if stopped.certain < sequence => Permission::Never,
            None if state.doubts => Permission::Wait,
            _ => Permission::Apply,
        }
    }

    pub(super) fn disk(&self, disk: Option<StoreError>) {
        let mut state = self.lock();
        match (&state.disk, &disk) {
            (None, Some(error)) => {
                error!(stream = self.stream, %error, "the store fails: nothing more is applied");
            }
            (Some(_), None) => warn!(stream = self.stream, "the store works again"),
            _ => {}
        }
        state.disk = disk;
        drop(state);
        self.judge();
    }

    /// Whether something is in hand that the store does not take: who has it tries again.
    pub(super) fn set_holds(&self, holds: bool) {
        self.holds.store(holds, Ordering::Release);
    }

    pub(super) fn holds(&self) -> bool {
        self.holds.load(Ordering::Acquire)
    }

    pub(super) fn disk_fails(&self) -> bool {
        self.lock().disk.is_some()
    }

    /// Whether all that it fails for is room.
    pub(super) fn disk_is_full(&self) -> bool {
        matches!(self.lock().disk, Some(StoreError::Full(_)))
    }

    /// JetStream accepts no messages, for this reason; or it does again.
    pub(super) fn set_refusal(&self, reason: Option<Arc<str>>) {
        let mut state = self.lock();
        match (&state.refused, &reason) {
            (None, Some(reason)) => {
                warn!(stream = self.stream, reason = &**reason, "JetStream accepts no messages");
            }
            (Some(_), None) => {
                warn!(stream = self.stream, "JetStream accepts messages again");
            }
            _ => {}
        }
        state.refused = reason;
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut LogCounts)) {
        change(&mut self.lock().counts);
    }

    pub(super) fn counts(&self) -> LogCounts {
        let waiting = self.waiting.load(Ordering::Relaxed);
        LogCounts { waiting, ..self.lock().counts }
    }

    pub(super) fn wait_for_the_end(&self, promise: Promise) {
        let mut state = self.lock();
        match state.closed {
            true => promise.settle(Ok(None)),
            false => state.closers.push(promise),
        }
    }

    pub(super) fn closed(&self) {
        let mut state = self.lock();
        state.closed = true;
        let closers = std::mem::take(&mut state.closers);
        drop(state);
        self.lost.0.close();
        self.judge();
        for promise in closers {
            promise.settle(Ok(None));
        }
    }

    /// Why the node does not serve, if it does not.
    fn reason(&self, state: &State) -> Option<Arc<str>> {
        if let Some(stopped) = &state.stopped {
            return Some(stopped.reason.clone());
        }
        if let Some(disk) = &state.disk {
            return Some(disk.to_string().into());
        }
        let Some(target) = state.target else {
            let said = state.nats.clone().or_else(|| state.silent.clone());
            return Some(said.unwrap_or_else(|| "the cluster has not been found yet".into()));
        };
        if state.answered.is_none_or(|at| at.elapsed() > self.silence) {
            let silent = state.silent.as_deref().unwrap_or("no answer");
            let text =
                format!("the cluster has no majority: its leader does not answer ({silent})");
            return Some(text.into());
        }
        if state.fence.is_up && !self.is_monitored {
            let sequence = state.fence.sequence;
            let text = format!(
                "since message {sequence} of the stream a monitor decides which node registers: \
                 start this node with --monitor, or end that with --cluster-unfence"
            );
            return Some(text.into());
        }
        let applied = self.applied();
        if applied < target {
            let left = target - applied;
            return Some(format!("{left} messages of the stream are still to be applied").into());
        }
        let stands = state.moved.is_some_and(|at| at.elapsed() > self.silence);
        (applied < state.last && stands).then(|| {
            let (left, time) = (state.last - applied, self.silence.as_secs_f32());
            format!("nothing has been applied for {time} s, although {left} messages of the stream are left")
                .into()
        })
    }

    /// Says whether the node serves, where that has changed.
    pub(super) fn judge(&self) {
        let mut state = self.lock();
        let reason = self.reason(&state);
        let serves = reason.is_none() && !state.closed;
        let served = std::mem::replace(&mut state.served, serves);
        if serves && !served {
            // as loud as what was said before
            match std::mem::take(&mut state.said) {
                true => warn!(stream = self.stream, "this node of the cluster serves again"),
                false => info!(stream = self.stream, "this node of the cluster serves"),
            }
        }
        let Some(reason) = reason else {
            state.unsaid = None;
            return self.tell(serves, served);
        };
        if served {
            state.unsaid = None;
            state.said = true;
            let stream = &*self.stream;
            warn!(stream, reason = &*reason, "this node of the cluster has stopped serving");
        } else if state.unsaid.is_some_and(|since| since.elapsed() > self.silence) {
            state.unsaid = None;
            state.said = true;
            let stream = &*self.stream;
            warn!(stream, reason = &*reason, "this node of the cluster does not serve yet");
        }
        self.tell(serves, served);
    }

    /// Under the lock of who calls it: two threads must not say it in the other order.
    fn tell(&self, serves: bool, served: bool) {
        if serves != served {
            let _ = self.serves.0.try_send(serves);
        }
    }

    pub(super) fn health(&self) -> Health {
        let state = self.lock();
        if state.closed {
            return Health::Closed;
        }
        if let Some(disk) = &state.disk {
            return Health::Failing(disk.clone());
        }
        match self.reason(&state).or_else(|| state.hindrance()) {
            Some(reason) => Health::Failing(StoreError::Cluster(reason)),
            None => Health::Good,
        }
    }

    pub(super) fn report(&self) -> ClusterReport {
        let state = self.lock();
        let reason = self.reason(&state);
        let serves = reason.is_none() && !state.closed;
        let reason = reason.or_else(|| state.hindrance());
        let known = |(node, at): &(NodeReport, Instant)| NodeReport {
            answered: at.elapsed(),
            ..node.clone()
        };
        ClusterReport {
            node: self.node.clone(),
            stream: self.stream.clone(),
            serves,
            active: self.is_monitored.then(|| serves && self.may_register()),
            fenced: self.fenced.load(Ordering::Relaxed),
            reason: reason.map(|reason| reason.to_string()),
            stopped: state.stopped.is_some(),
            leader: state.leader.clone(),
            replicas: state.replicas.clone(),
            applied: self.applied(),
            last: state.last.max(self.applied()),
            answered: state.answered.map(|at| at.elapsed()),
            waiting: self.waiting.load(Ordering::Relaxed),
            given_up: self.given_up.load(Ordering::Relaxed),
            shards: Some(self.shards.clone()),
            nodes: state.nodes.values().map(known).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_answered_for_the_longest_makes_room_for_others() {
        let options = ClusterOptions::new(vec!["nats://127.0.0.1:1".into()], "a node");
        let shared = Shared::new(&options, 1, &replica::State::default());
        let answer = |name: String| {
            shared.set_nodes(vec![ClusterReport { node: name, ..ClusterReport::default() }]);
        };
        answer("first".into());
        (1..super::super::nodes::MOST).for_each(|number| answer(number.to_string()));
        answer("1".into());
        let names = || shared.report().nodes.into_iter().map(|it| it.name).collect::<Vec<_>>();
        assert!(names().contains(&"first".to_owned()), "as many as there may be");
        answer("one more".into());
        let names = names();
        assert_eq!(names.len(), super::super::nodes::MOST);
        assert!(names.contains(&"one more".into()) && !names.contains(&"first".into()));
    }
}
