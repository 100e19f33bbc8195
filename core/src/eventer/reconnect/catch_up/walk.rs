//! Through the events of one server, page by page, from its position on.

use alloc::vec::Vec;

use super::ask::{Ask, At, Walk};
use super::{CatchUp, Gap, Position};
use crate::eventer::{Event, QueryResult};

impl<T> CatchUp<T> {
    /// One page of the events of one server.
    pub(super) fn go_on(&mut self, mut walk: Walk, result: QueryResult) -> Vec<Event> {
        let has_nothing = result.events.is_empty();
        if has_nothing && result.more_follows {
            // not even one event fits
            self.asks.pop_front();
            self.note(Gap::TooLarge);
            return Vec::new();
        }
        let Some(trail) = self.trails.get_mut(&walk.server) else { return Vec::new() };
        let asked_after = walk.after(trail);
        match walk.at {
            At::Step(_) | At::Unstored => {
                let back = if let At::Step(back) = walk.at { back } else { 0 };
                let place = trail.step(back).unwrap_or(walk.known.0);
                let is_it = |event: &Event| Position::from(event) == place;
                let is_there = match place.is_start() {
                    // it had one
                    true => !trail.owed || !has_nothing,
                    false => result.events.iter().any(is_it),
                };
                if matches!(walk.at, At::Unstored) && is_there {
                    // it is told once it is stored
                    self.asks.pop_front();
                    return Vec::new();
                }
                if !is_there {
                    self.is_missing(walk, back, has_nothing);
                    return Vec::new();
                }
                if back > 0 {
                    trail.step_back(Some(back));
                    walk.goes_by_time(trail);
                }
            }
            At::Start => {
                trail.step_back(None);
                walk.goes_by_time(trail);
            }
            At::After(_) => {}
        }
        let mut newest = asked_after;
        let (mut came, mut stray) = (None, false);
        let mut events = result.events;
        events.retain(|event| {
            // each goes further, so they end
            if event.id.server != walk.server || newest.is_some_and(|newest| event.id <= newest) {
                // a server may give again what we asked to go on after
                stray |= newest != Some(event.id);
                return false;
            }
            newest = Some(event.id);
            let position = Position::from(event);
            if position != trail.newest() || trail.owed {
                trail.push(position);
            }
            let new = walk.is_new(position);
            if new {
                came.get_or_insert(position);
                self.given.insert(event, self.config.max_given);
            }
            new && self.wanted.subscription.matches(&event.event_type)
        });
        let (mut since, _) = walk.known;
        if since.is_start() && matches!(walk.at, At::Step(_)) {
            // is it the first that there ever was?
            self.unproven |= !came.is_some_and(|first: Position| first.is_first());
            since = came.unwrap_or(since);
        }
        // of one server it is not known up to when it registered nothing
        let counts = came.is_some() || self.wanted.server_id.is_some();
        if counts && !since.is_start() && !self.since.contains(&since) {
            self.since.push(since);
        }
        match newest {
            Some(last) if result.more_follows && newest > asked_after => {
                walk.at = At::After(last);
                self.asks[0] = Ask::Server(walk);
            }
            _ => {
                self.asks.pop_front();
                if result.more_follows || stray {
                    self.note(Gap::Unanswered);
                }
            }
        }
        events
    }

    /// What a server had is not in its answer.
    fn is_missing(&mut self, mut walk: Walk, back: usize, has_nothing: bool) {
        let Some(trail) = self.trails.get(&walk.server) else { return };
        let asked = matches!(walk.at, At::Unstored);
        if self.wanted.persisted && back == 0 && has_nothing && !asked {
            // it may not have stored it yet
            walk.at = At::Unstored;
        } else if trail.newest().is_start() {
            self.asks.pop_front();
            self.note(Gap::Trimmed);
            return;
        } else {
            // what came is asked for again, from where it is certain
            let older = trail.step(back + 1).is_some();
            walk.at = if older { At::Step(back + 1) } else { At::Start };
            walk.exact = false;
            let last = trail.newest();
            self.note(Gap::Lost { last });
        }
        self.asks[0] = Ask::Server(walk);
        self.leave_out_unanswerable();
    }
}
