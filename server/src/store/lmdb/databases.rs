//! What the deployed event server keeps in its file, version 0.9.
//!
//! | database | key | value |
//! |---|---|---|
//! | `SYSTEM_SETTINGS` | 0 version, 1 identifier | JSON |
//! | `SYSTEM_LAST_EVENT_ID` | server | id |
//! | `SYSTEM_LAST_TIMESTAMP` | server | time |
//! | `REF` | id | where it is: `04` and the key of a latest event, `06` and that in a partition |
//! | `LATEST_TYPE` | number of a type | JSON array of segments |
//! | `LATEST_DATA` | number of a type | event |
//! | `TIMESERIES_DATA` | partition, time by which it is ordered, id | event |
//!
//! Numbers are u64, big-endian; an id is server, session, instance; an event is `HatEventer.Event`
//! in SBS. `TIMESERIES_PARTITION` and `TIMESERIES_COUNT` say what the partitions are for: rules of
//! retention say that here.

use std::io::{Read, Seek};

use bytes::Bytes;
use hat_core::eventer::{Event, EventId, EventType, Timestamp};
use hat_core::sbs;

use super::error::LmdbError;
use super::meta::{TREE, Tree};
use super::pages::{Node, Pages};

const VERSION: &str = "0.9";
/// A value that is the description of a database.
const IS_DATABASE: u16 = 0x02;
const LATEST: u8 = 0x04;
const TIMESERIES: u8 = 0x06;
/// Bytes of a key of `TIMESERIES_DATA`.
const TIMESERIES_KEY: usize = 44;

/// A database, by its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Database {
    pub(super) name: &'static str,
    pub(super) tree: Tree,
}

/// Those that are read.
#[derive(Clone, Debug)]
pub(super) struct Databases {
    pub(super) last_event_id: Database,
    pub(super) last_timestamp: Database,
    pub(super) refs: Database,
    pub(super) latest_type: Database,
    pub(super) latest_data: Database,
    pub(super) timeseries: Database,
}

/// How many entries an event was found under.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Copies {
    pub(super) latest: u64,
    pub(super) timeseries: u64,
}

impl Databases {
    pub(super) fn open<R: Read + Seek>(pages: &mut Pages<R>) -> Result<Self, LmdbError> {
        let settings = open(pages, "SYSTEM_SETTINGS")?;
        let version = settings.get(pages, &0_u64.to_be_bytes())?.unwrap_or_default();
        let version: String =
            serde_json::from_slice(&version).map_err(|_| settings.wrong("it has no version"))?;
        if version != VERSION {
            let text = format!(
                "the file has version {version}, and only {VERSION} can be imported; `hat-event-lmdb-convert` converts older files"
            );
            return Err(LmdbError::Unknown(text.into()));
        }
        // all nine have to be there
        open(pages, "TIMESERIES_PARTITION")?;
        open(pages, "TIMESERIES_COUNT")?;
        Ok(Self {
            last_event_id: open(pages, "SYSTEM_LAST_EVENT_ID")?,
            last_timestamp: open(pages, "SYSTEM_LAST_TIMESTAMP")?,
            refs: open(pages, "REF")?,
            latest_type: open(pages, "LATEST_TYPE")?,
            latest_data: open(pages, "LATEST_DATA")?,
            timeseries: open(pages, "TIMESERIES_DATA")?,
        })
    }

    /// The event of an entry of `REF`, and where it was found. It has to be the same everywhere.
    pub(super) fn event<R: Read + Seek>(
        &self,
        pages: &mut Pages<R>,
        node: &Node,
    ) -> Result<(Event, Copies), LmdbError> {
        let id = event_id(&node.key).ok_or_else(|| self.refs.wrong("a key is not an id"))?;
        let wrong = |what: &str| self.refs.wrong(format!("{}: {what}", text(id)));
        let refs = self.refs.value(pages, node)?;
        let mut rest = &refs[..];
        let (mut found, mut copies) = (None::<(Bytes, Event)>, Copies::default());
        while let Some((kind, after)) = rest.split_first() {
            let (database, size) = match *kind {
                LATEST => (&self.latest_data, 8),
                TIMESERIES => (&self.timeseries, TIMESERIES_KEY),
                _ => return Err(wrong("it refers to a database that does not exist")),
            };
            let (key, after) =
                after.split_at_checked(size).ok_or_else(|| wrong("a reference ends early"))?;
            rest = after;
            let bytes = database.get(pages, key)?.ok_or_else(|| {
                wrong(&format!("it refers to an entry of {} that does not exist", database.name))
            })?;
            let event = match found.take() {
                Some((first, event)) if first == bytes => event,
                Some(_) => return Err(wrong("its copies differ")),
                None => decode(&bytes, id).ok_or_else(|| {
                    wrong("it refers to something other than the event with this id")
                })?,
            };
            match *kind {
                LATEST => {
                    copies.latest += 1;
                    self.want_type(pages, key, &event)?;
                }
                _ => {
                    copies.timeseries += 1;
                    let time = key[8..20].try_into().ok().map(Timestamp::from_bytes);
                    let times = [Some(event.timestamp), event.source_timestamp];
                    let is_its = matches!(time, Some(Ok(time)) if times.contains(&Some(time)));
                    if !is_its || key[20..] != node.key[..] {
                        return Err(wrong("it refers to an entry of another event or time"));
                    }
                }
            }
            found = Some((bytes, event));
        }
        let (_, event) = found.ok_or_else(|| wrong("it refers to nothing"))?;
        Ok((event, copies))
    }

    fn want_type<R: Read + Seek>(
        &self,
        pages: &mut Pages<R>,
        key: &[u8],
        event: &Event,
    ) -> Result<(), LmdbError> {
        let segments = self.latest_type.get(pages, key)?.unwrap_or_default();
        let segments: Vec<String> = serde_json::from_slice(&segments).map_err(|_| {
            self.latest_type.wrong("a type is missing, or is not an array of strings")
        })?;
        match EventType::from_segments(segments) == event.event_type {
            true => Ok(()),
            false => Err(self.latest_type.wrong("a type differs from that of its latest event")),
        }
    }
}

impl Database {
    pub(super) fn get<R: Read + Seek>(
        &self,
        pages: &mut Pages<R>,
        key: &[u8],
    ) -> Result<Option<Bytes>, LmdbError> {
        let node = self.tree.get(pages, key)?;
        node.map(|node| self.value(pages, &node)).transpose()
    }

    pub(super) fn value<R: Read + Seek>(
        &self,
        pages: &mut Pages<R>,
        node: &Node,
    ) -> Result<Bytes, LmdbError> {
        match node.flags {
            0 => pages.value(node),
            _ => Err(self.wrong("an entry is of a kind that the event server does not write")),
        }
    }

    pub(super) fn wrong(&self, what: impl std::fmt::Display) -> LmdbError {
        LmdbError::entry(self.name, what)
    }
}

fn open<R: Read + Seek>(pages: &mut Pages<R>, name: &'static str) -> Result<Database, LmdbError> {
    let main = pages.meta().main;
    let node = main.get(pages, name.as_bytes())?.filter(|node| node.flags == IS_DATABASE);
    let Some(node) = node else {
        let text = format!(
            "the file has no database {name}: it is not an event server's, or its version is older \
             than {VERSION}; `hat-event-lmdb-convert` converts older files"
        );
        return Err(LmdbError::Unknown(text.into()));
    };
    let value = pages.value(&node)?;
    match value.len() {
        TREE => Ok(Database { name, tree: Tree::read(&value)? }),
        _ => Err(LmdbError::entry(name, "its description has the wrong length")),
    }
}

fn decode(bytes: &Bytes, id: EventId) -> Option<Event> {
    sbs::decode::<Event>(bytes).ok().filter(|event| event.id == id)
}

/// An id, as it is in keys and values.
pub(super) fn event_id(bytes: &[u8]) -> Option<EventId> {
    let bytes: &[u8; 24] = bytes.try_into().ok()?;
    let number = |at: usize| {
        let bytes = bytes[at..].first_chunk()?;
        i64::try_from(u64::from_be_bytes(*bytes)).ok()
    };
    Some(EventId::new(number(0)?, number(8)?, number(16)?))
}

fn text(id: EventId) -> String {
    format!("event {}.{}.{}", id.server, id.session, id.instance)
}
