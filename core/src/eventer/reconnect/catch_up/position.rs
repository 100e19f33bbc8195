//! Positions: up to where a client has everything.

use crate::eventer::{Event, EventId, Timestamp};

/// Up to where a client has everything of one server: an event, by its id and the time that it was
/// registered.
///
/// The id alone says too little: a server that lost its last events counts on from what it has
/// left, and gives their ids to other events. So an event with the same id and another timestamp is
/// another event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which event.
    pub id: EventId,
    /// When its server registered it.
    pub timestamp: Timestamp,
}

impl Position {
    /// Before the first event of a server.
    #[must_use]
    pub const fn start(server: i64) -> Self {
        Self { id: EventId::new(server, 0, 0), timestamp: Timestamp::MIN }
    }

    /// Whether no event is before it.
    #[must_use]
    pub const fn is_start(&self) -> bool {
        self.id.session < 1 || self.id.instance < 1
    }

    /// Whether no event of its server was before it, whatever that keeps. Servers that number their
    /// sessions by a clock have none that is known for that.
    pub(super) const fn is_first(&self) -> bool {
        self.id.session == 1 && self.id.instance == 1
    }

    /// What to ask after, so that the event itself is found again.
    pub(super) const fn before(&self) -> EventId {
        let EventId { server, session, instance } = self.id;
        EventId::new(server, session, if instance < 1 { instance } else { instance - 1 })
    }
}

impl From<&Event> for Position {
    fn from(event: &Event) -> Self {
        Self { id: event.id, timestamp: event.timestamp }
    }
}

/// Older positions that are kept of one server. The last is some thirty million events old.
const OLDER: usize = 12;

/// The position of one server, and some that it had before, each about four times as many events
/// back as the one before it: where a server lost the last events, they say from where on to ask
/// again.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    newest: Position,
    /// The newest is still to be handed on: only what is before it is known.
    pub(super) owed: bool,
    /// The latest that was known of events that the server has lost since: what it has that is not
    /// later is known too.
    lost: Option<Position>,
    /// Events that led here.
    count: u64,
    older: [Option<(u64, Position)>; OLDER],
}

impl Trail {
    pub(super) fn at(newest: Position) -> Self {
        Self { newest, owed: false, lost: None, count: 0, older: [None; OLDER] }
    }

    /// Everything before `newest` is known, but not that.
    pub(super) fn owing(newest: Position) -> Self {
        Self { owed: true, ..Self::at(newest) }
    }

    pub(super) fn newest(&self) -> Position {
        self.newest
    }

    pub(super) fn push(&mut self, position: Position) {
        self.lost =
            self.lost.filter(|lost| (position.timestamp, position.id) < (lost.timestamp, lost.id));
        if self.owed {
            (self.newest, self.owed) = (position, false);
            return;
        }
        // the first slot takes three in four of them, the second three in four of the rest
        self.count += 1;
        let slot = (self.count.trailing_zeros() / 2) as usize;
        self.older[slot.min(OLDER - 1)] = Some((self.count, self.newest));
        self.newest = position;
    }

    /// The position that is `back` steps behind the newest.
    pub(super) fn step(&self, back: usize) -> Option<Position> {
        let Some(older) = back.checked_sub(1) else { return Some(self.newest) };
        let mut places: [_; OLDER] = self.older;
        places
            .sort_unstable_by_key(|place| core::cmp::Reverse(place.map_or(0, |(count, _)| count)));
        places[..].iter().flatten().nth(older).map(|&(_, position)| position)
    }

    /// The latest position that there was, and whether it is still to be handed on; and whether the
    /// server has all of it, so that what is behind it is new.
    pub(super) fn known(&self) -> (Position, bool, bool) {
        match self.lost {
            Some(lost) => (lost, false, false),
            None => (self.newest, self.owed, true),
        }
    }

    /// The server has lost what is behind the position `back` steps behind the newest, or all: that
    /// is the newest now.
    pub(super) fn step_back(&mut self, back: Option<usize>) {
        let newest = match back.map(|back| self.step(back)) {
            Some(Some(position)) => position,
            _ => Position::start(self.newest.id.server),
        };
        let found = self.older.iter().flatten().find(|(_, older)| *older == newest);
        let count = found.map_or(0, |(count, _)| *count);
        self.older.iter_mut().for_each(|place| *place = place.filter(|(at, _)| *at < count));
        if !self.owed {
            let lost = [self.lost, Some(self.newest)].into_iter().flatten();
            self.lost = lost.max_by_key(|lost| (lost.timestamp, lost.id));
        }
        (self.newest, self.owed) = (newest, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(session: i64) -> Position {
        Position { id: EventId::new(1, session, 1), timestamp: Timestamp::from_secs(session) }
    }

    fn sessions(trail: &Trail) -> alloc::vec::Vec<i64> {
        (0..).map_while(|back| trail.step(back)).map(|position| position.id.session).collect()
    }

    #[test]
    fn steps_grow_with_their_age() {
        let mut trail = Trail::at(at(0));
        (1..=1000).for_each(|session| trail.push(at(session)));
        let steps = sessions(&trail);
        assert_eq!(steps[0], 1000);
        assert!(steps.is_sorted_by(|newer, older| newer > older), "{steps:?}");
        assert!(steps[1] >= 998 && steps[5] <= 800, "{steps:?}");
    }

    #[test]
    fn stepping_back_forgets_what_is_newer() {
        let mut trail = Trail::at(at(0));
        (1..=100).for_each(|session| trail.push(at(session)));
        let steps = sessions(&trail);
        trail.step_back(Some(2));
        assert_eq!(sessions(&trail), steps[2..]);
        trail.push(at(500));
        assert_eq!(sessions(&trail)[..2], [500, steps[2]]);
    }
}
