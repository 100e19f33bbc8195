use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be done with a store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read everything, and hold every table against every other. Exit code 1 says that something is wrong, and where.
    Check(StoreArgs),
    /// Print how much there is, as one JSON line.
    Stats(StoreArgs),
    /// Copy the store into another folder, with ids, times and reserved session numbers. The copy is compact, and a store like any
    /// other: to restore it, serve it, or copy it back.
    Backup {
        #[command(flatten)]
        store: StoreArgs,
        /// A folder without a store.
        to: PathBuf,
    },
    /// Copy a backup into the folder of a store that is gone. Sessions go on above the clock, so no id is given twice.
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
    /// Store events that come as JSON lines on standard input, as `export` prints them, with their ids and times.
    ///
    /// Those of a server come by session and instance. Events that are not above the last one of their server are passed over, and
    /// counted.
    Import(StoreArgs),
}

/// Which store.
#[derive(Clone, Debug, Args)]
pub(crate) struct StoreArgs {
    /// The folder of the store.
    pub(crate) dir: PathBuf,
}
