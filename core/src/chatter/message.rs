//! `Msg`, the one message of the protocol, in both dialects.
//!
//! ```text
//! Msg  = Record { id: Integer, first: Integer, owner, token, last: Boolean, data: Data }
//! Data = Record { type: String, data: Bytes }                              HatChatter
//!      = Record { module: Optional(String), type: String, data: Bytes }    Hat
//! ```

use core::fmt;

use bytes::{Buf, Bytes};
use bytestring::ByteString;

use super::{Conversation, Dialect};
use crate::buffer::Place;
use crate::sbs::{Decode, DecodeError, EncodedInteger as Integer, Reader, Writer};

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
    /// Data of [`Dialect::HatChatter`].
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

    /// A message up to its data, of which `data_len` bytes must follow.
    #[inline]
    pub(super) fn opening(self, head: Head, name: Name<'_>, data_len: usize) -> Opening<'_> {
        let id = Integer::of(head.id);
        Opening {
            id,
            // most messages start a conversation
            first: if head.first == head.id { id } else { Integer::of(head.first) },
            flags: [head.owner.into(), head.token.into(), head.last.into()],
            module: (self == Dialect::Hat).then(|| name.module.map(Text::of)),
            r#type: Text::of(name.r#type),
            data_len: Integer::of(data_len as i64),
        }
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

/// A message up to its data. Its integers are encoded: its length stands in front of it, and is
/// asked for first.
pub(super) struct Opening<'a> {
    id: Integer,
    first: Integer,
    flags: [u8; 3],
    /// Only in [`Dialect::Hat`].
    module: Option<Option<Text<'a>>>,
    r#type: Text<'a>,
    data_len: Integer,
}

impl Opening<'_> {
    /// Bytes that it takes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        let module =
            self.module.as_ref().map_or(0, |module| 1 + module.as_ref().map_or(0, Text::len));
        let flags = self.flags.len();
        self.id.len() + self.first.len() + flags + module + self.r#type.len() + self.data_len.len()
    }

    #[inline]
    pub(super) fn put(&self, place: &mut Place<'_>) {
        put(&self.id, place);
        put(&self.first, place);
        place.put_slice(&self.flags);
        if let Some(module) = &self.module {
            put(&Integer::of(module.is_some().into()), place);
            module.iter().for_each(|module| module.put(place));
        }
        self.r#type.put(place);
        put(&self.data_len, place);
    }
}

/// A String with its length encoded.
struct Text<'a>(Integer, &'a str);

impl<'a> Text<'a> {
    #[inline]
    fn of(text: &'a str) -> Self {
        Self(Integer::of(text.len() as i64), text)
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len() + self.1.len()
    }

    #[inline]
    fn put(&self, place: &mut Place<'_>) {
        put(&self.0, place);
        place.put_slice(self.1.as_bytes());
    }
}

#[inline]
fn put(integer: &Integer, place: &mut Place<'_>) {
    place.put_padded(integer.padded(), integer.len());
}

impl Data {
    pub(super) fn name(&self) -> Name<'_> {
        Name { module: self.module.as_deref(), r#type: &self.r#type }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::SendQueue;

    #[track_caller]
    fn both_ways(dialect: Dialect, head: Head, data: Data, bytes: &[u8]) {
        let opening = dialect.opening(head, data.name(), data.data.len());
        assert_eq!(opening.len() + data.data.len(), bytes.len());
        let mut queue = SendQueue::new();
        queue.put_with(opening.len(), |place| opening.put(place));
        queue.put_slice(&data.data);
        assert_eq!(queue.chunk(), bytes);
        assert_eq!(dialect.decode(Bytes::copy_from_slice(bytes)), Ok((head, data, 0)));
    }

    #[test]
    fn hat_chatter() {
        let head = Head { id: 5, first: 3, owner: true, token: false, last: true };
        let bytes = b"\x85\x83\x01\x00\x01\x89Test.Data\x83xyz";
        both_ways(Dialect::HatChatter, head, Data::new("Test.Data", "xyz"), bytes);
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
