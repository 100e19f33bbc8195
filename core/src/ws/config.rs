use crate::keepalive::PingRule;
use crate::options::More;
use core::time::Duration;

use super::Deflate;

/// Which end of a connection this is. A client masks what it sends, a server must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The side that asked for the connection.
    Client,
    /// The side that was asked.
    Server,
}

/// Limits of a connection, and where its masks come from. None of them is unlimited.
#[derive(Clone, Debug)]
pub struct Config {
    /// The largest payload of one frame accepted, in bytes, 64 MiB: as large as a message, because
    /// most peers send one as one frame. A frame that claims more ends the connection with 1009
    /// before any of its payload is buffered.
    pub max_frame: usize,
    /// The largest message accepted, in bytes, 64 MiB: what [`chatter`](crate::chatter) accepts. It
    /// is held against the length that each frame claims, before its payload is buffered; more ends
    /// the connection with 1009.
    pub max_message: usize,
    /// How long a message may take to arrive, from the first byte of its first frame to its last,
    /// 10 minutes as in [`chatter`](crate::chatter): what one of 64 MiB takes on a line of 1
    /// Mbit/s. Every byte is a sign of life, so a peer that sends one a second would otherwise keep
    /// what it has sent in memory for years. Over it the connection ends with 1008. It also holds
    /// for a message of [`juggler`](crate::juggler) 0.7, from its first segment to its last.
    pub message_timeout: Duration,
    /// Bytes that may wait to be written, headers included, 16 MiB. A send over it is refused; one
    /// on an empty queue is always taken. Pongs and the Close go out over it.
    pub max_queued: usize,
    /// Pongs that may wait to be written before nothing more is read, 16: a peer that pings and
    /// never reads is stopped by it, one that reads never has more than two.
    pub max_unsent_replies: usize,
    /// The largest head of a request or response in the handshake, in bytes, 16 KiB: twice what
    /// common servers allow a single line, room for cookies and tokens.
    pub max_handshake: usize,
    /// Header fields of a request or response in the handshake, 100, the limit of common servers.
    pub max_headers: usize,
    /// How long the handshake may take. Default: 10 s. While the application decides about a
    /// request there is no limit.
    pub handshake_timeout: Duration,
    /// How long the end may take once either side has closed: the peer's Close must come, and what
    /// was queued before ours be taken, within this time since the peer last took any of it.
    /// Default: 5 s.
    pub close_timeout: Duration,
    /// When to ping a silent peer, and when to give it up with
    /// [`Error::PingTimeout`](super::Error::PingTimeout): whatever it sends, and taking what it is
    /// sent, are signs of life. What stands between may need pings too: proxies give up connections
    /// that are silent for a minute. Default: [`PingRule::Off`], since TCP's own keepalive finds
    /// peers that vanished. The protocols of [`juggler`](crate::juggler) have pings of their own.
    pub ping: PingRule,
    /// Client: where the masks of frames and the key of the handshake come from. Default: 0, for
    /// tests and simulations. A real client draws it from its system's randomness, anew for each
    /// connection: masks must not be foreseeable by who chooses what is sent (RFC 6455 section
    /// 10.3).
    pub mask_seed: u64,
    /// Compresses messages where the peer can (RFC 7692): a client offers it, a server takes an
    /// offer. What a message inflates to is held against [`max_message`](Self::max_message), too.
    /// Default: `None`: a compressed message costs both ends time and memory.
    pub deflate: Option<Deflate>,
    #[doc(hidden)]
    pub more: More,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_frame: 64 * 1024 * 1024,
            max_message: 64 * 1024 * 1024,
            message_timeout: Duration::from_secs(600),
            max_queued: 16 * 1024 * 1024,
            max_unsent_replies: 16,
            max_handshake: 16 * 1024,
            max_headers: 100,
            handshake_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(5),
            ping: PingRule::Off,
            mask_seed: 0,
            deflate: None,
            more: More::default(),
        }
    }
}
