//! The pages of a long answer.

use alloc::vec::Vec;

use super::page::Page;
use super::{Event, EventId, Order, OrderBy, QueryParams, QueryResult, Timestamp};

/// Asks for all that a query finds, page by page: what to ask next, and what of an answer is new.
///
/// ```text
/// asked                 1 2 3 │ more
/// asked after 3               4 5 6 │ more           meanwhile the server forgets up to 7
/// asked after 6         nothing: 6 is not known      so it is asked by time, from that of 6 on
///                                 8 9 │              and that the place was lost is told
/// ```
///
/// A page that is too large, or ends the connection, is asked for again in smaller ones: see
/// [`failed`](Self::failed).
#[derive(Clone, Debug)]
pub struct Pages {
    params: QueryParams,
    page: Page,
    /// The last event that came.
    last: Option<Key>,
    /// Asked by time, and not after an event.
    by_time: bool,
    done: bool,
    place_lost: bool,
}

/// Where an event stands in an answer in the order of time.
type Key = (Option<Timestamp>, EventId);

impl Pages {
    /// For all that `params` find. Their `max_results` is the size of a page.
    #[must_use]
    pub fn new(params: QueryParams) -> Self {
        let most = match &params {
            QueryParams::Latest(_) => None,
            QueryParams::Timeseries(params) => params.max_results,
            QueryParams::Server(params) => params.max_results,
        };
        let page = Page::new(most);
        Self { params, page, last: None, by_time: false, done: false, place_lost: false }
    }

    /// What to ask next; `None` where nothing follows.
    #[must_use]
    pub fn query(&self) -> Option<QueryParams> {
        let mut params = self.params.clone();
        let last = self.last.map(|(_, id)| id);
        match &mut params {
            _ if self.done => return None,
            QueryParams::Latest(_) => {}
            QueryParams::Server(params) => {
                params.max_results = self.page.size();
                params.last_event_id = last.or(params.last_event_id);
            }
            QueryParams::Timeseries(params) => {
                params.max_results = self.page.size();
                let Some((timestamp, id)) = self.last else { return Some(params.clone().into()) };
                // the order's limit moves along: a server need not look at what was given
                let limit = match (params.order, params.order_by) {
                    (Order::Ascending, OrderBy::Timestamp) => &mut params.t_from,
                    (Order::Descending, OrderBy::Timestamp) => &mut params.t_to,
                    (Order::Ascending, OrderBy::SourceTimestamp) => &mut params.source_t_from,
                    (Order::Descending, OrderBy::SourceTimestamp) => &mut params.source_t_to,
                };
                *limit = timestamp.or(*limit);
                params.last_event_id = (!self.by_time).then_some(id);
            }
        }
        Some(params)
    }

    /// The answer to [`query`](Self::query): gives what of it is new.
    pub fn answered(&mut self, result: QueryResult) -> Vec<Event> {
        self.page.grow();
        let QueryParams::Timeseries(params) = &self.params else {
            let last = result.events.last().map(|event| (None, event.id));
            let goes_on = last.is_some() && last != self.last;
            self.last = last.or(self.last);
            let latest = matches!(self.params, QueryParams::Latest(_));
            self.done = latest || !result.more_follows || !goes_on;
            // what follows in an answer that does not go on cannot be asked for
            self.place_lost |= result.more_follows && self.done && !latest;
            return result.events;
        };
        let by_source = params.order_by == OrderBy::SourceTimestamp;
        let ascending = params.order == Order::Ascending;
        let key = |event: &Event| {
            let timestamp = if by_source { event.source_timestamp } else { Some(event.timestamp) };
            (timestamp, event.id)
        };
        if result.events.is_empty() && self.last.is_some() && !self.by_time {
            // more was to follow: the server does not know the last event any more
            (self.by_time, self.place_lost) = (true, true);
            return Vec::new();
        }
        let known = self.last;
        let last = result.events.last().map(key);
        let goes_on = last.is_some() && (last != known || self.by_time);
        let mut events = result.events;
        if self.by_time {
            let after = |event: &Event| {
                known.is_none_or(
                    |known| if ascending { key(event) > known } else { key(event) < known },
                )
            };
            events.retain(after);
        }
        self.last = last.or(self.last);
        self.by_time = false;
        self.done = !result.more_follows || !goes_on;
        events
    }

    /// The connection ended instead of an answer: because the message was too large, of so many
    /// bytes where so many are the limit, or for a reason that is not known. Returns whether to
    /// connect and ask again, with a smaller page.
    pub fn failed(&mut self, too_large: Option<(u64, usize)>) -> bool {
        let latest = matches!(self.params, QueryParams::Latest(_));
        !latest && self.page.shrink(too_large)
    }

    /// The server forgot the last event of a page before it was asked for the next: there may have
    /// been others behind it that were not given.
    #[must_use]
    pub fn place_lost(&self) -> bool {
        self.place_lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventer::{EventType, ServerParams, TimeseriesParams};

    fn event(session: i64) -> Event {
        Event {
            id: EventId::new(1, session, 1),
            event_type: EventType::default(),
            timestamp: Timestamp::from_secs(session / 2),
            source_timestamp: None,
            payload: None,
        }
    }

    fn answer(sessions: impl IntoIterator<Item = i64>, more_follows: bool) -> QueryResult {
        QueryResult { events: sessions.into_iter().map(event).collect(), more_follows }
    }

    fn sessions(events: &[Event]) -> Vec<i64> {
        events.iter().map(|event| event.id.session).collect()
    }

    fn asked(pages: &Pages) -> TimeseriesParams {
        match pages.query() {
            Some(QueryParams::Timeseries(params)) => params,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_place_that_was_forgotten_is_found_by_time() {
        let params = TimeseriesParams { order: Order::Ascending, ..TimeseriesParams::default() };
        let mut pages = Pages::new(params.into());
        assert_eq!(sessions(&pages.answered(answer(1..=3, true))), [1, 2, 3]);
        assert_eq!(asked(&pages).last_event_id, Some(EventId::new(1, 3, 1)));
        assert_eq!(asked(&pages).t_from, Some(Timestamp::from_secs(1)));
        assert_eq!(sessions(&pages.answered(answer([], false))), [0; 0]);
        assert!(pages.place_lost());
        assert_eq!(
            (asked(&pages).last_event_id, asked(&pages).t_from),
            (None, Some(Timestamp::from_secs(1)))
        );
        assert_eq!(sessions(&pages.answered(answer(2..=5, true))), [4, 5], "2 and 3 were given");
        assert_eq!(asked(&pages).last_event_id, Some(EventId::new(1, 5, 1)));
        assert_eq!(sessions(&pages.answered(answer([6], false))), [6]);
        assert_eq!(pages.query(), None);
    }

    #[test]
    fn newest_first_nothing_is_left_behind_a_place_that_was_forgotten() {
        let mut pages = Pages::new(TimeseriesParams::default().into());
        assert_eq!(sessions(&pages.answered(answer([9, 8], true))), [9, 8]);
        assert_eq!(asked(&pages).t_to, Some(Timestamp::from_secs(4)));
        pages.answered(answer([], false));
        assert_eq!(sessions(&pages.answered(answer([9], false))), [0; 0]);
        assert_eq!((pages.query(), pages.place_lost()), (None, true));
    }

    #[test]
    fn smaller_pages() {
        let mut pages = Pages::new(ServerParams { server_id: 1, ..ServerParams::default() }.into());
        let size = |pages: &Pages| match pages.query() {
            Some(QueryParams::Server(params)) => params.max_results,
            other => panic!("{other:?}"),
        };
        assert!(pages.failed(Some((128 << 20, 64 << 20))));
        assert_eq!(size(&pages), Some(1024));
        pages.answered(answer(1..=3, true));
        assert_eq!(size(&pages), Some(2048));
        while pages.failed(None) {}
        assert_eq!(size(&pages), Some(1));
    }

    #[test]
    fn answers_that_do_not_go_on_end() {
        let mut pages = Pages::new(ServerParams { server_id: 1, ..ServerParams::default() }.into());
        pages.answered(answer([1], true));
        pages.answered(answer([1], true));
        assert_eq!((pages.query(), pages.place_lost()), (None, true));
    }
}
