use core::time::Duration;

use crate::chatter;

/// Limits of a server's connection, and of the Chatter connection below it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Chatter connection. Its dialect must stay [`HatChatter`](chatter::Dialect::HatChatter).
    pub chatter: chatter::Config,
    /// How long a client may take to say who it is, 30 s. One that connects and says nothing is closed then.
    pub init_timeout: Duration,
    /// How long a rejected client has to close, 0.5 s, as in `hat-event`; then we do.
    pub close_timeout: Duration,
    /// Requests of the client that may wait for our answer, 1024; at least one. With so many open nothing is read until one is
    /// answered: no acks and no pings either. So an answer must not wait for an ack of the same client, nor
    /// for longer than the client's patience, 40 s by default.
    pub max_requests: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            chatter: chatter::Config::default(),
            init_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_millis(500),
            max_requests: 1024,
        }
    }
}
