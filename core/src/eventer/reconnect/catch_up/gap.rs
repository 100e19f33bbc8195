//! Gaps: why it is not certain that nothing is missing.

use super::Position;
use crate::eventer::EventId;

/// Why a client may have missed events: the first reason that there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Gap {
    /// A server does not have the last event any more that it told: it lost its last events,
    /// started over, or does not store them.
    #[error(
        "server {server} no longer has its event {id}: it lost events, started over, or does not store them",
        server = .last.id.server, id = Id(&.last.id)
    )]
    Lost {
        /// The last event that was known of it.
        last: Position,
    },
    /// A server keeps less than what came since: the oldest event of its series is newer than the
    /// last that is known, or than where servers that are not known were looked for.
    #[error(
        "the server has removed events since: the oldest that it keeps are newer than the last one received"
    )]
    Trimmed,
    /// There are events of a server that no event was known of before, and they are not its first.
    #[error(
        "server {server} was not known before: the events that it registered earlier were not queried"
    )]
    NewServer {
        /// Which server.
        server: i64,
    },
    /// Before the outage it was not known up to where there is everything.
    #[error(
        "the last event before the connection ended is not known: the server had not said which it was"
    )]
    NoPosition,
    /// A server did not answer, or not in time, or its answers did not go on.
    #[error("the server did not answer a query, or not in time")]
    Unanswered,
    /// An answer ended the connection, however few events were asked for; or the server said that
    /// more follows, and could not send one event of it.
    #[error(
        "the server's answer ended the connection, however few events were queried: an event is larger than this client accepts or the server sends"
    )]
    TooLarge,
    /// More events were told while the server was asked than may be held.
    #[error("more events arrived during the queries than may be held ({limit} bytes)")]
    TooMuchHeld {
        /// [`CatchUpConfig::max_held`](super::CatchUpConfig::max_held).
        limit: usize,
    },
    /// More servers registered events than may be remembered.
    #[error("events of more than {limit} servers arrived; the positions of no more are kept")]
    TooManyServers {
        /// [`CatchUpConfig::max_servers`](super::CatchUpConfig::max_servers).
        limit: usize,
    },
}

/// An id as people write it.
struct Id<'a>(&'a EventId);

impl core::fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let EventId { server, session, instance } = self.0;
        write!(f, "{server},{session},{instance}")
    }
}
