//! Moments and the time between them.

use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::time::Duration;

use super::{MICROS, Timestamp};

impl Timestamp {
    /// The moment `duration`, rounded down to a microsecond, after this one; `None` if it is after
    /// [`MAX`](Self::MAX).
    #[must_use]
    pub const fn checked_add(self, duration: Duration) -> Option<Self> {
        match self.s.checked_add_unsigned(duration.as_secs()) {
            Some(s) => Self::carried(s, self.us as i64 + duration.subsec_micros() as i64),
            None => None,
        }
    }

    /// The moment `duration`, rounded down to a microsecond, before this one; `None` if it is
    /// before [`MIN`](Self::MIN).
    #[must_use]
    pub const fn checked_sub(self, duration: Duration) -> Option<Self> {
        match self.s.checked_sub_unsigned(duration.as_secs()) {
            Some(s) => Self::carried(s, self.us as i64 - duration.subsec_micros() as i64),
            None => None,
        }
    }

    /// The time from `earlier` to this moment; `None` if that is the later one.
    ///
    /// ```
    /// use core::time::Duration;
    /// use hat_core::eventer::Timestamp;
    ///
    /// let noon = Timestamp::from_secs(1_700_049_600);
    /// let later = noon + Duration::from_millis(1500);
    /// assert_eq!(later.since(noon), Some(Duration::from_millis(1500)));
    /// assert_eq!(noon.since(later), None);
    /// ```
    #[must_use]
    pub const fn since(self, earlier: Self) -> Option<Duration> {
        let us = self.us as i64 - earlier.us as i64;
        if self.s < earlier.s || (self.s == earlier.s && us < 0) {
            return None;
        }
        let seconds = self.s.abs_diff(earlier.s) - (us < 0) as u64;
        Some(Duration::new(seconds, us.rem_euclid(MICROS) as u32 * 1000))
    }
}

/// As [`checked_add`](Timestamp::checked_add), and [`MAX`](Timestamp::MAX) where that ends: a date
/// that far is one that a peer may have sent, and no reason to panic.
impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.checked_add(duration).unwrap_or(Self::MAX)
    }
}

/// As [`checked_sub`](Timestamp::checked_sub), and [`MIN`](Timestamp::MIN) where that ends.
impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        self.checked_sub(duration).unwrap_or(Self::MIN)
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl SubAssign<Duration> for Timestamp {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn at(s: i64, us: u32) -> Timestamp {
        Timestamp::new(s, us).expect("microseconds in range")
    }

    #[test]
    fn there_and_back() {
        for (one, duration, other) in [
            (at(0, 0), Duration::ZERO, at(0, 0)),
            (at(0, 999_999), Duration::from_micros(1), at(1, 0)),
            (at(-1, 500_000), Duration::new(2, 600_000_000), at(2, 100_000)),
            (Timestamp::MIN, Duration::new(u64::MAX, 999_999_000), Timestamp::MAX),
        ] {
            assert_eq!(one.checked_add(duration), Some(other));
            assert_eq!(other.checked_sub(duration), Some(one));
            assert_eq!(other.since(one), Some(duration));
            assert_eq!(one.since(other), (duration == Duration::ZERO).then_some(duration));
        }
    }

    #[test]
    fn the_ends() {
        let us = Duration::from_micros(1);
        assert_eq!(Timestamp::MAX.checked_add(us), None);
        assert_eq!(Timestamp::MIN.checked_sub(us), None);
        assert_eq!(at(0, 0).checked_add(Duration::MAX), None);
        assert_eq!(at(0, 0).checked_sub(Duration::MAX), None);
        assert_eq!(Timestamp::MAX + us, Timestamp::MAX);
        let mut moment = Timestamp::MIN;
        moment -= us;
        assert_eq!(moment, Timestamp::MIN);
        moment += us;
        assert_eq!(moment, at(i64::MIN, 1));
    }

    #[test]
    fn less_than_a_microsecond_is_none() {
        assert_eq!(at(0, 0) + Duration::from_nanos(1999), at(0, 1));
        assert_eq!(at(0, 1) - Duration::from_nanos(1999), at(0, 0));
    }
}
