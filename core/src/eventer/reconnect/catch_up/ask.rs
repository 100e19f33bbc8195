//! The queries of catching up, one after the other.

use super::search::Search;
use super::{Position, Trail};
use crate::eventer::{EventId, Timestamp};

/// A question, of one or more pages.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    /// For a position: the newest event that there is.
    Newest,
    /// For a position, too: what was registered before that, newest first.
    Recent(Recent),
    /// The same of a server without series: the latest events of what is subscribed to.
    Latest,
    /// For a position, too: the last event of one server.
    Last(Search),
    /// What one server registered.
    Server(Walk),
    /// What was registered since, by whom it may be: are there servers that are not known?
    Since(Since),
    /// The oldest event of the series: is everything kept that came since?
    Oldest,
}

/// Questions as far as it matters which of them have no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Newest,
    Recent,
    Latest,
    /// The last event of a server.
    Last(i64),
    Server(i64),
    /// Whether a server has what it has not stored.
    Unstored(i64),
    Since,
    Oldest,
}

impl Kind {
    /// Whether it can be asked for fewer events.
    pub(super) fn is_paged(self) -> bool {
        matches!(self, Self::Server(_) | Self::Since | Self::Recent)
    }
}

impl Ask {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Newest => Kind::Newest,
            Self::Recent(_) => Kind::Recent,
            Self::Latest => Kind::Latest,
            Self::Last(search) if search.is_paged() => Kind::Server(search.server),
            Self::Last(search) => Kind::Last(search.server),
            Self::Server(Walk { server, at: At::Unstored, .. }) => Kind::Unstored(*server),
            Self::Server(walk) => Kind::Server(walk.server),
            Self::Since(_) => Kind::Since,
            Self::Oldest => Kind::Oldest,
        }
    }
}

/// Through the events of one server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    pub(super) server: i64,
    pub(super) at: At,
    /// What was the position, and whether that event is still owed.
    pub(super) known: (Position, bool),
    /// The server still has it: everything behind it is new.
    pub(super) exact: bool,
}

/// Where in the events of one server we are.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// The position so many steps back is to be found.
    Step(usize),
    /// The position is not stored, and nothing behind it: has the server registered it at all?
    Unstored,
    /// None was found: from the first event on.
    Start,
    /// What follows this event.
    After(EventId),
}

impl Walk {
    pub(super) fn from(server: i64, trail: &Trail) -> Self {
        let (known, owed, exact) = trail.known();
        Self { server, at: At::Step(0), known: (known, owed), exact }
    }

    /// The event to ask after.
    pub(super) fn after(&self, trail: &Trail) -> Option<EventId> {
        match self.at {
            At::Step(back) => trail.step(back).map(|position| position.before()),
            At::Unstored => Some(trail.newest().before()),
            At::Start => None,
            At::After(id) => Some(id),
        }
    }

    /// The server has lost events: what is not later than the latest that was known is known too.
    pub(super) fn goes_by_time(&mut self, trail: &Trail) {
        let (latest, owed, _) = trail.known();
        if !self.known.1 {
            self.known = (latest, owed);
        }
        self.exact = false;
    }

    /// Whether an event with this position was not handed on before.
    pub(super) fn is_new(&self, event: Position) -> bool {
        let (known, owed) = self.known;
        if owed && event == known {
            return true;
        }
        // where the server started over, ids say less: it goes by the time, too
        event.id > known.id || !self.exact && event.timestamp > known.timestamp
    }
}

/// Through the newest events of all servers, back in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recent {
    /// `None` where one page is enough.
    pub(super) from: Option<Timestamp>,
    pub(super) after: Option<(Timestamp, EventId)>,
}

/// Through the events of all servers, in the order of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    pub(super) from: Option<Timestamp>,
    pub(super) after: Option<EventId>,
}
