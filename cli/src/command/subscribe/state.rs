//! The file that says where a run stopped.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hat_core::eventer::EventId;
use hat_core::eventer::reconnect::Position;
use serde::{Deserialize, Serialize};

use super::Positions;
use super::history::texts;
use crate::client::Interest;
use crate::exit::{Failure, say};

/// Of the file's contents.
const VERSION: u32 = 1;

/// Positions, and the file that they are in.
pub(super) struct State {
    path: PathBuf,
    contents: Contents,
    /// An earlier run has written it.
    known: bool,
    /// It differs from the file.
    dirty: bool,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    version: u32,
    /// What was subscribed to.
    types: Vec<String>,
    positions: Vec<Place>,
}

/// A [`Position`].
#[derive(Serialize, Deserialize)]
struct Place {
    server: i64,
    session: i64,
    instance: i64,
    timestamp: String,
}

impl State {
    /// The state in the file at `path`, which need not be there.
    pub(super) fn open(path: &Path, wanted: &Interest) -> Result<Self> {
        let types = texts(&wanted.types);
        let of = |error: &dyn std::fmt::Display| {
            Failure::Input(format!("the state in {}: {error}", path.display()))
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let contents = Contents { version: VERSION, types, positions: Vec::new() };
                return Ok(Self { path: path.into(), contents, known: false, dirty: false });
            }
            Err(error) => return Err(of(&error).into()),
        };
        let mut contents: Contents = serde_json::from_str(&text).map_err(|error| {
            of(&format!("it is not a state of `hat subscribe`: {error}; remove it to start over"))
        })?;
        if contents.version != VERSION {
            let version = contents.version;
            return Err(of(&format!(
                "it has version {version}, and this hat knows version {VERSION}"
            ))
            .into());
        }
        for place in &contents.positions {
            place.timestamp.parse::<hat_core::eventer::Timestamp>().map_err(|error| of(&error))?;
        }
        if contents.types != types {
            let before = contents.types.join(" ");
            say(&format!(
                "note: the last run subscribed to {before}: of other types, only events since it stopped are printed"
            ));
            contents.types = types;
        }
        Ok(Self { path: path.into(), contents, known: true, dirty: false })
    }

    /// Where the last run stopped, if there was one.
    pub(super) fn known(&self) -> Option<Positions> {
        let position = |place: &Place| {
            let id = EventId::new(place.server, place.session, place.instance);
            // checked when it was read
            let timestamp = place.timestamp.parse().ok()?;
            Some((place.server, Position { id, timestamp }))
        };
        self.known.then(|| self.contents.positions.iter().filter_map(position).collect())
    }

    /// Events were printed up to there; servers that are not among them stand where they stood.
    pub(super) fn note(&mut self, positions: impl Iterator<Item = Position>) {
        self.dirty = true;
        for Position { id, timestamp } in positions {
            let place = Place {
                server: id.server,
                session: id.session,
                instance: id.instance,
                timestamp: timestamp.to_string(),
            };
            let places = &mut self.contents.positions;
            match places.iter_mut().find(|known| known.server == id.server) {
                Some(known) => *known = place,
                None => places.push(place),
            }
        }
    }

    /// Whether the file says something else.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Replaces the file, where it says something else: who reads it finds the old one or the new
    /// one, also after the power failed.
    pub(super) fn save(&mut self) -> Result<()> {
        if !self.dirty {
            return Ok(());
        }
        let of = || format!("cannot write the state to {}", self.path.display());
        let mut text = serde_json::to_string(&self.contents).with_context(of)?;
        text.push('\n');
        self.replace(text.as_bytes()).with_context(of)?;
        self.dirty = false;
        Ok(())
    }

    fn replace(&self, contents: &[u8]) -> io::Result<()> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = self.path.with_file_name(name);
        let mut file = File::create(&new)?;
        file.write_all(contents)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        // the name is on the disk with its folder; not every system can be asked for that
        let folder = self.path.parent().filter(|path| !path.as_os_str().is_empty());
        let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        Ok(())
    }
}
