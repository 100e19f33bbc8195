//! A machine against bytes: fed in pieces, with time passing, and held to the contract after every
//! poll.
//!
//! ```text
//! input   grain │ pause │ options │ bytes …
//!         0: whole, else bytes a piece
//!                 tenths of a second between two pieces
//!                         a target's own switches
//! ```

use std::fmt::Debug;
use std::time::Duration;

use bytes::Buf;
use hat_core::buffer::RecvBuf;
use hat_core::protocol::{Polled, Protocol};
use hat_core::time::Instant;

/// How bytes arrive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    grain: usize,
    pause: Duration,
    /// The target's switches, a bit each.
    pub(super) options: u8,
}

/// Octets of an [`Arrival`] in an input.
pub(super) const HEAD: usize = 3;

impl Arrival {
    /// From the head of an input, and what is behind it.
    pub(super) fn split(input: &[u8]) -> Option<(Self, &[u8])> {
        let (&[grain, pause, options], bytes) = input.split_first_chunk::<HEAD>()?;
        let grain = if grain == 0 { usize::MAX } else { grain.into() };
        Some((Self { grain, pause: Duration::from_millis(u64::from(pause) * 100), options }, bytes))
    }

    /// Whether switch `bit` is on.
    pub(super) fn option(self, bit: u8) -> bool {
        self.options & (1 << bit) != 0
    }
}

/// What a machine made of bytes.
#[derive(Debug, PartialEq)]
struct Outcome {
    given: Vec<String>,
    written: Vec<u8>,
    error: String,
}

/// Feeds `bytes` to what `make` makes, whose application does `handle` with all that it gives; it
/// must never ask to hold more than `limit` bytes. Where no time passes, it must make the same of
/// any other split.
pub(super) fn any_bytes<P>(
    arrival: Arrival,
    bytes: &[u8],
    limit: usize,
    make: impl Fn() -> P,
    handle: impl Fn(&mut P, &P::Incoming),
) where
    P: Protocol<Incoming: Debug, Error: PartialEq>,
{
    let cut = Feed::new(make(), limit, &handle).run(arrival, bytes);
    if arrival.pause.is_zero() && arrival.grain != usize::MAX {
        let whole = Arrival { grain: usize::MAX, ..arrival };
        assert_eq!(
            cut,
            Feed::new(make(), limit, &handle).run(whole, bytes),
            "in pieces, and whole"
        );
    }
}

struct Feed<'a, P: Protocol> {
    machine: P,
    rx: RecvBuf,
    now: Instant,
    limit: usize,
    handle: &'a dyn Fn(&mut P, &P::Incoming),
    given: Vec<String>,
    written: Vec<u8>,
}

impl<'a, P: Protocol<Incoming: Debug, Error: PartialEq>> Feed<'a, P> {
    fn new(machine: P, limit: usize, handle: &'a dyn Fn(&mut P, &P::Incoming)) -> Self {
        let (rx, now) = (RecvBuf::new(), Instant::ORIGIN);
        Self { machine, rx, now, limit, handle, given: Vec::new(), written: Vec::new() }
    }

    fn run(mut self, arrival: Arrival, bytes: &[u8]) -> Outcome {
        let end = self.until_over(arrival, bytes);
        self.over(&end);
        Outcome { given: self.given, written: self.written, error: end.to_string() }
    }

    /// Everything that can happen to the machine, until its last error.
    fn until_over(&mut self, arrival: Arrival, bytes: &[u8]) -> P::Error {
        if let Err(error) = self.poll() {
            return error;
        }
        for piece in bytes.chunks(arrival.grain.min(bytes.len().max(1))) {
            self.rx.feed(piece);
            self.now += arrival.pause;
            if let Err(error) = self.poll() {
                return error;
            }
        }
        self.rx.eof = true;
        if let Err(error) = self.poll() {
            return error;
        }
        // the peer sends nothing more, but we still might: we do not
        self.machine.close();
        loop {
            if let Err(error) = self.poll() {
                return error;
            }
            let deadline = self.machine.deadline();
            self.now = deadline.expect("a machine that closes waits for a deadline, or is closed");
        }
    }

    /// Polls until there is nothing more, and writes everything out.
    fn poll(&mut self) -> Result<(), P::Error> {
        // each thing given takes at least a byte, or is about one of the few things that wait for
        // their time
        let most = self.rx.bytes.len() + self.given.len() + 100;
        for _ in 0..most {
            let polled = self.machine.poll(&mut self.rx, self.now);
            let wrote = self.write();
            let polled = polled?;
            let wanted = self.rx.bytes.len() + polled.missing();
            assert!(polled.missing() == 0 || wanted <= self.limit, "asks for {wanted} bytes");
            match polled {
                Polled::Incoming(incoming) => {
                    self.given.push(format!("{incoming:?}"));
                    (self.handle)(&mut self.machine, &incoming);
                }
                // what was written may have held it up
                Polled::HeldUp if wrote => {}
                wait => {
                    if let Polled::Needs(bytes) = wait {
                        assert!(bytes > 0 && !self.rx.eof, "needs {bytes} bytes that cannot come");
                    }
                    let asks = wait.missing() > 0 || self.rx.eof;
                    assert!(asks || self.machine.is_closed(), "held up by nothing");
                    let due = self.machine.deadline().is_some_and(|at| at <= self.now);
                    assert!(!due, "what is due was not done");
                    return Ok(());
                }
            }
        }
        panic!("no end to what it gives");
    }

    fn write(&mut self) -> bool {
        let tx = self.machine.tx();
        let count = tx.remaining();
        self.written.extend_from_slice(&tx.copy_to_bytes(count));
        count > 0
    }

    /// The end is final.
    fn over(&mut self, end: &P::Error) {
        assert!(self.machine.is_closed());
        assert_eq!(self.machine.deadline(), None);
        assert!(self.machine.poll(&mut self.rx, self.now).is_err_and(|again| again == *end));
        self.machine.close();
        assert!(self.machine.poll(&mut self.rx, self.now).is_err_and(|again| again == *end));
        assert!(!self.write(), "writes behind its end");
    }
}
