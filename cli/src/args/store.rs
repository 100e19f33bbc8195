//! The arguments of `hat store`, and those about what a store keeps.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::conf::StoreSettings;
use crate::conf::settings::{Durability, Notify};

/// What can be done with a store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read the whole store and compare its tables with each other. Exit code 1 means that the
    /// store is damaged; the output says where.
    Check(StoreArgs),
    /// Print the size of the store as one JSON line.
    Stats(StoreArgs),
    /// Copy the store to another folder, with ids, timestamps and reserved session numbers. The
    /// copy is compact and is itself a store: to restore it, serve it or copy it back.
    ///
    /// If a server has the store open, that server makes the copy while it works. It needs the
    /// permission to write to the other folder.
    Backup {
        #[command(flatten)]
        store: StoreArgs,
        /// A folder without a store.
        to: PathBuf,
    },
    /// Copy a backup to the folder of a lost store. New sessions are numbered from the clock, so no
    /// id is reused.
    Restore {
        #[command(flatten)]
        store: StoreArgs,
        /// The folder of the backup.
        from: PathBuf,
    },
    /// Return unused space to the disk.
    Compact(StoreArgs),
    /// Print every event as a JSON line, with its id and timestamps, in order of server, session
    /// and instance.
    Export(StoreArgs),
    /// Store events read as JSON lines from standard input, as `export` prints them, with their ids
    /// and timestamps.
    ///
    /// The events of a server must be in order of session and instance. Events that do not come
    /// after the last stored event of their server are skipped and counted.
    ///
    /// If the folder has no store yet, it is created with all events or not at all. An import into
    /// a store that is there may end in the middle of them: repeat it before a server uses it.
    ///
    /// With `--from-lmdb`, events are read from the file of a hat-event-server instead (hat-event
    /// 0.9 with its LMDB backend, file version 0.9). New sessions and timestamps continue above
    /// those of the file. Stop that server first: events that it has not flushed are not in its
    /// file.
    Import {
        #[command(flatten)]
        store: StoreArgs,
        /// The file named by `db_path` in the server's configuration. It is not changed.
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
    /// The folder to keep events in; it is created if it does not exist. Without it, events are
    /// kept in memory only, and are lost when the server stops.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// What a response to a registration promises. `commit`: the events are on the disk.
    /// `flush:100ms`: they will be within 100 ms, so a crash can lose the events of the last 100
    /// ms. [default: commit]
    #[arg(long, value_name = "WHEN")]
    durability: Option<Durability>,
    /// When subscribers that did not ask for persisted events are notified: once the events are on
    /// the disk, or early, as soon as their order is fixed. With early, a crash can lose events
    /// that subscribers have seen. [default: durable]
    #[arg(long, value_enum, value_name = "WHEN")]
    notify: Option<Notify>,
    /// If the folder has no store yet, start with the history in this file of a hat-event-server
    /// (its `db_path`). Stop that server first. An existing store is not changed.
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
