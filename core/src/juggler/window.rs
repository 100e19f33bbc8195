//! How much of our state is on its way to the peer: what was queued, and not seen by it yet.
//!
//! ```text
//! patches ──> 16 KiB ──ping──>          unseen grows
//!                     <──pong── peer    unseen shrinks by what was before the ping
//! unseen >= the window: no patch is queued, what changes meanwhile is merged into one
//! ```
//!
//! What is with the system, with a proxy or in a radio's queue has left us, and may be a minute
//! old when the peer shows it. So it is the peer that says how far it is, by its pong. One that
//! never does is told nothing more once the window is full, and a warning says so.

use alloc::string::ToString;
use core::time::Duration;

use bytestring::ByteString;

use super::SendFault;
use crate::time::Instant;
use crate::trace;

/// Bytes of patches before the peer is asked whether it has seen them: a ping and a pong are a
/// thousandth of that.
const ASK: usize = 16 * 1024;

/// A pong that has not come for so long is warned of: as long as a peer may be silent by default.
const LATE: Duration = Duration::from_secs(30);

/// Patches that the peer may not have seen yet.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    unseen: usize,
    asked: Option<Asked>,
    /// Pings so far.
    count: u64,
}

/// A ping that is under way.
#[derive(Debug)]
struct Asked {
    payload: ByteString,
    /// Bytes of patches before it.
    before: usize,
    /// Since when nothing was there to be read, the pong neither.
    since: Option<Instant>,
    /// It was warned of.
    warned: bool,
}

impl Window {
    /// With `size` bytes of patches under way, no more are queued; one larger patch may be.
    pub(super) fn new(size: usize) -> Self {
        Self { size, unseen: 0, asked: None, count: 0 }
    }

    /// Whether another patch may be queued.
    pub(super) fn may_send(&self) -> Result<(), SendFault> {
        let limit = self.size;
        if self.unseen < limit { Ok(()) } else { Err(SendFault::QueueFull { limit }) }
    }

    /// A patch of `size` bytes is queued. Gives the payload of the ping that is to follow it, if
    /// one is.
    #[must_use]
    pub(super) fn sent(&mut self, size: usize) -> Option<ByteString> {
        self.unseen = self.unseen.saturating_add(size);
        self.ask()
    }

    /// A pong came with `payload`. Gives the payload of the next ping, if one is due.
    #[must_use]
    pub(super) fn answered(&mut self, payload: &[u8]) -> Option<ByteString> {
        let asked = self.asked.take_if(|asked| asked.payload.as_bytes() == payload)?;
        self.unseen -= asked.before;
        self.ask()
    }

    /// All that has come was read at `now`: warns of a pong that is [`LATE`], once.
    pub(super) fn look(&mut self, now: Instant) {
        if self.is_late(now) {
            trace::unanswered(self.unseen, LATE);
        }
    }

    fn is_late(&mut self, now: Instant) -> bool {
        let Some(asked) = self.asked.as_mut().filter(|asked| !asked.warned) else { return false };
        asked.warned = now - *asked.since.get_or_insert(now) >= LATE;
        asked.warned
    }

    fn ask(&mut self) -> Option<ByteString> {
        if self.asked.is_some() || self.unseen < ASK {
            return None;
        }
        self.count += 1;
        let payload = ByteString::from(self.count.to_string());
        let (before, since) = (self.unseen, None);
        self.asked = Some(Asked { payload: payload.clone(), before, since, warned: false });
        Some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_never_asked_about() {
        let mut window = Window::new(4 * ASK);
        for _ in 0..ASK - 1 {
            assert_eq!(window.sent(1), None);
        }
        assert_eq!(window.sent(1).as_deref(), Some("1"));
        assert_eq!(window.answered(b"1"), None);
        assert_eq!(window.unseen, 0);
    }

    #[test]
    fn a_full_window_opens_by_what_the_peer_has_seen() {
        let mut window = Window::new(4 * ASK);
        assert_eq!(window.sent(ASK).as_deref(), Some("1"));
        assert_eq!(window.sent(3 * ASK), None, "one is under way");
        assert!(window.may_send().expect_err("full").is_queue_full());
        for wrong in [&b""[..], b"0", b"2", b"11"] {
            assert_eq!(window.answered(wrong), None);
        }
        assert!(window.may_send().is_err(), "pongs that nobody asked for");
        assert_eq!(window.answered(b"1").as_deref(), Some("2"));
        assert!(window.may_send().is_ok());
        assert_eq!(window.answered(b"1"), None, "once");
        assert_eq!(window.answered(b"2"), None);
        assert_eq!(window.unseen, 0);
    }

    #[test]
    fn a_pong_that_does_not_come_is_late_once() {
        let at = |seconds| Instant::ORIGIN + Duration::from_secs(seconds);
        let mut window = Window::new(4 * ASK);
        assert!(!window.is_late(at(0)), "nothing was asked");
        assert_eq!(window.sent(ASK).as_deref(), Some("1"));
        assert!(!window.is_late(at(100)), "from here on");
        assert!(!window.is_late(at(129)));
        assert!(window.is_late(at(130)));
        assert!(!window.is_late(at(200)), "it was said");
        assert_eq!(window.answered(b"1"), None);
        assert_eq!(window.sent(ASK).as_deref(), Some("2"));
        assert!(!window.is_late(at(300)), "another one");
        assert!(window.is_late(at(330)));
    }

    #[test]
    fn one_larger_than_the_window_goes_alone() {
        let mut window = Window::new(4 * ASK);
        assert_eq!(window.sent(100 * ASK).as_deref(), Some("1"));
        assert!(window.may_send().is_err());
        assert_eq!(window.answered(b"1"), None);
        assert!(window.may_send().is_ok());
    }
}
