//! Segments of Juggler 0.7: a message as WebSocket text messages of limited size, with pings
//! between them.
//!
//! ```text
//! text message   1 │ a part of a message, and more of it comes
//!                0 │ the last part of a message
//!                2 │ payload of a ping
//!                3 │ payload of a pong: that of the ping
//! ```
//!
//! The deployed peers count a segment in characters, and not the same: Python in code points,
//! JavaScript in UTF-16 units. Neither looks at the size of what it receives. We cut so that both
//! counts stay within the limit: by UTF-16 units, and never inside a character. (A browser does cut
//! inside one: its WebSocket turns each half into U+FFFD, and no receiver can tell.)

use alloc::string::String;
use alloc::vec::Vec;

use bytestring::ByteString;

use super::Error;

const LAST: ByteString = ByteString::from_static("0");
const MORE: ByteString = ByteString::from_static("1");
pub(super) const PING: ByteString = ByteString::from_static("2");
pub(super) const PONG: ByteString = ByteString::from_static("3");

/// Cuts the text that `parts` make together into segments of at most `max` UTF-16 units, at least
/// one character each, and gives the parts of each to `send`. Nothing is copied.
pub(super) fn cut(parts: &[ByteString], max: usize, mut send: impl FnMut(&[ByteString])) {
    let mut segment = Vec::with_capacity(parts.len() + 1);
    segment.push(MORE);
    let mut room = max;
    for part in parts {
        let mut rest = part.clone();
        while !rest.is_empty() {
            let mut fitting = fit(&rest, room);
            if fitting.bytes == 0 && segment.len() == 1 {
                // a limit smaller than the character: alone it goes out all the same, or there
                // would be no end
                fitting.bytes = rest.chars().next().map_or(0, char::len_utf8);
                fitting.units = room;
            }
            let (now, later) = rest.split_at(fitting.bytes);
            if !now.is_empty() {
                segment.push(now);
                room -= fitting.units;
            }
            rest = later;
            if !rest.is_empty() {
                send(&segment);
                segment.truncate(1);
                room = max;
            }
        }
    }
    segment[0] = LAST;
    send(&segment);
}

/// As many characters from the front of a text as there is room for.
#[derive(Clone, Copy)]
struct Front {
    bytes: usize,
    units: usize,
}

fn fit(text: &str, room: usize) -> Front {
    let front = &text.as_bytes()[..room.min(text.len())];
    if front.is_ascii() {
        return Front { bytes: front.len(), units: front.len() };
    }
    let mut fitting = Front { bytes: 0, units: 0 };
    for character in text.chars() {
        let units = fitting.units + character.len_utf16();
        if units > room {
            break;
        }
        fitting = Front { bytes: fitting.bytes + character.len_utf8(), units };
    }
    fitting
}

/// What a text message is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Segment {
    More(ByteString),
    Last(ByteString),
    Ping(ByteString),
    Pong(ByteString),
}

impl Segment {
    /// Reads a text message, without a copy.
    pub(super) fn parse(text: &ByteString) -> Result<Self, Error> {
        let payload = || text.slice_ref(&text[1..]);
        match text.chars().next() {
            Some('0') => Ok(Self::Last(payload())),
            Some('1') => Ok(Self::More(payload())),
            Some('2') => Ok(Self::Ping(payload())),
            Some('3') => Ok(Self::Pong(payload())),
            found => Err(Error::Segment { found }),
        }
    }
}

/// The segments of one message, as they come. They are copied together: a reference to each would
/// keep alive whatever it was read with, and a peer that sends a character a segment would take far
/// more memory than the limit says.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    text: String,
    /// A segment came that is not the last, empty perhaps.
    inside: bool,
}

impl Assembly {
    /// Whether a message has begun whose end is not here.
    pub(super) fn is_inside(&self) -> bool {
        self.inside
    }

    /// Appends a segment that is not the last. The message may take `limit` bytes.
    pub(super) fn push(&mut self, part: &str, limit: usize) -> Result<(), Error> {
        let size = self.text.len() + part.len();
        self.inside = true;
        if size > limit {
            self.text = String::new();
            return Err(Error::MessageTooLarge { limit });
        }
        self.text.push_str(part);
        Ok(())
    }

    /// The message, with its last segment; one of a single segment is not copied.
    pub(super) fn finish(&mut self, last: ByteString, limit: usize) -> Result<ByteString, Error> {
        if self.text.is_empty() && last.len() <= limit {
            self.inside = false;
            return Ok(last);
        }
        self.push(&last, limit)?;
        self.inside = false;
        Ok(core::mem::take(&mut self.text).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn segments(parts: &[&'static str], max: usize) -> Vec<String> {
        let parts: Vec<_> = parts.iter().map(|part| ByteString::from_static(part)).collect();
        let mut segments = Vec::new();
        cut(&parts, max, |segment| {
            segments.push(segment.iter().map(|part| &part[..]).collect());
        });
        segments
    }

    #[test]
    fn cut_where_the_limit_says() {
        assert_eq!(segments(&["abcdef"], 6), ["0abcdef"]);
        assert_eq!(segments(&["abcdef"], 5), ["1abcde", "0f"]);
        assert_eq!(segments(&["abcdef"], 3), ["1abc", "0def"]);
        assert_eq!(segments(&["abc", "", "def"], 4), ["1abcd", "0ef"]);
        assert_eq!(segments(&["abc", "def"], 3), ["1abc", "0def"]);
        assert_eq!(segments(&[""], 3), ["0"]);
        assert_eq!(segments(&[], 3), ["0"]);
    }

    #[test]
    fn characters_are_counted_as_javascript_does_and_stay_whole() {
        assert_eq!(segments(&["čšž"], 3), ["0čšž"]);
        assert_eq!(segments(&["čšž"], 2), ["1čš", "0ž"]);
        assert_eq!(segments(&["a🚀b"], 2), ["1a", "1🚀", "0b"]);
        assert_eq!(segments(&["a🚀b"], 3), ["1a🚀", "0b"]);
        assert_eq!(segments(&["a🚀b"], 4), ["0a🚀b"]);
        assert_eq!(segments(&["ab", "🚀", "🚀"], 3), ["1ab", "1🚀", "0🚀"]);
    }

    #[test]
    fn a_limit_below_one_character_gives_one_a_segment() {
        assert_eq!(segments(&["🚀🚀"], 1), ["1🚀", "0🚀"]);
        assert_eq!(segments(&["aš🚀"], 0), ["1a", "1š", "0🚀"]);
    }

    #[test]
    fn segments_refer_to_the_text() {
        let text = ByteString::from("0123456789");
        let mut at = vec![];
        cut(core::slice::from_ref(&text), 4, |segment| at.push(segment[1].as_ptr()));
        assert_eq!(at, [0, 4, 8].map(|offset| text[offset..].as_ptr()));
    }

    #[test]
    fn parsed() {
        let parse = |text| Segment::parse(&ByteString::from_static(text));
        assert_eq!(parse("0{}"), Ok(Segment::Last("{}".into())));
        assert_eq!(parse("1"), Ok(Segment::More("".into())));
        assert_eq!(parse("2č"), Ok(Segment::Ping("č".into())));
        assert_eq!(parse("3č"), Ok(Segment::Pong("č".into())));
        assert_eq!(parse("4abc"), Err(Error::Segment { found: Some('4') }));
        assert_eq!(parse("č"), Err(Error::Segment { found: Some('č') }));
        assert_eq!(parse(""), Err(Error::Segment { found: None }));
    }

    #[test]
    fn assembled_up_to_the_limit() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.finish("abc".into(), 3), Ok("abc".into()));
        assembly.push("ab", 3).expect("within");
        assert_eq!(assembly.finish("c".into(), 3), Ok("abc".into()));
        assembly.push("ab", 3).expect("within");
        let error = Error::MessageTooLarge { limit: 3 };
        assert_eq!(assembly.finish("cd".into(), 3), Err(error.clone()));
        assert_eq!(assembly.finish("abcd".into(), 3), Err(error));
    }
}
