//! How large the answers to questions may be, and which questions have none.

use alloc::collections::BTreeMap;

use super::ask::Kind;
use crate::eventer::page::Page;
use crate::eventer::{EventId, QueryResult, Timestamp};

/// Where a question begins: at which time, and after which event.
pub(super) type Place = (Option<Timestamp>, Option<EventId>);

/// Questions that ended connections: each for itself, since others may be answered in front of them
/// every time.
#[derive(Debug)]
pub(super) struct Questions {
    max_results: Option<i64>,
    /// Kinds are few: two or three for each server that is remembered.
    ended: BTreeMap<Kind, Ended>,
}

#[derive(Debug)]
struct Ended {
    page: Page,
    /// How often, where there are no pages.
    times: u32,
    /// Where it was when it ended the connection. Nothing is better until it has come past that: on
    /// the way there again it is answered, with what is in front of it.
    at: Option<Place>,
    left_out: bool,
}

impl Questions {
    pub(super) fn new(max_results: Option<i64>) -> Self {
        Self { max_results, ended: BTreeMap::new() }
    }

    /// How many events to ask for.
    pub(super) fn size(&self, kind: Kind) -> Option<i64> {
        self.ended.get(&kind).map_or(self.max_results, |ended| ended.page.size())
    }

    /// There is no answer to it.
    pub(super) fn is_left_out(&self, kind: Kind) -> bool {
        self.ended.get(&kind).is_some_and(|ended| ended.left_out)
    }

    pub(super) fn answered(&mut self, kind: Kind, at: Place, result: &QueryResult) {
        let Some(ended) = self.ended.get_mut(&kind) else { return };
        let goes_past = |place: Place| {
            let mut ids = result.events.iter().map(|event| Some(event.id));
            at == place || ids.any(|id| id == place.1) && ids.next().is_some()
        };
        if ended.at.is_none_or(goes_past) {
            (ended.at, ended.times) = (None, 0);
            ended.page.grow();
            if ended.page.size() == self.max_results && !ended.left_out {
                self.ended.remove(&kind);
            }
        }
    }

    /// It ended the connection: because of the size of the answer, if that is known.
    pub(super) fn failed(&mut self, kind: Kind, at: Place, too_large: Option<(u64, usize)>) {
        let page = Page::new(self.max_results);
        let new = Ended { page, times: 0, at: None, left_out: false };
        let ended = self.ended.entry(kind).or_insert(new);
        ended.at = Some(at);
        ended.times += 1;
        let again = if kind.is_paged() { ended.page.shrink(too_large) } else { ended.times < 2 };
        ended.left_out |= !again;
    }

    /// With the next outage there are other answers; those to long questions are as large.
    pub(super) fn forget(&mut self) {
        self.ended.retain(|kind, ended| {
            (ended.times, ended.at, ended.left_out) = (0, None, false);
            kind.is_paged()
        });
    }
}
