//! Events that answers have given, and that a notification may bring once more.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Position;
use crate::eventer::Event;

/// Events of answers, of each server.
#[derive(Debug, Default)]
pub(super) struct GivenEvents {
    of: BTreeMap<i64, BTreeSet<Position>>,
    len: usize,
}

impl GivenEvents {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Remembers `event`, or one of its server less where there are `most`: the first are the least
    /// likely to be told again.
    pub(super) fn insert(&mut self, event: &Event, most: usize) {
        let of = self.of.entry(event.id.server).or_default();
        if self.len >= most && of.pop_first().is_some() {
            self.len -= 1;
        }
        if self.len < most && of.insert(event.into()) {
            self.len += 1;
        }
    }

    /// Leaves out what an answer gave. A server tells its events in order: what it gave before one
    /// that it tells now (`on_this_connection`) will not be told any more.
    pub(super) fn leave_out(&mut self, events: &mut Vec<Event>, on_this_connection: bool) {
        if self.len == 0 {
            return;
        }
        events.retain(|event| {
            let Some(of) = self.of.get_mut(&event.id.server) else { return true };
            let before = of.len();
            let twice = of.remove(&event.into());
            if on_this_connection {
                while of.first().is_some_and(|first| first.id <= event.id) {
                    of.pop_first();
                }
            }
            self.len -= before - of.len();
            !twice
        });
    }
}
