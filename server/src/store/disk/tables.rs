//! The tables, and what is in them.
//!
//! ```text
//! store     name                               what says of which version the file is, and counts
//! servers   server                             the last of it, what is reserved
//! journal   -                                  the first frame of the journal that is not here yet
//! parts     server, session, instance          events, some to a record: the truth of all else
//! indexes   order and type, time, id           see `blocks`
//! pending   types, drain                       what waits to go into them: see `pending`
//! types     segments, in an order              the number of the type, and its latest event
//! ```

use bytes::Bytes;
use hat_core::eventer::{EventId, EventType, OrderBy, Timestamp};
use redb::TableDefinition;

use super::blocks::Damaged;

pub(super) const STORE: TableDefinition<'static, &str, u64> = TableDefinition::new("store");
pub(super) const SERVERS: TableDefinition<'static, i64, &[u8]> = TableDefinition::new("servers");
pub(super) const JOURNAL: TableDefinition<'static, (), &[u8]> = TableDefinition::new("journal");
pub(super) const PARTS: TableDefinition<'static, (i64, i64, i64), &[u8]> =
    TableDefinition::new("parts");
pub(super) const TYPES: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("types");

/// The version of what is described here.
pub(super) const VERSION: u64 = 3;
/// Names in [`STORE`].
pub(super) const VERSION_NAME: &str = "version";
pub(super) const TYPES_NAME: &str = "types";
pub(super) const EVENTS_NAME: &str = "events";
pub(super) const DRAINS_NAME: &str = "drains";

/// The index of all events, or of those of one type, by one of the timestamps. Types are numbered
/// from 1.
pub(super) fn prefix(type_number: u64, by: OrderBy) -> u64 {
    type_number << 1 | u64::from(by == OrderBy::SourceTimestamp)
}

/// What is known of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) last: EventId,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) reserved: i64,
    /// How far who applies its sessions has come, in words of theirs: see
    /// [`Store::mark`](crate::store::Store::mark).
    pub(super) mark: Option<Bytes>,
}

/// The timestamp of a server that has none and has a mark: no [`Timestamp`] has these bytes.
const NO_TIMESTAMP: [u8; 12] = [0xff; 12];

impl Server {
    pub(super) fn new(server_id: i64) -> Self {
        Self { last: EventId::new(server_id, 0, 0), ..Self::default() }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![0; 4];
        for number in [self.last.session, self.last.instance, self.reserved] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let none = self.mark.as_ref().map(|_| NO_TIMESTAMP);
        out.extend(self.timestamp.map(Timestamp::to_bytes).or(none).into_iter().flatten());
        out.extend_from_slice(self.mark.as_deref().unwrap_or_default());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&self.last.server.to_le_bytes()), &out[4..]);
        out[..4].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn from_bytes(server_id: i64, bytes: &[u8]) -> Result<Self, Damaged> {
        let (crc, rest) = bytes.split_at_checked(4).ok_or(Damaged)?;
        let computed = crc32c::crc32c_append(crc32c::crc32c(&server_id.to_le_bytes()), rest);
        if crc != computed.to_le_bytes() {
            return Err(Damaged);
        }
        let (numbers, timestamp) = rest.split_at_checked(24).ok_or(Damaged)?;
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&numbers[at * 8..at * 8 + 8]);
            i64::from_le_bytes(bytes)
        };
        let (timestamp, mark) = match timestamp.split_first_chunk() {
            None if timestamp.is_empty() => (None, timestamp),
            None => return Err(Damaged),
            Some((&NO_TIMESTAMP, mark)) => (None, mark),
            Some((bytes, mark)) => {
                (Some(Timestamp::from_bytes(*bytes).map_err(|_| Damaged)?), mark)
            }
        };
        Ok(Self {
            last: EventId::new(server_id, number(0), number(1)),
            reserved: number(2),
            timestamp,
            mark: (!mark.is_empty()).then(|| Bytes::copy_from_slice(mark)),
        })
    }
}

/// Where the tables end and the journal goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The first frame that is not in the tables.
    pub(super) next: u64,
    /// What goes into the checks of frames.
    pub(super) secret: u64,
}

impl Position {
    pub(super) fn to_bytes(self) -> [u8; 20] {
        let mut out = [0; 20];
        out[4..12].copy_from_slice(&self.next.to_le_bytes());
        out[12..].copy_from_slice(&self.secret.to_le_bytes());
        let crc = crc32c::crc32c(&out[4..]);
        out[..4].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
            Some(u64::from_le_bytes(bytes))
        };
        let (next, secret) = number(4).zip(number(12)).ok_or(Damaged)?;
        let position = Self { next, secret };
        if position.to_bytes() == *bytes { Ok(position) } else { Err(Damaged) }
    }
}

/// What is known of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Type {
    /// Its number in the indexes.
    pub(super) number: u64,
    /// Its events that are in its indexes, without those that wait, and their bytes.
    pub(super) events: u64,
    pub(super) bytes: u64,
    /// Whether the latest event is in the indexes, too, or kept only because it is the latest.
    pub(super) in_series: bool,
    /// The latest event as it is stored, or nothing where none is kept. One that waits may be
    /// later.
    pub(super) latest: Option<Bytes>,
}

impl Type {
    pub(super) fn to_bytes(&self, key: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 4];
        for number in [self.number, self.events, self.bytes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.push(u8::from(self.in_series) | u8::from(self.latest.is_some()) << 1);
        out.extend_from_slice(self.latest.as_deref().unwrap_or_default());
        let crc = crc32c::crc32c_append(crc32c::crc32c(key), &out[4..]);
        out[..4].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(super) fn from_bytes(key: &[u8], bytes: &[u8]) -> Result<Self, Damaged> {
        let (crc, rest) = bytes.split_at_checked(4).ok_or(Damaged)?;
        if crc != crc32c::crc32c_append(crc32c::crc32c(key), rest).to_le_bytes() || rest.len() < 25
        {
            return Err(Damaged);
        }
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&rest[at * 8..at * 8 + 8]);
            u64::from_le_bytes(bytes)
        };
        Ok(Self {
            number: number(0),
            events: number(1),
            bytes: number(2),
            in_series: rest[24] & 1 == 1,
            latest: (rest[24] & 2 == 2).then(|| Bytes::copy_from_slice(&rest[25..])),
        })
    }
}

/// The segments so that types are in the order of their segments, and those that start alike are
/// side by side: each ends with `00 01`, and `00` in one is `00 ff`.
pub(super) fn type_key(event_type: &EventType) -> Vec<u8> {
    let mut key = Vec::new();
    for segment in event_type.segments() {
        for byte in segment.bytes() {
            key.push(byte);
            if byte == 0 {
                key.push(0xff);
            }
        }
        key.extend_from_slice(&[0, 1]);
    }
    key
}

/// The type of a key.
pub(super) fn type_of(key: &[u8]) -> Result<EventType, Damaged> {
    let mut segments: Vec<String> = Vec::new();
    let mut segment = Vec::new();
    let mut bytes = key.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            0 => match bytes.next() {
                Some(0xff) => segment.push(0),
                Some(1) => {
                    let text = String::from_utf8(std::mem::take(&mut segment));
                    segments.push(text.map_err(|_| Damaged)?);
                }
                _ => return Err(Damaged),
            },
            byte => segment.push(*byte),
        }
    }
    if segment.is_empty() { Ok(EventType::from_segments(segments)) } else { Err(Damaged) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_types_sort_as_types_do_and_come_back() {
        let segments: [&[&str]; 9] = [
            &[],
            &[""],
            &["", ""],
            &["\0"],
            &["\0", "a"],
            &["\u{1}"],
            &["a"],
            &["a", "b"],
            &["ab"],
        ];
        let types: Vec<_> = segments.iter().map(|one| EventType::from_segments(*one)).collect();
        let keys: Vec<_> = types.iter().map(type_key).collect();
        assert!(keys.is_sorted() && types.is_sorted());
        for (event_type, key) in types.iter().zip(&keys) {
            assert_eq!(&type_of(key).expect("a key"), event_type);
        }
    }

    #[test]
    fn records_come_back_whole_or_not_at_all() {
        let server = Server {
            last: EventId::new(-1, 5, 6),
            timestamp: Some(Timestamp::from_secs(-9)),
            reserved: 77,
            mark: None,
        };
        let mark = Some(Bytes::from_static(b"mark"));
        let marked = Server { mark, ..server.clone() };
        let untimed = Server { timestamp: None, ..marked.clone() };
        let new = Server { timestamp: None, ..server.clone() };
        for server in [server, marked, untimed, new] {
            let bytes = server.to_bytes();
            assert_eq!(Server::from_bytes(-1, &bytes).expect("sound"), server);
            assert!(Server::from_bytes(1, &bytes).is_err());
        }
        let known = Type {
            number: 9,
            events: 1,
            bytes: 2,
            in_series: true,
            latest: Some(Bytes::from_static(b"x")),
        };
        let bytes = known.to_bytes(b"key");
        assert_eq!(Type::from_bytes(b"key", &bytes).expect("sound"), known);
        assert!(Type::from_bytes(b"kex", &bytes).is_err());
    }
}
