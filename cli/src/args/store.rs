//! The arguments of `hat store`, and those about what a store keeps.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::conf::StoreSettings;
use crate::conf::settings::{Durability, Notify};

/// What can be done with a store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read everything, and hold every table against every other. Exit code 1 says that something
    /// is wrong, and where.
    Check(StoreArgs),
    /// Print how much there is, as one JSON line.
    Stats(StoreArgs),
    /// Copy the store into another folder, with ids, times and reserved session numbers. The copy
    /// is compact, and a store like any other: to restore it, serve it, or copy it back.
    ///
    /// Where a server has the store open, that server makes the copy beside its work, with its own
    /// rights: it must be able to write there.
    Backup {
        #[command(flatten)]
        store: StoreArgs,
        /// A folder without a store.
        to: PathBuf,
    },
    /// Copy a backup into the folder of a store that is gone. Sessions go on above the clock, so no
    /// id is given twice.
    Restore {
        #[command(flatten)]
        store: StoreArgs,
        /// The folder of the backup.
        from: PathBuf,
    },
    /// Give unused space back to the disk.
    Compact(StoreArgs),
    /// Print every event as a JSON line, by server, session and instance, with ids and times.
    Export(StoreArgs),
    /// Store events that come as JSON lines on standard input, as `export` prints them, with their
    /// ids and times.
    ///
    /// Those of a server come by session and instance. Events that are not above the last one of
    /// their server are passed over, and counted.
    ///
    /// With `--from-lmdb` they come from the file of a hat-event-server instead (hat-event 0.9 with
    /// its LMDB backend, version 0.9 of the file). Sessions and times go on above those of the
    /// file. Stop that server first: what it has not flushed is not in its file.
    Import {
        #[command(flatten)]
        store: StoreArgs,
        /// The file that `db_path` of the server's configuration names. It is only read.
        #[arg(long, value_name = "FILE")]
        from_lmdb: Option<PathBuf>,
    },
}

/// Which store.
#[derive(Clone, Debug, Args)]
pub(crate) struct StoreArgs {
    /// The folder of the store.
    pub(crate) dir: PathBuf,
}

/// Where a server keeps its events.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeepArgs {
    /// The folder to keep events in; made where there is none. Without it they are in memory only,
    /// and gone when the server ends.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// What an answer to a registration promises: `commit`, that the events are on the disk;
    /// `flush:100ms`, that they will be so long after it, so that a crash loses what was answered
    /// since. [default: commit]
    #[arg(long, value_name = "WHEN")]
    durability: Option<Durability>,
    /// When subscribers are told who did not ask for persisted events: once these are on the disk,
    /// or early, as soon as their order is fixed. A crash then makes events vanish that were told.
    /// [default: durable]
    #[arg(long, value_enum, value_name = "WHEN")]
    notify: Option<Notify>,
    /// Where there is no store in the folder yet, begin with the history in this file of a
    /// hat-event-server (its `db_path`). Stop that server first. A store that is there is left as
    /// it is.
    #[arg(long, value_name = "FILE")]
    import_lmdb: Option<PathBuf>,
}

impl KeepArgs {
    /// What the arguments say.
    pub(crate) fn settings(&self) -> StoreSettings {
        StoreSettings {
            dir: self.store.clone(),
            import_lmdb: self.import_lmdb.clone(),
            durability: self.durability,
            notify: self.notify,
            ..StoreSettings::default()
        }
    }
}
