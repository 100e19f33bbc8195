//! The store of a server: opened, or begun with the history of a deployed one.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use hat_server::store::lmdb::LmdbFile;
use hat_server::store::{DiskOptions, DiskStore, MemoryStore, Store};

use crate::command::store::{FILE, import_file};
use crate::conf::Place;
use crate::exit::{Failure, say};

/// The folder in which a history becomes a store, within the one that it is for.
const IMPORTING: &str = "importing";

pub(super) fn open(place: Place) -> Result<Arc<dyn Store>> {
    match place {
        Place::Memory(config) => Ok(Arc::new(MemoryStore::new(config))),
        Place::Disk { dir, options, import_lmdb } => {
            if let Some(file) = import_lmdb
                && !dir.join(FILE).exists()
            {
                begin_with(&dir, &file)?;
            }
            Ok(Arc::new(DiskStore::open(&dir, options)?))
        }
    }
}

/// Makes a store of what is in the file of a deployed server: the whole of it, or none. What was
/// begun before is gone on with.
fn begin_with(dir: &Path, path: &Path) -> Result<()> {
    if !path.exists() {
        say(&format!("there is no history in {}: the store begins empty", path.display()));
        return Ok(());
    }
    let of = |error| Failure::Input(format!("{}: {error}", path.display()));
    let mut file = LmdbFile::open(path).map_err(of)?;
    say(&format!("taking over {} entries of {}", file.len(), path.display()));
    let part = dir.join(IMPORTING);
    let store = DiskStore::open(&part, DiskOptions::default())?;
    let left = import_file(&store, &mut file, path)?;
    if left > 0 {
        say(&format!("{left} entries fit no reference of the file, and were not imported"));
    }
    drop(store);
    let moved = fs::rename(part.join(FILE), dir.join(FILE));
    moved.and_then(|()| sync(dir)).with_context(|| format!("the store in {}", dir.display()))?;
    // what is left is a lock that nobody holds
    let _ = fs::remove_dir_all(&part);
    Ok(())
}

/// Makes a name in the folder durable.
fn sync(dir: &Path) -> std::io::Result<()> {
    match cfg!(unix) {
        true => fs::File::open(dir)?.sync_all(),
        false => Ok(()),
    }
}
