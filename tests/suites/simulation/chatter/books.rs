//! The conversations of one side as its application sees them: who may speak, and until when it
//! waits.

use std::collections::{BTreeMap, VecDeque};

use hat_core::chatter::{Conversation, Message, SendOptions};
use hat_core::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Books {
    conversations: BTreeMap<Conversation, State>,
    /// What the peer said, and has not come yet, oldest first.
    pub(super) expected: VecDeque<Message>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    ours: bool,
    timeout: Option<Instant>,
}

impl Books {
    pub(super) fn open(&self) -> usize {
        self.conversations.len()
    }

    /// Conversations in which we may speak, or may not.
    pub(super) fn with_token(&self, ours: bool) -> Vec<Conversation> {
        let of = self.conversations.iter().filter(|(_, state)| state.ours == ours);
        of.map(|(conversation, _)| *conversation).collect()
    }

    /// The earliest timeout.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.conversations.values().filter_map(|state| state.timeout).min()
    }

    pub(super) fn clear(&mut self) {
        self.conversations.clear();
    }

    /// We said something: gives it as the peer must get it.
    pub(super) fn sent(
        &mut self,
        data: hat_core::chatter::Data,
        conversation: Conversation,
        options: SendOptions,
    ) -> Message {
        let SendOptions { last, token, timeout, .. } = options;
        if last {
            self.conversations.remove(&conversation);
        } else {
            self.conversations.insert(conversation, State { ours: !token, timeout });
        }
        Message {
            data,
            conversation: Conversation { owner: !conversation.owner, ..conversation },
            first: options.conversation.is_none(),
            last,
            token,
        }
    }

    /// A message came: it is the next that the peer said.
    pub(super) fn received(&mut self, message: &Message) {
        let expected = self.expected.pop_front();
        assert_eq!(Some(message), expected.as_ref(), "not what the peer said next");
        if message.last {
            self.conversations.remove(&message.conversation);
        } else {
            let state = State { ours: message.token, timeout: None };
            self.conversations.insert(message.conversation, state);
        }
    }

    /// A timeout fired: it is the earliest, due, and was not told before.
    pub(super) fn timed_out(&mut self, conversation: Conversation, now: Instant, is_exact: bool) {
        let earliest = self.deadline();
        let state = self.conversations.get_mut(&conversation).expect("an open conversation");
        let at = state.timeout.take().expect("a timeout that was set, and has not fired");
        assert_eq!(Some(at), earliest, "another timeout is earlier");
        assert!(
            now >= at && (now == at || !is_exact),
            "a timeout at {now:?} that is due at {at:?}"
        );
    }
}
