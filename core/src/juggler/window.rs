//! How much of our state is on its way to the peer: what was queued, and not seen by it yet.
//!
//! ```text
//! patches ──> 16 KiB ──ping──>          unseen grows
//!                     <──pong── peer    unseen shrinks by what was before the ping
//! unseen >= the window: no patch is queued, what changes meanwhile is merged into one
//! ```
//!
//! What is with the system, with a proxy or in a radio's queue has left us, and may be a minute
//! old when the peer shows it. So it is the peer that says how far it is, by its pong.

use alloc::string::ToString;

use bytestring::ByteString;

use super::SendFault;

/// Bytes of patches before the peer is asked whether it has seen them: a ping and a pong are a
/// thousandth of that.
const ASK: usize = 16 * 1024;

/// Patches that the peer may not have seen yet.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    unseen: usize,
    /// The ping that is under way, and the bytes before it.
    asked: Option<(ByteString, usize)>,
    /// Pings so far.
    count: u64,
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
        let (_, seen) = self.asked.take_if(|(asked, _)| asked.as_bytes() == payload)?;
        self.unseen -= seen;
        self.ask()
    }

    fn ask(&mut self) -> Option<ByteString> {
        if self.asked.is_some() || self.unseen < ASK {
            return None;
        }
        self.count += 1;
        let payload = ByteString::from(self.count.to_string());
        self.asked = Some((payload.clone(), self.unseen));
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
    fn one_larger_than_the_window_goes_alone() {
        let mut window = Window::new(4 * ASK);
        assert_eq!(window.sent(100 * ASK).as_deref(), Some("1"));
        assert!(window.may_send().is_err());
        assert_eq!(window.answered(b"1"), None);
        assert!(window.may_send().is_ok());
    }
}
