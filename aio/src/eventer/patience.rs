//! How long everyone else waits for a client that reads slowly: a budget over time.

use std::time::{Duration, Instant};

/// The most that one notification waits in all.
pub(super) const AT_ONCE: Duration = Duration::from_millis(20);

/// Less than this is not worth a timer.
const LEAST: Duration = Duration::from_millis(10);

/// What a budget holds at the most, and at first: a client that reads again after a moment finds
/// all there.
const FULL: Duration = Duration::from_secs(1);

/// Time that a byte takes on a line of 1 Gbit/s, with room for what goes around it: who takes what
/// it is told at this rate is as fast as anybody who registers it, and is waited for without end.
const BYTE: Duration = Duration::from_nanos(10);

/// Time that others may still wait.
#[derive(Debug)]
pub(super) struct Patience {
    left: Duration,
    /// The time of the clock up to which it is filled.
    filled: Option<Instant>,
    /// It fills by one part in so many of the time that passes.
    parts: u32,
}

impl Patience {
    /// With one client: a fiftieth of the time, after the first second.
    pub(super) fn with_client() -> Self {
        Self { left: FULL, filled: None, parts: 50 }
    }

    /// With all clients together: a twentieth of the time, after the first second.
    pub(super) fn with_all() -> Self {
        Self { left: FULL, filled: None, parts: 20 }
    }

    /// How long may be waited at `now`; `None` where that is not worth it.
    pub(super) fn at(&mut self, now: Instant) -> Option<Duration> {
        let passed = self.filled.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.filled = Some(now);
        self.left = self.left.saturating_add(passed / self.parts).min(FULL);
        (self.left >= LEAST).then(|| self.left.min(AT_ONCE))
    }

    /// What a wait of `time` costs in which a client took `bytes`.
    pub(super) fn cost(time: Duration, bytes: u64) -> Duration {
        let fair = BYTE.saturating_mul(u32::try_from(bytes).unwrap_or(u32::MAX));
        time.saturating_sub(fair)
    }

    /// So long was waited.
    pub(super) fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long is waited of a minute in which there is always something to wait for.
    fn waited(mut patience: Patience) -> Duration {
        let start = Instant::now();
        let (mut now, mut waited) = (start, Duration::ZERO);
        while now - start < Duration::from_secs(60) {
            if let Some(time) = patience.at(now) {
                assert!(time <= AT_ONCE);
                patience.spend(time);
                waited += time;
                now += time;
            }
            now += Duration::from_millis(1);
        }
        waited
    }

    #[test]
    fn a_wait_costs_what_it_takes_longer_than_a_fast_line() {
        let second = Duration::from_secs(1);
        assert_eq!(Patience::cost(second, 0), second);
        assert_eq!(Patience::cost(second, 20_000_000), second * 4 / 5);
        assert_eq!(Patience::cost(second, 100_000_000), Duration::ZERO);
        assert_eq!(Patience::cost(second, u64::MAX), Duration::ZERO);
    }

    #[test]
    fn of_a_minute_two_seconds_for_one_client_and_four_for_all() {
        assert_eq!(waited(Patience::with_client()).as_millis() / 100, 21);
        assert_eq!(waited(Patience::with_all()).as_millis() / 100, 39);
    }

    #[test]
    fn a_client_that_was_waited_for_is_waited_for_again_later() {
        let (mut patience, now) = (Patience::with_client(), Instant::now());
        patience.spend(FULL);
        assert_eq!(patience.at(now), None);
        assert_eq!(patience.at(now + Duration::from_millis(499)), None);
        assert_eq!(patience.at(now + Duration::from_millis(500)), Some(LEAST));
        assert_eq!(patience.at(now + Duration::from_secs(1000)), Some(AT_ONCE));
    }
}
