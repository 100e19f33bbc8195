//! Servers as a client sees them: what they registered, what they hold of it, and how they lose it.

use std::collections::{BTreeMap, BTreeSet};

use hat_core::eventer::{
    Event, EventId, Order, QueryParams, QueryResult, Subscription, TimeseriesParams, Timestamp,
};

use crate::event_type;

/// The event servers behind one address: one of them answers, and holds the events of all.
#[derive(Default)]
pub(super) struct Site {
    /// Seconds, one for each session: no two of a server have the same.
    clock: i64,
    /// How many seconds the clock of each server is ahead.
    pub(super) ahead: [i64; 3],
    /// Answers have no more than this: the server cuts them.
    pub(super) most: Option<usize>,
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
                timestamp: Timestamp::from_secs(self.clock + self.ahead[server as usize - 1]),
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

    /// What was registered is stored. Gives that, session by session.
    pub(super) fn flush(&mut self) -> Vec<Vec<Event>> {
        let mut sessions: Vec<Vec<Event>> = Vec::new();
        for at in std::mem::take(&mut self.unstored) {
            let event = &self.log[at].event;
            let of = |event: &Event| (event.id.server, event.id.session);
            match sessions.last_mut().filter(|last| of(&last[0]) == of(event)) {
                Some(last) => last.push(event.clone()),
                None => sessions.push(vec![event.clone()]),
            }
        }
        sessions
    }

    pub(super) fn is_stored(&self, at: usize) -> bool {
        !self.unstored.contains(&at)
    }

    /// How many events are not stored.
    pub(super) fn unstored(&self) -> usize {
        self.unstored.len()
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
        let mut held: Vec<_> = self.held.iter().copied().collect();
        held.sort_by_key(|&at| self.time(at));
        self.trimmed.extend(held.iter().rev().skip(count));
        let mut types = BTreeSet::new();
        for at in held.into_iter().rev() {
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

    fn time(&self, at: usize) -> (Timestamp, EventId) {
        let event = &self.log[at].event;
        (event.timestamp, event.id)
    }

    fn series(&self) -> Vec<Event> {
        let in_series = self.held.iter().filter(|at| !self.trimmed.contains(at));
        let mut series: Vec<_> = in_series.map(|&at| self.log[at].event.clone()).collect();
        series.sort_by_key(|event| (event.timestamp, event.id));
        series
    }

    /// As the deployed server answers, with at most `page` events, and cut where ours would cut.
    pub(super) fn query(&self, params: &QueryParams, page: usize) -> QueryResult {
        let mut result = self.whole(params, page);
        let mut left = self.most.unwrap_or(usize::MAX);
        let fit = result.events.iter().take_while(|event| {
            let fits = weight(event) <= left;
            left = left.saturating_sub(weight(event));
            fits
        });
        let fit = fit.count();
        result.more_follows |= fit < result.events.len();
        result.events.truncate(fit);
        result
    }

    fn whole(&self, params: &QueryParams, page: usize) -> QueryResult {
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
                let mut held: Vec<_> = self.held.iter().copied().collect();
                held.sort_by_key(|&at| self.time(at));
                for event in held.into_iter().map(|at| &self.log[at].event) {
                    if matching(event, asked.as_ref()) {
                        latest.insert(event.event_type.clone(), event.clone());
                    }
                }
                QueryResult { events: latest.into_values().collect(), more_follows: false }
            }
            QueryParams::Server(params) => {
                let after = |event: &Event| params.last_event_id.is_none_or(|last| event.id > last);
                let mut events: Vec<_> = self
                    .held()
                    .filter(|&(at, _)| !params.persisted || self.is_stored(at))
                    .map(|(_, event)| event)
                    .filter(|event| event.id.server == params.server_id && after(event))
                    .cloned()
                    .collect();
                events.sort_by_key(|event| event.id);
                cut(events, params.max_results, page)
            }
            QueryParams::Timeseries(params) => {
                let (matching, asked) = (matching(&params.event_types), asked(&params.event_types));
                let TimeseriesParams { t_from, t_to, order, last_event_id, .. } = params;
                let mut events = self.series();
                events.retain(|event| {
                    t_from.is_none_or(|from| from <= event.timestamp)
                        && t_to.is_none_or(|to| event.timestamp <= to)
                });
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

/// What an event takes of an answer.
pub(super) fn weight(event: &Event) -> usize {
    match event.event_type.to_string().rsplit('/').next() {
        Some("fat") => 6,
        Some("huge") => 100,
        _ => 1,
    }
}

fn cut(mut events: Vec<Event>, asked: Option<i64>, page: usize) -> QueryResult {
    let most = asked.map_or(page, |asked| page.min(asked as usize));
    let more_follows = events.len() > most;
    events.truncate(most);
    QueryResult { events, more_follows }
}
