//! Three nodes over three real NATS servers, and what goes wrong with them.

#[path = "../cli/process.rs"]
#[allow(dead_code)]
mod process;

#[path = "../cli/web/http.rs"]
#[allow(dead_code)]
mod http;

mod deployed;
mod disks;
mod faults;
mod machines;
mod monitored;
mod nats;
mod nodes;
mod oracle;
mod schedules;
mod together;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use nats::Nats;
use nodes::Node;

/// Of a node at the first start of a cluster.
const NEW: &str = "--cluster-new";

/// A folder that goes when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("hat-cluster-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("a temporary folder");
        Self(path)
    }

    fn of(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Servers and nodes, as many of both.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    nats: Nats,
    runtime: tokio::runtime::Runtime,
    folder: Folder,
}

impl Cluster {
    /// `None` where NATS cannot be installed, which is said then.
    fn start(test: &str, count: usize, more: &str) -> Option<Self> {
        let program = nats::program(test)?;
        let folder = Folder::new();
        let nats = Nats::start(program, &folder.of("nats"), count, more);
        let urls = nats.urls();
        let node = |number| Node::start(number, &folder.of(&format!("h{number}")), &urls, NEW);
        let nodes = (0..count).map(node).collect();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        Some(Self { nodes, nats, runtime, folder })
    }
}
