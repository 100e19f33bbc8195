//! How a simulated world behaves.

use std::time::Duration;

use crate::simulation::{Random, Shape};

/// How the scheduler, the timers and the network of one run behave.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Nothing goes wrong: whoever connects is taken, and no connection is lost.
    pub is_calm: bool,
    /// Time that polling a task takes, at most.
    pub cost: Duration,
    /// Of a hundred polls, those of a task that nothing woke.
    pub spurious: usize,
    /// Of a hundred reads and writes, those that are pending though they need not be, and wake
    /// their task at once.
    pub yields: usize,
    /// Each poll of a task has a waker of its own.
    pub fresh_wakers: bool,
    /// How much later than asked for timers fire, at most.
    pub lateness: Duration,
    /// Of a hundred attempts to connect, those that are refused, and those that hang.
    pub refused: usize,
    /// See [`refused`](Self::refused).
    pub hanging: usize,
    /// Of a hundred connections that are accepted, those whose accepting fails first.
    pub accept_errors: usize,
    /// Faults that come by themselves within [`faults_within`](Self::faults_within).
    pub faults: usize,
    /// From the beginning on.
    pub faults_within: Duration,
    /// Writes are done later: the bytes are taken when the poll after that is ready.
    pub completes_writes: bool,
    /// How each direction of a connection behaves; `None`: each in its own way.
    pub shape: Option<Shape>,
}

impl Habits {
    /// A good network, and a scheduler that does anything it may.
    pub fn calm(random: &mut Random) -> Self {
        let cost = random.pick(&[0, 0, 20, 300]);
        Self {
            is_calm: true,
            cost: Duration::from_micros(cost),
            spurious: random.pick(&[0, 0, 0, 5]),
            yields: random.pick(&[0, 0, 10]),
            fresh_wakers: random.chance(30),
            lateness: Duration::from_micros(random.pick(&[0, 0, 1000])),
            refused: 0,
            hanging: 0,
            accept_errors: 0,
            faults: 0,
            faults_within: Duration::ZERO,
            completes_writes: random.chance(20),
            shape: None,
        }
    }

    /// Anything at all; calm in one of four cases.
    pub fn any(random: &mut Random) -> Self {
        let calm = Self::calm(random);
        if random.chance(25) {
            return calm;
        }
        Self {
            is_calm: false,
            refused: random.pick(&[0, 0, 10, 40]),
            hanging: random.pick(&[0, 0, 5]),
            accept_errors: random.pick(&[0, 0, 20]),
            faults: random.size(20),
            faults_within: Duration::from_secs(random.pick(&[1, 10, 60])),
            ..calm
        }
    }

    /// How a direction of a new connection behaves.
    pub(super) fn shape(&self, random: &mut Random) -> Shape {
        self.shape.unwrap_or_else(|| {
            let shape = Shape::any(random);
            // over a slow line in small pieces all that a scenario says would take hours
            let least = match shape.latency.as_millis() {
                0..=2 => 64,
                3..=20 => 4 * 1024,
                _ => 16 * 1024,
            };
            let piece = if random.chance(30) { shape.piece } else { shape.piece.max(40) };
            // nor with a round trip for each of many writes
            let is_slow = self.completes_writes && shape.latency > Duration::from_millis(20);
            let piece = if is_slow { piece.max(1500) } else { piece };
            Shape { window: shape.window.max(least), piece, ..shape }
        })
    }
}

impl Default for Habits {
    /// Polls take no time, the network a millisecond.
    fn default() -> Self {
        let latency = Duration::from_millis(1);
        let shape =
            Shape { latency, jitter: Duration::ZERO, window: 65536, piece: 65536, read: 65536 };
        Self {
            is_calm: true,
            cost: Duration::ZERO,
            spurious: 0,
            yields: 0,
            fresh_wakers: false,
            lateness: Duration::ZERO,
            refused: 0,
            hanging: 0,
            accept_errors: 0,
            faults: 0,
            faults_within: Duration::ZERO,
            completes_writes: false,
            shape: Some(shape),
        }
    }
}
