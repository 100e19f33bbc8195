use crate::sbs::{self, Decode, DecodeError, Encode, Reader, Writer};

mod arithmetic;
#[cfg(any(feature = "chrono", feature = "jiff", feature = "time"))]
mod calendars;
mod rfc3339;
#[cfg(feature = "std")]
mod system_time;

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;

/// From here on (2^53) a double has no fraction, and below it every whole number is exact.
const EXACT_F64: f64 = 9_007_199_254_740_992.0;

/// A moment: seconds since 1970-01-01 00:00 UTC, leap seconds not counted, and the microseconds
/// added to them.
///
/// ```text
/// -0.25 s is  s = -1, us = 750_000     as 12 bytes   u64 of s + 2^63 │ u32 of us      (big-endian)
/// ```
///
/// The range, [`MIN`](Self::MIN) to [`MAX`](Self::MAX), is that of the peers' storage: some 292
/// thousand million years to either side. As text it is RFC 3339 ([`Display`](core::fmt::Display),
/// [`FromStr`](core::str::FromStr)).
///
/// On the wire (`HatEventer.Timestamp`) both parts are integers of any size. Microseconds outside
/// of 0 to 999 999, which peers do not refuse, are carried into the seconds; what is out of range
/// after that is [`DecodeError::NotAllowed`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    // the order of the fields is the order of time
    s: i64,
    us: u32,
}

/// Why there is no such [`Timestamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// Microseconds that make a second or more.
    #[error("{0} microseconds are not within 0 to 999999; carry them into the seconds")]
    Microseconds(u32),
    /// Seconds that 64 bits cannot hold.
    #[error("the time is more than 2^63 seconds from 1970")]
    OutOfRange,
    /// A number of seconds that is infinite or not a number.
    #[error("the number of seconds is infinite or not a number")]
    NotFinite,
    /// A moment that the system's clock type cannot hold.
    #[error("the time is out of the range of the system's clock type")]
    NotSystemTime,
    /// A moment that the type of another library cannot hold. A peer may send any.
    #[error("the time is out of the range of {0}")]
    Beyond(&'static str),
    /// A text that is not of the form asked for, from this byte on.
    #[error(
        "the time is not RFC 3339: byte {at} is wrong; write it as 2006-01-02T15:04:05.999999Z"
    )]
    Syntax {
        /// The offset in bytes of the part that is wrong.
        at: usize,
    },
    /// A text with a month, day, hour, minute, second or offset that does not exist.
    #[error("the time has an impossible {0}")]
    NoSuch(&'static str),
}

impl Timestamp {
    /// The first moment.
    pub const MIN: Self = Self { s: i64::MIN, us: 0 };
    /// The last moment.
    pub const MAX: Self = Self { s: i64::MAX, us: 999_999 };

    /// `s` seconds since 1970-01-01 UTC, negative before, and `us` microseconds, 0 to 999 999,
    /// after that.
    ///
    /// # Errors
    ///
    /// [`TimestampError::Microseconds`].
    pub const fn new(s: i64, us: u32) -> Result<Self, TimestampError> {
        if us < MICROS as u32 { Ok(Self { s, us }) } else { Err(TimestampError::Microseconds(us)) }
    }

    /// Whole seconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn from_secs(s: i64) -> Self {
        Self { s, us: 0 }
    }

    /// Seconds since 1970-01-01 UTC, rounded down: negative before 1970.
    #[must_use]
    pub const fn s(self) -> i64 {
        self.s
    }

    /// Microseconds after [`s`](Self::s), 0 to 999 999.
    #[must_use]
    pub const fn us(self) -> u32 {
        self.us
    }

    /// What the system's clock shows now.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn now() -> Self {
        std::time::SystemTime::now().into()
    }

    /// `s` seconds and `us` microseconds, any number of them.
    const fn carried(s: i64, us: i64) -> Option<Self> {
        // as all peers write it
        if us >= 0 && us < MICROS {
            return Some(Self { s, us: us as u32 });
        }
        let rest = us.rem_euclid(MICROS) as u32;
        match s.checked_add(us.div_euclid(MICROS)) {
            Some(s) => Some(Self { s, us: rest }),
            None => None,
        }
    }

    /// The 12 bytes that peers store: they sort as the moments do.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 12] {
        let [a, b, c, d, e, f, g, h] = ((self.s as u64) ^ (1 << 63)).to_be_bytes();
        let [i, j, k, l] = self.us.to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    /// The moment in the 12 bytes that peers store. Microseconds over 999 999 are carried into the
    /// seconds.
    ///
    /// # Errors
    ///
    /// [`TimestampError::OutOfRange`].
    pub const fn from_bytes(bytes: [u8; 12]) -> Result<Self, TimestampError> {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        let s = (u64::from_be_bytes([a, b, c, d, e, f, g, h]) ^ (1 << 63)) as i64;
        match Self::carried(s, u32::from_be_bytes([i, j, k, l]) as i64) {
            Some(timestamp) => Ok(timestamp),
            None => Err(TimestampError::OutOfRange),
        }
    }

    /// Seconds since 1970-01-01 UTC. A double has 53 bits: today it is exact to a microsecond, in
    /// the year 4000 to 16.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.s as f64 + f64::from(self.us) * 1e-6
    }

    /// The moment `seconds` after 1970-01-01 UTC, rounded to the nearest microsecond, halves to the
    /// even one.
    ///
    /// # Errors
    ///
    /// [`TimestampError::NotFinite`] or [`TimestampError::OutOfRange`].
    pub fn try_from_secs_f64(seconds: f64) -> Result<Self, TimestampError> {
        let whole = whole_seconds(seconds)?;
        if seconds.abs() >= EXACT_F64 {
            return Ok(Self::from_secs(whole));
        }
        // the peers count from the second below, even for a whole negative number
        let floor = if seconds < 0.0 { whole - 1 } else { whole };
        let us = round_half_even((seconds - floor as f64) * 1e6);
        Self::carried(floor, us).ok_or(TimestampError::OutOfRange)
    }

    /// The moment `seconds`, any sign, after this one, to the nearest microsecond.
    ///
    /// # Errors
    ///
    /// [`TimestampError::NotFinite`] or [`TimestampError::OutOfRange`].
    pub fn add_secs_f64(self, seconds: f64) -> Result<Self, TimestampError> {
        let whole = whole_seconds(seconds)?;
        let us = i64::from(self.us) + round_half_even((seconds - whole as f64) * 1e6);
        // at once, so that a carry can bring a sum back into range
        let s = i128::from(self.s) + i128::from(whole) + i128::from(us.div_euclid(MICROS));
        let s = i64::try_from(s).map_err(|_| TimestampError::OutOfRange)?;
        Ok(Self { s, us: us.rem_euclid(MICROS) as u32 })
    }
}

/// `seconds` without its fraction.
fn whole_seconds(seconds: f64) -> Result<i64, TimestampError> {
    const RANGE: core::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
    if !seconds.is_finite() {
        return Err(TimestampError::NotFinite);
    }
    if !RANGE.contains(&seconds) {
        return Err(TimestampError::OutOfRange);
    }
    Ok(seconds as i64)
}

/// The nearest whole number to `value`, which is within ±1 000 000; the even one of two. (`core`
/// has no rounding of floats.)
fn round_half_even(value: f64) -> i64 {
    let below = value as i64 - i64::from(value < 0.0);
    let rest = value - below as f64;
    let up = rest > 0.5 || (rest == 0.5 && below % 2 != 0);
    below + i64::from(up)
}

sbs::record! {
    /// `HatEventer.Timestamp`, as it travels.
    struct Wire { s: i64, us: i64 }
}

impl Encode for Timestamp {
    #[inline]
    fn encoded_len(&self) -> usize {
        Wire { s: self.s, us: self.us.into() }.encoded_len()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        Wire { s: self.s, us: self.us.into() }.encode(out);
    }
}

impl Decode for Timestamp {
    const MIN_LEN: usize = Wire::MIN_LEN;

    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = reader.position();
        let wire = Wire::decode(reader)?;
        Self::carried(wire.s, wire.us).ok_or(DecodeError::NotAllowed {
            at,
            reason: "a timestamp further from 1970 than 2^63 seconds",
        })
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
    fn microseconds_stay_below_a_second() {
        assert_eq!(Timestamp::new(0, 1_000_000), Err(TimestampError::Microseconds(1_000_000)));
    }

    #[test]
    fn time_orders_seconds_first() {
        assert!(at(-1, 999_999) < at(0, 0) && at(0, 1) < at(0, 2));
        assert!(Timestamp::MIN < at(-1, 0) && at(1, 0) < Timestamp::MAX);
        assert!(at(-1, 999_999).to_bytes() < at(0, 0).to_bytes());
    }

    #[test]
    fn the_wire_carries_microseconds_into_seconds() {
        let wire = |s, us| sbs::decode(&sbs::encode(&Wire { s, us }));
        assert_eq!(wire(1, 1_000_000), Ok(at(2, 0)));
        assert_eq!(wire(1, -1), Ok(at(0, 999_999)));
        assert_eq!(wire(0, i64::MIN), Ok(at(-9_223_372_036_855, 224_192)));
        let refused = Err(DecodeError::NotAllowed {
            at: 0,
            reason: "a timestamp further from 1970 than 2^63 seconds",
        });
        assert_eq!(wire(i64::MAX, 1_000_000), refused);
        assert_eq!(wire(i64::MIN, -1), refused);
    }

    #[test]
    fn doubles_out_of_range() {
        let two_to_63 = 9_223_372_036_854_775_808.0;
        assert_eq!(Timestamp::try_from_secs_f64(two_to_63), Err(TimestampError::OutOfRange));
        assert_eq!(Timestamp::try_from_secs_f64(-two_to_63), Ok(Timestamp::MIN));
        assert_eq!(Timestamp::try_from_secs_f64(f64::NAN), Err(TimestampError::NotFinite));
        assert_eq!(Timestamp::MAX.add_secs_f64(0.000_001), Err(TimestampError::OutOfRange));
        assert_eq!(Timestamp::MIN.add_secs_f64(f64::INFINITY), Err(TimestampError::NotFinite));
        assert_eq!(Timestamp::MAX.add_secs_f64(-1.0), Ok(at(i64::MAX - 1, 999_999)));
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let cases = [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (-1.0, -1), (0.6, 1)];
        for (value, rounded) in cases {
            assert_eq!(round_half_even(value), rounded, "{value}");
        }
    }
}
