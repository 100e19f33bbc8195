//! The log's thread: orders what is appended, and hands it to the store.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hat_core::eventer::{Event, EventId, RegisterEvent, Timestamp};
use hat_core::sbs::Encode;
use smol::channel::Sender;
use tracing::{error, info, warn};

use super::{Durability, LogOptions, Numbering, Request, Shared, tidy};
use crate::store::calendar::Calendar;
use crate::store::last_step::wait_for_step;
use crate::store::on_panic::OnPanic;
use crate::store::pending::Promise;
use crate::store::{Append, AppendError, Health, Session, SessionUpdate, Store, StoreError, Sync};

/// Time between two rounds of the work while nothing happens: who watches sees that it goes on.
const ROUND: Duration = Duration::from_secs(1);
/// Time between two attempts to use a disk again that failed, or to find room on one that was full.
const RECOVER: Duration = Duration::from_secs(1);
/// A disk that takes so many bytes at once is not full, whatever found no room on it: 1 MiB.
const ROOM: usize = 1024 * 1024;
/// No clock can name the end of every [`Duration`]; a sync that is due in a year is none that
/// anybody counts on.
const LONGEST_FLUSH: Duration = Duration::from_secs(365 * 24 * 3600);

pub(super) struct Work {
    store: Arc<dyn Store>,
    options: LogOptions,
    shared: Arc<Shared>,
    tell: Sender<SessionUpdate>,
    /// The number of the last session.
    session: i64,
    /// Numbers up to this one are reserved on the disk.
    reserved: i64,
    /// The timestamp of the last session.
    timestamp: Timestamp,
    clock_is_behind: bool,
    /// What is answered and not synced: since when, how many events, and what is told then.
    unsynced: Vec<Arc<Session>>,
    unsynced_events: usize,
    flush_at: Option<Instant>,
    tidying: Option<JoinHandle<()>>,
    /// Up to where copies of other servers' events were told.
    told: BTreeMap<i64, Told>,
    /// It was said that there is no room for what is done beside the work.
    tidy_is_full: bool,
    recover_at: Option<Instant>,
    /// What last found no room has none as far as is known: when to look again, for how many bytes.
    /// What is smaller may be taken meanwhile.
    probe_at: Option<(Instant, usize)>,
}

/// Up to where copies of a server's events were told. Who copies them brings them again where it
/// does not know what became of them, and the store passes them over then.
#[derive(Clone, Copy, Default)]
struct Told {
    ordered: EventId,
    durable: EventId,
}

/// What is done at once.
#[derive(Default)]
struct Batch {
    sessions: Vec<Arc<Session>>,
    events: usize,
    appended: Vec<(Promise, Arc<Session>)>,
    mirrored: Vec<Promise>,
}

impl Work {
    pub(super) fn new(
        store: Arc<dyn Store>,
        options: LogOptions,
        shared: Arc<Shared>,
        tell: Sender<SessionUpdate>,
    ) -> Result<Self, StoreError> {
        let last = store.last(options.server_id)?;
        let known = last.id.session.max(last.reserved).max(0);
        let now = (options.clock)();
        let session = match options.numbering {
            Numbering::Stored => known,
            Numbering::Clock => known.max(micros(now)),
        };
        Ok(Self {
            store,
            shared,
            tell,
            session,
            reserved: known,
            timestamp: last.timestamp.unwrap_or(Timestamp::MIN),
            clock_is_behind: false,
            unsynced: Vec::new(),
            unsynced_events: 0,
            flush_at: None,
            tidying: None,
            told: BTreeMap::new(),
            tidy_is_full: false,
            recover_at: None,
            probe_at: None,
            options,
        })
    }

    /// Starts the other thread.
    pub(super) fn start_tidying(&mut self) -> io::Result<()> {
        let (store, shared, clock) = (self.store.clone(), self.shared.clone(), self.options.clock);
        let thread = thread::Builder::new().name("hat-store-tidy".into());
        let mut calendar = Calendar::default();
        // before anything is registered by a clock that may be wrong
        calendar.look_at(&*store, Instant::now());
        self.tidying = Some(thread.spawn(move || {
            // what nobody removes would grow without a word
            let _closes = OnPanic(|| {
                error!(
                    "the background work of the store has ended because of a bug in this program"
                );
                shared.lock().closing = true;
                shared.arrived.notify_one();
            });
            tidy::run(&*store, &shared, clock, calendar);
        })?);
        Ok(())
    }

    pub(super) fn run(mut self) {
        while let Some(requests) = self.wait() {
            self.take(requests);
            if self.flush_at.is_some_and(|at| at <= Instant::now()) {
                self.flush();
            }
            if self.recover_at.is_some_and(|at| at <= Instant::now()) {
                self.recover();
            }
            if self.probe_at.is_some_and(|(at, _)| at <= Instant::now()) {
                self.probe();
            }
            let is_due = self.store.is_due();
            let tidied = {
                let mut queue = self.shared.lock();
                queue.tidy_is_due |= is_due;
                queue.tidied.take()
            };
            if is_due {
                self.shared.due.notify_one();
            }
            if let Some(tidied) = tidied {
                self.on_tidied(tidied);
            }
        }
        let lost = self.last_flush();
        self.shared.due.notify_one();
        if let Some(tidying) = self.tidying.take() {
            // it has the store, which is free once this has ended
            wait_for_step(&tidying);
        }
        self.shared.end(lost);
    }

    /// The end of what was answered and is not durable yet; why it is lost, where it is.
    fn last_flush(&mut self) -> Option<StoreError> {
        match self.recover_at {
            // it flushes, too
            Some(_) => self.recover(),
            None => self.flush(),
        }
        if self.unsynced.is_empty() {
            return None;
        }
        let events = self.unsynced_events;
        error!(events, "the last acknowledged events are not on the disk");
        match self.health() {
            Health::Failing(error) => Some(error),
            _ => Some(StoreError::Closed),
        }
    }

    /// What has arrived, as many as share a sync; empty where something else is due; `None` where
    /// nothing comes any more.
    fn wait(&self) -> Option<Vec<Request>> {
        let round = Some(Instant::now() + ROUND);
        let probe_at = self.probe_at.map(|(at, _)| at);
        let due = [round, self.flush_at, self.recover_at, probe_at].into_iter().flatten().min();
        let mut queue = self.shared.lock();
        queue.counts.rounds += 1;
        loop {
            if !queue.waiting.is_empty() {
                let mut requests = Vec::new();
                let mut events = 0;
                while events < self.options.max_batch
                    && let Some(request) = queue.waiting.pop_front()
                {
                    events += request.events();
                    requests.push(request);
                }
                return Some(requests);
            }
            if queue.closing {
                return None;
            }
            if queue.tidied.is_some() {
                return Some(Vec::new());
            }
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            queue = match left {
                Some(Duration::ZERO) => return Some(Vec::new()),
                Some(left) => {
                    let waited = self.shared.arrived.wait_timeout(queue, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.shared.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn take(&mut self, requests: Vec<Request>) {
        if requests.is_empty() {
            return;
        }
        if self.recover_at.is_some() {
            // what the disk did is uncertain: nothing more is given to it before it was opened anew
            self.recover();
        }
        let mut batch = Batch::default();
        for request in requests {
            self.order(request, &mut batch);
        }
        if let Health::Failing(error @ StoreError::Failed(_)) = self.health()
            && self.recover_at.is_some()
        {
            return batch.fail(&error);
        }
        if batch.sessions.is_empty() {
            return;
        }
        if let Err(error) = self.reserve() {
            return self.refuse(batch, &error);
        }
        for session in batch.sessions.clone() {
            if let Some(session) = self.new_of(session, |told| &mut told.ordered) {
                self.tell(SessionUpdate::Ordered(session));
            }
        }
        match self.options.durability {
            Durability::Commit => self.commit(batch),
            Durability::Flush(time) => self.answer_first(batch, time),
        }
    }

    /// Durable first, then answered and told.
    fn commit(&mut self, batch: Batch) {
        match self.timed(|store| store.apply(&batch.sessions, &[], Sync::Now)) {
            Ok(()) => {
                self.well();
                let sessions = batch.succeed();
                self.tell_durable(sessions);
            }
            Err(error) => self.refuse(batch, &error),
        }
    }

    /// Answered first. A disk that fails has nobody to tell: so nothing is answered while it does.
    fn answer_first(&mut self, batch: Batch, time: Duration) {
        if let Health::Failing(_) = self.health() {
            self.flush();
        }
        // of a disk that was only full, the next attempt tells whether there is room again
        let is_uncertain = !self.unsynced.is_empty() || self.recover_at.is_some();
        if let Health::Failing(error) = self.health()
            && is_uncertain
        {
            return batch.fail(&error);
        }
        match self.store.apply(&batch.sessions, &[], Sync::Later) {
            Ok(()) => {
                self.well();
                // before anything is answered
                self.shared.lock().unsynced = true;
                self.unsynced_events += batch.events;
                self.unsynced.extend(batch.succeed());
                let time = time.min(LONGEST_FLUSH);
                self.flush_at.get_or_insert_with(|| Instant::now() + time);
                if self.unsynced_events > self.options.max_unsynced {
                    self.flush();
                }
            }
            Err(error) => self.refuse(batch, &error),
        }
    }

    /// The store took nothing of it.
    fn refuse(&mut self, batch: Batch, error: &StoreError) {
        self.ill(error);
        if let StoreError::Full(_) = error {
            self.probe_at = Some((Instant::now() + RECOVER, batch.bytes().min(ROOM)));
        }
        batch.fail(error);
    }

    /// Makes something durable, and counts that.
    fn timed(
        &self,
        sync: impl FnOnce(&dyn Store) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let start = Instant::now();
        let done = sync(&*self.store);
        let took = start.elapsed();
        let counts = &mut self.shared.lock().counts;
        counts.syncs += 1;
        counts.failed_syncs += u64::from(done.is_err());
        counts.sync_time += took;
        done
    }

    fn flush(&mut self) {
        self.flush_at = None;
        if self.unsynced.is_empty() {
            return;
        }
        match self.timed(<dyn Store>::sync) {
            Ok(()) => {
                self.well();
                self.unsynced_events = 0;
                let sessions = std::mem::take(&mut self.unsynced);
                self.shared.lock().unsynced = false;
                self.tell_durable(sessions);
            }
            Err(error) => {
                self.ill(&error);
                // what was answered is still in memory
                self.flush_at = Some(Instant::now() + RECOVER);
            }
        }
    }

    fn recover(&mut self) {
        match self.store.recover() {
            Ok(()) => {
                self.recover_at = None;
                // it may be the tables alone, and the journal fails at the next event
                self.probe_at.get_or_insert((Instant::now(), 0));
                self.well();
                if self.recover_at.is_none() {
                    self.flush();
                }
            }
            Err(error) => {
                self.ill(&error);
                self.recover_at = Some(Instant::now() + RECOVER);
            }
        }
    }

    /// Looks whether a disk that was full has room again: nobody may register anything for long,
    /// and who asks how the server fares would be told what has passed.
    fn probe(&mut self) {
        // what was answered, or is uncertain, is tried again by itself
        if self.has_room() && self.unsynced.is_empty() && self.recover_at.is_none() {
            self.well();
        }
    }

    /// Whether there is room by now for what found none.
    fn has_room(&mut self) -> bool {
        let Some((_, bytes)) = self.probe_at else { return true };
        match self.store.probe(bytes) {
            Ok(()) => self.probe_at = None,
            Err(error) => {
                self.ill(&error);
                self.probe_at = Some((Instant::now() + RECOVER, bytes));
            }
        }
        self.probe_at.is_none()
    }

    /// What came of a step beside the work. Where there is no room, what is registered goes on for
    /// as long as the store has room elsewhere.
    fn on_tidied(&mut self, tidied: Result<(), StoreError>) {
        let is_full = matches!(tidied, Err(StoreError::Full(_)));
        match tidied {
            Err(error) if !is_full => self.ill(&error),
            Err(error) if !self.tidy_is_full => {
                warn!(%error, "events are durable in the journal, but cannot be moved into the tables: registrations will soon fail");
            }
            _ => {}
        }
        self.tidy_is_full = is_full;
    }

    fn order(&mut self, request: Request, batch: &mut Batch) {
        match request {
            Request::Append(_, promise) if self.session == i64::MAX => {
                promise.settle(Err(AppendError::NumbersUsedUp));
            }
            Request::Append(Append { until: Some(until), .. }, promise)
                if until <= Instant::now() =>
            {
                promise.settle(Err(AppendError::Late));
            }
            Request::Append(append, promise) => {
                let session = Arc::new(self.number(append));
                batch.events += session.events().len();
                batch.sessions.push(session.clone());
                batch.appended.push((promise, session));
            }
            Request::Mirror(sessions, promise) => {
                batch.events +=
                    sessions.iter().map(|session| session.events().len()).sum::<usize>();
                for session in &sessions {
                    self.know(session.server_id());
                }
                batch.sessions.extend(sessions.into_iter().map(Arc::new));
                batch.mirrored.push(promise);
            }
        }
    }

    /// Gives ids, and the timestamp: never an earlier one than before.
    fn number(&mut self, append: Append) -> Session {
        let Append { events, complete, .. } = append;
        self.session += 1;
        let now = (self.options.clock)();
        self.timestamp = self.timestamp.max(now);
        self.watch_clock(now);
        let mut numbered = Vec::with_capacity(events.len());
        self.add(events, &mut numbered);
        if let Some(mut complete) = complete {
            loop {
                let further = complete(&numbered);
                if further.is_empty() {
                    break;
                }
                self.add(further, &mut numbered);
            }
        }
        Session::new(numbered).expect("numbered here")
    }

    fn add(&self, events: Vec<RegisterEvent>, numbered: &mut Vec<Event>) {
        for event in events {
            let instance = numbered.len() as i64 + 1;
            numbered.push(Event {
                id: EventId::new(self.options.server_id, self.session, instance),
                event_type: event.event_type,
                timestamp: self.timestamp,
                source_timestamp: event.source_timestamp,
                payload: event.payload,
            });
        }
    }

    fn watch_clock(&mut self, now: Timestamp) {
        let behind = now < self.timestamp;
        if behind && !self.clock_is_behind {
            warn!(
                clock = %now, last = %self.timestamp,
                "the clock is behind the last event: new events get that event's timestamp until the clock has caught up"
            );
        } else if !behind && self.clock_is_behind {
            info!(clock = %now, "the clock has caught up with the last event");
        }
        self.clock_is_behind = behind;
    }

    /// Reserves numbers, where those that are do not suffice: none may be told before, or it could
    /// be given again after a start.
    fn reserve(&mut self) -> Result<(), StoreError> {
        if self.session <= self.reserved {
            return Ok(());
        }
        let up_to = self.session.saturating_add(self.options.lease);
        let reserve = [(self.options.server_id, up_to)];
        self.timed(|store| store.apply(&[], &reserve, Sync::Now))?;
        self.reserved = up_to;
        Ok(())
    }

    /// Up to where the store had the events of another server before any was copied here: these
    /// were told by whoever copied them, or never will be.
    fn know(&mut self, server_id: i64) {
        self.told.entry(server_id).or_insert_with(|| {
            // one that cannot be read takes nothing either
            let last = self.store.last(server_id).map_or_else(|_| EventId::default(), |it| it.id);
            Told { ordered: last, durable: last }
        });
    }

    /// What of a session was not told up to this mark, which is moved: all of it, where it was
    /// registered here.
    fn new_of(
        &mut self,
        session: Arc<Session>,
        mark: fn(&mut Told) -> &mut EventId,
    ) -> Option<Arc<Session>> {
        if session.server_id() == self.options.server_id {
            return Some(session);
        }
        let mark = mark(self.told.entry(session.server_id()).or_default());
        let before = std::mem::replace(mark, session.last_id().max(*mark));
        let told = session.events().partition_point(|event| event.id <= before);
        match told {
            0 => Some(session),
            // none is left where all were told
            _ => Session::new(session.events()[told..].to_vec()).ok().map(Arc::new),
        }
    }

    fn tell_durable(&mut self, sessions: Vec<Arc<Session>>) {
        for session in sessions {
            if let Some(session) = self.new_of(session, |told| &mut told.durable) {
                self.tell(SessionUpdate::Durable(session));
            }
        }
    }

    fn tell(&self, told: SessionUpdate) {
        // nobody listens any more where it fails
        let _ = self.tell.send_blocking(told);
    }

    fn health(&self) -> Health {
        self.shared.lock().health.clone()
    }

    /// Something was stored. Where it was small, and what found no room before was not, the next
    /// one like that is refused again.
    fn well(&mut self) {
        if !self.has_room() {
            return;
        }
        let before = std::mem::replace(&mut self.shared.lock().health, Health::Good);
        if let Health::Failing(_) = before {
            // as loud as what was said before
            warn!("the store works again");
        }
    }

    fn ill(&mut self, reason: &StoreError) {
        if let StoreError::Failed(_) = reason {
            self.recover_at.get_or_insert_with(|| Instant::now() + RECOVER);
        }
        let failing = Health::Failing(reason.clone());
        let before = std::mem::replace(&mut self.shared.lock().health, failing);
        if !matches!(before, Health::Failing(_)) {
            error!(error = %reason, "the store fails: nothing can be registered until it works again");
        }
    }
}

impl Batch {
    /// Tells who waits, and returns the sessions.
    fn succeed(self) -> Vec<Arc<Session>> {
        for (promise, session) in self.appended {
            promise.settle(Ok(Some(session)));
        }
        for promise in self.mirrored {
            promise.settle(Ok(None));
        }
        self.sessions
    }

    /// What its events take on the wire, which is about what they take on the disk.
    fn bytes(&self) -> usize {
        let events = self.sessions.iter().flat_map(|session| session.events());
        events.map(Encode::encoded_len).sum()
    }

    fn fail(self, error: &StoreError) {
        let promises = self.appended.into_iter().map(|(promise, _)| promise).chain(self.mirrored);
        for promise in promises {
            promise.settle(Err(AppendError::Store(error.clone())));
        }
    }
}

impl Request {
    fn events(&self) -> usize {
        match self {
            Self::Append(append, _) => append.events.len(),
            Self::Mirror(sessions, _) => {
                sessions.iter().map(|session| session.events().len()).sum()
            }
        }
    }
}

/// Microseconds since 1970, as a session number.
fn micros(at: Timestamp) -> i64 {
    at.s().saturating_mul(1_000_000).saturating_add(i64::from(at.us())).max(0)
}
