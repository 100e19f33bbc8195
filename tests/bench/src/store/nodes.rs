//! Servers of NATS that are one cluster, and nodes of this library over them, in one process: what
//! is seen of its processor time is that of all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hat_server::cluster::ClusterOptions;
use hat_server::store::{DiskOptions, DiskStore, Durability, LogOptions};
use hat_server::{EventServer, Options};
use hat_tokio::Tokio;

use super::peers::free_port;
use crate::side;

/// A cluster on this machine.
#[derive(Args, Clone, Debug)]
pub(super) struct Serve {
    /// `nats-server`.
    program: PathBuf,
    /// Emptied first.
    folder: PathBuf,
    /// Servers of NATS, all of which keep the stream.
    #[arg(long)]
    servers: usize,
    /// Nodes over them. With none of them the port that is told is NATS'.
    #[arg(long)]
    nodes: usize,
}

/// Until standard input ends. A client of the first node, or of the first server, is welcome.
pub(super) async fn serve(serve: Serve) -> anyhow::Result<()> {
    let _ = fs::remove_dir_all(&serve.folder);
    fs::create_dir_all(&serve.folder)?;
    let port = || free_port().map_err(anyhow::Error::msg);
    let ports: Vec<_> =
        (0..serve.servers).map(|_| Ok((port()?, port()?))).collect::<anyhow::Result<_>>()?;
    let children = (0..serve.servers).map(|at| start(&serve, &ports, at));
    let mut children = children.collect::<anyhow::Result<Vec<_>>>()?;
    let end = move || {
        for child in &mut children {
            // it may have ended by itself
            let _ = child.kill();
            let _ = child.wait();
        }
    };
    let urls: Vec<_> = ports.iter().map(|(port, _)| format!("nats://127.0.0.1:{port}")).collect();
    let mut nodes = Vec::new();
    for number in 0..serve.nodes {
        nodes.push(node(&serve.folder, number, &urls).await?);
    }
    let port = nodes.first().map_or(ports[0].0, |node| node.addresses()[0].port());
    side::listening_until(port, end);
    std::future::pending().await
}

/// A server of NATS that syncs each message before it acknowledges it.
fn start(serve: &Serve, ports: &[(u16, u16)], number: usize) -> anyhow::Result<Child> {
    let (port, route) = ports[number];
    let routes: Vec<_> =
        ports.iter().map(|(_, route)| format!("nats://127.0.0.1:{route}")).collect();
    let cluster = match ports.len() {
        1 => String::new(),
        _ => format!(
            "cluster {{ name: bench, listen: \"127.0.0.1:{route}\", routes: [{}] }}",
            routes.join(", ")
        ),
    };
    let store = serve.folder.join(format!("n{number}"));
    let conf = store.with_extension("conf");
    let text = format!(
        "server_name: n{number}\nlisten: \"127.0.0.1:{port}\"\n{cluster}\n\
         jetstream {{ store_dir: {store:?}, sync_interval: always }}\n"
    );
    fs::write(&conf, text)?;
    let mut command = Command::new(&serve.program);
    command.arg("-c").arg(conf).stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command.stderr(fs::File::create(store.with_extension("log"))?).spawn()?)
}

/// As `hat serve --cluster` starts one: what the cluster has acknowledged is applied before it is
/// answered, and synced here within a second.
async fn node(folder: &Path, number: usize, urls: &[String]) -> anyhow::Result<EventServer> {
    let store = DiskStore::open(&folder.join(format!("hat{number}")), DiskOptions::default())?;
    let durability = Durability::Flush(Duration::from_secs(1));
    let log = LogOptions { durability, ..LogOptions::new(1) };
    let cluster = ClusterOptions {
        is_new: number == 0,
        ..ClusterOptions::new(urls.to_vec(), format!("node {number}"))
    };
    let options = Options { log, cluster: Some(cluster), ..Options::new(("127.0.0.1", 0), 1) };
    Ok(EventServer::start::<Tokio>(options, Arc::new(store)).await?)
}
