use std::collections::VecDeque;

use arbitrary::{Result, Unstructured};
use bytes::{Bytes, BytesMut};
use hat_core::cotp::{
    Answer, Config, Connection, Error, Incoming, Policy, Reason, Receive, Response, SendFault,
    TpduSize,
};
use hat_core::protocol::Protocol;
use hat_core::time::Instant;
use hat_core::tpkt;

use super::feed::{Arrival, any_bytes};
use super::gathering::Gatherer;
use crate::pair::Pair;

/// Small, so that inputs reach it.
const MAX_TSDU: usize = 500;

/// The largest TPKT packet.
const MOST: usize = 65_535;

/// Bytes of a stream of packets.
pub(super) fn tpkt_bytes(input: &[u8]) {
    let Some((arrival, bytes)) = Arrival::split(input) else { return };
    let make = || tpkt::Connection::new(tpkt::Config::default());
    any_bytes(arrival, bytes, MOST, make, |machine, incoming| {
        machine.send(incoming.clone()).expect("what came in a packet fits one");
    });
}

/// Bytes from a peer, to a caller or a called.
pub(super) fn bytes(input: &[u8]) {
    let Some((arrival, bytes)) = Arrival::split(input) else { return };
    let on = |bit| arrival.option(bit);
    let config = Config {
        policy: if on(1) { Policy::Strict } else { Policy::Interop },
        receive: if on(2) { Receive::Parts } else { Receive::Whole },
        answer: if on(3) { Answer::Manual } else { Answer::Automatic },
        raw_variable_part: on(4).then(Bytes::new),
        preferred_size: on(5),
        expedited: on(6),
        half_close: on(7),
        max_tsdu: MAX_TSDU,
        ..Config::default()
    };
    let make = || {
        let make = if on(0) { Connection::connect } else { Connection::accept };
        Gatherer::new(make(config.clone(), Instant::ORIGIN).expect("a configuration that fits"))
    };
    any_bytes(arrival, bytes, MOST, make, |gathering, incoming| match incoming {
        Incoming::Connect(_) => {
            gathering.machine.confirm(&Response::default()).expect("it waits");
        }
        Incoming::Data { data, .. } => {
            assert!(data.len() <= MAX_TSDU || config.receive == Receive::Parts);
            let mut rest = data.clone();
            let part = rest.split_to(data.len() / 2);
            gathering.machine.send_part(part, false).expect("open, with room");
            gathering.machine.send_part(rest, true).expect("open, with room");
        }
        Incoming::Expedited(data) => {
            gathering.machine.send_expedited(data.clone()).expect("negotiated");
        }
        _ => {}
    });
}

/// Calls of a caller and a called, as a model knows them.
pub(super) fn calls(input: &[u8]) {
    // the input ends where it ends
    let _ = Calls::run(&mut Unstructured::new(input));
}

/// What one side sent and the other must get.
#[derive(Debug, PartialEq)]
enum Sent {
    Message(BytesMut),
    Expedited(Bytes),
}

/// One direction.
#[derive(Default)]
struct Way {
    sent: VecDeque<Sent>,
    /// A message of which not all parts are sent.
    sending: Option<BytesMut>,
    /// A message of which not all parts have come.
    coming: BytesMut,
}

struct Calls {
    pair: Pair<Connection, Connection>,
    /// To `a`, and to `b`.
    ways: [Way; 2],
    closed: bool,
}

impl Calls {
    fn run(input: &mut Unstructured<'_>) -> Result<()> {
        let (caller, called) = (config(input)?, config(input)?);
        let expedited = caller.expedited && called.expedited;
        let grain = match input.int_in_range(0..=40)? {
            0 => usize::MAX,
            grain => grain,
        };
        let refuses = called.answer == Answer::Manual && input.ratio(1, 8)?;
        let a = Connection::connect(caller, Instant::ORIGIN).expect("it fits");
        let b = Connection::accept(called, Instant::ORIGIN).expect("it fits");
        let mut pair = Pair::new(a, b, grain);
        pair.drive();
        if pair.b.machine.config().answer == Answer::Manual {
            // unusual sizes are reported first
            pair.b.incoming.retain(|incoming| !matches!(incoming, Incoming::Diagnostic(_)));
            assert!(matches!(pair.b.take(), Incoming::Connect(_)));
            if refuses {
                pair.b.machine.refuse(Reason::Congestion, None).expect("it waits");
                pair.drive();
                assert!(matches!(pair.a.error, Some(Error::Refused { .. })));
                return Ok(());
            }
            pair.b.machine.confirm(&Response::default()).expect("it waits");
            pair.drive();
        }
        let sizes = [&pair.a, &pair.b].map(|side| side.machine.info().map(|it| it.tpdu_size));
        assert!(sizes[0].is_some() && sizes[0] == sizes[1], "{sizes:?}");
        let agreed = |side: &Connection| side.info().is_some_and(|info| info.expedited);
        assert_eq!((agreed(&pair.a.machine), agreed(&pair.b.machine)), (expedited, expedited));
        let mut calls = Self { pair, ways: Default::default(), closed: false };
        let result = calls.steps(input);
        calls.finish();
        result
    }

    fn steps(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        while !input.is_empty() && !self.closed {
            let by_a = input.arbitrary()?;
            match input.int_in_range(0..=15)? {
                0..=6 => self.send(by_a, input.arbitrary()?, input.arbitrary()?, input)?,
                7..=8 => self.send_expedited(by_a, input.int_in_range(0..=17)?),
                9..=12 => self.pair.drive(),
                13 => self.pair.a.stalled = input.arbitrary()?,
                14 => self.pair.b.stalled = input.arbitrary()?,
                _ => {
                    self.settle();
                    let side =
                        if by_a { &mut self.pair.a.machine } else { &mut self.pair.b.machine };
                    side.close();
                    self.closed = true;
                }
            }
            self.check();
        }
        Ok(())
    }

    fn send(
        &mut self,
        by_a: bool,
        in_parts: bool,
        end: bool,
        input: &mut Unstructured<'_>,
    ) -> Result<()> {
        let size = *input.choose(&[0, 1, 124, 125, 126, 250, 1023, 2045, 2046, 5000])?;
        let data = Bytes::from(vec![input.arbitrary()?; size]);
        let machine = if by_a { &mut self.pair.a.machine } else { &mut self.pair.b.machine };
        let way = &mut self.ways[usize::from(by_a)];
        let sent = match in_parts {
            true => machine.send_part(data.clone(), end),
            false => machine.send(data.clone()),
        };
        match sent {
            Ok(()) => {
                let mut message = way.sending.take().unwrap_or_default();
                message.extend_from_slice(&data);
                match end || !in_parts {
                    true => way.sent.push_back(Sent::Message(message)),
                    false => way.sending = Some(message),
                }
            }
            Err(refused) => {
                assert_eq!(refused.data, data);
                match refused.fault {
                    SendFault::InMessage => assert!(way.sending.is_some() && !in_parts),
                    SendFault::QueueFull { .. } => {}
                    other => panic!("{other}"),
                }
            }
        }
        Ok(())
    }

    fn send_expedited(&mut self, by_a: bool, size: usize) {
        let machine = if by_a { &mut self.pair.a.machine } else { &mut self.pair.b.machine };
        let agreed = machine.info().is_some_and(|info| info.expedited);
        let way = &mut self.ways[usize::from(by_a)];
        let data = Bytes::from(vec![7; size]);
        match machine.send_expedited(data.clone()) {
            Ok(()) => {
                assert!(agreed && (1..=16).contains(&size) && way.sending.is_none());
                way.sent.push_back(Sent::Expedited(data));
            }
            Err(refused) => match refused.fault {
                SendFault::InMessage => assert!(way.sending.is_some()),
                SendFault::NoExpedited => assert!(!agreed),
                SendFault::ExpeditedLength { octets } => assert_eq!(octets, size),
                SendFault::QueueFull { .. } => {}
                other => panic!("{other}"),
            },
        }
    }

    /// Takes what came, which must be what was sent.
    fn check(&mut self) {
        let Self { pair, ways: [to_a, to_b], .. } = self;
        for (incoming, way) in [(&mut pair.a.incoming, to_a), (&mut pair.b.incoming, to_b)] {
            for incoming in incoming.drain(..) {
                let came = match incoming {
                    Incoming::Data { data, end } => {
                        way.coming.extend_from_slice(&data);
                        match end {
                            true => Sent::Message(std::mem::take(&mut way.coming)),
                            false => continue,
                        }
                    }
                    Incoming::Expedited(data) => Sent::Expedited(data),
                    Incoming::Connected(_) | Incoming::Diagnostic(_) | Incoming::HalfClosed => {
                        continue;
                    }
                    other => panic!("{other:?}"),
                };
                assert_eq!(way.sent.pop_front(), Some(came));
            }
        }
    }

    /// Lets everything arrive.
    fn settle(&mut self) {
        (self.pair.a.stalled, self.pair.b.stalled) = (false, false);
        self.pair.drive();
        self.check();
        assert!(self.ways.iter().all(|way| way.sent.is_empty()), "lost");
        assert!(self.pair.a.error.is_none() && self.pair.b.error.is_none());
    }

    fn finish(mut self) {
        if !self.closed {
            self.settle();
            self.pair.a.machine.close();
        }
        self.pair.drive();
        (self.pair.a.rx.eof, self.pair.b.rx.eof) = (true, true);
        self.pair.drive();
        self.pair.a.machine.close();
        self.pair.b.machine.close();
        // a DR to a peer that is gone
        self.pair.a.take_tx();
        self.pair.b.take_tx();
        self.pair.drive();
        assert!(self.pair.a.error.is_some() && self.pair.b.error.is_some());
    }
}

fn config(input: &mut Unstructured<'_>) -> Result<Config> {
    let size = |input: &mut Unstructured<'_>| input.int_in_range(128..=8200);
    Ok(Config {
        receive: if input.arbitrary()? { Receive::Parts } else { Receive::Whole },
        answer: if input.arbitrary()? { Answer::Manual } else { Answer::Automatic },
        offered_size: if input.ratio(1, 8)? { None } else { TpduSize::new(size(input)?) },
        accepted_size: TpduSize::new(size(input)?).unwrap_or(TpduSize::MAX),
        preferred_size: input.arbitrary()?,
        expedited: input.arbitrary()?,
        disconnect_on_close: input.arbitrary()?,
        half_close: input.arbitrary()?,
        max_queued: if input.arbitrary()? { 3000 } else { 1 << 24 },
        ..Config::default()
    })
}
