//! A message of the stream, byte for byte.
//!
//! ```text
//! at   bytes
//!  0   4     "HATS": what has not this is not ours, and is passed over
//!  4   1     the version of the kind, 1 or 2: one that a node does not know stops it
//!  5   1     the kind
//!  6   4     CRC-32C of all that follows, least significant byte first
//! 10   8     the writer: drawn anew at each start of a node
//! 18   4     its epoch: how often it has opened
//! 22   8     the number: sessions of an epoch count from 0
//! 30   12    the timestamp, as in SBS
//! 42   …     by kind
//! ```
//!
//! | kind | version | what | follows |
//! |---|---|---|---|
//! | 0 | 1 | an epoch of a writer opens, and those before it are over | nothing |
//! | 1 | 1 | a session | its events as in `HatEventer.MsgRegisterReq` |
//! | 2 | 1 | a part of a session that is larger than a message may be | bytes |
//! | 3 | 1 | such a session | CRC-32C of the whole, then the sequences of its parts, 8 bytes each |
//! | 4 | 2 | a fence | the sequence of the fence before, 8 bytes |
//! | 5 | 2 | the end of fences | the same |
//!
//! With a fence an epoch opens, and those of all other writers are over; from then on only another
//! fence opens one of another writer. With the end of fences an epoch opens, too, and then any
//! writer may open. The fence before is of either kind, and 0 where there is none. Where it is not
//! the last that there is, the message does nothing: of two that were published at once, one is
//! heard. Programs that know version 1 only stop at them.
//!
//! Numbers are big-endian but for the checks.
//!
//! A session has limits, [`MAX_SESSION`], [`MAX_EVENTS`] and [`MAX_PARTS`]: what is beyond them is
//! never published, and a node that comes to it stops, as at what is damaged. So nobody who may
//! write to the subject makes the nodes take memory without limit.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hat_core::eventer::{RegisterEvent, Timestamp};
use hat_core::sbs::{self, Decode as _, Reader};

const MAGIC: [u8; 4] = *b"HATS";
/// The latest version of this format. Each message has the lowest that has its kind.
pub const VERSION: u8 = 2;
/// Bytes before what depends on the kind.
pub const HEAD: usize = 42;

/// Bytes of a session's events as SBS, 64 MiB: a registration comes in a message of Chatter, whose
/// limit is this by default. Part of the format, as the next two are: every node has the same.
pub const MAX_SESSION: usize = 64 << 20;
/// Its events, 524 288: each is three bytes at the least, and takes some 160 in memory. More than
/// twice what a server takes of a client by default.
pub const MAX_EVENTS: usize = 1 << 19;
/// Parts of a session, 4 096: those of 64 MiB with messages of 16 KiB. With 1 MiB, which NATS takes
/// by default, there are 65.
pub const MAX_PARTS: usize = 4_096;

/// Which session it is, to whoever published it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Who published it: one of the lives of a node.
    pub writer: u64,
    /// How often that had opened, from 1.
    pub epoch: u32,
    /// The number among the sessions of the epoch, from 0.
    pub number: u64,
}

/// What a node has published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which session it is, or is a part of. The number of an opening is 0.
    pub place: Place,
    /// When it was published for the first time, by the clock of the node.
    pub timestamp: Timestamp,
    /// What it is.
    pub body: Body,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The epoch opens, and those before it may not go on.
    Open,
    /// A session: its events as SBS.
    Session(Bytes),
    /// A part of a session.
    Part(Bytes),
    /// A session whose bytes stand in parts: the check of the whole, and their sequences.
    Parted(u32, Vec<u64>),
    /// The epoch opens, and nobody else may go on or open, except by another fence. It says which
    /// fence is the last that its writer has seen.
    Fence(u64),
    /// The same, and from then on everybody may open again.
    Lift(u64),
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It was published by something else.
    #[error("it was published by another program")]
    Foreign,
    /// It was published by a node of another version.
    #[error(
        "it has version {0}, and this program knows versions up to {VERSION}; use a later program"
    )]
    Version(u8),
    /// It is ours, and not what was published.
    #[error("it is damaged")]
    Damaged,
}

/// Why a session is in no stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// [`MAX_SESSION`].
    #[error("its events take {0} bytes; a session of a cluster has at most {MAX_SESSION}")]
    TooLarge(usize),
    /// [`MAX_EVENTS`].
    #[error("it has {0} events; a session of a cluster has at most {MAX_EVENTS}")]
    TooManyEvents(usize),
    /// [`MAX_PARTS`].
    #[error("it is in {0} parts; a session of a cluster is in at most {MAX_PARTS}")]
    TooManyParts(usize),
    /// They are no events.
    #[error("its events cannot be decoded: {0}")]
    Events(#[from] sbs::DecodeError),
}

/// The events of a session, within its limits.
///
/// # Errors
///
/// [`SessionError`].
pub fn events(bytes: &Bytes) -> Result<Vec<RegisterEvent>, SessionError> {
    let count = i64::decode(&mut Reader::new(bytes))?;
    check(bytes, usize::try_from(count).unwrap_or(0))?;
    Ok(sbs::decode(bytes)?)
}

/// Whether every node takes so many events, which are `bytes` as SBS, as a session.
///
/// # Errors
///
/// [`SessionError`].
pub fn check(bytes: &Bytes, count: usize) -> Result<(), SessionError> {
    if bytes.len() > MAX_SESSION {
        return Err(SessionError::TooLarge(bytes.len()));
    }
    if count > MAX_EVENTS {
        return Err(SessionError::TooManyEvents(count));
    }
    Ok(())
}

impl Message {
    /// The bytes of the message.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(HEAD + 64);
        out.put_slice(&MAGIC);
        let kind = self.body.kind();
        out.put_u8(version_of(kind));
        out.put_u8(kind);
        out.put_u32_le(0);
        out.put_u64(self.place.writer);
        out.put_u32(self.place.epoch);
        out.put_u64(self.place.number);
        out.put_slice(&self.timestamp.to_bytes());
        match &self.body {
            Body::Open => {}
            Body::Session(bytes) | Body::Part(bytes) => out.put_slice(bytes),
            Body::Parted(crc, sequences) => {
                out.put_u32_le(*crc);
                sequences.iter().for_each(|sequence| out.put_u64(*sequence));
            }
            Body::Fence(before) | Body::Lift(before) => out.put_u64(*before),
        }
        let crc = crc32c::crc32c_append(crc32c::crc32c(&out[4..6]), &out[10..]);
        out[6..10].copy_from_slice(&crc.to_le_bytes());
        out.freeze()
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// [`MessageError`].
    pub fn decode(bytes: &Bytes) -> Result<Self, MessageError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(MessageError::Foreign);
        }
        let version = *bytes.get(4).ok_or(MessageError::Damaged)?;
        if !(1..=VERSION).contains(&version) {
            return Err(MessageError::Version(version));
        }
        if bytes.len() < HEAD {
            return Err(MessageError::Damaged);
        }
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[4..6]), &bytes[10..]);
        if bytes[6..10] != crc.to_le_bytes() {
            return Err(MessageError::Damaged);
        }
        let kind = bytes[5];
        if version != version_of(kind) {
            return Err(MessageError::Damaged);
        }
        let mut head = &bytes[10..HEAD];
        let (writer, epoch, number) = (head.get_u64(), head.get_u32(), head.get_u64());
        let timestamp = head.try_into().map_err(|_| MessageError::Damaged)?;
        let timestamp = Timestamp::from_bytes(timestamp).map_err(|_| MessageError::Damaged)?;
        let body = Body::decode(kind, bytes.slice(HEAD..))?;
        Ok(Self { place: Place { writer, epoch, number }, timestamp, body })
    }
}

/// The version that has brought a kind of message.
const fn version_of(kind: u8) -> u8 {
    if kind < 4 { 1 } else { 2 }
}

impl Body {
    fn kind(&self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Session(_) => 1,
            Self::Part(_) => 2,
            Self::Parted(..) => 3,
            Self::Fence(_) => 4,
            Self::Lift(_) => 5,
        }
    }

    fn decode(kind: u8, mut bytes: Bytes) -> Result<Self, MessageError> {
        match kind {
            0 if bytes.is_empty() => Ok(Self::Open),
            1 => Ok(Self::Session(bytes)),
            2 => Ok(Self::Part(bytes)),
            3 if bytes.len() >= 12 && bytes.len() % 8 == 4 => {
                let crc = bytes.get_u32_le();
                let mut sequences = Vec::with_capacity(bytes.len() / 8);
                while bytes.has_remaining() {
                    sequences.push(bytes.get_u64());
                }
                Ok(Self::Parted(crc, sequences))
            }
            4 if bytes.len() == 8 => Ok(Self::Fence(bytes.get_u64())),
            5 if bytes.len() == 8 => Ok(Self::Lift(bytes.get_u64())),
            _ => Err(MessageError::Damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_reads_as_these_bytes() {
        let message = Message {
            place: Place { writer: 0x0102_0304_0506_0708, epoch: 3, number: 9 },
            timestamp: Timestamp::new(1, 2).expect("a time"),
            body: Body::Session(Bytes::from_static(b"events")),
        };
        let bytes = message.encode();
        assert_eq!(&bytes[..6], b"HATS\x01\x01");
        let rest = [
            1, 2, 3, 4, 5, 6, 7, 8, // the writer
            0, 0, 0, 3, // the epoch
            0, 0, 0, 0, 0, 0, 0, 9, // the number
            0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
            2, // the timestamp, whose seconds are above 2^63
            b'e', b'v', b'e', b'n', b't', b's',
        ];
        assert_eq!(bytes[10..], rest);
        assert_eq!(Message::decode(&bytes), Ok(message));
    }

    #[test]
    fn a_fence_is_of_a_version_that_stops_programs_which_do_not_know_it() {
        let of = |body| Message {
            place: Place { writer: 1, epoch: 1, number: 0 },
            timestamp: Timestamp::MIN,
            body,
        };
        for (body, kind) in [(Body::Fence(0x0102), 4), (Body::Lift(0x0102), 5)] {
            let bytes = of(body.clone()).encode();
            assert_eq!(&bytes[..6], [b"HATS\x02".as_slice(), &[kind]].concat());
            assert_eq!(bytes[HEAD..], [0, 0, 0, 0, 0, 0, 1, 2]);
            assert_eq!(Message::decode(&bytes), Ok(of(body)));
        }
        assert_eq!(of(Body::Open).encode()[4], 1, "what programs of version 1 know, they read");
    }

    #[test]
    fn what_is_not_ours_is_told_from_what_is_damaged() {
        let of =
            |bytes: &[u8]| Message::decode(&Bytes::copy_from_slice(bytes)).expect_err("no message");
        assert_eq!(of(b""), MessageError::Foreign);
        assert_eq!(of(b"hello"), MessageError::Foreign);
        assert_eq!(of(b"HATS"), MessageError::Damaged);
        assert_eq!(of(b"HATS\x03 whatever"), MessageError::Version(3));
        assert_eq!(of(b"HATS\x00 whatever"), MessageError::Version(0));
    }

    proptest! {
        #[test]
        fn it_comes_back(writer: u64, number: u64, bytes: Vec<u8>, sequences: Vec<u64>) {
            let timestamp = Timestamp::from_secs(7);
            let place = Place { writer, epoch: 5, number };
            let bytes = Bytes::from(bytes);
            let mut bodies = vec![Body::Session(bytes.clone()), Body::Part(bytes), Body::Open];
            bodies.extend([Body::Fence(number), Body::Lift(number)]);
            if !sequences.is_empty() {
                bodies.push(Body::Parted(writer as u32, sequences));
            }
            for body in bodies {
                let message = Message { place, timestamp, body };
                prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
            }
        }

        #[test]
        fn a_changed_byte_is_never_another_message(at in 0usize..70, bit in 0u8..8) {
            let body = Body::Session(Bytes::from_static(&[5; 40]));
            let place = Place { writer: 1, epoch: 1, number: 2 };
            let message = Message { place, timestamp: Timestamp::MIN, body };
            let mut bytes = message.encode().to_vec();
            bytes[at] ^= 1 << bit;
            prop_assert!(Message::decode(&bytes.into()).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let mut all = b"HATS\x01".to_vec();
            all.extend(bytes);
            let _ = Message::decode(&all.into());
        }
    }
}
