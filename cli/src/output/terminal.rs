//! What servers and clients said, where standard output is a terminal: nothing in it controls that.
//! Where it is a pipe or a file, what they said goes there as it is.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};

use crate::exit::shown;

/// Whether standard output is one.
pub(super) fn is_one() -> bool {
    io::stdout().is_terminal()
}

/// JSON in a line, still the same JSON: its own escapes leave out DEL and C1 (U+007F to U+009F).
pub(super) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char == '\t' {
            // between tokens: within a text it would not be JSON
            shown.push(' ');
        } else if char.is_control() {
            // writing to a text does not fail
            let _ = write!(shown, "\\u{:04x}", u32::from(char));
        } else {
            shown.push(char);
        }
    }
    shown
}

/// Binary data, which may be a text of several lines.
pub(super) fn binary(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    let parts = text.split_inclusive(['\n', '\t']);
    parts
        .map(|part| match part.strip_suffix(['\n', '\t']) {
            Some(front) => shown(front) + &part[front.len()..],
            None => shown(part),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn what_is_shown_is_the_same_json() {
        let text = "{\t\"a\\u0007\":\t\"x\u{9b}31m\u{7f}\"}";
        let shown = json(text);
        assert_eq!(shown, "{ \"a\\u0007\": \"x\\u009b31m\\u007f\"}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(value(&shown), value(text));
    }
}
