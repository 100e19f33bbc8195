//! The file of the deployed event server (`hat-event` with its LMDB backend, version 0.9), read to
//! take its events over.
//!
//! ```text
//! LmdbFile: events in the order of ids, last ids and times      databases: what the server keeps
//!   └─ tree: an entry by its key, all entries ── pages: checked when read ── meta: which pages
//! ```
//!
//! Read only, by calls of `read`, in memory that does not grow with the file. No byte is trusted: a
//! file that is damaged or cut gives an error, or the right events. LMDB keeps no checksums, so one
//! thing cannot be seen: a byte of an event that the file holds only once, or of a server's last
//! id, where the entry still reads as one of the same id or server.
//!
//! The lock file of LMDB is not taken part in. That the file was changed meanwhile is noticed
//! before what was read is handed out.

mod databases;
mod error;
mod import;
mod meta;
mod pages;
mod tree;

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use hat_core::eventer::{Event, EventId, Timestamp};

use self::databases::Databases;
use self::pages::Pages;

pub use self::error::LmdbError;
pub use self::import::{ImportError, ImportSummary, import};

/// Events that are read before they are handed out together.
const BATCH: usize = 4_096;

/// A file of the deployed event server.
pub struct LmdbFile<R = File> {
    pages: Pages<R>,
    databases: Databases,
}

/// The last that the file knows of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastOf {
    /// The id of the last event that was stored; it may be gone since.
    pub id: EventId,
    /// The timestamp of that event.
    pub timestamp: Option<Timestamp>,
}

impl<R> fmt::Debug for LmdbFile<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LmdbFile").finish_non_exhaustive()
    }
}

impl LmdbFile {
    /// Opens the file at `path`.
    ///
    /// # Errors
    ///
    /// [`LmdbError`]: it cannot be read, is another kind of file or of another version, or is
    /// damaged.
    pub fn open(path: &Path) -> Result<Self, LmdbError> {
        Self::new(File::open(path)?)
    }
}

impl<R: Read + Seek> LmdbFile<R> {
    /// Reads from `source`, which holds such a file.
    ///
    /// # Errors
    ///
    /// [`LmdbError`].
    pub fn new(source: R) -> Result<Self, LmdbError> {
        let mut pages = Pages::open(source)?;
        let databases = Databases::open(&mut pages)?;
        Ok(Self { pages, databases })
    }

    /// How many events there are.
    pub fn len(&self) -> u64 {
        self.databases.refs.tree.entries
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The servers whose events the file has held, by their ids.
    ///
    /// # Errors
    ///
    /// [`LmdbError`].
    pub fn servers(&mut self) -> Result<Vec<LastOf>, LmdbError> {
        let (ids, times) = (self.databases.last_event_id, self.databases.last_timestamp);
        let mut servers = Vec::new();
        let mut walk = ids.tree.walk();
        while let Some(node) = walk.next(&mut self.pages)? {
            let value = ids.value(&mut self.pages, &node)?;
            let id = databases::event_id(&value)
                .filter(|id| node.key == id.server.to_be_bytes()[..])
                .ok_or_else(|| ids.wrong("a value is not an id of its server"))?;
            let timestamp = match times.get(&mut self.pages, &node.key)? {
                None => None,
                Some(bytes) => {
                    let bytes = bytes[..].try_into().ok();
                    let timestamp = bytes.and_then(|bytes| Timestamp::from_bytes(bytes).ok());
                    Some(timestamp.ok_or_else(|| times.wrong("a value is not a timestamp"))?)
                }
            };
            servers.push(LastOf { id, timestamp });
        }
        self.pages.want_unchanged()?;
        Ok(servers)
    }

    /// Every event once, by server, session and instance. Returns how many entries there are behind
    /// no reference: those of events that nobody can ask the deployed server for by id. There are
    /// none, unless the file was changed by something else.
    ///
    /// # Errors
    ///
    /// [`LmdbError`], and those of `each`. What `each` was given is right nevertheless.
    pub fn for_each<E: From<LmdbError>>(
        &mut self,
        mut each: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<u64, E> {
        let (mut latest, mut timeseries) = (0, 0);
        let mut batch = Vec::with_capacity(BATCH);
        let mut walk = self.databases.refs.tree.walk();
        loop {
            let node = walk.next(&mut self.pages)?;
            let is_end = node.is_none();
            if let Some(node) = node {
                let (event, copies) = self.databases.event(&mut self.pages, &node)?;
                latest += copies.latest;
                timeseries += copies.timeseries;
                batch.push(event);
            }
            if is_end || batch.len() == BATCH {
                self.pages.want_unchanged()?;
                batch.drain(..).try_for_each(&mut each)?;
            }
            if is_end {
                break;
            }
        }
        let entries = [&self.databases.latest_data, &self.databases.timeseries]
            .map(|database| database.tree.entries);
        let [latest_left, timeseries_left] =
            [entries[0].abs_diff(latest), entries[1].abs_diff(timeseries)];
        Ok(latest_left.saturating_add(timeseries_left))
    }
}
