//! The contract between a state machine and whoever drives it.
//!
//! ```text
//!              ┌────────────────────── after anything happened ─────────────────────┐
//!              v                                                                    │
//!   poll until it returns None ──> write tx out ──> wait for: bytes (if rx.missing() > 0),
//!                                                   room to write (if tx is not empty),
//!                                                   deadline(), a call of the application
//! ```

use core::error::Error;

use crate::buffer::{RecvBuf, SendQueue};
use crate::time::Instant;

/// One end of a connection as a pure state machine.
///
/// Application calls (`send`, `query`, `notify` …) are methods of each machine. They take no time and
/// touch no socket: they queue bytes in [`tx`](Self::tx), or refuse with a typed error that
/// hands the data back.
pub trait Protocol {
    /// What the peer sent, or what became of something that the application started.
    type Incoming;
    /// Why the connection is over. Final: every later poll returns it again.
    type Error: Error + Clone;

    /// Takes at most one message from `rx`, and does what is due at `now`.
    ///
    /// `None` means that nothing more can be had from what is here: [`RecvBuf::missing`] then tells
    /// how many bytes the machine waits for.
    ///
    /// # Errors
    ///
    /// When the connection is over. What the machine still has in `tx` should be written, for a bounded
    /// time, and the socket closed.
    fn poll(
        &mut self,
        rx: &mut RecvBuf,
        now: Instant,
    ) -> Result<Option<Self::Incoming>, Self::Error>;

    /// When [`poll`](Self::poll) must be called even if nothing arrives. `None` means never.
    fn deadline(&self) -> Option<Instant>;

    /// What is to be written.
    fn tx(&mut self) -> &mut SendQueue;

    /// We will send nothing more, but still read: once `tx` is written, the driver ends our side of the stream. Most protocols end both
    /// sides at once and never say so.
    fn sends_no_more(&self) -> bool {
        false
    }

    /// Starts an orderly end: new sends are refused, what is queued is still written. Done when
    /// [`is_closed`](Self::is_closed).
    fn close(&mut self);

    /// Nothing more can be sent, and what is queued is only still written: [`close`](Self::close) was called, or the peer's end closed
    /// it. A peer that then takes nothing is given up by the driver. Protocols that wait for no queue at the peer's end need not say so.
    fn is_closing(&self) -> bool {
        self.is_closed()
    }

    /// The connection is over, or closed by us and all that was queued is written: the socket can go.
    fn is_closed(&self) -> bool;
}
