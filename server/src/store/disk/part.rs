//! Records of events, as they travel: of some sessions, or a part of a large one.
//!
//! ```text
//! key      id of the first event: server, session, instance
//! record   crc32c u32 │ length, event │ length, event │ …    an event is `HatEventer.Event` in SBS
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use hat_core::eventer::{Event, EventId};
use hat_core::sbs::{Decode, Encode, Reader};
use redb::ReadableTable;

use super::blocks::Damaged;
use super::write::ChangeError;

/// Bytes of a record, unless it holds a single event that is larger. What is looked for alone is
/// read with its neighbours, so they are few; and a page of the file, 4 KiB, holds it.
const SIZE: usize = 3_900;

/// The key of a record.
pub(super) type PartKey = (i64, i64, i64);

/// Events one after the other, each with its length before it; and each of them in that memory: the
/// message in which it came may be much larger, and pings around that larger still.
pub(super) fn run(events: &[&Event]) -> (Bytes, Vec<Bytes>) {
    let lens: Vec<_> = events.iter().map(Encode::encoded_len).collect();
    let mut out = BytesMut::with_capacity(lens.iter().map(|len| len + 5).sum());
    let mut places = Vec::with_capacity(events.len());
    for (event, len) in events.iter().zip(lens) {
        put_len(&mut out, len);
        let start = out.len();
        event.encode(&mut out);
        places.push(start..out.len());
    }
    let run = out.freeze();
    let stored = places.into_iter().map(|place| run.slice(place)).collect();
    (run, stored)
}

/// The records of events, which come in the order of ids, as they are stored. Of one server each,
/// and of as many sessions as there is room for.
pub(super) fn records<'a>(
    events: impl Iterator<Item = (EventId, &'a Bytes)>,
) -> impl Iterator<Item = (PartKey, Bytes)> {
    let mut events = events.peekable();
    std::iter::from_fn(move || {
        let (first, stored) = events.next()?;
        let key = (first.server, first.session, first.instance);
        let mut out = BytesMut::with_capacity(SIZE);
        out.put_u32_le(0);
        let mut add = |stored: &Bytes| {
            put_len(&mut out, stored.len());
            out.extend_from_slice(stored);
            out.len()
        };
        let mut size = add(stored);
        while let Some((_, stored)) = events
            .next_if(|(id, stored)| id.server == first.server && size + stored.len() + 5 <= SIZE)
        {
            size = add(stored);
        }
        Some((key, seal(key, out)))
    })
}

/// A record of events as they are stored.
pub(super) fn from_stored(key: PartKey, events: &[Bytes]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u32_le(0);
    for event in events {
        put_len(&mut out, event.len());
        out.extend_from_slice(event);
    }
    seal(key, out)
}

fn seal(key: PartKey, mut out: BytesMut) -> Bytes {
    let crc = checksum(key, &out[4..]);
    out[..4].copy_from_slice(&crc.to_le_bytes());
    out.freeze()
}

fn checksum((server, session, instance): PartKey, rest: &[u8]) -> u32 {
    let mut key = [0; 24];
    key[..8].copy_from_slice(&server.to_le_bytes());
    key[8..16].copy_from_slice(&session.to_le_bytes());
    key[16..].copy_from_slice(&instance.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&key), rest)
}

fn put_len(out: &mut BytesMut, mut len: usize) {
    while len >= 0x80 {
        out.put_u8(len as u8 | 0x80);
        len >>= 7;
    }
    out.put_u8(len as u8);
}

/// The events of a record, each as it is stored, with its id.
pub(super) fn decode(key: PartKey, record: &Bytes) -> Result<Vec<(EventId, Bytes)>, Damaged> {
    let (crc, _) = record.split_at_checked(4).ok_or(Damaged)?;
    if crc != checksum(key, &record[4..]).to_le_bytes() {
        return Err(Damaged);
    }
    let mut events = Vec::new();
    let mut at = 4;
    while at < record.len() {
        let mut rest = &record[at..];
        let len = usize::try_from(super::blocks::take(&mut rest)?).map_err(|_| Damaged)?;
        let start = record.len() - rest.len();
        let end = start.checked_add(len).filter(|end| *end <= record.len()).ok_or(Damaged)?;
        let event = record.slice(start..end);
        let id = EventId::decode(&mut Reader::new(&event)).map_err(|_| Damaged)?;
        events.push((id, event));
        at = end;
    }
    Ok(events)
}

/// The parts, of which the one that was read last is at hand.
pub(super) struct Parts<T> {
    table: T,
    read: Vec<(EventId, Bytes)>,
}

impl<T: ReadableTable<PartKey, &'static [u8]>> Parts<T> {
    pub(super) fn new(table: T) -> Self {
        Self { table, read: Vec::new() }
    }

    /// An event, as it is stored, which is there for certain.
    pub(super) fn find(&mut self, id: EventId) -> Result<Bytes, ChangeError> {
        let at = |read: &[(EventId, Bytes)]| read.binary_search_by_key(&id, |(id, _)| *id);
        if let Ok(at) = at(&self.read) {
            return Ok(self.read[at].1.clone());
        }
        let from = (id.server, i64::MIN, i64::MIN);
        let found = self.table.range(from..=(id.server, id.session, id.instance))?;
        let (key, record) = { found }.next_back().transpose()?.ok_or(ChangeError::Damaged)?;
        let record = Bytes::copy_from_slice(record.value());
        self.read = decode(key.value(), &record)?;
        let at = at(&self.read).map_err(|_| ChangeError::Damaged)?;
        Ok(self.read[at].1.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hat_core::eventer::{EventType, Payload, Timestamp};
    use hat_core::sbs;

    #[test]
    fn a_session_comes_back_in_parts_of_a_page() {
        let event = |instance: i64| Event {
            id: EventId::new(-3, 9, instance),
            event_type: EventType::from_segments(["a", "b"]),
            timestamp: Timestamp::from_secs(5),
            source_timestamp: None,
            payload: Some(Payload::binary("", vec![7; if instance == 50 { 9_000 } else { 90 }])),
        };
        let events: Vec<_> = (1..=100).map(event).collect();
        let (run, stored) = run(&events.iter().collect::<Vec<_>>());
        let of_run = |stored: &Bytes| run.as_ptr_range().contains(&stored.as_ptr());
        assert!(stored.iter().all(of_run), "memory of its own");
        assert!(run.len() > stored.iter().map(Bytes::len).sum());
        let by_id = events.iter().map(|event| event.id).zip(&stored);
        let parts: Vec<_> = records(by_id).collect();
        assert_eq!(parts.len(), 5, "two before the large one, itself, and two after it");
        let mut back = Vec::new();
        for (key, record) in &parts {
            assert!(record.len() <= SIZE || key.2 == 50);
            back.extend(decode(*key, record).expect("sound").into_iter().map(|(_, event)| event));
        }
        assert_eq!(back, stored);
        let decoded: Vec<Event> =
            back.iter().map(|event| sbs::decode(event).expect("sound")).collect();
        assert_eq!(decoded, events);
        let other = (-3, 9, 2);
        assert!(decode(other, &parts[0].1).is_err(), "a record in the place of another");
    }
}
