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
    /// How far what was given goes.
    last: Option<Key>,
    /// The last event of the last answer: to go on after it.
    after: Option<Key>,
    /// The server did not know that event any more: the place is looked for again, by time.
    searching: bool,
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
        let (searching, done, place_lost) = (false, false, false);
        Self { params, page, last: None, after: None, searching, done, place_lost }
    }

    /// What to ask next; `None` where nothing follows.
    #[must_use]
    pub fn query(&self) -> Option<QueryParams> {
        let mut params = self.params.clone();
        match &mut params {
            _ if self.done => return None,
            QueryParams::Latest(_) => {}
            QueryParams::Server(params) => {
                params.max_results = self.page.size();
                params.last_event_id = self.after.map(|(_, id)| id).or(params.last_event_id);
            }
            QueryParams::Timeseries(params) => {
                params.max_results = self.page.size();
                // by time it is asked from the last that was given on
                let Some((timestamp, id)) = self.after.or(self.last) else {
                    return Some(params.clone().into());
                };
                // the order's limit moves along: a server need not look at what was given
                let limit = match (params.order, params.order_by) {
                    (Order::Ascending, OrderBy::Timestamp) => &mut params.t_from,
                    (Order::Descending, OrderBy::Timestamp) => &mut params.t_to,
                    (Order::Ascending, OrderBy::SourceTimestamp) => &mut params.source_t_from,
                    (Order::Descending, OrderBy::SourceTimestamp) => &mut params.source_t_to,
                };
                *limit = timestamp.or(*limit);
                params.last_event_id = self.after.is_some().then_some(id);
            }
        }
        Some(params)
    }

    /// The answer to [`query`](Self::query): gives what of it is new.
    pub fn answered(&mut self, result: QueryResult) -> Vec<Event> {
        self.page.grow();
        let (events, goes_on) = match &self.params {
            QueryParams::Latest(_) => {
                self.done = true;
                return result.events;
            }
            QueryParams::Server(params) => {
                let asked_after = self.after.map(|(_, id)| id).or(params.last_event_id);
                self.by_id(result.events, asked_after)
            }
            QueryParams::Timeseries(_) if result.events.is_empty() && self.after.is_some() => {
                // more was to follow: the server does not know the last event any more. It is asked
                // by time, but not again before something has come
                (self.after, self.place_lost) = (None, true);
                self.done = core::mem::replace(&mut self.searching, true);
                return Vec::new();
            }
            QueryParams::Timeseries(params) => {
                let (order, order_by) = (params.order, params.order_by);
                self.by_time(result.events, order, order_by)
            }
        };
        self.done = !(result.more_follows && goes_on);
        // what follows in an answer that does not go on cannot be asked for
        let asked_for_some = self.page.size().is_none_or(|size| size > 0);
        self.place_lost |= result.more_follows && self.done && asked_for_some;
        events
    }

    /// Events of one server: gives those that are new, and whether to go on.
    fn by_id(
        &mut self,
        mut events: Vec<Event>,
        asked_after: Option<EventId>,
    ) -> (Vec<Event>, bool) {
        events.retain(|event| asked_after.is_none_or(|after| event.id > after));
        let last = events.iter().map(|event| event.id).max();
        self.after = last.map(|id| (None, id)).or(self.after);
        (events, last.is_some())
    }

    /// The same for events in the order of time.
    fn by_time(
        &mut self,
        mut events: Vec<Event>,
        order: Order,
        order_by: OrderBy,
    ) -> (Vec<Event>, bool) {
        let key = |event: &Event| {
            let timestamp = match order_by {
                OrderBy::Timestamp => Some(event.timestamp),
                OrderBy::SourceTimestamp => event.source_timestamp,
            };
            (timestamp, event.id)
        };
        let is_behind = |one: Key, other: Option<Key>| match order {
            Order::Ascending => other.is_none_or(|other| one > other),
            Order::Descending => other.is_none_or(|other| one < other),
        };
        let (given, asked_after) = (self.last, self.after);
        let Some(end) = events.last().map(key) else { return (events, false) };
        if self.searching {
            events.retain(|event| is_behind(key(event), given));
        } else {
            // a server may have events of several out of order while it has not stored them; so
            // only what was asked after is certain to have come
            events.retain(|event| Some(event.id) != asked_after.map(|(_, id)| id));
        }
        let keys = events.iter().map(key).filter(|&key| is_behind(key, given));
        let furthest =
            keys.reduce(|one, other| if is_behind(one, Some(other)) { one } else { other });
        self.after = Some(end);
        if furthest.is_some() {
            (self.last, self.searching) = (furthest, false);
            return (events, true);
        }
        // on the way to the place each answer goes further, and one by time does not end at it
        let goes_on = self.searching
            && is_behind(end, asked_after)
            && (asked_after.is_some() || given.is_none_or(|given| is_behind(given, Some(end))));
        (events, goes_on)
    }

    /// The connection ended instead of an answer: because the message was too large, of so many
    /// bytes where so many are the limit, or for a reason that is not known. Returns whether to
    /// connect and ask again, with a smaller page.
    pub fn failed(&mut self, too_large: Option<(u64, usize)>) -> bool {
        let latest = matches!(self.params, QueryParams::Latest(_));
        !latest && self.page.shrink(too_large)
    }

    /// The server forgot the last event of a page before it was asked for the next, or said that
    /// more follows and gave nothing more: there may have been others that were not given.
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

    fn asked_by_time() -> TimeseriesParams {
        TimeseriesParams { order: Order::Ascending, ..TimeseriesParams::default() }
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

    /// Of one session, whose events have one time, and from a server that forgets.
    #[test]
    fn no_event_is_given_again_where_the_place_is_looked_for_over_several_pages() {
        let at_once = |instance| Event {
            id: EventId::new(1, 1, instance),
            timestamp: Timestamp::from_secs(9),
            ..event(1)
        };
        for order in [Order::Ascending, Order::Descending] {
            let mut has: Vec<Event> = (1..=100).map(at_once).collect();
            if order == Order::Descending {
                has.reverse();
            }
            let mut pages = Pages::new(TimeseriesParams { order, ..asked_by_time() }.into());
            let (mut given, mut asks) = (Vec::new(), 0);
            while pages.query().is_some() {
                let params = asked(&pages);
                asks += 1;
                assert!(asks < 40, "it asks for ever");
                if asks == 4 {
                    // the last that came, and what is older
                    let last = params.last_event_id.expect("the last");
                    has.retain(|event| event.id != last);
                }
                let behind = match params.last_event_id {
                    None => 0,
                    Some(last) => has
                        .iter()
                        .position(|event| event.id == last)
                        .map_or(has.len(), |place| place + 1),
                };
                let found: Vec<_> = has[behind..].iter().take(10).cloned().collect();
                let more_follows = has.len() - behind > found.len();
                given.extend(pages.answered(QueryResult { events: found, more_follows }));
            }
            let ids: alloc::collections::BTreeSet<_> = given.iter().map(|event| event.id).collect();
            assert_eq!((given.len(), ids.len()), (100, 100), "each once");
            assert!(pages.place_lost());
        }
    }

    #[test]
    fn an_answer_that_repeats_what_came_ends_it_and_that_is_said() {
        for params in [asked_by_time().into(), ServerParams::of(1).into()] {
            let mut pages = Pages::new(params);
            assert_eq!(sessions(&pages.answered(answer(1..=3, true))), [1, 2, 3]);
            assert_eq!(sessions(&pages.answered(answer([3], true))), [0; 0], "it was given");
            assert_eq!((pages.query(), pages.place_lost()), (None, true));
        }
        // behind what is repeated there may be more
        let mut pages = Pages::new(asked_by_time().into());
        pages.answered(answer(1..=3, true));
        assert_eq!(sessions(&pages.answered(answer([3, 4], false))), [4]);
        assert_eq!((pages.query(), pages.place_lost()), (None, false));
    }

    #[test]
    fn a_first_answer_that_has_nothing_and_goes_on_ends_it() {
        for params in [asked_by_time().into(), ServerParams::of(1).into()] {
            let mut pages = Pages::new(params);
            assert_eq!(sessions(&pages.answered(answer([], true))), [0; 0]);
            assert_eq!((pages.query(), pages.place_lost()), (None, true));
        }
        // it was asked for nothing
        for params in [
            TimeseriesParams { max_results: Some(0), ..asked_by_time() }.into(),
            ServerParams { max_results: Some(0), ..ServerParams::of(1) }.into(),
        ] {
            let mut pages = Pages::new(params);
            pages.answered(answer([], true));
            assert_eq!((pages.query(), pages.place_lost()), (None, false));
        }
    }

    /// It knows nothing after an event that it gives by its time, again and again.
    #[test]
    fn a_server_that_contradicts_itself_is_asked_no_further() {
        let mut pages = Pages::new(asked_by_time().into());
        assert_eq!(sessions(&pages.answered(answer([2], true))), [2]);
        let mut asks = 0;
        while pages.query().is_some() {
            asks += 1;
            assert!(asks < 40, "it asks for ever");
            let sessions_of = asked(&pages).last_event_id.is_none().then_some(2);
            assert_eq!(sessions(&pages.answered(answer(sessions_of, true))), [0; 0]);
        }
        assert!(pages.place_lost());
        // and one that gives the same pages in turn
        let mut pages = Pages::new(asked_by_time().into());
        let (mut given, mut asks) = (Vec::new(), 0);
        while pages.query().is_some() {
            asks += 1;
            assert!(asks < 40, "it asks for ever");
            let page = if asks % 2 == 0 { 4..=6 } else { 1..=3 };
            given.extend(sessions(&pages.answered(answer(page, true))));
        }
        assert!(pages.place_lost());
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
