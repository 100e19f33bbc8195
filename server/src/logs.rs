//! The logs of a server: one for all events, or by type several, each with a server id of its own.
//!
//! ```text
//! register ─ by type ┬─> log of server 1 ─┐
//!                    └─> log of server 2 ─┴─> one store, where queries find all of it
//! ```

use std::sync::Arc;

use hat_core::eventer::{Event, EventType, RegisterEvent, Subscription};

use crate::cluster::ClusterReport;
use crate::module::{Modules, Source};
use crate::store::{
    Append, AppendError, Feed, Health, Log, LogCounts, Pending, Session, StoreError,
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
    /// All of them, those that modules added included.
    pub(crate) all: usize,
    pub(crate) sessions: Vec<Arc<Session>>,
}

impl Logs {
    pub(crate) fn new(server_id: i64, first: Arc<dyn Log>, shards: Vec<Shard>) -> Self {
        Self { server_id, first, shards }
    }

    /// The one of the server's own id, which also takes copies of other servers' events.
    pub(crate) fn first(&self) -> &Arc<dyn Log> {
        &self.first
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<dyn Log>> {
        std::iter::once(&self.first).chain(self.shards.iter().map(|shard| &shard.log))
    }

    /// Registers events: those of each log as one session of it. A log takes what it is given in
    /// the order of the calls.
    pub(crate) fn append(
        &self,
        source: Source,
        modules: &Modules,
        events: Vec<RegisterEvent>,
    ) -> Appending {
        let count = events.len();
        if self.shards.is_empty() {
            let append = Append { events, complete: modules.complete(source) };
            let pending = self.first.append(append);
            return Appending { parts: vec![(self.server_id, Vec::new(), pending)], count };
        }
        let mut groups: Vec<(Vec<usize>, Vec<RegisterEvent>)> = Vec::new();
        groups.resize_with(1 + self.shards.len(), Default::default);
        for (place, event) in events.into_iter().enumerate() {
            let (places, events) = &mut groups[self.number_of(&event.event_type)];
            places.push(place);
            events.push(event);
        }
        let ids = std::iter::once(self.server_id).chain(self.shards.iter().map(|it| it.server_id));
        let parts = self.all().zip(ids).zip(groups).filter(|(_, (places, _))| !places.is_empty());
        let parts = parts.map(|((log, server_id), (places, events))| {
            (server_id, places, log.append(events.into()))
        });
        Appending { parts: parts.collect(), count }
    }

    /// The number of the log for a type: the first shard that has it, or the server's own.
    fn number_of(&self, event_type: &EventType) -> usize {
        self.shards.iter().position(|it| it.types.matches(event_type)).map_or(0, |at| at + 1)
    }

    /// That of one that fails, if one does.
    pub(crate) fn health(&self) -> Health {
        let bad = self.all().map(|log| log.health()).find(|it| !matches!(it, Health::Good));
        bad.unwrap_or_default()
    }

    /// Those of all, added up; the rounds are those of the one that has made the fewest.
    pub(crate) fn counts(&self) -> LogCounts {
        let add = |a: LogCounts, b: LogCounts| LogCounts {
            waiting: a.waiting + b.waiting,
            syncs: a.syncs + b.syncs,
            failed_syncs: a.failed_syncs + b.failed_syncs,
            sync_time: a.sync_time + b.sync_time,
            rounds: a.rounds.min(b.rounds),
        };
        self.all().map(|log| log.counts()).reduce(add).unwrap_or_default()
    }

    /// How the streams are, where the server is in a cluster.
    pub(crate) fn cluster(&self) -> Vec<ClusterReport> {
        self.all().filter_map(|log| log.cluster()).collect()
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

impl Appending {
    /// Waits until all of it is settled.
    ///
    /// # Errors
    ///
    /// Those of a log. Where another one has registered its part, that is said.
    pub(crate) async fn registered(self) -> Result<Registered, AppendError> {
        let Self { parts, count } = self;
        let mut done = Registered::default();
        let mut failed = None;
        let mut placed: Vec<(usize, Event)> = Vec::new();
        for (server_id, places, pending) in parts {
            match pending.await {
                Ok(None) => {}
                Ok(Some(session)) => {
                    done.all += session.events().len();
                    match places.is_empty() {
                        // what modules added is told to subscribers, and no part of the answer
                        true => done.events = session.events()[..count].to_vec(),
                        false => placed.extend(places.into_iter().zip(session.events().to_vec())),
                    }
                    done.sessions.push(session);
                }
                Err(error) => failed = failed.or(Some((server_id, error))),
            }
        }
        match failed {
            None => {
                placed.sort_unstable_by_key(|(place, _)| *place);
                done.events.extend(placed.into_iter().map(|(_, event)| event));
                Ok(done)
            }
            Some((_, error)) if done.sessions.is_empty() => Err(error),
            Some((server_id, error)) => {
                let there: Vec<_> = done.sessions.iter().map(|it| it.last_id()).collect();
                let what = format!(
                    "the events of server id {server_id} are not registered: {error}; \
                     the others of the same registration are, up to {there:?}"
                );
                Err(AppendError::Store(StoreError::Cluster(what.into())))
            }
        }
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
            smol::block_on(logs.append(Source::Other, &modules, events(types)).registered())
        };
        let registered = append(&["a/1", "b/1", "a/2", "b/2"]).expect("registered");
        let types: Vec<_> = registered.events.iter().map(|it| it.event_type.to_string()).collect();
        assert_eq!(types, ["a/1", "b/1", "a/2", "b/2"]);
        let ids: Vec<_> =
            registered.events.iter().map(|it| (it.id.server, it.id.instance)).collect();
        assert_eq!(ids, [(1, 1), (2, 1), (1, 2), (2, 2)]);
        assert_eq!((registered.all, registered.sessions.len()), (4, 2));
        let only = append(&["b"]).expect("registered");
        assert_eq!((only.events[0].id.server, only.sessions.len()), (2, 1));

        // one query finds what is of both, by time
        let all = QueryParams::Timeseries(TimeseriesParams::default());
        let found = store.query(&all).expect("an answer").into_result().events;
        assert_eq!(found.len(), 5);
        assert!(found.windows(2).all(|two| two[0].timestamp >= two[1].timestamp));

        // a log that takes nothing more
        smol::block_on(second.close()).expect("it ends");
        let error = append(&["a/3", "b/3"]).map(drop).expect_err("half of it fails").to_string();
        assert!(error.contains("server id 2 are not registered: the log is closed"), "{error}");
        assert!(error.contains("the others of the same registration are"), "{error}");
        let error = append(&["b/4"]).map(drop).expect_err("all of it fails").to_string();
        assert_eq!(error, "the log is closed");
        let found = store.query(&all).expect("an answer").into_result().events;
        let last: Vec<EventId> = found.iter().map(|event| event.id).take(1).collect();
        assert_eq!((last[0].server, found.len()), (1, 6), "the part of the other one is there");
    }
}
