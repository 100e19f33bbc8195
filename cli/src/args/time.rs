//! Times as people write them.

use hat_core::eventer::Timestamp;

/// For `--help`.
pub(crate) const HELP: &str = "A time is written in the form of RFC 3339 (2023-11-14T22:13:20Z), \
as a date (2023-11-14, which is its first moment), as seconds since 1970 (1700000000.5), as now, \
today or yesterday (their first moment, in UTC), or as a duration before now: -90s, -15m, -1h, \
-2d, -1w, -500ms. Without a zone, UTC is assumed.";

/// Seconds of a day.
const DAY: i64 = 86_400;

/// A time: see [`HELP`].
pub(crate) fn time(text: &str) -> Result<Timestamp, String> {
    time_at(text, Timestamp::now())
}

fn time_at(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let midnight = |days: i64| Timestamp::from_secs((now.s().div_euclid(DAY) + days) * DAY);
    match text {
        "now" => return Ok(now),
        "today" => return Ok(midnight(0)),
        "yesterday" => return Ok(midnight(-1)),
        _ => {}
    }
    if let Some(before) = text.strip_prefix('-') {
        let seconds = while_of(before).ok_or_else(|| wrong(text))?;
        return now.add_secs_f64(-seconds).map_err(|error| error.to_string());
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && !text.is_empty() {
        return since_1970(text).ok_or_else(|| wrong(text));
    }
    let whole = |text: &str| text.parse::<Timestamp>();
    // what is missing is the first moment, and UTC
    let tries = [format!("{text}T00:00:00Z"), format!("{text}:00Z"), format!("{text}Z")];
    let error = match whole(text) {
        Ok(timestamp) => return Ok(timestamp),
        Err(error) => error,
    };
    let found = tries.iter().find_map(|text| whole(text).ok());
    found.ok_or_else(|| match error {
        hat_core::eventer::TimestampError::Syntax { .. } => wrong(text),
        error => error.to_string(),
    })
}

fn wrong(text: &str) -> String {
    format!(
        "`{text}` is not a time: write 2023-11-14T22:13:20Z, 2023-11-14, now, today, yesterday, -15m, -1h, -2d, or seconds since 1970"
    )
}

/// `15m`, `1.5h`, in seconds.
pub(crate) fn while_of(text: &str) -> Option<f64> {
    let digits = text.find(|char: char| !char.is_ascii_digit() && char != '.')?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => DAY as f64,
        "w" => 7.0 * DAY as f64,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * unit)
}

/// Digits, not a double: that one would round the microseconds of large numbers.
fn since_1970(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let micros = format!("{fraction:0<6}");
    Timestamp::new(seconds.parse().ok()?, micros.get(..6)?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_time() {
        let now: Timestamp = "2023-11-14T22:13:20.000005Z".parse().expect("a time");
        for (text, expected) in [
            ("2023-11-14T22:13:20.000005Z", "2023-11-14T22:13:20.000005Z"),
            ("2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20.000000Z"),
            ("2023-11-14 22:13:20", "2023-11-14T22:13:20.000000Z"),
            ("2023-11-14T22:13:20", "2023-11-14T22:13:20.000000Z"),
            ("2023-11-14 22:13", "2023-11-14T22:13:00.000000Z"),
            ("2023-11-14", "2023-11-14T00:00:00.000000Z"),
            ("now", "2023-11-14T22:13:20.000005Z"),
            ("today", "2023-11-14T00:00:00.000000Z"),
            ("yesterday", "2023-11-13T00:00:00.000000Z"),
            ("-20s", "2023-11-14T22:13:00.000005Z"),
            ("-500ms", "2023-11-14T22:13:19.500005Z"),
            ("-13m", "2023-11-14T22:00:20.000005Z"),
            ("-1.5h", "2023-11-14T20:43:20.000005Z"),
            ("-2d", "2023-11-12T22:13:20.000005Z"),
            ("-1w", "2023-11-07T22:13:20.000005Z"),
            ("1700000000", "2023-11-14T22:13:20.000000Z"),
            ("1700000000.000005", "2023-11-14T22:13:20.000005Z"),
            ("1700000000.5", "2023-11-14T22:13:20.500000Z"),
        ] {
            assert_eq!(time_at(text, now).expect(text).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        let now = Timestamp::from_secs(0);
        for text in ["", "tomorrow", "-", "-1", "-h", "-1x", "1.", "1.2.3", "2023-11", ".", "-é"] {
            let error = time_at(text, now).expect_err(text);
            assert!(error.contains("is not a time: write"), "{text}: {error}");
        }
        assert!(time_at("2023-02-30", now).is_err());
        assert!(time_at("99999999999999999999", now).is_err());
    }
}
