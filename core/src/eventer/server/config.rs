use core::time::Duration;

use crate::chatter;
use crate::options::More;

/// Limits of a server's connection, and of the Chatter connection below it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The Chatter connection. Its dialect must stay [`HatChatter`](chatter::Dialect::HatChatter).
    pub chatter: chatter::Config,
    /// How long a client may take to say who it is, 30 s. One that connects and says nothing is
    /// closed then.
    pub init_timeout: Duration,
    /// How long a rejected client has to close, 0.5 s, as in `hat-event`; then we do.
    pub close_timeout: Duration,
    /// Requests of the client that may wait for our answer, 1024; at least one. With so many open
    /// nothing is read until one is answered: no acks and no pings either. So an answer must not
    /// wait for an ack of the same client, nor for longer than the client's patience, 40 s by
    /// default.
    pub max_requests: usize,
    /// Bytes that the elements of one message (events, query types) may take in memory once they
    /// are decoded, payloads not counted, 32 MiB: more than 200 000 events. It is held against the
    /// count before anything is made: three bytes on the wire are 160 in memory.
    pub max_decoded: usize,
    /// Bytes of the initialization, 1 MiB: twenty thousand query types. It is looked at before
    /// anybody knows who the client is, and a subscription takes some sixty times its size while it
    /// is made.
    pub max_init: usize,
    /// Segments of the client's query types, all together, 131 072: as above, where they are empty.
    pub max_segments: usize,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            chatter: chatter::Config::default(),
            init_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_millis(500),
            max_requests: 1024,
            max_decoded: 32 * 1024 * 1024,
            max_init: 1024 * 1024,
            max_segments: 131_072,
            more: More::default(),
        }
    }
}
