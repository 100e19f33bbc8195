//! [`SystemTime`] both ways.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{MICROS, Timestamp, TimestampError};

/// Rounded down to the microsecond. A time past the range, which no known system has, becomes the
/// nearest moment in it.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => match i64::try_from(after.as_secs()) {
                Ok(s) => Self { s, us: after.subsec_micros() },
                Err(_) => Self::MAX,
            },
            Err(error) => {
                let before = error.duration();
                let us = i64::from(before.subsec_nanos().div_ceil(1000));
                0_i64
                    .checked_sub_unsigned(before.as_secs())
                    .and_then(|s| Self::carried(s, -us))
                    .unwrap_or(Self::MIN)
            }
        }
    }
}

/// Fails with [`TimestampError::NotSystemTime`] where the system's type has a smaller range, as it
/// has on Windows.
impl TryFrom<Timestamp> for SystemTime {
    type Error = TimestampError;

    fn try_from(timestamp: Timestamp) -> Result<Self, Self::Error> {
        let us = Duration::from_micros(timestamp.us.into());
        let time = if timestamp.s >= 0 {
            UNIX_EPOCH.checked_add(Duration::from_secs(timestamp.s.unsigned_abs()) + us)
        } else {
            // from the second above down, so that no step leaves a range that the moment itself is
            // in
            let up = Duration::from_micros(MICROS as u64) - us;
            let down = Duration::from_secs(timestamp.s.unsigned_abs() - 1) + up;
            UNIX_EPOCH.checked_sub(down)
        };
        time.ok_or(TimestampError::NotSystemTime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for (s, us) in [(0, 0), (1, 999_999), (-1, 0), (-1, 999_999), (-2_208_988_800, 1)] {
            let timestamp = Timestamp::new(s, us).expect("microseconds in range");
            let time = SystemTime::try_from(timestamp).expect("a moment that every system has");
            assert_eq!(Timestamp::from(time), timestamp);
        }
    }

    #[test]
    fn nanoseconds_are_rounded_down() {
        let nanosecond = Duration::from_nanos(1);
        assert_eq!(Timestamp::from(UNIX_EPOCH + nanosecond), Timestamp::from_secs(0));
        let before = Timestamp::from(UNIX_EPOCH - nanosecond);
        assert_eq!((before.s(), before.us()), (-1, 999_999));
    }

    #[test]
    fn the_ends_do_not_panic() {
        for end in [Timestamp::MIN, Timestamp::MAX] {
            match SystemTime::try_from(end) {
                Ok(time) => assert_eq!(Timestamp::from(time), end),
                Err(error) => assert_eq!(error, TimestampError::NotSystemTime),
            }
        }
    }
}
