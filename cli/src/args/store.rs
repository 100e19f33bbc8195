use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use hat_server::store::Durability;

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
    pub(crate) store: Option<PathBuf>,
    /// What an answer to a registration promises: `commit`, that the events are on the disk;
    /// `flush:100ms`, that they will be so long after it, so that a crash loses what was answered
    /// since.
    #[arg(long, value_name = "WHEN", default_value = "commit", value_parser = durability, requires = "store")]
    pub(crate) durability: Durability,
}

fn durability(text: &str) -> Result<Durability, String> {
    let wrong = || "write commit, or flush: and a time, as flush:100ms or flush:2s".to_owned();
    if text == "commit" {
        return Ok(Durability::Commit);
    }
    let time = text.strip_prefix("flush:").ok_or_else(wrong)?;
    let (number, unit) = match (time.strip_suffix("ms"), time.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1_000),
        (None, None) => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = number.checked_mul(unit).filter(|millis| *millis <= 3_600_000);
    millis.map(|millis| Durability::Flush(Duration::from_millis(millis))).ok_or_else(wrong)
}
