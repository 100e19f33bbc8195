//! The three kinds of queries.

use hat_core::eventer::{
    Event, EventId, OrderBy, QueryParams, QueryResult, ServerParams, TimeseriesParams, Timestamp,
};

use super::{Store, TypeEntry};
use crate::store::QueryError;
use crate::store::cut::Cut;
use crate::store::index::{Key, Range, merged};
use crate::store::type_selection::{TypeSelection, is_under};

/// Events that are looked at for a pattern of types, before what is known of each type is: of many
/// types that match, the first events of all have what is asked for.
const FIRST: usize = 4_096;

impl Store {
    /// The answer to `params`.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    pub fn query(&self, params: &QueryParams) -> Result<QueryResult, QueryError> {
        self.answer(params, &TypeSelection::of(params)?)
    }

    /// The answer to `params`, which ask for these types: whoever shares the store finds them out
    /// before it is locked, for that takes time.
    pub(in crate::store) fn answer(
        &self,
        params: &QueryParams,
        asked: &TypeSelection,
    ) -> Result<QueryResult, QueryError> {
        match params {
            QueryParams::Latest(_) => Ok(self.latest(asked)),
            QueryParams::Timeseries(params) => Ok(self.timeseries(params, asked)),
            QueryParams::Server(params) => self.server(params),
        }
    }

    /// The latest event of every type asked for, in the order of types. However many they are,
    /// nothing follows: `max_types` says how many there can be, and no event is copied, for their
    /// payloads are those that the store has.
    fn latest(&self, asked: &TypeSelection) -> QueryResult {
        let latest = |entry: &TypeEntry| self.events.get(&entry.latest?.0).cloned();
        let events = match self.entries(asked) {
            None => self.names.iter().filter_map(|name| latest(self.types.get(name)?)).collect(),
            Some(entries) => entries.into_iter().filter_map(latest).collect(),
        };
        QueryResult { events, more_follows: false }
    }

    /// Events in the order of time.
    ///
    /// `last_event_id` goes on after that event. As with the deployed server, nothing is found
    /// where that event is not itself within the limits in time (of the timestamp that orders), or
    /// not in the series any more.
    fn timeseries(&self, params: &TimeseriesParams, asked: &TypeSelection) -> QueryResult {
        let (from, to) = match params.order_by {
            OrderBy::Timestamp => (params.t_from, params.t_to),
            OrderBy::SourceTimestamp => (params.source_t_from, params.source_t_to),
        };
        let mut range = Range {
            by: params.order_by,
            order: params.order,
            from: from.unwrap_or(Timestamp::MIN),
            to: to.unwrap_or(Timestamp::MAX),
            after: None,
        };
        if let Some(last) = params.last_event_id {
            range.after =
                self.key(last, params.order_by).filter(|key| self.index.holds(*key, range));
            if range.after.is_none() {
                return QueryResult::default();
            }
        }
        let event = |(_, id): Key| &self.events[&id];
        let within = |event: &&Event| within_limits(event, params);
        let mut cut = self.cut(params.max_results);
        if let TypeSelection::Matching(..) = asked
            && let Some(first) = self.first(range, params, asked)
        {
            return result(first);
        }
        match self.entries(asked) {
            None => cut.take_all(self.index.range(range).map(event).filter(within)),
            Some(entries) => {
                let ranges = entries.iter().map(|entry| entry.index.range(range));
                cut.take_all(merged(ranges, range.order).map(event).filter(within));
            }
        }
        result(cut)
    }

    /// The answer, where the first events in the range have all of it.
    fn first(
        &self,
        range: Range,
        params: &TimeseriesParams,
        asked: &TypeSelection,
    ) -> Option<Cut<Event>> {
        let mut cut = self.cut(params.max_results);
        let mut keys = self.index.range(range);
        for _ in 0..FIRST {
            let Some((_, id)) = keys.next() else { return Some(cut) };
            let event = &self.events[&id];
            let is_asked = within_limits(event, params) && asked.matches(&event.event_type);
            if is_asked && !cut.take(event.clone()) {
                return Some(cut);
            }
        }
        None
    }

    /// What a server registered, by session and instance. All that is kept counts as persisted:
    /// there is no disk to wait for.
    fn server(&self, params: &ServerParams) -> Result<QueryResult, QueryError> {
        use std::ops::Bound::{Excluded, Included};

        let server_id = params.server_id;
        let start = match params.last_event_id {
            None => Included(EventId::new(server_id, i64::MIN, i64::MIN)),
            Some(last) if last.server == server_id => Excluded(last),
            Some(last) => return Err(QueryError::OtherServer { server_id, last: last.server }),
        };
        let end = EventId::new(server_id, i64::MAX, i64::MAX);
        let events = self.events.range((start, Included(end))).map(|(_, event)| event);
        let mut cut = self.cut(params.max_results);
        cut.take_all(events);
        Ok(result(cut))
    }

    /// What is known of the types asked for, unless that is all. Those that are asked for by name
    /// are looked up.
    fn entries(&self, asked: &TypeSelection) -> Option<Vec<&TypeEntry>> {
        match asked {
            TypeSelection::All => None,
            TypeSelection::Named(types) => {
                Some(types.iter().filter_map(|one| self.types.get(one)).collect())
            }
            TypeSelection::Matching(subscription, starts) => {
                let names = starts.iter().flat_map(|start| {
                    self.names.range(start.clone()..).take_while(|name| is_under(name, start))
                });
                let matching = names.filter(|name| subscription.matches(name));
                Some(matching.filter_map(|name| self.types.get(name)).collect())
            }
        }
    }

    /// Where the event stands by the timestamp asked for.
    fn key(&self, id: EventId, by: OrderBy) -> Option<Key> {
        let event = self.events.get(&id)?;
        let timestamp = match by {
            OrderBy::Timestamp => event.timestamp,
            OrderBy::SourceTimestamp => event.source_timestamp?,
        };
        Some((timestamp, id))
    }

    fn cut(&self, asked: Option<i64>) -> Cut<Event> {
        Cut::new(asked, self.config.max_results, self.config.max_answer)
    }
}

fn result(cut: Cut<Event>) -> QueryResult {
    let (events, more_follows) = cut.into_parts();
    QueryResult { events, more_follows }
}

/// Whether both timestamps are within the limits. An event without a source timestamp is in no
/// limits of those.
pub(in crate::store) fn within_limits(event: &Event, params: &TimeseriesParams) -> bool {
    are_within_limits(event.timestamp, event.source_timestamp, params)
}

/// Whether the timestamps of an event are.
pub(in crate::store) fn are_within_limits(
    timestamp: Timestamp,
    source_timestamp: Option<Timestamp>,
    params: &TimeseriesParams,
) -> bool {
    // `None` is before every `Some`
    let after = |limit: Option<Timestamp>, at: Option<Timestamp>| limit <= at;
    let before = |limit: Option<Timestamp>, at: Option<Timestamp>| {
        limit.is_none_or(|limit| at.is_some_and(|at| at <= limit))
    };
    after(params.t_from, Some(timestamp))
        && before(params.t_to, Some(timestamp))
        && after(params.source_t_from, source_timestamp)
        && before(params.source_t_to, source_timestamp)
}
