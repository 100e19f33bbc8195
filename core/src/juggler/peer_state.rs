//! What the peer has of our state, and what it lacks.
//!
//! ```text
//! in step   version = the state's           a flush: its patch, as all in step get it
//! behind    the queue was full at a flush   once there is room: what changed since, as one patch
//! new       version 0, `null`               the whole
//! ```

use alloc::string::ToString;

use bytestring::ByteString;

use super::{Flush, SendFault, State};
use crate::json::{Value, diff};

/// With so many bytes that wait to be written, 256 KiB, whatever they are, no more patches are
/// queued: what changes meanwhile is merged into one. Patches alone wait for the peer long before
/// that: see [`Window`](super::window::Window).
const ENOUGH_QUEUED: usize = 256 * 1024;

/// Whether so much is queued that a patch is better made later.
pub(super) fn may_queue_patch(queued: usize) -> Result<(), SendFault> {
    if queued < ENOUGH_QUEUED { Ok(()) } else { Err(SendFault::QueueFull { limit: ENOUGH_QUEUED }) }
}

/// Where patches go.
pub(super) trait Patches {
    /// Whether a patch of `size` bytes could be queued now.
    fn may_send(&self, size: usize) -> Result<(), SendFault>;

    /// Queues a message with the text of a patch.
    fn send_patch(&mut self, patch: ByteString) -> Result<(), SendFault>;
}

/// A connection's place in the history of a state.
#[derive(Debug, Default)]
pub(super) struct PeerState {
    version: u64,
    /// The value of `version`. It shares its memory with the state.
    value: Value,
    /// Where the peer should be, and is not because the queue is full, or the connection not open
    /// yet.
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    version: u64,
    value: Value,
    /// Bytes of the patch that the queue had no room for.
    size: usize,
}

impl PeerState {
    /// The peer lacks something that was flushed.
    pub(super) fn is_behind(&self) -> bool {
        self.next.is_some()
    }

    /// Another state is told from now on: versions mean nothing any more, only values do.
    pub(super) fn change_state(&mut self) {
        if self.version != 0 {
            self.version = u64::MAX;
        }
        self.next = None;
    }

    /// Brings the peer to what `state` has flushed; `flushed` is its last flush, where that is at
    /// hand. What the queue has no room for is left to [`catch_up`](Self::catch_up).
    pub(super) fn follow(
        &mut self,
        state: &mut State,
        flushed: Option<&Flush>,
        to: &mut impl Patches,
    ) -> Result<(), SendFault> {
        let version = state.version();
        if self.version == version {
            return Ok(());
        }
        // nothing is encoded in vain at each flush, as long as there is no room for what was
        // missing before
        if let Some(next) = &mut self.next
            && let Err(fault) = to.may_send(next.size)
        {
            (next.version, next.value) = (version, state.flushed().clone());
            return Err(fault);
        }
        let patch = match flushed {
            Some(flushed) if (flushed.from, flushed.to) == (self.version, version) => {
                flushed.patch.clone()
            }
            _ if self.version == 0 && !state.flushed().is_null() => state.whole().1,
            _ => self.diff(state.flushed()),
        };
        let next = Next { version, value: state.flushed().clone(), size: patch.len() };
        self.send(next, patch, to)
    }

    /// Tells what was held back, if there is room now.
    pub(super) fn catch_up(&mut self, to: &mut impl Patches) {
        let Some(next) = self.next.take_if(|next| to.may_send(next.size).is_ok()) else { return };
        let patch = self.diff(&next.value);
        let next = Next { size: patch.len(), ..next };
        // refused again: there will be room another time, or never more
        let _ = self.send(next, patch, to);
    }

    fn diff(&self, value: &Value) -> ByteString {
        diff(&self.value, value).to_string().into()
    }

    fn send(
        &mut self,
        next: Next,
        patch: ByteString,
        to: &mut impl Patches,
    ) -> Result<(), SendFault> {
        // it was changed and changed back while the peer was told neither
        let sent = if patch == "[]" { Ok(()) } else { to.send_patch(patch) };
        match sent {
            Ok(()) => {
                (self.version, self.value, self.next) = (next.version, next.value, None);
            }
            Err(fault) if fault.is_closed() => {}
            Err(_) => self.next = Some(next),
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue of patches, and how many it refused.
    #[derive(Default)]
    struct Queue {
        room: usize,
        sent: alloc::vec::Vec<ByteString>,
        refused: usize,
    }

    impl Patches for Queue {
        fn may_send(&self, size: usize) -> Result<(), SendFault> {
            let limit = self.room;
            if size > limit { Err(SendFault::QueueFull { limit }) } else { Ok(()) }
        }

        fn send_patch(&mut self, patch: ByteString) -> Result<(), SendFault> {
            let may = self.may_send(patch.len());
            match may {
                Ok(()) => self.sent.push(patch),
                Err(_) => self.refused += 1,
            }
            may
        }
    }

    #[test]
    fn who_is_behind_costs_no_patch_at_each_flush() {
        let (mut state, mut told, mut queue) =
            (State::default(), PeerState::default(), Queue::default());
        for round in 1..=100 {
            state.replace(round).expect("small");
            let flushed = state.flush();
            let followed = told.follow(&mut state, flushed.as_ref(), &mut queue);
            assert!(followed.expect_err("no room").is_queue_full());
            told.catch_up(&mut queue);
            assert!(told.is_behind());
        }
        assert_eq!(queue.refused, 1, "one, which said how much room is missing");
        queue.room = 1000;
        told.catch_up(&mut queue);
        assert!(!told.is_behind());
        assert_eq!(queue.sent, [r#"[{"op":"replace","path":"","value":100}]"#]);
    }

    #[test]
    fn what_is_missing_may_have_grown() {
        let (mut state, mut told) = (State::default(), PeerState::default());
        let mut queue = Queue { room: 40, ..Queue::default() };
        for value in ["a".repeat(41), "b".repeat(1000)] {
            state.replace(value).expect("small");
            let flushed = state.flush();
            told.follow(&mut state, flushed.as_ref(), &mut queue).expect_err("no room");
        }
        // room for what was missing first: the next try says how much it is now
        queue.room = 100;
        told.catch_up(&mut queue);
        told.catch_up(&mut queue);
        assert_eq!((queue.refused, told.is_behind()), (2, true));
        queue.room = 2000;
        told.catch_up(&mut queue);
        assert_eq!((queue.sent.len(), told.is_behind()), (1, false));
    }
}
