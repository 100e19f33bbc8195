//! Whether a text is JSON that every peer can take.

use alloc::string::{String, ToString};

use super::sound::is_sound;

/// Levels of arrays and objects: as deep as [`Json::parse`](super::Json::parse) goes. Python's
/// parser ends at some thousand, with an error that ends the connection.
pub(super) const MAX_DEPTH: usize = 128;

/// Digits that no infinite number has without an exponent: the greatest double has 309.
pub(super) const ALWAYS_FINITE: usize = 300;

/// Why a text is not JSON that every peer can take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It breaks the grammar of RFC 8259.
    #[error("{0}")]
    Syntax(String),
    /// A number that is infinite as a double: Python reads it so, and writes it as `Infinity`,
    /// which is not JSON.
    #[error("the number at byte {at} is out of range: the largest double is 1.8e308")]
    Infinite {
        /// Where it begins.
        at: usize,
    },
    /// A value of a program that JSON has no form for, as a map whose keys are not texts.
    #[error("the value cannot be written as JSON: {0}")]
    Value(String),
    /// More than 128 levels of arrays and objects.
    #[error("arrays and objects are nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
}

pub(super) fn check(text: &str) -> Result<(), JsonError> {
    if is_sound(text) { Ok(()) } else { look_closer(text) }
}

/// The same with all that a text may have, and what is wrong with it.
#[cold]
fn look_closer(text: &str) -> Result<(), JsonError> {
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
    use proptest::prelude::*;

    proptest! {
        /// What is sound at first sight is sound at a closer look. Texts of the signs that JSON is
        /// made of, so that many of them are JSON.
        #[test]
        fn a_closer_look_finds_nothing_in_what_is_sound(
            text in r#"([\[\]{},: ]|"a?"|"[\\ux0-9]{0,6}"|-?[0-9]{1,2}(\.[0-9]?)?|1e9|true|null){0,12}"#,
        ) {
            if is_sound(&text) {
                prop_assert_eq!(look_closer(&text), Ok(()), "{}", text);
            }
        }

        /// Most of what programs write is sound at first sight.
        #[test]
        fn what_is_written_is_sound(value in any_value()) {
            for text in [value.to_string(), alloc::format!(" {value:#}\n")] {
                prop_assert!(is_sound(&text), "{}", text);
                prop_assert_eq!(look_closer(&text), Ok(()), "{}", text);
            }
        }
    }

    fn any_value() -> impl Strategy<Value = serde_json::Value> {
        use serde_json::Value;
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e6..1e6).prop_filter_map("no exponent", |number: f64| {
                (number.abs() > 1e-3).then(|| Value::from(number))
            }),
            any::<String>().prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 32, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..8).prop_map(|members| {
                    Value::from(members.into_iter().collect::<serde_json::Map<_, _>>())
                }),
            ]
        })
    }

    #[test]
    fn what_must_not_pass_at_first_sight() {
        for text in [
            "",
            " ",
            "[",
            "]",
            "{",
            "}",
            "[1",
            "[1}",
            "{\"a\":1]",
            "[1,]",
            "[,1]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{1:2}",
            "1 2",
            "01",
            "-",
            "--1",
            "-01",
            "1.",
            ".1",
            "+1",
            "1e5",
            "nul",
            "nulll",
            "True",
            "\"",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\u{1}\"",
            "\"\n\"",
            "'a'",
            "NaN",
            "\u{feff}1",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            "{\"a\" 1}",
        ] {
            assert!(!is_sound(text), "{text}");
        }
        assert!(!is_sound(&"9".repeat(301)) && is_sound(&"9".repeat(300)));
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(!is_sound(&deep(129)) && is_sound(&deep(128)));
        assert!(is_sound(&(r#"{"a":["#.repeat(64) + &"]}".repeat(64))));
    }

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
