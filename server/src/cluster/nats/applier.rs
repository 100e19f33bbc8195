//! The threads that bring sessions into the store: one applies them, another makes durable what
//! is not yet, and does what the store does beside the work.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hat_core::eventer::Timestamp;
use smol::channel::{Receiver, Sender, bounded};
use tokio::sync::mpsc;
use tracing::warn;

use super::super::replica::{FenceState, Outcome};
use super::shared::{Permission, Shared};
use crate::store::calendar::Calendar;
use crate::store::last_step::wait_for_step;
use crate::store::on_panic::OnPanic;
use crate::store::{Durability, LogOptions, Session, SessionUpdate, Store, StoreError, Sync};

/// Batches on their way to the store.
const WAITING: usize = 4;

/// Time between two steps of what the store does beside the work, and between two attempts to use
/// a disk again.
const PAUSE: Duration = Duration::from_secs(1);

/// Time between two looks at whether a doubt about the stream is decided.
const DOUBT: Duration = Duration::from_millis(50);

/// What is applied at once.
#[derive(Debug, Default)]
pub(super) struct Batch {
    sessions: Vec<Arc<Session>>,
    pub(super) taken: Vec<Outcome>,
    pub(super) bytes: usize,
    /// The sequence of its last message, its CRC-32C, and the mark after it.
    pub(super) sequence: u64,
    pub(super) crc: u32,
    /// Who may register behind it.
    pub(super) fence: FenceState,
    pub(super) mark: Bytes,
}

impl Batch {
    /// Adds what became of a message of so many bytes.
    pub(super) fn add(&mut self, taken: Outcome, bytes: usize) {
        if let Outcome::Session { session, .. } = &taken {
            // as SBS an event can be a fiftieth of what it is in memory
            self.bytes += size_of_val(session.events());
            self.sessions.push(session.clone());
        }
        self.taken.push(taken);
        self.bytes += bytes;
    }
}

/// Where batches go, and where what became of them comes from.
pub(super) type ApplierChannels = (Sender<Batch>, mpsc::UnboundedReceiver<Vec<Outcome>>);

pub(super) fn start(
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    log: &LogOptions,
    tell: Sender<SessionUpdate>,
) -> Result<ApplierChannels, StoreError> {
    let failed = |error| StoreError::Failed(Arc::new(error));
    let (batches, taken) = bounded(WAITING);
    let (applied, came) = mpsc::unbounded_channel();
    let (due, is_due) = sync_channel(1);
    let (sync, flush) = match log.durability {
        Durability::Commit => (Sync::Now, PAUSE),
        Durability::Flush(time) => (Sync::Later, time.min(PAUSE)),
    };
    let (clock, keeping, kept) = (log.clock, shared.clone(), store.clone());
    let keeper = thread::Builder::new().name("hat-store-tidy".into());
    let keeper = keeper.spawn(move || {
        // what is acknowledged would not be synced, without a word
        let _stops = OnPanic(|| keeping.fault("the task that syncs the store"));
        keep(&*kept, &keeping, clock, flush, &is_due);
    });
    let keeper = keeper.map_err(failed)?;
    let (server_id, most) = (log.server_id, log.max_unsynced);
    let applier = Applier { shared, store, tell, applied, due, server_id, sync, most, unsynced: 0 };
    let thread = thread::Builder::new().name("hat-store".into());
    let run = move || {
        let shared = applier.shared.clone();
        // nor applied; the first here, to be the last: nobody is told before the store is free
        let _stops = OnPanic(|| {
            shared.fault("the task that applies the stream");
            shared.closed();
        });
        let store = applier.store.clone();
        applier.run(&taken);
        if let Err(error) = store.sync() {
            warn!(%error, "the last sync failed: the next start applies its messages again");
        }
        drop(store);
        // its end of `due` is gone: the other thread has the store, which is free once it ends
        wait_for_step(&keeper);
        shared.closed();
    };
    thread.spawn(run).map_err(failed)?;
    Ok((batches, came))
}

struct Applier {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    tell: Sender<SessionUpdate>,
    applied: mpsc::UnboundedSender<Vec<Outcome>>,
    due: SyncSender<()>,
    server_id: i64,
    sync: Sync,
    /// Events that may be unsynced.
    most: usize,
    unsynced: usize,
}

impl Applier {
    fn run(mut self, batches: &Receiver<Batch>) {
        while let Ok(batch) = batches.recv_blocking() {
            if !self.may_apply(&batch, batches) || !self.apply(&batch, batches) {
                return;
            }
            self.shared.set_applied(batch.sequence, batch.crc, batch.fence);
            // who waits is answered once it can be found, and nobody is told before
            let _ = self.applied.send(batch.taken);
            for session in batch.sessions {
                for update in
                    [SessionUpdate::Ordered(session.clone()), SessionUpdate::Durable(session)]
                {
                    // nobody listens any more where it fails
                    let _ = self.tell.send_blocking(update);
                }
            }
            if self.store.is_due() {
                // where one is on its way, that is enough
                let _ = self.due.try_send(());
            }
        }
    }

    /// Until it may be. False at the end, which is all that comes once it may not: another stream
    /// must not leave its mark in the store, which would be taken for its own after a restart.
    fn may_apply(&self, batch: &Batch, batches: &Receiver<Batch>) -> bool {
        loop {
            match self.shared.may_apply(batch.sequence) {
                Permission::Apply => return true,
                Permission::Never => {
                    while batches.recv_blocking().is_ok() {}
                    return false;
                }
                Permission::Wait if batches.is_closed() => return false,
                Permission::Wait => thread::sleep(DOUBT),
            }
        }
    }

    /// Until it is applied: what is left out would be missing for ever. False at the end.
    fn apply(&mut self, batch: &Batch, batches: &Receiver<Batch>) -> bool {
        let events: usize = batch.sessions.iter().map(|session| session.events().len()).sum();
        loop {
            let failing = self.shared.disk_fails();
            let applied = match failing {
                // what was applied and is not on the disk must not grow for ever
                true => self.store.recover().and_then(|()| self.store.sync()),
                false => Ok(()),
            };
            let applied = applied.and_then(|()| {
                self.store.apply_marked(
                    &batch.sessions,
                    self.server_id,
                    batch.mark.clone(),
                    self.sync,
                )
            });
            let applied = applied.and_then(|()| {
                self.unsynced += events;
                if self.sync == Sync::Now || self.unsynced <= self.most {
                    if self.sync == Sync::Later {
                        self.shared.set_unsynced();
                    }
                    return Ok(());
                }
                self.unsynced = 0;
                timed(&self.shared, || self.store.sync())
            });
            match applied {
                Ok(()) => {
                    self.shared.set_holds(false);
                    if failing {
                        self.shared.disk(None);
                    }
                    if self.sync == Sync::Now {
                        self.shared.count(|counts| counts.syncs += 1);
                    }
                    return true;
                }
                Err(error) => {
                    self.shared.set_holds(true);
                    self.shared.disk(Some(error));
                }
            }
            if batches.is_closed() {
                return false;
            }
            thread::sleep(PAUSE);
        }
    }
}

fn timed(shared: &Shared, sync: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
    let start = Instant::now();
    let done = sync();
    shared.count(|counts| {
        counts.syncs += 1;
        counts.failed_syncs += u64::from(done.is_err());
        counts.sync_time += start.elapsed();
    });
    done
}

/// Syncs, and tidies, until the other end of `due` is gone.
fn keep(
    store: &dyn Store,
    shared: &Shared,
    clock: fn() -> Timestamp,
    flush: Duration,
    due: &std::sync::mpsc::Receiver<()>,
) {
    let (mut more, mut tidied, mut is_full) = (false, Instant::now(), false);
    let mut calendar = Calendar::default();
    loop {
        match due.recv_timeout(if more { Duration::ZERO } else { flush }) {
            Err(RecvTimeoutError::Disconnected) => return,
            Ok(()) => more = true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        shared.count(|counts| counts.rounds += 1);
        if shared.disk_fails() {
            // who applies makes it ready again; where nothing comes, this does. A full disk may be
            // synced, and takes nothing all the same: only who has something knows
            if !shared.holds() {
                let recovered = store.recover().and_then(|()| store.sync());
                shared.disk(recovered.err());
            }
            // of a full one, what is old can be removed, and that may make room
            if shared.disk_fails() && !shared.disk_is_full() {
                more = false;
                continue;
            }
        }
        if shared.take_unsynced()
            && let Err(error) = timed(shared, || store.sync())
        {
            shared.disk(Some(error));
            continue;
        }
        if !more && tidied.elapsed() < PAUSE {
            continue;
        }
        tidied = Instant::now();
        if shared.has_caught_up() || shared.disk_is_full() {
            // the newest event is not one of long ago, as where a node comes new; one that has no
            // room does not catch up before what is old is removed
            calendar.look_at(store, tidied);
        }
        match store.tidy(calendar.now(clock(), tidied)) {
            Ok(goes_on) => (more, is_full) = (goes_on, false),
            Err(error @ StoreError::Full(_)) => {
                if !std::mem::replace(&mut is_full, true) {
                    warn!(%error, "events are durable in the journal, but cannot be moved into the tables");
                }
                more = false;
            }
            Err(error) => {
                shared.disk(Some(error));
                more = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::super::super::replica::State;
    use super::super::ClusterOptions;
    use super::*;
    use crate::store::fragile::Fragile;
    use crate::store::{AppendError, Health, pending};

    /// The threads over a store with a fault, and what they say and tell.
    struct Node {
        shared: Arc<Shared>,
        ends: ApplierChannels,
        feed: Receiver<SessionUpdate>,
    }

    /// With a fault in what is applied, or in what is done beside it.
    fn node(applies: bool) -> Node {
        let options = ClusterOptions::new(vec!["nats://127.0.0.1:1".into()], "a node");
        let shared = Arc::new(Shared::new(&options, 1, &State::behind(0)));
        let store = Fragile::new();
        store.panics_applying.store(!applies, Ordering::SeqCst);
        store.panics_tidying.store(applies, Ordering::SeqCst);
        let (tell, feed) = bounded(1);
        let ends = start(shared.clone(), store, &LogOptions::new(1), tell).expect("threads");
        Node { shared, ends, feed }
    }

    #[test]
    fn a_fault_of_what_applies_stops_the_node_and_ends_it() {
        let Node { shared, ends: (batches, _applied), feed } = node(false);
        let (promise, closed) = pending();
        shared.wait_for_the_end(promise);
        batches.send_blocking(Batch { sequence: 1, ..Batch::default() }).expect("it takes one");
        assert!(feed.recv_blocking().is_err(), "nothing is told any more");
        assert!(!matches!(closed.wait(), Err(AppendError::Busy(_))), "who waits is told");
        let reason = shared.has_stopped().expect("it has stopped");
        assert!(reason.contains("the task that applies the stream"), "{reason}");
        assert!(matches!(shared.health(), Health::Closed));
    }

    /// The rules may be what makes room.
    #[test]
    fn a_full_disk_is_tidied_while_something_waits_for_room() {
        let options = ClusterOptions::new(vec!["nats://127.0.0.1:1".into()], "a node");
        let shared = Arc::new(Shared::new(&options, 1, &State::behind(0)));
        let store = Fragile::new();
        store.fail(Some(StoreError::Full(Arc::new(std::io::ErrorKind::StorageFull.into()))));
        let (tell, _feed) = bounded(1);
        let ends = start(shared.clone(), store.clone(), &LogOptions::new(1), tell);
        let (batches, _applied) = ends.expect("threads");
        batches.send_blocking(Batch { sequence: 1, ..Batch::default() }).expect("it takes one");
        let until = |what: &str, is: &dyn Fn() -> bool| {
            let start = Instant::now();
            while !is() {
                assert!(start.elapsed() < Duration::from_secs(30), "{what}");
                thread::sleep(DOUBT);
            }
        };
        until("it cannot be applied", &|| shared.holds());
        let before = store.tidied.load(Ordering::SeqCst);
        until("it is tidied", &|| store.tidied.load(Ordering::SeqCst) > before);
        assert!(shared.disk_fails(), "and it is said all the same");
        store.fail(None);
        until("it is applied", &|| !shared.disk_fails());
        drop(batches);
    }

    /// What can be done after the next start keeps nobody.
    #[test]
    fn the_end_does_not_wait_for_a_long_step_beside_the_work() {
        let options = ClusterOptions::new(vec!["nats://127.0.0.1:1".into()], "a node");
        let shared = Arc::new(Shared::new(&options, 1, &State::behind(0)));
        let store = Fragile::new();
        store.hangs_tidying.store(true, Ordering::SeqCst);
        let (tell, _feed) = bounded(1);
        let ends = start(shared.clone(), store.clone(), &LogOptions::new(1), tell);
        let (batches, _applied) = ends.expect("threads");
        while store.tidied.load(Ordering::SeqCst) == 0 {
            thread::sleep(DOUBT);
        }
        let (promise, pending) = pending();
        shared.wait_for_the_end(promise);
        drop(batches);
        let (closed, is_closed) = sync_channel(1);
        thread::spawn(move || closed.send(pending.wait()));
        let outcome = is_closed.recv_timeout(Duration::from_secs(20));
        store.hangs_tidying.store(false, Ordering::SeqCst);
        outcome.expect("it ends").expect("all is synced");
    }

    #[test]
    fn a_fault_of_what_syncs_stops_the_node() {
        let Node { shared, ends: (batches, _applied), feed: _feed } = node(true);
        let stopped = std::iter::repeat_with(|| shared.has_stopped()).find_map(|reason| {
            thread::sleep(DOUBT);
            reason
        });
        let reason = stopped.expect("it is asked until it says so");
        assert!(reason.contains("the task that syncs the store"), "{reason}");
        assert!(matches!(shared.health(), Health::Failing(_)));
        assert!(matches!(shared.may_apply(1), Permission::Never), "nothing more is applied");
        drop(batches);
    }
}
