//! The store of a server: opened, or begun with the history of a deployed one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use hat_aio::{Address, Runtime};
use hat_server::redundancy::{self, CopySummary, MirrorOnce, MirrorOnceError};
use hat_server::store::lmdb::LmdbFile;
use hat_server::store::{DiskStore, MemoryStore, Store};

use super::systemd;
use crate::args::TlsArgs;
use crate::client::refusal;
use crate::command::store::{counted, import_file, is_there};
use crate::conf::Place;
use crate::exit::{Failure, say};
use crate::progress;

/// A store that is open.
pub(super) enum OpenStore {
    Memory(Arc<MemoryStore>),
    Disk(PathBuf, Arc<DiskStore>),
}

impl OpenStore {
    pub(super) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Memory(store) => store.clone(),
            Self::Disk(_, store) => store.clone(),
        }
    }

    /// Requests from this machine: for who asks by `hat store`. Without them everything else works.
    #[cfg(unix)]
    pub(super) fn control(&self) -> Option<hat_server::control::Control> {
        if let Self::Disk(dir, store) = self {
            let control = hat_server::control::Control::open(dir, store.clone());
            let warn = |error: &std::io::Error| {
                tracing::warn!(%error, "`hat store backup` will not work while the server runs");
            };
            return control.inspect_err(warn).ok();
        }
        None
    }

    /// There are no such requests on this system.
    #[cfg(not(unix))]
    pub(super) fn control(&self) {}
}

/// With `may_be_new`, a file to take the history over from that is not there is that of a server
/// that never ran.
pub(super) fn open(place: Place, may_be_new: bool) -> Result<OpenStore> {
    match place {
        Place::Memory(config) => Ok(OpenStore::Memory(Arc::new(MemoryStore::new(config)))),
        Place::Disk { dir, options, import_lmdb } => {
            if let Some(file) = import_lmdb
                && !is_there(&dir)?
            {
                begin_with(&dir, &file, may_be_new)?;
            }
            let store = Arc::new(DiskStore::open(&dir, options)?);
            Ok(OpenStore::Disk(dir, store))
        }
    }
}

/// Copies what another server has stored into the store.
pub(super) async fn mirror_once<R: Runtime>(
    opened: &OpenStore,
    from: Address,
    options: MirrorOnce,
    files: &TlsArgs,
) -> Result<()> {
    let OpenStore::Disk(_, store) = opened else {
        return Err(Failure::Input("--mirror-once needs --store DIR (store.dir)".into()).into());
    };
    let tls = match from.is_tls() {
        true => files.connector(&from)?,
        false => None,
    };
    let bar = progress::events(false, "copied");
    let options = MirrorOnce { tls, ..options };
    let copied = redundancy::mirror_once::<R>(from.clone(), options, store, |events| {
        bar.set_position(events);
        systemd::progress(&format!("copied {events} events of {from}"));
    });
    let copied = copied.await.map_err(|error| match error {
        MirrorOnceError::Connect(error) => refusal(from.clone(), error),
        MirrorOnceError::Request(error) => Failure::of_request(&from, error),
        error @ MirrorOnceError::ServersUncertain { .. } => uncertain(&error, &from).into(),
        error => anyhow::Error::from(error),
    })?;
    bar.finish_and_clear();
    say(&summary(&copied, &from));
    Ok(())
}

/// What was copied, and what was not.
fn summary(copied: &CopySummary, from: &Address) -> String {
    let events = counted(copied.events, "event");
    let servers = counted(copied.servers.len(), "server");
    let skipped = copied.skipped;
    format!(
        "{events} of {servers} copied from {from}, {skipped} skipped (not after the last stored \
         event of their server, or not to be stored by the configuration); events that it has not \
         stored yet, or registers from now on, are not included"
    )
}

/// Which servers there are to copy cannot be found out: who knows them can say so.
fn uncertain(error: &MirrorOnceError, from: &Address) -> Failure {
    Failure::Input(format!(
        "nothing was copied from {from}: {error}: --mirror-once-server ID, once for each of them"
    ))
}

/// Makes a store of what is in the file of a deployed server: the whole of it, or none.
fn begin_with(dir: &Path, path: &Path, may_be_new: bool) -> Result<()> {
    let of = |error| Failure::Input(format!("the history in {}: {error}", path.display()));
    // one that may not be looked at is there, for all that is known
    let is_there = path.try_exists().map_err(of)?;
    if !is_there && !may_be_new {
        let text =
            "it does not exist; without --import-lmdb (store.import_lmdb) the store starts empty";
        return Err(of(std::io::Error::new(std::io::ErrorKind::NotFound, text)).into());
    }
    if !is_there {
        say(&format!("there is no history in {}: the store starts empty", path.display()));
        return Ok(());
    }
    let of = |error| Failure::Input(format!("{}: {error}", path.display()));
    let mut file = LmdbFile::open(path).map_err(of)?;
    say(&format!("importing {} entries of {}", file.len(), path.display()));
    let left = DiskStore::make_whole(dir, |store| import_file(store, &mut file, path))?;
    if left > 0 {
        say(&format!(
            "{left} entries do not match any reference of the file, and were not imported"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_is_not_counted_as_copied() {
        let mut copied = CopySummary::default();
        (copied.events, copied.skipped, copied.servers) = (1, 3, vec![1, 2]);
        let said = summary(&copied, &Address::new("h", 1));
        let start = "1 event of 2 servers copied from h:1, 3 skipped (not after the last stored";
        assert!(said.starts_with(start), "{said}");
    }

    #[test]
    fn where_servers_may_be_missing_the_option_is_named() {
        let error = MirrorOnceError::ServersUncertain { found: vec![2, 5] };
        let said = uncertain(&error, &Address::new("h", 1)).to_string();
        assert!(
            said.starts_with("nothing was copied from h:1: the server has more latest"),
            "{said}"
        );
        assert!(said.contains("(2, 5)") && said.contains("--mirror-once-server ID"), "{said}");
    }
}
