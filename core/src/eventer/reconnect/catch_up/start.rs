//! Finding the position, where nothing is known yet.
//!
//! ```text
//! newest ──> recent ──> last of each server   of any, where only what is stored counts
//!   │          └─────> latest ──> last         of one, not the newest
//!   └─ none ─────────> latest ──> last         without series
//!                                  └─> oldest  of a server that has nothing
//! ```

use super::ask::{Ask, Kind, Recent};
use super::search::{Found, Search};
use super::{CatchUp, Gap, Position, Trail};
use crate::eventer::QueryResult;

/// Asking for the position. These are for the driver of a client, as is the rest.
impl<T> CatchUp<T> {
    /// Whether there is no position yet. Then make a connection that subscribes to nothing, call
    /// [`position`](Self::position), ask and answer until [`query`](Self::query) gives nothing
    /// more, and only then make the connection that subscribes.
    ///
    /// On one that subscribes it would be too late: an event that is registered at the same time
    /// may be in the answer, and so before the position, and the connection may end before it is
    /// told.
    #[must_use]
    pub fn needs_position(&self) -> bool {
        self.positioning || self.trails.is_empty() && !self.from_nothing
    }

    /// There is a connection that subscribes to nothing: the position is to be asked for.
    pub fn position(&mut self) {
        // an earlier connection did not come to all: each is where its server was then, or before
        self.found_in_part |= self.positioning;
        self.positioning = true;
        self.asks.clear();
        self.ask_for_position(Ask::Newest);
    }

    /// Asks this, or what comes instead of it where it has no answer.
    fn ask_for_position(&mut self, ask: Ask) {
        if !self.questions.is_left_out(ask.kind()) {
            self.asks.push_back(ask);
            return;
        }
        self.note(Gap::TooLarge);
        let nothing = QueryResult::default();
        match ask {
            Ask::Last(_) | Ask::Oldest => {}
            _ => self.position_follows(ask, &nothing),
        }
    }

    /// The answer to a question about the position.
    pub(super) fn take_position(&mut self, ask: Ask, result: &QueryResult) {
        self.asks.pop_front();
        match ask {
            Ask::Last(search) => self.take_last(search, result),
            Ask::Oldest => self.oldest = Some(result.events.first().map(Position::from)),
            ask => {
                for event in &result.events {
                    let (server, position) = (event.id.server, Position::from(event));
                    self.servers_known(position.timestamp);
                    let newer = |trail: &Trail| trail.newest().id < position.id;
                    if self.wants(server) && self.trails.get(&server).is_none_or(newer) {
                        self.start_from(server, Trail::at(position));
                    }
                }
                self.position_follows(ask, result);
            }
        }
        self.positioning = !self.asks.is_empty();
        self.found_in_part &= self.positioning;
    }

    /// What to ask after an answer, which has been taken.
    fn position_follows(&mut self, ask: Ask, result: &QueryResult) {
        let one = self.wanted.server_id;
        let last = result.events.last();
        match ask {
            Ask::Newest => match last {
                None => self.ask_for_position(Ask::Latest),
                Some(_) if one.is_some() && !self.trails.is_empty() => self.ask_for_last(false),
                Some(event) => {
                    let from = one.is_none().then(|| event.timestamp - self.config.look_back);
                    self.ask_for_position(Ask::Recent(Recent { from, after: None }));
                }
            },
            Ask::Recent(_) if one.is_some() && self.trails.is_empty() => {
                self.ask_for_position(Ask::Latest);
            }
            Ask::Recent(recent) => {
                if let Some(event) = last.filter(|_| one.is_none()) {
                    self.oldest = Some(Some(event.into()));
                    let at = (event.timestamp, event.id);
                    // each goes further back, so they end
                    if result.more_follows && recent.after.is_none_or(|after| at < after) {
                        let after = Some(at);
                        return self.ask_for_position(Ask::Recent(Recent { after, ..recent }));
                    }
                }
                if one.is_none() && result.more_follows {
                    self.note(Gap::Unanswered);
                }
                self.ask_for_last(false);
            }
            // of a type that several servers register it has the event of one of them
            Ask::Latest if one.is_some() || !self.trails.is_empty() => self.ask_for_last(true),
            // it was cut, or there is nothing
            Ask::Latest if !result.more_follows && !self.questions.is_left_out(Kind::Latest) => {
                self.start_from_nothing();
            }
            _ => {}
        }
    }

    /// Asks each server for its last event, where what is known may not be that: only what is
    /// stored counts, or `all` are not certain.
    fn ask_for_last(&mut self, all: bool) {
        if !(all || self.wanted.persisted || self.found_in_part) {
            return;
        }
        let known = self.trails.iter().map(|(&server, trail)| (server, Some(trail.newest())));
        let one = self.wanted.server_id.filter(|_| self.trails.is_empty());
        let asks: alloc::vec::Vec<_> = known.chain(one.map(|server| (server, None))).collect();
        for (server, near) in asks {
            self.ask_for_position(Ask::Last(Search::new(server, near)));
        }
    }

    fn take_last(&mut self, mut search: Search, result: &QueryResult) {
        let server = search.server;
        match search.answered(result) {
            Found::NotYet => {
                let ask = Ask::Last(search);
                if self.questions.is_left_out(ask.kind()) {
                    self.note(Gap::TooLarge);
                } else {
                    self.asks.push_front(ask);
                }
            }
            Found::Last(last) => {
                let position = last.unwrap_or(Position::start(server));
                self.start_from(server, Trail::at(position));
                if last.is_none() && self.wanted.server_id.is_some() {
                    // as long as that is the oldest, none that it registers has been removed
                    self.ask_for_position(Ask::Oldest);
                }
            }
            Found::Stuck => self.note(Gap::TooLarge),
        }
    }
}
