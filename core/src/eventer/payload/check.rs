//! Whether a text is JSON that every peer can take.

use alloc::string::{String, ToString};

/// Levels of arrays and objects: as deep as [`Json::parse`](super::Json::parse) goes. Python's
/// parser ends at some thousand, with an error that ends the connection.
const MAX_DEPTH: usize = 128;

/// Digits that no infinite number has without an exponent: the greatest double has 309.
const ALWAYS_FINITE: usize = 300;

/// Why a text is no JSON that every peer can take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It breaks the grammar of RFC 8259.
    #[error("{0}")]
    Syntax(String),
    /// A number that is infinite as a double: Python reads it so, and writes it as `Infinity`,
    /// which is no JSON.
    #[error("the number at byte {at} is out of range: a double ends at 1.8e308")]
    Infinite {
        /// Where it begins.
        at: usize,
    },
    /// A value of a program that JSON has no form for, as a map whose keys are no texts.
    #[error("the value has no form in JSON: {0}")]
    Value(String),
    /// More than 128 levels of arrays and objects.
    #[error("arrays and objects are nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
}

pub(super) fn check(text: &str) -> Result<(), JsonError> {
    // the grammar, without recursion
    serde_json::from_str::<serde::de::IgnoredAny>(text)
        .map_err(|error| JsonError::Syntax(error.to_string()))?;
    let (bytes, mut at, mut depth) = (text.as_bytes(), 0, 0);
    while let Some(byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'"' => at = end_of_string(bytes, at),
            b'[' | b'{' if depth == MAX_DEPTH => return Err(JsonError::TooDeep),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b'-' | b'0'..=b'9' => {
                let digits =
                    |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                at += bytes[at..].iter().take_while(digits).count();
                let number = &text[start..at];
                let may_be = number.len() > ALWAYS_FINITE || number.contains(['e', 'E']);
                if may_be && !number.parse().is_ok_and(f64::is_finite) {
                    return Err(JsonError::Infinite { at: start });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Behind the quote that ends the string whose content begins at `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'"' => return at + 1,
            b'\\' => 2,
            _ => 1,
        };
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_peer_can_take() {
        let deep = "[".repeat(128) + &"]".repeat(128);
        for text in [
            "1",
            "-0",
            "[1,{}]",
            r#""\ud83d""#,
            r#""1e400""#,
            r#""\"1e400""#,
            r#"{"\\":"[["}"#,
            "1e308",
            "1e-400",
            "0e999",
            &deep,
            " null ",
            &"9".repeat(308),
            r#"{"a":[true,false,null,"\u0000"]}"#,
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_ends_the_connections_of_others() {
        for text in [
            "[1,",
            "",
            "NaN",
            "[Infinity]",
            "-Infinity",
            "1 2",
            "'a'",
            "{1:2}",
            "[1,]",
            "01",
            "\u{feff}1",
            "\"\u{1}\"",
        ] {
            assert!(matches!(check(text), Err(JsonError::Syntax(_))), "{text}");
        }
        assert_eq!(check("[1, 1E400]"), Err(JsonError::Infinite { at: 4 }));
        assert_eq!(check("-1e309"), Err(JsonError::Infinite { at: 0 }));
        assert_eq!(check(&"9".repeat(400)), Err(JsonError::Infinite { at: 0 }));
        assert_eq!(check(&("[".repeat(129) + &"]".repeat(129))), Err(JsonError::TooDeep));
        let unfinished = "[".repeat(if cfg!(miri) { 1_000 } else { 100_000 });
        assert!(matches!(check(&unfinished), Err(JsonError::Syntax(_))));
    }
}
