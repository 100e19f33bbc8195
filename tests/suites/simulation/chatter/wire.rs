//! The bytes of blocks, read without the code that is tested: what a cable would show.

use bytes::{Buf, Bytes};
use hat_core::sbs::{Decode, Reader};

/// What of a message concerns pings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenMessage {
    pub(super) first: i64,
    pub(super) owner: bool,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ping,
    Pong,
    Other,
}

/// The messages in `bytes`, which are whole blocks.
pub(super) fn messages(bytes: &[u8], has_modules: bool) -> Vec<SeenMessage> {
    let mut rest = Bytes::copy_from_slice(bytes);
    let mut seen = Vec::new();
    while !rest.is_empty() {
        let digits = usize::from(rest.get_u8());
        let len = rest.split_to(digits).iter().fold(0, |len, &digit| len << 8 | usize::from(digit));
        seen.push(message(&rest.split_to(len), has_modules));
    }
    seen
}

fn message(block: &Bytes, has_modules: bool) -> SeenMessage {
    fn field<T: Decode>(reader: &mut Reader<'_>) -> T {
        T::decode(reader).expect("a message as both sides write them")
    }
    let reader = &mut Reader::new(block);
    let (_id, first): (i64, i64) = (field(reader), field(reader));
    let [owner, _token, _last]: [bool; 3] = [field(reader), field(reader), field(reader)];
    // texts and bytes are written alike
    let module: Option<Bytes> = if has_modules { field(reader) } else { None };
    let name: Bytes = field(reader);
    let kind = match (module.as_deref(), &name[..]) {
        (Some(b"HatPing"), b"MsgPing") | (None, b"HatChatter.Ping") => Kind::Ping,
        (Some(b"HatPing"), b"MsgPong") | (None, b"HatChatter.Pong") => Kind::Pong,
        _ => Kind::Other,
    };
    SeenMessage { first, owner, kind }
}
