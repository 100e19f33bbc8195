//! The events of one registration.

use hat_core::eventer::{Event, EventId, Timestamp};

/// The events that one registration made, or some of them: at least one, all of one server, one
/// session and one timestamp, by instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    events: Vec<Event>,
}

/// Why events are no [`Session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// There are none.
    #[error("a session has at least one event")]
    Empty,
    /// They are of more than one session, or their timestamps differ.
    #[error("event {0:?} has another session or another timestamp than the first event")]
    Mixed(EventId),
    /// Their instances do not ascend.
    #[error("event {0:?} does not come after the one before it")]
    Order(EventId),
    /// No server gives such an id.
    #[error("event {0:?} has a session or an instance below 1")]
    Id(EventId),
}

impl Session {
    /// Of events as a server registered them.
    ///
    /// # Errors
    ///
    /// [`SessionError`].
    pub fn new(events: Vec<Event>) -> Result<Self, SessionError> {
        let first = events.first().ok_or(SessionError::Empty)?;
        let (id, timestamp) = (first.id, first.timestamp);
        if id.session < 1 || id.instance < 1 {
            return Err(SessionError::Id(id));
        }
        let mut last = None;
        for event in &events {
            let session = (event.id.server, event.id.session, event.timestamp);
            if session != (id.server, id.session, timestamp) {
                return Err(SessionError::Mixed(event.id));
            }
            if last.is_some_and(|last| last >= event.id) {
                return Err(SessionError::Order(event.id));
            }
            last = Some(event.id);
        }
        Ok(Self { events })
    }

    /// The server that registered it.
    #[must_use]
    pub fn server_id(&self) -> i64 {
        self.events[0].id.server
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> i64 {
        self.events[0].id.session
    }

    /// When it was registered.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.events[0].timestamp
    }

    /// Its events, by instance.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Its last event's id.
    #[must_use]
    pub fn last_id(&self) -> EventId {
        self.events[self.events.len() - 1].id
    }
}
