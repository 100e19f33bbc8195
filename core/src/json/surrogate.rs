//! Halves of surrogate pairs that stand alone.
//!
//! RFC 8259 allows `"\ud83d"` in a text (section 8.2), and Python and browsers write it where a
//! program cut a string in the middle of a character. No Rust string can hold it as it is, so two
//! characters stand for it, and what is written is what was read:
//!
//! ```text
//! in JSON      in a Rust string
//! \ud83d       U+10FFFF U+10F03D      the mark, and U+10F000 more than how far it is behind U+D800
//! U+10FFFF     U+10FFFF U+10FFFF      the mark itself, which Unicode keeps for such uses
//! ```

use alloc::borrow::Cow;
use alloc::string::String;
use core::ops::RangeInclusive;

pub(super) const MARK: char = '\u{10FFFF}';

/// The first byte of the mark in UTF-8, and of no character below U+100000.
pub(super) const FIRST_BYTE: u8 = 0xF4;

/// The halves: those that come first in a pair, then those that come second.
const HALVES: RangeInclusive<u32> = 0xD800..=0xDFFF;

/// The characters that stand for them.
const STANDING: RangeInclusive<u32> = 0x10F000..=0x10F7FF;

/// Appends what stands for a half.
pub(super) fn push(half: u16, text: &mut String) {
    let standing = u32::from(half).wrapping_sub(*HALVES.start()).wrapping_add(*STANDING.start());
    text.push(MARK);
    text.extend(char::from_u32(standing));
}

/// Appends a whole character, as it is in other strings.
pub(super) fn push_char(character: char, text: &mut String) {
    if character == MARK {
        text.push(MARK);
    }
    text.push(character);
}

/// Appends what is in another string: the mark in it is told from ours.
pub(super) fn push_text(part: &str, text: &mut String) {
    let mut parts = part.split(MARK);
    text.extend(parts.next());
    for part in parts {
        text.extend([MARK, MARK]);
        text.push_str(part);
    }
}

/// What a mark and the character after it stand for.
pub(super) enum MarkedUnit {
    Half(u16),
    Mark,
}

/// What stands behind a mark; nothing if the text was not made here.
pub(super) fn marked(next: Option<char>) -> Option<MarkedUnit> {
    match next? {
        MARK => Some(MarkedUnit::Mark),
        next if STANDING.contains(&u32::from(next)) => {
            let half = u32::from(next) - STANDING.start() + HALVES.start();
            half.try_into().ok().map(MarkedUnit::Half)
        }
        _ => None,
    }
}

/// The text as people should see it: halves of surrogate pairs that stand alone as `\u{FFFD}`.
///
/// ```
/// use hat_core::json::{Limits, Value, lossy_text};
///
/// let value = Value::parse(r#""cut: \ud83d""#, &Limits::default())?;
/// assert_eq!(value.as_str().map(lossy_text).as_deref(), Some("cut: \u{FFFD}"));
/// assert_eq!(value.to_string(), r#""cut: \ud83d""#);
/// # Ok::<(), hat_core::json::ParseError>(())
/// ```
#[must_use]
pub fn lossy_text(text: &str) -> Cow<'_, str> {
    if !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(MARK) {
        plain.push_str(before);
        let mut next = behind.chars();
        plain.push(match marked(next.next()) {
            Some(MarkedUnit::Half(_)) => char::REPLACEMENT_CHARACTER,
            Some(MarkedUnit::Mark) | None => MARK,
        });
        rest = if marked(behind.chars().next()).is_some() { next.as_str() } else { behind };
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}
