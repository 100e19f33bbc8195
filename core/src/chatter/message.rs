//! `Msg`, the one message of the protocol, in both dialects.
//!
//! ```text
//! Msg  = Record { id: Integer, first: Integer, owner, token, last: Boolean, data: Data }
//! Data = Record { type: String, data: Bytes }                              HatChatter
//!      = Record { module: Optional(String), type: String, data: Bytes }    Hat
//! ```

use core::fmt;
use core::ops::Range;

use bytes::{Buf, Bytes};
use bytestring::ByteString;

use super::{Conversation, Dialect};
use crate::buffer::Writer;
use crate::sbs::{Decode, DecodeError, Encode, EncodedInteger as Integer, Reader, take_integer};

/// What a message carries: a type and its encoding. Chatter does not look into it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// SBS module name; only [`Dialect::Hat`] has it.
    pub module: Option<ByteString>,
    /// SBS type name. In [`Dialect::HatChatter`] usually `Module.Type`.
    pub r#type: ByteString,
    /// The encoded value. When received, a slice of the block that it came in: it keeps the whole
    /// block in memory.
    pub data: Bytes,
}

/// The data is shown by its length and its start: a refused message of megabytes must not fill a
/// log.
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { module, r#type, data } = self;
        let start = data.slice(..data.len().min(32));
        let shown = format_args!("{} bytes, {start:?}", data.len());
        f.debug_struct("Data")
            .field("module", module)
            .field("type", r#type)
            .field("data", &shown)
            .finish()
    }
}

impl Data {
    /// Data of [`Dialect::HatChatter`]. A `&str` is copied; a name that is sent often is better
    /// made by [`ByteString::from_static`], or cloned, which allocates nothing.
    #[must_use]
    pub fn new(r#type: impl Into<ByteString>, data: impl Into<Bytes>) -> Self {
        Self { module: None, r#type: r#type.into(), data: data.into() }
    }

    /// Data of [`Dialect::Hat`].
    #[must_use]
    pub fn with_module(
        module: impl Into<ByteString>,
        r#type: impl Into<ByteString>,
        data: impl Into<Bytes>,
    ) -> Self {
        Self { module: Some(module.into()), ..Self::new(r#type, data) }
    }

    /// Bytes that this takes of a queue, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.module.as_ref().map_or(0, |module| module.len()) + self.r#type.len() + self.data.len()
    }
}

/// A message as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it carries.
    pub data: Data,
    /// The conversation that it belongs to: pass it on to answer.
    pub conversation: Conversation,
    /// It starts the conversation.
    pub first: bool,
    /// It ends the conversation.
    pub last: bool,
    /// It gives this side the right to send in the conversation.
    pub token: bool,
}

/// `Msg` but for its data, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: i64,
    pub(super) first: i64,
    pub(super) owner: bool,
    pub(super) token: bool,
    pub(super) last: bool,
}

impl Head {
    #[inline]
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: Decode::decode(reader)?,
            first: Decode::decode(reader)?,
            owner: Decode::decode(reader)?,
            token: Decode::decode(reader)?,
            last: Decode::decode(reader)?,
        })
    }

    /// The conversation as the side that receives this sees it.
    pub(super) fn conversation(&self) -> Conversation {
        Conversation { first_id: self.first, owner: !self.owner }
    }

    pub(super) fn is_first(&self) -> bool {
        self.owner && self.first == self.id
    }
}

/// The name of what a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name<'a> {
    pub(crate) module: Option<&'a str>,
    pub(crate) r#type: &'a str,
}

impl<'a> Name<'a> {
    /// The name of a type in [`Dialect::HatChatter`].
    pub(crate) fn of(r#type: &'a str) -> Self {
        Self { module: None, r#type }
    }
}

impl Dialect {
    pub(super) fn ping(self) -> Name<'static> {
        match self {
            Dialect::Hat => Name { module: Some("HatPing"), r#type: "MsgPing" },
            Dialect::HatChatter => Name { module: None, r#type: "HatChatter.Ping" },
        }
    }

    pub(super) fn pong(self) -> Name<'static> {
        match self {
            Dialect::Hat => Name { module: Some("HatPing"), r#type: "MsgPong" },
            Dialect::HatChatter => Name { module: None, r#type: "HatChatter.Pong" },
        }
    }

    /// Where the parts of a message stand in its block. `None` where that takes a closer look:
    /// [`decode`](Self::decode) says what is wrong, if anything is.
    #[inline]
    pub(super) fn layout(self, block: &[u8]) -> Option<Layout> {
        if self == Dialect::Hat {
            return None;
        }
        let mut rest = block;
        let id = integer(&mut rest)?;
        let first = integer(&mut rest)?;
        let (&[owner, token, last], behind) = rest.split_first_chunk()?;
        if owner | token | last > 1 {
            return None;
        }
        rest = behind;
        let name = text(block, &mut rest)?;
        let data = text(block, &mut rest)?;
        let head = Head { id, first, owner: owner != 0, token: token != 0, last: last != 0 };
        Some(Layout { head, name, data })
    }

    /// Reads a message, and says how many bytes are left over behind it. Its data is what `body`
    /// becomes: one reference less to count.
    #[inline]
    pub(super) fn decode(self, mut body: Bytes) -> Result<(Head, Data, usize), DecodeError> {
        let mut reader = Reader::new(&body);
        let head = Head::decode(&mut reader)?;
        let module = match self {
            Dialect::Hat => Decode::decode(&mut reader)?,
            Dialect::HatChatter => None,
        };
        let r#type = Decode::decode(&mut reader)?;
        let len = reader.count(1)?;
        let start = reader.position();
        reader.skip(len)?;
        let left = reader.remaining();
        body.advance(start);
        body.truncate(len);
        Ok((head, Data { module, r#type, data: body }, left))
    }
}

/// Takes an Integer. Most are short, and what has a known length is looked at without a loop.
#[inline]
fn integer(rest: &mut &[u8]) -> Option<i64> {
    let sign = |byte: u8| i64::from((byte << 1) as i8 >> 1);
    let group = |byte: u8| i64::from(byte & 0x7f);
    let (value, len) = match **rest {
        [a, ..] if a >= 0x80 => (sign(a), 1),
        [a, b, ..] if b >= 0x80 => (sign(a) << 7 | group(b), 2),
        [a, b, c, ..] if c >= 0x80 => (sign(a) << 14 | group(b) << 7 | group(c), 3),
        _ => take_integer(rest).ok()?,
    };
    *rest = &rest[len..];
    Some(value)
}

/// Takes a String or Bytes, and gives where in `block` they stand.
#[inline]
fn text(block: &[u8], rest: &mut &[u8]) -> Option<Range<usize>> {
    let len = usize::try_from(integer(rest)?).ok()?;
    let start = block.len() - rest.len();
    *rest = rest.get(len..)?;
    Some(start..start + len)
}

/// Where the parts of a message stand in its block.
pub(super) struct Layout {
    pub(super) head: Head,
    pub(super) name: Range<usize>,
    pub(super) data: Range<usize>,
}

/// A message of [`Dialect::HatChatter`] up to its data, all of whose integers are short. They are
/// encoded already: a length stands in front of the message, and is asked for first.
pub(super) struct ShortOpening<'a> {
    id: Integer,
    first: Integer,
    /// The flags and the length of the name.
    flags: Integer,
    name: &'a str,
    data_len: Integer,
}

impl<'a> ShortOpening<'a> {
    #[inline]
    pub(super) fn new(head: Head, name: &'a str, data_len: usize) -> Option<Self> {
        let id = Integer::of(head.id)?;
        // most messages start a conversation
        let first = if head.first == head.id { id } else { Integer::of(head.first)? };
        let flags = [head.owner, head.token, head.last].map(u8::from);
        let flags = Integer::of(name.len() as i64)?.behind(flags)?;
        Some(Self { id, first, flags, name, data_len: Integer::of(data_len as i64)? })
    }
}

impl Encode for ShortOpening<'_> {
    #[inline]
    fn encoded_len(&self) -> usize {
        let Self { id, first, flags, name, data_len } = self;
        id.len() + first.len() + flags.len() + name.len() + data_len.len()
    }

    #[inline]
    fn encode(&self, out: &mut impl Writer) {
        self.id.put(out);
        self.first.put(out);
        self.flags.put(out);
        out.put_slice(self.name.as_bytes());
        self.data_len.put(out);
    }
}

/// A message of any dialect up to its data, of which `data_len` bytes must follow.
pub(super) struct Opening<'a> {
    pub(super) dialect: Dialect,
    pub(super) head: Head,
    pub(super) name: Name<'a>,
    pub(super) data_len: usize,
}

impl Encode for Opening<'_> {
    fn encoded_len(&self) -> usize {
        let &Self { dialect, head: Head { id, first, owner, token, last }, name, data_len } = self;
        let module = if dialect == Dialect::Hat { name.module.encoded_len() } else { 0 };
        let flags = [owner, token, last].len();
        let (r#type, data_len) = (name.r#type.encoded_len(), (data_len as i64).encoded_len());
        id.encoded_len() + first.encoded_len() + flags + module + r#type + data_len
    }

    fn encode(&self, out: &mut impl Writer) {
        let &Self { dialect, head: Head { id, first, owner, token, last }, name, data_len } = self;
        id.encode(out);
        first.encode(out);
        [owner, token, last].iter().for_each(|flag| flag.encode(out));
        if dialect == Dialect::Hat {
            name.module.encode(out);
        }
        name.r#type.encode(out);
        (data_len as i64).encode(out);
    }
}

impl Data {
    pub(super) fn name(&self) -> Name<'_> {
        Name { module: self.module.as_deref(), r#type: &self.r#type }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sbs;

    #[track_caller]
    fn both_ways(dialect: Dialect, head: Head, data: Data, bytes: &[u8]) {
        let (name, data_len) = (data.name(), data.data.len());
        let opening = sbs::encode(&Opening { dialect, head, name, data_len });
        assert_eq!([&opening[..], &data.data].concat(), bytes);
        if let Some(short) = ShortOpening::new(head, name.r#type, data_len)
            && dialect == Dialect::HatChatter
        {
            assert_eq!(sbs::encode(&short), opening);
        }
        if dialect == Dialect::HatChatter {
            let layout = dialect.layout(bytes).expect("a message");
            assert_eq!(layout.head, head);
            assert_eq!(&bytes[layout.name], data.r#type.as_bytes());
            assert_eq!(&bytes[layout.data], data.data);
            for cut in 0..bytes.len() {
                assert!(dialect.layout(&bytes[..cut]).is_none(), "at {cut}");
            }
        }
        assert_eq!(dialect.decode(Bytes::copy_from_slice(bytes)), Ok((head, data, 0)));
    }

    #[test]
    fn hat_chatter() {
        let head = Head { id: 5, first: 3, owner: true, token: false, last: true };
        let bytes = b"\x85\x83\x01\x00\x01\x89Test.Data\x83xyz";
        both_ways(Dialect::HatChatter, head, Data::new("Test.Data", "xyz"), bytes);
    }

    /// Ids that no peer of ours counts up to.
    #[test]
    fn ids_of_more_than_eight_bytes() {
        let head = Head { id: 1 << 55, first: i64::MIN, owner: false, token: true, last: false };
        let id = b"\x00\x40\0\0\0\0\0\0\x80";
        let first = b"\x7f\0\0\0\0\0\0\0\0\x80";
        let bytes = [&id[..], first, b"\x00\x01\x00\x81T\x80"].concat();
        both_ways(Dialect::HatChatter, head, Data::new("T", ""), &bytes);
    }

    #[test]
    fn hat() {
        let head = Head { id: 1, first: 1, owner: true, token: true, last: true };
        let bytes = b"\x81\x81\x01\x01\x01\x81\x84Test\x84Data\x80";
        both_ways(Dialect::Hat, head, Data::with_module("Test", "Data", ""), bytes);
        let bytes = b"\x81\x81\x01\x01\x01\x80\x87Integer\x81\x85";
        both_ways(Dialect::Hat, head, Data::new("Integer", &b"\x85"[..]), bytes);
    }

    #[test]
    fn left_over_bytes_are_counted() {
        let body = Bytes::from_static(b"\x82\x81\x00\x01\x00\x81T\x81axyz");
        let (_, data, left) = Dialect::HatChatter.decode(body).expect("a message and more");
        assert_eq!((data, left), (Data::new("T", "a"), 3));
    }
}
