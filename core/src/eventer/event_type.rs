//! Event types, kept as they travel.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::convert::Infallible;
use core::fmt;
use core::str::FromStr;

use bytes::Bytes;

use crate::sbs::{Decode, DecodeError, Encode, Reader, Writer, integer_len};

/// What an event is about: a path of segments, which `HatEventer.EventType` calls subtypes. With
/// `?` and `*` as segments it is a query type, which [`Subscription`](super::Subscription) takes.
///
/// ```text
/// a/b/c  is  83 81 'a' 81 'b' 81 'c'      one slice of the frame, with its count: canonical SBS
/// ```
///
/// A clone is a reference, and so is what was decoded; see [`detached`](Self::detached) before
/// keeping one. Equality and hash are those of the bytes, the order is that of the segments,
/// compared as texts from the first on.
///
/// As text, segments are separated by `/`, and the type without segments is the empty text. A
/// segment of a sound type has no `/`, no `?` and no `*` in it; nothing refuses them, because the
/// peers do not.
///
/// ```
/// use hat_core::eventer::EventType;
///
/// let event_type = EventType::from("gateway/7/status");
/// assert_eq!(event_type, EventType::from_segments(["gateway", "7", "status"]));
/// assert_eq!(event_type.segments().nth(1), Some("7"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EventType {
    /// The count and the segments. The shortest encoding of every length, and UTF-8: equal types
    /// have equal bytes.
    encoded: Bytes,
    /// The count once more, for `len` in no time.
    len: usize,
}

impl EventType {
    /// The type of these segments.
    #[must_use]
    pub fn from_segments<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Self {
        let mut texts = Vec::new();
        let mut len = 0;
        for segment in segments {
            segment.as_ref().encode(&mut texts);
            len += 1;
        }
        Self::from_encoded(len, &texts)
    }

    /// The type of segments that were those of other types, and so are UTF-8.
    pub(super) fn from_segment_bytes<'a>(segments: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut texts = Vec::new();
        let mut len = 0;
        for segment in segments {
            (segment.len() as i64).encode(&mut texts);
            texts.extend_from_slice(segment);
            len += 1;
        }
        Self::from_encoded(len, &texts)
    }

    fn from_encoded(len: usize, texts: &[u8]) -> Self {
        // nothing in memory has more than `isize::MAX` elements
        let count = len as i64;
        let mut encoded = Vec::with_capacity(count.encoded_len() + texts.len());
        count.encode(&mut encoded);
        encoded.extend_from_slice(texts);
        Self { encoded: encoded.into(), len }
    }

    /// How many segments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether this is the type without segments.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The segments from the first on.
    #[must_use]
    pub fn segments(&self) -> Segments<'_> {
        Segments { bytes: self.segment_bytes() }
    }

    /// The segments as bytes, which is all that comparing and looking up need.
    #[inline]
    pub(super) fn segment_bytes(&self) -> SegmentBytes<'_> {
        SegmentBytes { rest: &self.encoded[integer_len(self.len as i64)..], left: self.len }
    }

    /// A copy with memory of its own. What was decoded keeps the whole frame that it came in alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { encoded: Bytes::copy_from_slice(&self.encoded), len: self.len }
    }

    /// Whether this type is one of those that `query` stands for: in a query type `?` is any one
    /// segment, and `*`, in the last place, any number of them, also none. A `*` in another place
    /// stands for itself.
    ///
    /// The source is `matches_query_type` of `hat-event`. For many query types at once there is
    /// [`Subscription`](super::Subscription), which refuses a `*` that is not in the last place.
    #[must_use]
    pub fn matches(&self, query: &Self) -> bool {
        let mut segments = self.segment_bytes();
        let mut asked = query.segment_bytes();
        while let Some(query) = asked.next() {
            if query == b"*" && asked.left == 0 {
                return true;
            }
            match segments.next() {
                Some(segment) if query == b"?" || query == segment => {}
                _ => return false,
            }
        }
        segments.left == 0
    }
}

/// The segments of an [`EventType`], from the first on.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    bytes: SegmentBytes<'a>,
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let bytes = self.bytes.next()?;
        Some(core::str::from_utf8(bytes).expect("checked when the type was made"))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.bytes.left, Some(self.bytes.left))
    }
}

impl ExactSizeIterator for Segments<'_> {}

/// The bytes of the segments of an [`EventType`], from the first on.
#[derive(Clone, Debug)]
pub(super) struct SegmentBytes<'a> {
    rest: &'a [u8],
    left: usize,
}

impl SegmentBytes<'_> {
    /// How many are left.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.left
    }
}

impl<'a> Iterator for SegmentBytes<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (len, at) = length(self.rest);
        let (segment, rest) = self.rest[at..].split_at(len);
        self.rest = rest;
        Some(segment)
    }
}

/// The length at the start of `bytes`, which is a valid one, and the bytes it takes.
#[inline]
fn length(bytes: &[u8]) -> (usize, usize) {
    if let [byte @ 0x80..=0xff, ..] = bytes {
        return (usize::from(byte & 0x7f), 1);
    }
    let mut len = 0;
    for (index, byte) in bytes.iter().enumerate() {
        len = len << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            return (len, index + 1);
        }
    }
    (0, bytes.len())
}

impl Encode for EventType {
    #[inline]
    fn encoded_len(&self) -> usize {
        self.encoded.len()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        out.put_bytes(&self.encoded);
    }
}

/// Checks every segment and takes them all as one slice. Lengths with groups that say nothing
/// (`00 81` for `81`), which readers accept, are written anew, so that equal types have equal
/// bytes.
impl Decode for EventType {
    const MIN_LEN: usize = 1;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.position();
        let len = reader.count(1)?;
        if reader.position() == start + 1
            && let Some(size) = plain_size(reader.peek(), len)
        {
            reader.skip(size)?;
            return Ok(Self { encoded: reader.since(start), len });
        }
        let mut canonical = start + integer_len(len as i64);
        for _ in 0..len {
            let text = text(reader)?.len();
            canonical += integer_len(text as i64) + text;
        }
        if reader.position() == canonical {
            return Ok(Self { encoded: reader.since(start), len });
        }
        rewritten(&reader.since(start))
    }
}

/// Bytes that `len` texts at the start of `bytes` take, where all are ASCII and have lengths of one
/// byte, as those of nearly all types. `None` where it takes a closer look.
#[inline]
fn plain_size(bytes: &[u8], len: usize) -> Option<usize> {
    let mut size = 0;
    for _ in 0..len {
        let &length @ 0x80..=0xbf = bytes.get(size)? else { return None };
        size += 1 + usize::from(length & 0x3f);
    }
    // lengths have their top bit set, and of texts only those that are ASCII have none that is
    (top_bits(bytes, size)? == len).then_some(size)
}

/// How many of the first `size` bytes have their top bit set. `None` where more than 255 might, or
/// where fewer than eight bytes follow.
#[inline]
fn top_bits(bytes: &[u8], size: usize) -> Option<usize> {
    const TOPS: u64 = 0x0101_0101_0101_0101;
    if size > 255 {
        return None;
    }
    let tops = |word: &[u8; 8]| u64::from_le_bytes(*word) >> 7 & TOPS;
    let (words, _) = bytes.get(..(size | 7) + 1)?.as_chunks();
    let (last, words) = words.split_last()?;
    let of_last = tops(last) & ((1 << (8 * (size % 8))) - 1);
    let counts = words.iter().fold(of_last, |counts, word| counts + tops(word));
    // the highest byte of this product is the sum of all
    Some((counts.wrapping_mul(TOPS) >> 56) as usize)
}

/// The type in `encoded`, which was decoded before, with the shortest lengths.
#[cold]
fn rewritten(encoded: &Bytes) -> Result<EventType, DecodeError> {
    let mut reader = Reader::new(encoded);
    let len = reader.count(1)?;
    let mut texts = Vec::with_capacity(encoded.len());
    for _ in 0..len {
        let text = text(&mut reader)?;
        (text.len() as i64).encode(&mut texts);
        texts.extend_from_slice(text);
    }
    Ok(EventType::from_encoded(len, &texts))
}

/// The bytes of a String, in place.
fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let len = reader.count(1)?;
    let at = reader.position();
    let bytes = reader.slice(len)?;
    core::str::from_utf8(bytes).map(str::as_bytes).map_err(|_| DecodeError::NotUtf8 { at })
}

/// The type without segments.
impl Default for EventType {
    fn default() -> Self {
        Self { encoded: Bytes::from_static(&[0x80]), len: 0 }
    }
}

impl Ord for EventType {
    fn cmp(&self, other: &Self) -> Ordering {
        self.segment_bytes().cmp(other.segment_bytes())
    }
}

impl PartialOrd for EventType {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<S: AsRef<str>> FromIterator<S> for EventType {
    fn from_iter<I: IntoIterator<Item = S>>(segments: I) -> Self {
        Self::from_segments(segments)
    }
}

impl<'a> IntoIterator for &'a EventType {
    type Item = &'a str;
    type IntoIter = Segments<'a>;

    fn into_iter(self) -> Segments<'a> {
        self.segments()
    }
}

/// `a/b/c`. A type of one empty segment has the text of the type without segments;
/// [`Debug`](fmt::Debug) tells them apart.
impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            f.write_str(segment)?;
        }
        Ok(())
    }
}

impl fmt::Debug for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.segments()).finish()
    }
}

/// Splits the text at every `/`. The empty text is the type without segments.
impl FromStr for EventType {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        match text {
            "" => Ok(Self::default()),
            _ => Ok(Self::from_segments(text.split('/'))),
        }
    }
}

/// As [`FromStr`]: segments are separated by `/`.
impl From<&str> for EventType {
    fn from(text: &str) -> Self {
        text.parse().unwrap_or_else(|never| match never {})
    }
}

/// As [`FromStr`]: segments are separated by `/`.
impl From<String> for EventType {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

/// As [`FromStr`]: segments are separated by `/`.
impl From<&String> for EventType {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

/// A clone, which is a reference.
impl From<&Self> for EventType {
    fn from(event_type: &Self) -> Self {
        event_type.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sbs;
    use alloc::string::ToString;
    use alloc::{format, vec};

    #[track_caller]
    fn parse(text: &str) -> EventType {
        text.parse().unwrap_or_else(|never| match never {})
    }

    #[test]
    fn the_bytes_of_a_type() {
        let event_type = parse("a/bc");
        let bytes = Bytes::from_static(&[0x82, 0x81, b'a', 0x82, b'b', b'c']);
        assert_eq!(sbs::encode(&event_type), bytes);
        assert_eq!(sbs::decode(&bytes), Ok(event_type));
    }

    #[test]
    fn decoding_slices_the_frame_and_detaching_copies() {
        let frame = Bytes::from(vec![0x82, 0x81, b'a', 0x82, b'b', b'c']);
        let event_type: EventType = sbs::decode(&frame).expect("valid");
        assert_eq!(event_type.encoded.as_ptr(), frame.as_ptr());
        let kept = event_type.detached();
        assert_eq!(kept, event_type);
        assert_ne!(kept.encoded.as_ptr(), frame.as_ptr());
    }

    #[test]
    fn lengths_that_say_nothing_are_dropped() {
        let long = Bytes::from_static(&[0, 0x82, 0, 0, 0x81, b'a', 0, 0x80]);
        let event_type: EventType = sbs::decode(&long).expect("readers accept leading groups");
        assert_eq!(event_type, EventType::from_segments(["a", ""]));
        assert_eq!(sbs::encode(&event_type)[..], [0x82, 0x81, b'a', 0x80]);
    }

    /// Whatever is behind it, and wherever a letter stands that is not ASCII.
    #[test]
    fn types_of_every_length() {
        for len in 0..300 {
            for letters in [&["a"][..], &["a", "č"], &["č", "a"]] {
                let text = letters.iter().cycle().take(len).copied().collect::<String>();
                let event_type = EventType::from_segments([&text, "", &text]);
                let mut bytes = sbs::encode(&event_type).to_vec();
                assert_eq!(sbs::decode(&bytes.clone().into()), Ok(event_type.clone()));
                bytes.extend([0xff; 8]);
                let bytes = bytes.into();
                assert_eq!(EventType::decode(&mut Reader::new(&bytes)), Ok(event_type));
            }
        }
        assert_eq!(plain_size(b"\x81a\x82bc\xff\xff\xff\xff\xff\xff\xff\xff", 2), Some(5));
        assert_eq!(plain_size(b"\x81a\x82b\xc4\x8d\xff\xff\xff\xff\xff\xff\xff", 2), None);
    }

    #[test]
    fn text_both_ways() {
        for text in ["", "a", "a/b/c", "a//", "/", "?/*", "日本/č"] {
            assert_eq!(parse(text).to_string(), text);
            assert_eq!(sbs::decode(&sbs::encode(&parse(text))), Ok(parse(text)));
        }
        assert_eq!(parse("").len(), 0);
        assert_eq!(parse("/").segments().collect::<Vec<_>>(), ["", ""]);
        assert_eq!(format!("{:?}", EventType::from_segments([""])), "[\"\"]");
    }

    #[test]
    fn the_order_is_that_of_the_segments() {
        let mut types = ["b", "a/c", "ab", "a", "", "a/b/z"].map(parse);
        types.sort();
        assert_eq!(types, ["", "a", "a/b/z", "a/c", "ab", "b"].map(parse));
        assert!(parse("aa") < parse("b"), "a longer segment is not a later one");
    }

    #[test]
    fn one_query_type() {
        assert!(parse("a/b").matches(&parse("?/b")) && parse("a").matches(&parse("a/*")));
        assert!(!parse("a").matches(&parse("a/?")) && !parse("a/b").matches(&parse("a")));
        assert!(parse("").matches(&parse("*")) && !parse("a").matches(&parse("")));
    }

    #[test]
    fn text_that_is_not_utf8_is_refused_where_it_stands() {
        let bytes = Bytes::from_static(&[0x82, 0x81, b'a', 0x81, 0xff]);
        assert_eq!(sbs::decode::<EventType>(&bytes), Err(DecodeError::NotUtf8 { at: 4 }));
    }

    #[test]
    fn long_segments() {
        let long = String::from_utf8(vec![b'x'; 20_000]).expect("ASCII");
        let event_type = EventType::from_segments([&long[..], "y"]);
        assert_eq!(event_type.segments().collect::<Vec<_>>(), [&long[..], "y"]);
        assert_eq!(sbs::decode(&sbs::encode(&event_type)), Ok(event_type));
    }
}
