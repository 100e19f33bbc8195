//! What servers tell of their own accord: held while they are asked, and handed on without what
//! came in an answer already.

use alloc::vec::Vec;

use super::{CatchUp, Gap, Position, Trail};
use crate::eventer::{Event, Timestamp};
use crate::sbs::Encode;

/// What was told while the server was asked.
#[derive(Debug)]
pub(super) struct Held<T> {
    pub(super) events: Vec<Event>,
    with: T,
    connection: u64,
}

impl<T> CatchUp<T> {
    /// Events that the server told. Gives those back that are to be handed on now, which may be
    /// none of them; `None` if they are held.
    pub fn told(&mut self, mut events: Vec<Event>, with: T) -> Option<(Vec<Event>, T)> {
        if self.asks.is_empty() && self.held.is_empty() {
            self.keep_new(&mut events, self.connection);
            return Some((events, with));
        }
        // counted as what they are, so they must not keep the blocks that they were read to
        let events: Vec<_> = events.iter().map(Event::detached).collect();
        self.held_bytes += events.encoded_len() + events.len() * size_of::<Event>();
        self.held.push_back(Held { events, with, connection: self.connection });
        if self.held_bytes > self.config.max_held {
            self.asks.clear();
            self.note(Gap::TooMuchHeld { limit: self.config.max_held });
        }
        None
    }

    /// Once nothing is to be asked any more: the next events that were held, without those that
    /// were handed on already; none may be left. While there is no connection, call it only for
    /// what was to be released before.
    pub fn release(&mut self) -> Option<(Vec<Event>, T)> {
        if !self.asks.is_empty() {
            return None;
        }
        let Some(Held { mut events, with, connection }) = self.held.pop_front() else {
            self.held_bytes = 0;
            return None;
        };
        self.keep_new(&mut events, connection);
        Some((events, with))
    }

    /// Leaves out what an answer gave already, and notes the rest as seen.
    fn keep_new(&mut self, events: &mut Vec<Event>, connection: u64) {
        self.given.leave_out(events, connection == self.connection);
        for event in events {
            let (server, position) = (event.id.server, Position::from(&*event));
            match self.trails.get_mut(&server) {
                Some(trail) => {
                    let newest = trail.newest();
                    let later_id = position.id > newest.id;
                    // ids go back where a server starts over, but not together with the time; what
                    // an earlier connection told may be lost since, and what is known be later
                    let later = (position.timestamp, position.id) > (newest.timestamp, newest.id);
                    let goes_on = later || later_id && connection == self.connection;
                    if goes_on || trail.owed && position == newest {
                        trail.push(position);
                        self.told_at(position.timestamp);
                    }
                }
                None => {
                    self.told_at(position.timestamp);
                    if self.clocks_differ {
                        self.note_new(position);
                    }
                    self.start_from(server, Trail::at(position));
                }
            }
        }
    }

    /// An event is told that was registered now. Where that is too early for servers with such a
    /// clock to have been found, those that turn up may have registered more; and it is looked for
    /// them from there on, as nobody knows which clock is right.
    fn told_at(&mut self, now: Timestamp) {
        match self.servers_until {
            Some(until) if now < until - self.config.look_back => {
                self.clocks_differ = true;
                self.servers_until = Some(now);
            }
            _ => self.servers_known(now),
        }
    }
}
