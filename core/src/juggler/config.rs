use core::time::Duration;

use crate::json::Limits;
use crate::keepalive::PingRule;
use crate::options::More;

/// What both ends of 0.7 have: sizes, pings, limits. Those of the WebSocket below are in its own
/// [`Config`](crate::ws::Config). Two of them are held against whole messages here, all their
/// segments together: `max_queued`, where one on an empty queue is always taken, and
/// `message_timeout`.
#[derive(Clone, Debug)]
pub struct Config {
    /// When to ping and when to give up. Default: after 30 s of silence each, as the deployed
    /// peers.
    pub ping: PingRule,
    /// The most characters of a segment that we send, in UTF-16 units, 65 536 as the deployed
    /// peers; zero counts as one. Segments of any size are accepted, up to the WebSocket's
    /// `max_message`.
    pub max_segment_size: usize,
    /// The largest message accepted, all its segments together, in bytes of UTF-8, 64 MiB: what the
    /// WebSocket accepts as one. The deployed peers have no limit.
    pub max_message: usize,
    /// The most that a message, and at a client the server's state, may hold. See [`Limits`] for
    /// the defaults.
    pub limits: Limits,
    /// Pongs and other answers of the machine itself that may wait to be written before nothing
    /// more is read, 16, or the WebSocket's `max_queued` bytes of them: a peer that asks and never
    /// reads is stopped by it.
    pub max_unsent_replies: usize,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Config {
    fn default() -> Self {
        let thirty_seconds = Duration::from_secs(30);
        Self {
            ping: PingRule::WhenIdle { delay: thirty_seconds, timeout: thirty_seconds },
            max_segment_size: 64 * 1024,
            max_message: 64 * 1024 * 1024,
            limits: Limits::default(),
            max_unsent_replies: 16,
            more: More::default(),
        }
    }
}
