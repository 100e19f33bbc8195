//! The search for the last event of a server.

use super::Position;
use crate::eventer::{EventId, QueryResult};

/// Looks for the last event that a server has, whose answers only go forwards: by asking what comes
/// from one session or another on. That takes one question where it begins with the last event, and
/// some hundred at the most.
///
/// ```text
/// sessions      … 40 … 70 71 72 73
/// asked from    40, 41, 43, 47, 55, 71, 103      there are more, until there is nothing
/// asked from    87, 79, 75                       nothing
/// asked from    73                               73, and nothing follows
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    pub(super) server: i64,
    asked: Asked,
    /// In this session, or after it, there is an event.
    some: Option<i64>,
    /// In this session, and after it, there was none.
    none: Option<i64>,
    /// How far to go next.
    step: i64,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    /// From this event on.
    Near(Position),
    /// From this session on.
    From(i64),
    /// All in the last session, page by page: what comes after this event, the last that came.
    Rest(EventId, Option<Position>),
}

/// What an answer came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is another question.
    NotYet,
    /// The last event; `None`: there is none.
    Last(Option<Position>),
    /// The answer says that more follows, and has nothing.
    Stuck,
}

impl Search {
    /// Begins with an event that was seen, or with the first.
    pub(super) fn new(server: i64, near: Option<Position>) -> Self {
        let asked = near.map_or(Asked::From(0), Asked::Near);
        Self { server, asked, some: None, none: None, step: 1 }
    }

    /// The event to ask after.
    pub(super) fn after(&self) -> EventId {
        match self.asked {
            Asked::Near(position) => position.before(),
            Asked::From(session) => EventId::new(self.server, session, 0),
            Asked::Rest(last, _) => last,
        }
    }

    /// Whether whole pages are asked for, and not only the first event.
    pub(super) fn is_paged(&self) -> bool {
        matches!(self.asked, Asked::Rest(..))
    }

    pub(super) fn answered(&mut self, result: &QueryResult) -> Found {
        let after = self.after();
        let goes_on = |id: EventId| id.server == self.server && id > after;
        let events = result.events.iter().filter(|event| goes_on(event.id));
        let last = events.max_by_key(|event| event.id).map(Position::from);
        match (last, self.asked) {
            (Some(_), _) if !result.more_follows => return Found::Last(last),
            (Some(last), Asked::Rest(..)) => {
                self.asked = Asked::Rest(last.id, Some(last));
                return Found::NotYet;
            }
            (Some(last), _) => {
                self.some = Some(last.id.session);
                // it may have registered more meanwhile
                self.none = self.none.filter(|none| *none > last.id.session);
            }
            (None, _) if result.more_follows => return Found::Stuck,
            (None, Asked::Rest(_, last)) => return Found::Last(last),
            (None, Asked::From(..1)) => return Found::Last(None),
            (None, Asked::From(session)) => self.none = Some(session),
            (None, Asked::Near(near)) => self.none = Some(near.id.session.saturating_add(1)),
        }
        let session = match (self.some, self.none) {
            (Some(some), Some(none)) => some + (none - some) / 2,
            (Some(some), None) => some.saturating_add(self.step),
            (None, none) => none.unwrap_or(0).saturating_sub(self.step).max(0),
        };
        self.step = self.step.saturating_mul(2);
        self.asked = match self.some {
            Some(some) if session <= some => Asked::Rest(EventId::new(self.server, some, 0), None),
            _ => Asked::From(session),
        };
        Found::NotYet
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::eventer::{Event, EventType, Timestamp};

    fn event(session: i64, instance: i64) -> Event {
        Event {
            id: EventId::new(1, session, instance),
            event_type: EventType::default(),
            timestamp: Timestamp::from_secs(session.min(1 << 40)),
            source_timestamp: None,
            payload: None,
        }
    }

    /// The last of `events`, which are in order, and how many questions it took.
    fn search(events: &[Event], near: Option<&Event>) -> (Option<EventId>, usize) {
        let mut search = Search::new(1, near.map(Position::from));
        for questions in 1.. {
            let most = if search.is_paged() { 3 } else { 1 };
            let behind = events.partition_point(|event| event.id <= search.after());
            let found: Vec<_> = events[behind..].iter().take(most).cloned().collect();
            let more_follows = events.len() - behind > found.len();
            match search.answered(&QueryResult { events: found, more_follows }) {
                Found::NotYet => {}
                Found::Last(last) => return (last.map(|last| last.id), questions),
                Found::Stuck => panic!("each answer has something"),
            }
        }
        unreachable!()
    }

    #[test]
    fn it_finds_the_last_event_from_anywhere() {
        let sessions = |all: &[i64]| -> Vec<Event> {
            all.iter().flat_map(|&session| (1..=5).map(move |it| event(session, it))).collect()
        };
        let many = if cfg!(miri) { 20 } else { 1000 };
        for all in [
            sessions(&[]),
            sessions(&[1]),
            sessions(&[7, 8, 9, 40]),
            sessions(&(1..=many).collect::<Vec<_>>()),
            sessions(&[1, 1_700_000_000_000_000, 1_700_000_000_000_001]),
            sessions(&[1, i64::MAX]),
        ] {
            let last = all.last().map(|event| event.id);
            let near = [event(1, 1), event(3, 2), event(500, 1), event(2000, 4)];
            let near = near.iter().chain(&all).map(Some).chain([None]);
            for near in near {
                let (found, questions) = search(&all, near);
                assert_eq!(found, last, "from {near:?}");
                assert!(questions <= 130, "{questions} questions");
            }
            assert!(all.is_empty() || search(&all, all.last()).1 == 1);
        }
    }

    #[test]
    fn an_answer_that_has_nothing_and_goes_on_ends_it() {
        let mut search = Search::new(1, None);
        let result = QueryResult { events: Vec::new(), more_follows: true };
        assert_eq!(search.answered(&result), Found::Stuck);
    }
}
