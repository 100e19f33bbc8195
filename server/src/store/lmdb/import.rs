//! The events of a file into a store.

use std::io::{Read, Seek};

use super::{LmdbError, LmdbFile};
use crate::store::disk::Import;
use crate::store::{DiskStore, StoreError};

/// What was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportSummary {
    /// Events that were in the file.
    pub given: u64,
    /// Those that the store has taken. The others are not above what it had of their server, or its
    /// rules want none of them.
    pub taken: u64,
    /// Servers whose last ids and times are kept.
    pub servers: usize,
    /// Entries of the file that no event refers to; they are not taken over.
    pub unreferenced: u64,
}

/// Why an import ends early. What was taken before is in the store; the same import can be tried
/// again.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file gives no more.
    #[error(transparent)]
    File(#[from] LmdbError),
    /// The store takes no more.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes the events of `file` over into `store`, with their ids and times. Sessions and timestamps
/// of every server go on above those of the file, also where the last events are gone from it.
/// `progress` is told how many events were given so far.
///
/// Events that the file keeps only as the latest of their type are in the series, too, until rules
/// of the store say otherwise.
///
/// # Errors
///
/// [`ImportError`].
pub fn import<R: Read + Seek>(
    file: &mut LmdbFile<R>,
    store: &DiskStore,
    mut progress: impl FnMut(u64),
) -> Result<ImportSummary, ImportError> {
    // first: whatever ends this early, no id of the file is given to another event
    let servers = file.servers()?;
    let last: Vec<_> =
        servers.iter().map(|last| (last.id.server, last.id.session, last.timestamp)).collect();
    store.go_on_above(&last)?;
    let mut into = Import::new(store);
    let mut given = 0_u64;
    let unreferenced = file.for_each(|event| {
        into.add(event)?;
        given += 1;
        if given.is_multiple_of(1_024) {
            progress(given);
        }
        Ok::<_, ImportError>(())
    })?;
    let (given, taken) = into.finish()?;
    progress(given);
    Ok(ImportSummary { given, taken, servers: servers.len(), unreferenced })
}
