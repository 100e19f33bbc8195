//! The event servers behind one address, with a few events, and a client that comes back to them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{CatchUp, Event, EventId, Gap, Order, QueryParams, QueryResult, Subscription};
use crate::eventer::EventType;

/// What an answer may weigh that a client takes.
const MOST: usize = 1000;

/// What all servers have: one of them answers.
#[derive(Default)]
pub(super) struct Servers {
    /// In the order of registration.
    pub(super) events: Vec<Event>,
    /// Not stored yet.
    pub(super) unstored: BTreeSet<EventId>,
    /// What has left the series, and is there as the latest of its type or for its server only.
    pub(super) left_series: BTreeSet<EventId>,
    /// Events that have this type weigh so much, the others 1.
    pub(super) heavy: Option<(&'static str, usize)>,
}

/// What came of a client that caught up.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) given: Vec<EventId>,
    pub(super) gap: Option<Gap>,
    pub(super) connections: usize,
    pub(super) questions: usize,
}

impl Servers {
    fn weight(&self, result: &QueryResult) -> usize {
        let heavy = |event: &Event| match self.heavy {
            Some((name, weight)) if event.event_type == name.parse().expect("a type") => weight,
            _ => 1,
        };
        result.events.iter().map(heavy).sum()
    }

    /// As the deployed server answers.
    fn answer(&self, params: &QueryParams) -> QueryResult {
        let matching = |types: &Option<Vec<EventType>>| {
            let subscription = types.as_ref().map(|it| Subscription::new(it).expect("query types"));
            move |event: &Event| {
                subscription.as_ref().is_none_or(|asked| asked.matches(&event.event_type))
            }
        };
        let mut events = self.events.clone();
        let most = match params {
            QueryParams::Latest(params) => {
                let wanted = matching(&params.event_types);
                let mut latest = BTreeMap::new();
                events.sort_by_key(|event| (event.timestamp, event.id));
                for event in events.drain(..).filter(wanted) {
                    latest.insert(event.event_type.clone(), event);
                }
                events.extend(latest.into_values());
                None
            }
            QueryParams::Server(params) => {
                events.retain(|event| {
                    event.id.server == params.server_id
                        && params.last_event_id.is_none_or(|last| last < event.id)
                        && !(params.persisted && self.unstored.contains(&event.id))
                });
                events.sort_by_key(|event| event.id);
                params.max_results
            }
            QueryParams::Timeseries(params) => {
                events.retain(|event| {
                    !self.left_series.contains(&event.id)
                        && params.t_from.is_none_or(|from| from <= event.timestamp)
                        && params.t_to.is_none_or(|to| event.timestamp <= to)
                });
                events.sort_by_key(|event| (event.timestamp, event.id));
                if params.order == Order::Descending {
                    events.reverse();
                }
                if let Some(last) = params.last_event_id {
                    let at = events.iter().position(|event| event.id == last);
                    events = at.map_or_else(Vec::new, |at| events.split_off(at + 1));
                }
                events.retain(matching(&params.event_types));
                params.max_results
            }
        };
        let most = most.map_or(4096, |most| most as usize);
        let more_follows = events.len() > most;
        events.truncate(most);
        QueryResult { events, more_follows }
    }

    /// Answers all that is asked, or ends the connection: `false`.
    fn ask(&self, catch_up: &mut CatchUp<()>, outcome: &mut Outcome) -> bool {
        while let Some(params) = catch_up.query() {
            outcome.questions += 1;
            assert!(outcome.questions < 5000, "it asks for ever");
            let result = self.answer(&params);
            let weight = self.weight(&result);
            if weight > MOST {
                catch_up.failed(weight.is_multiple_of(2).then_some((weight as u64, MOST)));
                return false;
            }
            outcome.given.extend(catch_up.answered(result).iter().map(|event| event.id));
        }
        true
    }

    /// Looks for the position, without a connection that subscribes.
    pub(super) fn find_position(&self, catch_up: &mut CatchUp<()>) {
        let mut outcome = Outcome { given: Vec::new(), gap: None, connections: 0, questions: 0 };
        while catch_up.needs_position() {
            outcome.connections += 1;
            assert!(outcome.connections < 60, "it connects for ever");
            catch_up.position();
            if self.ask(catch_up, &mut outcome) && catch_up.needs_position() {
                return;
            }
        }
        assert!(outcome.given.is_empty(), "before the position: {outcome:?}");
    }

    /// Connects until all is asked, and hands on what was held.
    #[track_caller]
    pub(super) fn catch_up(&self, catch_up: &mut CatchUp<()>) -> Outcome {
        let mut outcome = Outcome { given: Vec::new(), gap: None, connections: 0, questions: 0 };
        loop {
            outcome.connections += 1;
            assert!(outcome.connections < 60, "it connects for ever: {outcome:?}");
            catch_up.connected();
            if self.ask(catch_up, &mut outcome) {
                break;
            }
        }
        outcome.gap = catch_up.finish();
        while let Some((events, ())) = catch_up.release() {
            outcome.given.extend(events.iter().map(|event| event.id));
        }
        outcome
    }
}
