use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use hat_core::chatter::{
    Config, Connection, Conversation, Data, Dialect, Error, Incoming, PingRule, SendFault,
    SendOptions,
};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;

use super::feed::{Arrival, any_bytes};
use crate::pair::{Pair, Side};

/// Small, so that inputs reach it.
const MAX_MESSAGE: usize = 300;

/// Bytes from a peer, in both dialects.
pub(super) fn bytes(input: &[u8]) {
    let Some((arrival, bytes)) = Arrival::split(input) else { return };
    let dialect = if arrival.option(0) { Dialect::Hat } else { Dialect::HatChatter };
    let config = Config {
        strict: arrival.option(1),
        max_message: MAX_MESSAGE,
        max_conversations: if arrival.option(2) { 2 } else { 100 },
        ..Config::new(dialect)
    };
    // the length of a length is one byte, so at most 256 bytes stand before a body
    let limit = 256 + MAX_MESSAGE;
    any_bytes(
        arrival,
        bytes,
        limit,
        || Connection::new(config.clone(), Instant::ORIGIN),
        |machine, incoming| {
            if let Incoming::Message(message) = incoming
                && !message.last
            {
                // where we have no token, or they broke a rule, it is refused
                let conversation = Some(message.conversation);
                let _ = machine
                    .send(Data::new("A", ""), SendOptions { conversation, ..Default::default() });
            }
        },
    );
}

/// Calls of two ends, as a model knows them.
pub(super) fn calls(input: &[u8]) {
    // the input ends where it ends
    let _ = Calls::run(&mut Unstructured::new(input));
}

/// One conversation, by the name that its owner gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    of_a: bool,
    first_id: i64,
}

impl Name {
    fn new(conversation: Conversation, seen_by_a: bool) -> Self {
        let Conversation { owner, first_id } = conversation;
        Self { of_a: owner == seen_by_a, first_id }
    }

    fn seen(self, by_a: bool) -> Conversation {
        Conversation { owner: self.of_a == by_a, first_id: self.first_id }
    }
}

/// What one side sent and the other must get.
#[derive(Debug)]
struct Sent {
    name: Name,
    data: Data,
    last: bool,
}

struct Calls {
    pair: Pair<Connection, Connection>,
    /// On their way to `a`, and to `b`.
    sent: [VecDeque<Sent>; 2],
    /// Open, as `a` and `b` know it.
    open: [BTreeSet<Name>; 2],
    /// Ever begun.
    known: Vec<Name>,
    /// When a conversation times out, by the side that asked for it.
    due: BTreeMap<(bool, Name), Instant>,
    /// A side took nothing in for a time: the other may have given it up.
    was_stalled: bool,
}

impl Calls {
    fn run(input: &mut Unstructured<'_>) -> Result<()> {
        let dialect = if input.arbitrary()? { Dialect::Hat } else { Dialect::HatChatter };
        let ping = if input.arbitrary()? { PingRule::Off } else { Config::new(dialect).ping };
        let max_queued = if input.arbitrary()? { 2000 } else { 1 << 24 };
        let config = Config { ping, max_queued, ..Config::new(dialect) };
        let grain = match input.int_in_range(0..=40)? {
            0 => usize::MAX,
            grain => grain,
        };
        let machine = || Connection::new(config.clone(), Instant::ORIGIN);
        let mut calls = Self {
            pair: Pair::new(machine(), machine(), grain),
            sent: Default::default(),
            open: Default::default(),
            known: Vec::new(),
            due: BTreeMap::new(),
            was_stalled: false,
        };
        let result = calls.steps(input);
        calls.finish();
        result
    }

    fn steps(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        while !input.is_empty() && self.error().is_none() {
            match input.int_in_range(0..=9)? {
                0..=5 => self.send(input)?,
                6 => self.pair.drive(),
                7 => {
                    let time = Duration::from_millis(input.int_in_range(0..=60_000)?);
                    self.pair.wait(time);
                }
                8 => {
                    self.was_stalled = true;
                    self.pair.a.stalled = input.arbitrary()?;
                }
                _ => {
                    self.was_stalled = true;
                    self.pair.b.stalled = input.arbitrary()?;
                }
            }
            self.check();
        }
        Ok(())
    }

    fn send(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let by_a: bool = input.arbitrary()?;
        let name = match self.known.len() {
            0 => None,
            count if input.ratio(2, 3)? => Some(self.known[input.choose_index(count)?]),
            _ => None,
        };
        let size = *input.choose(&[0, 1, 5, 60, 127, 300, 1023, 1024, 5000])?;
        let data = Data { module: None, r#type: "T".into(), data: vec![by_a.into(); size].into() };
        let (last, token) = (input.arbitrary()?, input.arbitrary()?);
        let seconds = if input.ratio(1, 4)? { Some(input.int_in_range(0..=90_u64)?) } else { None };
        let timeout = seconds.map(|seconds| self.pair.now + Duration::from_secs(seconds));
        let conversation = name.map(|name| name.seen(by_a));
        let options = SendOptions { conversation, last, token, timeout };

        let side = usize::from(by_a);
        let machine = if by_a { &mut self.pair.a.machine } else { &mut self.pair.b.machine };
        let queued = machine.queued();
        match machine.send(data.clone(), options) {
            Ok(conversation) => {
                let name = Name::new(conversation, by_a);
                assert!(options.conversation.is_none_or(|it| it == conversation));
                assert!(machine.queued() > queued);
                if options.conversation.is_none() {
                    self.known.push(name);
                }
                self.due.remove(&(by_a, name));
                if last {
                    self.open[side].remove(&name);
                } else {
                    self.open[side].insert(name);
                    self.due.extend(timeout.map(|at| ((by_a, name), at)));
                }
                self.sent[usize::from(!by_a)].push_back(Sent { name, data, last });
            }
            Err(refused) => {
                assert_eq!((*refused.data, machine.queued()), (data, queued));
                let open = name.is_none_or(|name| self.open[side].contains(&name));
                match refused.fault {
                    SendFault::NotOpen => assert!(!open),
                    SendFault::QueueFull { .. } | SendFault::NoToken => assert!(open),
                    other => assert!(machine.is_closed(), "{other}"),
                }
            }
        }
        Ok(())
    }

    /// Takes what came, which must be what was sent.
    fn check(&mut self) {
        for by_a in [true, false] {
            let incoming = if by_a {
                std::mem::take(&mut self.pair.a.incoming)
            } else {
                std::mem::take(&mut self.pair.b.incoming)
            };
            for incoming in incoming {
                self.came(by_a, incoming);
            }
        }
    }

    fn came(&mut self, by_a: bool, incoming: Incoming) {
        let side = usize::from(by_a);
        match incoming {
            Incoming::Message(message) => {
                let sent = self.sent[side].pop_front().expect("it was sent");
                let name = Name::new(message.conversation, by_a);
                assert_eq!((name, &message.data, message.last), (sent.name, &sent.data, sent.last));
                self.due.remove(&(by_a, name));
                if message.last {
                    self.open[side].remove(&name);
                } else {
                    self.open[side].insert(name);
                }
            }
            Incoming::Timeout(conversation) => {
                let name = Name::new(conversation, by_a);
                let at = self.due.remove(&(by_a, name)).expect("a timeout was set");
                assert!(at <= self.pair.now, "before its time");
            }
        }
    }

    fn error(&self) -> Option<&Error> {
        self.pair.a.error.as_ref().or(self.pair.b.error.as_ref())
    }

    /// All that was sent arrives, unless a side was given up.
    fn finish(&mut self) {
        (self.pair.a.stalled, self.pair.b.stalled) = (false, false);
        self.pair.drive();
        self.check();
        if let Some(error) = self.error() {
            assert!(self.was_stalled && *error == Error::PingTimeout, "{error}");
            return;
        }
        assert!(self.sent.iter().all(VecDeque::is_empty), "lost: {:?}", self.sent);
        let of = |side: &Side<Connection>| side.machine.open_conversations();
        let [b, a] = self.open.each_ref().map(BTreeSet::len);
        // pings of their own may be open too, but nothing is on its way
        assert_eq!((of(&self.pair.a), of(&self.pair.b)), (a, b));
    }
}
