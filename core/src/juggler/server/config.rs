use core::time::Duration;

use crate::juggler::Autoflush;
use crate::options::More;

/// Limits of a server's connection, and of the transport below it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Pings, segments, messages.
    pub transport: crate::juggler::Config,
    /// How long changes of the connection's own state may wait to be sent together: 0.2 s, as the
    /// deployed peers. Zero sends each at once, `None` only when
    /// [`flush`](super::Connection::flush) is called. A state that several connections share is
    /// flushed by who has it.
    pub autoflush_delay: Option<Duration>,
    /// Requests may be given before the ones before them are answered. Default: off; one after the
    /// other.
    pub parallel_requests: bool,
    /// Requests of the client that may wait for our answer, 1024; at least one. With so many
    /// nothing is read until one is answered, no pings either.
    pub max_requests: usize,
    /// Bytes of memory that the data of requests may take that wait for the one before them to be
    /// answered, as [`Value::size`](crate::json::Value::size) counts them, 16 MiB: with more,
    /// nothing is read either. On the wire they may have been a thirtieth of that.
    pub max_waiting: usize,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            transport: crate::juggler::Config::default(),
            autoflush_delay: Autoflush::DEFAULT_DELAY,
            parallel_requests: false,
            max_requests: 1024,
            max_waiting: 16 * 1024 * 1024,
            more: More::default(),
        }
    }
}
