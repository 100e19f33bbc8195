//! Queries, and the answer to one.

use alloc::vec::Vec;

use super::names::named;
use super::{Event, EventId, EventType, Timestamp};
use crate::sbs::{self, Encode};

sbs::choice! {
    /// A query, by `HatEventer.QueryParams`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum QueryParams {
        /// The newest event of every type.
        Latest(LatestParams),
        /// Events in the order of time.
        Timeseries(TimeseriesParams),
        /// What one server registered.
        Server(ServerParams),
    }
}

sbs::record! {
    /// Asks for the newest event of every type, by `HatEventer.QueryLatestParams`. The order of the
    /// answer is not defined. `more_follows` says that it was cut to what a message may have: then
    /// fewer types have to be asked for.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct LatestParams {
        /// Query types, of which the event's type must match one. `None` is any type, an empty list
        /// is none.
        pub event_types: Option<Vec<EventType>>,
    }
}

sbs::record! {
    /// Asks for events in the order of time, by `HatEventer.QueryTimeseriesParams`. The default
    /// asks for all, newest first.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct TimeseriesParams {
        /// Query types, of which the event's type must match one. `None` is any type, an empty list
        /// is none.
        pub event_types: Option<Vec<EventType>>,
        /// The earliest timestamp, inclusive.
        pub t_from: Option<Timestamp>,
        /// The latest timestamp, inclusive.
        pub t_to: Option<Timestamp>,
        /// The earliest source timestamp, inclusive. Events without one are left out.
        pub source_t_from: Option<Timestamp>,
        /// The latest source timestamp, inclusive. Events without one are left out.
        pub source_t_to: Option<Timestamp>,
        /// Newest or oldest first.
        pub order: Order,
        /// Which of the two timestamps orders. By source timestamp, events without one are left
        /// out.
        pub order_by: OrderBy,
        /// The most events in the answer. `None` is the server's own limit, which also holds where
        /// more is asked for.
        pub max_results: Option<i64>,
        /// The last event of the answer before: this one starts after it.
        pub last_event_id: Option<EventId>,
    }
}

sbs::record! {
    /// Asks for what one server registered, by session and instance, oldest first, by
    /// `HatEventer.QueryServerParams`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct ServerParams {
        /// The server whose events are asked for.
        pub server_id: i64,
        /// Only what is stored for good.
        pub persisted: bool,
        /// The most events in the answer. `None` is the server's own limit, which also holds where
        /// more is asked for.
        pub max_results: Option<i64>,
        /// The last event of the answer before: this one starts after it.
        pub last_event_id: Option<EventId>,
    }
}

sbs::record! {
    /// The answer to a query, by `HatEventer.QueryResult`.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct QueryResult {
        /// The events, in the order asked for.
        pub events: Vec<Event>,
        /// Whether a limit on results, or on bytes, cut the answer short. Ask again with the last
        /// event's id as `last_event_id`: see [`Pages`](super::Pages).
        pub more_follows: bool,
    }
}

impl QueryParams {
    /// Bytes that the query takes in memory: its event types, and what they share of the frame that
    /// it came in.
    #[must_use]
    pub fn weight(&self) -> usize {
        let types = match self {
            Self::Latest(params) => params.event_types.as_ref(),
            Self::Timeseries(params) => params.event_types.as_ref(),
            Self::Server(_) => None,
        };
        types.map_or(0, |types| types.encoded_len() + types.capacity() * size_of::<EventType>())
    }
}

impl QueryResult {
    /// Leaves out the last events where they are more than `max_bytes` encoded, and says that more
    /// follows: the whole is no longer than that then. Returns whether any were left out. None may
    /// be left.
    pub fn cut(&mut self, max_bytes: usize) -> bool {
        // the count in front, and what follows
        let mut left = max_bytes.saturating_sub(10);
        let fit = self.events.iter().take_while(|event| {
            let rest = left.checked_sub(event.encoded_len());
            left = rest.unwrap_or(0);
            rest.is_some()
        });
        let fit = fit.count();
        let cut = fit < self.events.len();
        self.events.truncate(fit);
        self.more_follows |= cut;
        cut
    }
}

sbs::choice! {
    /// The direction of time in an answer, by `HatEventer.Order`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub enum Order {
        /// Newest first.
        #[default]
        Descending,
        /// Oldest first.
        Ascending,
    }
}

sbs::choice! {
    /// The timestamp that orders an answer, by `HatEventer.OrderBy`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub enum OrderBy {
        /// When the server registered the event.
        #[default]
        Timestamp,
        /// When it happened, by its source.
        SourceTimestamp,
    }
}

named!(Order, "order", { Descending: "descending", Ascending: "ascending" });
named!(OrderBy, "order", { Timestamp: "timestamp", SourceTimestamp: "sourceTimestamp" });

impl LatestParams {
    /// The newest event of every type that one of these query types stands for.
    #[must_use]
    pub fn of<T: Into<EventType>>(query_types: impl IntoIterator<Item = T>) -> Self {
        Self { event_types: Some(query_types.into_iter().map(Into::into).collect()) }
    }
}

impl TimeseriesParams {
    /// All events of the types that one of these query types stands for, newest first.
    #[must_use]
    pub fn of<T: Into<EventType>>(query_types: impl IntoIterator<Item = T>) -> Self {
        let event_types = Some(query_types.into_iter().map(Into::into).collect());
        Self { event_types, ..Self::default() }
    }
}

impl ServerParams {
    /// All that server `server_id` registered, oldest first.
    #[must_use]
    pub fn of(server_id: i64) -> Self {
        Self { server_id, ..Self::default() }
    }
}

/// A clone: of a query that is asked more than once.
impl From<&Self> for QueryParams {
    fn from(params: &Self) -> Self {
        params.clone()
    }
}

impl From<LatestParams> for QueryParams {
    fn from(params: LatestParams) -> Self {
        Self::Latest(params)
    }
}

impl From<TimeseriesParams> for QueryParams {
    fn from(params: TimeseriesParams) -> Self {
        Self::Timeseries(params)
    }
}

impl From<ServerParams> for QueryParams {
    fn from(params: ServerParams) -> Self {
        Self::Server(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn both_ways(params: impl Into<QueryParams>, bytes: &'static [u8]) {
        let params = params.into();
        assert_eq!(sbs::encode(&params), bytes);
        assert_eq!(sbs::decode(&bytes.into()), Ok(params));
    }

    #[test]
    fn the_defaults_are_those_of_the_peers() {
        both_ways(LatestParams::default(), b"\x80\x80");
        both_ways(TimeseriesParams::default(), b"\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80");
        let server = ServerParams { server_id: 1, ..ServerParams::default() };
        both_ways(server, b"\x82\x81\x00\x80\x80");
    }

    #[test]
    fn types_may_be_texts() {
        let types = Some(alloc::vec![EventType::from_segments(["a", "*"])]);
        assert_eq!(LatestParams::of(["a/*"]).event_types, types);
        assert_eq!(TimeseriesParams::of(["a/*"]).event_types, types);
    }

    #[test]
    fn any_type_and_no_type_are_different_questions() {
        both_ways(LatestParams { event_types: Some(Vec::new()) }, b"\x80\x81\x80");
    }

    #[test]
    fn an_answer_is_cut_by_bytes() {
        let event = |session| super::Event {
            id: EventId::new(1, session, 1),
            event_type: EventType::from_segments(["a"]),
            timestamp: Timestamp::from_secs(0),
            source_timestamp: None,
            payload: None,
        };
        let whole = QueryResult { events: (0..100).map(event).collect(), more_follows: false };
        for max_bytes in [0, 9, 10, 30, 500, whole.encoded_len() + 9] {
            let mut result = whole.clone();
            let cut = result.cut(max_bytes);
            assert_eq!(result.more_follows, cut);
            assert_eq!(result.events[..], whole.events[..result.events.len()]);
            assert_eq!(cut, max_bytes <= 500);
            assert!(result.encoded_len() <= max_bytes.max(2), "{max_bytes}");
        }
    }

    #[test]
    fn names() {
        assert_eq!("sourceTimestamp".parse(), Ok(OrderBy::SourceTimestamp));
        assert_eq!(Order::Ascending.as_str(), "ascending");
        assert!("up".parse::<Order>().is_err());
    }
}
