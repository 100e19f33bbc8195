//! The contract between a state machine and its driver.
//!
//! ```text
//!          ┌───────────────────── after anything happened ─────────────────────┐
//!          v                                                                   │
//!   poll ──┬─> Incoming: the application's. Poll again                         │
//!          ├─> Needs(n) ──┐                                                    │
//!          ├─> HeldUp ────┴─> write tx out ──> wait for: bytes (after Needs),  │
//!          │                                   room to write (if tx has any),  │
//!          │                                   deadline(), a call ─────────────┘
//!          └─> an error: write tx out for a bounded time, and close the socket
//! ```

use core::error::Error;
use core::time::Duration;

use bytestring::ByteString;

use crate::buffer::{RecvBuf, SendQueue};
use crate::time::Instant;

/// One end of a connection as a pure state machine.
///
/// Application calls (`send`, `query`, `notify` …) are methods of each machine. They take no time
/// and touch no socket: they queue bytes in [`tx`](Self::tx), or refuse with a typed error that
/// hands the data back.
pub trait Protocol {
    /// What the peer sent, or what became of something that the application started.
    type Incoming;
    /// Why the connection ended. Final: every later poll returns it again.
    type Error: Error + Clone;

    /// Takes at most one message from `rx`, does what is due at `now`, and says what must happen
    /// before the next poll can come to anything.
    ///
    /// # Errors
    ///
    /// When the connection is over. What the machine still has in `tx` should be written, for a
    /// bounded time, and the socket closed. Nothing should be read any more.
    fn poll(
        &mut self,
        rx: &mut RecvBuf,
        now: Instant,
    ) -> Result<Polled<Self::Incoming>, Self::Error>;

    /// When [`poll`](Self::poll) must be called even if nothing arrives. `None` means never.
    fn deadline(&self) -> Option<Instant>;

    /// The driver's time has stood still: it [polled](Self::poll) with the same `now` for `time`,
    /// because the application took nothing for so long, or the driver did not run, and what came
    /// before is read only now. More of it may still be with the peer, which could not write: what
    /// the peer has to do by a deadline, it may do that much later. Deadlines that the application
    /// set stay as they are. Called before the next poll, whose `now` is the real one again.
    ///
    /// A driver that always reads at once need not call it. A protocol that waits for nothing the
    /// peer has to do has nothing to do here; a layer passes it on to the one below.
    fn stood_still(&mut self, time: Duration) {
        let _ = time;
    }

    /// The message that ended the connection by its size, as far as this end knows: for logs, which
    /// are to tell on both sides why there is no connection. Asked once the connection is over, or
    /// its socket has failed. A layer asks the one below, too.
    fn too_large(&self) -> Option<TooLarge> {
        None
    }

    /// What is to be written.
    fn tx(&mut self) -> &mut SendQueue;

    /// We will send nothing more, but still read: once `tx` is written, the driver ends our side of
    /// the stream. Most protocols end both sides at once and never say so.
    fn sends_no_more(&self) -> bool {
        false
    }

    /// Starts an orderly end: new sends are refused, what is queued is still written. Done when
    /// [`is_closed`](Self::is_closed).
    fn close(&mut self);

    /// Nothing more can be sent, and what is queued is only still written: [`close`](Self::close)
    /// was called, or the peer's end closed it. A peer that then takes nothing is given up by the
    /// driver. Protocols that wait for no queue at the peer's end need not say so.
    fn is_closing(&self) -> bool {
        self.is_closed()
    }

    /// The connection is over, or closed by us and all that was queued is written: the socket can
    /// go.
    fn is_closed(&self) -> bool;
}

/// A message that ended a connection by its size: see [`Protocol::too_large`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TooLarge {
    /// The peer's, which this end did not take.
    Received {
        /// Bytes announced, or those that were known of when it was refused.
        size: u64,
        /// The limit of this end, bytes.
        limit: usize,
    },
    /// One of ours: the peer says that a message is over its limit.
    Refused {
        /// The largest that was sent, bytes.
        size: usize,
        /// What the peer says about it, often nothing.
        reason: ByteString,
    },
    /// Perhaps one of ours: the connection ended without a word, and nothing came since a message
    /// of at least 1 MiB was sent, which is the least limit that an end has by default.
    Unanswered {
        /// Its bytes.
        size: usize,
    },
}

/// What a [poll](Protocol::poll) of a connection that is not over came to.
///
/// Only the first answer hands something out. The other two are the backpressure: whoever reads
/// from the socket after [`Needs`](Self::Needs) only, and no more than fits, never holds bytes that
/// nobody can use.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled<I> {
    /// This is for the application, and there may be more: poll again, or leave it until the
    /// application can take more. Nothing need be read before that.
    Incoming(I),
    /// Nothing more can be had from what is here. At least so many further bytes, never zero, must
    /// arrive before the next poll can come to anything but what is due by the time.
    ///
    /// The bytes were held against the machine's limits. A machine asks for the rest of a message
    /// at once; one that is only announced, by a peer that may never send it, need not be given
    /// the memory before it comes. After [`RecvBuf::eof`] no machine answers this.
    Needs(usize),
    /// Nothing more can be had before something else happens than that bytes arrive: replies wait
    /// to be written, the application has to answer a request, or the connection is closing. Do
    /// not read.
    HeldUp,
}

impl<I> Polled<I> {
    /// What came, for those who look at the rest of the answer another time or not at all.
    #[must_use]
    pub fn incoming(self) -> Option<I> {
        match self {
            Self::Incoming(incoming) => Some(incoming),
            Self::Needs(_) | Self::HeldUp => None,
        }
    }

    /// How many bytes must be read before the next poll; zero after the other two answers.
    #[must_use]
    pub fn missing(&self) -> usize {
        match self {
            Self::Needs(bytes) => *bytes,
            Self::Incoming(_) | Self::HeldUp => 0,
        }
    }

    /// The same answer about what `into` makes of what came.
    pub fn map<J>(self, into: impl FnOnce(I) -> J) -> Polled<J> {
        match self {
            Self::Incoming(incoming) => Polled::Incoming(into(incoming)),
            Self::Needs(bytes) => Polled::Needs(bytes),
            Self::HeldUp => Polled::HeldUp,
        }
    }

    /// For layers: what came, or as an error the answer that the layer above passes on.
    ///
    /// # Errors
    ///
    /// [`Needs`](Self::Needs) and [`HeldUp`](Self::HeldUp), as they are.
    pub fn or_wait<J>(self) -> Result<I, Polled<J>> {
        match self {
            Self::Incoming(incoming) => Ok(incoming),
            Self::Needs(bytes) => Err(Polled::Needs(bytes)),
            Self::HeldUp => Err(Polled::HeldUp),
        }
    }
}
