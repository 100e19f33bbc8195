//! Two machines that talk to each other without a socket, under a virtual clock.
//!
//! ```text
//!   a.machine ──tx──> at most `grain` bytes a step ──rx──> b.machine     now: moves only in `wait`
//!   a.machine <──rx── at most `grain` bytes a step <──tx── b.machine
//! ```
//!
//! Bytes are moved only to a side that asks for them, as a real driver does, so a test that runs at
//! every grain in [`GRAINS`] shows that a machine asks for the right number of bytes and keeps no
//! state that depends on where the stream was cut.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::{Instant, earliest};

/// Bytes a step at which every conversation test runs: awkward ones, and whole.
pub const GRAINS: [usize; 5] = [1, 2, 3, 7, usize::MAX];

/// One end: its machine, and what came of it.
pub struct Side<P: Protocol> {
    /// The machine: tests call it directly.
    pub machine: P,
    /// What arrived for it.
    pub rx: RecvBuf,
    /// What it gave, oldest first.
    pub incoming: VecDeque<P::Incoming>,
    /// Why it is over.
    pub error: Option<P::Error>,
    /// Bytes that it asks for; zero: nothing may be read.
    pub missing: usize,
    /// It takes nothing in: an application that does not ask.
    pub stalled: bool,
}

impl<P: Protocol> Side<P> {
    fn new(machine: P) -> Self {
        let (rx, incoming) = (RecvBuf::new(), VecDeque::new());
        Self { machine, rx, incoming, error: None, missing: 0, stalled: false }
    }

    /// Polls until there is nothing more.
    fn poll(&mut self, now: Instant) {
        if self.stalled {
            return;
        }
        self.missing = 0;
        while self.error.is_none() {
            match self.machine.poll(&mut self.rx, now) {
                Ok(Polled::Incoming(incoming)) => self.incoming.push_back(incoming),
                Ok(wait) => {
                    self.missing = wait.missing();
                    return;
                }
                Err(error) => self.error = Some(error),
            }
        }
    }

    /// The next thing that the machine gave.
    ///
    /// # Panics
    ///
    /// If it gave nothing.
    #[track_caller]
    pub fn take(&mut self) -> P::Incoming {
        let error = self.error.as_ref().map(ToString::to_string);
        self.incoming.pop_front().unwrap_or_else(|| panic!("nothing came; error: {error:?}"))
    }

    /// Everything that waits to be written, as a slice of bytes; it counts as written.
    pub fn take_tx(&mut self) -> Vec<u8> {
        let tx = self.machine.tx();
        tx.copy_to_bytes(tx.remaining()).into()
    }

    /// Gives the machine bytes as if they had come from the network.
    pub fn feed(&mut self, bytes: &[u8], now: Instant) {
        self.rx.feed(bytes);
        self.poll(now);
    }
}

/// Two ends and what is between them.
pub struct Pair<A: Protocol, B: Protocol> {
    /// One end, usually the client.
    pub a: Side<A>,
    /// The other, usually the server.
    pub b: Side<B>,
    /// The time.
    pub now: Instant,
    grain: usize,
}

impl<A: Protocol, B: Protocol> Pair<A, B> {
    /// Two machines whose connection is just up, at the origin of time, with `grain` bytes a step.
    pub fn new(a: A, b: B, grain: usize) -> Self {
        Self { a: Side::new(a), b: Side::new(b), now: Instant::ORIGIN, grain }
    }

    /// Lets things run until nothing moves, without any time passing.
    pub fn drive(&mut self) {
        loop {
            self.a.poll(self.now);
            self.b.poll(self.now);
            let moved = carry(&mut self.a, &mut self.b, self.grain)
                + carry(&mut self.b, &mut self.a, self.grain);
            if moved == 0 {
                return;
            }
        }
    }

    /// Lets `time` pass, stopping at every deadline on the way.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        self.drive();
        while let Some(at) = self.deadline().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.drive();
        }
        self.now = end;
        self.drive();
    }

    /// `a` sends nothing more: `b` sees the end of the stream once it has read all.
    pub fn end_a(&mut self) {
        self.drive();
        self.b.rx.eof = true;
        self.drive();
    }

    fn deadline(&self) -> Option<Instant> {
        let of = |over: bool, at: Option<Instant>| if over { None } else { at };
        earliest(
            of(self.a.error.is_some() || self.a.stalled, self.a.machine.deadline()),
            of(self.b.error.is_some() || self.b.stalled, self.b.machine.deadline()),
        )
    }
}

/// Moves at most `grain` bytes, if `to` asks for any and is not over.
fn carry<A: Protocol, B: Protocol>(from: &mut Side<A>, to: &mut Side<B>, grain: usize) -> usize {
    if from.machine.sends_no_more() && from.machine.tx().is_empty() {
        to.rx.eof = true;
    }
    if to.missing == 0 {
        return 0;
    }
    let tx = from.machine.tx();
    let count = tx.chunk().len().min(grain);
    to.rx.feed(&tx.chunk()[..count]);
    to.missing = to.missing.saturating_sub(count);
    tx.advance(count);
    count
}
