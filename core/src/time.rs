//! Time without a clock: a state machine never asks what time it is, it is told.
//!
//! An [`Instant`] is a duration since an origin that the caller chose: the start of the program, of a
//! simulation, of a test. Only differences and order matter, so every machine that is driven
//! together must be given instants of one origin.

use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A point in time, counted from an origin that the caller chose. It never overflows: sums stop at
/// the largest duration (584 thousand million years), differences at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// The origin itself.
    pub const ORIGIN: Instant = Instant(Duration::ZERO);

    /// The instant that lies `since_origin` after the origin.
    #[must_use]
    pub const fn from_origin(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// How far from the origin this is.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to `self`, zero where `earlier` is the later one.
    #[must_use]
    pub const fn since(self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, after: Duration) -> Instant {
        Instant(self.0.saturating_add(after))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, after: Duration) {
        *self = *self + after;
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}

/// The earlier of two deadlines, where `None` means never.
#[must_use]
pub fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let end = Instant::from_origin(Duration::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Instant::ORIGIN - end, Duration::ZERO);
    }

    #[test]
    fn never_is_later_than_any_deadline() {
        let soon = Some(Instant::ORIGIN + Duration::from_secs(1));
        assert_eq!(earliest(soon, None), soon);
        assert_eq!(earliest(None, soon), soon);
        assert_eq!(earliest(soon, Some(Instant::ORIGIN)), Some(Instant::ORIGIN));
        assert_eq!(earliest(None, None), None);
    }
}
