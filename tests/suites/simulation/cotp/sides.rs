//! One side of a connection: what its application says, and what must come to it.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use hat_core::cotp::{Config, Connection, Reason, Selector, SendFault};
use hat_core::time::Instant;
use hat_tests::simulation::Random;

use super::MAX_MESSAGE;

/// What a peer said.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    Message(Bytes),
    Expedited(Bytes),
}

impl Said {
    pub(super) fn len(&self) -> usize {
        let (Self::Message(data) | Self::Expedited(data)) = self;
        data.len()
    }
}

#[derive(Debug)]
pub(super) struct Side {
    pub(super) config: Config,
    pub(super) is_caller: bool,
    /// The caller asks for the called side by its right selector.
    pub(super) is_known: bool,
    pub(super) started: Instant,
    /// What must come, oldest first.
    expected: VecDeque<Said>,
    /// What is here of a message that comes in parts.
    part: BytesMut,
    /// What was said of a message whose last part was not.
    unfinished: Option<BytesMut>,
    pub(super) said: usize,
    pub(super) is_exact: bool,
    /// It ended its half of the stream.
    pub(super) is_shut: bool,
    /// It closed, and all that it had said was written.
    pub(super) has_left: bool,
    /// Its process ended, with things to say.
    pub(super) is_killed: bool,
    /// When it closed, the connection was established.
    pub(super) was_established: bool,
    /// It refused the peer's request.
    pub(super) refused: Option<Reason>,
}

impl Side {
    pub(super) fn new(config: Config) -> Self {
        let one = Selector::from(1);
        Self {
            is_caller: config.remote_selector.is_some(),
            // nobody looks at selectors in raw mode
            is_known: config.raw_variable_part.is_some()
                || config.local_selector.as_ref().is_none_or(|selector| *selector == one),
            config,
            started: Instant::ORIGIN,
            expected: VecDeque::new(),
            part: BytesMut::new(),
            unfinished: None,
            said: 0,
            is_exact: true,
            is_shut: false,
            has_left: false,
            is_killed: false,
            was_established: false,
            refused: None,
        }
    }

    pub(super) fn is_in_message(&self) -> bool {
        self.unfinished.is_some()
    }

    /// Octets of the message that must come next.
    pub(super) fn next_len(&self) -> Option<usize> {
        self.expected.front().map(Said::len)
    }

    /// The peer said this.
    pub(super) fn expect(&mut self, said: Said) {
        if said != Said::Message(Bytes::new()) || self.config.deliver_empty {
            self.expected.push_back(said);
        }
    }

    /// A message came, or a part of one; whether it is whole now.
    pub(super) fn got(&mut self, data: &Bytes, is_end: bool) -> bool {
        self.part.extend_from_slice(data);
        if is_end {
            let message = Said::Message(self.part.split().freeze());
            let expected = self.expected.pop_front();
            assert!(Some(&message) == expected.as_ref(), "not the message that was said next");
        }
        is_end
    }

    pub(super) fn got_expedited(&mut self, data: &Bytes) {
        assert_eq!(self.expected.pop_front(), Some(Said::Expedited(data.clone())));
    }

    /// The peer said all that it had to say, and it came.
    pub(super) fn check_all_came(&self) {
        let missing = self.expected.len();
        assert_eq!(missing, 0, "the peer ended in order, and messages never came");
    }

    /// Says something, and checks what becomes of it. Gives what is whole now and on its way.
    pub(super) fn say(
        &mut self,
        machine: &mut Connection,
        random: &mut Random,
    ) -> (Option<Said>, &'static str) {
        self.said += 1;
        let most = random.pick(&[20, 20, 1000, MAX_MESSAGE]);
        let mut data = BytesMut::zeroed(random.size(most));
        data.iter_mut().zip(self.said..).for_each(|(octet, value)| *octet = value as u8);
        let data = data.freeze();
        let queued = machine.queued();
        let kind = random.below(4);
        let sent = match kind {
            0 => machine.send_expedited(data.clone()).map(|()| Some(Said::Expedited(data.clone()))),
            1 => machine.send_part(data.clone(), false).map(|()| {
                self.unfinished.get_or_insert_default().extend_from_slice(&data);
                None
            }),
            _ if self.is_in_message() => machine.send_part(data.clone(), true).map(|()| {
                let mut whole = self.unfinished.take().unwrap_or_default();
                whole.extend_from_slice(&data);
                Some(Said::Message(whole.freeze()))
            }),
            _ => machine.send(data.clone()).map(|()| Some(Said::Message(data.clone()))),
        };
        let refused = match sent {
            Ok(said) => {
                assert!(queued == 0 || machine.queued() <= self.config.max_queued);
                return (said, "said");
            }
            Err(refused) => refused,
        };
        assert_eq!(refused.data, data, "the data is handed back");
        assert_eq!(machine.queued(), queued, "a refused message left something behind");
        match refused.fault {
            SendFault::QueueFull { limit } => {
                let most = data.len() + 7 * (data.len() / 125 + 1);
                assert!(queued > 0 && queued + most > limit);
                return (None, "full queues");
            }
            SendFault::NoExpedited => {
                assert!(kind == 0 && !machine.info().is_some_and(|info| info.expedited));
            }
            SendFault::InMessage => assert!(kind == 0 && self.is_in_message()),
            SendFault::ExpeditedLength { octets } => assert!(octets == 0 || octets > 16),
            fault => panic!("refused: {fault:?}"),
        }
        (None, "refused sends")
    }
}
