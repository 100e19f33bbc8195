//! Servers as a client sees them: what they registered, what they hold of it, and how they lose it.

use std::collections::{BTreeMap, BTreeSet};

use hat_core::eventer::{
    Event, EventId, Order, QueryParams, QueryResult, Subscription, TimeseriesParams, Timestamp,
};

use crate::event_type;

/// The event servers behind one address: one of them answers, and holds the events of all.
#[derive(Default)]
pub(super) struct Site {
    /// Seconds, one for each session: no two have the same.
    clock: i64,
    /// All that was ever registered, in that order.
    pub(super) log: Vec<SiteEvent>,
    /// The sessions that were counted, by server.
    sessions: BTreeMap<i64, i64>,
    /// Places in `log` of what is held: what is stored and what is not yet.
    held: BTreeSet<usize>,
    unstored: BTreeSet<usize>,
    /// Of what is held, what has left the series: only the latest of a type stays then.
    trimmed: BTreeSet<usize>,
}

pub(super) struct SiteEvent {
    pub(super) event: Event,
    /// The server lost it, by a crash or with its disk.
    pub(super) lost: bool,
}

impl Site {
    /// One session. Gives its events, which are told.
    pub(super) fn register(&mut self, server: i64, names: &[&str]) -> Vec<Event> {
        self.clock += 1;
        let session = self.sessions.entry(server).or_default();
        *session += 1;
        let events: Vec<_> = names
            .iter()
            .zip(1..)
            .map(|(name, instance)| Event {
                id: EventId::new(server, *session, instance),
                event_type: event_type(name),
                timestamp: Timestamp::from_secs(self.clock),
                source_timestamp: None,
                payload: None,
            })
            .collect();
        for event in &events {
            self.held.insert(self.log.len());
            self.unstored.insert(self.log.len());
            self.log.push(SiteEvent { event: event.clone(), lost: false });
        }
        events
    }

    pub(super) fn flush(&mut self) {
        self.unstored.clear();
    }

    /// All that is not stored is lost, and its ids are given again.
    pub(super) fn crash(&mut self) {
        for at in std::mem::take(&mut self.unstored) {
            self.held.remove(&at);
            self.log[at].lost = true;
        }
        self.sessions.clear();
        // nobody can know of what a server had that has nothing left
        let left: BTreeSet<_> = self.held.iter().map(|&at| self.log[at].event.id.server).collect();
        for registered in &mut self.log {
            registered.lost |= !left.contains(&registered.event.id.server);
        }
        for at in &self.held {
            let id = self.log[*at].event.id;
            let session = self.sessions.entry(id.server).or_default();
            *session = id.session.max(*session);
        }
    }

    /// The disk is lost: sessions count from 1 again.
    pub(super) fn wipe(&mut self) {
        self.held.clear();
        self.unstored = (0..self.log.len()).collect();
        self.trimmed.clear();
        self.crash();
    }

    /// Only the last `count` events of the series are kept, and the latest of each type.
    pub(super) fn trim(&mut self, count: usize) {
        let leave: Vec<_> = self.held.iter().rev().skip(count).copied().collect();
        self.trimmed.extend(leave);
        let mut types = BTreeSet::new();
        for at in self.held.clone().into_iter().rev() {
            let latest = types.insert(self.log[at].event.event_type.clone());
            if self.trimmed.contains(&at) && !latest {
                self.held.remove(&at);
            }
        }
    }

    /// What is held, and where it stands in the log.
    pub(super) fn held(&self) -> impl Iterator<Item = (usize, &Event)> {
        self.held.iter().map(|&at| (at, &self.log[at].event))
    }

    fn series(&self) -> impl DoubleEndedIterator<Item = &Event> {
        let in_series = |at: &&usize| !self.trimmed.contains(at);
        self.held.iter().filter(in_series).map(|&at| &self.log[at].event)
    }

    /// As the deployed server answers, with at most `page` events.
    pub(super) fn query(&self, params: &QueryParams, page: usize) -> QueryResult {
        let matching = |types: &Option<Vec<_>>| match types {
            None => |_: &Event, _: Option<&Subscription>| true,
            Some(_) => |event: &Event, asked: Option<&Subscription>| {
                asked.is_some_and(|asked| asked.matches(&event.event_type))
            },
        };
        let asked = |types: &Option<Vec<_>>| {
            types.as_ref().map(|types| Subscription::new(types).expect("query types"))
        };
        match params {
            QueryParams::Latest(params) => {
                let (matching, asked) = (matching(&params.event_types), asked(&params.event_types));
                let mut latest = BTreeMap::new();
                for (_, event) in self.held().filter(|(_, event)| matching(event, asked.as_ref())) {
                    latest.insert(event.event_type.clone(), event.clone());
                }
                QueryResult { events: latest.into_values().collect(), more_follows: false }
            }
            QueryParams::Server(params) => {
                let after = |event: &Event| params.last_event_id.is_none_or(|last| event.id > last);
                let mut events: Vec<_> = self
                    .held()
                    .map(|(_, event)| event)
                    .filter(|event| event.id.server == params.server_id && after(event))
                    .cloned()
                    .collect();
                events.sort_by_key(|event| event.id);
                cut(events, params.max_results, page)
            }
            QueryParams::Timeseries(params) => {
                let (matching, asked) = (matching(&params.event_types), asked(&params.event_types));
                let TimeseriesParams { t_from, order, last_event_id, .. } = params;
                let in_time = |event: &&Event| t_from.is_none_or(|from| from <= event.timestamp);
                let mut events: Vec<_> = self.series().filter(in_time).cloned().collect();
                if *order == Order::Descending {
                    events.reverse();
                }
                if let Some(last) = last_event_id {
                    let at = events.iter().position(|event| event.id == *last);
                    events = at.map_or_else(Vec::new, |at| events.split_off(at + 1));
                }
                events.retain(|event| matching(event, asked.as_ref()));
                cut(events, params.max_results, page)
            }
        }
    }
}

fn cut(mut events: Vec<Event>, asked: Option<i64>, page: usize) -> QueryResult {
    let most = asked.map_or(page, |asked| page.min(asked as usize));
    let more_follows = events.len() > most;
    events.truncate(most);
    QueryResult { events, more_follows }
}
