//! One side of a connection: what its application says, and what is known of it.

use std::collections::VecDeque;
use std::time::Duration;

use hat_core::chatter::{
    Config, Connection, Conversation, Data, Dialect, Incoming, Message, SendFault, SendOptions,
};
use hat_core::time::{Instant, earliest};
use hat_tests::simulation::{Outcome, PollReport, Random, Tally};

use super::books::Books;
use super::pings::Pings;
use super::{MAX_MESSAGE, MESSAGE_TIMEOUT};

#[derive(Debug)]
pub(super) struct Side {
    pub(super) books: Books,
    pub(super) pings: Pings,
    dialect: Dialect,
    max_queued: usize,
    /// Messages that the application said, refused ones included.
    pub(super) said: usize,
    /// Said before the peer was up.
    pub(super) to_peer: VecDeque<Message>,
    /// Nothing has kept the machine from being polled when it wanted.
    pub(super) is_exact: bool,
    pub(super) is_closing: bool,
    /// It closed, and all that it had said was written.
    pub(super) is_orderly: bool,
}

impl Side {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        Self {
            books: Books::default(),
            pings: Pings::new(config, now),
            dialect: config.dialect,
            max_queued: config.max_queued,
            said: 0,
            to_peer: VecDeque::new(),
            is_exact: true,
            is_closing: false,
            is_orderly: false,
        }
    }

    /// The application closed, or the connection is over.
    pub(super) fn close(&mut self) {
        self.is_closing = true;
        self.books.clear();
    }

    pub(super) fn polled(&mut self, polled: &PollReport) {
        if self.is_closing {
            assert!(polled.queued.is_empty(), "a side that closes queues something");
            return;
        }
        self.pings.polled(polled, self.is_exact);
        if polled.outcome == Outcome::Nothing {
            // that of a message on its way is beyond every run
            let deadline = polled.deadline.filter(|at| *at - polled.now < MESSAGE_TIMEOUT / 2);
            assert_eq!(deadline, earliest(self.pings.deadline(), self.books.deadline()));
        }
    }

    pub(super) fn incoming(&mut self, incoming: Incoming, now: Instant) -> &'static str {
        assert!(!self.is_closing, "a side that closes still gives {incoming:?}");
        match incoming {
            Incoming::Message(message) => {
                self.books.received(&message);
                "messages"
            }
            Incoming::Timeout(conversation) => {
                self.books.timed_out(conversation, now, self.is_exact);
                "timeouts"
            }
        }
    }

    /// Says something, allowed or not, and checks what becomes of it. Gives the message if it is on
    /// its way.
    pub(super) fn say(
        &mut self,
        machine: &mut Connection,
        now: Instant,
        random: &mut Random,
    ) -> (Option<Message>, &'static str) {
        self.said += 1;
        let most = random.pick(&[20, 20, 300, MAX_MESSAGE + 100]);
        let mut data =
            Data::new(format!("T{}", self.said), vec![self.said as u8; random.size(most)]);
        if random.chance(if self.dialect == Dialect::Hat { 50 } else { 2 }) {
            data.module = Some("Module".into());
        }
        let (conversation, may) = self.place(random);
        let timeout = random.chance(40).then(|| now + random.duration(Duration::from_secs(30)));
        let (last, token) = (random.chance(30), random.chance(60));
        let options = SendOptions { conversation, last, token, timeout };
        let queued = machine.queued();
        let refused = match machine.send(data.clone(), options) {
            Ok(conversation) => {
                assert_eq!(may, Ok(()), "taken, though it is not allowed");
                assert!(queued == 0 || machine.queued() <= self.max_queued);
                return (Some(self.books.sent(data, conversation, options)), "sent");
            }
            Err(refused) => {
                assert_eq!(*refused.data, data, "the data is handed back");
                assert_eq!(machine.queued(), queued, "a refused message left something behind");
                refused.fault
            }
        };
        match refused {
            SendFault::Closed => assert!(self.is_closing),
            SendFault::ModuleNotSupported => {
                assert!(data.module.is_some() && self.dialect == Dialect::HatChatter);
            }
            SendFault::TooLarge { size, .. } => {
                assert!(size > MAX_MESSAGE && size <= data.data.len() + 64);
            }
            SendFault::QueueFull { limit } => {
                assert!(queued > 0 && queued + data.data.len() + 64 > limit);
                return (None, "full queues");
            }
            fault => assert_eq!(Err(fault), may),
        }
        (None, "refused sends")
    }

    /// Where to say it, and whether that is allowed.
    fn place(&self, random: &mut Random) -> (Option<Conversation>, Result<(), SendFault>) {
        let ours = self.books.with_token(true);
        let theirs = self.books.with_token(false);
        match random.below(10) {
            0 => {
                let gone = Conversation { first_id: 1_000_000, owner: true };
                (Some(gone), Err(SendFault::NotOpen))
            }
            1 if !theirs.is_empty() => (Some(random.pick(&theirs)), Err(SendFault::NoToken)),
            2..=6 if !ours.is_empty() => (Some(random.pick(&ours)), Ok(())),
            _ => (None, Ok(())),
        }
    }

    pub(super) fn count(&self, tally: &mut Tally) {
        *tally.entry("pings").or_default() += self.pings.pings;
        *tally.entry("pongs").or_default() += self.pings.pongs;
    }
}
