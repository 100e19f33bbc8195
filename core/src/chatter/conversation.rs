//! Which conversations are open, who may send in them, and until when they wait.

use alloc::collections::BTreeSet;

use crate::ascending::Ascending;
use crate::time::Instant;

/// The name of a conversation, as this side sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Conversation {
    /// The id of its first message, as numbered by the side that started it.
    pub first_id: i64,
    /// This side started it.
    pub owner: bool,
}

/// The open conversations of one connection. An entry goes with the last message of its
/// conversation, so the table goes with what is open.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Of the peer, and of this side; by the id of the first message.
    open: [Ascending<State>; 2],
    timeouts: BTreeSet<(Instant, Conversation)>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// This side has the token.
    ours: bool,
    timeout: Option<Instant>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.open.iter().map(Ascending::len).sum()
    }

    #[inline]
    fn of(&mut self, conversation: Conversation) -> &mut Ascending<State> {
        &mut self.open[usize::from(conversation.owner)]
    }

    /// Whether this side has the token; `None` where the conversation is not open.
    #[inline]
    pub(super) fn token(&self, conversation: Conversation) -> Option<bool> {
        let of = &self.open[usize::from(conversation.owner)];
        of.get(conversation.first_id).map(|state| state.ours)
    }

    /// A message went out or came in: the conversation is open, and `ours` says who has the token
    /// now. A timeout that was set is cancelled, `timeout` is set instead.
    pub(super) fn keep(
        &mut self,
        conversation: Conversation,
        ours: bool,
        timeout: Option<Instant>,
    ) {
        let state = State { ours, timeout };
        let earlier = self.of(conversation).insert(conversation.first_id, state);
        let earlier = earlier.and_then(|state| state.timeout);
        if let Some(at) = earlier {
            self.timeouts.remove(&(at, conversation));
        }
        if let Some(at) = timeout {
            self.timeouts.insert((at, conversation));
        }
    }

    /// The conversation is over.
    #[inline]
    pub(super) fn end(&mut self, conversation: Conversation) {
        if let Some(State { timeout: Some(at), .. }) =
            self.of(conversation).remove(conversation.first_id)
        {
            self.timeouts.remove(&(at, conversation));
        }
    }

    /// The connection is over: nothing is open, no timeout will fire.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timeouts.first().map(|&(at, _)| at)
    }

    /// A conversation whose timeout is due; it is reported once and stays open.
    pub(super) fn timed_out(&mut self, now: Instant) -> Option<Conversation> {
        let &(at, conversation) = self.timeouts.first()?;
        if now < at {
            return None;
        }
        self.timeouts.pop_first();
        if let Some(state) = self.of(conversation).get_mut(conversation.first_id) {
            state.timeout = None;
        }
        Some(conversation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    const ONE: Conversation = Conversation { first_id: 1, owner: true };
    const TWO: Conversation = Conversation { first_id: 2, owner: true };

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_timeout_fires_once_and_is_cancelled_by_the_next_message() {
        let mut table = Table::default();
        table.keep(ONE, false, Some(at(10)));
        table.keep(TWO, false, Some(at(5)));
        assert_eq!(table.deadline(), Some(at(5)));
        assert_eq!(table.timed_out(at(4)), None);
        assert_eq!(table.timed_out(at(5)), Some(TWO));
        assert_eq!(table.timed_out(at(5)), None);
        assert_eq!(table.token(TWO), Some(false));
        table.keep(ONE, true, None);
        assert_eq!(table.deadline(), None);
        assert_eq!(table.timed_out(at(20)), None);
    }

    #[test]
    fn nothing_is_left_of_what_is_over() {
        let mut table = Table::default();
        table.keep(ONE, false, Some(at(10)));
        table.end(ONE);
        assert_eq!((table.len(), table.deadline()), (0, None));
    }
}
