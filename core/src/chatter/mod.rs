//! Chatter: messages in conversations over a byte stream.
//!
//! ```text
//! block         m │ k: m bytes, big-endian │ k bytes: Msg, in SBS
//! Msg           id │ first │ owner │ token │ last │ [module] │ type │ data
//!
//! conversation  named by (first, owner)
//!     the owner                   the other side
//!     id=7 first=7 owner token ────────>                       starts it, gives the token
//!              <──────────────────────── id=3 first=7 token    may send: it has the token
//!     id=8 first=7 owner last  ────────>                       ends it
//! ```
//!
//! Two dialects are deployed and differ in names and pings only: [`Dialect::HatChatter`]
//! (`hat-drivers`, what Eventer runs on) and [`Dialect::Hat`] (`hat-chatter` 0.5). [`Connection`]
//! speaks either; pings are answered and sent by it and never reach the application.

mod connection;
mod conversation;
mod error;
mod frame;
mod message;
mod names;

use crate::options::More;
use core::time::Duration;

pub use crate::keepalive::PingRule;
pub use connection::{Connection, Incoming, SendOptions};
pub use conversation::Conversation;
pub use error::{Error, SendError, SendFault, Violation};
pub(crate) use message::Name;
pub use message::{Data, Message};

/// Which of the two deployed forms of the protocol a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SBS module `Hat`: data carries an optional module name; pings are `HatPing.MsgPing`. Spoken
    /// by `hat-chatter` 0.5.
    Hat,
    /// SBS module `HatChatter`: data has a type name only; pings are `HatChatter.Ping`. Spoken by
    /// `hat-drivers` 0.10, and by Eventer.
    #[default]
    HatChatter,
}

/// What a connection speaks, and its limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// The form of the protocol. Default: `HatChatter`.
    pub dialect: Dialect,
    /// When to ping and when to give up. Default: after 20 s of silence each, as the deployed
    /// peers.
    pub ping: PingRule,
    /// The largest message accepted or sent, in bytes behind the length of its block. Default 64
    /// MiB: the largest query result that an event server is asked for in practice, four times
    /// over. A block that claims more ends the connection before any of it is buffered.
    pub max_message: usize,
    /// How long a message may take to arrive, from its first byte to its last, 10 minutes: what one
    /// of 64 MiB takes on a line of 1 Mbit/s. Every byte is a sign of life for
    /// [`ping`](Self::ping), so a peer that sends one a second would otherwise stay for years.
    pub message_timeout: Duration,
    /// Bytes that may wait to be written, 16 MiB. A send over it is refused and hands its data
    /// back; one on an empty queue is always taken.
    pub max_queued: usize,
    /// Conversations that may be open at a time, both sides' together, 65 536: four MiB of
    /// bookkeeping. A peer that opens more ends the connection.
    pub max_conversations: usize,
    /// Pongs that may wait to be written before nothing more is read, 16: a peer that pings and
    /// never reads is stopped by it, one that reads never has more than two.
    pub max_unsent_replies: usize,
    /// End the connection where the peer breaks a rule that the deployed software does not police:
    /// see [`Violation`]. Default: off.
    pub strict: bool,
    /// Types of the messages that are expected, without modules; those that come often first. They
    /// are known before they come, and nobody has to count who shares them, which is a sixth of
    /// the time that a small message takes. Others are taken as well. Default: none.
    pub names: &'static [&'static str],
    /// Let the application send without the token, and in conversations that are not open, as the
    /// deployed libraries do; no books are kept then but of timeouts and of conversations that were
    /// [given up](Connection::forget), the last
    /// [`max_conversations`](Self::max_conversations) of them. For who puts this under programs
    /// that were written for those libraries. Default: off.
    pub out_of_turn: bool,
    #[doc(hidden)]
    pub more: More,
}

impl Config {
    /// The defaults of a dialect.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        let twenty_seconds = Duration::from_secs(20);
        Self {
            dialect,
            ping: match dialect {
                Dialect::Hat => PingRule::Every { interval: twenty_seconds },
                Dialect::HatChatter => {
                    PingRule::WhenIdle { delay: twenty_seconds, timeout: twenty_seconds }
                }
            },
            max_message: 64 * 1024 * 1024,
            message_timeout: Duration::from_secs(600),
            max_queued: 16 * 1024 * 1024,
            max_conversations: 65_536,
            max_unsent_replies: 16,
            strict: false,
            names: &[],
            out_of_turn: false,
            more: More::default(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new(Dialect::default())
    }
}
