//! The peer's changes: counted for who wants the newest value, kept for who wants each of them.

use crate::inbox::{Inbox, InboxLimits};
use hat_core::json::Value;

/// What a change that waits weighs beside its bytes on the wire: the parts of the value that are
/// its own.
const CHANGE_WEIGHT: usize = 4 * 1024;

pub(super) struct Changes {
    /// How many there were.
    count: u64,
    limits: InboxLimits,
    /// Those that wait to be taken one by one, once somebody wants them so.
    each: Option<Inbox<Value>>,
}

impl Changes {
    /// `each`: all are kept from the beginning.
    pub(super) fn new(each: bool, limits: InboxLimits) -> Self {
        Self { count: 0, limits, each: each.then(|| Inbox::new(limits)) }
    }

    pub(super) fn push(&mut self, value: &Value, size: usize) {
        self.count += 1;
        if let Some(each) = &mut self.each {
            each.push(value.clone(), size.saturating_add(CHANGE_WEIGHT));
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn has_room(&self) -> bool {
        self.each.as_ref().is_none_or(Inbox::has_room)
    }

    /// The next one; they are kept from now on.
    pub(super) fn pop(&mut self) -> Option<Value> {
        self.each.get_or_insert_with(|| Inbox::new(self.limits)).pop()
    }
}
