//! One direction of a connection, as TCP has it.
//!
//! ```text
//!   writer ──write──> flying: pieces with a time of arrival ──arrive──> here ──read──> reader
//!          <───────── room again, a latency after a read ────────────────
//! ```
//!
//! What flies and what is here together stay within the window: a full one stops the writer. Pieces
//! never overtake each other.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hat_core::time::Instant;

use super::Random;

/// How one direction behaves.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// From a write to its arrival, at least.
    pub latency: Duration,
    /// Up to so much later.
    pub jitter: Duration,
    /// Bytes that are written and not read yet, at most.
    pub window: usize,
    /// Bytes that travel in one piece, at most: each piece is of a random size up to this.
    pub piece: usize,
    /// Bytes that one read takes beyond those that the machine asks for.
    pub read: usize,
}

impl Shape {
    /// Any behaviour that a network between two machines could have.
    pub fn any(random: &mut Random) -> Self {
        let latency = [Duration::ZERO, Duration::from_millis(2), Duration::from_millis(400)];
        let latency = random.pick(&latency);
        let latency = random.duration(latency);
        Self {
            latency,
            jitter: random.duration(latency),
            window: 16 << random.within(0..=12),
            piece: random.pick(&[1, 3, 40, 1500, 65536, 65536, 65536]),
            read: random.pick(&[0, 0, 1, 2048, 65536]),
        }
    }
}

/// What travels towards one end.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) shape: Shape,
    /// Pieces on their way; `None` is the end of the stream.
    flying: VecDeque<(Instant, Option<Bytes>)>,
    flying_len: usize,
    /// What arrived and was not read.
    here: BytesMut,
    /// The end has arrived: behind `here` nothing comes.
    ended: bool,
    /// Nothing arrives before this.
    outage: Instant,
    /// The writer found no room.
    pub(super) writer_waits: bool,
}

impl Stream {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            flying: VecDeque::new(),
            flying_len: 0,
            here: BytesMut::new(),
            ended: false,
            outage: Instant::ORIGIN,
            writer_waits: false,
        }
    }

    /// Bytes that may be written now.
    pub(super) fn room(&self) -> usize {
        self.shape.window.saturating_sub(self.flying_len + self.here.len())
    }

    /// Sends a piece, or the end; gives when it arrives.
    pub(super) fn send(
        &mut self,
        piece: Option<Bytes>,
        now: Instant,
        random: &mut Random,
    ) -> Instant {
        let earliest = now + self.shape.latency + random.duration(self.shape.jitter);
        let at = self.flying.back().map_or(earliest, |&(last, _)| earliest.max(last));
        self.flying_len += piece.as_ref().map_or(0, Bytes::len);
        self.flying.push_back((at, piece));
        at
    }

    /// Takes what has arrived by `now`; `Err` is when to look again, for nothing gets through
    /// before.
    pub(super) fn arrive(&mut self, now: Instant) -> Result<usize, Instant> {
        if now < self.outage {
            return Err(self.outage);
        }
        let mut arrived = 0;
        while let Some((_, piece)) = self.flying.pop_front_if(|(at, _)| *at <= now) {
            match piece {
                None => self.ended = true,
                Some(bytes) => {
                    arrived += bytes.len();
                    self.here.extend_from_slice(&bytes);
                }
            }
        }
        self.flying_len -= arrived;
        Ok(arrived)
    }

    /// Nothing arrives before `until`.
    pub(super) fn cut_off(&mut self, until: Instant) {
        self.outage = self.outage.max(until);
    }

    /// What lies here can be read, or the end of it.
    pub(super) fn is_readable(&self) -> bool {
        !self.here.is_empty() || self.ended
    }

    /// At most `most` bytes; none is the end of the stream, or nothing is here.
    pub(super) fn read(&mut self, most: usize) -> BytesMut {
        self.here.split_to(most.min(self.here.len()))
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended && self.here.is_empty()
    }

    /// A reset: what flies is lost; what is here as well, if `all`.
    pub(super) fn reset(&mut self, all: bool) {
        self.flying.clear();
        self.flying_len = 0;
        if all {
            // behind something lost there is no end of the stream: who reads is told of the reset
            self.ended &= self.here.is_empty();
            self.here.clear();
        }
    }
}
