//! Times as a person writes them: `100ms`, `2s`, `15m`, `12h`, `30d`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

/// Units and their milliseconds, the longest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

pub(crate) fn parse(text: &str) -> Option<Duration> {
    let at = text.find(|char: char| !char.is_ascii_digit())?;
    let (number, unit) = text.split_at(at);
    let millis = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}

/// In the longest unit in which it is a whole number. Times are whole milliseconds here.
pub(crate) fn write(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let is_whole = |(_, unit): &&(&str, u64)| millis > 0 && millis % unit == 0;
    let (name, unit) = UNITS.iter().find(is_whole).unwrap_or(&("ms", 1));
    format!("{}{name}", millis / unit)
}

pub(super) fn serialize<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.serialize_str(&write(*time)),
        None => serializer.serialize_none(),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let wrong = |text: &str| {
        de::Error::custom(format!("`{text}` is not a time: write 100ms, 2s, 15m, 12h or 30d"))
    };
    text.map(|text| parse(&text).ok_or_else(|| wrong(&text))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_read_as_they_are_written() {
        for text in ["0ms", "1ms", "1500ms", "2s", "90s", "15m", "36h", "30d"] {
            let time = parse(text).expect(text);
            assert_eq!(write(time), text);
        }
        assert_eq!(write(Duration::from_secs(86_400)), "1d");
        for text in ["", "5", "s", "-1s", "1.5s", "1 s", "1w", "99999999999999999999d"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
