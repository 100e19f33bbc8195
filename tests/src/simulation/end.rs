//! One end of a connection: a machine and what a driver of it has to remember.

use std::time::Duration;

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;

use super::network::ClockId;
use super::stream::Stream;

/// Names an end for as long as the network lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndId(pub(super) usize);

/// How a connection ended, for one side.
#[derive(Clone, Debug)]
pub enum Ending<E> {
    /// The machine's error.
    Error(E),
    /// The machine's error where the network had failed too: a driver tells the failure.
    Cut(E),
    /// The network failed.
    Failed,
    /// We close, and the peer takes nothing of what is left.
    Stalled,
}

/// Where a driver is with its machine, as the real one has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The connection is not up, or no machine was started yet.
    Waiting,
    Running,
    /// Over: what the machine left is written until then.
    Flushing {
        until: Instant,
    },
    Gone {
        since: Instant,
    },
}

#[derive(Debug)]
pub(super) struct End<M> {
    pub(super) machine: Option<M>,
    pub(super) rx: RecvBuf,
    /// Bytes that the machine asks for, by its last answer.
    pub(super) missing: usize,
    pub(super) clock: ClockId,
    pub(super) phase: Phase,
    /// What travels towards this end.
    pub(super) inbound: Stream,
    /// It stands in the list of those that have something to do.
    pub(super) runnable: bool,
    /// The machine gave something and may have more: it is polled again before anything is read.
    pub(super) polling: bool,
    /// Nothing runs before this: a process that the system does not schedule.
    pub(super) frozen: Instant,
    /// The application takes nothing before this: what is queued is written, and nothing read.
    pub(super) held: Instant,
    /// The earliest time at which the agenda has a wake-up for this end.
    pub(super) armed: Option<Instant>,
    /// The network failed.
    pub(super) failed: bool,
    /// The end of our stream is to be sent once all is written; and that it was.
    pub(super) shutting: bool,
    pub(super) shut: bool,
    /// The application asked for the end.
    pub(super) closing: bool,
    /// Since when there is something to write and the network takes none of it.
    pub(super) stuck: Option<Instant>,
    /// Bytes came since the last poll.
    pub(super) arrived: bool,
    /// Polls since the last read.
    pub(super) polls: usize,
    /// The last poll was held up.
    pub(super) held_up: bool,
}

impl<M: Protocol> End<M> {
    pub(super) fn new(clock: ClockId, inbound: Stream) -> Self {
        Self {
            machine: None,
            rx: RecvBuf::new(),
            missing: 0,
            clock,
            phase: Phase::Waiting,
            inbound,
            runnable: false,
            polling: false,
            frozen: Instant::ORIGIN,
            held: Instant::ORIGIN,
            armed: None,
            failed: false,
            shutting: false,
            shut: false,
            closing: false,
            stuck: None,
            arrived: false,
            polls: 0,
            held_up: false,
        }
    }

    pub(super) fn machine(&mut self) -> &mut M {
        self.machine.as_mut().expect("a machine was started here")
    }

    /// Polls the machine once.
    pub(super) fn poll(&mut self, now: Instant) -> Result<Option<M::Incoming>, M::Error> {
        let machine = self.machine.as_mut().expect("a machine was started here");
        let polled = machine.poll(&mut self.rx, now);
        self.missing = polled.as_ref().map_or(0, Polled::missing);
        self.held_up = matches!(polled, Ok(Polled::HeldUp));
        polled.map(Polled::incoming)
    }

    /// Reads once, if the machine asks for bytes: whether anything came, the end included.
    pub(super) fn read(&mut self) -> bool {
        let missing = self.missing;
        if missing == 0 || self.rx.eof {
            return false;
        }
        let bytes = self.inbound.read(missing + self.inbound.shape.read);
        if bytes.is_empty() {
            // a network that failed is no end of the stream: the machine must not take it for one
            self.rx.eof = self.inbound.is_ended();
            return self.rx.eof;
        }
        self.rx.bytes.extend_from_slice(&bytes);
        self.arrived = true;
        self.polls = 0;
        true
    }

    /// Whether a read would bring anything.
    pub(super) fn is_readable(&self) -> bool {
        self.missing > 0 && !self.rx.eof && self.inbound.is_readable()
    }

    /// Bytes that stand in the send queue behind its `start`. What was dropped since is not there.
    pub(super) fn queued_since(&mut self, start: u64) -> Vec<u8> {
        let tx = self.machine().tx();
        let since = (tx.end() - start) as usize;
        let mut slices = [std::io::IoSlice::new(&[]); 64];
        let count = tx.chunks_vectored(&mut slices);
        let all: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect();
        assert_eq!(all.len(), tx.remaining(), "more parts than a watched machine may queue");
        all[all.len().saturating_sub(since)..].to_vec()
    }
}

/// How long a driver goes on with what is over, as the real one does: writing, without progress
/// while closing, and until it answers what still comes with a reset.
pub(super) const FLUSH: Duration = Duration::from_secs(1);
pub(super) const STALL: Duration = Duration::from_secs(5);
pub(super) const LINGER: Duration = Duration::from_millis(500);
