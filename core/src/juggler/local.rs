//! The state of one connection: its value, when it is flushed, and what the peer has of it.

use super::peer_state::{Patches, PeerState};
use super::{Autoflush, Flush, SendFault, State};
use crate::time::Instant;

#[derive(Debug)]
pub(super) struct Local {
    state: State,
    autoflush: Autoflush,
    told: PeerState,
    /// The peer follows a state that others share instead.
    is_replaced: bool,
}

impl Local {
    pub(super) fn new(autoflush: Autoflush) -> Self {
        Self { state: State::default(), autoflush, told: PeerState::default(), is_replaced: false }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn told(&self) -> &PeerState {
        &self.told
    }

    /// Changes the state, and sends it where the delay is zero.
    pub(super) fn change<R>(
        &mut self,
        change: impl FnOnce(&mut State) -> R,
        to: &mut impl Patches,
    ) -> R {
        let result = change(&mut self.state);
        if self.state.is_changed() && !self.is_replaced && self.autoflush.changed() {
            // what is refused is told later
            let _ = self.flush(to);
        }
        result
    }

    /// Sends what has changed.
    pub(super) fn flush(&mut self, to: &mut impl Patches) -> Result<(), SendFault> {
        if self.is_replaced {
            return Ok(());
        }
        self.autoflush.flushed();
        let flushed = self.state.flush();
        self.told.follow(&mut self.state, flushed.as_ref(), to)
    }

    /// Follows a state that others share, from now on.
    pub(super) fn follow(
        &mut self,
        state: &mut State,
        flushed: Option<&Flush>,
        to: &mut impl Patches,
    ) -> Result<(), SendFault> {
        if !self.is_replaced {
            self.is_replaced = true;
            self.autoflush.flushed();
            self.told.change_state();
        }
        self.told.follow(state, flushed, to)
    }

    /// Does what is due.
    pub(super) fn poll(&mut self, now: Instant, to: &mut impl Patches) {
        if self.autoflush.poll(now) {
            // what is refused is told later
            let _ = self.flush(to);
        } else {
            self.told.catch_up(to);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.autoflush.deadline()
    }
}
