//! What the peer has of our state, and what it lacks.
//!
//! ```text
//! in step   version = the state's              a flush: its patch, as every connection in step gets it
//! behind    the queue was full at a flush      once there is room: what changed since, as one patch of its own
//! new       version 0, `null`                  the whole
//! ```

use alloc::string::ToString;

use bytestring::ByteString;

use super::{Flushed, SendFault, State};
use crate::json::{Value, diff};

/// Where patches go.
pub(super) trait Patches {
    /// Whether the queue has room for a patch of `size` bytes.
    fn has_room(&self, size: usize) -> bool;

    /// Queues a message with the text of a patch.
    fn send_patch(&mut self, patch: ByteString) -> Result<(), SendFault>;
}

/// A connection's place in the history of a state.
#[derive(Debug, Default)]
pub(super) struct Told {
    version: u64,
    /// The value of `version`. It shares its memory with the state.
    value: Value,
    /// Where the peer should be, and is not because the queue is full, or the connection not open yet.
    next: Option<Next>,
}

#[derive(Debug)]
struct Next {
    version: u64,
    value: Value,
    /// Bytes of the patch that the queue had no room for.
    size: usize,
}

impl Told {
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

    /// Brings the peer to what `state` has flushed; `flushed` is its last flush, where that is at hand. What the queue has no room for
    /// is left to [`catch_up`](Self::catch_up).
    pub(super) fn follow(
        &mut self,
        state: &mut State,
        flushed: Option<&Flushed>,
        to: &mut impl Patches,
    ) -> Result<(), SendFault> {
        let version = state.version();
        if self.version == version {
            return Ok(());
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
        let Some(next) = self.next.take_if(|next| to.has_room(next.size)) else { return };
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
