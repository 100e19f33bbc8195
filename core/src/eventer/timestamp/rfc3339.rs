//! Timestamps as text: RFC 3339, and ISO 8601's sign for years outside of 0 to 9999.
//!
//! ```text
//!  2023-11-14T22:13:20.999999Z      +12023-11-14T22:13:20.000000Z     -0001-12-31T00:00:00.000000Z
//!  └ date ──┘ └ time ┘ └ us ┘└ offset└ a sign and at least four digits outside of 0 to 9999
//! ```

use core::fmt;
use core::str::FromStr;

use super::{MICROS, Timestamp, TimestampError};
use crate::time::{DAY, ERA, Utc};

/// Digits of a year that are read: more are out of range in any case, and would overflow.
const MAX_YEAR_DIGITS: usize = 12;

/// RFC 3339 in UTC with six digits of fraction. Years outside of 0 to 9999 have a sign.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Utc(self.s).put(f)?;
        write!(f, ".{:06}Z", self.us)
    }
}

/// Reads RFC 3339 with any offset and any number of digits of fraction, of which those after the
/// sixth are cut off. A leap second (`:60`) is the second after it. Years outside of 0 to 9999 need
/// their sign.
impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut text = Text { bytes: text.as_bytes(), at: 0 };
        let year = text.year()?;
        text.one_of(b"-")?;
        let month = text.pair(1..=12, "month")?;
        text.one_of(b"-")?;
        let day = text.pair(1..=days_in(year, month), "day")?;
        text.one_of(b"Tt ")?;
        let hour = text.pair(0..=23, "hour")?;
        text.one_of(b":")?;
        let minute = text.pair(0..=59, "minute")?;
        text.one_of(b":")?;
        let second = text.pair(0..=60, "second")?;
        let us = text.fraction()?;
        let offset = text.offset()?;
        text.end()?;

        let of_day = hour * 3600 + minute * 60 + second - offset;
        let s = i128::from(days(year, month, day)) * i128::from(DAY) + i128::from(of_day);
        let s = i64::try_from(s).map_err(|_| TimestampError::OutOfRange)?;
        Ok(Self { s, us })
    }
}

/// The days from 1970-01-01 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let march_month = (month + 9) % 12;
    let of_year = (153 * march_month + 2) / 5 + day - 1;
    let year_of_era = year.rem_euclid(400);
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    year.div_euclid(400) * ERA + of_era - 719_468
}

fn days_in(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A position in the text.
struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Text<'_> {
    fn next(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn wrong<T>(&self) -> Result<T, TimestampError> {
        Err(TimestampError::Syntax { at: self.at })
    }

    fn one_of(&mut self, allowed: &[u8]) -> Result<u8, TimestampError> {
        match self.next() {
            Some(byte) if allowed.contains(&byte) => {
                self.at += 1;
                Ok(byte)
            }
            _ => self.wrong(),
        }
    }

    fn digit(&mut self) -> Option<i64> {
        let digit = self.next().filter(u8::is_ascii_digit)?;
        self.at += 1;
        Some(i64::from(digit - b'0'))
    }

    fn pair(
        &mut self,
        range: core::ops::RangeInclusive<i64>,
        name: &'static str,
    ) -> Result<i64, TimestampError> {
        let (Some(tens), Some(ones)) = (self.digit(), self.digit()) else { return self.wrong() };
        let value = tens * 10 + ones;
        if range.contains(&value) { Ok(value) } else { Err(TimestampError::NoSuch(name)) }
    }

    /// Four digits; with a sign four or more.
    fn year(&mut self) -> Result<i64, TimestampError> {
        let sign = self.one_of(b"+-").ok();
        let start = self.at;
        let mut year = 0;
        while let Some(digit) = self.digit() {
            if self.at - start > MAX_YEAR_DIGITS {
                return Err(TimestampError::OutOfRange);
            }
            year = year * 10 + digit;
        }
        match (self.at - start, sign) {
            (..=3, _) | (5.., None) => self.wrong(),
            (_, Some(b'-')) => Ok(-year),
            _ => Ok(year),
        }
    }

    /// Microseconds, where there is a fraction.
    fn fraction(&mut self) -> Result<u32, TimestampError> {
        if self.one_of(b".").is_err() {
            return Ok(0);
        }
        let mut worth = MICROS as u32 / 10;
        let mut us = 0;
        let Some(mut digit) = self.digit() else { return self.wrong() };
        loop {
            us += digit as u32 * worth;
            worth /= 10;
            match self.digit() {
                Some(next) => digit = next,
                None => return Ok(us),
            }
        }
    }

    /// Seconds that local time is ahead of UTC.
    fn offset(&mut self) -> Result<i64, TimestampError> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Ok(0),
        };
        let hours = self.pair(0..=23, "offset")?;
        self.one_of(b":")?;
        let minutes = self.pair(0..=59, "offset")?;
        Ok(sign * (hours * 3600 + minutes * 60))
    }

    fn end(&self) -> Result<(), TimestampError> {
        if self.at == self.bytes.len() { Ok(()) } else { self.wrong() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[track_caller]
    fn both_ways(s: i64, us: u32, text: &str) {
        let timestamp = Timestamp { s, us };
        assert_eq!(timestamp.to_string(), text);
        assert_eq!(text.parse(), Ok(timestamp));
    }

    #[test]
    fn known_moments() {
        both_ways(0, 0, "1970-01-01T00:00:00.000000Z");
        both_ways(-1, 999_999, "1969-12-31T23:59:59.999999Z");
        both_ways(951_825_600, 0, "2000-02-29T12:00:00.000000Z");
        both_ways(1_700_000_000, 5, "2023-11-14T22:13:20.000005Z");
        both_ways(253_402_300_799, 999_999, "9999-12-31T23:59:59.999999Z");
        both_ways(-62_135_596_800, 0, "0001-01-01T00:00:00.000000Z");
        both_ways(-62_167_219_200, 0, "0000-01-01T00:00:00.000000Z");
    }

    #[test]
    fn years_out_of_the_ordinary_have_a_sign() {
        both_ways(253_402_300_800, 0, "+10000-01-01T00:00:00.000000Z");
        both_ways(-62_167_219_201, 0, "-0001-12-31T23:59:59.000000Z");
        both_ways(i64::MAX, 999_999, "+292277026596-12-04T15:30:07.999999Z");
        both_ways(i64::MIN, 0, "-292277022657-01-27T08:29:52.000000Z");
        assert_eq!(
            "+292277026596-12-04T15:30:08Z".parse::<Timestamp>(),
            Err(TimestampError::OutOfRange)
        );
        assert_eq!(
            "+9999999999999-01-01T00:00:00Z".parse::<Timestamp>(),
            Err(TimestampError::OutOfRange)
        );
    }

    #[test]
    fn other_spellings_of_the_same_moment() {
        for text in [
            "2020-01-01T00:00:00+02:00",
            "2019-12-31t22:00:00z",
            "2019-12-31 22:00:00.0000009Z",
            "2019-12-31T21:59:60-00:00",
            "+2019-12-31T17:30:00.0-04:30",
        ] {
            assert_eq!(text.parse(), Ok(Timestamp::from_secs(1_577_829_600)), "{text}");
        }
    }

    #[test]
    fn refused() {
        let syntax = |at| Err(TimestampError::Syntax { at });
        let cases = [
            ("", syntax(0)),
            ("2020", syntax(4)),
            ("12020-01-01T00:00:00Z", syntax(5)),
            ("2020-01-01T00:00:00", syntax(19)),
            ("2020-01-01T00:00:00.Z", syntax(20)),
            ("2020-01-01T00:00:00Z ", syntax(20)),
            ("2020-1-01T00:00:00Z", syntax(6)),
            ("2021-02-29T00:00:00Z", Err(TimestampError::NoSuch("day"))),
            ("2020-13-01T00:00:00Z", Err(TimestampError::NoSuch("month"))),
            ("2020-01-01T24:00:00Z", Err(TimestampError::NoSuch("hour"))),
            ("2020-01-01T00:00:00+99:00", Err(TimestampError::NoSuch("offset"))),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Timestamp>(), error, "{text}");
        }
    }
}
