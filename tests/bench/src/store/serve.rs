//! An event server of this library over a store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use hat_server::store::memory::Config;
use hat_server::store::{DiskOptions, DiskStore, Durability, LogOptions, MemoryStore, Store};
use hat_server::{EventServer, Options};
use hat_tokio::Tokio;

use crate::side;

/// Where it keeps events.
#[derive(Subcommand, Clone, Debug)]
pub(super) enum Kept {
    Memory,
    Disk {
        /// Emptied first.
        folder: PathBuf,
        /// Answers first, and syncs every 100 ms.
        #[arg(long)]
        flush: bool,
    },
    /// Servers of NATS that are one cluster, and nodes over them.
    #[cfg(feature = "cluster")]
    Cluster(super::nodes::Serve),
}

pub(super) async fn serve(kept: Kept) -> anyhow::Result<()> {
    let mut log = LogOptions::new(1);
    let store: Arc<dyn Store> = match kept {
        #[cfg(feature = "cluster")]
        Kept::Cluster(nodes) => return super::nodes::serve(nodes).await,
        Kept::Memory => {
            let most = usize::MAX / 2;
            Arc::new(MemoryStore::new(Config { max_events: most, ..Config::new(1) }))
        }
        Kept::Disk { folder, flush } => {
            let _ = std::fs::remove_dir_all(&folder);
            if flush {
                log.durability = Durability::Flush(Duration::from_millis(100));
            }
            Arc::new(DiskStore::open(&folder, DiskOptions::default())?)
        }
    };
    let options = Options { log, ..Options::new(("127.0.0.1", 0), 1) };
    let server = EventServer::start::<Tokio>(options, store).await?;
    side::listening(server.addresses()[0].port());
    std::future::pending().await
}
