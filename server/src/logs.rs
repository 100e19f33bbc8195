//! The logs of a server: one for all events, or by type several, each with a server id of its own.
//!
//! ```text
//! register ─ by type ┬─> log of server 1 ─┐
//!                    └─> log of server 2 ─┴─> one store, where queries find all of it
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use hat_core::eventer::{Event, EventType, RegisterEvent, Subscription};
use smol::channel::Receiver;

use crate::cluster::ClusterReport;
use crate::module::{Modules, Source};
use crate::store::{
    Append, AppendError, Feed, Fence, Health, Log, LogCounts, Pending, Session, StoreError,
};

/// Who orders events of some types.
pub(crate) struct Shard {
    pub(crate) types: Subscription,
    pub(crate) server_id: i64,
    pub(crate) log: Arc<dyn Log>,
}

/// All of them.
pub(crate) struct Logs {
    server_id: i64,
    /// Takes what is of no shard.
    first: Arc<dyn Log>,
    shards: Vec<Shard>,
    rounds: Mutex<Rounds>,
}

/// Rounds that all logs have made, for a watchdog: one log that hangs must stop the count.
#[derive(Default)]
struct Rounds {
    /// Those of each when the last common one was counted.
    seen: Vec<u64>,
    common: u64,
}

/// Which log takes a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Each event that of its type.
    ByType,
    /// That of the first event's type takes all: they are registered together or not at all.
    Together,
    /// That of the server's own id: what the server registers of itself.
    Own,
}

/// What was started: the logs, and what each of them tells.
pub(crate) struct Started {
    pub(crate) logs: Logs,
    pub(crate) feeds: Vec<Feed>,
}

/// Events on their way into one or more logs.
pub(crate) struct Appending {
    /// The server id of each part, the places of its events in the registration, and what becomes
    /// of them.
    parts: Vec<(i64, Vec<usize>, Pending)>,
    count: usize,
}

/// Events that were registered.
#[derive(Default)]
pub(crate) struct Registered {
    /// Those that were asked for, in their order.
    pub(crate) events: Vec<Event>,
    /// They have what modules added, too.
    pub(crate) sessions: Vec<Arc<Session>>,
}

impl Logs {
    pub(crate) fn new(server_id: i64, first: Arc<dyn Log>, shards: Vec<Shard>) -> Self {
        Self { server_id, first, shards, rounds: Mutex::default() }
    }

    /// The one of the server's own id, which also takes copies of other servers' events.
    pub(crate) fn first(&self) -> &Arc<dyn Log> {
        &self.first
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<dyn Log>> {
        std::iter::once(&self.first).chain(self.shards.iter().map(|shard| &shard.log))
    }

    /// Registers events: those of each log as one session of it. A log takes what it is given in
    /// the order of the calls. What is not on its way `until` then is not registered.
    pub(crate) fn append(
        &self,
        source: Source,
        modules: &Modules,
        events: Vec<RegisterEvent>,
        route: Route,
        until: Option<Instant>,
    ) -> Appending {
        let count = events.len();
        if self.shards.is_empty() {
            let append = Append { events, complete: modules.complete(source), until };
            let pending = self.first.append(append);
            return Appending { parts: vec![(self.server_id, Vec::new(), pending)], count };
        }
        let together = match route {
            Route::ByType => None,
            Route::Together => Some(events.first().map_or(0, |it| self.number_of(&it.event_type))),
            Route::Own => Some(0),
        };
        let mut groups: Vec<(Vec<usize>, Vec<RegisterEvent>)> = Vec::new();
        groups.resize_with(1 + self.shards.len(), Default::default);
        for (place, event) in events.into_iter().enumerate() {
            let number = together.unwrap_or_else(|| self.number_of(&event.event_type));
            let (places, events) = &mut groups[number];
            places.push(place);
            events.push(event);
        }
        let ids = std::iter::once(self.server_id).chain(self.shards.iter().map(|it| it.server_id));
        let parts = self.all().zip(ids).zip(groups).filter(|(_, (places, _))| !places.is_empty());
        let parts = parts.map(|((log, server_id), (places, events))| {
            (server_id, places, log.append(Append { until, ..events.into() }))
        });
        Appending { parts: parts.collect(), count }
    }

    /// The number of the log for a type: the first shard that has it, or the server's own.
    fn number_of(&self, event_type: &EventType) -> usize {
        self.shards.iter().position(|it| it.types.matches(event_type)).map_or(0, |at| at + 1)
    }

    /// That of one that fails, if one does: a disk before what is the cluster's.
    pub(crate) fn health(&self) -> Health {
        let bad: Vec<_> =
            self.all().map(|log| log.health()).filter(|it| !matches!(it, Health::Good)).collect();
        let is_cluster = |it: &&Health| matches!(it, Health::Failing(StoreError::Cluster(_)));
        let worst = bad.iter().find(|it| !is_cluster(it)).or(bad.first());
        worst.cloned().unwrap_or_default()
    }

    /// Why the server does not serve: the reason of a stream that does not, with its name where
    /// there are several.
    pub(crate) fn reason(&self) -> Option<String> {
        let streams = self.cluster();
        let of = |serves: bool| {
            let mut those = streams.iter().filter(|it| it.serves == serves);
            those.find_map(|it| Some((&it.stream, it.reason.as_ref()?)))
        };
        let (stream, reason) = of(false).or_else(|| of(true))?;
        Some(match streams.len() {
            1 => reason.clone(),
            _ => format!("{stream}: {reason}"),
        })
    }

    /// Those of all, added up; of the rounds, only what all of them have made since one was counted
    /// last.
    pub(crate) fn counts(&self) -> LogCounts {
        let add = |a: LogCounts, b: LogCounts| LogCounts {
            waiting: a.waiting + b.waiting,
            syncs: a.syncs + b.syncs,
            failed_syncs: a.failed_syncs + b.failed_syncs,
            sync_time: a.sync_time + b.sync_time,
            rounds: 0,
        };
        if self.shards.is_empty() {
            return self.first.counts();
        }
        let each: Vec<_> = self.all().map(|log| log.counts()).collect();
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.seen.resize(each.len(), 0);
        if each.iter().zip(&rounds.seen).all(|(log, seen)| log.rounds > *seen) {
            rounds.seen = each.iter().map(|log| log.rounds).collect();
            rounds.common += 1;
        }
        LogCounts { rounds: rounds.common, ..each.into_iter().fold(LogCounts::default(), add) }
    }

    /// How the streams are, where the server is in a cluster.
    pub(crate) fn cluster(&self) -> Vec<ClusterReport> {
        self.all().filter_map(|log| log.cluster()).collect()
    }

    /// Whether a monitor decides which server of several registers, and the logs see to it.
    pub(crate) fn are_fenced(&self) -> bool {
        self.first.fence().is_some()
    }

    /// Makes this server the one that registers. One log after the other, the server's own first:
    /// of two servers that try at once, whoever has that one is to have all. Neither would have all
    /// if each went on where the other was faster.
    pub(crate) async fn claim(&self) -> Result<(), AppendError> {
        for (number, log) in self.all().enumerate() {
            let claimed = match log.fence() {
                Some(fence) if fence.holds() => Ok(None),
                Some(_) if number > 0 && !holds(&self.first) => Err(taken_over()),
                Some(fence) => fence.claim().await,
                None => Ok(None),
            };
            if let Err(error) = claimed {
                // without waiting: nothing was appended
                self.release();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether this server is the one that registers, in all logs.
    pub(crate) fn hold(&self) -> bool {
        self.all().all(holds)
    }

    /// From now on another one may be. Returns what is settled once all that was appended is.
    pub(crate) fn release(&self) -> Vec<Pending> {
        self.all().filter_map(|log| Some(log.fence()?.release())).collect()
    }

    /// Each is told where another server has taken over from this one.
    pub(crate) fn lost(&self) -> Vec<Receiver<()>> {
        self.all().filter_map(|log| Some(log.fence()?.lost())).collect()
    }

    /// Closes all of them. The first error, where something was not made durable.
    pub(crate) async fn close(&self) -> Result<(), AppendError> {
        let closing: Vec<_> = self.all().map(|log| log.close()).collect();
        let mut outcome = Ok(());
        for one in closing {
            let closed = one.await.map(drop);
            if outcome.is_ok() {
                outcome = closed;
            }
        }
        outcome
    }
}

/// Whether this server is the one that registers in a log.
fn holds(log: &Arc<dyn Log>) -> bool {
    log.fence().is_none_or(Fence::holds)
}

fn taken_over() -> AppendError {
    let text = "another server has taken over the first stream before this one had all of them";
    AppendError::Store(StoreError::Cluster(text.into()))
}

impl Registered {
    /// How many events there are, those that modules added included.
    pub(crate) fn all(&self) -> usize {
        self.sessions.iter().map(|session| session.events().len()).sum()
    }
}

impl Appending {
    /// Waits until all of it is settled.
    ///
    /// # Errors
    ///
    /// Those of a log. Where another one has registered its part, that is said.
    pub(crate) async fn registered(self) -> Result<Registered, AppendError> {
        let Self { parts, count } = self;
        let mut done = Registered::default();
        let mut failed: Vec<(i64, AppendError)> = Vec::new();
        let mut placed: Vec<(usize, Event)> = Vec::new();
        for (server_id, places, pending) in parts {
            match pending.await {
                Ok(None) => {}
                Ok(Some(session)) => {
                    match places.is_empty() {
                        // what modules added is told to subscribers, and no part of the answer
                        true => done.events = session.events()[..count].to_vec(),
                        false => placed.extend(places.into_iter().zip(session.events().to_vec())),
                    }
                    done.sessions.push(session);
                }
                Err(error) => failed.push((server_id, error)),
            }
        }
        if failed.is_empty() {
            placed.sort_unstable_by_key(|(place, _)| *place);
            done.events.extend(placed.into_iter().map(|(_, event)| event));
            return Ok(done);
        }
        if let ([(_, error)], []) = (&failed[..], &done.sessions[..]) {
            return Err(error.clone());
        }
        let mut parts: Vec<_> =
            failed.iter().map(|(id, error)| format!("server id {id}: {error}")).collect();
        for session in &done.sessions {
            let (id, last) = (session.server_id(), session.last_id());
            parts.push(format!("server id {id}: registered, up to {last:?}"));
        }
        let what = format!("the registration is divided, and a part failed: {}", parts.join("; "));
        Err(AppendError::Store(StoreError::Cluster(what.into())))
    }
}

#[cfg(test)]
mod tests {
    use hat_core::eventer::{EventId, QueryParams, TimeseriesParams};

    use super::*;
    use crate::store::memory::Config;
    use crate::store::{LocalLog, LogOptions, MemoryStore, Store};

    fn start(store: &Arc<dyn Store>, server_id: i64) -> (Arc<dyn Log>, Feed) {
        let log = LocalLog::start(store.clone(), LogOptions::new(server_id)).expect("a log");
        (Arc::new(log.0), log.1)
    }

    /// A log under a monitor, of which only the fence does something.
    struct Fenced {
        holds: Mutex<bool>,
        /// Whether another server takes over as soon as it is claimed.
        is_taken: bool,
        claims: Mutex<usize>,
    }

    impl Fenced {
        fn new(is_taken: bool) -> Arc<Self> {
            Arc::new(Self { holds: Mutex::default(), is_taken, claims: Mutex::default() })
        }
    }

    impl Log for Fenced {
        fn append(&self, _: Append) -> Pending {
            Pending::settled(Err(AppendError::Closed))
        }

        fn mirror(&self, _: Vec<Session>) -> Pending {
            Pending::settled(Err(AppendError::Closed))
        }

        fn health(&self) -> Health {
            Health::Good
        }

        fn fence(&self) -> Option<&dyn Fence> {
            Some(self)
        }

        fn close(&self) -> Pending {
            Pending::settled(Ok(None))
        }
    }

    impl Fence for Fenced {
        fn claim(&self) -> Pending {
            *self.claims.lock().expect("no panic") += 1;
            *self.holds.lock().expect("no panic") = !self.is_taken;
            Pending::settled(Ok(None))
        }

        fn holds(&self) -> bool {
            *self.holds.lock().expect("no panic")
        }

        fn lost(&self) -> Receiver<()> {
            smol::channel::bounded(1).1
        }

        fn release(&self) -> Pending {
            *self.holds.lock().expect("no panic") = false;
            Pending::settled(Ok(None))
        }
    }

    /// Two nodes that are blessed at once claim the streams at once.
    #[test]
    fn who_lost_the_first_stream_claims_no_other() {
        let logs = |first: &Arc<Fenced>, second: &Arc<Fenced>| {
            let types = Subscription::new([EventType::from_segments(["b", "*"])]).expect("types");
            Logs::new(1, first.clone(), vec![Shard { types, server_id: 2, log: second.clone() }])
        };
        let claims = |log: &Fenced| *log.claims.lock().expect("no panic");
        let (first, second) = (Fenced::new(true), Fenced::new(false));
        let slow = logs(&first, &second);
        let error = smol::block_on(slow.claim()).expect_err("another one has the first");
        assert!(error.to_string().contains("has taken over the first stream"), "{error}");
        assert_eq!((claims(&first), claims(&second)), (1, 0), "the other one is to have both");

        let (first, second) = (Fenced::new(false), Fenced::new(false));
        let fast = logs(&first, &second);
        smol::block_on(fast.claim()).expect("both");
        smol::block_on(fast.claim()).expect("as before");
        assert!(fast.hold());
        assert_eq!((claims(&first), claims(&second)), (1, 1));
    }

    fn events(types: &[&str]) -> Vec<RegisterEvent> {
        types.iter().map(|one| RegisterEvent::new(*one)).collect()
    }

    #[test]
    fn events_go_to_the_log_of_their_type_and_are_answered_in_their_order() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Config::new(1)));
        let ((first, _a), (second, _b)) = (start(&store, 1), start(&store, 2));
        let types = Subscription::new([EventType::from_segments(["b", "*"])]).expect("types");
        let logs = Logs::new(1, first, vec![Shard { types, server_id: 2, log: second.clone() }]);
        let modules = Modules::new(Vec::new(), Default::default());
        let append = |types: &[&str]| {
            let appending =
                logs.append(Source::Other, &modules, events(types), Route::ByType, None);
            smol::block_on(appending.registered())
        };
        let registered = append(&["a/1", "b/1", "a/2", "b/2"]).expect("registered");
        let types: Vec<_> = registered.events.iter().map(|it| it.event_type.to_string()).collect();
        assert_eq!(types, ["a/1", "b/1", "a/2", "b/2"]);
        let ids: Vec<_> =
            registered.events.iter().map(|it| (it.id.server, it.id.instance)).collect();
        assert_eq!(ids, [(1, 1), (2, 1), (1, 2), (2, 2)]);
        assert_eq!((registered.all(), registered.sessions.len()), (4, 2));
        let only = append(&["b"]).expect("registered");
        assert_eq!((only.events[0].id.server, only.sessions.len()), (2, 1));

        // what belongs together is of one session, and what is the server's own is of its log
        let routed = |types: &[&str], route| {
            let appending = logs.append(Source::Other, &modules, events(types), route, None);
            smol::block_on(appending.registered()).expect("registered")
        };
        let together = routed(&["b/3", "hat/1/page/me"], Route::Together);
        let ids: Vec<_> = together.events.iter().map(|it| it.id.server).collect();
        assert_eq!((ids, together.sessions.len()), (vec![2, 2], 1));
        assert_eq!(routed(&["b/own"], Route::Own).events[0].id.server, 1);

        // a round counts once both have made it
        let rounds = logs.counts().rounds;
        while logs.counts().rounds < rounds + 2 {
            std::thread::yield_now();
        }

        // one query finds what is of both, by time
        let all = QueryParams::Timeseries(TimeseriesParams::default());
        let found = store.query(&all).expect("an answer").into_result().events;
        assert_eq!(found.len(), 8);
        assert!(found.windows(2).all(|two| two[0].timestamp >= two[1].timestamp));

        // a log that takes nothing more
        smol::block_on(second.close()).expect("it ends");
        let error = append(&["a/3", "b/3"]).map(drop).expect_err("half of it fails").to_string();
        assert!(error.contains("server id 2: the log is closed"), "{error}");
        assert!(error.contains("server id 1: registered, up to EventId"), "{error}");
        let error = append(&["b/4"]).map(drop).expect_err("all of it fails").to_string();
        assert_eq!(error, "the log is closed");
        let found = store.query(&all).expect("an answer").into_result().events;
        let last: Vec<EventId> = found.iter().map(|event| event.id).take(1).collect();
        assert_eq!((last[0].server, found.len()), (1, 9), "the part of the other one is there");
    }
}
