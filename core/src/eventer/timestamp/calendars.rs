//! The moments of the libraries that have calendars and time zones, both ways.
//!
//! None of them goes as far as a [`Timestamp`]: what is beyond theirs is an error, for a peer may
//! send any moment. What they have below a microsecond is rounded down.

use super::{Timestamp, TimestampError};

/// Nanoseconds in a microsecond, and in a second.
const NANOS: (i128, i128) = (1000, 1_000_000_000);

impl Timestamp {
    /// Nanoseconds since 1970-01-01 UTC.
    #[cfg(any(feature = "jiff", feature = "time"))]
    fn nanoseconds(self) -> i128 {
        i128::from(self.s) * NANOS.1 + i128::from(self.us) * NANOS.0
    }

    /// The moment of a library whose range is within ours.
    fn from_nanoseconds(nanoseconds: i128) -> Self {
        let us = nanoseconds.rem_euclid(NANOS.1) / NANOS.0;
        let s = i64::try_from(nanoseconds.div_euclid(NANOS.1)).unwrap_or(i64::MAX);
        Self { s, us: us as u32 }
    }
}

/// Fails with [`TimestampError::Beyond`] some 262 000 years from today.
#[cfg(feature = "chrono")]
impl TryFrom<Timestamp> for chrono::DateTime<chrono::Utc> {
    type Error = TimestampError;

    fn try_from(timestamp: Timestamp) -> Result<Self, Self::Error> {
        Self::from_timestamp(timestamp.s, timestamp.us * 1000)
            .ok_or(TimestampError::Beyond("chrono::DateTime"))
    }
}

/// A moment in a leap second becomes one in the second that follows.
#[cfg(feature = "chrono")]
impl<Z: chrono::TimeZone> From<chrono::DateTime<Z>> for Timestamp {
    fn from(time: chrono::DateTime<Z>) -> Self {
        let nanoseconds = i128::from(time.timestamp()) * NANOS.1;
        Self::from_nanoseconds(nanoseconds + i128::from(time.timestamp_subsec_nanos()))
    }
}

/// Fails with [`TimestampError::Beyond`] before the year -9999 and after 9999.
#[cfg(feature = "jiff")]
impl TryFrom<Timestamp> for jiff::Timestamp {
    type Error = TimestampError;

    fn try_from(timestamp: Timestamp) -> Result<Self, Self::Error> {
        Self::from_nanosecond(timestamp.nanoseconds())
            .map_err(|_| TimestampError::Beyond("jiff::Timestamp"))
    }
}

#[cfg(feature = "jiff")]
impl From<jiff::Timestamp> for Timestamp {
    fn from(time: jiff::Timestamp) -> Self {
        Self::from_nanoseconds(time.as_nanosecond())
    }
}

/// Fails with [`TimestampError::Beyond`] before the year -9999 and after 9999, or later where the
/// feature `large-dates` of `time` is on.
#[cfg(feature = "time")]
impl TryFrom<Timestamp> for time::OffsetDateTime {
    type Error = TimestampError;

    fn try_from(timestamp: Timestamp) -> Result<Self, Self::Error> {
        Self::from_unix_timestamp_nanos(timestamp.nanoseconds())
            .map_err(|_| TimestampError::Beyond("time::OffsetDateTime"))
    }
}

#[cfg(feature = "time")]
impl From<time::OffsetDateTime> for Timestamp {
    fn from(time: time::OffsetDateTime) -> Self {
        Self::from_nanoseconds(time.unix_timestamp_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Debug;

    /// Moments of every day go both ways, and those that only a peer would send are refused.
    fn both_ways<T>()
    where
        T: Clone + Debug + PartialEq + TryFrom<Timestamp, Error = TimestampError> + Into<Timestamp>,
    {
        for (s, us) in [(0, 0), (1, 999_999), (-1, 0), (-1, 999_999), (-2_208_988_800, 1)] {
            let timestamp = Timestamp::new(s, us).expect("microseconds in range");
            let time = T::try_from(timestamp).expect("a moment that every calendar has");
            assert_eq!(time.into(), timestamp);
        }
        for far in [Timestamp::MIN, Timestamp::MAX, Timestamp::from_secs(1 << 50)] {
            assert!(matches!(T::try_from(far), Err(TimestampError::Beyond(_))), "{far}");
        }
    }

    #[cfg(feature = "chrono")]
    #[test]
    fn chrono() {
        both_ways::<chrono::DateTime<chrono::Utc>>();
        let at = |s, nanos| chrono::DateTime::from_timestamp(s, nanos).expect("in range");
        assert_eq!(Timestamp::from(at(-1, 999_999_999)), at(-1, 999_999_000).into());
        // 23:59:60.5 of 2016-12-31
        let leap = Timestamp::from(at(1_483_228_799, 1_500_000_000));
        assert_eq!(leap, Timestamp::new(1_483_228_800, 500_000).expect("in range"));
        for end in
            [chrono::DateTime::<chrono::Utc>::MIN_UTC, chrono::DateTime::<chrono::Utc>::MAX_UTC]
        {
            assert!(chrono::DateTime::try_from(Timestamp::from(end)).is_ok());
        }
    }

    #[cfg(feature = "jiff")]
    #[test]
    fn jiff() {
        both_ways::<jiff::Timestamp>();
        for end in [jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
            assert!(jiff::Timestamp::try_from(Timestamp::from(end)).is_ok());
        }
    }

    #[cfg(feature = "time")]
    #[test]
    fn time() {
        both_ways::<time::OffsetDateTime>();
        let before = time::OffsetDateTime::from_unix_timestamp_nanos(-1).expect("in range");
        assert_eq!(Timestamp::from(before), Timestamp::new(-1, 999_999).expect("in range"));
    }
}
